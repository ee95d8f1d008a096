"""Secrets are masked, however they are split, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax import saxutils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.events import (
    CommandStarted,
    EnvironmentReady,
    Event,
    Message,
    Output,
    RunStarted,
    SessionFinished,
)
from setlist.core.model import Change, Command, Origin, SessionSpec
from setlist.runner.secrets import Masker, masker_of, secret_values, unmasked_names

LETTERS = st.text("abc", max_size=60)
VALUES = st.lists(st.text("abc", min_size=1, max_size=6), max_size=5)


def covered(text: str, values: list[str]) -> list[bool]:
    """Which characters belong to a value: the plainest way to find out."""
    found = [False] * len(text)
    for value in values:
        for begin in range(len(text) - len(value) + 1):
            if text.startswith(value, begin):
                found[begin : begin + len(value)] = [True] * len(value)
    return found


def in_pieces(masker: Masker, data: bytes, cuts: list[int]) -> bytes:
    stream = masker.stream()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return b"".join(stream.feed(data[a:b]) for a, b in pairwise(places)) + stream.flush()


@given(LETTERS, VALUES)
def test_what_no_secret_covers_stays_and_nothing_else(text: str, values: list[str]) -> None:
    kept = "".join(letter for letter, hidden in zip(text, covered(text, values), strict=True) if not hidden)
    assert Masker(values).text(text).replace("***", "") == kept


@given(LETTERS, VALUES)
def test_no_secret_is_left(text: str, values: list[str]) -> None:
    assert not any(value in Masker(values).text(text) for value in values)


@given(LETTERS, VALUES, st.lists(st.integers(0, 60), max_size=20))
def test_however_the_text_is_split_the_whole_is_the_same(text: str, values: list[str], cuts: list[int]) -> None:
    masker = Masker(values)
    assert in_pieces(masker, text.encode(), cuts).decode() == masker.text(text)


@given(LETTERS, VALUES)
def test_only_what_may_become_a_secret_is_held_back(text: str, values: list[str]) -> None:
    masker = Masker(values)
    stream = masker.stream()
    seen, shown = "", b""
    for letter in text:
        seen += letter
        shown += stream.feed(letter.encode())
        ends = [end for end in range(len(seen)) if any(v.startswith(seen[end:]) and v != seen[end:] for v in values)]
        held = len(seen) - min(ends, default=len(seen))
        assert held < max(map(len, values), default=1)
        # all that is before it is out
        hidden = covered(seen, values)[: len(seen) - held]
        kept = "".join(letter for letter, hide in zip(seen, hidden, strict=False) if not hide)
        assert shown.decode().replace("***", "") == kept


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=10))
def test_bytes_that_are_no_text_pass_unchanged(data: bytes, cuts: list[int]) -> None:
    assert in_pieces(Masker(["never-in-there"]), data, cuts) == data


def test_overlapping_secrets_become_one_mask() -> None:
    masker = Masker(["swordfish", "fishbone"])
    assert masker.text("<swordfishbone>") == "<***>"
    assert masker.text("swordfish fishbone") == "*** ***"
    assert Masker(["abab"]).text("xababab!") == "x***!"


def test_the_mask_of_a_secret_that_may_go_on_is_shown_once() -> None:
    stream = Masker(["swordfish", "fishbone"]).stream()
    assert stream.feed(b"<swordfish") == b"<***"
    assert stream.feed(b"bon") == b""
    assert stream.feed(b"e>") == b">"


def test_without_values_bytes_pass_as_they_are() -> None:
    data = b"anything"
    assert Masker().stream().feed(data) is data


def test_a_value_added_while_a_stream_is_under_way_counts_from_then_on() -> None:
    masker = Masker()
    stream = masker.stream()
    assert stream.feed(b"swordfish ") == b"swordfish "
    masker.add(["swordfish"])
    assert stream.feed(b"swordfish sword") == b"*** "
    assert stream.flush() == b"sword"


def test_values_that_are_no_utf8_are_masked_as_bytes() -> None:
    value = b"caf\xe9-key".decode("utf-8", "surrogateescape")
    assert in_pieces(Masker([value]), b"a caf\xe9-key b", [5]) == b"a *** b"
    assert Masker(["swordfish"]).text("\ud800 swordfish") == "\ud800 ***"


def test_which_variables_are_secret() -> None:
    environ = {"TOKEN": "token-value", "DB_PASSWORD": "pass-value", "token": "small-value", "EMPTY_PASSWORD": ""}
    masker = Masker(secret_values(environ, ("TOKEN", "*_PASSWORD"), windows=False))
    assert masker.text("token-value pass-value small-value") == "*** *** small-value"
    assert Masker(secret_values({"Token": "small-value"}, ("TOKEN",), windows=True)).text("small-value") == "***"
    assert secret_values(environ, ()) == ()


def test_values_too_short_to_be_masked_are_named() -> None:
    environ = {"PIN": "123", "OTHER_PIN": "1234", "EMPTY_PIN": ""}
    assert unmasked_names(environ, ("*PIN",)) == ("PIN",)
    assert Masker(secret_values(environ, ("*PIN",))).text("123 1234") == "123 ***"


VALUE = 'p/äss w"ö\\rd+é?~'


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        json.dumps(VALUE),
        json.dumps(VALUE, ensure_ascii=False),
        repr({"TOKEN": VALUE}),
        base64.b64encode(VALUE.encode()).decode(),
    ],
)
def test_a_value_is_masked_in_the_forms_it_travels_in(form: str) -> None:
    masked = Masker(secret_values({"TOKEN": VALUE}, ("TOKEN",))).text(form)
    assert masked.strip("\"'{}=TOKEN: ").startswith("***")
    assert len(masked.replace("***", "").strip("\"'{}=TOKEN: ")) <= 1


@pytest.mark.parametrize("user", ["", "u", "me", "bob"])
def test_a_value_inside_basic_authorisation_is_masked(user: str) -> None:
    values = secret_values({"TOKEN": "correct-horse"}, ("TOKEN",))
    header = base64.b64encode(f"{user}:correct-horse:".encode()).decode()
    masked = Masker(values).text(header)
    assert "***" in masked
    # what is left: the user and two colons, and the characters they share with the value
    assert len(masked.rstrip("=").replace("***", "")) <= (len(user) + 2) * 8 // 6 + 2


def test_each_line_of_a_value_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nab\n-----END KEY-----\n"
    masker = Masker(secret_values({"KEY": key}, ("KEY",)))
    assert masker.text(f"<{key}>") == "<***>"
    assert masker.text("    MIIEowIBAAKCAQEA  # ab") == "    ***  # ab"


def test_the_texts_of_events_are_masked() -> None:
    mask = Masker(["swordfish"]).event
    assert mask(Message(time=1.0, session=None, level="info", text="a swordfish")) == Message(
        time=1.0, session=None, level="info", text="a ***"
    )
    command = CommandStarted(time=1.0, session="a", command=("login", "--key=swordfish"))
    assert mask(command) == CommandStarted(time=1.0, session="a", command=("login", "--key=***"))
    assert mask(Output(time=1.0, session="a", stream="stdout", data="swordfish\udce9")) == Output(
        time=1.0, session="a", stream="stdout", data="***\udce9"
    )
    ready = EnvironmentReady(
        time=1.0,
        session="a",
        interpreter="python 3.12.1",
        action="synced",
        reasons=("index-url: https://me:swordfish@host",),
        changes=(Change("a", None, "1 (swordfish)"), Change("b", "1", None)),
        duration=0.5,
    )
    masked = mask(ready)
    assert isinstance(masked, EnvironmentReady)
    assert masked.reasons == ("index-url: https://me:***@host",)
    assert masked.changes == (Change("a", None, "1 (***)"), Change("b", "1", None))


def test_names_of_sessions_and_setlists_own_words_stay() -> None:
    mask = Masker(["test", "failed", "info"]).event
    events: tuple[Event, ...] = (
        RunStarted(time=1.0, run="test", sessions=("test-a", "test-b"), argv=()),
        Message(time=1.0, session="test-a", level="info", text="x"),
        SessionFinished(
            time=1.0, session="test-a", status="failed", reason=None, exit_code=1, duration=1.0, frozen="test-a.txt"
        ),
    )
    for event in events:
        assert mask(event) is event


@pytest.mark.parametrize(
    "form",
    [
        shlex.quote("it's a <secret> & more"),
        "'it'\\''s a <secret> & more'",
        html.escape("it's a <secret> & more"),
        saxutils.escape("it's a <secret> & more"),
        str([b"it's a <secret> & more", 'a "']),
    ],
)
def test_a_value_with_quotes_and_markup_is_masked(form: str) -> None:
    masked = Masker(secret_values({"TOKEN": "it's a <secret> & more"}, ("TOKEN",))).text(form)
    assert "secret" not in masked
    assert "***" in masked


def a_session(**keys: Any) -> SessionSpec:
    return SessionSpec(name="a", family="a", origin=Origin("pyproject.toml"), secrets=("TOKEN",), **keys)


def test_a_secret_behind_a_template_is_the_expanded_value() -> None:
    masker, _ = masker_of([a_session(env=(("A", "{env:OUTER}"), ("TOKEN", "{env:A}-2")))], {"OUTER": "hunter2"}, Path())
    assert masker is not None
    assert masker.text("hunter2-2 {env:OUTER}") == "*** {env:OUTER}"


def test_a_secret_of_a_commands_own_env_is_masked() -> None:
    command = Command(words=("tool",), env=(("TOKEN", "{env:OUTER}"),))
    masker, unmasked = masker_of([a_session(commands=(command,))], {"OUTER": "hunter2"}, Path())
    assert masker is not None
    assert masker.text("hunter2") == "***"
    assert unmasked == ()


def test_a_secret_behind_a_template_that_is_too_short_is_named() -> None:
    assert masker_of([a_session(env=(("TOKEN", "{env:OUTER}"),))], {"OUTER": "abc"}, Path()) == (None, ("TOKEN",))


def test_without_what_a_template_needs_the_callers_value_is_masked() -> None:
    masker, _ = masker_of([a_session(env=(("TOKEN", "{env:OUTER}"),))], {"TOKEN": "outer-token"}, Path())
    assert masker is not None
    assert masker.text("outer-token") == "***"
