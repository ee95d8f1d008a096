"""Lines with their session's name: whole ones, and all of them."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.events import Event, Message
from setlist.reports.stream import LONGEST_LINE, Stream, prefix_width
from setlist.reports.terminal import Terminal
from support.told import Pipe, began, done, ended, ready, run, typed, wrote


def shown(events: list[Event], *, color: bool = False, verbosity: int = 0) -> str:
    stream = Pipe()
    terminal = Terminal(stream, color=color)
    reader = Stream(terminal, terminal, verbosity=verbosity)
    for event in events:
        reader(event)
    reader.close()
    return stream.text


def output(*data: str) -> list[str]:
    """The lines that come of one session's output, without the prefix."""
    text = shown(run("a")(began("a"), *(wrote("a", piece) for piece in data), ended("a"))[:-1])
    lines = text.splitlines()
    assert all(line.startswith("a │") for line in lines)
    return [line.removeprefix("a │").removeprefix(" ") for line in lines]


def test_every_line_tells_whose_it_is() -> None:
    events = run("lint", "test")(
        began("lint"),
        ready("lint"),
        typed("lint", "ruff", "check"),
        wrote("lint", "one\ntw"),
        began("test"),
        ready("test"),
        wrote("test", "mine\n"),
        wrote("lint", "o\n\nlast"),
        done("lint", 1),
        ended("lint", "failed", "ruff: exit code 1"),
        ended("test"),
    )
    assert shown(events) == (
        "lint │ python 3.11.7 · reused\n"
        "lint │   $ ruff check\n"
        "lint │ one\n"
        "test │ python 3.11.7 · reused\n"
        "test │ mine\n"
        "lint │ two\n"
        "lint │\n"
        "lint │ last\n"
        "lint │   ✗ exit code 1\n"
        "lint │ failed  0.4s  ruff: exit code 1\n"
        "test │ ok  0.4s\n"
        "test  ok      0.4s\n"
        "lint  failed  0.4s  ruff: exit code 1\n"
        "1 ok, 1 failed in 3.0s\n"
    )


NAMES = ("a", "bb", "ccc")


@given(st.data())
def test_nothing_is_lost_and_no_line_has_two_sessions(data: st.DataObject) -> None:
    lines = {
        name: data.draw(st.lists(st.text("x漢é\udc80 ", min_size=1, max_size=6).filter(str.strip), max_size=4))
        for name in NAMES
    }
    queues: dict[str, list[Event]] = {}
    for name in NAMES:
        text = "\n".join(lines[name]) + data.draw(st.sampled_from(["", "\n"]))
        text = text if lines[name] else ""
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
        pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        queues[name] = [began(name), *(wrote(name, piece) for piece in pieces), done(name)]
    events = []
    while any(queues.values()):
        events.append(queues[data.draw(st.sampled_from([name for name in NAMES if queues[name]]))].pop(0))
    text = shown(run(*NAMES)(*events))
    got: dict[str, list[str]] = {name: [] for name in NAMES}
    for line in text.split("\n")[:-1]:
        name, _, rest = line.partition("│")
        got[name.strip()].append(rest.removeprefix(" "))
    assert got == lines
    assert text == "" or text.endswith("\n")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (["10%\r20%\r100%\n"], ["100%"]),
        (["10%\r", "20%\r", "100%\r\nnext\n"], ["100%", "next"]),
        (["100%\r\x1b[K\n"], ["100%"]),
        (["\r\n"], [""]),
        (["10%\r", "20%"], ["20%"]),
        (["\x1b[31mred\nstill\x1b[0m\nplain\n"], ["\x1b[31mred\x1b[0m", "\x1b[31mstill\x1b[0m", "plain"]),
        (["\x1b[31m\rred\n"], ["\x1b[31mred\x1b[0m"]),
        (["\x1b[3", "1mred"], ["\x1b[31mred\x1b[0m"]),
        (["\x1b[2J\x1b[1;1Hx\x1b[?25l\n"], ["x"]),
        (["a\x07\x08b\n"], ["ab"]),
        (["x\n\x1b[0m"], ["x"]),
    ],
)
def test_only_colours_pass_and_they_end_with_the_line(data: list[str], lines: list[str]) -> None:
    assert output(*data) == lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (["a\r\n", "b\r", "\nc\r\r\n"], ["a", "b", "c"]),
        (["\n\n\n\na\n\n\nb\n"], ["", "", "", "", "a", "", "", "b"]),
        (["a\rb\r\r\n\rc\n"], ["b", "c"]),
        (["a\r \n"], [" "]),
        (["a \u2502 \n", "\u2502 \n"], ["a \u2502 ", "\u2502 "]),
        (["a\0\0\0b\0\n\x7f\x9b31mc\xa0d\n"], ["ab", "31mc\xa0d"]),
    ],
)
def test_returns_empty_lines_and_controls(data: list[str], lines: list[str]) -> None:
    assert output(*data) == lines


