"""Say what takes long while nothing else is written: one line on a terminal, a line now and then in a pipe.

:class:`StatusLine` redraws the last line of a terminal. :class:`Heartbeat` writes lines where nothing can be redrawn:
in pipes, in files and in CI. Both have a thread of their own. A warm run doesn't import this module.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from setlist.core.events import (
    CommandStarted,
    EnvironmentProgress,
    EnvironmentReady,
    Event,
    Output,
    SessionFinished,
    SessionRunning,
    SessionStarted,
)
from setlist.core.records import dataclass
from setlist.reports.console import duration_text, size_text
from setlist.reports.terminal import Terminal, size_of

TICK = 0.2
"""Seconds between two looks at the clock."""

BEAT = 10.0
"""Seconds until it is said that something still goes on."""

PREPARING_BEAT = 30.0
"""Seconds between the lines about one session whose environment is being prepared."""

_SHOWN = 3
"""The number of packages that are named."""


def clock_text(seconds: float) -> str:
    """A duration that changes while it is shown: without tenths, which would flicker."""
    return f"{int(seconds)}s" if seconds < 59.5 else duration_text(seconds)


def step_text(event: EnvironmentProgress) -> str:
    """What an installer does, in a few words: ``downloading 1.3 GB: torch, numpy``. The important comes first."""
    if event.step == "done":
        return ""
    packages = ", ".join(event.packages[:_SHOWN])
    if len(event.packages) > _SHOWN:
        packages += f" and {len(event.packages) - _SHOWN} more"
    if not packages:
        many = "" if event.count is None else f" {event.count} package{'s' if event.count != 1 else ''}"
        return f"{event.step}{many}"
    size = f" {size_text(event.size)}:" if event.size else ""
    return f"{event.step}{size} {packages}"


def show_progress(terminal: Terminal, name: str, began: SessionStarted) -> StatusLine | Heartbeat:
    """What shows the progress of an installer while nothing else is written to a terminal or a pipe.

    Args:
        terminal: where to.
        name: what begins a line.
        began: when it began.
    """
    if terminal.color and terminal.interactive:
        return StatusLine(terminal, name, time.monotonic() - (time.time() - began.time))
    heartbeat = Heartbeat(terminal.line, threading.RLock())
    heartbeat(began)
    return heartbeat


class Ticker:
    """Calls a function every now and then in a thread, until it is stopped.

    Args:
        act: the function.
        lock: held while it is called.
        tick: seconds between two calls.
    """

    def __init__(self, act: Callable[[], None], lock: threading.RLock, tick: float = TICK) -> None:
        self._act = act
        self._lock = lock
        self._tick = tick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop. When this returns, the function isn't called any more."""
        with self._lock:
            self._stopped.set()

    def join(self) -> None:
        """Wait for the end of the thread, after :meth:`stop`. The lock isn't held."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stopped.wait(self._tick):
            with self._lock:
                if not self._stopped.is_set():
                    self._act()


class StatusLine:
    """One line on a terminal that says what an installer does, and for how long. It is erased at the end.

    Args:
        terminal: the terminal, on which lines can be erased.
        name: what begins the line.
        since: when it began, by ``clock``.
        clock: gives the time, in seconds.
    """

    def __init__(
        self, terminal: Terminal, name: str, since: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = terminal
        self._name = name
        self._since = since
        self._clock = clock
        self._text = ""
        self._drawn = ""
        self._lock = threading.RLock()
        self._ticker = Ticker(self._draw, self._lock)

    def __call__(self, event: Event) -> None:
        if isinstance(event, EnvironmentProgress):
            with self._lock:
                self._text = step_text(event) or self._text
                self._draw()

    def close(self) -> None:
        """Erase the line."""
        self._ticker.stop()
        with self._lock:
            self._terminal.put("\r\x1b[K")

    def _draw(self) -> None:
        size = size_of(self._terminal)
        # Some terminals begin a new line after writing to the last column, and Ctrl-C writes ^C
        width = (size.columns if size is not None else 80) - 3
        line = status_line(self._name, self._text, self._clock() - self._since, width, self._terminal)
        if line != self._drawn:
            self._drawn = line
            self._terminal.put(f"\r{line}\x1b[K")


def status_line(name: str, text: str, elapsed: float, width: int, terminal: Terminal) -> str:
    """The line, at most ``width`` characters: the text is cut before the time is."""
    mark = terminal.plain("…")
    start, end = terminal.plain(f"{name}  {text or 'preparing'}"), terminal.plain(f" · {clock_text(elapsed)}")
    if len(start) + len(end) <= width:
        return start + end
    room = width - len(end) - len(mark)
    if room < 8:
        return (start + end)[: max(0, width)]
    return start[:room].rstrip() + mark + end


@dataclass
class _Session:
    """A session that was started and hasn't ended."""

    since: float
    phase: Literal["preparing", "ready", "running"] = "preparing"
    text: str = ""
    next: float = 0.0


class Heartbeat:
    """Writes what still goes on. A reader of a run's events.

    Args:
        say: writes a line.
        lock: held while it is called.
        several: whether several sessions may run at once. Then all of them are named every ten seconds. Otherwise only
            one is told of whose environment is being prepared: after ten seconds, and then every thirty.
        after_silence: whether output of a session puts off the next line.
        clock: gives the time, in seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        lock: threading.RLock,
        *,
        several: bool = False,
        after_silence: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._several = several
        self._after_silence = after_silence
        self._clock = clock
        self._last = clock()
        self._active: dict[str, _Session] = {}
        self._ticker = Ticker(self.beat, lock)

    def __call__(self, event: Event) -> None:
        name: str | None = getattr(event, "session", None)
        if name is None:
            return
        if isinstance(event, SessionStarted):
            self._active[name] = _Session(now := self._clock(), next=now + BEAT)
        session = self._active.get(name)
        if session is None:
            return
        if isinstance(event, SessionFinished):
            del self._active[name]
        elif isinstance(event, EnvironmentProgress):
            session.text = step_text(event) or session.text
        elif isinstance(event, Output):
            if self._after_silence:
                self._last = self._clock()
        else:
            session.text = ""
            if isinstance(event, EnvironmentReady):
                session.phase = "ready" if self._several else "running"
            elif isinstance(event, (SessionRunning, CommandStarted)):
                session.phase = "running"

    def close(self) -> None:
        """Write nothing more."""
        self._ticker.stop()

    def beat(self) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        if self._several:
            if self._active and now - self._last >= BEAT:
                self._last = now
                names = ", ".join(self._one(name, session, now) for name, session in self._active.items())
                self._say(f"still running: {names}")
            return
        for name, session in self._active.items():
            if session.phase == "preparing" and now >= session.next:
                session.next = now + PREPARING_BEAT
                self._say(f"still preparing: {self._one(name, session, now)}")

    def _one(self, name: str, session: _Session, now: float) -> str:
        doing = session.text or ("" if session.phase == "running" or not self._several else session.phase)
        return f"{name} ({', '.join(filter(None, (clock_text(now - session.since), doing)))})"
