"""The live board: running sessions at the bottom of the terminal, with the blocks of finished sessions above.

:func:`rows` computes its lines from data, :class:`Board` keeps the data, and :class:`Screen` draws. The cursor stays
visible, at the place of the next line, so that a killed run leaves the terminal usable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from setlist.core.events import (
    ALLOWED,
    UNSUCCESSFUL,
    CommandStarted,
    EnvironmentProgress,
    EnvironmentReady,
    Event,
    Message,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionRunning,
    SessionsAdded,
    SessionStarted,
)
from setlist.core.records import dataclass, field
from setlist.reports.ansi import Colours, Filter
from setlist.reports.console import command_text, one_line
from setlist.reports.output_buffer import BlockReader
from setlist.reports.progress import Ticker, clock_text, step_text
from setlist.reports.terminal import Style, Terminal, escaped_line, size_of
from setlist.scheduling.durations import median

if TYPE_CHECKING:
    from rich.text import Text

Phase = Literal["preparing", "ready", "running"]

_PHASES: dict[Phase, Style] = {"running": "cyan", "preparing": "yellow", "ready": "dim"}
"""The phases in the order of the board, with their colours."""

TICK = 0.2
"""Seconds between two looks at the clock, and at the size of the terminal."""

LAST_LINE = 2048
"""Characters of a session's output that are kept to find its last line."""

_LEAST_FOR_OUTPUT = 12
"""Fewer columns than this show no output."""


@dataclass
class Activity:
    """A running session. Times are seconds of the board's clock. ``doing`` is what its installer does."""

    session: str
    phase: Phase
    since: float
    expected: float | None = None
    attempt: int = 1
    tail: str = ""
    doing: str = ""

    def add_output(self, text: str) -> None:
        """Keep the end of its output."""
        self.tail = (self.tail + text[-LAST_LINE:])[-LAST_LINE:]

    @property
    def last_line(self) -> str:
        """The last line that isn't blank, without control sequences."""
        lines = Filter(Colours(), keep="nothing").feed(self.tail).replace("\r", "\n").split("\n")
        last = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
        return escaped_line(last)


@dataclass
class Progress:
    """The progress of a run."""

    jobs: int = 1
    began: float = 0.0
    sessions: tuple[str, ...] = ()
    ended: dict[str, str] = field(default_factory=dict)
    active: dict[str, Activity] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)

    def expected_rest(self, now: float) -> float | None:
        """Seconds until the end, by the past durations of sessions; None if there are none.

        It is the remaining time of all sessions, shared among the jobs, and at least that of the longest session.
        """
        durations = [self.durations[name] for name in self.sessions if name in self.durations]
        if not durations:
            return None
        usual = median(durations)
        left = []
        for name in self.sessions:
            if name in self.ended:
                continue
            activity = self.active.get(name)
            spent = now - activity.since if activity is not None and activity.phase == "running" else 0.0
            left.append(max(0.0, self.durations.get(name, usual) - spent))
        return max(max(left, default=0.0), sum(left) / self.jobs)


