"""Colour where it is wanted, characters the stream can write, nothing raised."""

from __future__ import annotations

import io
import json

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


def test_words_for_a_closed_stream_are_dropped_and_results_are_not() -> None:
    Terminal.of(None, {"FORCE_COLOR": "1"}, lossy=True).line("pythonw has no stderr")
    closed = Terminal.of(None, {})
    with pytest.raises(OSError, match="Bad file descriptor"):
        closed.line("a result")


def test_what_a_command_wrote_is_dropped_where_nobody_reads_it_and_that_is_known() -> None:
    broken = Terminal(Broken(), lossy=True)
    broken.line("words of ours")
    assert broken.lost is None
    broken.pass_on("what a command wrote")
    assert isinstance(broken.lost, BrokenPipeError)


def test_what_a_command_wrote_to_a_stream_that_was_closed_from_the_beginning_is_not_missed() -> None:
    closed = Terminal.of(None, {})
    closed.pass_on("what a command wrote")
    assert closed.lost is None


UNSAFE = [
    "\x00",
    "\x07",
    "\x08",
    "\x0b",
    "\r",
    "\x1b[31m",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x7f",
    "\x85",
    "\x9b31m",
    "\u2028",
    "\u2029",
    "\u202a",
    "\u202e",
    "\u2066",
    "\u2069",
]


@pytest.mark.parametrize("unsafe", UNSAFE, ids=ascii)
def test_control_characters_are_shown_and_not_obeyed(unsafe: str) -> None:
    stream = io.StringIO()
    Terminal(stream).line(f"a{unsafe}b")
    shown = stream.getvalue()
    assert unsafe[0] not in shown
    assert json.loads(f'"{shown.strip()}"') == f"a{unsafe}b"


@pytest.mark.parametrize("unsafe", UNSAFE, ids=ascii)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_json_stays_the_same_json(unsafe: str, ensure_ascii: bool) -> None:
    stream = io.StringIO()
    data = {"a": f"1{unsafe}2", "b": "::error::x ##vso[y]", "c": ["\\u0041", "é", "\U0001f600"]}
    Terminal(stream).lines(json.dumps(data, ensure_ascii=ensure_ascii, indent=2))
    assert json.loads(stream.getvalue()) == data


@pytest.mark.parametrize(
    "command",
    [
        "::error::x",
        "  ::add-mask::x",
        "\t::set-output name=a::b",
        "::stop-commands::x",
        "##[error]x",
        "##vso[task.setvariable variable=a]b",
        "a ##vso[task.complete]",
        "##teamcity[buildProblem description='x']",
    ],
)
def test_words_of_ours_are_no_command_to_a_ci_system(command: str) -> None:
    stream = io.StringIO()
    Terminal(stream).lines(f"first\n{command}")
    lines = stream.getvalue().splitlines()
    assert not any(line.strip().startswith("::") or "##" in line for line in lines)
    assert json.loads('"' + lines[1].replace("\t", "\\t") + '"') == command


@pytest.mark.parametrize("harmless", ["tests/a.py::test_b", "::1", "a :: b", "#1 ## 2", "a\tb", "é – →", "\U0001f600"])
def test_what_is_harmless_stays(harmless: str) -> None:
    stream = io.StringIO()
    Terminal(stream).line(harmless)
    assert stream.getvalue() == f"{harmless}\n"


def test_only_colours_pass_where_there_is_colour() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, color=True)
    terminal.line(terminal.styled("red", "red") + " \x1b[1mbold\x1b[0m \x1b[2J" + terminal.styled("\x1b[31mx", "bold"))
    assert stream.getvalue() == ("\x1b[31mred\x1b[0m \x1b[1mbold\x1b[0m \\u001b[2J\x1b[1m\\u001b[31mx\x1b[0m\n")


def test_a_line_is_one_line() -> None:
    stream = io.StringIO()
    Terminal(stream).line("a key\nerror: of two lines")
    assert stream.getvalue() == "a key\\nerror: of two lines\n"


def test_what_a_command_wrote_passes_unchanged() -> None:
    stream = io.StringIO()
    Terminal(stream).pass_on("::error::x\r\x1b[2J\n")
    assert stream.getvalue() == "::error::x\r\x1b[2J\n"


def test_forced_colour_needs_no_terminal() -> None:
    assert Terminal.of(io.StringIO(), {"FORCE_COLOR": "1"}).color
    assert not Terminal.of(io.StringIO(), {}).interactive
