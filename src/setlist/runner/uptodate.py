"""Skip a session with ``inputs`` if nothing changed since it passed.

It is skipped if it passed last time in the same environment, with the same commands, posargs and variables, its input
files have the same contents, and its outputs exist. Whether its environment is out of date is decided in
:mod:`setlist.environment.plan`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from setlist.core.files import write_atomically
from setlist.core.fingerprint import digest, stat_signature
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.core.records import DecodeError, dataclass, dump, dumps, loads
from setlist.environment.prepared import PreparedEnvironment

FORMAT = 1
_NEVER_INPUTS = frozenset({".git", ".setlist", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Record:
    """What a session that passed was a function of.

    ``key`` is a digest of what it runs, ``environment`` one of what it runs in; ``files`` maps each
    input file, relative to the root, to its stat signature and the digest of what it holds.
    """

    key: str
    environment: str
    files: dict[str, tuple[str, str]]


def record_of(
    project: Project,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    what: Mapping[str, Any],
    known: Record | None,
) -> Record | None:
    """The record that the session would leave if it passed now; None where it can't have one.

    Args:
        project: whose session it is.
        session: it declares ``inputs``.
        prepared: its environment.
        what: all that it runs, expanded, as JSON data.
        known: the last record: files whose stat signatures are in it aren't read again.

    Returns:
        None when one of the patterns matches nothing: more likely a slip than a session without inputs.
    """
    files: dict[str, tuple[str, str]] = {}
    patterns = list(session.inputs)
    if session.function is not None:
        patterns.append(session.function.file)
    for pattern in patterns:
        matched = list(_files(project, pattern))
        if not matched:
            return None
        for path in matched:
            name = project.relative(path)
            signature = stat_signature(path) if path.is_file() else None
            if name in files or signature is None:
                continue
            before = known.files.get(name) if known is not None else None
            if before is not None and before[0] == signature:
                files[name] = before
            else:
                try:
                    files[name] = (signature, digest(path.read_bytes()))
                except OSError:
                    return None
    key = digest(json.dumps(what, sort_keys=True, default=str))
    return Record(key, environment_digest(prepared), files)


def is_up_to_date(now: Record | None, last: Record | None, project: Project, session: SessionSpec) -> bool:
    """Whether running the session would change nothing."""
    if now is None or last is None or now.key != last.key or now.environment != last.environment:
        return False
    if {name: held for name, (_, held) in now.files.items()} != {name: held for name, (_, held) in last.files.items()}:
        return False
    return all(any(True for _ in _matches(project.root, pattern)) for pattern in session.outputs)


def read_record(project: Project, session: str) -> Record | None:
    """The record of the session's last pass; None where there is none that can be understood."""
    try:
        return loads(Record, _place(project, session).read_bytes(), FORMAT)
    except (OSError, DecodeError):
        return None


def write_record(project: Project, session: str, record: Record) -> None:
    """Keep a record. A disk that doesn't take it only costs a run that wasn't needed."""
    from contextlib import suppress

    with suppress(OSError):
        write_atomically(_place(project, session), dumps(record, FORMAT))


def forget_record(project: Project, session: str) -> None:
    """Before the session runs: should it fail or be killed, it isn't up to date."""
    from contextlib import suppress

    with suppress(OSError):
        _place(project, session).unlink(missing_ok=True)


def _place(project: Project, session: str) -> Path:
    return project.state / "uptodate" / f"{session}.json"


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
