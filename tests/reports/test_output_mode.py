"""How a run is shown, and what children are told of our terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from setlist.core.errors import UsageError
from setlist.core.model import OutputMode
from setlist.reports.output_mode import child_environ, choose_mode, reader_for
from setlist.reports.terminal import Terminal, same_file
from support.told import Pipe, Tty


@pytest.fixture(autouse=True)
def a_terminal_of_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tty, "fileno", lambda self: 2)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((100, 30)))


def terminal(person: bool, *, color: bool | None = None) -> Terminal:
    return Terminal(Tty() if person else Pipe(), color=person if color is None else color)


@pytest.mark.parametrize(
    ("requested", "jobs", "out", "err", "environ", "must_capture", "mode"),
    [
        (None, 1, True, True, {}, False, "direct"),
        (None, 1, False, False, {}, False, "direct"),
        (None, 1, True, True, {}, True, "group"),
        (None, 4, True, True, {}, False, "board"),
        (None, 4, False, True, {}, False, "group"),
        (None, 4, True, False, {}, False, "group"),
        (None, 4, True, True, {"TERM": "dumb"}, False, "group"),
        ("direct", 1, True, True, {}, True, "direct"),
        ("board", 1, True, True, {}, False, "board"),
        ("board", 4, False, True, {}, False, "board"),
        ("board", 4, True, False, {}, False, "group"),
        ("board", 4, True, True, {"TERM": "dumb"}, False, "group"),
        ("stream", 1, True, True, {}, False, "stream"),
        ("group", 4, True, True, {}, False, "group"),
        ("ordered", 4, True, True, {}, False, "ordered"),
        ("ordered", 1, False, False, {}, False, "ordered"),
    ],
)
def test_how_a_run_is_shown(
    requested: str | None,
    jobs: int,
    out: bool,
    err: bool,
    environ: dict[str, str],
    must_capture: bool,
    mode: OutputMode,
) -> None:
    assert choose_mode(requested, jobs, terminal(out), terminal(err), environ, must_capture=must_capture) == mode


def test_direct_is_for_one_at_a_time() -> None:
    with pytest.raises(UsageError, match="one session at a time") as caught:
        choose_mode("direct", 4, terminal(True), terminal(True), {})
    assert "-j 1" in (caught.value.hint or "")


def test_an_unknown_way_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no 'boards'") as caught:
        choose_mode("boards", 1, terminal(True), terminal(True), {})
    assert caught.value.hint == "did you mean 'board'?"


@pytest.mark.parametrize("mode", ["direct", "board", "stream", "group", "ordered"])
def test_each_way_has_a_reader(mode: OutputMode) -> None:
    reader = reader_for(mode, terminal(True), terminal(True), {})
    reader.close()
    reader.close()


def test_children_are_told_to_use_colours_where_we_do() -> None:
    told = child_environ("board", terminal(True), terminal(True), {"PY_COLORS": "0"})
    assert told["FORCE_COLOR"] == told["CLICOLOR_FORCE"] == "1"
    assert "PY_COLORS" not in told
    assert told["TTY_INTERACTIVE"] == "0"


@pytest.mark.parametrize(
    ("mode", "out", "environ"),
    [("direct", True, {}), ("board", True, {"NO_COLOR": "1"}), ("group", False, {})],
)
def test_and_not_elsewhere(mode: OutputMode, out: bool, environ: dict[str, str]) -> None:
    assert "FORCE_COLOR" not in child_environ(mode, terminal(out), terminal(True), environ)


def test_children_are_told_how_wide_the_terminal_is() -> None:
    ours = terminal(True), terminal(True)
    assert child_environ("direct", *ours, {}) == {}
    assert child_environ("board", *ours, {})["COLUMNS"] == "100"
    assert child_environ("board", *ours, {})["LINES"] == "30"
    assert child_environ("board", *ours, {"COLUMNS": "60"})["COLUMNS"] == "60"
    narrow = child_environ("stream", *ours, {}, session="test", sessions=("test", "longer"))
    assert narrow["COLUMNS"] == str(100 - len("longer │ "))
    assert "COLUMNS" not in child_environ("group", terminal(False), terminal(False), {})
    assert child_environ("stream", *ours, {"COLUMNS": "x" * 9}, session="a")["COLUMNS"] == "96"


PROGRAM = """
import os, sys
from setlist.reports.terminal import Terminal, same_file
print(same_file(Terminal(sys.stdout), Terminal(sys.stderr)))
"""


def test_whether_two_streams_are_one_is_asked_of_the_system() -> None:
    together = subprocess.run(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    apart = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (together.stdout.strip(), apart.stdout.strip()) == ("True", "False")
    one = Terminal(Pipe())
    assert same_file(one, Terminal(one.stream))
