"""Do what was decided: resolve, make, sync, freeze, record. In that order, so that what can fail without
harm fails before anything is touched."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from setlist.core.errors import LockOutOfDate, SyncFailed
from setlist.core.files import delete_renamed, remove_tree, rename_aside, temporary_directory, write_atomically
from setlist.core.fingerprint import digest
from setlist.core.logins import Logins, refers_to_login
from setlist.core.model import Change, EnvironmentAction, Interpreter, SessionSpec
from setlist.core.records import dataclass, replace
from setlist.core.system import python_of
from setlist.environment import install_exact
from setlist.environment.context import EnvironmentContext
from setlist.environment.decision import Decision
from setlist.environment.hashes import newly_hashed
from setlist.environment.inputs import Evaluation
from setlist.environment.installers import (
    Installer,
    InstallerSettings,
    ResolveRequest,
    Uv,
    make_installer,
    uv_binary,
)
from setlist.environment.requirement_lines import normalised
from setlist.environment.requirements import logins_of
from setlist.environment.snapshot import compare, keep_caches_apart, look
from setlist.environment.state import State, Step, forget_state, spec_data, write_state
from setlist.environment.uv_sources import pins_with_indexes, write_for_uv
from setlist.environment.virtualenv import (
    create,
    creation_command,
    python_with_pip,
    seeds_of,
    site_packages,
)

RESOLVED = "resolved.txt"
"""What the environment was last synced to, kept in it: the resolution, and the project under test."""

# Inputs that say what is wanted. The others (where it lies, which build of the project) don't change
# what the requirements resolve to.
_NOT_RESOLVED = frozenset({"place", "interpreter", "interpreter's file", "python", "project", "project sources"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to an environment."""

    action: EnvironmentAction
    reasons: tuple[str, ...]
    changes: tuple[Change, ...]


def installer_for(
    context: EnvironmentContext,
    session: SessionSpec,
    interpreter: Interpreter,
    lock: int,
    logins: Logins | None = None,
) -> Installer:
    """The session's installer, with the session's index and the run's settings, under the environment's lock.

    ``logins`` are what variables in the requirements stand for.
    """
    spec = session.environment
    settings = InstallerSettings(
        environ=context.environ if logins is None else {**context.environ, **logins.environ},
        project=context.project,
        offline=context.offline,
        index_url=spec.index_url,
        exclude_newer=spec.exclude_newer,
        link_mode=spec.link_mode,
        locks=(lock,),
        find_links=context.find_links,
        progress=None if context.progress is None else context.progress(session.name),
    )

    def tool() -> Path:
        return python_with_pip(interpreter, cache_directory=context.cache, environ=context.environ)

    return make_installer(spec.installer, settings, tool)


def mend(
    context: EnvironmentContext,
    session: SessionSpec,
    directory: Path,
    old: State | None,
    evaluation: Evaluation,
    decision: Decision,
    *,
    upgrade: bool,
    lock: int,
) -> Outcome:
    """Make the environment what its inputs say.

    An environment that lay there before is left beside it, under another name: see
    :func:`setlist.core.files.remove_leftovers`.

    Args:
        context: the run's.
        session: whose environment.
        directory: the environment's.
        old: its record, None where it has none.
        evaluation: what it is and what it should be.
        decision: what to do about it.
        upgrade: resolve anew in any case.
        lock: the descriptor of its exclusive lock.

    Raises:
        PreparationError: it can't be done; where only the resolution failed nothing was touched.
        OSError: the disk doesn't let us.
    """
    context.project.prepare()
    spec, interpreter = session.environment, evaluation.interpreter
    logins = evaluation.requirements.logins
    installer = installer_for(context, session, interpreter, lock, logins)
    anew = decision.work in ("create", "recreate", "repair")
    sound = old if not anew and not upgrade else None
    resolution, done = _resolve(context, session, directory, sound, evaluation, installer, upgrade=upgrade)
    # what the resolver came by may have logins of its own
    installer = installer_for(context, session, interpreter, lock, logins)
    wanted = resolution + _project_lines(context, session, evaluation, installer)

    # What is there, and not what was recorded: what somebody added by hand is told when it goes
    before = {} if anew else {name: version for name, (version, _) in evaluation.contents.packages.items()}
    again = _reinstalled(context, directory, evaluation, wanted, anew=anew)
    doomed = rename_aside(directory) if anew else None
    try:
        if not anew:
            forget_state(directory)
            if evaluation.drift.linked and isinstance(installer, Uv):
                installer.forget(evaluation.drift.linked)
        else:
            make_bare(context, session, directory, interpreter)
        write_atomically(directory / RESOLVED, wanted, private=refers_to_login(wanted))
        # what the session installs is up to its function
        if not (done or session.installs_itself):
            _sync(context, installer, directory, evaluation, wanted, again)
        if spec.project is not None and evaluation.locked is not None and evaluation.locked.text is not None:
            _check_against_the_lock(context, session, directory, evaluation)
    except BaseException as error:
        if anew:
            _bring_back(doomed, directory, sound=decision.work == "recreate" and old is not None)
        elif old is not None and isinstance(error, SyncFailed) and not _differs(directory, old):
            # installers fetch and build everything before they change anything: it is what it was
            write_state(directory, old)
        raise
    state = _finish(context, session, directory, evaluation)
    actions: dict[str, EnvironmentAction] = {
        "create": "created",
        "recreate": "recreated",
        "repair": "repaired",
        "sync": "synced",
    }
    told = () if anew else again
    return Outcome(actions[decision.work], decision.reasons, changes_of(before, versions_of(state), told))


