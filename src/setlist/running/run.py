"""Carry a plan out: session after session, and what comes of the whole.

What may start is decided by pure functions (:func:`blocked_by`, :func:`exit_code_of`); the loop does it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.environment.prepare import Environments
from setlist.events import Emit, Message, RunFinished, RunStarted
from setlist.lock.use import LockMode, project_locks
from setlist.model import Registry, SessionSpec
from setlist.plan import Plan
from setlist.process import Grace, Interrupted, checkpoint
from setlist.project import Caller, Project
from setlist.records import dataclass
from setlist.running.session import Ending, Setting, finish, run_session

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says about a whole run.

    ``locks``: ``use`` a session's lock where there is one, ``require`` a current one, or ``ignore`` all of them.
    ``find_links``: a directory of wheels to install from, and from nowhere else. ``argv`` is the command line,
    for the record.
    """

    posargs: tuple[str, ...] = ()
    fail_fast: bool = False
    recreate: bool = False
    upgrade: bool = False
    offline: bool = False
    locks: LockMode = "use"
    find_links: Path | None = None
    argv: tuple[str, ...] = ()


def run_plan(
    project: Project, registry: Registry, plan: Plan, *, caller: Caller, options: RunOptions, emit: Emit
) -> int:
    """Run the sessions of a plan, in its order, and tell of all that happens.

    Returns:
        the exit code: 0 all well; 1 a session failed; 4 nothing failed but for want of an interpreter;
        128 and the signal's number when one stopped us.
    """
    began = time.perf_counter()
    names = tuple(step.session.name for step in plan.steps)
    emit(RunStarted(time=time.time(), run=os.urandom(6).hex(), sessions=names, argv=options.argv))
    setting = _setting(project, registry, caller, options, emit)
    endings: dict[str, Ending] = {}
    interrupted: Interrupted | None = None
    for step in plan.steps:
        session = step.session
        if interrupted is None:
            try:
                checkpoint()
            except Interrupted as signal:
                interrupted = signal
        stopped = interrupted is not None or (options.fail_fast and exit_code_of(endings.values()) != 0)
        reason = None if stopped else blocked_by(session, endings)
        if stopped:
            why = "an earlier one failed" if interrupted is None else "the run was interrupted"
            endings[session.name] = Ending("not-run", why)
            finish(setting, session, endings[session.name])
        elif reason is not None:
            endings[session.name] = Ending("skipped", reason, blocked=True)
            finish(setting, session, endings[session.name])
        else:
            try:
                endings[session.name] = run_session(setting, session, options.posargs if step.requested else ())
            except Interrupted as signal:
                interrupted = signal
    code = interrupted.exit_code if interrupted is not None else exit_code_of(endings.values())
    emit(RunFinished(time=time.time(), exit_code=code, duration=time.perf_counter() - began))
    return code


def blocked_by(session: SessionSpec, endings: Mapping[str, Ending]) -> str | None:
    """Why a session can't start, given how the others ended; None if it can.

    A failed one that is allowed to fail blocks as well: the run may pass without it, its dependents
    may not. One that was skipped for want of an interpreter, or by its own function, doesn't block.
    """
    for name in session.requires:
        ending = endings.get(name)
        if ending is None:
            continue  # not part of this run
        if ending.status in ("failed", "interrupted"):
            return f"requires {name}, which failed"
        if ending.blocked:
            return f"requires {name}, which was skipped"
    return None


def exit_code_of(endings: Iterable[Ending]) -> int:
    """What a run's exit code is, given how its sessions ended: a failure outweighs a missing interpreter."""
    codes = {ending.exit_code for ending in endings} - {0}
    return 1 if 1 in codes else min(codes, default=0)


def _setting(project: Project, registry: Registry, caller: Caller, options: RunOptions, emit: Emit) -> Setting:
    def notify(session: str, text: str) -> None:
        emit(Message(time=time.time(), session=session, level="info", text=text))

    def warn(session: str, text: str) -> None:
        emit(Message(time=time.time(), session=session, level="warning", text=text))

    locks = project_locks(project, registry.settings, mode=options.locks, ci=caller.ci, warn=warn)
    environments = Environments(
        project, caller, offline=options.offline, notify=notify, locks=locks, find_links=options.find_links
    )

    def prepare(session: SessionSpec) -> AbstractContextManager[PreparedEnvironment]:
        return environments.prepared(session, recreate=options.recreate, upgrade=options.upgrade)

    settings = registry.settings
    return Setting(
        project=project,
        caller=caller,
        prepare=prepare,
        emit=emit,
        grace=Grace(settings.interrupt_grace, settings.terminate_grace),
        recreate=options.recreate,
    )
