"""Carry a plan out: session after session, or side by side, and what comes of the whole.

What may start is decided by pure functions (:mod:`setlist.runner.run_policy`, :mod:`setlist.scheduling.schedule`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from setlist.core.events import Emit, Event, Message, Output, RunFinished, RunStarted, SessionsAdded, with_texts
from setlist.core.logins import masked as without_logins
from setlist.core.model import Registry, SessionSpec
from setlist.core.plugins import find_provider
from setlist.core.project import Caller, Project
from setlist.core.records import replace
from setlist.environment.prepare import Environments
from setlist.lock.use import project_locks
from setlist.process.spawn import Grace, Interrupted, checkpoint
from setlist.runner.run_context import Equipment, RunContext, SessionProvider, SessionResult
from setlist.runner.run_policy import RunOptions, blocked, exit_code_of, not_run_reason, notified_steps, posargs_of
from setlist.runner.session import finish, run_session
from setlist.scheduling.order import Plan

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.jobserver import Jobserver
    from setlist.runner.secrets import Masker


def run(
    project: Project,
    registry: Registry,
    plan: Plan,
    *,
    caller: Caller | None = None,
    options: RunOptions | None = None,
    emit: Emit | None = None,
    waiting: Callable[[], None] | None = None,
) -> int:
    """Run the sessions of a plan, and end everything that they started, whatever happens meanwhile.

    Signals are handled while it runs, if it is called in the main thread: SIGINT and SIGTERM end the sessions first.

    Args:
        project: whose sessions they are.
        registry: all of its sessions.
        plan: those to run.
        caller: the environment variables and the directory that sessions see; those of this process if absent.
        options: what ``run`` has options for; the defaults if absent.
        emit: called with every event, one after the other, in any thread.
        waiting: as :func:`supervised`.

    Returns:
        the exit code, as :func:`run_plan`.
    """
    with supervised(project, registry, waiting or (lambda: None)):
        return run_plan(
            project,
            registry,
            plan,
            caller=caller or Caller.current(),
            options=options or RunOptions(),
            emit=emit or (lambda _: None),
        )


@contextmanager
def supervised(project: Project, registry: Registry, waiting: Callable[[], None]) -> Iterator[None]:
    """While inside, signals are handled, a guardian watches this process, and nobody removes the state directory.

    Args:
        project: the project, whose state directory is made if it isn't there.
        registry: its settings say for how long processes are waited for.
        waiting: called when another process removes the state directory, before that is waited for.
    """
    import threading

    from setlist.environment.locking import in_use
    from setlist.process.guardian import guarding
    from setlist.process.signals import signals_here
    from setlist.process.spawn import handling_signals

    project.prepare()
    can_handle = signals_here() is None and threading.current_thread() is threading.main_thread()
    # the guardian outlasts the handlers: if a signal ends this process between the two, it does its work
    with (
        guarding(registry.settings.terminate_grace),
        handling_signals() if can_handle else nullcontext(),
        in_use(project, waiting),
    ):
        yield


def run_plan(
    project: Project, registry: Registry, plan: Plan, *, caller: Caller, options: RunOptions, emit: Emit
) -> int:
    """Run the sessions of a plan, and tell of all that happens.

    Args:
        project: whose sessions they are.
        registry: all of its sessions.
        plan: those to run.
        caller: the world that setlist was called from.
        options: what the command line says.
        emit: told of everything, one event after the other, in any thread.

    Returns:
        the exit code: 0 all well; 1 a session failed; 4 nothing failed but for want of an interpreter;
        128 and the signal's number when one stopped us.
    """
    began = time.perf_counter()
    at_once = min(options.jobs, len(plan.steps))
    if at_once > 1:
        emit = _one_at_a_time(emit)
    emit = _without_logins(emit)
    masker = options.masker
    masked = emit if masker is None else _masking(emit, masker)
    names = tuple(step.session.name for step in plan.steps)
    masked(RunStarted(time=time.time(), run=os.urandom(6).hex(), sessions=names, argv=options.argv, jobs=options.jobs))
    context = _context(project, registry, caller, options, masked)
    shared = {name: options.shared.get(name) or provider.open_run() for name, provider in _providers(registry)}
    context = replace(context, shared=shared)
    jobserver = _jobserver(plan, options, at_once)
    if at_once > 1 or options.capturing != "no" or jobserver is not None:
        context = replace(context, equip=_Equipping(caller, options, at_once, emit, masker, jobserver))
    try:
        endings: dict[str, SessionResult] = {}
        interrupted: Interrupted | None = None
        while plan.steps:
            if at_once > 1:
                from setlist.runner.parallel import run_side_by_side

                interrupted = run_side_by_side(context, plan, options, registry.settings, endings)
            else:
                interrupted = _one_after_another(context, plan, options, endings)
            stopped = interrupted is not None or (options.fail_fast and exit_code_of(endings.values()) != 0)
            # what the sessions themselves want to have run after them
            plan = Plan(() if stopped else notified_steps(registry, endings))
            if plan.steps:
                names = tuple(step.session.name for step in plan.steps)
                masked(SessionsAdded(time=time.time(), sessions=names))
    finally:
        for of_provider in shared.values():
            of_provider.close()
        if jobserver is not None:
            jobserver.close()
    code = interrupted.exit_code if interrupted is not None else exit_code_of(endings.values())
    masked(RunFinished(time=time.time(), exit_code=code, duration=time.perf_counter() - began))
    return code


def _one_after_another(
    context: RunContext, plan: Plan, options: RunOptions, endings: dict[str, SessionResult]
) -> Interrupted | None:
    interrupted: Interrupted | None = None
    for step in plan.steps:
        session = step.session
        if interrupted is None:
            try:
                checkpoint()
            except Interrupted as signal:
                interrupted = signal
        stopped = interrupted is not None or (options.fail_fast and exit_code_of(endings.values()) != 0)
        not_started = None if stopped else blocked(step, endings, only=options.only)
        if stopped:
            endings[session.name] = SessionResult("not-run", not_run_reason(interrupted))
            finish(context, session, endings[session.name])
        elif not_started is not None:
            endings[session.name] = not_started
            finish(context, session, not_started)
        else:
            try:
                endings[session.name] = run_session(context, session, posargs_of(step, options))
            except Interrupted as signal:
                interrupted = signal
    return interrupted


def _context(project: Project, registry: Registry, caller: Caller, options: RunOptions, emit: Emit) -> RunContext:
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

    def prepare_anew(session: SessionSpec) -> AbstractContextManager[PreparedEnvironment]:
        return environments.prepared(session, recreate=True)

    settings = registry.settings
    return RunContext(
        project=project,
        caller=caller,
        prepare=prepare,
        prepare_anew=prepare_anew,
        emit=emit,
        grace=Grace(settings.interrupt_grace, settings.terminate_grace),
        recreate=options.recreate,
        notice=options.notice,
        loader_python=environments.loader_python,
        masker=options.masker,
        posargs=options.posargs,
        error_on_missing=caller.ci if settings.error_on_missing is None else settings.error_on_missing,
    )


def _providers(registry: Registry) -> Iterator[tuple[str, SessionProvider]]:
    for name in dict.fromkeys(registry.index.providers.values()):
        yield name, find_provider(name)


def plain_context(project: Project, registry: Registry, caller: Caller) -> RunContext:
    """What sessions share where none of them is run, and nobody is told."""
    return _context(project, registry, caller, RunOptions(locks="ignore"), lambda _: None)


def _one_at_a_time(emit: Emit) -> Emit:
    """For events that come from several threads."""
    from threading import RLock

    lock = RLock()

    def emit_one(event: Event) -> None:
        with lock:
            emit(event)

    return emit_one


def _without_logins(emit: Emit) -> Emit:
    """For events in whose URLs logins are masked. What commands print is theirs."""
    return lambda event: emit(event if isinstance(event, Output) else with_texts(event, without_logins))


def _masking(emit: Emit, masker: Masker) -> Emit:
    return lambda event: emit(masker.event(event))


def _jobserver(plan: Plan, options: RunOptions, at_once: int) -> Jobserver | None:
    if not any(session.jobserver for session in plan.sessions):
        return None
    from setlist.runner.jobserver import Jobserver

    return Jobserver(options.cpus, at_once)


class _Equipping:
    """Says what each session is given to run with."""

    def __init__(
        self,
        caller: Caller,
        options: RunOptions,
        at_once: int,
        emit: Emit,
        masker: Masker | None,
        jobserver: Jobserver | None,
    ) -> None:
        self._caller = caller
        self._options = options
        self._at_once = at_once
        self._emit = emit
        self._masker = masker
        self._jobserver = jobserver

    def __call__(self, session: SessionSpec) -> Equipment:
        from setlist.runner.cpus import share_environ
        from setlist.runner.output import SessionOutput
        from setlist.runner.secrets import Masker

        options = self._options
        alone = session.exclusive or session.interactive
        environ = share_environ(options.cpus, self._at_once, alone=alone, environ=self._caller.environ)
        keep_open: tuple[int, ...] = ()
        if self._jobserver is not None and session.jobserver:
            environ |= self._jobserver.environ(self._caller.environ)
            keep_open = self._jobserver.descriptors
        output = None
        if options.capturing != "no" and not session.interactive:
            merged = options.capturing == "merged"
            # one that masks nothing yet may do so later
            masker = Masker() if self._masker is None else self._masker
            output = SessionOutput(session.name, self._emit, masker, merged=merged)
            environ |= options.captured_environ(session.name)
        return Equipment(output=output, environ=environ, keep_open=keep_open, jobserver=self._jobserver)
