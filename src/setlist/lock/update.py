"""Bring the lock files up to date: only those whose inputs changed, side by side, each written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from setlist.core.errors import ConfigurationError, SetlistError
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.environment import locking
from setlist.environment.installers import InstallerSettings
from setlist.environment.names import normalised
from setlist.environment.pyproject import read_pyproject
from setlist.lock.consistent import common_versions
from setlist.lock.document import preferences, versions_of
from setlist.lock.inputs import Gathered, LockInputs, lock_inputs
from setlist.lock.lock_files import LockStatus, lock_directory, lock_name, lock_path, standing_of
from setlist.lock.resolve import LockResolution, ResolveOptions, kept_commits, resolve
from setlist.lock.write import Job, LockResult, PendingLock, judged, left_alone, unwritable, written
from setlist.process.threads import run_in_threads

GUARD = ".lock-files"
"""No session can be called so: names don't begin with a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """What is wanted of all locks.

    ``upgrade``: everything may move; ``packages`` (``name`` or ``name==version``): these may; ``check``: change
    nothing, only tell; ``offline``: ask no network.
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
"""Told how many resolutions are done, and of how many."""


def update_locks(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    wish: LockOptions,
    progress: Progress,
    *,
    beside: Sequence[SessionSpec] = (),
    waiting: Callable[[], None] | None = None,
) -> tuple[LockResult, ...]:
    """Make the sessions' locks current.

    Args:
        project: whose they are.
        settings: the project's.
        sessions: whose locks.
        installer: how to run the resolver; each session's index and dates are put in.
        wish: how much may move, and whether anything is written.
        progress: told how far it is.
        beside: the project's other sessions, whose locks stay as they are.
        waiting: called once when another ``setlist lock`` has to be waited for.

    Returns:
        what came of each, in the order of ``sessions``.

    Raises:
        ConfigurationError: inputs that can't be read.
        StorageError: the lock directory can't be used.
    """
    _refuse_shared_files(project, settings, (*sessions, *beside))
    if wish.check:
        return _update(project, settings, sessions, installer, wish, progress, beside)
    project.prepare()
    with locking.exclusive(project, GUARD, waiting):
        return _update(project, settings, sessions, installer, wish, progress, beside)


def _update(
    project: Project,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    wish: LockOptions,
    progress: Progress,
    beside: Sequence[SessionSpec],
) -> tuple[LockResult, ...]:
    looked_at = _looked_at(project, settings, sessions)
    jobs = {name: job for name, job in looked_at.items() if job.status.state != "current" or _asked_for(job, wish)}
    if settings.lock_consistent and jobs:
        jobs = looked_at  # what one session needs may be what another could have as well
    if jobs and not wish.check:
        _see_that_it_is_writable(project, settings)
    others = [job.status for name, job in looked_at.items() if name not in jobs]
    if settings.lock_consistent and jobs:
        others += [job.status for job in _looked_at(project, settings, beside).values()]
    answers = _resolved(project, settings, list(jobs.values()), others, installer, wish, progress)
    results: list[LockResult] = []
    for session in sessions:
        job = looked_at.get(session.name)
        if job is None:
            path = lock_path(project, settings, session)
            results.append(LockResult(session=session.name, path=path, outcome="none"))
        elif session.name in jobs:
            found = answers[session.name]
            results.append(found.result if wish.check else written(project, found))
        else:
            results.append(left_alone(settings, job))
    return tuple(results)


def _looked_at(project: Project, settings: Settings, sessions: Sequence[SessionSpec]) -> dict[str, Job]:
    """How each session's lock stands; those without an environment of their own have none."""
    pyproject = read_pyproject(project)
    gathered: Gathered = {}
    found: dict[str, Job] = {}
    for session in sessions:
        if session.environment.backend != "none":
            inputs = lock_inputs(project, settings, session, pyproject, gathered)
            found[session.name] = Job(session, inputs, standing_of(project, settings, session, inputs))
    return found


