"""Colour where it is wanted, characters the stream can write, nothing raised."""

from __future__ import annotations

import io

import pytest

from setlist.reports.terminal import Terminal, is_terminal, printable, wants_color


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "terminal", "color"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
        ({"TERM": "xterm"}, True, True),
    ],
)
def test_colour_follows_the_terminal_and_the_variables(environ: dict[str, str], terminal: bool, color: bool) -> None:
    stream = Tty() if terminal else io.StringIO()
    assert wants_color(stream, environ) is color


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("utf-8", "3.11.6 → 3.11.7 · …", "3.11.6 → 3.11.7 · …"),
        ("ascii", "3.11.6 → 3.11.7 · …", "3.11.6 -> 3.11.7 - ..."),
        ("cp1252", "✗ café → x", "x café -> x"),
        ("ascii", "café", "caf\\xe9"),
        ("no-such-encoding", "é", "\\xe9"),
        (None, "→", "→"),
        ("utf-8", "lone \udce9 surrogate", "lone \\udce9 surrogate"),
    ],
)
def test_what_a_stream_cannot_write_is_replaced(encoding: str | None, text: str, expected: str) -> None:
    assert printable(text, encoding) == expected


def test_an_ascii_stream_gets_plainer_characters() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    Terminal(stream).line("a → b")
    assert raw.getvalue() == b"a -> b\n"


def test_styles_are_left_out_without_colour() -> None:
    assert Terminal(io.StringIO()).styled("x", "red") == "x"
    assert Terminal(io.StringIO(), color=True).styled("x", "red", "bold") == "\x1b[31m\x1b[1mx\x1b[0m"
    assert Terminal(io.StringIO(), color=True).styled("", "red") == ""


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_lossy_terminal_outlives_its_reader() -> None:
    Terminal(Broken(), lossy=True).line("dropped")


def test_results_tell_that_nobody_reads_them() -> None:
    with pytest.raises(BrokenPipeError):
        Terminal(Broken()).line("kept")


def test_no_stream_at_all_is_written_to_nowhere() -> None:
    Terminal.of(None, {"FORCE_COLOR": "1"}).line("pythonw has no stderr")


def test_forced_colour_needs_no_terminal() -> None:
    assert Terminal.of(io.StringIO(), {"FORCE_COLOR": "1"}).color
    assert not Terminal.of(io.StringIO(), {}).interactive
