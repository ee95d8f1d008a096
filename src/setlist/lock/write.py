"""What becomes of one session's lock: written whole, left as it is, or only told about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from setlist.core.errors import LockOutOfDate, SetlistError, StorageError
from setlist.core.files import read_text, write_atomically
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.lock.diff import VersionChange, moves_between
from setlist.lock.document import LockDocument, MalformedLine, checked_body, compose, unhashed_names
from setlist.lock.inputs import LockInputs
from setlist.lock.lock_files import LockStatus
from setlist.lock.resolve import LockResolution


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """What came of one session's lock.

    ``current``: it was, and wasn't touched; ``written``: it is now; ``outdated``: it would have been written,
    had it not only been asked about; ``failed``: ``error`` says why, and the old one is as it was; ``none``: the
    session has nothing to lock. ``body`` is what the lock holds, or would.
    """

    session: str
    path: Path
    outcome: Literal["current", "written", "outdated", "failed", "none"]
    reasons: tuple[str, ...] = ()
    moves: tuple[VersionChange, ...] = ()
    error: SetlistError | None = None
    unhashed: tuple[str, ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A session, what its lock is to be made from, and how it stands."""

    session: SessionSpec
    inputs: LockInputs
    status: LockStatus


def left_alone(settings: Settings, job: Job) -> LockResult:
    """The result for a lock that is current."""
    assert job.status.document is not None
    body = job.status.document.body
    result = LockResult(session=job.session.name, path=job.status.path, outcome="current", body=body)
    return _refused(result, unhashed_names(body)) if settings.require_hashes and unhashed_names(body) else result


def _refused(result: LockResult, unhashed: tuple[str, ...]) -> LockResult:
    refusal = LockOutOfDate(
        f"no hash can be had for {', '.join(unhashed)}, and require-hashes is set",
        hint="require released versions instead, or drop require-hashes",
    )
    return replace(result, outcome="failed", error=refusal)


@dataclass(frozen=True, slots=True)
class PendingLock:
    """What is to become of a session's lock: what would be told of it, and the ``text`` to write, if any."""

    result: LockResult
    text: str | None = None


def judged(settings: Settings, job: Job, answer: LockResolution | SetlistError) -> PendingLock:
    """What was found beside what is there. Writes nothing."""
    name, path = job.session.name, job.status.path
    result = LockResult(session=name, path=path, outcome="failed", reasons=job.status.reasons)
    if isinstance(answer, SetlistError):
        answer.hint = answer.hint or _hint(job, answer.detail or "")
        return PendingLock(replace(result, error=answer))
    try:
        document, text = _rendered(job, answer)
    except SetlistError as error:
        return PendingLock(replace(result, error=error))
    unhashed = unhashed_names(document.body)
    if unhashed and settings.require_hashes:
        return PendingLock(_refused(result, unhashed))
    moves = moves_between(name, job.status.known, document.body)
    result = replace(result, moves=moves, unhashed=unhashed, body=document.body)
    try:
        there = read_text(path) if path.is_file() else None
    except (OSError, ValueError):
        there = None
    if there == text:
        return PendingLock(replace(result, outcome="current", reasons=()))
    return PendingLock(replace(result, outcome="outdated"), text)


def written(project: Project, found: PendingLock) -> LockResult:
    """Write what is to be written."""
    result = found.result
    if found.text is None:
        return result
    try:
        write_atomically(result.path, found.text)
    except OSError as error:
        return replace(result, outcome="failed", error=unwritable(project, result.path, error))
    return replace(result, outcome="written")


def _hint(job: Job, words: str) -> str | None:
    """What to do where a lock is for more Pythons than what is asked for runs on."""
    needed = re.search(r"(?:not satisfy|depends on|requires)\s+Python\s*(>=[\d.]*\d)", words)
    if needed is None or job.inputs.only is not None:
        return None
    return f'its lock is for python >={job.inputs.python}; python = "{needed[1]}" in the session narrows that'


def _rendered(job: Job, answer: LockResolution) -> tuple[LockDocument, str]:
    inputs = job.inputs
    try:
        body = checked_body(answer.body)
    except MalformedLine as error:
        raise LockOutOfDate(f"a lock can't hold what the resolver answered: {error}") from error
    document = LockDocument(
        session=job.session.name,
        python=inputs.only or f">={inputs.python}",
        platforms=", ".join(inputs.platforms) or "all",
        inputs=inputs.values,
        body=body,
    )
    if answer.standard is None:
        return document, compose(document)
    from setlist.lock.pylock import compose_pylock, requirements_in

    document = replace(document, body=requirements_in(answer.standard))
    return document, compose_pylock(document, answer.standard)


def unwritable(project: Project, path: Path, error: OSError) -> StorageError:
    """What is told when a lock, or the directory of the locks, can't be written."""
    return StorageError(
        f"can't write {project.relative(path)}: {error.strerror or error}",
        hint="lock files belong to the project: make their directory writable",
    )
