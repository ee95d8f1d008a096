"""One session, from its environment to how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from setlist.core.errors import CommandFailed, InterpreterNotFound, SessionError, SetlistError
from setlist.core.events import SessionFinished, SessionRetried, SessionStarted
from setlist.core.model import SessionSpec
from setlist.core.plugins import find_provider
from setlist.core.records import dump, replace
from setlist.process.spawn import Interrupted
from setlist.registry.substitution import expand_text, expand_words
from setlist.runner.command import (
    SessionPlan,
    expand_env,
    plan_command,
    run_command,
    session_variables,
    working_directory,
)
from setlist.runner.error_text import message_of, one_line, tell_traceback
from setlist.runner.output import SessionOutput
from setlist.runner.run_context import RunContext, SessionProvider, SessionResult
from setlist.runner.tempdir import Temporary

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.uptodate import Record


def run_session(context: RunContext, session: SessionSpec, posargs: tuple[str, ...]) -> SessionResult:
    """Run a session, and tell of it from its start to its end.

    Nothing but a signal comes out of it as an exception.

    Raises:
        Interrupted: a signal reached us; the end of the session has been told.
    """
    began = time.perf_counter()
    output = SessionOutput(context.sink, session)
    output.emit(SessionStarted(time=time.time(), session=session.name, captured=output.captured))
    interrupted: Interrupted | None = None
    try:
        ending = _run(context, session, posargs, output)
        if ending.status == "failed" and session.environment.backend != "none":
            _remove_cut_off(context, session, output)
    except InterpreterNotFound as error:
        if context.error_on_missing:
            output.tell("error", message_of(error))
            ending = _failed(session, error.message, 1 if session.plain_exit else error.exit_code)
        else:
            ending = SessionResult("skipped", error.message)
    except SetlistError as error:
        output.tell("error", message_of(error))
        ending = _failed(session, str(error), error.exit_code if error.exit_code > 2 else 1)
    except (Interrupted, KeyboardInterrupt) as error:
        import signal

        # without handlers (a caller that isn't in the main thread), Python raises KeyboardInterrupt
        interrupted = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
        reason = context.stopped()
        if reason is None:
            ending = SessionResult("interrupted", f"interrupted by {interrupted}", interrupted.exit_code)
        else:
            ending = SessionResult("interrupted", reason)
    except (Exception, SystemExit) as error:
        import traceback

        reason = one_line(error, session, context.project)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        tell_traceback(output, session, context.project, reason, text)
        ending = _failed(session, reason)
    finish(context, session, ending, time.perf_counter() - began - ending.waited)
    if interrupted is not None:
        raise interrupted
    return ending


def finish(context: RunContext, session: SessionSpec, ending: SessionResult, duration: float = 0.0) -> None:
    """Tell how a session ended."""
    context.sink.emit(
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


def _failed(session: SessionSpec, reason: str, exit_code: int = 1) -> SessionResult:
    return SessionResult("failed", reason, 0 if session.allow_failure else exit_code)


def would_be_up_to_date(
    context: RunContext, session: SessionSpec, prepared: PreparedEnvironment, posargs: tuple[str, ...]
) -> bool:
    """Whether a run would find that the session needn't run. Changes nothing.

    Args:
        context: a run's.
        session: the session.
        prepared: its environment, as it is and as a run would use it.
        posargs: the words after ``--``.
    """
    if not session.inputs:
        return False
    from setlist.runner import uptodate

    try:
        what = _what_runs(context, session, prepared, posargs, SessionOutput(context.sink, session))
    except SessionError:
        return False  # running it will tell
    return uptodate.is_up_to_date(context.project, session, prepared, what, refresh=False)


def _run(context: RunContext, session: SessionSpec, posargs: tuple[str, ...], output: SessionOutput) -> SessionResult:
    """Prepare the session's environment, wait for its turn, and run it unless it is up to date."""
    if _only_gathers(session):
        return SessionResult("ok")
    if session.provider:
        provider: SessionProvider = find_provider(session.provider)
        return provider.run(context, session, posargs, output)
    options, jobserver = context.options, context.jobserver
    with context.environments.prepared(session, recreate=options.recreate, upgrade=options.upgrade) as prepared:
        frozen = context.ready(session, prepared)
        record: Record | None = None
        if session.inputs:
            from setlist.runner import uptodate

            what = _what_runs(context, session, prepared, posargs, output)
            untouched = prepared.action in ("reused", "none") and not options.recreate
            if untouched and uptodate.is_up_to_date(context.project, session, prepared, what):
                return SessionResult("ok", "up to date", 0, frozen)
            uptodate.forget_record(context.project, session.name)
            record = uptodate.record_of(context.project, session, prepared, what)
        asked = time.perf_counter()
        reason = context.turn(session)
        waited = time.perf_counter() - asked
        if reason is not None:
            return SessionResult("not-run", reason, 0, frozen, waited=waited)
        with jobserver.used_by(session) if jobserver is not None else nullcontext():
            ending = replace(_tries(context, session, prepared, posargs, output), frozen=frozen, waited=waited)
        if record is not None and ending.status in ("ok", "flaky"):
            # what the session's function installed has come since
            passed = replace(record, environment=uptodate.environment_digest(prepared))
            uptodate.keep_record(context.project, session.name, passed)
        return ending


