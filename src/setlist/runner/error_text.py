"""One line for an exception from a session, and the file with its traceback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.engine.execute import failure_text

if TYPE_CHECKING:
    from setlist.process.spawn import Completed
    from setlist.runner.output import SessionOutput


def one_line(error: BaseException, session: SessionSpec, project: Project) -> str:
    """The exception as one line: ``sessions/x.py:12: ZeroDivisionError: division by zero``.

    The place is the last one in the session's own file; failing that, in the project.
    """
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    told = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if hint := _hint_of_method(error):
        told += f"; write {hint}"
    place = _place(error, session, project)
    return f"{place}: {told}" if place else told


def _hint_of_method(error: BaseException) -> str | None:
    """What to write for a method or an argument that sessions of other tools have."""
    if isinstance(error, AttributeError):
        from setlist.runner.session_api import SessionHandle

        word = error.name if isinstance(error.obj, SessionHandle) else None
    else:
        _, named, rest = str(error).partition("SessionHandle.run() got an unexpected keyword argument ")
        word = rest.strip("'") if named and isinstance(error, TypeError) else None
    if not word:
        return None
    from setlist.registry.foreign_words import SESSION_METHODS

    return SESSION_METHODS.get(word.replace("_", "-"))


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


def how_it_went(completed: Completed) -> str:
    """How a worker ended that left no result."""
    return failure_text(("its process",), completed) + ", before its function had ended"
