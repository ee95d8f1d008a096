"""Splitting commands into words, and expanding their placeholders."""

from __future__ import annotations

import shlex
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError, SubstitutionError
from setlist.registry.substitution import (
    Values,
    check_template,
    escape,
    expand_text,
    expand_words,
    fill,
    fill_partly,
    split_command,
)

VALUES = Values(
    session="web-py39",
    python="3.9",
    project="/a project",
    envdir=f"/a project/{STATE_DIRECTORY}/envs/web-py39",
    tmp="/t",
    environ={"HOME": "/home/me", "EMPTY": ""},
    axes={"python": "3.9", "django": "3.2"},
)


def with_posargs(*posargs: str) -> Values:
    return replace(VALUES, posargs=posargs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pytest {posargs:-x tests} --name 'a b'", ("pytest", "{posargs:-x tests}", "--name", "a b")),
        ("echo \"two words\" a\\ b ''", ("echo", "two words", "a b", "")),
        ("x --at={env:HOME:a b}/c", ("x", "--at={env:HOME:a b}/c")),
        ("x '{session} here'", ("x", "{session} here")),
        ("x {{a b}}", ("x", "{{a", "b}}")),
        ("a # b", ("a", "#", "b")),
        ("x {posargs:-k 'a b'}", ("x", "{posargs:-k 'a b'}")),
        ("x {env:A:{env:B:c d}} {posargs:{{a}}}", ("x", "{env:A:{env:B:c d}}", "{posargs:{{a}}}")),
        ("\n  ruff check\n", ("ruff", "check")),
        ("python -c 'a\nb'", ("python", "-c", "a\nb")),
    ],
)
def test_a_command_is_split_as_a_shell_would_with_placeholders_whole(text: str, words: tuple[str, ...]) -> None:
    assert split_command(text) == words


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r"))))
def test_quoted_words_come_back_from_splitting_and_expanding(words: list[str]) -> None:
    line = " ".join(shlex.quote(escape(word)) for word in words)
    assert expand_words(split_command(line), VALUES) == tuple(words)


@given(st.text())
def test_escaped_text_expands_to_itself(text: str) -> None:
    assert expand_text(escape(text), VALUES) == text
    check_template(escape(text), ())


@given(st.lists(st.text(alphabet=string.ascii_letters + " {}'\"$\\*")))
def test_posargs_are_passed_on_untouched(posargs: list[str]) -> None:
    assert expand_words(("x", "{posargs:default}", "y"), with_posargs(*posargs)) == (
        ("x", *posargs, "y") if posargs else ("x", "default", "y")
    )


@given(st.text(alphabet="ab{}:", max_size=12))
def test_what_passes_the_check_expands(template: str) -> None:
    try:
        check_template(template, ("a", "b"))
    except ConfigurationError:
        return
    expand_text(template, replace(VALUES, axes={"a": "1", "b": "2"}))


def test_posargs_default_is_split_into_words() -> None:
    assert expand_words(("{posargs:-x 'a b' {session}}",), VALUES) == ("-x", "a b", "web-py39")


def test_posargs_without_arguments_and_default_is_no_word() -> None:
    assert expand_words(("x", "{posargs}", "{posargs:}"), VALUES) == ("x",)


def test_posargs_inside_a_word_are_joined_for_a_shell() -> None:
    assert expand_words(("--args={posargs}",), with_posargs("a b", "c")) == ("--args='a b' c",)
    assert expand_words(("--args={posargs:x y}",), VALUES) == ("--args=x y",)


def test_values_are_never_split_or_expanded_again() -> None:
    values = replace(VALUES, environ={"A": "{session} b"}, axes={"db": "{env:A}"})
    assert expand_words(("{env:A}", "{db}"), values) == ("{session} b", "{env:A}")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{session}:{python}:{django}", "web-py39:3.9:3.2"),
        ("{project}|{envdir}|{tmp}", f"/a project|/a project/{STATE_DIRECTORY}/envs/web-py39|/t"),
        ("{env:HOME}", "/home/me"),
        ("{env:EMPTY:x}", ""),
        ("{env:NOPE:x}", "x"),
        ("{env:NOPE:}", ""),
        ("{env:NOPE:{env:HOME:y}/z}", "/home/me/z"),
        ("{env:NOPE:c:d}", "c:d"),
        ("{{session}}", "{session}"),
        ("{{{session}}}", "{web-py39}"),
        ("{posargs:{{a}}}", "{a}"),
        ("{env:A:{env:B:c}}", "c"),
    ],
)
def test_placeholders_are_expanded(template: str, text: str) -> None:
    assert expand_text(template, VALUES) == text


