"""Make a session's environment right, whatever state it is in, and hold it while it is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from setlist.core.errors import InterpreterNotFound, LockOutOfDate, PreparationError, SessionError, StorageError
from setlist.core.files import remove_leftovers
from setlist.core.model import EnvironmentSpec, InputChange, Look, Origin, SessionSpec
from setlist.core.plugins import find_provider
from setlist.core.project import Caller, Project, loader_environment
from setlist.core.records import dataclass, replace
from setlist.engine.world import differing
from setlist.environment import locking
from setlist.environment.context import EnvironmentContext, Locks, python_request
from setlist.environment.prepared import PreparedEnvironment
from setlist.environment.state import State, read_state, record_of, spec_data, state_of, state_that_holds

if TYPE_CHECKING:
    from setlist.engine.world import Trace
    from setlist.environment.decision import Decision
    from setlist.environment.inputs import Evaluation
    from setlist.environment.installer_output import OnProgress
    from setlist.environment.sync import Outcome

__all__ = ["Environments", "Explanation", "PreparedEnvironment"]

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an environment would be reused, or wouldn't.

    ``inputs`` are all of them, changed ones first; ``notes`` say what else there is (drift, an unfinished
    environment, an interpreter that isn't there). ``looks`` are all that was looked at when it was made.
    """

    state: Literal["none", "missing", "unfinished", "current", "stale"]
    interpreter: str | None
    inputs: tuple[InputChange, ...]
    notes: tuple[str, ...]
    looks: tuple[Look, ...] = ()


class EnvironmentProvider(Protocol):
    """What this package asks of a provider of sessions (:class:`setlist.providers.protocol.Provider`)."""

    def environment(self, session: SessionSpec, environ: Mapping[str, str]) -> SessionSpec: ...