@pytest.mark.parametrize("line", ["some text\n", "text\n\n", "text\r\n", "10%\r20%\r100%\n", "\0text\n"])
@pytest.mark.parametrize("color", [False, True])
def test_lines_without_colours_are_not_handled_one_by_one(line: str, color: bool) -> None:
    stream = Pipe()
    terminal = Terminal(stream, color=color)
    reader = Stream(terminal, terminal)
    first, event, *rest = run("a")(began("a"), wrote("a", line * 10_000))
    reader(first)
    reader(event)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        reader(rest[0])
    finally:
        sys.setprofile(None)
    assert len(stream.text) > 10_000
    assert calls < 1_000


def test_a_line_that_never_ends_is_cut_with_a_mark() -> None:
    first, second, last = output("x" * LONGEST_LINE, "y" * (LONGEST_LINE + 1), "z\n")
    assert first == "x" * LONGEST_LINE + "…"
    assert second == "y" * LONGEST_LINE + "…"
    assert last == "yz"
    colored, rest = output("x" * (LONGEST_LINE - 2) + "\x1b[31mred", "\n")
    assert colored + rest == "x" * (LONGEST_LINE - 2) + "…" + "\x1b[31mred\x1b[0m"


def test_a_progress_bar_that_never_ends_takes_no_memory() -> None:
    step = "=" * 1000 + "\r"
    assert output(*[step] * (3 * LONGEST_LINE // 1000), "done\n") == ["done"]


def test_streams_that_are_two_stay_apart() -> None:
    out, err = Pipe(), Pipe()
    reader = Stream(Terminal(out), Terminal(err))
    for event in run("a")(began("a"), wrote("a", "half"), wrote("a", "bad\n", "stderr"), wrote("a", "\n"), ended("a")):
        reader(event)
    assert out.text == "a │ half\n"
    assert err.text == "a │ bad\na  ok  0.4s\n"


def test_names_have_colours_of_their_own() -> None:
    text = shown(run("a", "b")(wrote("a", "x\n"), wrote("b", "y\n")), color=True)
    first, second = re.findall(r"^(\x1b\[\d+m)[ab]", text, re.MULTILINE)
    assert first != second


def test_words_about_no_session_have_no_name() -> None:
    message = Message(time=0, session=None, level="warning", text="careful")
    assert shown(run("a")(began("a"), message)) == "warning: careful\n"


def test_a_message_of_a_session_stands_in_its_lines() -> None:
    message = Message(time=0, session="a", level="error", text="no\nhint: do")
    assert shown(run("a")(began("a"), wrote("a", "half"), message)) == "a │ half\na │   error: no\na │   hint: do\n"


def test_quiet_shows_output_and_what_failed() -> None:
    events = run("a", "b")(
        began("a"), ready("a"), wrote("a", "x\n"), ended("a"), typed("b"), done("b", 1), ended("b", "failed", "tool")
    )
    assert shown(events, verbosity=-1) == (
        "a │ x\nb │   $ tool\nb │   ✗ exit code 1\nb │ failed  0.4s  tool\nb  failed  0.4s  tool\n"
    )


def test_a_stream_that_cant_write_our_line_gets_a_plainer_one() -> None:
    stream = Pipe(encoding="ascii")
    reader = Stream(Terminal(stream), Terminal(stream))
    for event in run("a")(ready("a"), wrote("a", "é\n")):
        reader(event)
    assert stream.written == "a | python 3.11.7 - reused\na | é\n".encode()


def test_the_prefix_is_as_wide_as_it_is_said_to_be() -> None:
    names = ("a", "longer", "x" * 60)
    for name in names:
        text = shown(run(*names)(wrote(name, "!\n")))
        assert text.index("!") == prefix_width(name, names)
