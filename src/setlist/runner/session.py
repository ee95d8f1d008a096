"""What a session does: its environment is made right, then its commands or its function run, as often as is tried."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from setlist.core.errors import SessionError
from setlist.core.model import SessionSpec
from setlist.core.plugins import find_provider
from setlist.core.records import dump, replace
from setlist.engine import execute
from setlist.engine.execute import SessionResult, deadline_of, failed, run_attempts, run_commands
from setlist.engine.plan import Step
from setlist.registry.substitution import expand_text, expand_words
from setlist.runner.command import (
    SessionAttempt,
    expand_env,
    plan_command,
    session_variables,
    working_directory,
)
from setlist.runner.error_text import one_line, tell_traceback
from setlist.runner.output import SessionOutput
from setlist.runner.run_context import RunContext, RunOptions, SessionProvider
from setlist.runner.tempdir import Temporary

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.uptodate import Record

PREPARED = "prepared"
"""The reason of a session of which only the environment was made."""


def run_session(context: RunContext, session: SessionSpec, posargs: tuple[str, ...]) -> SessionResult:
    """Run a session, and tell of it from its start to its end.

    Nothing but a signal comes out of it as an exception.

    Raises:
        Interrupted: a signal reached us; the end of the session has been told.
    """
    output = SessionOutput(context.sink, session)

    def unforeseen(error: BaseException) -> str:
        import traceback

        reason = one_line(error, session, context.project)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        tell_traceback(output, session, context.project, reason, text)
        return reason

    def carry_out() -> SessionResult:
        ending = _run(context, session, posargs, output)
        if ending.status == "failed" and session.environment.backend != "none":
            from setlist.environment.bytecode import tell_cut_off

            tell_cut_off(context.project.environment(session.name), context.caller.environ, output)
        return ending

    return execute.run_session(
        session,
        carry_out,
        output,
        error_on_missing=context.error_on_missing,
        stopped=context.stopped,
        unforeseen=unforeseen,
    )


def posargs_of(step: Step, options: RunOptions) -> tuple[str, ...]:
    """The words after ``--``: for a session that was asked for, and for one that takes them in any case."""
    if step.posargs is not None:
        return step.posargs
    return options.posargs if step.requested or step.session.takes_all_posargs else ()


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
        if options.prepare:
            if session.function is not None:
                output.tell("info", "what its function installs is added when it runs")
            return SessionResult("ok", PREPARED, 0, frozen)
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

    def once() -> tuple[SessionResult, bool]:
        temporary = Temporary.of(context.project, session.name)
        try:
            attempt = attempt_of(context, session, prepared, posargs, temporary, output)
            if session.function is not None:
                return _function(context, attempt, prepared, posargs, temporary)
            ending = run_commands((plan_command(command, attempt) for command in session.commands), attempt)
            return ending, ending.status == "failed"
        finally:
            temporary.remove()

    return run_attempts(session, once, output)


def attempt_of(
    context: RunContext,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    temporary: Temporary | None,
    output: SessionOutput,
) -> SessionAttempt:
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
        SessionError: ``cwd`` isn't there, or a file of ``env-file`` can't be read.
    """
    project = context.project
    from_files: Mapping[str, str] = {}
    if session.env_file:
        from setlist.runner.env_file import missing_env_files, read_env_files

        from_files = read_env_files(session, project.root)
        if not session.secrets:
            output.hide_all(from_files)
        if temporary is not None:
            for name in missing_env_files(session, project.root):
                output.tell("info", f"{name} doesn't exist: its variables aren't set")
    environ, values = session_variables(
        context.caller.environ,
        project,
        session,
        prepared,
        temporary=temporary,
        posargs=posargs,
        assigned=context.variables(session, output),
        from_files=from_files,
    )
    output.hide(environ)
    cwd = project.root
    if session.cwd is not None and temporary is not None:
        cwd = working_directory(expand_text(session.cwd, values), project.root, project)
    return SessionAttempt(
        project=project,
        session=session,
        bin=tuple(prepared.bin),
        environ=environ,
        values=values,
        cwd=cwd,
        from_files=from_files,
        output=output,
        grace=context.grace,
        deadline=deadline_of(session),
        keep_open=context.keep_open(session),
    )


def _function(
    context: RunContext,
    attempt: SessionAttempt,
    prepared: PreparedEnvironment,
    posargs: tuple[str, ...],
    temporary: Temporary,
) -> tuple[SessionResult, bool]:
    from setlist.runner.function import run_in_worker

    session, output = attempt.session, attempt.output
    ended_well = False
    try:
        result = run_in_worker(attempt, prepared, posargs, context.caller, str(temporary.reserved))
        ended_well = result["status"] == "ok"
    finally:
        changes = prepared.finish_installs(ok=ended_well)
    status, reason = result["status"], result.get("reason", "")
    if status == "skipped":
        return SessionResult("skipped", reason), False
    if status == "refused":
        output.tell("error", result["told"])
        return failed(session, reason, result["exit_code"] if result["exit_code"] > 2 else 1), False
    if status == "raised":
        tell_traceback(output, session, context.project, reason, result["traceback"])
    if status != "ok":
        return failed(session, reason), True
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
    attempt = attempt_of(context, session, prepared, posargs, None, output)
    return {
        "commands": [
            {
                **dump(command),
                "words": expand_words(command.words, attempt.values),
                "env": expand_env(command.env, attempt.values),
            }
            for command in session.commands
        ],
        "function": dump(session.function) if session.function is not None else None,
        "posargs": posargs,
        "env": {name: attempt.environ[name] for name, _ in session.env},
        "env-file": attempt.from_files,
        "cwd": session.cwd,
        "inherit-env": session.inherit_env,
        "outputs": session.outputs,
    }