def _asked_for(job: Job, wish: LockOptions) -> bool:
    if wish.upgrade or not wish.packages:
        return wish.upgrade
    # The project's own name stands for what it requires: a backend may have come to say something else
    held = {*versions_of(job.status.known or ""), *job.inputs.requirements.project_names}
    return bool(wish.names & held)


def _resolved(
    project: Project,
    settings: Settings,
    jobs: Sequence[Job],
    others: Sequence[LockStatus],
    installer: InstallerSettings,
    wish: LockOptions,
    progress: Progress,
) -> dict[str, PendingLock]:
    """Resolve for each job; those with equal inputs share one resolution."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.inputs.digest, []).append(job)
    # Locks that are current and were made from the same: what they hold is the answer, where it is still to be had
    twins = {_digest(status): status.known for status in others if status.state == "current"}
    common: Mapping[str, str] = {}
    if settings.lock_consistent and (len(groups) > 1 or others):
        known = [] if wish.upgrade else [job.status.known for job in jobs]
        previous = preferences(*filter(None, [*known, *(status.known for status in others)]))
        members = [(group[0].session, group[0].inputs) for group in groups.values()]
        common = common_versions(project, members, installer, ResolveOptions(previous=previous, packages=wish.packages))
    done = count(1)

    def task(digest: str, group: Sequence[Job]) -> Callable[[], list[PendingLock]]:
        session, inputs = group[0].session, group[0].inputs

        def work() -> list[PendingLock]:
            previous: str | None = None
            commits: tuple[str, ...] = ()
            if not wish.upgrade:
                first = next((job.status for job in group if job.status.known is not None), group[0].status)
                previous = first.known or twins.get(digest)
                if previous is not None and first.document is not None:
                    commits = kept_commits(previous, first.document.inputs, inputs, wish.names)
            configured = replace(
                installer,
                index_url=session.environment.index_url,
                exclude_newer=session.environment.exclude_newer,
            )
            wished = ResolveOptions(
                previous=common.get(session.name, previous), packages=wish.packages, commits=commits
            )
            answer: LockResolution | SetlistError
            try:
                answer = resolve(
                    project,
                    inputs,
                    configured,
                    wished,
                    resolution=session.environment.resolution,
                    standard=settings.lock_format == "pylock",
                )
            except SetlistError as error:
                answer = error
            # here and not when all are resolved: other resolvers work meanwhile
            found = [judged(settings, job, answer) for job in group]
            progress(next(done), len(groups))
            return found

        return work

    if groups:
        progress(0, len(groups))
    # A resolver mostly waits: for the index, or for its cache. More than this many gain nothing.
    at_once = min(len(groups), max(4, 2 * (os.cpu_count() or 1)))
    outcomes = run_in_threads([task(digest, group) for digest, group in groups.items()], at_once=at_once)
    found: dict[str, PendingLock] = {}
    for group, outcome in zip(groups.values(), outcomes, strict=True):
        if isinstance(outcome, Exception):
            raise outcome
        found |= {job.session.name: each for job, each in zip(group, outcome, strict=True)}
    return found


def _digest(status: LockStatus) -> str:
    assert status.document is not None
    return LockInputs.digest_of(status.document.inputs)


def _see_that_it_is_writable(project: Project, settings: Settings) -> None:
    """Before anything is resolved, which may take long."""
    directory = lock_directory(project, settings)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(project, directory, error) from error


def _refuse_shared_files(project: Project, settings: Settings, sessions: Sequence[SessionSpec]) -> None:
    seen: dict[str, str] = {}
    for session in sessions:
        other = seen.setdefault(lock_name(settings, session).casefold(), session.name)
        if other != session.name:
            path = lock_path(project, settings, session)
            raise ConfigurationError(
                f"{other!r} and {session.name!r} would have one lock file, {project.relative(path)}",
                hint="rename one of them: a pylock file's name can hold no dot",
            )
