"""How a run is shown, and what programs are told of the terminal that they don't have.

There are four ways. ``direct``: commands have our own streams, untouched. The others capture what they print: ``board``
shows what is going on at the bottom of a terminal, ``stream`` writes each line with its session's name, ``group`` whole
blocks. Captured programs see a pipe and not a terminal: docs/output.md says why, and how they come to be coloured all
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from setlist.core.errors import UsageError, nearest
from setlist.reports.terminal import Terminal, on_github, size_of

if TYPE_CHECKING:
    from setlist.core.events import Event

Mode = Literal["direct", "board", "stream", "group"]

MODES: tuple[Mode, ...] = ("direct", "board", "stream", "group")

COLOR_VARIABLES: Mapping[str, str] = {
    # most programs: https://force-color.org, https://bixense.com/clicolors
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    # those that have a variable of their own
    "PY_COLORS": "1",
    "MYPY_FORCE_COLOR": "1",
    "CARGO_TERM_COLOR": "always",
    "PRE_COMMIT_COLOR": "always",
    # rich takes FORCE_COLOR for a terminal on which it may move the cursor, unless it is told that nobody watches
    "TTY_INTERACTIVE": "0",
}
"""What makes programs print colours into a pipe."""


class Reader(Protocol):
    """Shows the events of a run. ``close`` ends what is half shown, and may be called more than once."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


def choose_mode(
    requested: str | None,
    jobs: int,
    out: Terminal,
    err: Terminal,
    environ: Mapping[str, str],
    *,
    must_capture: bool = False,
) -> Mode:
    """How the run is shown.

    Args:
        requested: the value of ``--output``.
        jobs: how many sessions may run at once.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        must_capture: whether somebody needs the output: a report, the masking of secrets, CI.

    Raises:
        UsageError: there is no such way, or it can't be with so many jobs.
    """
    if requested is not None and requested not in MODES:
        near = nearest(requested, MODES)
        hint = f"did you mean '{near}'?" if near else f"one of: {', '.join(MODES)}"
        raise UsageError(f"--output: there is no {requested!r}", hint=hint)
    if requested == "direct":
        if jobs > 1:
            raise UsageError(
                f"--output direct is for one session at a time, and {jobs} may run at once",
                hint="leave one of the two out, or write -j 1",
            )
        return "direct"
    if requested == "stream":
        return "stream"
    if requested == "board":
        return "board" if _takes_a_board(err, environ) else "group"
    if requested == "group":
        return "group"
    if jobs <= 1:
        return "group" if must_capture else "direct"
    # where standard output goes to another program, that one may write to the terminal as well
    return "board" if _takes_a_board(err, environ) and out.interactive else "group"


def _takes_a_board(err: Terminal, environ: Mapping[str, str]) -> bool:
    """Whether lines can be taken back there."""
    if not err.interactive or environ.get("TERM") == "dumb" or size_of(err) is None:
        return False
    from setlist.core.system import understands_ansi

    return understands_ansi(err.stream.fileno())


def reader_for(
    mode: Mode,
    out: Terminal,
    err: Terminal,
    environ: Mapping[str, str],
    *,
    verbosity: int = 0,
    directory: Path | None = None,
    durations: Mapping[str, float] | None = None,
    log_of: Callable[[str], str | None] | None = None,
) -> Reader:
    """What shows the run.

    Args:
        mode: how.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        verbosity: of setlist's own words, as the console's.
        directory: where output that has to wait is kept: the project's ``.setlist``.
        durations: how many seconds sessions take, of those that are known.
        log_of: how the log of a session is called (:meth:`setlist.reports.logs.Logs.named`).
    """
    if mode == "direct":
        from setlist.reports.console import Console

        return Console(err, verbosity=verbosity, log_of=log_of)
    if mode == "stream":
        from setlist.reports.stream import Stream

        return Stream(out, err, verbosity=verbosity, log_of=log_of)
    if mode == "board":
        from setlist.reports.board import Board

        return Board(out, err, directory=directory, verbosity=verbosity, durations=durations or {}, log_of=log_of)
    from setlist.reports.group import Group

    folded = on_github(environ)
    return Group(out, err, directory=directory, verbosity=verbosity, folded=folded, log_of=log_of)


def child_environ(
    mode: Mode,
    out: Terminal,
    err: Terminal,
    environ: Mapping[str, str],
    *,
    session: str = "",
    sessions: Sequence[str] = (),
) -> dict[str, str]:
    """What a captured session's programs are told of our terminal: variables to be added to the caller's.

    Ask anew for each session: somebody may have resized the terminal since. What the caller has set stays as it is,
    but for COLUMNS where lines get a prefix.

    Args:
        mode: how the run is shown.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        session: the session's name.
        sessions: the names of all that run.
    """
    if mode == "direct":
        return {}
    told: dict[str, str] = {}
    # one variable speaks for both streams: colours don't belong into a file that one of them goes to
    if out.color and err.color and not environ.get("NO_COLOR"):
        told.update({name: value for name, value in COLOR_VARIABLES.items() if name not in environ})
    size = size_of(out, err)
    columns = _number(environ.get("COLUMNS")) or (size.columns if size is not None else None)
    if columns is not None:
        if mode == "stream":
            from setlist.reports.stream import prefix_width

            columns = max(20, columns - prefix_width(session, sessions))
        told["COLUMNS"] = str(columns)
    if size is not None and "LINES" not in environ:
        told["LINES"] = str(size.lines)
    return told


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text[:6]) > 0 else None