def rows(progress: Progress, now: float, width: int, height: int, *, mark: str = "…") -> list[Text]:
    """The lines of the board.

    Args:
        progress: the progress of the run.
        now: the time.
        width: columns that a line may take.
        height: how many lines there may be, at least 2.
        mark: replaces what was cut off.
    """
    order = list(_PHASES)
    active = sorted(progress.active.values(), key=lambda activity: order.index(activity.phase))
    room = height - 1
    hidden = 0
    if len(active) > room:
        room = max(0, room - 1)
        hidden = len(active) - room
    names = max((len(activity.session) for activity in active[:room]), default=0)
    names = min(names, max(8, width // 3))
    lines = [_activity_row(activity, now, width, names, mark) for activity in active[:room]]
    if hidden:
        lines.append(_cut([(f"  and {hidden} more", "dim")], width, mark))
    lines.append(_footer(progress, now, width, mark))
    return lines


def _activity_row(activity: Activity, now: float, width: int, names: int, mark: str) -> Text:
    from rich.cells import cell_len, set_cell_size

    elapsed = max(0.0, now - activity.since)
    name = activity.session
    if cell_len(name) > names:
        name = set_cell_size(name, names - cell_len(mark)) + mark
    phase = activity.phase if activity.attempt == 1 else f"try {activity.attempt}"
    parts: list[tuple[str, str]] = [
        (set_cell_size(name, names), "bold"),
        (f"  {phase:<9}", _PHASES[activity.phase]),
        (f" {clock_text(elapsed):>7}", ""),
    ]
    used = sum(cell_len(text) for text, _ in parts)
    if activity.expected is not None and activity.phase == "running" and width - used >= 10:
        rest = activity.expected - elapsed
        parts.append((f" {f'~{clock_text(rest)}' if rest > 0.5 else '':>8}", "dim"))
        used += 9
    last = escaped_line(activity.doing) or activity.last_line
    if last and width - used >= _LEAST_FOR_OUTPUT:
        parts.append((f"  {last}", ""))
    return _cut(parts, width, mark)


def _footer(progress: Progress, now: float, width: int, mark: str) -> Text:
    """Counts and times. If there isn't room for all, the least important are left out."""
    from rich.cells import cell_len

    ended = list(progress.ended.values())
    failed = sum(status in UNSUCCESSFUL for status in ended)
    running = sum(activity.phase == "running" for activity in progress.active.values())
    waiting = len(progress.sessions) - len(ended) - running
    rest = progress.expected_rest(now)
    # Text, style, and its rank: the highest is left out first
    parts = [(f"{len(ended)}/{len(progress.sessions)} done", "green" if ended and not failed else "", 0)]
    if failed:
        parts.append((f"{failed} failed", "bold red", 1))
    parts.append((f"{running} running", "cyan", 3))
    if waiting > 0:
        parts.append((f"{waiting} waiting", "dim", 5))
    parts.append((clock_text(now - progress.began), "", 2))
    if rest is not None and rest > 0.5:
        parts.append((f"~{clock_text(rest)} left", "dim", 4))
    separator = " · " if mark == "…" else " - "
    while len(parts) > 1 and sum(cell_len(text) for text, _, _ in parts) + 3 * (len(parts) - 1) > width:
        parts.remove(max(parts, key=lambda part: part[2]))
    pieces: list[tuple[str, str]] = []
    for text, style, _ in parts:
        if pieces:
            pieces.append((separator, "dim"))
        pieces.append((text, style))
    return _cut(pieces, width, mark)


def _cut(parts: Sequence[tuple[str, str]], width: int, mark: str) -> Text:
    """The parts on one line, at most ``width`` columns."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    line = Text(no_wrap=True, end="")
    left = width
    for text, style in parts:
        if cell_len(text) > left:
            line.append(set_cell_size(text, max(0, left - cell_len(mark))).rstrip() + mark[:left], style)
            break
        line.append(text, style)
        left -= cell_len(text)
    return line


class Screen:
    """Draws lines at the bottom of a terminal, and erases them.

    Nothing else may write to the terminal while they are there.
    """

    def __init__(self, terminal: Terminal) -> None:
        import io

        from rich.console import Console as RichConsole

        self._terminal = terminal
        self._drawn: list[tuple[str, int]] = []
        self._width = 0
        # Converts styles to sequences, and writes nothing
        self._rich = RichConsole(
            file=io.StringIO(),
            force_terminal=True,
            color_system="standard" if terminal.color else None,
            legacy_windows=False,
            width=80,
            height=25,
        )

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        size = size_of(self._terminal)
        return (size.columns, size.lines) if size is not None else (80, 24)

    def draw(self, lines: Sequence[Text], width: int, height: int) -> None:
        """Replace the present lines by these, which were made for this size."""
        drawn = []
        for line in lines:
            with self._rich.capture() as capture:
                self._rich.print(line, end="", soft_wrap=True)
            drawn.append((capture.get(), line.cell_len))
        if drawn == self._drawn and width == self._width:
            return
        old = self._rows(width, height)
        if width < self._width:
            text = _erased(old)
            old = 0
        else:
            # Overwrite line by line instead of erasing first, which would flicker
            text = _up(old)
        text += "".join(f"{line}\x1b[K\n" for line, _ in drawn)
        if old > len(drawn):
            text += "\x1b[K\n" * (old - len(drawn)) + _up(old - len(drawn))
        self._drawn, self._width = drawn, width
        self._terminal.put(text)

    def clear(self) -> None:
        """Erase the lines. The cursor moves to the beginning of the first."""
        if self._drawn:
            text = _erased(self._rows(*self.size()))
            self._drawn = []
            self._terminal.put(text)

    def _rows(self, width: int, height: int) -> int:
        """The number of rows that the lines occupy. A line that is wider than the terminal now occupies several."""
        return min(height, sum(max(1, -(-cells // width)) for _, cells in self._drawn))


def _up(lines: int) -> str:
    return f"\r\x1b[{lines}A" if lines else ""


def _erased(lines: int) -> str:
    """Erase line by line. If everything below the cursor is the whole screen, tmux moves it to its history when erased
    at once."""
    return _up(lines) + "\x1b[K\n" * lines + _up(lines)


class Board(BlockReader):
    """Shows the board, and blocks above it. With a verbosity below 0, blocks of sessions that passed aren't shown.

    Args:
        durations: the usual seconds of sessions, as far as they are known.
        clock: gives the time, in seconds.
        tick: seconds between two looks at the clock.

    The other arguments are those of :class:`BlockReader`; the board itself is on standard error.
    """

    def __init__(
        self,
        out: Terminal,
        err: Terminal,
        *,
        directory: Path | None = None,
        verbosity: int = 0,
        durations: Mapping[str, float] | None = None,
        log_of: Callable[[str], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        tick: float = TICK,
    ) -> None:
        super().__init__(out, err, directory=directory, verbosity=verbosity, log_of=log_of)
        self._screen = Screen(err)
        self._mark = "…" if err.plain("…·") == "…·" else "..."
        self._clock = clock
        self._tick = tick
        self._progress = Progress(durations=durations or {})
        self._alone: str | None = None
        self._pending: list[SessionFinished] = []
        # The ticker draws too, and mustn't interrupt two writes that belong together
        self._lock = threading.RLock()
        self._ticker: Ticker | None = None

    def __call__(self, event: Event) -> None:
        with self._lock:
            session: str | None = getattr(event, "session", None)
            if session is not None:
                self._of_session(session, event)
            elif isinstance(event, RunStarted):
                self._begin(event)
            elif isinstance(event, SessionsAdded):
                self._progress.sessions += event.sessions
                self._console(event)
                self._draw()
            elif isinstance(event, RunFinished):
                self._end()
                self._console(event)
            elif isinstance(event, Message):
                self._screen.clear()
                self._console(event)
                self._draw()

    def close(self) -> None:
        """Erase the board, and write the blocks of sessions without an end."""
        ticker = self._ticker
        with self._lock:
            self._end()
        if ticker is not None:
            ticker.join()

    def _begin(self, event: RunStarted) -> None:
        durations = self._progress.durations
        self._progress = Progress(event.jobs, self._clock(), event.sessions, durations=durations)
        self._console(event)
        self._ticker = Ticker(self._draw, self._lock, self._tick)

    def _end(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        self._screen.clear()
        self._alone = None
        self._show_pending()
        for session in list(self._blocks):
            self._show(session, None)
        self._sink.rest()

    def _draw(self) -> None:
        if self._ticker is None or self._alone is not None:
            return
        width, height = self._screen.size()
        # Leave the last column free: some terminals begin a new line after writing there
        lines = rows(self._progress, self._clock(), max(1, width - 1), max(2, height - 2), mark=self._mark)
        self._screen.draw(lines, width, height)

    def _of_session(self, session: str, event: Event) -> None:
        if isinstance(event, SessionFinished):
            self._finished(event)
            return
        block = self._block(session)
        if isinstance(event, SessionStarted):
            if event.captured:
                expected = self._progress.durations.get(session)
                self._progress.active[session] = Activity(session, "preparing", self._clock(), expected)
            else:
                self._screen.clear()
                self._alone = session
                block.show()
        activity = self._progress.active.get(session)
        if activity is not None:
            self._follow(activity, event)
        block.take(event)

    def _follow(self, activity: Activity, event: Event) -> None:
        phase: Phase = activity.phase
        if isinstance(event, EnvironmentProgress):
            activity.doing = step_text(event) or (activity.doing if phase == "preparing" else "")
            return
        activity.doing = ""
        if isinstance(event, Output):
            activity.add_output(event.data)
        elif isinstance(event, EnvironmentReady):
            phase = "ready" if self._progress.jobs > 1 else "running"
        elif isinstance(event, SessionRunning):
            phase = "running"
        elif isinstance(event, CommandStarted):
            phase = "running"
            activity.add_output(f"\n$ {one_line(command_text(event.command))}\n")
        elif isinstance(event, SessionRetried):
            activity.attempt = event.attempt
        if phase != activity.phase:
            activity.phase, activity.since = phase, self._clock()

    def _finished(self, event: SessionFinished) -> None:
        session = event.session
        self._progress.active.pop(session, None)
        self._progress.ended[session] = ALLOWED if event.is_allowed else event.status
        self._console(event)
        if self._alone == session:
            self._alone = None
            self._show(session, event)
            self._show_pending()
        elif self._alone is not None:
            self._pending.append(event)
        else:
            self._screen.clear()
            self._show(session, event)
        if len(self._progress.ended) < len(self._progress.sessions):
            self._draw()

    def _show_pending(self) -> None:
        while self._pending:
            event = self._pending.pop(0)
            self._show(event.session, event)

    def _show(self, session: str, ended: SessionFinished | None) -> None:
        block = self._blocks.pop(session, None)
        if block is None:
            return
        if self._verbosity < 0 and ended is not None and ended.status not in UNSUCCESSFUL:
            block.drop()
            return
        block.show()
        self._sink.rest()
        if ended is not None and block.begun and len(self._progress.sessions) > 1:
            self._put_ending(ended)
