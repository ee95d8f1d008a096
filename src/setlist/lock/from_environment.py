"""Turn what is installed now into locks: the versions are the installed ones, the hashes the index's.

An installed package no longer knows the hashes of the files that it came from, and nothing of other platforms. So the
resolver is asked once more, and held to the installed versions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from setlist.core.errors import ResolutionFailed, SessionError, SetlistError
from setlist.core.files import temporary_directory, write_atomically
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, replace
from setlist.environment import locking
from setlist.environment.freeze import Installed, installed
from setlist.environment.installers import InstallerSettings
from setlist.environment.names import normalised
from setlist.environment.prepare import Environments
from setlist.environment.pyproject import read_pyproject
from setlist.environment.state import read_state
from setlist.environment.virtualenv import site_packages
from setlist.lock.document import pins_of
from setlist.lock.inputs import lock_inputs
from setlist.lock.lock_files import standing_of
from setlist.lock.resolve import LockResolution, ResolveOptions, kept_commits, resolve
from setlist.lock.targets import Target, here
from setlist.lock.update import GUARD, Progress
from setlist.lock.write import Job, LockResult, judged, written
from setlist.process.threads import run_in_threads


@dataclass(frozen=True, slots=True)
class FrozenLock:
    """What came of one session's lock, and what of its environment couldn't be locked as it is installed."""

    result: LockResult
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Frozen:
    job: Job
    items: tuple[Installed, ...]
    target: Target


def lock_environments(
    project: Project,
    settings: Settings,
    environments: Environments,
    sessions: Sequence[SessionSpec],
    installer: InstallerSettings,
    progress: Progress,
) -> tuple[FrozenLock, ...]:
    """Lock what is installed.

    Args:
        project: whose sessions they are.
        settings: the project's.
        environments: the project's, looking at no locks: those are about to be replaced.
        sessions: whose environments; each has one of its own.
        installer: how to run the resolver; each session's index and date are put in.
        progress: told how far it is.

    Returns:
        what came of each, in the order of ``sessions``.

    Raises:
        SessionError: an environment is missing, unfinished, or isn't what it was made to be. Nothing is written then.
        ConfigurationError: inputs that can't be read.
        StorageError: the locks can't be guarded.
    """
    pyproject = read_pyproject(project)
    for session in sessions:
        _see_that_it_is_right(environments, session)
    project.prepare()
    with locking.exclusive(project, GUARD):
        frozen = []
        for session in sessions:
            inputs = lock_inputs(project, settings, session, pyproject)
            job = Job(session, inputs, standing_of(project, settings, session, inputs))
            frozen.append(_look(project, job))
        done = 0

        def task(one: _Frozen) -> Callable[[], tuple[LockResolution, bool]]:
            def work() -> tuple[LockResolution, bool]:
                nonlocal done
                answer = _resolved(project, settings, one, installer)
                done += 1
                progress(done, len(frozen))
                return answer

            return work

        progress(0, len(frozen))
        answers = run_in_threads([task(one) for one in frozen], at_once=min(len(frozen), 4))
        return tuple(_settled(project, settings, one, answer) for one, answer in zip(frozen, answers, strict=True))


def _see_that_it_is_right(environments: Environments, session: SessionSpec) -> None:
    found = environments.explain(session)
    makes = f"'run {session.name}' makes it"
    if found.state == "missing":
        raise SessionError(f"{session.name} has no finished environment", hint=makes)
    if found.state == "unfinished":
        raise SessionError(f"{session.name}: its environment is unfinished", hint=f"{makes} anew")
    # another lock than it was made from is no matter: it is about to be written
    changed = [change.name for change in found.inputs if change.changed and change.name != "lock"]
    if changed or found.notes:
        what = [*found.notes, *(f"{name} changed" for name in changed)]
        raise SessionError(
            f"{session.name}: its environment isn't what it was made to be: {', '.join(what)}",
            hint=f"'run {session.name}' makes it right; what was installed by hand belongs into deps",
        )


def _look(project: Project, job: Job) -> _Frozen:
    directory = project.environment(job.session.name)
    with locking.shared(project, job.session.name):
        state = read_state(directory)
        if state is None:
            raise SessionError(f"{job.session.name} has no finished environment")
        items = installed(site_packages(directory))
    own = set(job.inputs.requirements.project_names)
    if "pip" not in job.inputs.requirements.direct:
        own.add("pip")  # the installer's own
    kept = tuple(item for item in items if normalised(item.name) not in own)
    return _Frozen(job, kept, here(state.interpreter, state.interpreter.version))


def _resolved(
    project: Project, settings: Settings, one: _Frozen, installer: InstallerSettings
) -> tuple[LockResolution, bool]:
    """The resolution that holds what is installed: everywhere, or else on this platform and Python only."""
    spec, inputs = one.job.session.environment, one.job.inputs
    commits = "".join(
        f"{normalised(item.name)} @ {item.url}@{item.revision}\n" for item in one.items if item.url and item.revision
    )
    wish = ResolveOptions(
        previous="".join(f"{line}\n" for line in _lines(one.items, "")),
        commits=kept_commits(commits, inputs.values, inputs, ()),
    )
    settings_of_session = replace(installer, index_url=spec.index_url, exclude_newer=spec.exclude_newer)
    with temporary_directory() as scratch:

        def held(marker: str) -> LockResolution:
            file = scratch / f"installed{'-here' if marker else ''}.txt"
            write_atomically(file, "".join(f"{line}\n" for line in _lines(one.items, marker)))
            wanted = inputs.requirements
            held_to = replace(wanted, constraints=[*wanted.constraints, file])
            return resolve(
                project,
                replace(inputs, requirements=held_to),
                settings_of_session,
                wish,
                resolution=spec.resolution,
                standard=settings.lock_format == "pylock",
            )

        try:
            return held(""), True
        except ResolutionFailed:
            # such as a version that there is for this Python, and not for another that the lock is for as well
            return held(_marker(one.target)), False


def _settled(
    project: Project, settings: Settings, one: _Frozen, answer: tuple[LockResolution, bool] | Exception
) -> FrozenLock:
    if isinstance(answer, SetlistError):
        return FrozenLock(judged(settings, one.job, answer).result)
    if isinstance(answer, Exception):
        raise answer
    result = written(project, judged(settings, one.job, answer[0]))
    left = [] if answer[1] else [f"other platforms and Pythons than {one.target.label} get other versions"]
    return FrozenLock(result, (*left, *_not_locked(one, answer[0].body)))


def _not_locked(one: _Frozen, body: str) -> list[str]:
    """What is installed and isn't in the lock as it is."""
    locked = {pin.name: pin for pin in pins_of(body) if one.target.needs(pin.marker)}
    found: list[str] = []
    for item in one.items:
        pin = locked.get(normalised(item.name))
        if item.path is not None:
            continue  # a local directory stands in the lock under its path
        if pin is None:
            found.append(f"{item.name} {item.version}: nothing that the session declares asks for it")
        elif pin.version is not None and pin.version != item.version:
            found.append(f"{item.name} {item.version}: locked as {pin.version}")
        elif item.revision is not None and item.revision not in (pin.url or ""):
            found.append(f"{item.name} at {item.revision}: locked as {pin.url or pin.version}")
    return found


def _lines(items: Sequence[Installed], marker: str) -> list[str]:
    return [f"{item.name}=={item.version}{marker}" for item in items if item.url is None]


def _marker(target: Target) -> str:
    return (
        f" ; sys_platform == '{target.system}' and platform_machine == '{target.machine}'"
        f" and implementation_name == '{target.implementation}' and python_version == '{target.python}'"
    )
