"""Bring the lock files up to date: only those whose inputs changed, side by side, each written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from setlist.environment import guard
from setlist.environment.installers import InstallerSettings
from setlist.environment.names import normalised
from setlist.environment.pyproject import read_pyproject
from setlist.errors import ConfigurationError, LockOutOfDate, ResolutionFailed, SetlistError, StorageError
from setlist.files import write_atomically
from setlist.lock.document import LockDocument, compose, unhashed_names, versions_of
from setlist.lock.files import LockStatus, lock_path, standing_of
from setlist.lock.inputs import LockInputs, lock_inputs
from setlist.lock.local import absolute
from setlist.lock.moves import Move, moves_between
from setlist.lock.resolve import Answer, Wish, resolve
from setlist.model import SessionSpec, Settings
from setlist.project import Project
from setlist.sidebyside import side_by_side

GUARD = ".lock-files"
"""No session can be called so: names don't begin with a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWish:
    """What is wanted of all locks.

    ``upgrade``: everything may move; ``packages`` (``name`` or ``name==version``): these may; ``check``: change
    nothing, only tell; ``offline``: ask no network.
    """

    upgrade: bool = False
    packages: tuple[str, ...] = ()
    check: bool = False
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """What came of one session's lock.

    ``current``: it was, and wasn't touched; ``written``: it is now; ``outdated``: it would have been written,
    had it not only been asked about; ``failed``: ``error`` says why, and the old one is as it was; ``none``: the
    session has nothing to lock.
    """

    session: str
    path: Path
    outcome: Literal["current", "written", "outdated", "failed", "none"]
    reasons: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    error: SetlistError | None = None
    unhashed: tuple[str, ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    session: SessionSpec
    inputs: LockInputs
    status: LockStatus


Progress = Callable[[int, int], None]
"""Told how many resolutions are done, and of how many."""


def update_locks(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    wish: LockWish,
    progress: Progress,
) -> tuple[LockResult, ...]:
    """Make the sessions' locks current.

    Args:
        project: whose they are.
        settings: the project's.
        sessions: whose locks.
        installer: how to run the resolver; each session's index and dates are put in.
        wish: how much may move, and whether anything is written.
        progress: told how far it is.

    Returns:
        what came of each, in the order of ``sessions``.

    Raises:
        ConfigurationError: inputs that can't be read.
        StorageError: the lock directory can't be written.
    """
    if wish.check:
        return _update(project, settings, sessions, installer, wish, progress)
    project.prepare()
    with guard.exclusive(project, GUARD):
        return _update(project, settings, sessions, installer, wish, progress)


def _update(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    wish: LockWish,
    progress: Progress,
) -> tuple[LockResult, ...]:
    _refuse_shared_files(project, settings, sessions)
    pyproject = read_pyproject(project)
    jobs: dict[str, _Job] = {}
    results: dict[str, LockResult] = {}
    for session in sessions:
        path = lock_path(project, settings, session)
        if session.environment.backend == "none":
            results[session.name] = LockResult(session=session.name, path=path, outcome="none")
            continue
        inputs = lock_inputs(project, settings, session, pyproject)
        status = standing_of(project, settings, session, inputs)
        if status.standing == "current" and not wish.upgrade and not _concerned(status, wish.packages):
            body = status.document.body if status.document is not None else ""
            results[session.name] = LockResult(session=session.name, path=path, outcome="current", body=body)
        else:
            jobs[session.name] = _Job(session, inputs, status)
    answers = _resolved(project, settings, list(jobs.values()), installer, wish, progress)
    for name, job in jobs.items():
        results[name] = _settled(project, settings, job, answers[name], wish)
    return tuple(results[session.name] for session in sessions)


def _concerned(status: LockStatus, packages: Sequence[str]) -> bool:
    held = versions_of(status.known or "")
    return any(normalised(package.partition("==")[0].strip()) in held for package in packages)


def _resolved(
    project: Project,
    settings: Settings,
    jobs: Sequence[_Job],
    installer: InstallerSettings,
    wish: LockWish,
    progress: Progress,
) -> dict[str, Answer | Exception]:
    """Resolve for each job; those with equal inputs share one resolution."""
    groups: dict[str, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.inputs.digest, []).append(job)
    done = 0
    preferred = None
    if settings.lock_consistent and len(groups) > 1:
        preferred = _common(project, [group[0] for group in groups.values()], installer, wish)

    def task(group: list[_Job]) -> Callable[[], Answer]:
        def work() -> Answer:
            nonlocal done
            known = next((job.status.known for job in group if job.status.known is not None), None)
            session = group[0].session
            wished = Wish(
                previous=_merged(None if wish.upgrade else known, preferred, project),
                packages=wish.packages,
            )
            answer = resolve(
                project,
                session,
                group[0].inputs,
                replace(
                    installer,
                    index_url=session.environment.index_url,
                    exclude_newer=session.environment.exclude_newer,
                ),
                wished,
                standard=settings.lock_format == "pylock",
            )
            done += 1
            progress(done, len(groups))
            return answer

        return work

    if groups:
        progress(0, len(groups))
    # A resolver mostly waits: for the index, or for its cache. More than this many gain nothing.
    at_once = min(len(groups), max(4, 2 * (os.cpu_count() or 1)))
    outcomes = side_by_side([task(group) for group in groups.values()], at_once=at_once)
    return {
        job.session.name: outcome for group, outcome in zip(groups.values(), outcomes, strict=True) for job in group
    }


def _merged(known: str | None, preferred: str | None, project: Project) -> str | None:
    """The versions to prefer: those that all sessions could share first, then the session's own."""
    if preferred is None:
        return None if known is None else absolute(known, project.root)
    return preferred


def _common(project: Project, jobs: Sequence[_Job], installer: InstallerSettings, wish: LockWish) -> str | None:
    """One resolution of as many sessions' requirements together as allow it, in their order."""
    together: list[_Job] = []
    answer: Answer | None = None
    waiting = [list(jobs)]
    while waiting:
        candidates = waiting.pop(0)
        trial = [*together, *candidates]
        try:
            known = None if wish.upgrade else _known(trial)
            answer = resolve(
                project,
                replace(
                    trial[0].session,
                    environment=replace(trial[0].session.environment, resolution="highest"),
                ),
                _union([job.inputs for job in trial]),
                installer,
                Wish(previous=None if known is None else absolute(known, project.root), packages=wish.packages),
            )
        except ResolutionFailed:
            if len(candidates) > 1:
                # Halves, the first before the second: whatever fits is found in few attempts
                middle = len(candidates) // 2
                waiting = [candidates[:middle], candidates[middle:], *waiting]
            continue
        together = trial
    return None if answer is None else absolute(answer.body, project.root)


def _known(jobs: Sequence[_Job]) -> str | None:
    bodies = [job.status.known for job in jobs if job.status.known]
    return bodies[0] if bodies else None


def _union(inputs: Sequence[LockInputs]) -> LockInputs:
    from setlist.environment.requirements import Requirements

    requirements = Requirements()
    for one in inputs:
        requirements.lines += [line for line in one.requirements.lines if line not in requirements.lines]
        requirements.files += [path for path in one.requirements.files if path not in requirements.files]
        requirements.constraints += [
            path for path in one.requirements.constraints if path not in requirements.constraints
        ]
        requirements.project_line = requirements.project_line or one.requirements.project_line
        requirements.project_names = requirements.project_names or one.requirements.project_names
    oldest = min((one.python for one in inputs), key=lambda version: tuple(map(int, version.split("."))))
    return LockInputs({}, requirements, oldest, None, ())


def _settled(project: Project, settings: Settings, job: _Job, answer: Answer | Exception, wish: LockWish) -> LockResult:
    """Write what was found, unless it is what is there already, or nothing is to be written."""
    name, path = job.session.name, job.status.path
    result = LockResult(session=name, path=path, outcome="failed", reasons=job.status.reasons)
    if isinstance(answer, SetlistError):
        return replace(result, error=answer)
    if isinstance(answer, Exception):
        raise answer
    try:
        document, text = _rendered(job, answer)
    except SetlistError as error:
        return replace(result, error=error)
    unhashed = unhashed_names(document.body)
    result = replace(
        result,
        moves=moves_between(name, job.status.known, document.body),
        unhashed=unhashed,
        body=document.body,
    )
    if unhashed and settings.require_hashes:
        refused = LockOutOfDate(
            f"no hash can be had for {', '.join(unhashed)}, and require-hashes is set",
            hint="require released versions instead, or drop require-hashes",
        )
        return replace(result, error=refused)
    try:
        there = path.read_text(encoding="utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError):
        there = None
    if there == text:
        return replace(result, outcome="current", reasons=())
    if wish.check:
        return replace(result, outcome="outdated")
    try:
        write_atomically(path, text)
    except OSError as error:
        raise StorageError(
            f"can't write {project.relative(path)}: {error.strerror or error}",
            hint="lock files belong to the project: make their directory writable",
        ) from error
    return replace(result, outcome="written")


def _rendered(job: _Job, answer: Answer) -> tuple[LockDocument, str]:
    inputs = job.inputs
    document = LockDocument(
        session=job.session.name,
        python=inputs.only or f">={inputs.python}",
        platforms=", ".join(inputs.platforms) or "all",
        inputs=inputs.values,
        body=answer.body,
    )
    if answer.standard is None:
        return document, compose(document)
    from setlist.lock.pylock import compose_pylock, requirements_in

    if any(line.startswith(("./", "../", "-e ")) for line in answer.body.splitlines()):
        raise LockOutOfDate(
            "a pylock file can't hold the project's local directories so that they are found again",
            hint='lock-format = "requirements" can',
        )
    document = replace(document, body=requirements_in(answer.standard))
    return document, compose_pylock(document, answer.standard)


def _refuse_shared_files(project: Project, settings: Settings, sessions: Sequence[SessionSpec]) -> None:
    seen: dict[str, str] = {}
    for session in sessions:
        path = lock_path(project, settings, session)
        other = seen.setdefault(str(path).casefold(), session.name)
        if other != session.name:
            raise ConfigurationError(
                f"{other!r} and {session.name!r} would have one lock file, {project.relative(path)}",
                hint="rename one of them: a pylock file's name can hold no dot",
            )
