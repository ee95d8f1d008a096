"""The process that a noxfile's session runs in, by nox itself: its loader, its manifest, its ``Session``.

It speaks with its host (:mod:`setlist.providers.nox.nox_process`) as :mod:`setlist.runner.worker` does. It is told
which noxfile and which session it is, and loads the noxfile, unless it has; then, once the environment is ready, to run
the session in it; then which session is next. Or it reads nox's own command line first, and says what that comes to.
What differs from running ``nox`` is what commands are started by, and who is asked before something is installed. It
may run in a Python that setlist isn't installed in: it imports the standard library, nox, and of setlist what does
that.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from setlist.core.errors import LockOutOfDate, SessionError, SetlistError
from setlist.core.events import CommandFinished, CommandStarted, Message, Output, to_json
from setlist.process.spawn import Completed, Grace, Interrupted, handling_signals, interruptible, run_process
from setlist.process.tree import MARK
from setlist.providers.nox.lazy_import import import_nox_sooner
from setlist.providers.nox.loading import Loaded, LoadFailed, load, place_of
from setlist.runner.error_text import failure_text
from setlist.runner.worker_rpc import Host

if TYPE_CHECKING:
    import logging

    from nox.sessions import SessionRunner
    from nox.virtualenv import ProcessEnv

FOR_EVER = 86_400.0
"""Seconds: what nox calls None."""

HIDDEN = "…"
"""Stands for the words of a command that its author doesn't want to be shown (``log=False``)."""

_NOX_OWN = ("PATH", "TMPDIR", MARK)


def main() -> None:
    """Do what the host says over the pipe that the first two arguments name, until it has nothing more to say."""
    from setlist.core.system import descriptor_of

    host = Host(descriptor_of(int(sys.argv[1]), reading=True), descriptor_of(int(sys.argv[2]), reading=False))
    sys.path[:] = [entry for entry in sys.path if entry]
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    worker = _Worker(host)
    with handling_signals():
        try:
            # before the first job: the worker may have been started before there is one
            with interruptible():
                _listen_to_interrupts()
                import_nox_sooner()
                import nox.tasks  # noqa: F401
            while (given := _next(host)) is not None:
                host.ask({"result": worker.does(given)})
        except EOFError:
            os._exit(1)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # nothing is left to be done, and taking nox apart takes time
    os._exit(0)


