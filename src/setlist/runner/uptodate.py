"""Skip a session with ``inputs`` if nothing changed since it passed.

It is skipped if it passed last time in the same environment, with the same commands, posargs and variables, its input
files have the same contents, and its outputs exist. Whether its environment is out of date is decided in
:mod:`setlist.environment.decision`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.fingerprint import digest
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.core.records import dataclass, dump
from setlist.engine.trace import Found, Store
from setlist.engine.world import FILE, UNREADABLE, World
from setlist.environment.prepared import PreparedEnvironment

_NEVER_INPUTS = frozenset({".git", ".setlist", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Record:
    """What a session is a function of.

    ``key`` is a digest of what it runs, ``environment`` one of what it runs in, ``files`` are the names of its input
    files, whose contents ``world`` has recorded.
    """

    key: str
    environment: str
    files: tuple[str, ...]
    world: World

    @property
    def value(self) -> tuple[Any, ...]:
        """What is kept of it, apart from the trace."""
        return self.key, self.environment, self.files


def record_of(
    project: Project, session: SessionSpec, prepared: PreparedEnvironment, what: Mapping[str, Any]
) -> Record | None:
    """The record that the session would leave if it passed now.

    Args:
        project: the project of the session.
        session: the session, which declares ``inputs``.
        prepared: its environment.
        what: all that it runs, expanded, as JSON data.

    Returns:
        None if one of the patterns matches nothing, which is more likely a slip than a session without inputs, or if an
        input can't be read.
    """
    files = _input_files(project, session)
    if files is None:
        return None
    world = World(str(project.root), {})
    if any(world.look(FILE, str(project.root / name)) in (None, UNREADABLE) for name in files):
        return None
    return Record(_key(what), environment_digest(prepared), files, world)


def is_up_to_date(
    project: Project,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    what: Mapping[str, Any],
    *,
    refresh: bool = True,
) -> bool:
    """Whether running the session would change nothing. Arguments as of :func:`record_of`.

    Without ``refresh`` nothing is written: not even that a file was touched, and needn't be read again next time.
    """
    found = _store(project).get(_entry(session.name), refresh=refresh)
    if not isinstance(found, Found):
        return False
    if found.value != (_key(what), environment_digest(prepared), _input_files(project, session)):
        return False
    return all(any(True for _ in _matches(project.root, pattern)) for pattern in session.outputs)


def keep_record(project: Project, session: str, record: Record) -> None:
    """Keep the record of a session that has passed. A disk that doesn't take it only costs a run that wasn't needed."""
    with suppress(OSError):
        _store(project).put(_entry(session), record.world, record.value)


def forget_record(project: Project, session: str) -> None:
    """Before the session runs: should it fail or be killed, it isn't up to date."""
    with suppress(OSError):
        _store(project).drop(_entry(session))


def _store(project: Project) -> Store:
    return Store(str(project.store), str(project.root), {})


def _entry(session: str) -> str:
    return f"passed/{session}"


def _key(what: Mapping[str, Any]) -> str:
    return digest(json.dumps(what, sort_keys=True, default=str))


def _input_files(project: Project, session: SessionSpec) -> tuple[str, ...] | None:
    """The names of the input files, sorted; None if a pattern matches nothing."""
    found: set[str] = set()
    patterns = list(session.inputs)
    if session.function is not None:
        patterns.append(session.function.file)
    for pattern in patterns:
        matched = list(_files(project, pattern))
        if not matched:
            return None
        found.update(project.relative(path) for path in matched if path.is_file())
    return tuple(sorted(found))


def environment_digest(prepared: PreparedEnvironment) -> str:
    """All that the record of the environment says of what is in it, without what says only when it was looked at."""
    if prepared.directory is None:
        return digest(json.dumps(dump(prepared.interpreter)))
    from setlist.environment.state import read_state

    state = read_state(prepared.directory)
    if state is None:
        return os.urandom(8).hex()
    data = dump(state)
    for name in ("trace", "directory"):
        del data[name]
    data["contents"] = state.contents.packages
    return digest(json.dumps(data, sort_keys=True, default=str))


def _matches(root: Path, pattern: str) -> Iterable[Path]:
    import glob

    # not Path.glob: what '**' and a dot at the start mean there differs between the Pythons we run on
    for match in glob.iglob(os.path.join(glob.escape(str(root)), pattern), recursive=True):
        yield Path(os.path.normpath(match))


def _files(project: Project, pattern: str) -> Iterable[Path]:
    """The files that a glob means: a directory stands for all that is in it."""
    for path in _matches(project.root, pattern):
        if _NEVER_INPUTS.intersection(Path(project.relative(path)).parts):
            continue
        if not path.is_dir():
            yield path
            continue
        for directory, inner, names in os.walk(path):
            inner[:] = [name for name in inner if name not in _NEVER_INPUTS]
            for name in names:
                yield Path(directory, name)
