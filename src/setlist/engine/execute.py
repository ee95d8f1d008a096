"""Carry a plan out, and tell of all that happens as events.

This is the one way from a plan to its events: for a warm run and a cold one, for commands whose output is captured or
goes to the terminal. :func:`execute` runs the sessions of a plan, :func:`run_session` one of them, and
:func:`run_command` one of its commands. What else a session does (make its environment right, call a function) is a
function that :func:`run_session` is given.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import time

from setlist.core.events import (
    UNSUCCESSFUL,
    CommandFinished,
    CommandStarted,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionsAdded,
    SessionStarted,
)
from setlist.core.records import dataclass, field, replace
from setlist.engine.plan import Plan
from setlist.process.spawn import Capture, Grace, Interrupted, checkpoint, run_process

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Literal, Protocol, TypeAlias

    from setlist.core.errors import SetlistError
    from setlist.core.events import Emit
    from setlist.core.model import SessionStatus
    from setlist.engine.plan import PlannedCommand, Session, Step
    from setlist.process.spawn import Completed

    class SessionOutput(Protocol):
        """Where the events and the output of one session go (:class:`setlist.runner.output.SessionOutput`)."""

        @property
        def captured(self) -> bool: ...

        @property
        def capture(self) -> Capture | bool: ...

        @property
        def emit(self) -> Emit: ...

        @property
        def notice(self) -> Callable[[PlannedCommand], None] | None: ...

        def tell(self, level: Literal["info", "warning", "error"], text: str) -> None: ...

        def flush(self) -> None: ...


Notified: TypeAlias = "tuple[str, tuple[str, ...]]"
"""A session that is to run after another one that said so: its first alias, and its posargs."""

SideBySide: TypeAlias = "Callable[[Plan, dict[str, SessionResult]], Interrupted | None]"
"""Runs the sessions of a plan several at once, adds their results, and returns the signal that ended the run."""


@dataclass(frozen=True, slots=True)
class SessionResult:
    """How a session ended: its status, one line why, what it makes of the run's exit code.

    ``blocked``: it didn't start because of one that it requires, and so don't those that require it.
    ``attempts``: how often it was tried. ``waited``: the seconds in which it could have run, and others did.
    ``notified`` are the sessions that it wants to have run after it.
    """

    status: SessionStatus
    reason: str | None = None
    exit_code: int = 0
    frozen: str | None = None
    blocked: bool = False
    attempts: int = 1
    waited: float = 0.0
    notified: tuple[Notified, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a session: what its commands share while they run.

    ``deadline`` is the monotonic time at which the session's ``timeout`` is over. ``output`` is where their events and
    output go. ``keep_open`` are the descriptors that they inherit.
    """

    session: Session
    output: SessionOutput
    grace: Grace = field(default_factory=Grace)
    deadline: float | None = None
    keep_open: tuple[int, ...] = ()


def _nothing_more(_: Mapping[str, SessionResult]) -> Plan:
    return Plan(())


def execute(
    plan: Plan,
    run: Callable[[Step], SessionResult],
    emit: Emit,
    *,
    argv: tuple[str, ...] = (),
    jobs: int = 1,
    fail_fast: bool = False,
    only: bool = False,
    side_by_side: SideBySide | None = None,
    more: Callable[[Mapping[str, SessionResult]], Plan] = _nothing_more,
) -> int:
    """Run the sessions of a plan.

    Args:
        plan: the sessions.
        run: runs one of them and tells of it (:func:`run_session`).
        emit: called with each event.
        argv: the command line, for the record.
        jobs: how many sessions run at once at most.
        fail_fast: whether the first failure stops the run.
        only: what sessions require needn't run.
        side_by_side: runs several at once. None: they run one after another, by ``run``.
        more: the sessions to run after those that have ended, by their results.

    Returns:
        the exit code: 0 all well; 1 a session failed; 4 nothing failed but for want of an interpreter;
        128 and the signal's number when one stopped us.
    """
    began = time.perf_counter()
    names = tuple(step.session.name for step in plan.steps)
    emit(RunStarted(time=time.time(), run=os.urandom(6).hex(), sessions=names, argv=argv, jobs=jobs))
    endings: dict[str, SessionResult] = {}
    interrupted: Interrupted | None = None
    while plan.steps:
        if side_by_side is not None:
            interrupted = side_by_side(plan, endings)
        else:
            interrupted = _one_after_another(plan, run, emit, endings, fail_fast=fail_fast, only=only)
        stopped = interrupted is not None or (fail_fast and exit_code_of(endings.values()) != 0)
        plan = Plan(()) if stopped else more(endings)
        if plan.steps:
            emit(SessionsAdded(time=time.time(), sessions=tuple(step.session.name for step in plan.steps)))
    code = interrupted.exit_code if interrupted is not None else exit_code_of(endings.values())
    emit(RunFinished(time=time.time(), exit_code=code, duration=time.perf_counter() - began))
    return code


