"""Find, read and check the lock file of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from setlist.core.errors import LockOutOfDate
from setlist.core.files import NotText, Reader, read_text, text_or_nothing
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import FOLDERS, Project, sessions_folder
from setlist.core.records import dataclass
from setlist.engine.world import FILE, World

if TYPE_CHECKING:
    from setlist.lock.document import LockDocument
    from setlist.lock.inputs import LockInputs

LockState = Literal["current", "stale", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class LockStatus:
    """The status of a session's lock file.

    ``reasons`` say which inputs changed, or why the file is damaged; ``preferred`` are its requirements, as far as they
    can be read, for the resolver to prefer their versions.
    """

    state: LockState
    path: Path
    reasons: tuple[str, ...] = ()
    document: LockDocument | None = None
    preferred: str | None = None


def lock_directory(project: Project, settings: Settings) -> Path:
    """The directory of the project's lock files."""
    if settings.lock_dir:
        return project.root / settings.lock_dir
    return project.root / sessions_folder(project.root) / "locks"


def look_at_places(project: Project, settings: Settings, world: World) -> None:
    """Look at what decides where the locks of a project lie: :func:`lock_directory`."""
    if settings.lock_dir:
        return
    for folder in FOLDERS:
        world.kind(str(project.root / folder / "locks"))
    world.observed("setlist", [(FILE, str(project.root / name)) for name in ("setup.py", "setup.cfg")], world.begun)


def lock_path(project: Project, settings: Settings, session: SessionSpec) -> Path:
    """The path of the session's lock file, which need not exist."""
    return lock_directory(project, settings) / lock_name(settings, session)


def lock_name(settings: Settings, session: SessionSpec) -> str:
    """The name of the session's lock file."""
    if settings.lock_format == "pylock":
        from setlist.lock.pylock import file_name

        return file_name(session.name)
    return f"{session.name}.txt"


def read_lock(
    project: Project, settings: Settings, session: SessionSpec, read: Reader | None = None
) -> LockDocument | None:
    """The session's lock; None if there is none.

    Args:
        project: the project of the session.
        settings: the settings of the project.
        session: the session.
        read: reads the file, as for :func:`setlist.core.files.read_text`.

    Raises:
        LockDamaged: the file can't be read, or can't be trusted.
    """
    return _read_lock(lock_path(project, settings, session), project, settings, session, read)


def _read_lock(
    path: Path, project: Project, settings: Settings, session: SessionSpec, read: Reader | None
) -> LockDocument | None:
    from setlist.lock.document import LockDamaged, parse

    try:
        text = read_text(path, read=read)
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


def lock_status(
    project: Project,
    settings: Settings,
    session: SessionSpec,
    inputs: LockInputs,
    directory: Path | None = None,
    read: Reader | None = None,
) -> LockStatus:
    """Compare a session's lock with its inputs, without network and resolver.

    Args:
        project: the project of the session.
        settings: the settings of the project.
        session: the session.
        inputs: the present inputs of its lock.
        directory: :func:`lock_directory`, for a caller with many sessions.
        read: reads the file, as for :func:`setlist.core.files.read_text`.
    """
    path = (directory or lock_directory(project, settings)) / lock_name(settings, session)
    try:
        document = _read_lock(path, project, settings, session, read)
    except LockOutOfDate as error:
        from setlist.lock.document import body_of

        reason = f"{error.where or project.relative(path)}: {error.message}"
        return LockStatus("damaged", path, (reason,), None, body_of(text_or_nothing(path)))
    if document is None:
        return LockStatus("missing", path, ("there is none",))
    changed = tuple(
        _change_text(name, document.inputs.get(name), inputs.values.get(name))
        for name in sorted(document.inputs.keys() | inputs.values.keys())
        if document.inputs.get(name) != inputs.values.get(name)
    )
    return LockStatus("stale" if changed else "current", path, changed, document, document.body)


def _change_text(name: str, old: str | None, new: str | None) -> str:
    name = name.removeprefix("file ")
    return f"{name} is new" if old is None else f"{name} is gone" if new is None else f"{name} changed"