def test_python_is_the_interpreters_version_where_there_is_no_python_axis() -> None:
    assert expand_text("{python}", replace(VALUES, python="3.13", axes={})) == "3.13"


def test_an_unset_environment_variable_is_named() -> None:
    with pytest.raises(SubstitutionError) as caught:
        expand_words(("a", "b{env:NOPE}"), VALUES)
    assert caught.value.message == "the environment variable NOPE isn't set, and {env:NOPE} needs it"
    assert caught.value.hint == "set it, or give it a default: {env:NOPE:…}"


def test_an_unknown_placeholder_is_refused_when_expanded_too() -> None:
    with pytest.raises(ConfigurationError, match=r"\{nope\} is no placeholder here"):
        expand_text("{nope}", VALUES)


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ("{sessionn}", "{sessionn} is no placeholder here", "did you mean {session}?"),
        ("{djangoo}", "{djangoo} is no placeholder here", "did you mean {django}?"),
        ("{HOME}", "{HOME} is no placeholder here", "{env:HOME}"),
        ("{}", "{} is no placeholder here", "{posargs}, {session}"),
        ("{a,b}", "{a,b} is no placeholder here", "literal braces are written {{ and }}"),
        ("{posargs", "a { without its } in '{posargs'", "write {{"),
        ("{env:A:{env:B}", "a { without its }", "write {{"),
        ("a}", "a } without its { in 'a}'", "write }}"),
        ("{env}", "{env} names no environment variable", "{env:NAME}"),
        ("{env::x}", "{env::x} names no environment variable", "{env:NAME}"),
        ("{tmp:x}", "{tmp} always has a value and takes no default", "write {tmp}"),
        ("{posargs:{nope}}", "{nope} is no placeholder here", "literal braces"),
    ],
)
def test_a_wrong_placeholder_is_refused_with_a_hint(template: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_template(template, ("python", "django"))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo 'a", "has a quote without its partner"),
        ("echo a\\", "has a backslash at its end"),
        ("pytest\nmypy", "holds more than one line"),
        ("echo {posargs", "a { without its }"),
        ("echo '" + "a" * 100, 'a…" has a quote'),
    ],
)
def test_a_command_that_cannot_be_split_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        split_command(text)
    assert message in caught.value.message
    assert caught.value.hint


def test_filling_expands_the_given_names_and_refuses_all_else() -> None:
    assert fill("django=={django}.*", {"django": "3.2"}) == "django==3.2.*"
    assert fill("{{x}} {a}", {"a": "1"}) == "{x} 1"
    with pytest.raises(ConfigurationError, match="isn't known yet where this is read"):
        fill("{posargs}", {"django": "3.2"})
    with pytest.raises(ConfigurationError) as caught:
        fill("{djano}", {"django": "3.2"})
    assert "did you mean {django}?" in (caught.value.hint or "")


@pytest.mark.parametrize("written", ["${TOKEN}", "{env:TOKEN}", "{TOKEN}"])
def test_filling_hints_how_a_variable_is_written_for_the_installer(written: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        fill(f"a @ https://user:{written}@packages.example.com/a.whl", {"session": "a"})
    assert "${{TOKEN}}" in (caught.value.hint or "")
    assert "{env:" not in (caught.value.hint or "")


def test_filling_suggests_no_placeholder_of_commands() -> None:
    with pytest.raises(ConfigurationError) as caught:
        fill("{posarg}", {"session": "a"})
    assert "posargs" not in (caught.value.hint or "")


def test_filling_partly_leaves_a_template_that_expands_to_the_same() -> None:
    partly = fill_partly("{tmp}/{db}/{{x}}", {"db": "a{b}"})
    assert partly == "{tmp}/a{{b}}/{{x}}"
    assert expand_text(partly, VALUES) == "/t/a{b}/{x}"