class Environments:
    """The environments of one run, and what its sessions share: interpreters found, builds made.

    Args:
        project: whose environments they are.
        caller: the world that setlist was called from.
        offline: never ask the network.
        notify: told, in one line each, what the person should know while waiting.
        locks: the project's lock files; None where they aren't to be looked at.
        find_links: a directory of wheels to install from, and from nowhere else.
        progress: returns what is told, by the name of a session, of each step of its installer.
    """

    def __init__(
        self,
        project: Project,
        caller: Caller,
        *,
        offline: bool = False,
        notify: Callable[[str, str], None] | None = None,
        locks: Locks | None = None,
        find_links: Path | None = None,
        progress: Callable[[str], OnProgress] | None = None,
    ) -> None:
        self._context = EnvironmentContext(project, caller, offline, notify or _nobody, locks, find_links, progress)

    @contextmanager
    def prepared(
        self, session: SessionSpec, *, recreate: bool = False, upgrade: bool = False
    ) -> Iterator[PreparedEnvironment]:
        """The session's environment, right when this yields, and held unchanged until it is left.

        Args:
            session: whose environment.
            recreate: make it anew in any case.
            upgrade: resolve anew in any case, taking the newest versions.

        Raises:
            SessionError: it can't be made right; which subclass says why.
            StorageError: the disk doesn't let us.
        """
        started = time.perf_counter()
        written, session = session, self._as_prepared(session)
        if session.environment.backend == "none":
            locks = self._context.locks
            if written.environment.backend != "none" and locks is not None and not locks.accepts(None):
                raise LockOutOfDate(
                    f"{session.name} can't be locked: conda installs what it needs",
                    hint=f"run {session.name} without --locked",
                )
            yield self._callers_own(session, started)
            return
        directory = self._context.project.environment(session.name)
        outcome: Outcome | None = None
        with ExitStack() as hold:
            for _ in range(ATTEMPTS):
                hold.enter_context(
                    locking.shared(self._context.project, session.name, self._context.waiting(session.name))
                )
                asked = outcome is None and (recreate or upgrade)
                state = None if asked else self._untouched(session, directory) or self._refreshed(session, directory)
                if state is not None:
                    break
                hold.close()
                waiting = self._context.waiting(session.name)
                with locking.exclusive(self._context.project, session.name, waiting) as lock:
                    outcome = self._mended(session, outcome, lock, recreate=recreate, upgrade=upgrade)
            else:
                raise PreparationError(
                    "the environment changes as fast as it is mended",
                    hint="does something else write into it, or into the files that it is made from?",
                )
            hold.enter_context(_removing_leftovers(directory, beside=outcome is not None))
            duration = time.perf_counter() - started
            yield PreparedEnvironment(self._context, session, directory, state.interpreter, outcome, duration, hold)

    @contextmanager
    def loader_python(self, spec: EnvironmentSpec, file: str) -> Iterator[Path]:
        """The environment that foreign definitions ask to be loaded in, right and held: yields its Python.

        Args:
            spec: what they ask for.
            file: theirs, relative to the root.

        Raises:
            SetlistError: it can't be made.
        """
        name = loader_environment(file)
        with self.prepared(SessionSpec(name=name, family=name, origin=Origin(file), environment=spec)) as prepared:
            yield prepared.python

    @contextmanager
    def as_it_is(self, session: SessionSpec) -> Iterator[PreparedEnvironment | None]:
        """The session's environment where a run would reuse it, held; None where it wouldn't. Changes nothing.

        Raises:
            SetlistError: its inputs can't be read.
        """
        started = time.perf_counter()
        if self._as_prepared(session).environment.backend == "none":
            yield self._callers_own(session, started)
            return
        directory = self._context.project.environment(session.name)
        state = read_state(directory) if self.explain(session).state == "current" else None
        if state is None:
            yield None
            return
        with ExitStack() as hold:
            hold.enter_context(locking.shared(self._context.project, session.name, self._context.waiting(session.name)))
            yield PreparedEnvironment(self._context, session, directory, state.interpreter, None, 0.0, hold)

    def recorded(self, session: SessionSpec) -> tuple[Path, State, str] | None:
        """An environment that is right as long as its record holds, its record, and the digest of that.

        Nothing is looked at: whoever keeps the digest compares it, and the record with what is seen then.

        Returns:
            None if there is none, or if what a function installs decides as well.
        """
        session = self._as_prepared(session)
        if session.environment.backend == "none":
            return None
        directory = self._context.project.environment(session.name)
        record = record_of(directory)
        state = state_of(record)
        return None if state is None or state.steps or record is None else (directory, state, record.content)

    def explain(self, session: SessionSpec) -> Explanation:
        """Each input of the session's environment, then and now. Changes nothing.

        Raises:
            SetlistError: the inputs can't be read.
        """
        session = self._as_prepared(session)
        if session.environment.backend == "none":
            return Explanation("none", None, (), ("no environment of its own: it runs in the caller's",))
        directory = self._context.project.environment(session.name)
        from setlist.environment.decision import changes_between
        from setlist.environment.inputs import evaluate

        with locking.shared(self._context.project, session.name, self._context.waiting(session.name)):
            state, record = read_state(directory), record_of(directory)
            try:
                evaluation = evaluate(self._context, session, directory, state)
            except InterpreterNotFound as error:
                old = state.interpreter.label if state else None
                return Explanation("stale" if state else "missing", old, (), (error.message,))
        decision = _decided(session, evaluation)
        inputs = evaluation.changes if state is not None else changes_between({}, evaluation.inputs)
        if state is not None and state.steps:
            from setlist.environment.install_steps import installs_then_and_now

            installs = installs_then_and_now(self._context, state)
            inputs = tuple(sorted((*inputs, *installs), key=lambda change: not change.changed))
        notes = [reason for reason in decision.reasons if reason not in _told(evaluation)]
        kinds: dict[str, Literal["missing", "unfinished", "current", "stale"]] = {
            "create": "missing",
            "repair": "unfinished" if state is None else "stale",
            "refresh": "current",
            "nothing": "current",
        }
        kind = kinds.get(decision.work, "stale")
        if kind == "current" and any(change.changed for change in inputs):
            kind = "stale"  # by what its function installs, which is told apart from what is declared
        return Explanation(
            kind, evaluation.interpreter.label, inputs, tuple(notes), self.looks(record.trace if record else ())
        )

    def looks(self, trace: Trace) -> tuple[Look, ...]:
        """The looks of a trace, each with whether something else is seen now. Nothing is written."""
        root, environ = str(self._context.project.root), self._context.caller.environ
        return tuple(Look(look[0], look[1], look[4], differing(look, root, environ)[0]) for look in trace)

    def frozen(self, session: SessionSpec) -> str:
        """The frozen requirements of the session's environment, as they were written when it was last synced.

        Raises:
            SessionError: there is no finished environment.
        """
        directory = self._context.project.environment(session.name)
        if session.environment.backend == "none":
            raise SessionError(f"{session.name} has no environment of its own", hint='its backend is "none"')
        with locking.shared(self._context.project, session.name, self._context.waiting(session.name)):
            if read_state(directory) is None:
                raise SessionError(f"{session.name} has no finished environment", hint=f"'run {session.name}' makes it")
            try:
                return (directory / "requirements.txt").read_text(encoding="utf-8")
            except OSError as error:
                raise SessionError(
                    f"{session.name}: its frozen requirements can't be read: {error.strerror or error}",
                    hint=f"'run -r {session.name}' makes its environment anew",
                ) from error

    def _as_prepared(self, session: SessionSpec) -> SessionSpec:
        if not session.provider:
            return session
        provider: EnvironmentProvider = find_provider(session.provider)
        return provider.environment(session, self._context.caller.environ)

    def _untouched(self, session: SessionSpec, directory: Path) -> State | None:
        """The record of an environment if nothing has changed. Nothing is parsed, imported or asked."""
        from setlist.environment.installer_config import variables

        spec, caller = session.environment, self._context.caller
        state = state_that_holds(directory, self._context.project.root, caller.environ)
        fits = (
            state is not None
            and state.directory == str(directory)
            and state.spec == spec_data(spec)
            and state.inputs.get("python") == python_request(spec)
            and self._lock_is_fine(state)
            and state.variables == variables(spec.installer, caller.environ)
        )
        return state if fits else None

    def _lock_is_fine(self, state: State) -> bool:
        recorded = state.inputs.get("lock")
        locks = self._context.locks
        return recorded is None if locks is None else locks.accepts(recorded)

    def _refreshed(self, session: SessionSpec, directory: Path) -> State | None:
        """The record brought up to date, where files were touched and nothing changed; else None."""
        state = read_state(directory)
        if state is None:
            return None
        from setlist.environment.inputs import evaluate, refresh

        evaluation = evaluate(self._context, session, directory, state)
        decision = _decided(session, evaluation)
        return refresh(directory, state, evaluation) if decision.work == "refresh" else None

    def _mended(
        self, session: SessionSpec, earlier: Outcome | None, lock: int, *, recreate: bool, upgrade: bool
    ) -> Outcome | None:
        from setlist.environment.inputs import evaluate
        from setlist.environment.sync import mend

        directory = self._context.project.environment(session.name)
        try:
            state = read_state(directory)
            evaluation = evaluate(self._context, session, directory, state)
            asked = earlier is None
            decision = _decided(session, evaluation, recreate=recreate and asked, upgrade=upgrade and asked)
            if decision.work == "refresh":
                return earlier  # another run has mended it while we waited
            return mend(self._context, session, directory, state, evaluation, decision, upgrade=upgrade, lock=lock)
        except OSError as error:
            place = getattr(error, "filename", None) or directory
            raise StorageError(
                f"{session.name}: can't write its environment: {self._context.project.relative(place)}: "
                f"{error.strerror or error}",
                hint="is the disk full, or the directory not yours? 'setlist doctor' looks",
            ) from error

    def _callers_own(self, session: SessionSpec, started: float) -> PreparedEnvironment:
        interpreter = self._context.interpreters.find(session.environment.python)
        return PreparedEnvironment(
            self._context, session, None, interpreter, None, time.perf_counter() - started, ExitStack()
        )


def _decided(
    session: SessionSpec, evaluation: Evaluation, *, recreate: bool = False, upgrade: bool = False
) -> Decision:
    from setlist.environment.decision import decide

    decision = decide(
        present=evaluation.present,
        problem=evaluation.problem,
        changes=evaluation.changes,
        drift=evaluation.drift,
        recreate=recreate,
        upgrade=upgrade,
    )
    # what its function installs is known only as it happens: there is nothing to sync to
    return replace(decision, work="recreate") if session.installs_itself and decision.work == "sync" else decision


@contextmanager
def _removing_leftovers(directory: Path, *, beside: bool) -> Iterator[None]:
    """Remove what was an environment before: while the block runs, if there may be something."""
    if not beside:
        remove_leftovers(str(directory))
        yield
        return
    from setlist.process.threads import meanwhile

    with meanwhile(partial(remove_leftovers, str(directory))):
        yield


def _nobody(session: str, text: str) -> None:
    """Nobody is told."""


def _told(evaluation: Evaluation) -> set[str]:
    from setlist.environment.decision import describe

    return {describe(change) for change in evaluation.changes if change.changed}