def _differs(directory: Path, state: State) -> bool:
    return bool(compare(state.contents, look(directory, site_packages(directory))))


def _bring_back(doomed: Path | None, directory: Path, *, sound: bool) -> None:
    """Nothing has come of a new environment: nothing is left of it, and a sound one that lay there is there again."""
    with suppress(OSError):
        remove_tree(directory)
        if doomed is not None and sound:
            os.replace(doomed, directory)
        elif doomed is not None:
            delete_renamed(doomed)


def make_bare(context: EnvironmentContext, session: SessionSpec, directory: Path, interpreter: Interpreter) -> None:
    """Make an environment with nothing in it but what it is made with, in place of what lies there."""
    spec = session.environment
    remove_tree(directory)
    create(
        directory,
        interpreter,
        cache_directory=context.cache,
        prompt=session.name,
        seeds=seeds_of(spec),
        environ=context.environ,
        command=creation_command(spec, directory, interpreter, sys.executable, uv_binary()),
    )
    keep_caches_apart(site_packages(directory))


def back_to_base(
    context: EnvironmentContext, session: SessionSpec, directory: Path, interpreter: Interpreter, lock: int
) -> None:
    """Make an environment hold just what it held before its session's function installed anything."""
    if session.installs_itself:
        make_bare(context, session, directory, interpreter)
    else:
        resolved = directory / RESOLVED
        text = resolved.read_text(encoding="utf-8")
        logins = logins_of(context.project, session, text, context.caller.environ)
        installer_for(context, session, interpreter, lock, logins).sync(python_of(directory), resolved, ())


def _check_against_the_lock(
    context: EnvironmentContext, session: SessionSpec, directory: Path, evaluation: Evaluation
) -> None:
    """See that the lock holds what the project requires: a backend may say what none of our inputs showed."""
    from setlist.environment.dependency_closure import unmet
    from setlist.environment.freeze import installed
    from setlist.environment.pyproject import read_pyproject

    project, names = context.project, evaluation.requirements.project_names
    pyproject = read_pyproject(project)
    if pyproject.says_what_is_required:
        return  # and the lock was made from that
    sites = site_packages(directory)
    ours = {
        normalised(item.name)
        for item in installed(sites)
        if item.path is not None and (item.path == project.root or project.builds in item.path.parents)
    }
    tool = pyproject.table("tool", "uv")
    # What the project's own settings overrule isn't as the metadata say, and isn't meant to be
    overruled = [*tool.get("override-dependencies", ()), *tool.get("exclude-dependencies", ())]
    without = {normalised(found[1]) for line in overruled if (found := re.match(r"\s*([\w.-]+)", str(line)))}
    missing = unmet(sites, ours, session.environment.extras, evaluation.interpreter, without=without)
    if missing and context.locks is not None:
        moved = f"--upgrade-package {names[0]}" if names else "--upgrade"
        raise LockOutOfDate(
            f"the project requires {'; '.join(missing)}",
            where=project.relative(context.locks.file(session)),
            hint=f"'setlist lock {moved} {session.name}' locks what it requires now",
        )


def _resolve(
    context: EnvironmentContext,
    session: SessionSpec,
    directory: Path,
    sound: State | None,
    evaluation: Evaluation,
    installer: Installer,
    *,
    upgrade: bool,
) -> tuple[str, bool]:
    """What the requirements resolve to: as they once did, unless they changed or new versions are wanted. And whether
    the environment, whose record is ``sound`` where it may be touched, holds just that by now."""
    wanted, interpreter, spec = evaluation.requirements, evaluation.interpreter, session.environment
    locked = evaluation.locked
    if locked is not None and locked.text is not None:
        if upgrade:
            context.notify(session.name, f"stays as locked: 'setlist lock --upgrade {session.name}' moves a lock")
        return locked.text, False
    if not wanted:
        return "", False
    relevant = sorted((name, value) for name, value in evaluation.inputs.items() if name not in _NOT_RESOLVED)
    machine = (interpreter.implementation, interpreter.version, interpreter.free_threaded, interpreter.machine)
    header = f"# resolved from {digest(repr((relevant, machine)))}\n"
    path = context.project.resolution(session.name)
    try:
        known = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        known = None
    if known is not None and known.startswith(header) and wanted.logins.covers(known) and not upgrade:
        return known.partition("\n")[2], False
    last = known.partition("\n")[2] if known is not None else None
    preferred = locked.preferred if locked is not None else last
    with temporary_directory(context.project.state) as scratch:
        request = ResolveRequest(
            requirements=wanted,
            scratch=scratch,
            interpreter=interpreter,
            resolution=spec.resolution,
            previous=None if upgrade else preferred,
            hashed=wanted.hashed,
            afresh=tuple(sorted(wanted.rebuilt)),
        )
        held = None
        if sound is not None and install_exact.fits(spec, evaluation, last):
            held = install_exact.resolve_and_sync(installer, directory, sound, request)
        # the installer looks for packages where the files say, whatever directory it reads them in
        options = "".join(f"{line}\n" for line in dict.fromkeys(wanted.option_lines))
        answer = wanted.logins.hide(options + installer.resolve(request) if held is None else held)
    write_atomically(path, header + answer, private=refers_to_login(answer))
    return answer, held is not None


