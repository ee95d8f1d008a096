"""The live board: what stands there, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator

import pytest

from setlist.core.events import Event, Message
from setlist.reports.board import Activity, Board, Progress, rows
from setlist.reports.terminal import Terminal
from support.told import Tty, began, done, ended, ready, run, running, typed, wrote


def board(progress: Progress, width: int = 80, height: int = 20, now: float = 100.0) -> list[str]:
    lines = [line.plain for line in rows(progress, now, width, height)]
    assert all(line.cell_len <= width for line in rows(progress, now, width, height))
    assert len(lines) <= height
    return lines


def active(*activities: Activity, sessions: tuple[str, ...] = (), **other: object) -> Progress:
    names = sessions or tuple(activity.session for activity in activities)
    return Progress(
        sessions=names,
        active={activity.session: activity for activity in activities},
        **other,  # type: ignore[arg-type]
    )


def test_a_line_a_session_and_one_for_the_run() -> None:
    progress = active(
        Activity("lint", "preparing", 99.0),
        Activity("test-py311", "running", 90.0, 25.0, tail="one\n\x1b[32mtwo\x1b[0m\n\n"),
        Activity("docs", "ready", 97.0),
        sessions=("lint", "test-py311", "docs", "types", "bad"),
        ended={"bad": "failed"},
        durations={"test-py311": 25.0, "lint": 3.0, "docs": 5.0},
        jobs=2,
        began=30.0,
    )
    assert board(progress) == [
        "test-py311  running       10s     ~15s  two",
        "lint        preparing      1s",
        "docs        ready          3s",
        "1/5 done · 1 failed · 1 running · 3 waiting · 1m 10s · ~15s left",
    ]


def test_what_the_installer_does_is_in_the_line_of_its_session() -> None:
    progress = active(
        Activity("docs", "preparing", 40.0, doing="downloading 1.3 GB: torch, a-package-with-a-long-name")
    )
    assert board(progress, 60)[0] == "docs  preparing  1m 00s  downloading 1.3 GB: torch, a-packa…"


@pytest.mark.parametrize("width", [1, 5, 12, 20, 40, 79, 200])
def test_it_never_is_wider_than_the_terminal(width: int) -> None:
    progress = active(
        *(Activity("名前" * n or "x", "running", 0.0, 500.0, tail="漢字" * 200) for n in range(6)), began=0.0
    )
    assert board(progress, width)


def test_forty_columns_stay_readable() -> None:
    progress = active(
        *(Activity(f"test-py3{n}-django4", "running", 95.0, 10.0, tail="…") for n in range(3)),
        sessions=tuple(f"test-py3{n}-django4" for n in range(12)),
        durations={"test-py30-django4": 10.0},
    )
    assert board(progress, 39) == [
        "test-py30-dj…  running        5s",
        "test-py31-dj…  running        5s",
        "test-py32-dj…  running        5s",
        "0/12 done · 3 running · 1m 40s",
    ]


def test_what_doesnt_fit_is_counted() -> None:
    progress = active(*(Activity(f"s{n}", "running", 0.0) for n in range(20)))
    lines = board(progress, height=6)
    assert [line.split()[0] for line in lines[:4]] == ["s0", "s1", "s2", "s3"]
    assert lines[4:5] == ["  and 16 more"]
    assert board(progress, height=2) == ["  and 20 more", "0/20 done · 20 running · 1m 40s"]


def test_the_rest_is_guessed_from_what_sessions_took() -> None:
    names = ("a", "b", "c", "d")
    progress = Progress(jobs=2, sessions=names, durations={"a": 10.0, "b": 4.0, "c": 6.0})
    assert progress.expected_rest(0.0) == pytest.approx((10 + 4 + 6 + 6) / 2)
    progress.active["a"] = Activity("a", "running", 0.0)
    progress.ended.update(b="ok", c="ok")
    assert progress.expected_rest(3.0) == pytest.approx(7.0)
    assert Progress(sessions=names).expected_rest(0.0) is None


def test_the_last_line_is_the_last_that_says_something() -> None:
    activity = Activity("a", "running", 0.0)
    for text in ("first\n", "10%\r", "\x1b[3", "1m 20%\r", "\n  \n"):
        activity.add_output(text)
    assert activity.last_line == "20%"
    activity.add_output("x" * 10_000_000)
    assert len(activity.tail) < 10_000


class Screen:
    """What a terminal shows of what is written to it: as much of one as the board may use."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if piece == "\n":
                self.row += 1
                self.column = 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif piece == "\r":
                self.column = 0
            elif piece.endswith("A"):
                self.row = max(0, self.row - int(piece[2:-1]))
            elif piece.endswith("K"):
                # at the beginning of a line it empties it, at the end there is nothing behind
                self.lines[self.row] = self.lines[self.row] if self.column else ""
            elif piece.endswith("m"):
                pass
            elif piece.startswith("\x1b"):
                raise AssertionError(f"not expected of us: {piece!r}")
            else:
                assert len(piece) < self.width
                self.lines[self.row] = piece
                self.column = len(piece)


