"""Run a session of a noxfile: by nox itself, in a worker process, in an environment of ours.

The host's side of what :mod:`setlist.providers.nox.nox_worker` describes. The worker is started first: while it imports
nox and loads the noxfile, the environment is made right.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.errors import SetlistError
from setlist.core.events import from_json
from setlist.core.model import Change, SessionSpec
from setlist.core.records import replace
from setlist.engine.execute import Notified, SessionResult
from setlist.environment.requirement_lines import install_words
from setlist.process.spawn import Interrupted
from setlist.providers.nox.backends import CONDA, PROVIDER, NoxSession, backend_of, nox_session, uv_and_version
from setlist.providers.nox.nox_process import Launch, NoxProcess, NoxProcesses
from setlist.runner.error_text import tell_traceback
from setlist.runner.output import SessionOutput
from setlist.runner.run_context import RunContext
from setlist.runner.tempdir import in_use

if TYPE_CHECKING:
    from setlist.environment.install_journal import Recorder
    from setlist.environment.prepared import PreparedEnvironment


class _NotRun(Exception):
    """The session isn't to run any more."""

    def __init__(self, ending: SessionResult) -> None:
        super().__init__(ending.reason)
        self.ending = ending


def run_noxfile_session(
    context: RunContext, session: SessionSpec, posargs: tuple[str, ...], output: SessionOutput
) -> SessionResult:
    """Run the session to its end.

    Args:
        context: the run's.
        session: the session.
        posargs: the words after ``--``.
        output: where its events and output go.

    Raises:
        SetlistError: its environment can't be made right.
        Interrupted: a signal reached us, and all of it is gone.
    """
    with ExitStack() as held:
        visit = NoxSessionHost(context, session, posargs, output, held)
        process, idle = _process(context, session, output)
        try:
            result = _told(process, visit)
        except _NotRun as not_run:
            return not_run.ending
        finally:
            if idle is not None and process.is_alive:
                idle.keep(process)
            else:
                process.close()
            output.flush()
            visit.leave()
        ending = _ending(session, visit, result)
        if result["status"] == "refused":
            output.tell("error", result["told"])
        elif result["status"] == "raised":
            tell_traceback(output, session, context.project, result["reason"], result["traceback"])
        return ending


def shared_processes(context: RunContext) -> NoxProcesses | None:
    """The processes of a run that wait for the next session of a noxfile."""
    processes = context.shared.get(PROVIDER)
    return processes if isinstance(processes, NoxProcesses) else None


def _python(context: RunContext, nox: NoxSession) -> AbstractContextManager[Path]:
    """The Python that a noxfile's functions run in: setlist's own, unless the noxfile asks for another environment."""
    if nox.runs_in is None:
        return nullcontext(Path(sys.executable))
    return context.environments.loader_python(nox.runs_in, nox.file)


def _process(
    context: RunContext, session: SessionSpec, output: SessionOutput
) -> tuple[NoxProcess, NoxProcesses | None]:
    """A process for the session, and where it may wait for the next one."""
    project, nox = context.project, nox_session(session)
    environ, keep_open = context.variables(session, output), context.keep_open(session)
    loaded = (str(project.root), nox.file, tuple(project.provider_arguments))
    idle = None if output.captured or environ or keep_open else shared_processes(context)
    process = None if idle is None else idle.take(loaded)
    if process is None:
        with ExitStack() as held:
            launch = Launch(
                python=held.enter_context(_python(context, nox)),
                environ={**context.caller.environ, **environ},
                cwd=project.root,
                grace=context.grace,
                capture=output.capture,
                keep_open=keep_open,
            )
            process = NoxProcess(launch)
            process.held = held.pop_all()
        process.loaded = loaded
    return process, idle


def _told(process: NoxProcess, visit: NoxSessionHost) -> Mapping[str, Any]:
    """Have a process run the session, and return its result."""
    process.say(visit.given(), visit)
    try:
        job = visit.job()
    except BaseException:
        process.say({"run": False})
        process.result()
        raise
    process.say({"run": True, **job})
    visit.result = process.result()
    return visit.result


