"""One line for an exception from a session and for a command that failed, and the file with a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import SetlistError
from setlist.core.model import SessionSpec
from setlist.core.project import Project

if TYPE_CHECKING:
    from setlist.process.spawn import Completed
    from setlist.runner.output import SessionOutput


def message_of(error: SetlistError) -> str:
    """All that a problem says, in lines: what, the tool's own words, what to do."""
    lines = [str(error)]
    lines += [f"    {line}".rstrip() for line in (error.detail or "").rstrip().splitlines()]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def one_line(error: BaseException, session: SessionSpec, project: Project) -> str:
    """The exception as one line: ``sessions/x.py:12: ZeroDivisionError: division by zero``.

    The place is the last one in the session's own file; failing that, in the project.
    """
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    told = f"{type(error).__name__}: {first}" if first else type(error).__name__
    place = _place(error, session, project)
    return f"{place}: {told}" if place else told


def _place(error: BaseException, session: SessionSpec, project: Project) -> str | None:
    if session.function is None:
        return None
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    own = project.root / session.function.file
    for frame in reversed(frames):
        if Path(frame.filename) == own:
            return f"{session.function.file}:{frame.lineno}"
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_relative_to(project.root) and not path.is_relative_to(project.state):
            return f"{project.relative(path)}:{frame.lineno}"
    return session.function.file


def keep_traceback(text: str, session: SessionSpec, project: Project) -> Path | None:
    """Write a full traceback beside the session's log; None where that can't be done."""
    from setlist.core.files import write_atomically
    from setlist.core.logins import masked

    path = project.logs / f"{session.name}.traceback.log"
    try:
        write_atomically(path, masked(text).encode("utf-8", "backslashreplace"))
    except OSError:
        return None
    return path


def tell_traceback(output: SessionOutput, session: SessionSpec, project: Project, reason: str, text: str) -> None:
    """Emit an exception as one line, and keep its traceback in a file."""
    log = keep_traceback(output.masked(text), session, project)
    where = f"the full traceback is in {project.relative(log)}" if log else "its traceback couldn't be kept"
    output.tell("error", f"{reason}\n{where}")


def failure_text(words: Sequence[str], completed: Completed) -> str:
    """How a command ended, in one line: ``pytest exited with code 1``."""
    program = words[0].splitlines()[0]
    if len(program) > 60:
        program = program[:59] + "…"
    if completed.timed_out:
        return f"{program} timed out after {completed.duration:.1f}s"
    if completed.code >= 0:
        return f"{program} exited with code {completed.code}"
    import signal

    try:
        name = signal.Signals(-completed.code).name
    except ValueError:
        name = f"signal {-completed.code}"
    return f"{program} was killed by {name}"


def how_it_went(completed: Completed) -> str:
    """How a worker ended that left no result."""
    return failure_text(("its process",), completed) + ", before its function had ended"