class Watched(Tty):
    def __init__(self) -> None:
        super().__init__()
        self.size = os.terminal_size((80, 24))
        self.boards: list[Board] = []

    def fileno(self) -> int:
        return 2


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    made = Watched()
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: made.size)
    yield made
    for board in made.boards:
        board.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "board"]


def play(stream: Watched, *events: Event, color: bool = False, verbosity: int = 0, drawn: bool = True) -> Board:
    """Feed events, drawing after each of them; the board is left as it is then."""
    terminal = Terminal(stream, color=color)
    board = Board(terminal, terminal, verbosity=verbosity, clock=lambda: 0.0, tick=100.0)
    stream.boards.append(board)
    for event in events:
        board(event)
        if drawn:
            with board._lock:
                board._draw()
    return board


def screen(stream: Watched) -> list[str]:
    seen = Screen(stream.size.columns)
    seen.feed(stream.text)
    while seen.lines[-2:] == ["", ""]:
        del seen.lines[-1]
    return seen.lines


def test_blocks_pile_up_above_it_in_the_order_of_finishing(stream: Watched) -> None:
    events = run("a", "b", "c")(
        began("a"),
        began("b"),
        ready("a"),
        running("a"),
        ready("b"),
        running("b"),
        typed("b", "pytest"),
        wrote("b", "of b"),
        wrote("a", "of a\n"),
        ended("b"),
    )[:-1]
    board = play(stream, *events)
    assert screen(stream) == [
        "b  python 3.11.7 · reused",
        "  $ pytest",
        "of b",
        "b  ok  0.4s",
        "a  running        0s  of a",
        "1/3 done · 1 running · 1 waiting · 0s",
        "",
    ]
    for event in (ended("a", "failed", "x"), ended("c", "skipped", "requires a, which failed"), run("a")()[-1]):
        board(event)
    assert screen(stream)[4:] == [
        "a  python 3.11.7 · reused",
        "of a",
        "a  failed  0.4s  x",
        "b  ok       0.4s",
        "c  skipped  requires a, which failed",
        "a  failed   0.4s  x",
        "1 ok, 1 failed, 1 skipped in 3.0s",
        "",
    ]


def test_it_is_taken_back_whatever_ends_the_run(stream: Watched) -> None:
    board = play(stream, *run("a", "b")(began("a"), running("a"), wrote("a", "\x1b[31mso far"), began("b"))[:-1])
    assert len(screen(stream)) > 2
    board.close()
    board.close()
    assert screen(stream) == ["so far", ""]
    assert stream.text.endswith("so far\x1b[0m\n")
    assert "\x1b[?25l" not in stream.text


def test_nothing_is_drawn_any_more_once_it_is_closed(stream: Watched) -> None:
    board = play(stream, *run("a")(began("a"))[:-1])
    board.close()
    before = stream.text
    board._draw()
    assert stream.text == before