def _sync(
    context: EnvironmentContext,
    installer: Installer,
    directory: Path,
    evaluation: Evaluation,
    wanted: str,
    again: Sequence[str],
) -> None:
    """Make the environment hold just what is ``wanted``, each package from the index that it is to come from."""
    requirements = evaluation.requirements
    sourced = None
    if context.find_links is None and requirements.sources:
        sourced = pins_with_indexes(wanted, requirements.sources, requirements.indexes)
    if sourced is None:
        installer.sync(python_of(directory), directory / RESOLVED, again)
        return
    with temporary_directory(context.project.state) as scratch:
        installer.sync(python_of(directory), directory / RESOLVED, again, sourced=write_for_uv(scratch, sourced))


def _project_lines(
    context: EnvironmentContext, session: SessionSpec, evaluation: Evaluation, installer: Installer
) -> str:
    """The project under test as requirement lines for the sync: its directory, or what was built of it."""
    mode, root = session.environment.project, context.project.root
    if mode is None:
        return ""
    if mode == "editable":
        # The name in the comment is for pip's sync, which has to know what the line stands for
        return f"-e {root.as_uri()}  # {' '.join(evaluation.requirements.project_names)}\n"
    artifact: Path = context.builds.artifact(mode, evaluation.interpreter, installer)
    name = artifact.name.partition("-")[0]
    return f"{name} @ {artifact.as_uri()}\n"


def _reinstalled(
    context: EnvironmentContext, directory: Path, evaluation: Evaluation, wanted: str, *, anew: bool
) -> tuple[str, ...]:
    """The packages that a sync must install again though their version is right, or not from the installer's cache."""
    requirements = evaluation.requirements
    if anew:
        return tuple(sorted(requirements.rebuilt))
    names = set(evaluation.drift.packages)
    if written := requirements.hashes:
        with suppress(OSError):  # never synced
            names |= newly_hashed((directory / RESOLVED).read_text(encoding="utf-8"), wanted, written)
    changed = [change.name for change in evaluation.changes if change.changed]
    if {"project metadata", "project", "project sources"} & set(changed):
        names |= set(requirements.project_names)
    local = {name.partition(" ")[2] for name in changed if name.startswith("local ")}
    everything_local = "build constraints" in changed
    if local or everything_local:
        from setlist.environment.freeze import installed

        names |= {
            normalised(item.name)
            for item in installed(site_packages(directory))
            if item.path is not None and (everything_local or context.project.relative(item.path) in local)
        }
    packages = evaluation.contents.packages.keys()
    return tuple(sorted((names & packages) | (requirements.rebuilt - packages)))


def record_steps(
    context: EnvironmentContext,
    session: SessionSpec,
    directory: Path,
    state: State,
    steps: tuple[Step, ...],
) -> State:
    """Record an environment after a session's function has done something to it."""
    renewed = replace(state, contents=look(directory, site_packages(directory)), steps=steps)
    _record_frozen(context, session, directory, renewed)
    write_state(directory, renewed)
    return renewed


def versions_of(state: State) -> dict[str, str]:
    """What an environment held when it was recorded: name to version."""
    return {name: version for name, (version, _) in state.contents.packages.items()}


def changes_of(before: dict[str, str], after: dict[str, str], reinstalled: tuple[str, ...] = ()) -> tuple[Change, ...]:
    """The packages that moved."""
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) or (name in reinstalled and name in after)
    )


def _finish(context: EnvironmentContext, session: SessionSpec, directory: Path, evaluation: Evaluation) -> State:
    sites = site_packages(directory)
    keep_caches_apart(sites)
    state = State(
        directory=str(directory),
        spec=spec_data(session.environment),
        interpreter=evaluation.interpreter,
        inputs=evaluation.inputs,
        variables=evaluation.variables,
        contents=look(directory, sites),
        direct=tuple(sorted(evaluation.requirements.direct)),
        trace=evaluation.trace,
    )
    _record_frozen(context, session, directory, state)
    write_state(directory, state)
    return state


def _record_frozen(context: EnvironmentContext, session: SessionSpec, directory: Path, state: State) -> None:
    from setlist.environment.freeze import NAME, frozen_text, installed

    items = installed(site_packages(directory))
    text = frozen_text(session, state.interpreter, items, state.direct, context.project)
    write_atomically(directory / NAME, text)