def _only_gathers(session: SessionSpec) -> bool:
    """Whether it is nothing but a name for what it requires, and needs no environment."""
    spec = session.environment
    installs = spec.deps or spec.groups or spec.extras or spec.requirements or spec.project
    return bool(session.requires) and not (session.commands or session.function or session.provider or installs)


def _tries(
    context: RunContext,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    output: SessionOutput,
) -> SessionResult:
    """Run it until it passes, or as often as ``retries`` allows."""
    attempts = session.retries + 1
    for attempt in range(1, attempts + 1):
        temporary = Temporary.of(context.project, session.name)
        again = False
        try:
            plan = plan_session(context, session, prepared, posargs, temporary, output)
            if session.function is not None:
                ending, again = _function(context, plan, prepared, posargs, temporary)
            else:
                for command in session.commands:
                    run_command(plan_command(command, plan), plan)
                ending = SessionResult("ok")
        except CommandFailed as error:
            # how it ended was told with the command
            ending, again = _failed(session, error.message), True
        finally:
            temporary.remove()
        if ending.status == "ok" and attempt > 1:
            return replace(ending, status="flaky", reason=f"passed at try {attempt} of {attempts}", attempts=attempt)
        if not again or attempt == attempts:
            return replace(ending, attempts=attempt)
        output.emit(
            SessionRetried(
                time=time.time(),
                session=session.name,
                attempt=attempt + 1,
                attempts=attempts,
                reason=ending.reason or "",
            )
        )
    raise AssertionError("a session is tried at least once")


def plan_session(
    context: RunContext,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    temporary: Temporary | None,
    output: SessionOutput,
) -> SessionPlan:
    """What the session's commands share.

    Args:
        context: the run's.
        session: the session.
        prepared: its environment.
        posargs: the words after ``--``.
        temporary: the place of ``{tmp}``, made if a template names it. None: there is none yet, and no
            directory of the session's is looked at.
        output: where the session's events and output go.

    Raises:
        SubstitutionError: a variable that ``env`` or ``cwd`` needs isn't set.
        SessionError: ``cwd`` isn't there.
    """
    project = context.project
    environ, values = session_variables(
        context.caller.environ,
        project,
        session,
        prepared,
        temporary=temporary,
        posargs=posargs,
        assigned=context.variables(session, output),
    )
    output.hide(environ)
    cwd = project.root
    if session.cwd is not None and temporary is not None:
        cwd = working_directory(expand_text(session.cwd, values), project.root, project)
    return SessionPlan(
        project=project,
        session=session,
        bin=tuple(prepared.bin),
        environ=environ,
        values=values,
        cwd=cwd,
        output=output,
        grace=context.grace,
        deadline=None if session.timeout is None else time.monotonic() + session.timeout,
        keep_open=context.keep_open(session),
    )


def _function(
    context: RunContext,
    plan: SessionPlan,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    temporary: Temporary,
) -> tuple[SessionResult, bool]:
    from setlist.runner.function import run_in_worker

    session, output = plan.session, plan.output
    ended_well = False
    try:
        result = run_in_worker(plan, prepared, posargs, context.caller, str(temporary.reserved))
        ended_well = result["status"] == "ok"
    finally:
        changes = prepared.finish_installs(ok=ended_well)
    status, reason = result["status"], result.get("reason", "")
    if status == "skipped":
        return SessionResult("skipped", reason), False
    if status == "refused":
        output.tell("error", result["told"])
        return _failed(session, reason, result["exit_code"] if result["exit_code"] > 2 else 1), False
    if status == "raised":
        tell_traceback(output, session, context.project, reason, result["traceback"])
    if status != "ok":
        return _failed(session, reason), True
    if changes:
        output.tell("info", "no longer installed by its function: " + ", ".join(map(str, changes)))
    return SessionResult("ok"), False


def _what_runs(
    context: RunContext,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    output: SessionOutput,
) -> Mapping[str, Any]:
    """All that decides what the session does besides its environment and its files, as JSON data."""
    plan = plan_session(context, session, prepared, posargs, None, output)
    return {
        "commands": [
            {
                **dump(command),
                "words": expand_words(command.words, plan.values),
                "env": expand_env(command.env, plan.values),
            }
            for command in session.commands
        ],
        "function": dump(session.function) if session.function is not None else None,
        "posargs": posargs,
        "env": {name: plan.environ[name] for name, _ in session.env},
        "cwd": session.cwd,
        "inherit-env": session.inherit_env,
        "outputs": session.outputs,
    }


def _remove_cut_off(context: RunContext, session: SessionSpec, output: SessionOutput) -> None:
    """Look whether a failure may have come from compiled files that a full disk has cut off."""
    from setlist.environment.bytecode import remove_cut_off, text_about

    removed = remove_cut_off(context.project.environment(session.name), context.caller.environ)
    if removed:
        output.tell("error", text_about(removed))