def test_a_session_that_isnt_captured_has_the_terminal_for_itself(stream: Watched) -> None:
    events = run("a", "b", "c")(began("a"), began("c"), began("b", captured=False), ready("b"), typed("b", "python"))
    board = play(stream, *events[:-1])
    assert screen(stream) == ["b  python 3.11.7 · reused", "  $ python", ""]
    board(Message(time=0, session="c", level="error", text="broken"))
    board(ended("c", "failed", "broken"))
    assert screen(stream) == ["b  python 3.11.7 · reused", "  $ python", ""]
    board(ended("b"))
    assert screen(stream)[2:7] == [
        "b  ok  0.4s",
        "c",
        "  error: broken",
        "c  failed  0.4s  broken",
        "a  preparing      0s",
    ]


@pytest.mark.parametrize(("code", "counted"), [(1, "1/2 done · 1 failed"), (0, "1/2 done · 1 running")])
def test_a_failure_that_is_allowed_is_not_counted_as_one(stream: Watched, code: int, counted: str) -> None:
    over = (began("a"), ready("a"), running("a"), ended("a", "failed", "x", exit_code=code))
    play(stream, *run("a", "b")(*over, began("b"), running("b"))[:-1])
    assert any(line.startswith(counted) for line in screen(stream))


def test_words_about_no_session_stand_above_it(stream: Watched) -> None:
    message = Message(time=0, session=None, level="warning", text="careful")
    play(stream, *run("a")(began("a"))[:-1], message)
    assert screen(stream)[0] == "warning: careful"
    assert len(screen(stream)) == 4


def test_a_narrower_terminal_is_cleared_of_the_wider_lines(stream: Watched) -> None:
    board = play(stream, *run("a")(began("a"), running("a"), wrote("a", "x" * 200))[:-1])
    before = len(stream.text)
    stream.size = os.terminal_size((40, 24))
    board._draw()
    # 79 columns take two lines of 40, and the last one fits
    assert stream.text[before:].startswith("\r\x1b[3A" + 3 * "\x1b[K\n" + "\r\x1b[3A")
    assert "\x1b[J" not in stream.text


def test_nothing_is_written_while_nothing_changes(stream: Watched) -> None:
    board = play(stream, *run("a")(began("a"))[:-1])
    before = stream.text
    board._draw()
    assert stream.text == before


def test_it_follows_the_clock_by_itself(stream: Watched) -> None:
    terminal = Terminal(stream)
    board = Board(terminal, terminal, tick=0.01)
    stream.boards.append(board)
    seen = threading.Event()
    write = stream.write

    def noticing(text: str) -> int:
        if "preparing" in text:
            seen.set()
        return write(text)

    stream.write = noticing  # type: ignore[method-assign]
    for event in run("a")(began("a"))[:-1]:
        board(event)
    assert seen.wait(10)


@pytest.mark.parametrize("color", [True, False])
def test_colours_only_where_they_are_wanted(stream: Watched, color: bool) -> None:
    play(stream, *run("a")(began("a"))[:-1], color=color)
    assert ("\x1b[1ma\x1b[0m" in stream.text) is color
    assert (re.search(r"\x1b\[[0-9;]*m", stream.text) is not None) is color


def test_quiet_keeps_the_blocks_of_those_that_passed_to_itself(stream: Watched) -> None:
    board = play(
        stream,
        *run("a", "b")(
            wrote("a", "fine\n"), ended("a"), wrote("b", "bad\n"), done("b", 1), ended("b", "failed", "tool")
        ),
        verbosity=-1,
        drawn=False,
    )
    board.close()
    assert screen(stream) == ["bad", "  ✗ exit code 1", "b  failed  0.4s  tool", "b  failed  0.4s  tool", ""]


def test_rich_is_loaded_where_there_is_a_board_only() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from setlist.reports import board, group, logs, output_mode, stream;"
        "print('rich' in sys.modules, 'tempfile' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert printed.split() == ["False", "False"]
