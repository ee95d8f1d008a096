"""Run the commands of a noxfile's session: nox checks and logs them, setlist starts them and decides about installs.

:class:`Commands` takes the place of ``nox.command.run`` and of the ``popen`` that it calls. The host is asked before
each command: it knows what is installed, and says whether an install is skipped, done, or done with constraints.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import nox.command
import nox.popen
from nox.command import CommandFailed
from nox.popen import DEFAULT_INTERRUPT_TIMEOUT, DEFAULT_TERMINATE_TIMEOUT

from setlist.core.errors import LockOutOfDate, SessionError
from setlist.core.events import CommandFinished, CommandStarted, EnvironmentProgress, to_json
from setlist.engine.execute import failure_text
from setlist.environment.installer_output import OnProgress, PipOutput, UvOutput
from setlist.process.guardian import MARK
from setlist.process.spawn import Capture, Completed, Grace, run_process
from setlist.runner.worker_rpc import Host

if TYPE_CHECKING:
    from setlist.core.model import EnvironmentStep
    from setlist.process.completed import Stream

FOR_EVER = 86_400.0
"""Seconds: what nox calls None."""

HIDDEN = "…"
"""Replaces the words of a command that isn't to be logged (``log=False``)."""

_NOX_OWN = ("PATH", "TMPDIR", MARK)


class Step(NamedTuple):
    """A command, as nox was asked to run it. Installs are repeated in a new environment."""

    kind: str
    args: Sequence[Any]
    options: Mapping[str, Any]
    cwd: str


_REPLAY = object()
"""The result of a step that has to wait until all steps so far are repeated."""


class Command:
    """A command that runs: its words, as they are shown, and the exit codes that mean success."""

    def __init__(self, words: tuple[str, ...], codes: tuple[int, ...]) -> None:
        self.words = words
        self.codes = codes
        self.failed = False
        self._announced = False

    def tells(self, level: str, text: str) -> bool:
        """Whether nox logs this for every command: that it starts, and that it has failed."""
        if level == "INFO" and not self._announced:
            self._announced = True
            return True
        if level == "ERROR" and text.startswith("Command ") and " failed with exit code " in text:
            self.failed = True
            return True
        return False


