"""Make locks from installed environments: the installed versions, with the hashes of the index.

The metadata of an installed package contain neither the hashes of its files nor the files for other platforms. So the
requirements are resolved again, constrained to the installed versions.
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
from setlist.environment.prepare import Environments
from setlist.environment.pyproject import read_pyproject
from setlist.environment.requirement_lines import normalised
from setlist.environment.state import read_state
from setlist.environment.virtualenv import site_packages
from setlist.lock.document import pins_of
from setlist.lock.inputs import lock_inputs
from setlist.lock.lock_files import lock_status
from setlist.lock.resolve import LockResolution, ResolveOptions, kept_commits, resolve
from setlist.lock.targets import Target, here
from setlist.lock.update import GUARD, Job, LockResult, Progress, pending_lock, write_lock
from setlist.process.threads import run_in_threads


@dataclass(frozen=True, slots=True)
class FrozenLock:
    """The result for one session's lock. ``differences``: what is installed and not locked like that."""

    result: LockResult
    differences: tuple[str, ...] = ()


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
    """Lock the installed versions.

    Args:
        project: the project of the sessions.
        settings: the settings of the project.
        environments: the environments of the project, ignoring lock files: these are about to be replaced.
        sessions: the sessions to lock; each has an environment of its own.
        installer: how to run the resolver; each session's index and date are added.
        progress: called after each resolution.

    Returns:
        the results, in the order of ``sessions``.

    Raises:
        SessionError: an environment is missing, unfinished, or not up to date. Nothing is written then.
        ConfigurationError: inputs can't be read.
        StorageError: the operating-system lock can't be taken.
    """
    pyproject = read_pyproject(project)
    for session in sessions:
        _check_environment(environments, session)
    project.prepare()
    with locking.exclusive(project, GUARD):
        frozen = []
        for session in sessions:
            inputs = lock_inputs(project, settings, session, pyproject)
            job = Job(session, inputs, lock_status(project, settings, session, inputs))
            frozen.append(_installed(project, job))
        done = 0

        def task(one: _Frozen) -> Callable[[], tuple[LockResolution, bool]]:
            def work() -> tuple[LockResolution, bool]:
                nonlocal done
                outcome = _resolved(project, settings, one, installer)
                done += 1
                progress(done, len(frozen))
                return outcome

            return work

        progress(0, len(frozen))
        outcomes = run_in_threads([task(one) for one in frozen], at_once=min(len(frozen), 4))
        return tuple(_written(project, settings, one, outcome) for one, outcome in zip(frozen, outcomes, strict=True))


def _check_environment(environments: Environments, session: SessionSpec) -> None:
    explanation = environments.explain(session)
    makes = f"'run {session.name}' makes it"
    if explanation.state == "missing":
        raise SessionError(f"{session.name} has no finished environment", hint=makes)
    if explanation.state == "unfinished":
        raise SessionError(f"{session.name}: its environment is unfinished", hint=f"{makes} anew")
    # The lock itself may have changed: it is about to be written
    changed = [change.name for change in explanation.inputs if change.changed and change.name != "lock"]
    if changed or explanation.notes:
        reasons = [*explanation.notes, *(f"{name} changed" for name in changed)]
        raise SessionError(
            f"{session.name}: its environment isn't what it was made to be: {', '.join(reasons)}",
            hint=f"'run {session.name}' makes it right; what was installed by hand belongs into deps",
        )


def _installed(project: Project, job: Job) -> _Frozen:
    directory = project.environment(job.session.name)
    with locking.shared(project, job.session.name):
        state = read_state(directory)
        if state is None:
            raise SessionError(f"{job.session.name} has no finished environment")
        items = installed(site_packages(directory))
    own = set(job.inputs.requirements.project_names)
    if "pip" not in job.inputs.requirements.direct:
        own.add("pip")  # part of the environment, not a requirement
    packages = tuple(item for item in items if normalised(item.name) not in own)
    return _Frozen(job, packages, here(state.interpreter, state.interpreter.version))


def _resolved(
    project: Project, settings: Settings, one: _Frozen, installer: InstallerSettings
) -> tuple[LockResolution, bool]:
    """A resolution with the installed versions, and whether it has them on every platform and Python."""
    spec, inputs = one.job.session.environment, one.job.inputs
    commits = "".join(
        f"{normalised(item.name)} @ {item.url}@{item.revision}\n" for item in one.items if item.url and item.revision
    )
    options = ResolveOptions(
        previous="".join(f"{line}\n" for line in _lines(one.items, "")),
        commits=kept_commits(commits, inputs.values, inputs, ()),
    )
    settings_of_session = replace(installer, index_url=spec.index_url, exclude_newer=spec.exclude_newer)
    with temporary_directory() as scratch:

        def resolved(marker: str) -> LockResolution:
            file = scratch / f"installed{'-here' if marker else ''}.txt"
            write_atomically(file, "".join(f"{line}\n" for line in _lines(one.items, marker)))
            requirements = inputs.requirements
            constrained = replace(requirements, constraints=[*requirements.constraints, file])
            return resolve(
                project,
                replace(inputs, requirements=constrained),
                settings_of_session,
                options,
                resolution=spec.resolution,
                standard=settings.lock_format == "pylock",
            )

        try:
            return resolved(""), True
        except ResolutionFailed:
            # For example, an installed version that doesn't support another Python that the lock covers
            return resolved(_marker(one.target)), False


def _written(
    project: Project, settings: Settings, one: _Frozen, outcome: tuple[LockResolution, bool] | Exception
) -> FrozenLock:
    if isinstance(outcome, SetlistError):
        return FrozenLock(pending_lock(settings, one.job, outcome).result)
    if isinstance(outcome, Exception):
        raise outcome
    resolution, everywhere = outcome
    result = write_lock(project, pending_lock(settings, one.job, resolution))
    limited = [] if everywhere else [f"other platforms and Pythons than {one.target.label} get other versions"]
    return FrozenLock(result, (*limited, *_differences(one, resolution.body)))


def _differences(one: _Frozen, body: str) -> list[str]:
    """The installed packages that aren't in the lock, or not as installed."""
    locked = {pin.name: pin for pin in pins_of(body) if one.target.needs(pin.marker)}
    differences: list[str] = []
    for item in one.items:
        pin = locked.get(normalised(item.name))
        if item.path is not None:
            continue  # the lock has a local directory by its path
        if pin is None:
            differences.append(f"{item.name} {item.version}: nothing that the session declares asks for it")
        elif pin.version is not None and pin.version != item.version:
            differences.append(f"{item.name} {item.version}: locked as {pin.version}")
        elif item.revision is not None and item.revision not in (pin.url or ""):
            differences.append(f"{item.name} at {item.revision}: locked as {pin.url or pin.version}")
    return differences


def _lines(items: Sequence[Installed], marker: str) -> list[str]:
    return [f"{item.name}=={item.version}{marker}" for item in items if item.url is None]


def _marker(target: Target) -> str:
    return (
        f" ; sys_platform == '{target.system}' and platform_machine == '{target.machine}'"
        f" and implementation_name == '{target.implementation}' and python_version == '{target.python}'"
    )
