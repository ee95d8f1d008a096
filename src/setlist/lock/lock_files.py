"""Lock files where they lie: which file is whose, what it holds, and whether it is current."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from setlist.core.errors import LockOutOfDate
from setlist.core.files import NotText, read_text, text_or_nothing
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project, sessions_folder
from setlist.core.records import dataclass
from setlist.lock.document import LockDamaged, LockDocument, body_of, parse
from setlist.lock.inputs import LockInputs

LockState = Literal["current", "stale", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class LockStatus:
    """How a session's lock stands.

    ``reasons`` say what changed, or what is wrong with the file; ``known`` are the requirements that it holds,
    as far as they can be made out, so that their versions can be kept.
    """

    state: LockState
    path: Path
    reasons: tuple[str, ...] = ()
    document: LockDocument | None = None
    known: str | None = None


def lock_directory(project: Project, settings: Settings) -> Path:
    """Where the project's locks are."""
    if settings.lock_dir:
        return project.root / settings.lock_dir
    return project.root / sessions_folder(project.root) / "locks"


def lock_path(project: Project, settings: Settings, session: SessionSpec) -> Path:
    """The session's lock file, there or not."""
    return lock_directory(project, settings) / lock_name(settings, session)


def lock_name(settings: Settings, session: SessionSpec) -> str:
    """How the session's lock file is called."""
    if settings.lock_format == "pylock":
        from setlist.lock.pylock import file_name

        return file_name(session.name)
    return f"{session.name}.txt"


def read_lock(project: Project, settings: Settings, session: SessionSpec) -> LockDocument | None:
    """The session's lock; None where there is none.

    Raises:
        LockDamaged: there is one that can't be trusted.
        LockOutOfDate: there is one that can't be read.
    """
    return _read(project, settings, session, lock_path(project, settings, session))


def _read(project: Project, settings: Settings, session: SessionSpec, path: Path) -> LockDocument | None:
    try:
        text = read_text(path)
    except FileNotFoundError:
        return None
    except (OSError, NotText) as error:
        reason = str(error) if isinstance(error, NotText) else error.strerror
        raise LockDamaged(f"can't be read: {reason}", where=project.relative(path)) from error
    shown = Path(project.relative(path))
    if settings.lock_format == "pylock":
        from setlist.lock.pylock import parse_pylock

        return parse_pylock(text, shown, session.name)
    return parse(text, shown, session.name)


def standing_of(project: Project, settings: Settings, session: SessionSpec, inputs: LockInputs) -> LockStatus:
    """Whether a session's lock was made from these inputs. No network, no resolver."""
    path = lock_path(project, settings, session)
    try:
        document = _read(project, settings, session, path)
    except LockOutOfDate as error:
        return LockStatus(
            "damaged",
            path,
            (f"{error.where or project.relative(path)}: {error.message}",),
            None,
            body_of(text_or_nothing(path)),
        )
    if document is None:
        return LockStatus("missing", path, ("there is none",))
    changed = tuple(
        _told(name, document.inputs.get(name), inputs.values.get(name))
        for name in sorted(document.inputs.keys() | inputs.values.keys())
        if document.inputs.get(name) != inputs.values.get(name)
    )
    return LockStatus("stale" if changed else "current", path, changed, document, document.body)


def _told(name: str, old: str | None, new: str | None) -> str:
    what = name.removeprefix("file ")
    return f"{what} is new" if old is None else f"{what} is gone" if new is None else f"{what} changed"