def _listen_to_interrupts() -> None:
    """Unblock SIGINT, which :mod:`setlist.process.prestart` blocks until it can be handled."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def _next(host: Host) -> Mapping[str, Any] | None:
    """What is to be done next; None: nothing more."""
    try:
        with interruptible():
            given: Mapping[str, Any] = host.receive()
            return given
    except EOFError:
        return None


class _Worker:
    """What the process has loaded, and what it does with it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loaded: Loaded | None = None

    def does(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read a command line of nox, or run a session."""
        if "argv" in given:
            from setlist.providers.nox.command_line import answer

            with interruptible():
                said, self._loaded = answer(given)
            return said
        try:
            with interruptible():
                runner = self._load(given).runner(given["name"])
        except LoadFailed as failed:
            self._host.receive()
            return _refused(failed)
        job = self._host.receive()
        if not job["run"]:
            return {"status": "not-run"}
        assert self._loaded is not None
        gc.freeze()  # what was imported stays
        gc.enable()
        run = _Run(self._host, self._loaded, runner, given, job)
        if given["collecting"]:
            # as nox does with --install-only: what it runs is told, and not run
            self._loaded.config.install_only = True
        return run.outcome()

    def _load(self, given: Mapping[str, Any]) -> Loaded:
        if self._loaded is None:
            self._loaded = load(
                given["root"],
                given["file"],
                given["arguments"],
                posargs=given["posargs_of_all"],
                invoked_from=given["invoked_from"],
            )
        return self._loaded


def _refused(failed: LoadFailed) -> Mapping[str, Any]:
    where = ":".join(str(part) for part in (failed.file, failed.line) if part is not None)
    told = "\n".join(part for part in (failed.message, failed.detail, failed.hint) if part)
    return {
        "status": "refused",
        "reason": failed.message,
        "told": f"{where}: {told}" if where else told,
        "exit_code": 2,
    }


class _Run:
    """One session of a noxfile, as it runs."""

    def __init__(
        self, host: Host, loaded: Loaded, runner: SessionRunner, given: Mapping[str, Any], job: Mapping[str, Any]
    ) -> None:
        self._host = host
        self._loaded = loaded
        self._runner = runner
        self._given = given
        self._job = job
        self._session: str = given["session"]
        self._collecting: bool = given["collecting"]
        self._initial: dict[str, str | None] = {}
        self._kinds = threading.local()
        self._steps: list[_Step] = []
        self._reason: str | None = None
        self._raised: BaseException | None = None
        self._cleared = False
        self._replaced: list[tuple[Any, str, Any]] = []
        self._teller: logging.Handler | None = None

    def outcome(self) -> Mapping[str, Any]:
        """Run it, and say how it ended."""
        self._take_over()
        try:
            return self._outcome()
        finally:
            self._give_back()

    def _outcome(self) -> Mapping[str, Any]:
        runner = self._runner
        manifest = self._loaded.manifest
        # who comes before it is the host's business, and has gone well
        from nox.sessions import Result, Status

        for required in runner.get_direct_dependencies():
            required.result = Result(required, Status.SUCCESS)
        manifest._queue, manifest._consumed = [], [runner]  # noqa: SLF001 - so that notify() finds what isn't run yet
        runner.posargs = list(self._given["posargs"])
        self._warn_of_ignored_pythons()
        try:
            with interruptible():
                result = runner.execute()
        except KeyboardInterrupt:
            # raised by the function: a signal is no exception here
            return {"status": "interrupted", "notified": []}
        except SystemExit as error:
            if error.code in (None, 0):
                return self._ended_well()
            return {"status": "failed", "reason": f"sys.exit({error.code!r})"}
        status, reason = result.status.name, result.reason or ""
        if status == "SUCCESS":
            return self._ended_well()
        notified = {"notified": self._notified()}
        if status in ("SKIPPED", "ABORTED"):
            return {"status": status.lower(), "reason": reason, **notified}
        if isinstance(self._raised, SetlistError):
            refused = self._raised
            lines = [
                str(refused),
                *(f"    {line}" for line in (refused.detail or "").splitlines()),
                *([f"hint: {refused.hint}"] if refused.hint else []),
            ]
            return {
                "status": "refused",
                "reason": str(refused),
                "told": "\n".join(lines),
                "exit_code": refused.exit_code,
                **notified,
            }
        if self._raised is not None:
            return {**self._as_raised(self._raised), **notified}
        return {"status": "failed", "reason": reason or self._reason or "stopped by its function", **notified}

    def _ended_well(self) -> Mapping[str, Any]:
        """Leave an environment that holds what was asked for, and nothing else."""
        from nox.command import CommandFailed

        if not self._collecting:
            try:
                with interruptible():
                    while self._asked({"ask": "last"}).get("do") == "replay":
                        self._replay()
            except (SetlistError, CommandFailed) as error:
                return {"status": "failed", "reason": self._reason or str(error)}
        return {"status": "ok", "notified": self._notified()}

    def _as_raised(self, error: BaseException) -> dict[str, Any]:
        import traceback

        file, line = place_of(error.__traceback__, self._loaded.config.noxfile)
        first = next(iter(str(error).strip().splitlines()), "")
        told = f"{type(error).__name__}: {first}" if first else type(error).__name__
        where = os.path.relpath(file, self._given["root"]).replace(os.sep, "/") + (f":{line}" if line else "")
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return {"status": "raised", "reason": f"{where}: {told}", "traceback": text}

    def _notified(self) -> list[tuple[str, list[str]]]:
        """The sessions that were notified, as nox calls them, each with the posargs that it is to get."""
        return [(runner.friendly_name, list(runner.posargs)) for runner in self._loaded.manifest._queue]  # noqa: SLF001

    def _warn_of_ignored_pythons(self) -> None:
        from nox.manifest import WARN_PYTHONS_IGNORED

        ignored = self._runner.func.should_warn.get(WARN_PYTHONS_IGNORED)
        if ignored:
            self._say("warning", f"runs without an environment of its own, so python={ignored} is ignored")

    # --- nox, with our environment and our processes under it ----------------------------------------------

    def _take_over(self) -> None:
        import nox.command
        import nox.popen
        import nox.sessions
        import nox.virtualenv

        session = nox.sessions.Session
        self._original_run = nox.command.run
        self._original_popen = nox.popen.popen
        self._replace(nox.command, run=self._run_command, popen=self._popen)
        self._replace(nox.popen, subprocess=_Subprocess(self))
        self._replace(nox.virtualenv, find_uv=_once(self._find_uv))
        for name, kind in (("install", "install"), ("conda_install", "conda"), ("run_install", "run-install")):
            self._replace(session, **{name: self._as_kind(kind, getattr(session, name))})
        if self._collecting:
            self._replace(session, run=self._collected(session.run))
        self._replace(session, create_tmp=self._in_its_place(session.create_tmp))
        self._runner.__class__ = _runner_class(self)
        self._take_over_logging()

    def _replace(self, owner: Any, **replacements: Any) -> None:
        for name, replacement in replacements.items():
            self._replaced.append((owner, name, getattr(owner, name)))
            setattr(owner, name, replacement)

    def _give_back(self) -> None:
        """Leave nox as it was: the next session runs in this process, too."""
        import logging

        while self._replaced:
            owner, name, original = self._replaced.pop()
            setattr(owner, name, original)
        if self._teller is not None:
            logging.getLogger().removeHandler(self._teller)

    def _as_kind(self, kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
        from functools import wraps

        @wraps(method)
        def inside(*arguments: Any, **options: Any) -> Any:
            with self._doing(kind):
                return method(*arguments, **options)

        return inside

    def _collected(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """``run``, which does nothing with --install-only; but what is an installer's is an install all the same."""

        def collect(session: Any, *args: Any, **options: Any) -> Any:
            if all(isinstance(word, (str, os.PathLike)) for word in args):
                words, env = [os.fspath(word) for word in args], self._own_env(options.get("env"))
                self._asked({"ask": "settle", "words": words, "env": env, "cwd": os.getcwd()})
            return run(session, *args, **options)

        return collect

    def _in_its_place(self, create_tmp: Callable[..., str]) -> Callable[..., str]:
        """``create_tmp`` in the session's directory for temporary files, and empty, as in a new environment.

        Not in ``.nox/NAME``: nox would reuse that directory as an environment, though no Python is in it. Not in our
        environment, which is checked.
        """

        def create(session: Any) -> str:
            with self._doing("tmp"):
                if not self._cleared:
                    self._cleared = True
                    self._host.ask({"ask": "tmp"})
                return create_tmp(session)

        return create

    @contextmanager
    def _doing(self, kind: str) -> Iterator[None]:
        before = self._kind
        self._kinds.value = kind
        try:
            yield
        finally:
            self._kinds.value = before

    @property
    def _kind(self) -> str:
        return getattr(self._kinds, "value", "run")

    def envdir(self) -> str:
        """The session's directory, as nox has it: relative to where the noxfile is."""
        directory = self._job["tmp" if self._kind == "tmp" else "envdir"]
        return os.path.relpath(directory, os.path.dirname(self._loaded.config.noxfile))

    def make_environment(self, make_it: Callable[[], None]) -> ProcessEnv:
        """The environment, as an object of nox's own class for its backend."""
        from nox.virtualenv import PassthroughEnv, VirtualEnv

        func, backend, job = self._runner.func, self._job["backend"], self._job
        found: ProcessEnv
        if backend == "none":
            found = PassthroughEnv()
        elif backend in ("virtualenv", "venv", "uv"):
            found = VirtualEnv(
                self._runner.envdir,
                func.python or None,  # type: ignore[arg-type]
                reuse_existing=True,
                venv_backend=backend,
                venv_params=func.venv_params,
            )
            # its interpreter was looked for and found, and the environment is there
            found._resolved = job["interpreter"]  # noqa: SLF001
            found._reused = job["reused"]  # noqa: SLF001
        else:
            with self._doing("make"):
                make_it()
            assert self._runner.venv is not None
            found = self._runner.venv
        self._initial = dict(found.env)
        return found

    def _find_uv(self) -> Any:
        import shutil

        from packaging.version import Version

        path, version = self._host.ask({"ask": "uv"})["uv"]
        on_path = shutil.which("uv")
        same = on_path is not None and os.path.samefile(path, on_path)
        return True, "uv" if same else path, Version(version)

    # --- commands -------------------------------------------------------------------------------------------

    def _run_command(self, args: Sequence[Any], **options: Any) -> Any:
        kind = self._kind
        if kind == "make":
            return self._run(args, options)
        step = _Step(kind, args, options, os.getcwd())
        while (done := self._step(step)) is _REPLAY:
            self._replay()
        return done

    def _step(self, step: _Step) -> Any:
        """Do an install, or start another command; the host says how."""
        args, options = step.args, step.options
        answer = self._asked(
            {
                "ask": "install" if step.kind == "install" else "settle",
                "words": [os.fspath(word) for word in args],
                "env": self._own_env(options.get("env")),
                "cwd": step.cwd,
            }
        )
        what = answer["do"]
        if what == "replay":
            return _REPLAY
        if what == "skip":
            self._steps.append(step)
            return "" if options.get("silent") else True
        if what == "start":
            if self._collecting:
                words = " ".join(os.fspath(word) for word in args)
                raise SessionError(f"what it installs depends on a command: {words}")
            done = self._run(args, options)
        else:
            done = self._installed(answer.get("words") or args, answer.get("constraints", ()), options)
        if what == "run" or answer.get("installs"):
            self._steps.append(step)
        return done

    def _installed(self, args: Sequence[Any], constraints: Sequence[str], options: Mapping[str, Any]) -> Any:
        from nox.command import CommandFailed

        try:
            try:
                done = self._run([*args, *constraints], options)
            except CommandFailed:
                if not constraints:
                    raise
                # a version of last time isn't to be had any more
                done = self._run(args, options)
        except Exception:
            self._host.ask({"ask": "installed", "ok": False})
            raise
        self._asked({"ask": "installed", "ok": True})
        return done

    def _replay(self) -> None:
        """The environment was made anew: what was installed so far is installed once more."""
        steps, self._steps = self._steps, []
        here, kind = os.getcwd(), self._kind
        try:
            for step in steps:
                os.chdir(step.cwd)
                self._kinds.value = step.kind
                self._step(step)
        finally:
            os.chdir(here)
            self._kinds.value = kind

    def _asked(self, message: Mapping[str, Any]) -> Any:
        answer = self._host.ask(message)
        if "error" in answer:
            raise _error(answer["error"])
        return answer

    def _own_env(self, env: Mapping[str, str | None] | None) -> dict[str, str | None]:
        """The variables of a command that its author has set."""
        known = {**self._initial, "NOX_CURRENT_SESSION": self._runner.friendly_name}
        found = {
            name: value
            for name, value in (env or {}).items()
            if name not in _NOX_OWN and os.environ.get(name) != value and not (name in known and known[name] == value)
        }
        if env is not None and not os.environ.keys() <= env.keys():
            found["include_outer_env"] = None
        return found

    def _run(self, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        from nox.command import CommandFailed

        words = tuple(os.fspath(word) for word in args)
        said = options.get("log", True)
        codes = options.get("success_codes")
        before = getattr(self._kinds, "command", None)
        self._kinds.command = command = _Command(
            words if said else (words[0], HIDDEN), (0,) if codes is None else tuple(codes)
        )
        try:
            return self._original_run(args, **options)
        except CommandFailed as failed:
            if failed.return_code is None:
                self._reason = failed.reason
            else:
                ended = Completed(failed.return_code, b"", b"", timed_out=False, duration=0.0)
                self._reason = failure_text(command.words, ended)
            raise
        finally:
            self._kinds.command = before

    def _popen(self, args: Sequence[str], **options: Any) -> Any:
        from nox.popen import DEFAULT_INTERRUPT_TIMEOUT, DEFAULT_TERMINATE_TIMEOUT

        command = getattr(self._kinds, "command", None)
        if command is not None:
            interrupt, terminate = options.get("interrupt_timeout"), options.get("terminate_timeout")
            usual = Grace(*self._job["grace"])
            command.grace = Grace(
                usual.interrupt
                if interrupt == DEFAULT_INTERRUPT_TIMEOUT
                else FOR_EVER
                if interrupt is None
                else interrupt,
                usual.terminate
                if terminate == DEFAULT_TERMINATE_TIMEOUT
                else FOR_EVER
                if terminate is None
                else terminate,
            )
        return self._original_popen(args, **options)

    def start(self, process: _Process) -> tuple[int, bytes, bytes]:
        """Run a process that nox starts, to its end."""
        command = getattr(self._kinds, "command", None) or _Command(tuple(process.args), (0,))
        kind = self._kind
        env = dict(os.environ if process.env is None else process.env)
        if MARK in os.environ:
            env.setdefault(MARK, os.environ[MARK])
        if kind != "make":
            self._host.commands += 1
            self._tell(CommandStarted(time=time.time(), session=self._session, command=command.words))
        try:
            with self._variables_of(kind, process, env) as variables:
                done = run_process(
                    process.args,
                    env=variables,
                    cwd=Path.cwd(),
                    stdout=process.stdout,
                    stderr=process.stderr,
                    grace=command.grace,
                    keep_open=tuple(self._job["keep_open"]),
                )
        finally:
            if kind != "make":
                self._host.commands -= 1
        if kind != "make":
            event = CommandFinished(
                time=time.time(),
                session=self._session,
                command=command.words,
                code=done.code,
                ok=done.code in command.codes,
                timed_out=False,
                duration=done.duration,
            )
            real = [os.fspath(word) for word in process.args]
            ran = {"words": [command.words[0], *real[1:]], "env": self._own_env(process.env), "cwd": os.getcwd()}
            self._asked({**to_json(event), "ran": ran if kind in ("run", "run-install") else None})
        return done.code, done.stdout, done.stderr

    def _variables_of(
        self, kind: str, process: _Process, env: Mapping[str, str]
    ) -> AbstractContextManager[Mapping[str, str]]:
        """The variables to start a process with: settings for another environment don't reach an install."""
        if kind != "install":
            return nullcontext(env)
        from setlist.core.project import Project
        from setlist.environment.installer_config import foreign_install_environ

        words = [os.fspath(word) for word in process.args]
        own = self._own_env(process.env)
        return foreign_install_environ(words, env, own, Project(Path(self._given["root"])))

    # --- what nox says --------------------------------------------------------------------------------------

    def _take_over_logging(self) -> None:
        import logging

        from nox.logger import setup_logging

        config = self._loaded.config
        setup_logging(color=False, verbose=config.verbose, add_timestamp=config.add_timestamp)
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if handler.get_name() == "nox-stream-handler"]:
            root.removeHandler(handler)

        run = self

        class Teller(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                run.heard(record)

        self._teller = Teller()
        root.addHandler(self._teller)

    def heard(self, record: logging.LogRecord) -> None:
        """Pass on what nox, or the noxfile by its logger, says; but for what events tell anyway."""
        text = record.getMessage()
        command = getattr(self._kinds, "command", None)
        if record.exc_info and record.exc_info[1] is not None and record.name == "nox":
            if text.startswith("Session "):
                self._raised = record.exc_info[1]
                return
            import traceback

            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        if record.name == "nox":
            if record.levelname == "SESSION_INFO" or (command is not None and command.tells(record.levelname, text)):
                return
            if record.levelname == "OUTPUT" or (command is not None and command.failed and record.levelname == "ERROR"):
                self._tell(
                    Output(time=time.time(), session=self._session, stream="stdout", data=text.rstrip("\n") + "\n")
                )
                return
        else:
            text = f"{record.name}: {text}"
        level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        self._say(level, text)

    def _say(self, level: Any, text: str) -> None:
        self._tell(Message(time=time.time(), session=self._session, level=level, text=text))

    def _tell(self, event: Any) -> None:
        self._host.ask(to_json(event))


class _Step(NamedTuple):
    """A step that has been asked for, to be done once more in a new environment."""

    kind: str
    args: Sequence[Any]
    options: Mapping[str, Any]
    cwd: str


_REPLAY = object()
"""Said of a step that can't be done before all those so far are done again."""


class _Command:
    """A command that nox was asked to run: its words, as they are shown, and the codes that it may end with."""

    def __init__(self, words: tuple[str, ...], codes: tuple[int, ...]) -> None:
        self.words = words
        self.codes = codes
        self.grace: Grace | None = None
        self.failed = False
        self._announced = False

    def tells(self, level: str, text: str) -> bool:
        """Whether it is what nox says of every command: that it starts, and that it has failed."""
        if level == "INFO" and not self._announced:
            self._announced = True
            return True
        if level == "ERROR" and text.startswith("Command ") and " failed with exit code " in text:
            self.failed = True
            return True
        return False


class _Process:
    """What nox takes for a ``subprocess.Popen``; it runs when nox waits for it."""

    def __init__(
        self,
        run: _Run,
        args: Any,
        env: Mapping[str, str] | None = None,
        stdout: Any = None,
        stderr: Any = None,
    ) -> None:
        self._run = run
        self.args = args
        self.env = env
        self.stdout = _descriptor(stdout)
        self.stderr = _descriptor(stderr)
        self.returncode: int | None = None

    def communicate(self, timeout: float | None = None) -> tuple[bytes | None, bytes | None]:  # noqa: ARG002
        self.returncode, out, err = self._run.start(self)
        return out, err

    def wait(self) -> int | None:
        return self.returncode


class _Subprocess:
    """The module ``subprocess`` as nox sees it."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def Popen(self, args: Any, **options: Any) -> _Process:  # noqa: N802
        return _Process(self._run, args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)


def _descriptor(stream: Any) -> int | None:
    if stream is None or isinstance(stream, int):
        return stream
    with suppress(OSError, ValueError):
        stream.flush()
    number: int = stream.fileno()
    return number


def _error(told: dict[str, Any]) -> SetlistError:
    code = told.pop("exit_code", 1)
    return (LockOutOfDate if code == LockOutOfDate.exit_code else SessionError)(**told)


def _once(call: Callable[[], Any]) -> Callable[[], Any]:
    from functools import cache

    return cache(call)


def _runner_class(run: _Run) -> type[SessionRunner]:
    from nox.sessions import SessionRunner

    class Runner(SessionRunner):
        """nox's own, in our directory."""

        @property
        def envdir(self) -> str:
            return run.envdir()

        def _create_venv(self) -> None:
            self.venv = run.make_environment(super()._create_venv)

    return Runner