def _one_after_another(
    plan: Plan,
    run: Callable[[Step], SessionResult],
    emit: Emit,
    endings: dict[str, SessionResult],
    *,
    fail_fast: bool,
    only: bool,
) -> Interrupted | None:
    interrupted: Interrupted | None = None
    for step in plan.steps:
        name = step.session.name
        if interrupted is None:
            try:
                checkpoint()
            except Interrupted as signal:
                interrupted = signal
        stopped = interrupted is not None or (fail_fast and exit_code_of(endings.values()) != 0)
        not_started = blocked(step, endings, only=only)
        if stopped:
            not_started = SessionResult("not-run", not_run_reason(interrupted))
        if not_started is not None:
            endings[name] = not_started
            tell_end(step.session, not_started, emit)
            continue
        try:
            endings[name] = run(step)
        except Interrupted as signal:
            interrupted = signal
    return interrupted


def not_run_reason(interrupted: Interrupted | None) -> str:
    """Why those that haven't begun don't any more."""
    return "an earlier one failed" if interrupted is None else "the run was interrupted"


def blocked(step: Step, endings: Mapping[str, SessionResult], *, only: bool = False) -> SessionResult | None:
    """How a session ends that can't start, given how the others ended; None if it can start.

    A failed one that is allowed to fail blocks as well: the run may pass without it, its dependents
    may not. One that was skipped for want of an interpreter, or by its own function, doesn't block.

    A session with ``plain_exit`` is aborted then, and a notified one also where a session that it requires has not run:
    notifying a session adds nothing that it requires.

    Args:
        step: the session's.
        endings: those of all sessions that have ended in this run.
        only: what sessions require needn't run.
    """
    session = step.session
    notified = step.posargs is not None
    for name in session.requires:
        ending = endings.get(name)
        if ending is None:
            if not notified or only:
                continue  # not part of this run
            became = "has not run"
        elif ending.status in UNSUCCESSFUL:
            became = "was aborted" if ending.status == "aborted" else "failed"
        elif ending.blocked:
            became = "was skipped"
        else:
            continue
        reason = f"requires {name}, which {became}"
        if session.plain_exit:
            return SessionResult("aborted", reason, 1, blocked=True)
        return SessionResult("skipped", reason, blocked=True)
    return None


def exit_code_of(endings: Iterable[SessionResult]) -> int:
    """The exit code of a run, given how its sessions ended: a failure outweighs a missing interpreter."""
    codes = {ending.exit_code for ending in endings} - {0}
    return 1 if 1 in codes else min(codes, default=0)


