"""Carry a plan out: session after session, or side by side, and what comes of the whole.

What may start is decided by pure functions (:mod:`setlist.runner.run_policy`, :mod:`setlist.scheduling.schedule`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Literal

from setlist.core.events import Message, RunFinished, RunStarted, SessionsAdded
from setlist.core.model import Registry
from setlist.core.plugins import find_provider
from setlist.core.project import Caller, Project
from setlist.core.records import replace
from setlist.environment.prepare import Environments
from setlist.lock.use import project_locks
from setlist.process.spawn import Interrupted, checkpoint
from setlist.runner.output import Sink
from setlist.runner.run_context import Closable, RunContext, RunOptions, SessionProvider, SessionResult
from setlist.runner.run_policy import blocked, exit_code_of, not_run_reason, notified_steps, posargs_of
from setlist.runner.session import finish, run_session
from setlist.scheduling.order import Plan

if TYPE_CHECKING:
    from setlist.runner.jobserver import Jobserver


def run(
    project: Project,
    registry: Registry,
    plan: Plan,
    *,
    caller: Caller | None = None,
    options: RunOptions | None = None,
    sink: Sink | None = None,
    shared: Mapping[str, Closable] | None = None,
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
        sink: where the events and the captured output go. It is closed when the run has ended.
        shared: what the sessions of a provider share already, by its name. It is closed when the run has ended.
        waiting: as :func:`supervised`.

    Returns:
        the exit code, as :func:`run_plan`.
    """
    context = context_of(project, registry, caller or Caller.current(), options, sink)
    if context.sink.masker is None and any(session.secrets for session in plan.sessions):
        from setlist.runner.secrets import masker_of

        context.sink.masker, _ = masker_of(plan.sessions, context.caller.environ)
    with supervised(project, registry, waiting or (lambda: None)), closing(context.sink):
        return run_plan(context, plan, shared or {})


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


def run_plan(context: RunContext, plan: Plan, shared: Mapping[str, Closable] | None = None) -> int:
    """Run the sessions of a plan, and tell of all that happens.

    Args:
        context: the run's.
        plan: the sessions.
        shared: what the sessions of a provider share already, by its name.

    Returns:
        the exit code: 0 all well; 1 a session failed; 4 nothing failed but for want of an interpreter;
        128 and the signal's number when one stopped us.
    """
    began = time.perf_counter()
    options, registry, emit = context.options, context.registry, context.sink.emit
    at_once = min(options.jobs, len(plan.steps))
    names = tuple(step.session.name for step in plan.steps)
    emit(RunStarted(time=time.time(), run=os.urandom(6).hex(), sessions=names, argv=options.argv, jobs=options.jobs))
    endings: dict[str, SessionResult] = {}
    interrupted: Interrupted | None = None
    with ExitStack() as held:
        context = replace(
            context,
            at_once=at_once,
            jobserver=_jobserver(plan, options, at_once, held),
            shared=_shared(registry, shared or {}, held),
        )
        while plan.steps:
            if at_once > 1:
                from setlist.runner.parallel import run_side_by_side

                interrupted = run_side_by_side(context, plan, endings)
            else:
                interrupted = _one_after_another(context, plan, endings)
            stopped = interrupted is not None or (options.fail_fast and exit_code_of(endings.values()) != 0)
            # what the sessions themselves want to have run after them
            plan = Plan(() if stopped else notified_steps(registry, endings))
            if plan.steps:
                names = tuple(step.session.name for step in plan.steps)
                emit(SessionsAdded(time=time.time(), sessions=names))
    code = interrupted.exit_code if interrupted is not None else exit_code_of(endings.values())
    emit(RunFinished(time=time.time(), exit_code=code, duration=time.perf_counter() - began))
    return code


def _one_after_another(context: RunContext, plan: Plan, endings: dict[str, SessionResult]) -> Interrupted | None:
    options = context.options
    interrupted: Interrupted | None = None
    for step in plan.steps:
        name = step.session.name
        if interrupted is None:
            try:
                checkpoint()
            except Interrupted as signal:
                interrupted = signal
        stopped = interrupted is not None or (options.fail_fast and exit_code_of(endings.values()) != 0)
        not_started = blocked(step, endings, only=options.only)
        if stopped:
            not_started = SessionResult("not-run", not_run_reason(interrupted))
        if not_started is not None:
            endings[name] = not_started
            finish(context, step.session, not_started)
            continue
        try:
            endings[name] = run_session(context, step.session, posargs_of(step, options))
        except Interrupted as signal:
            interrupted = signal
    return interrupted


def context_of(
    project: Project,
    registry: Registry,
    caller: Caller,
    options: RunOptions | None = None,
    sink: Sink | None = None,
) -> RunContext:
    """What the sessions of a run share, before it begins.

    Args:
        project: whose sessions they are.
        registry: all of its sessions.
        caller: the world that setlist was called from.
        options: what the user chose; the defaults if absent.
        sink: where the events and the captured output go; nowhere if absent.
    """
    options, sink = options or RunOptions(), sink or Sink()

    def message(level: Literal["info", "warning"], session: str, text: str) -> None:
        sink.emit(Message(time=time.time(), session=session, level=level, text=text))

    notify, warn = partial(message, "info"), partial(message, "warning")
    locks = project_locks(project, registry.settings, mode=options.locks, ci=caller.ci, warn=warn)
    environments = Environments(
        project, caller, offline=options.offline, notify=notify, locks=locks, find_links=options.find_links
    )
    return RunContext(
        project=project, registry=registry, caller=caller, options=options, sink=sink, environments=environments
    )


def _shared(registry: Registry, shared: Mapping[str, Closable], held: ExitStack) -> Mapping[str, Closable]:
    """What the sessions of each provider share, closed with ``held``."""
    opened = {}
    for name in dict.fromkeys(registry.index.providers.values()):
        provider: SessionProvider = find_provider(name)
        opened[name] = held.enter_context(closing(shared.get(name) or provider.open_run()))
    return opened


def _jobserver(plan: Plan, options: RunOptions, at_once: int, held: ExitStack) -> Jobserver | None:
    """The jobserver of a run with sessions that use one, closed with ``held``."""
    if not any(session.jobserver for session in plan.sessions):
        return None
    from setlist.runner.jobserver import Jobserver

    return held.enter_context(closing(Jobserver(options.cpus, at_once)))