def collect_installs(context: RunContext, session: SessionSpec) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """What the session's function would install, without running any of its commands.

    Returns:
        the installs, and why that isn't all that can be said of it, or None.
    """
    with ExitStack() as held:
        visit = _Collecting(context, session, (), SessionOutput(context.sink, session), held)
        python = held.enter_context(_python(context, nox_session(session)))
        launch = Launch(
            python=python,
            environ=context.caller.environ,
            cwd=context.project.state,
            grace=context.grace,
            capture=True,
        )
        process = NoxProcess(launch)
        try:
            result = _told(process, visit)
        finally:
            process.close()
        return visit.installs, None if result["status"] == "ok" else result.get("reason") or result["status"]


def _ending(session: SessionSpec, visit: NoxSessionHost, result: Mapping[str, Any]) -> SessionResult:
    status, reason = result["status"], result.get("reason") or None
    ending = SessionResult("ok", None, 0, visit.frozen, waited=visit.waited, notified=visit.notified(result))
    if status == "ok":
        return ending
    if status == "interrupted":
        raise Interrupted(signal.SIGINT)
    if status == "skipped":
        return replace(ending, status="skipped", reason=reason)
    if status == "aborted":
        return replace(ending, status="aborted", reason=reason, exit_code=1)
    code = result["exit_code"] if status == "refused" and result["exit_code"] > 2 else 1
    return replace(ending, status="failed", reason=reason, exit_code=0 if session.allow_failure else code)


