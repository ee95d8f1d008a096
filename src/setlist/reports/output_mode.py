"""Choose the output mode, and the terminal variables that programs see.

``direct``: commands inherit our streams. The other modes capture output: ``board`` shows the running sessions at the
bottom of a terminal, ``stream`` prefixes each line with its session, ``group`` writes whole blocks when sessions end,
and ``ordered`` writes them in the order of the plan.
Captured programs see a pipe and not a terminal: docs/output.md says why, and how they still use colours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, get_args

from setlist.core.errors import UsageError, nearest
from setlist.core.model import OutputMode
from setlist.reports.terminal import Terminal, on_github, size_of

if TYPE_CHECKING:
    from setlist.core.events import Event

MODES: tuple[OutputMode, ...] = get_args(OutputMode)

COLOR_VARIABLES: Mapping[str, str] = {
    # most programs: https://force-color.org, https://bixense.com/clicolors
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    # those that have a variable of their own
    "PY_COLORS": "1",
    "MYPY_FORCE_COLOR": "1",
    "CARGO_TERM_COLOR": "always",
    "PRE_COMMIT_COLOR": "always",
    # With FORCE_COLOR, rich assumes a terminal and moves the cursor, unless TTY_INTERACTIVE is 0
    "TTY_INTERACTIVE": "0",
}
"""Variables that make programs print colours to a pipe."""


class Reader(Protocol):
    """Shows the events of a run. ``close`` ends unfinished output, and may be called more than once."""

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
    where: str = "--output",
) -> OutputMode:
    """Choose the output mode of a run.

    Args:
        requested: the value of ``--output``, or of what stands in for it.
        jobs: how many sessions may run at once.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        must_capture: whether a report, the masking of secrets, or CI needs the output.
        where: what requests it, for messages.

    Raises:
        UsageError: the mode doesn't exist, or doesn't allow that many jobs.
    """
    if requested is not None and requested not in MODES:
        near = nearest(requested, MODES)
        hint = f"did you mean '{near}'?" if near else f"one of: {', '.join(MODES)}"
        raise UsageError(f"{where}: there is no {requested!r}", hint=hint)
    if requested == "direct":
        if jobs > 1:
            raise UsageError(
                f"{where} direct is for one session at a time, and {jobs} may run at once",
                hint="leave one of the two out, or write -j 1",
            )
        return "direct"
    if requested == "board":
        return "board" if _supports_board(err, environ) else "group"
    for mode in MODES:
        if requested == mode:
            return mode
    if jobs <= 1:
        return "group" if must_capture else "direct"
    # If standard output is a pipe, the program that reads it may write to the terminal too
    return "board" if _supports_board(err, environ) and out.interactive else "group"


def _supports_board(err: Terminal, environ: Mapping[str, str]) -> bool:
    """Whether lines can be erased there."""
    if not err.interactive or environ.get("TERM") == "dumb" or size_of(err) is None:
        return False
    from setlist.core.system import understands_ansi

    return understands_ansi(err.stream.fileno())


def reader_for(
    mode: OutputMode,
    out: Terminal,
    err: Terminal,
    environ: Mapping[str, str],
    *,
    verbosity: int = 0,
    directory: Path | None = None,
    durations: Mapping[str, float] | None = None,
    log_of: Callable[[str], str | None] | None = None,
) -> Reader:
    """The reader of events for a mode.

    Args:
        mode: the output mode.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        verbosity: as the console's.
        directory: where output is held back: the project's ``.setlist``.
        durations: the usual seconds of sessions, as far as they are known.
        log_of: gives the name of a session's log (:meth:`setlist.reports.logs.Logs.named`).
    """
    if mode == "direct":
        from setlist.reports.console import Console
        from setlist.reports.progress import show_progress

        return Console(err, verbosity=verbosity, log_of=log_of, progress=show_progress)
    if mode == "stream":
        from setlist.reports.stream import Stream

        return Stream(out, err, verbosity=verbosity, log_of=log_of)
    if mode == "board":
        from setlist.reports.board import Board

        return Board(out, err, directory=directory, verbosity=verbosity, durations=durations or {}, log_of=log_of)
    from setlist.reports.group import Group

    folded = on_github(environ)
    ordered = mode == "ordered"
    return Group(out, err, directory=directory, verbosity=verbosity, folded=folded, ordered=ordered, log_of=log_of)


def child_environ(
    mode: OutputMode,
    out: Terminal,
    err: Terminal,
    environ: Mapping[str, str],
    *,
    session: str = "",
    sessions: Sequence[str] = (),
) -> dict[str, str]:
    """The variables that describe our terminal to a captured session's programs, in addition to the caller's.

    Call it for each session, since the terminal may have been resized. The caller's variables take precedence, except
    COLUMNS if lines have a prefix.

    Args:
        mode: the output mode.
        out: our standard output.
        err: our standard error.
        environ: the caller's variables.
        session: the session's name.
        sessions: the names of all sessions of the run.
    """
    if mode == "direct":
        return {}
    variables: dict[str, str] = {}
    # The variables apply to both streams, and neither may be a file without colours
    if out.color and err.color and not environ.get("NO_COLOR"):
        variables.update({name: value for name, value in COLOR_VARIABLES.items() if name not in environ})
    size = size_of(out, err)
    columns = _number(environ.get("COLUMNS")) or (size.columns if size is not None else None)
    if columns is not None:
        if mode == "stream":
            from setlist.reports.stream import prefix_width

            columns = max(20, columns - prefix_width(session, sessions))
        variables["COLUMNS"] = str(columns)
    if size is not None and "LINES" not in environ:
        variables["LINES"] = str(size.lines)
    return variables


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text[:6]) > 0 else None
