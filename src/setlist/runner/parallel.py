"""Carry a plan out with several sessions at once: a thread for each, and one that says what begins when.

What may begin is :mod:`setlist.scheduling.schedule`'s to say. The threads tell this one what has happened by messages,
and each that has its environment ready waits for an answer: it may run, or it isn't to any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext
from queue import Empty, SimpleQueue
from signal import SIGINT

from setlist.core.events import Message, SessionRunning
from setlist.core.model import SessionSpec
from setlist.core.records import dataclass, replace
from setlist.engine.execute import SessionResult, blocked, exit_code_of, not_run_reason, tell_end
from setlist.engine.plan import Plan
from setlist.process.signals import signals_here
from setlist.process.spawn import Interrupted, handling_signals
from setlist.process.threads import following, join, listening, stop_others, take
from setlist.runner.run_context import RunContext
from setlist.runner.session import posargs_of, run_session
from setlist.scheduling.schedule import Limits, Schedule

PROMPT = 0.25
"""Seconds that a place is kept for a session whose environment is being made ready. Where nothing has changed that
takes no time; otherwise others go first."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A session's environment is right."""

    name: str


@dataclass(frozen=True, slots=True)
class _Ended:
    """A session's thread is done; ``error``: by something that nobody foresaw."""

    name: str
    ending: SessionResult | None
    error: BaseException | None = None


_Told = _Prepared | _Ended | None
"""None: a signal has come."""


def run_side_by_side(context: RunContext, plan: Plan, endings: dict[str, SessionResult]) -> Interrupted | None:
    """Run the sessions of a plan, ``jobs`` of the options at once.

    Args:
        context: the run's.
        plan: the sessions.
        endings: how those ended that have run before; how each of these ended is added.

    Returns:
        the signal that ended the run, if one did.
    """
    with handling_signals() if signals_here() is None else nullcontext():
        run = _Run(context, plan, endings)
        with listening(run.wake):
            run.carry_out()
        signals = signals_here()
        first = signals.first if signals is not None else None
        return None if first is None else Interrupted(first)


class _Run:
    """The run as its main thread sees it."""

    def __init__(self, context: RunContext, plan: Plan, endings: dict[str, SessionResult]) -> None:
        options = context.options
        self.endings = endings
        self._context = replace(context, turn=self._turn, stopped=self._stopped)
        self._options = options
        self._steps = {step.session.name: step for step in plan.steps}
        limits = Limits(jobs=options.jobs, resources=dict(context.registry.settings.resources))
        self._schedule = Schedule(plan, limits, options.durations)
        self._told: SimpleQueue[_Told] = SimpleQueue()
        self._turns: dict[str, SimpleQueue[str | None]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._preparing: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._reason: str | None = None
        self._signals = signals_here()

    def wake(self) -> None:
        """A signal has come. Called by its handler."""
        self._told.put(None)

    def carry_out(self) -> None:
        """Run all sessions to their ends."""
        try:
            while not self._schedule.done:
                self._look_for_signals()
                if self._reason is None:
                    self._begin_what_may()
                if not self._schedule.done:
                    self._wait()
        except BaseException:
            self._stop("setlist itself failed")
            raise
        finally:
            for thread in self._threads.values():
                join(thread)

    def _look_for_signals(self) -> None:
        if self._reason is None and self._signals is not None and self._signals.first is not None:
            if self._threads:
                running = ", ".join(self._threads)
                self._say(f"stopping {running}; once more stops them at once")
            self._stop(not_run_reason(Interrupted(self._signals.first)))

    def _say(self, text: str) -> None:
        self._context.sink.emit(Message(time=time.time(), session=None, level="info", text=text))

    def _begin_what_may(self) -> None:
        while (session := self._schedule.to_prepare()) is not None:
            ending = self._blocked(session)
            if ending is None:
                self._begin(session)
            else:
                self._skip_blocked(self._never(session, ending))
        while (session := self._schedule.to_run()) is not None:
            self._waiting.discard(session.name)
            self._turns[session.name].put(None)

    def _begin(self, session: SessionSpec) -> None:
        name = session.name
        self._turns[name] = SimpleQueue()
        self._preparing[name] = time.monotonic() + PROMPT
        self._threads[name] = thread = threading.Thread(target=self._thread, args=(session,), name=name)
        thread.start()

    def _never(self, session: SessionSpec, ending: SessionResult) -> tuple[SessionSpec, ...]:
        self.endings[session.name] = ending
        tell_end(session, ending, self._context.sink.emit)
        return self._schedule.ended(session.name)

    def _skip_blocked(self, freed: Iterable[SessionSpec]) -> None:
        """Be done at once with those that can't run: the others aren't to wait for one that would run alone."""
        pending = list(freed)
        while pending and self._reason is None:
            session = pending.pop(0)
            ending = self._blocked(session)
            if ending is not None:
                pending += self._never(session, ending)

    def _blocked(self, session: SessionSpec) -> SessionResult | None:
        return blocked(self._steps[session.name], self.endings, only=self._options.only)

    def _wait(self) -> None:
        """Wait until something is told, or an environment takes longer than one waits for."""
        now = time.monotonic()
        for name in [name for name, until in self._preparing.items() if until <= now]:
            del self._preparing[name]
            self._schedule.late(name)
            return
        try:
            told = take(self._told, until=min(self._preparing.values(), default=None))
        except Empty:
            return
        if isinstance(told, _Prepared):
            self._preparing.pop(told.name, None)
            self._schedule.prepared(told.name)
            self._waiting.add(told.name)
            if self._reason is not None:
                self._turns[told.name].put(self._reason)
        elif isinstance(told, _Ended):
            self._ended(told)

    def _ended(self, told: _Ended) -> None:
        self._preparing.pop(told.name, None)
        self._waiting.discard(told.name)
        self._threads.pop(told.name).join()
        freed = self._schedule.ended(told.name)
        if told.error is not None:
            raise told.error
        if told.ending is not None:
            self.endings[told.name] = told.ending
            if self._options.fail_fast and exit_code_of(self.endings.values()) != 0:
                self._stop(not_run_reason(None))
            self._skip_blocked(freed)

    def _stop(self, reason: str) -> None:
        """Begin nothing more, and let what is running end."""
        if self._reason is not None:
            return
        self._reason = reason
        stop_others(SIGINT)
        for name in self._waiting:
            self._turns[name].put(reason)
        for name, step in self._steps.items():
            if name not in self._turns and name not in self.endings:
                self._never(step.session, SessionResult("not-run", reason))

    # --- in the sessions' threads -----------------------------------------------------------------

    def _thread(self, session: SessionSpec) -> None:
        ending: SessionResult | None = None
        error: BaseException | None = None
        try:
            with following():
                ending = run_session(self._context, session, posargs_of(self._steps[session.name], self._options))
        except Interrupted:
            pass  # its end has been told
        except BaseException as raised:
            error = raised
        self._told.put(_Ended(session.name, ending, error))

    def _turn(self, session: SessionSpec) -> str | None:
        self._told.put(_Prepared(session.name))
        reason = self._turns[session.name].get()
        if reason is None:
            self._context.sink.emit(SessionRunning(time=time.time(), session=session.name))
        return reason

    def _stopped(self) -> str | None:
        """Why a session is stopped, where no signal says so."""
        if self._reason is None or (self._signals is not None and self._signals.first is not None):
            return None
        return f"stopped: {self._reason}"
