"""Prepare what the sessions of a run share, and carry its plan out (:mod:`setlist.engine.execute`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Literal

from setlist.core.events import Message
from setlist.core.model import Registry
from setlist.core.plugins import find_provider
from setlist.core.project import Caller, Project
from setlist.core.records import replace
from setlist.engine.execute import SessionResult, SideBySide, execute
from setlist.engine.plan import Plan, Step
from setlist.environment.prepare import Environments
from setlist.lock.use import project_locks
from setlist.runner.output import Sink
from setlist.runner.run_context import Closable, RunContext, RunOptions, SessionProvider
from setlist.runner.session import posargs_of, run_session

if TYPE_CHECKING:
    from setlist.environment.installer_output import OnProgress
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
    if context.sink.masker is None and any(session.secrets or session.env_file for session in plan.sessions):
        from setlist.runner.secrets import masker_of

        context.sink.masker, _ = masker_of(plan.sessions, context.caller.environ, context.project.root)
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
        the exit code, as :func:`setlist.engine.execute.execute`.
    """
    options, registry = context.options, context.registry
    at_once = min(options.jobs, len(plan.steps))
    with ExitStack() as held:
        context = replace(
            context,
            at_once=at_once,
            jobserver=_jobserver(plan, options, at_once, held),
            shared=_shared(registry, shared or {}, held),
        )
        side_by_side: SideBySide | None = None
        if at_once > 1:
            from setlist.runner.parallel import run_side_by_side

            side_by_side = partial(run_side_by_side, context)
        return execute(
            plan,
            lambda step: run_session(context, step.session, posargs_of(step, options)),
            context.sink.emit,
            argv=options.argv,
            jobs=options.jobs,
            fail_fast=options.fail_fast,
            only=options.only,
            side_by_side=side_by_side,
            more=partial(_notified, registry),
        )


def _notified(registry: Registry, endings: Mapping[str, SessionResult]) -> Plan:
    """What the sessions that have run want to have run after them, each once, and not what has run already."""
    by_alias = {aliases[0]: name for name, aliases in registry.index.aliases.items()}
    steps: dict[str, Step] = {}
    for ending in endings.values():
        for notified, posargs in ending.notified:
            name = by_alias.get(notified)
            if name is not None and name not in endings:
                steps.setdefault(name, Step(registry.sessions[name], requested=True, posargs=posargs))
    return Plan(tuple(steps.values()))


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

    def progress(session: str) -> OnProgress:
        from setlist.environment.installer_output import emitting

        return emitting(sink.emit, session)

    environments = Environments(
        project,
        caller,
        offline=options.offline,
        notify=notify,
        locks=locks,
        find_links=options.find_links,
        progress=progress,
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