def run_session(
    session: Session,
    carry_out: Callable[[], SessionResult],
    output: SessionOutput,
    *,
    error_on_missing: bool = True,
    stopped: Callable[[], str | None] = lambda: None,
    unforeseen: Callable[[BaseException], str] | None = None,
) -> SessionResult:
    """Run a session, and tell of it from its start to its end. Only a signal leaves it as an exception.

    Args:
        session: the session.
        carry_out: does what it does.
        output: where its events go.
        error_on_missing: whether it fails for want of its interpreter; otherwise it is skipped.
        stopped: returns why the run stops its sessions, if no signal from outside does.
        unforeseen: tells of an exception that nobody foresaw, and returns it as one line. None: it is raised.

    Raises:
        Interrupted: a signal reached us; the end of the session has been told.
    """
    began = time.perf_counter()
    output.emit(SessionStarted(time=time.time(), session=session.name, captured=output.captured))
    interrupted: Interrupted | None = None
    try:
        ending = carry_out()
    except (Interrupted, KeyboardInterrupt) as error:
        # without handlers (a caller that isn't in the main thread), Python raises KeyboardInterrupt
        interrupted = error if isinstance(error, Interrupted) else Interrupted(_SIGINT)
        reason = stopped()
        if reason is None:
            ending = SessionResult("interrupted", f"interrupted by {interrupted}", interrupted.exit_code)
        else:
            ending = SessionResult("interrupted", reason)
    except (Exception, SystemExit) as error:
        told = _after_error(session, error, output, error_on_missing)
        if told is None:
            if unforeseen is None:
                raise
            told = failed(session, unforeseen(error))
        ending = told
    tell_end(session, ending, output.emit, time.perf_counter() - began - ending.waited)
    if interrupted is not None:
        raise interrupted
    return ending


_SIGINT = 2


def _after_error(
    session: Session, error: BaseException, output: SessionOutput, error_on_missing: bool
) -> SessionResult | None:
    """How a session ends after an error of setlist's; None for any other exception."""
    from setlist.core.errors import InterpreterNotFound, SetlistError

    if not isinstance(error, SetlistError):
        return None
    if isinstance(error, InterpreterNotFound):
        if not error_on_missing:
            return SessionResult("skipped", error.message)
        output.tell("error", message_of(error))
        return failed(session, error.message, 1 if session.plain_exit else error.exit_code)
    output.tell("error", message_of(error))
    return failed(session, str(error), error.exit_code if error.exit_code > 2 else 1)


def tell_end(session: Session, ending: SessionResult, emit: Emit, duration: float = 0.0) -> None:
    """Tell how a session ended."""
    emit(
        SessionFinished(
            time=time.time(),
            session=session.name,
            status=ending.status,
            reason=ending.reason,
            exit_code=ending.exit_code,
            duration=duration,
            frozen=ending.frozen,
            attempts=ending.attempts,
        )
    )


def failed(session: Session, reason: str, exit_code: int = 1) -> SessionResult:
    """The result of a session that failed: the run passes where it may."""
    return SessionResult("failed", reason, 0 if session.allow_failure else exit_code)


def run_attempts(
    session: Session, once: Callable[[], tuple[SessionResult, bool]], output: SessionOutput
) -> SessionResult:
    """Try a session until it passes, or as often as its ``retries`` allow.

    Args:
        session: the session.
        once: tries it, and returns how that ended and whether another try may help.
        output: where its events go.
    """
    attempts = session.retries + 1
    for number in range(1, attempts + 1):
        ending, again = once()
        if ending.status == "ok" and number > 1:
            return replace(ending, status="flaky", reason=f"passed at try {number} of {attempts}", attempts=number)
        if not again or number == attempts:
            return replace(ending, attempts=number)
        output.emit(
            SessionRetried(
                time=time.time(),
                session=session.name,
                attempt=number + 1,
                attempts=attempts,
                reason=ending.reason or "",
            )
        )
    raise AssertionError("a session is tried at least once")


def deadline_of(session: Session) -> float | None:
    """The monotonic time at which the ``timeout`` of a session is over that is tried now."""
    return None if session.timeout is None else time.monotonic() + session.timeout


def run_commands(commands: Iterable[PlannedCommand], attempt: Attempt) -> SessionResult:
    """Run commands, one after another, until one fails. Each is planned when its turn comes.

    Raises:
        SetlistError: one can't be planned or started.
        Interrupted: a signal reached us; the command is gone.
    """
    try:
        for command in commands:
            run_command(command, attempt)
    except Exception as error:
        from setlist.core.errors import CommandFailed

        if not isinstance(error, CommandFailed):
            raise
        # how it ended was told with the command
        return failed(attempt.session, error.message)
    return SessionResult("ok")


