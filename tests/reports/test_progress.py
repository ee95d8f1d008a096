"""What is said while nothing else is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from setlist.core.events import Event
from setlist.core.records import replace
from setlist.reports.console import Console
from setlist.reports.progress import Heartbeat, show_progress, status_line, step_text
from setlist.reports.terminal import Terminal
from support.told import Pipe, Tty, began, ended, installing, ready, running, typed, wrote

LONG = tuple(f"a-package-with-quite-a-long-name-{number}" for number in range(5))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (installing("a"), "resolving"),
        (installing("a", "preparing", count=18), "preparing 18 packages"),
        (installing("a", "preparing", count=1), "preparing 1 package"),
        (installing("a", "downloading", packages=("torch",), size=1_300_000_000, count=9), "downloading 1.3 GB: torch"),
        (installing("a", "building", packages=("one", "two"), count=9), "building one, two"),
        (installing("a", "downloading", packages=("a", "b", "c", "d", "e")), "downloading a, b, c and 2 more"),
        (installing("a", "done"), ""),
    ],
)
def test_a_step_is_told_in_a_few_words(event: Event, text: str) -> None:
    assert step_text(event) == text  # type: ignore[arg-type]


def test_the_time_and_the_size_stay_when_the_line_is_cut() -> None:
    text = step_text(installing("a", "downloading", packages=LONG, size=8_000_000))
    for width in range(30, 200):
        line = status_line("notebooks", text, 75.0, width, Terminal(Pipe()))
        assert len(line) <= width
        assert line.startswith("notebooks  download")
        assert line.endswith(" · 1m 15s")
        assert width < 50 or " 8.0 MB: a-pack" in line
    assert len(status_line("notebooks", text, 75.0, 7, Terminal(Pipe()))) == 7


def test_a_terminal_without_the_characters_gets_others() -> None:
    line = status_line("a", "downloading " + "x" * 90, 3.0, 40, Terminal(Pipe(encoding="ascii")))
    assert line == f"a  downloading {'x' * 17}... - 3s"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def beating(
    *events: Event, seconds: float = 0.0, several: bool = True, clock: Clock | None = None, **options: bool
) -> tuple[Heartbeat, list[str], Callable[[float], None]]:
    """A heartbeat that has read events, what it says, and a function that lets time pass."""
    clock = clock or Clock()
    said: list[str] = []
    # its own thread sees the same clock, and is to say nothing twice
    heartbeat = Heartbeat(said.append, threading.RLock(), several=several, clock=clock, **options)
    heartbeat.close()
    for event in events:
        heartbeat(event)

    def later(seconds: float) -> None:
        for _ in range(int(seconds)):
            clock.now += 1
            heartbeat.beat()

    later(seconds)
    return heartbeat, said, later


def test_every_ten_seconds_all_that_still_run_are_named() -> None:
    heartbeat, said, later = beating(began("a"), ready("a"), running("a"), began("b"), seconds=9)
    assert said == []
    later(1)
    assert said == ["still running: a (10s), b (10s, preparing)"]
    heartbeat(installing("b", "downloading", packages=("torch",), size=10**9))
    later(10)
    heartbeat(ended("a"))
    heartbeat(ready("b"))
    later(10)
    assert said[1:] == [
        "still running: a (20s), b (20s, downloading 1.0 GB: torch)",
        "still running: b (30s, ready)",
    ]
    heartbeat(ended("b"))
    later(100)
    assert len(said) == 3


def test_output_puts_it_off_where_output_is_shown() -> None:
    heartbeat, said, later = beating(began("a"), typed("a"), seconds=8, after_silence=True)
    heartbeat(wrote("a", "here\n"))
    later(9)
    assert said == []
    later(1)
    assert said == ["still running: a (18s)"]


def test_one_that_is_prepared_is_told_of_after_ten_seconds_and_then_every_thirty() -> None:
    _, said, later = beating(began("a"), installing("a"), several=False, seconds=9)
    assert said == []
    later(70)
    assert said == [f"still preparing: a ({second}, resolving)" for second in ("10s", "40s", "1m 10s")]


def test_one_that_runs_is_not_told_of() -> None:
    _, said, _ = beating(began("a"), installing("a"), ready("a"), several=False, seconds=100)
    assert said == []


def test_the_line_on_a_terminal_is_gone_before_anything_else_is_written() -> None:
    stream = Tty()
    console = Console(Terminal(stream, color=True), progress=show_progress)
    for event in (began("a"), installing("a"), installing("a", "building", packages=("x",)), installing("a", "done")):
        console(event)
    assert "\ra  building x · " in stream.text
    console(ready("a"))
    written = stream.text
    assert written.rpartition("\r\x1b[K")[2].startswith("\x1b[1ma\x1b[0m  python")
    time.sleep(0.5)
    assert stream.text == written


def test_an_install_of_a_function_leaves_no_line_to_what_it_writes_next() -> None:
    stream = Tty()
    console = Console(Terminal(stream, color=True), progress=show_progress)
    for event in (began("a"), ready("a"), replace(installing("a"), time=time.time()), installing("a", "done")):
        console(event)
    assert "\ra  resolving · 0s\x1b[K" in stream.text
    assert stream.text.endswith("\r\x1b[K")


@pytest.mark.parametrize("verbosity", [-1, 0])
def test_nothing_is_said_in_a_pipe_or_quietly_of_what_is_short(verbosity: int) -> None:
    stream = Pipe() if verbosity == 0 else Tty()
    console = Console(Terminal(stream, color=verbosity < 0), verbosity=verbosity, progress=show_progress)
    for event in (began("a"), installing("a")):
        console(event)
    time.sleep(0.5)
    console.close()
    assert stream.text == ""