class Commands:
    """The commands of one session.

    Args:
        host: the other end of the worker's pipes.
        given: the session, as the host named it.
        job: its environment, as the host prepared it.
        name: nox's name of the session.

    Attributes:
        initial: the variables that nox sets for all commands of the session.
        reason: how the last command failed.
    """

    def __init__(self, host: Host, given: Mapping[str, Any], job: Mapping[str, Any], name: str) -> None:
        self.initial: Mapping[str, str | None] = {}
        self.reason: str | None = None
        self._host = host
        self._given = given
        self._job = job
        self._name = name
        self._here = threading.local()
        self._steps: list[Step] = []
        self._nox_run = nox.command.run
        self._nox_popen = nox.popen.popen

    @property
    def kind(self) -> str:
        """What the thread does: ``run``, ``install``, ``conda``, ``run-install``, ``make`` or ``tmp``."""
        return getattr(self._here, "kind", "run")

    @property
    def current(self) -> Command | None:
        """The command that the thread runs."""
        return getattr(self._here, "command", None)

    @contextmanager
    def doing(self, kind: str) -> Iterator[None]:
        """While inside, the thread's commands are of this kind."""
        before, self._here.kind = self.kind, kind
        try:
            yield
        finally:
            self._here.kind = before

    def as_kind(self, kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method of nox, with all of its commands of this kind."""

        @wraps(method)
        def inside(*args: Any, **options: Any) -> Any:
            with self.doing(kind):
                return method(*args, **options)

        return inside

    def ask(self, message: Mapping[str, Any]) -> Any:
        """Ask the host.

        Raises:
            SetlistError: it refuses.
        """
        answer = self._host.ask(message)
        if "error" in answer:
            error = answer["error"]
            code = error.pop("exit_code", 1)
            raise (LockOutOfDate if code == LockOutOfDate.exit_code else SessionError)(**error)
        return answer

    def settle(self, args: Sequence[Any], options: Mapping[str, Any]) -> None:
        """With --install-only nox runs no commands, but a command that installs is an install all the same."""
        if all(isinstance(word, (str, os.PathLike)) for word in args):
            self.ask(self._question("settle", Step("run", args, options, os.getcwd())))

    def run(self, args: Sequence[Any], **options: Any) -> Any:
        """In place of ``nox.command.run``."""
        kind = self.kind
        if kind == "make":
            return self._run(args, options)
        step = Step(kind, args, options, os.getcwd())
        while (result := self._step(step)) is _REPLAY:
            self.replay()
        return result

    def replay(self) -> None:
        """Repeat all installs so far: the environment was created anew."""
        steps, self._steps = self._steps, []
        here = os.getcwd()
        try:
            for step in steps:
                os.chdir(step.cwd)
                with self.doing(step.kind):
                    self._step(step)
        finally:
            os.chdir(here)

    def _question(self, question: str, step: Step) -> dict[str, Any]:
        words = [os.fspath(word) for word in step.args]
        return {"ask": question, "words": words, "env": self._own_env(step.options.get("env")), "cwd": step.cwd}

    def _step(self, step: Step) -> Any:
        """Install something, or run another command, as the host decides."""
        args, options = step.args, step.options
        answer = self.ask(self._question("install" if step.kind == "install" else "settle", step))
        what = answer["do"]
        if what == "replay":
            return _REPLAY
        if what == "skip":
            self._steps.append(step)
            return "" if options.get("silent") else True
        if what == "start":
            if self._given["collecting"]:
                words = " ".join(os.fspath(word) for word in args)
                raise SessionError(f"what it installs depends on a command: {words}")
            result = self._run(args, options)
        else:
            result = self._install(answer.get("words") or args, answer.get("constraints", ()), options)
        if what == "run" or answer.get("installs"):
            self._steps.append(step)
        return result

    def _install(self, args: Sequence[Any], constraints: Sequence[str], options: Mapping[str, Any]) -> Any:
        try:
            try:
                result = self._run([*args, *constraints], options)
            except CommandFailed:
                if not constraints:
                    raise
                # a version of the last run isn't available any more
                result = self._run(args, options)
        except Exception:
            self._host.ask({"ask": "installed", "ok": False})
            raise
        self.ask({"ask": "installed", "ok": True})
        return result

    def _own_env(self, env: Mapping[str, str | None] | None) -> dict[str, str | None]:
        """The variables of a command that the noxfile sets."""
        known = {**self.initial, "NOX_CURRENT_SESSION": self._name}
        own = {
            name: value
            for name, value in (env or {}).items()
            if name not in _NOX_OWN and os.environ.get(name) != value and not (name in known and known[name] == value)
        }
        if env is not None and not os.environ.keys() <= env.keys():
            own["include_outer_env"] = None
        return own

    def _run(self, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        words = tuple(os.fspath(word) for word in args)
        codes = options.get("success_codes")
        command = Command(
            words if options.get("log", True) else (words[0], HIDDEN), (0,) if codes is None else tuple(codes)
        )
        before, self._here.command = self.current, command
        try:
            return self._nox_run(args, **options)
        except CommandFailed as failed:
            if failed.return_code is None:
                self.reason = failed.reason
            else:
                ended = Completed(failed.return_code, b"", b"", timed_out=False, duration=0.0)
                self.reason = failure_text(command.words, ended)
            raise
        finally:
            self._here.command = before

    def popen(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        silent: bool = False,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = subprocess.STDOUT,
        interrupt_timeout: float | None = DEFAULT_INTERRUPT_TIMEOUT,
        terminate_timeout: float | None = DEFAULT_TERMINATE_TIMEOUT,
    ) -> tuple[int, str]:
        """In place of ``nox.popen.popen``: run a process to its end, and return its exit code and its output."""
        if silent and stdout is not None:
            raise ValueError("Can not specify silent and stdout")
        usual = Grace(*self._job["grace"])
        grace = Grace(
            _seconds(interrupt_timeout, DEFAULT_INTERRUPT_TIMEOUT, usual.interrupt),
            _seconds(terminate_timeout, DEFAULT_TERMINATE_TIMEOUT, usual.terminate),
        )
        environ = dict(os.environ if env is None else env)
        if MARK in os.environ:
            environ.setdefault(MARK, os.environ[MARK])

        def start() -> tuple[int, str]:
            if sys.platform == "win32" and args[0].casefold().endswith((".bat", ".cmd")):
                # nox quotes the words of batch files
                return self._nox_popen(args, env=environ, silent=silent, stdout=stdout, stderr=stderr)
            installs = silent and stderr == subprocess.STDOUT and self.kind == "install"
            output = _InstallOutput(args, self._tell_progress) if installs else None
            with self._environ(args, environ, env) as variables:
                ended = run_process(
                    args,
                    env=variables,
                    cwd=Path.cwd(),
                    capture=False if output is None else Capture(output.take, merged=True, attached=True),
                    stdout=subprocess.PIPE if silent else _descriptor(stdout),
                    stderr=_descriptor(stderr),
                    grace=grace,
                    keep_open=tuple(self._job["keep_open"]),
                )
            written = ended.stdout if output is None else bytes(output.written)
            return ended.code, nox.popen.decode_output(written) if written else ""

        return start() if self.kind == "make" else self._reported(args, env, start)

    def _reported(
        self, args: Sequence[str], env: Mapping[str, str] | None, start: Callable[[], tuple[int, str]]
    ) -> tuple[int, str]:
        """Run a process, and report to the host that it starts and ends."""
        command = self.current or Command(tuple(args), (0,))
        session: str = self._given["session"]
        self._host.emit(CommandStarted(time=time.time(), session=session, command=command.words))
        began = time.perf_counter()
        try:
            code, output = start()
        finally:
            self._host.commands -= 1
        event = CommandFinished(
            time=time.time(),
            session=session,
            command=command.words,
            code=code,
            ok=code in command.codes,
            timed_out=False,
            duration=time.perf_counter() - began,
        )
        words = [command.words[0], *map(os.fspath, args[1:])]
        ran = {"words": words, "env": self._own_env(env), "cwd": os.getcwd()}
        self.ask({**to_json(event), "ran": ran if self.kind in ("run", "run-install") else None})
        return code, output

    def _tell_progress(
        self, step: EnvironmentStep, *, packages: tuple[str, ...] = (), size: int = 0, count: int | None = None
    ) -> None:
        session: str = self._given["session"]
        self._host.emit(
            EnvironmentProgress(time=time.time(), session=session, step=step, packages=packages, size=size, count=count)
        )

    def _environ(
        self, args: Sequence[str], environ: Mapping[str, str], env: Mapping[str, str] | None
    ) -> AbstractContextManager[Mapping[str, str]]:
        """The variables to start a process with: settings for another environment don't reach an install."""
        if self.kind != "install":
            return nullcontext(environ)
        from setlist.core.project import Project
        from setlist.environment.installer_config import foreign_install_environ

        project = Project(Path(self._given["root"]))
        return foreign_install_environ([os.fspath(word) for word in args], environ, self._own_env(env), project)


class _InstallOutput:
    """Collects the output of an install, which nox shows if it fails, and tells of its progress."""

    def __init__(self, args: Sequence[str], tell: OnProgress) -> None:
        self.written = bytearray()
        reader = UvOutput if Path(args[0]).stem == "uv" else PipOutput
        self._reader = reader(tell, "resolving")

    def take(self, _: Stream, data: bytes) -> None:
        self.written += data
        self._reader.take(self._reader.progress, data)


def _seconds(asked: float | None, default: float, usual: float) -> float:
    """How long nox would wait: setlist's setting if the noxfile says nothing."""
    return usual if asked == default else FOR_EVER if asked is None else asked


def _descriptor(stream: int | IO[str] | None) -> int | None:
    if stream is None or isinstance(stream, int):
        return stream
    with suppress(OSError, ValueError):
        stream.flush()
    return stream.fileno()