def run_command(
    command: PlannedCommand, attempt: Attempt, *, capture: bool = False, timeout: float | None = None
) -> tuple[bool, Completed]:
    """Run a command, tell of it, and judge how it ended.

    Args:
        command: the command.
        attempt: what it shares with others.
        capture: collect what it writes; told as ``Output`` only when it fails.
        timeout: seconds it may take; what is left of the session's own timeout counts as well.

    Returns:
        whether it succeeded (False only where it is allowed to fail), and how it ended.

    Raises:
        CommandFailed: it failed.
        CommandRefused: it can't be started.
        Interrupted: a signal reached us; it is gone.
    """
    session, output = attempt.session.name, attempt.output
    left = None if attempt.deadline is None else attempt.deadline - time.monotonic()
    if left is not None and left <= 0:
        from setlist.core.errors import CommandFailed

        limit = attempt.session.timeout
        raise CommandFailed(f"the timeout of {limit:g}s is over, {command.words[0]} isn't run", None)
    limits = [limit for limit in (timeout, left) if limit is not None]
    if output.notice is not None:
        output.notice(command)
    output.emit(CommandStarted(time=time.time(), session=session, command=command.words))
    try:
        completed = run_process(
            command.argv,
            env=command.environ,
            cwd=command.cwd,
            # a captured session has no terminal, whether its output is shown or not
            capture=output.capture if not capture else Capture(None, merged=False) if output.captured else True,
            stdout=command.stdout,
            timeout=min(limits, default=None),
            grace=attempt.grace,
            keep_open=attempt.keep_open,
        )
    finally:
        output.flush()
    ok = not completed.timed_out and completed.code in command.ok_codes
    if not ok:
        _emit_collected(attempt, "stdout", completed.stdout)
        _emit_collected(attempt, "stderr", completed.stderr)
    output.emit(
        CommandFinished(
            time=time.time(),
            session=session,
            command=command.words,
            code=completed.code,
            ok=ok,
            timed_out=completed.timed_out,
            duration=completed.duration,
        )
    )
    if ok:
        return True, completed
    what = failure_text(command.words, completed)
    unexpanded = _unexpanded(command)
    if unexpanded is not None:
        output.tell("info", f"{unexpanded!r} was passed as it is: only a shell expands it (shell = true)")
    if not command.allow_failure:
        from setlist.core.errors import CommandFailed

        raise CommandFailed(what, None if completed.timed_out else completed.code)
    output.tell("warning", f"{what}, which is allowed")
    return False, completed


def _unexpanded(command: PlannedCommand) -> str | None:
    """The first argument that a shell would have replaced by names of files; None if there is none.

    Options and their values are left out, and what programs expand themselves.
    """
    from glob import iglob

    if command.words[0] == "twine":
        return None
    for before, word in zip(command.words, command.words[1:], strict=False):
        if before.startswith("-") or word.startswith("-"):
            continue
        path = os.path.join(command.cwd, word)
        is_pattern = ("*" in word or "?" in word) and not os.path.lexists(path)
        if word.startswith("~/") or (is_pattern and next(iglob(path), None) is not None):
            return word
    return None


def _emit_collected(attempt: Attempt, stream: Literal["stdout", "stderr"], data: bytes) -> None:
    if data:
        text = data.decode(errors="replace")
        attempt.output.emit(Output(time=time.time(), session=attempt.session.name, stream=stream, data=text))


def message_of(error: SetlistError) -> str:
    """All that a problem says, in lines: what, the tool's own words, what to do."""
    lines = [str(error)]
    lines += [f"    {line}".rstrip() for line in (error.detail or "").rstrip().splitlines()]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def failure_text(words: Sequence[str], completed: Completed) -> str:
    """How a command ended, in one line: ``pytest exited with code 1``."""
    program = words[0].splitlines()[0]
    if len(program) > 60:
        program = program[:59] + "…"
    if completed.timed_out:
        return f"{program} timed out after {completed.duration:.1f}s"
    if completed.code >= 0:
        return f"{program} exited with code {completed.code}"
    import signal

    try:
        name = signal.Signals(-completed.code).name
    except ValueError:
        name = f"signal {-completed.code}"
    return f"{program} was killed by {name}"
