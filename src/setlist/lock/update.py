"""Bring lock files up to date: resolve those whose inputs changed, in parallel, and write each whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from setlist.core.errors import ConfigurationError, LockOutOfDate, SetlistError, StorageError
from setlist.core.files import read_text, write_atomically
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.engine.world import World
from setlist.environment import locking
from setlist.environment.installers import InstallerSettings
from setlist.environment.pyproject import read_pyproject
from setlist.environment.requirement_lines import normalised
from setlist.lock.document import (
    LockDocument,
    MalformedLine,
    VersionChange,
    checked_body,
    compose,
    preferences,
    unhashed_names,
    version_changes,
    versions_of,
)
from setlist.lock.inputs import Gathered, LockInputs, lock_inputs
from setlist.lock.lock_files import LockStatus, lock_directory, lock_name, lock_path, lock_status, look_at_places
from setlist.lock.resolve import LockResolution, ResolveOptions, common_versions, kept_commits, resolve
from setlist.process.threads import run_in_threads

GUARD = ".lock-files"
"""The name of the operating-system lock. No session can have it: names don't begin with a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """Options for all locks.

    ``upgrade``: every version may change; ``packages`` (``name`` or ``name==version``): these may; ``check``: report,
    and write nothing; ``offline``: don't access the network.
    """

    upgrade: bool = False
    packages: tuple[str, ...] = ()
    check: bool = False
    offline: bool = False

    @property
    def names(self) -> set[str]:
        """The normalised names in ``packages``."""
        return {normalised(package.partition("==")[0].partition("[")[0].strip()) for package in self.packages}


Progress = Callable[[int, int], None]
"""Called with the number of finished resolutions, and their total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """The result for one session's lock.

    ``current``: unchanged; ``written``: changed; ``outdated``: it would be written, but this was only a check;
    ``failed``: unchanged because of ``error``; ``none``: the session has no environment to lock. ``body`` is the
    content of the lock, or would be.
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
    """A session with the inputs of its lock and the status of its lock file."""

    session: SessionSpec
    inputs: LockInputs
    status: LockStatus


@dataclass(frozen=True, slots=True)
class PendingLock:
    """A lock that isn't written yet: the ``result`` to report, and the ``text`` to write, if any."""

    result: LockResult
    text: str | None = None


def update_locks(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    options: LockOptions,
    progress: Progress,
    *,
    beside: Sequence[SessionSpec] = (),
    waiting: Callable[[], None] | None = None,
    world: World | None = None,
) -> tuple[LockResult, ...]:
    """Make the locks of sessions current.

    Args:
        project: the project of the sessions.
        settings: the settings of the project.
        sessions: the sessions to lock.
        installer: how to run the resolver; each session's index and dates are added.
        options: which versions may change, and whether to write.
        progress: called after each resolution.
        beside: the other sessions of the project, whose locks don't change.
        waiting: called once if another ``setlist lock`` is running.
        world: records what is read for a check.

    Returns:
        the results, in the order of ``sessions``.

    Raises:
        ConfigurationError: inputs can't be read.
        StorageError: the lock directory can't be used.
    """
    _refuse_shared_files(project, settings, (*sessions, *beside))
    if options.check:
        return _update(project, settings, sessions, installer, options, progress, beside, world)
    project.prepare()
    with locking.exclusive(project, GUARD, waiting):
        return _update(project, settings, sessions, installer, options, progress, beside)


def _update(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    options: LockOptions,
    progress: Progress,
    beside: Sequence[SessionSpec],
    world: World | None = None,
) -> tuple[LockResult, ...]:
    candidates = _jobs(project, settings, sessions, world)
    jobs = {name: job for name, job in candidates.items() if job.status.state != "current" or _may_move(job, options)}
    if settings.lock_consistent and jobs:
        jobs = candidates  # a version that one session needs may suit the others too
    if jobs and not options.check:
        _make_directory(project, settings)
    others = [job.status for name, job in candidates.items() if name not in jobs]
    if settings.lock_consistent and jobs:
        others += [job.status for job in _jobs(project, settings, beside).values()]
    pending = _resolved(project, settings, list(jobs.values()), others, installer, options, progress)
    results: list[LockResult] = []
    for session in sessions:
        job = candidates.get(session.name)
        if job is None:
            path = lock_path(project, settings, session)
            results.append(LockResult(session=session.name, path=path, outcome="none"))
        elif session.name in jobs:
            lock = pending[session.name]
            results.append(lock.result if options.check else write_lock(project, lock))
        else:
            results.append(_unchanged(settings, job))
    return tuple(results)