class NoxSessionHost:
    """One run of a noxfile's session, as its host sees it."""

    collecting = False

    def __init__(
        self,
        context: RunContext,
        session: SessionSpec,
        posargs: tuple[str, ...],
        output: SessionOutput,
        held: ExitStack,
    ) -> None:
        self.context = context
        self.session = session
        self.frozen: str | None = None
        self.waited = 0.0
        self._nox = nox_session(session)
        self._posargs = posargs
        self.output = output
        self._held = held
        self._recorder: Recorder | None = None
        self.result: Mapping[str, Any] | None = None

    def given(self) -> Mapping[str, Any]:
        """What the worker is told at once."""
        project = self.context.project
        return {
            "root": str(project.root),
            "file": self._nox.file,
            "name": self._nox.name,
            "session": self.session.name,
            "arguments": project.provider_arguments,
            "posargs": self._posargs,
            "posargs_of_all": self.context.options.posargs,
            "invoked_from": str(self.context.caller.cwd),
            "collecting": self.collecting,
            "install_only": self.collecting or self.context.options.prepare,
        }

    def job(self) -> Mapping[str, Any]:
        """Make the environment right, wait for the session's turn, and say what the worker needs to know of it.

        Raises:
            SetlistError: it can't be made right.
            _NotRun: its turn doesn't come.
        """
        context, session = self.context, self.session
        backend = backend_of(self._nox, context.caller.environ)
        if session.environment.backend == "none":
            backend = "none"
        prepared = self._held.enter_context(self._prepare(backend))
        self.frozen = context.ready(session, prepared)
        asked = time.perf_counter()
        reason = context.turn(session)
        self.waited = time.perf_counter() - asked
        if reason is not None:
            raise _NotRun(SessionResult("not-run", reason, 0, self.frozen, waited=self.waited))
        if context.jobserver is not None:
            self._held.enter_context(context.jobserver.used_by(session))
        # with nox's --no-install an environment that is there stays as it is
        as_it_is = "--no-install" in context.project.provider_arguments and prepared.action == "reused"
        if prepared.directory is not None and not as_it_is:
            self._recorder = prepared.recorder()
        return self._told(backend, prepared)

    def _told(self, backend: str, prepared: PreparedEnvironment | None) -> Mapping[str, Any]:
        context = self.context
        return {
            "backend": backend,
            "envdir": str(context.project.environment(self.session.name)),
            "tmp": str(context.project.temporary(self.session.name)),
            "interpreter": prepared.interpreter.executable if prepared is not None else None,
            "reused": prepared is not None and prepared.action == "reused",
            "grace": [context.grace.interrupt, context.grace.terminate],
            "keep_open": context.keep_open(self.session),
        }

    def _prepare(self, backend: str) -> Any:
        from setlist.environment import locking
        from setlist.environment.install_steps import stale_by_commands
        from setlist.environment.state import read_state

        project, session = self.context.project, self.session
        environments, options = self.context.environments, self.context.options
        if backend in CONDA:
            # nox makes it anew, in its own way: nobody else may use it meanwhile
            self._held.enter_context(locking.exclusive(project, session.name))
        elif backend != "none" and not options.recreate:
            state = read_state(project.environment(session.name))
            environ = self.context.caller.environ
            command = stale_by_commands(state, project.root, environ) if state is not None and state.steps else None
            if command is not None:
                self.output.tell("info", f"made anew: files have changed, and {command!r} installs what only it knows")
                return environments.prepared(session, recreate=True)
        return environments.prepared(session, recreate=options.recreate, upgrade=options.upgrade)

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is answered to what only we can do; events are emitted first."""
        if "event" in message:
            self.output.emit(from_json(message))
        asked = message.get("ask")
        recorder = self._recorder
        try:
            if asked == "uv":
                return {"uv": uv_and_version()}
            if asked == "tmp":
                # create_tmp is to find what it would in a new environment: nothing
                self._held.enter_context(in_use(self.context.project, self.session.name))
                return {}
            if recorder is None:
                return {"do": "start"}
            if asked == "install":
                return recorder.install(message["words"], message["env"], Path(message["cwd"]))
            if asked == "installed":
                self.tell_changes("installed", recorder.installed(ok=message["ok"]))
            elif asked == "settle":
                answer = recorder.settle(message["words"], message["env"], Path(message["cwd"]))
                self.tell_changes("not asked for by now", answer.pop("changes", ()))
                if answer["do"] == "replay":
                    self.output.tell("info", "made anew: what is no longer asked for can't be taken out alone")
                return answer
            elif asked == "last":
                changes = recorder.finish(ok=True)
                self.tell_changes("no longer asked for", changes or ())
                if changes is None:
                    return {"do": "replay"}
            elif ran := message.get("ran"):
                recorder.ran(ran["words"], ran["env"], Path(ran["cwd"]))
        except SetlistError as error:
            told = {"message": error.message, "where": error.where, "hint": error.hint, "detail": error.detail}
            return {"error": {**told, "exit_code": error.exit_code}}
        except OSError as error:
            return {"error": {"message": f"{error.filename}: {error.strerror or error}"}}
        except Interrupted:
            return {"error": {"message": "interrupted"}}
        return {}

    def leave(self) -> None:
        """The function has ended."""
        if self._recorder is not None:
            ok = self.result is not None and self.result["status"] == "ok"
            self.tell_changes("no longer asked for", self._recorder.finish(ok=ok) or ())

    def notified(self, result: Mapping[str, Any]) -> tuple[Notified, ...]:
        """The sessions that it wants to have run after it."""
        return tuple((name, tuple(posargs)) for name, posargs in result.get("notified", ()))

    def tell_changes(self, what: str, changes: Sequence[Change]) -> None:
        """Say which packages moved."""
        if changes:
            self.output.tell("info", f"{what}: {', '.join(map(str, changes))}")


class _Collecting(NoxSessionHost):
    """A run of the function in which nothing is done, and what it would install is written down."""

    collecting = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.installs: list[Mapping[str, Any]] = []

    def job(self) -> Mapping[str, Any]:
        backend = backend_of(self._nox, self.context.caller.environ)
        return self._told("none" if self.session.environment.backend == "none" else backend, None)

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = message.get("ask")
        if asked == "uv":
            return {"uv": uv_and_version()}
        if asked == "install" or (asked == "settle" and install_words(message["words"]) is not None):
            self.installs.append({name: message[name] for name in ("words", "env", "cwd")})
            return {"do": "skip"}
        return {"do": "start"}

    def leave(self) -> None:
        """Nothing was done."""
