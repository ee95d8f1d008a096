"""The process that a session's function runs in: ``python -c "from setlist.runner.worker import main; main()"``.

It is handed a job as plain data and speaks with its host (:mod:`setlist.runner.function`) in JSON lines over two
pipes: what happens as events, what only the host can do (installing) as questions, at the end a result. Each
line of the worker is answered by one of the host. What the function and its commands print goes to the worker's own
streams. docs/events.md has the lines.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.errors import CommandFailed, SessionError, SessionFunctionFailed, SetlistError
from setlist.core.model import Change, Interpreter, SessionSpec
from setlist.core.project import Project
from setlist.core.records import dataclass, load
from setlist.engine.execute import message_of
from setlist.process.guardian import MARK
from setlist.process.spawn import Grace, Interrupted, handling_signals, interruptible
from setlist.registry.functions import load_function
from setlist.registry.substitution import Values
from setlist.runner.command import SessionAttempt
from setlist.runner.error_text import one_line
from setlist.runner.output import SessionOutput, Sink
from setlist.runner.secrets import secrets_in
from setlist.runner.session_api import SessionHandle, SessionSkipped
from setlist.runner.tempdir import Temporary
from setlist.runner.worker_rpc import Host

LATE = 0.25
"""Seconds after a session's time is over until its function is ended: a command of it ends by itself first."""


@dataclass(frozen=True)
class _Surroundings:
    """The session's environment, as far as the function has to do with it."""

    host: Host
    python: Path
    bin: tuple[Path, ...]
    interpreter: Interpreter

    def install(self, *arguments: str) -> tuple[Change, ...]:
        """Let the host install: it holds the environment's lock."""
        return self._asked({"ask": "install", "arguments": arguments})

    def settle(self, command: tuple[str, ...]) -> tuple[Change, ...]:
        """Let the host see that a command finds what was installed so far, and nothing else."""
        return self._asked({"ask": "settle", "command": command})

    def ran(self, command: tuple[str, ...]) -> None:
        """Let the host see what a command has changed."""
        self._asked({"ask": "ran", "command": command})

    def _asked(self, question: Mapping[str, Any]) -> tuple[Change, ...]:
        answer = self.host.ask(question)
        if "error" in answer:
            raise SessionError(**answer["error"])
        return load(tuple[Change, ...], answer["changes"])


def main() -> None:
    """Run the job that comes over the pipe named by the first two arguments (descriptors, or Windows handles)."""
    from setlist.core.system import descriptor_of

    host = Host(descriptor_of(int(sys.argv[1]), reading=True), descriptor_of(int(sys.argv[2]), reading=False))
    # the directory that we were started in, which isn't the function's
    sys.path[:] = [entry for entry in sys.path if entry]
    with handling_signals():
        try:
            job = host.receive()
            result = _result(host, job)
            host.ask({"result": result})
        except EOFError:
            # nobody is left who could hear how it went
            os._exit(1)
        except Interrupted as signal:
            sys.exit(signal.exit_code)


def _result(host: Host, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the function ended, as plain data."""
    session = load(SessionSpec, job["session"])
    file = None if job["file"] is None else Path(job["file"])
    project = Project(Path(job["root"]), file, statedir=Path(job["state"]))
    # what our commands start carries our own mark too, by which the host finds it
    environ = {**job["environ"], **{name: os.environ[name] for name in (MARK,) if name in os.environ}}
    handle, attempt = _handle(host, job, project, environ)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(project.root)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    assert session.function is not None
    over: list[bool] = []
    if job["seconds"] is not None:
        _end_after(host, job["seconds"], over)
    try:
        with interruptible():
            try:
                load_function(project, session.function)(handle)
            except Exception:
                # what is told of it may hold a secret that no command was given
                attempt.output.hide(handle.env)
                raise
    except Interrupted:
        if not over:
            raise
        return {"status": "failed", "reason": f"its function took longer than the timeout of {session.timeout:g}s"}
    except SessionSkipped as skipped:
        return {"status": "skipped", "reason": skipped.reason}
    except (SessionFunctionFailed, CommandFailed) as error:
        return {"status": "failed", "reason": error.message}
    except SetlistError as error:
        return {"status": "refused", "reason": str(error), "told": message_of(error), "exit_code": error.exit_code}
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        import traceback

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return {"status": "raised", "reason": one_line(error, session, project), "traceback": text}
    return {"status": "ok"}


def _handle(
    host: Host, job: Mapping[str, Any], project: Project, environ: Mapping[str, str]
) -> tuple[SessionHandle, SessionAttempt]:
    session = load(SessionSpec, job["session"])
    interpreter = load(Interpreter, job["interpreter"])
    attempt = SessionAttempt(
        project=project,
        session=session,
        bin=tuple(map(Path, job["bin"])),
        environ=environ,
        values=Values(
            session=session.name,
            python=interpreter.version,
            project=job["root"],
            envdir=job["envdir"],
            tmp=job["tmp"],
        ),
        cwd=Path(job["cwd"]),
        output=_WorkerOutput(host, session),
        grace=Grace(*job["grace"]),
        deadline=None if job["seconds"] is None else time.monotonic() + job["seconds"],
        keep_open=tuple(job["keep_open"]),
    )
    surroundings = _Surroundings(host, Path(job["python"]), attempt.bin, interpreter)
    temporary = Temporary(Path(job["tmp"]))
    return SessionHandle(attempt, surroundings, temporary, tuple(job["posargs"]), ci=job["ci"]), attempt


class _WorkerOutput(SessionOutput):
    """Lets the host, which sees what our commands print, mask secrets among the variables that they are given."""

    def __init__(self, host: Host, session: SessionSpec) -> None:
        super().__init__(Sink(host.emit), session)
        self._host = host
        self._told: dict[str, str] = {}

    def hide(self, environ: Mapping[str, str]) -> None:
        secret = secrets_in(environ, self._session.secrets)
        if secret != self._told:
            self._host.ask({"hide": secret})
            self._told = secret


def _end_after(host: Host, seconds: float, over: list[bool]) -> None:
    """Interrupt the function when its time is over, unless it waits for a command, whose time is over too."""
    import signal

    def end() -> None:
        if host.commands:
            again(LATE)
            return
        over.append(True)
        signal.raise_signal(signal.SIGTERM)

    def again(pause: float) -> None:
        timer = threading.Timer(pause, end)
        timer.daemon = True
        timer.start()

    again(seconds + LATE)
