"""What is told of an exception that came out of a session: one line, and where the rest of it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import SetlistError
from setlist.core.events import Message
from setlist.core.model import SessionSpec
from setlist.core.project import Project

if TYPE_CHECKING:
    from setlist.runner.run_context import RunContext


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


def tell_error(context: RunContext, session: SessionSpec, text: str) -> None:
    """Tell what went wrong with a session."""
    context.emit(Message(time=time.time(), session=session.name, level="error", text=text))


def tell_traceback(context: RunContext, session: SessionSpec, reason: str, text: str) -> None:
    """Tell of an exception in one line, and keep its traceback in a file."""
    log = keep_traceback(context.masked(text), session, context.project)
    where = f"the full traceback is in {context.project.relative(log)}" if log else "its traceback couldn't be kept"
    tell_error(context, session, f"{reason}\n{where}")