def _jobs(
    project: Project, settings: Settings, sessions: Sequence[SessionSpec], world: World | None = None
) -> dict[str, Job]:
    """A job for each session with an environment of its own."""
    pyproject = read_pyproject(project, world)
    directory = lock_directory(project, settings)
    read = None if world is None else world.read
    if world is not None:
        look_at_places(project, settings, world)
    gathered = Gathered()
    jobs: dict[str, Job] = {}
    for session in sessions:
        if session.environment.backend != "none":
            inputs = lock_inputs(project, settings, session, pyproject, gathered, world)
            status = lock_status(project, settings, session, inputs, directory, read)
            jobs[session.name] = Job(session, inputs, status)
    return jobs


def _may_move(job: Job, options: LockOptions) -> bool:
    """Whether the options allow versions of a current lock to change."""
    if options.upgrade or not options.packages:
        return options.upgrade
    # The project's own name stands for its requirements: its backend may report others now
    names = {*versions_of(job.status.preferred or ""), *job.inputs.requirements.project_names}
    return bool(options.names & names)


def _resolved(
    project: Project,
    settings: Settings,
    jobs: Sequence[Job],
    others: Sequence[LockStatus],
    installer: InstallerSettings,
    options: LockOptions,
    progress: Progress,
) -> dict[str, PendingLock]:
    """Resolve for each job; jobs with equal inputs share one resolution."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.inputs.digest, []).append(job)
    # The versions of a current lock with the same inputs are preferred
    twins = {_digest(status): status.preferred for status in others if status.state == "current"}
    common: Mapping[str, str] = {}
    if settings.lock_consistent and (len(groups) > 1 or others):
        present = [] if options.upgrade else [job.status.preferred for job in jobs]
        previous = preferences(*filter(None, [*present, *(status.preferred for status in others)]))
        members = [(group[0].session, group[0].inputs) for group in groups.values()]
        common = common_versions(
            project, members, installer, ResolveOptions(previous=previous, packages=options.packages)
        )
    done = count(1)

    def task(digest: str, group: Sequence[Job]) -> Callable[[], list[PendingLock]]:
        session, inputs = group[0].session, group[0].inputs

        def work() -> list[PendingLock]:
            previous: str | None = None
            commits: tuple[str, ...] = ()
            if not options.upgrade:
                first = next((job.status for job in group if job.status.preferred is not None), group[0].status)
                previous = first.preferred or twins.get(digest)
                if previous is not None and first.document is not None:
                    commits = kept_commits(previous, first.document.inputs, inputs, options.names)
            resolution: LockResolution | SetlistError
            try:
                resolution = resolve(
                    project,
                    inputs,
                    replace(
                        installer,
                        index_url=session.environment.index_url,
                        exclude_newer=session.environment.exclude_newer,
                    ),
                    ResolveOptions(
                        previous=common.get(session.name, previous), packages=options.packages, commits=commits
                    ),
                    resolution=session.environment.resolution,
                    standard=settings.lock_format == "pylock",
                )
            except SetlistError as error:
                resolution = error
            # In the thread and not at the end, since other resolvers run meanwhile
            locks = [pending_lock(settings, job, resolution) for job in group]
            progress(next(done), len(groups))
            return locks

        return work

    if groups:
        progress(0, len(groups))
    # A resolver mostly waits for the index or its cache: more threads gain nothing
    at_once = min(len(groups), max(4, 2 * (os.cpu_count() or 1)))
    outcomes = run_in_threads([task(digest, group) for digest, group in groups.items()], at_once=at_once)
    pending: dict[str, PendingLock] = {}
    for group, outcome in zip(groups.values(), outcomes, strict=True):
        if isinstance(outcome, Exception):
            raise outcome
        pending |= {job.session.name: lock for job, lock in zip(group, outcome, strict=True)}
    return pending


def _digest(status: LockStatus) -> str:
    assert status.document is not None
    return LockInputs.digest_of(status.document.inputs)


def _make_directory(project: Project, settings: Settings) -> None:
    """Make the lock directory before the resolution, which may take long."""
    directory = lock_directory(project, settings)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(project, directory, error) from error


def _refuse_shared_files(project: Project, settings: Settings, sessions: Sequence[SessionSpec]) -> None:
    names: dict[str, str] = {}
    for session in sessions:
        other = names.setdefault(lock_name(settings, session).casefold(), session.name)
        if other != session.name:
            path = lock_path(project, settings, session)
            raise ConfigurationError(
                f"{other!r} and {session.name!r} would have one lock file, {project.relative(path)}",
                hint="rename one of them: a pylock file's name can hold no dot",
            )


def pending_lock(settings: Settings, job: Job, resolution: LockResolution | SetlistError) -> PendingLock:
    """Compare a resolution with the lock file. Writes nothing."""
    name, path = job.session.name, job.status.path
    result = LockResult(session=name, path=path, outcome="failed", reasons=job.status.reasons)
    if isinstance(resolution, SetlistError):
        resolution.hint = resolution.hint or _python_hint(job, resolution.detail or "")
        return PendingLock(replace(result, error=resolution))
    try:
        document, text = _rendered(job, resolution)
    except SetlistError as error:
        return PendingLock(replace(result, error=error))
    unhashed = unhashed_names(document.body)
    if unhashed and settings.require_hashes:
        return PendingLock(_refused(result, unhashed))
    moves = version_changes(name, job.status.preferred, document.body)
    result = replace(result, moves=moves, unhashed=unhashed, body=document.body)
    try:
        present = read_text(path) if path.is_file() else None
    except (OSError, ValueError):
        present = None
    if present == text:
        return PendingLock(replace(result, outcome="current", reasons=()))
    return PendingLock(replace(result, outcome="outdated"), text)


def write_lock(project: Project, pending: PendingLock) -> LockResult:
    """Write a lock file, if it changed."""
    result = pending.result
    if pending.text is None:
        return result
    try:
        write_atomically(result.path, pending.text)
    except OSError as error:
        return replace(result, outcome="failed", error=_unwritable(project, result.path, error))
    return replace(result, outcome="written")


def _unchanged(settings: Settings, job: Job) -> LockResult:
    """The result for a lock that is current."""
    assert job.status.document is not None
    body = job.status.document.body
    result = LockResult(session=job.session.name, path=job.status.path, outcome="current", body=body)
    return _refused(result, unhashed_names(body)) if settings.require_hashes and unhashed_names(body) else result


def _refused(result: LockResult, unhashed: tuple[str, ...]) -> LockResult:
    error = LockOutOfDate(
        f"no hash can be had for {', '.join(unhashed)}, and require-hashes is set",
        hint="require released versions instead, or drop require-hashes",
    )
    return replace(result, outcome="failed", error=error)


def _python_hint(job: Job, explanation: str) -> str | None:
    """A hint for a lock that covers older Pythons than its requirements do."""
    needed = re.search(r"(?:not satisfy|depends on|requires)\s+Python\s*(>=[\d.]*\d)", explanation)
    if needed is None or job.inputs.only is not None:
        return None
    return f'its lock is for python >={job.inputs.python}; python = "{needed[1]}" in the session narrows that'


def _rendered(job: Job, resolution: LockResolution) -> tuple[LockDocument, str]:
    inputs = job.inputs
    try:
        body = checked_body(resolution.body)
    except MalformedLine as error:
        raise LockOutOfDate(f"a lock can't hold what the resolver answered: {error}") from error
    document = LockDocument(
        session=job.session.name,
        python=inputs.only or f">={inputs.python}",
        platforms=", ".join(inputs.platforms) or "all",
        inputs=inputs.values,
        body=body,
    )
    if resolution.standard is None:
        return document, compose(document)
    from setlist.lock.pylock import compose_pylock, requirements_in

    document = replace(document, body=requirements_in(resolution.standard))
    return document, compose_pylock(document, resolution.standard)


def _unwritable(project: Project, path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"can't write {project.relative(path)}: {error.strerror or error}",
        hint="lock files belong to the project: make their directory writable",
    )
