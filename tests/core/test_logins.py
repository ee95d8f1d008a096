"""Logins in URLs: what is masked, what becomes a variable, and what stays as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.errors import UsageError
from setlist.core.logins import Logins, expanded, holds_login, masked, refers_to_login


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://joe:word@h.invalid/simple", "https://joe:***@h.invalid/simple"),
        ("a @ git+https://joe:word@h.invalid/r.git@main", "a @ git+https://joe:***@h.invalid/r.git@main"),
        ("https://token@h.invalid/x", "https://***@h.invalid/x"),
        ("https://joe:a@b@h.invalid/x", "https://joe:***@h.invalid/x"),
        ("https://joe:$1@h.invalid/x", "https://joe:***@h.invalid/x"),
        ("https://joe:pre${PW}@h.invalid/x", "https://joe:***@h.invalid/x"),
        ("--index-url=https://joe:word@h.invalid:80", "--index-url=https://joe:***@h.invalid:80"),
        ("-ihttps://joe:word@h.invalid", "-ihttps://joe:***@h.invalid"),
        ('["https://joe:word@h.invalid/x","a@b"]', '["https://joe:***@h.invalid/x","a@b"]'),
        ("ssh://git:word@h.invalid/x", "ssh://git:***@h.invalid/x"),
        ("https://:word@h.invalid/x and ftp://a:b@c", "https://:***@h.invalid/x and ftp://a:***@c"),
    ],
)
def test_the_secret_in_a_url_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert holds_login(text)
    assert holds_login({"a": ["b", (text,)]})
    assert holds_login(text.encode())
    assert refers_to_login(text)
    assert UsageError(text, detail=text, hint=text).__dict__.items() >= {
        "message": shown, "detail": shown, "hint": shown
    }.items()  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "https://joe:${PW}@h.invalid/x",
        "https://${LOGIN}@h.invalid/x",
        "https://${USER}:${PW}@h.invalid/x",
        "git+ssh://git@h.invalid/r.git",
        "git+https://git@h.invalid/r.git",
        "https://h.invalid/r.git@main",
        "https://h.invalid/?mail=a@b.invalid",
        "https://joe:@h.invalid/",
        "a @ b",
        "mail a@b.invalid or see https://h.invalid",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text
    assert Logins().hide(text) == text
    assert not holds_login(text)
    assert not holds_login({"a": [text.encode(), None, 1]})


def test_a_hidden_login_is_a_variable_that_gives_the_same_text() -> None:
    text = "a @ https://joe:one@h.invalid/a\nb @ https://joe:two@h.invalid/b\nc @ https://tok@h.invalid/c\n"
    logins = Logins()
    hidden = logins.hide(text)
    assert not holds_login(hidden)
    assert not {"one", "two", "tok"} & set(hidden.replace("@", ":").split(":"))
    assert expanded(hidden, logins.environ) == text
    assert logins.covers(hidden)
    assert not Logins().covers(hidden)
    # the names come from what isn't secret, in the order of the text: the same on each run and each machine
    assert Logins().hide(text) == hidden
    assert Logins().hide(text.replace("one", "uno")) == hidden


@given(st.text("ab:@/${}PW \n*'", max_size=30))
def test_hiding_never_changes_what_an_installer_reads(text: str) -> None:
    logins = Logins()
    assert expanded(logins.hide(f"https://{text}"), logins.environ) == f"https://{text}"
    assert masked(masked(f"https://{text}")) == masked(f"https://{text}")


def test_a_login_that_a_tool_left_out_is_put_back_as_it_was_written() -> None:
    logins = Logins()
    assert logins.hide("a @ https://joe:${PW}@h.invalid/x.whl#sha256=00") == logins.hide(
        "a @ https://joe:word@h.invalid/x.whl#sha256=00"
    )
    logins.hide(
        "a @ https://joe:${PW}@${HOST}/a.whl#sha256=00 ; os_name == 'nt'\n"
        "b @ git+https://tok@h.invalid/b.git@main#subdirectory=x\n"
    )
    environ = {"HOST": "i.invalid"}
    assert logins.restored("https://i.invalid/a.whl", environ) == "https://joe:${PW}@i.invalid/a.whl"
    (name,) = logins.environ
    assert logins.restored("https://h.invalid/b.git", environ) == f"https://${{{name}}}@h.invalid/b.git"
    assert logins.restored("https://h.invalid/other.git", environ) == "https://h.invalid/other.git"
    assert logins.restored("https://elsewhere.invalid/a.whl", environ) == "https://elsewhere.invalid/a.whl"
