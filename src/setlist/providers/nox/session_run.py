"""Run one session of a noxfile with nox's ``SessionRunner`` and ``Session``, in an environment of setlist's.

nox offers no hooks for this, so its functions and methods are replaced while the session runs: ``nox.command.run`` and
the ``popen`` that it calls, ``find_uv``, ``get_virtualenv``, and methods of ``Session``. All of them are public names.
Two kinds of private attributes are used:

- ``VirtualEnv._reused`` and ``_resolved`` are set, because noxfiles read them (``session.virtualenv._reused`` has no
  public name).
- ``Manifest._queue`` and ``_consumed`` say which sessions ``notify()`` may add. The manifest's public methods only
  ever add to them.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import nox.command
import nox.sessions
import nox.virtualenv
from nox.command import CommandFailed
from nox.logger import setup_logging
from nox.manifest import WARN_PYTHONS_IGNORED
from nox.sessions import Result, Session, SessionRunner, Status
from nox.virtualenv import PassthroughEnv, ProcessEnv, VirtualEnv

from setlist.core.errors import SetlistError
from setlist.core.events import Message, Output, to_json
from setlist.process.spawn import interruptible
from setlist.providers.nox.loading import Loaded, place_of
from setlist.providers.nox.session_commands import Commands
from setlist.runner.worker_rpc import Host


class _Runner(SessionRunner):
    """A session with the directory of its environment in setlist's place."""

    def __init__(self, runner: SessionRunner, run: SessionRun) -> None:
        super().__init__(
            runner.name, runner.signatures, runner.func, runner.global_config, runner.manifest, multi=runner.multi
        )
        self._run = run

    @property
    def envdir(self) -> str:
        return self._run.envdir()


class _Environment(VirtualEnv):
    """An environment that setlist has created."""

    def create(self) -> bool:
        return False


class _LogHandler(logging.Handler):
    def __init__(self, handle: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._handle = handle

    def emit(self, record: logging.LogRecord) -> None:
        self._handle(record)


class SessionRun:
    """One run of a session.

    Args:
        host: the other end of the worker's pipes.
        loaded: the noxfile.
        runner: the session.
        given: the session, as the host named it.
        job: its environment, as the host prepared it.
    """

    def __init__(
        self, host: Host, loaded: Loaded, runner: SessionRunner, given: Mapping[str, Any], job: Mapping[str, Any]
    ) -> None:
        self._host = host
        self._loaded = loaded
        self._given = given
        self._job = job
        self._commands = Commands(host, given, job, runner.friendly_name)
        self._runner = _Runner(runner, self)
        self._raised: BaseException | None = None
        self._cleared = False
        self._replaced: list[tuple[Any, str, Any]] = []
        self._get_virtualenv = nox.virtualenv.get_virtualenv
        self._handler = _LogHandler(self._log)

    def outcome(self) -> Mapping[str, Any]:
        """Run it, and return how it ended."""
        self._patch()
        try:
            return self._outcome()
        finally:
            self._restore()

    def envdir(self) -> str:
        """The session's directory, relative to that of the noxfile, as nox has it."""
        directory = self._job["tmp" if self._commands.kind == "tmp" else "envdir"]
        return os.path.relpath(directory, os.path.dirname(self._loaded.config.noxfile))

    def _outcome(self) -> Mapping[str, Any]:
        runner = self._runner
        manifest = self._loaded.manifest
        # the host has run the sessions that this one requires
        for required in runner.get_direct_dependencies():
            required.result = Result(required, Status.SUCCESS)
        manifest._queue, manifest._consumed = [], [runner]  # noqa: SLF001 - see above
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
                return self._passed()
            return {"status": "failed", "reason": f"sys.exit({error.code!r})"}
        status, reason = result.status.name, result.reason or ""
        if status == "SUCCESS":
            return self._passed()
        notified = {"notified": self._notified()}
        if status in ("SKIPPED", "ABORTED"):
            return {"status": status.lower(), "reason": reason, **notified}
        if isinstance(self._raised, SetlistError):
            return {**_refused(self._raised), **notified}
        if self._raised is not None:
            return {**self._error(self._raised), **notified}
        return {"status": "failed", "reason": reason or self._commands.reason or "stopped by its function", **notified}

    def _passed(self) -> Mapping[str, Any]:
        """The session passed: uninstall what it no longer asks for."""
        if not self._given["collecting"]:
            try:
                with interruptible():
                    while self._commands.ask({"ask": "last"}).get("do") == "replay":
                        self._commands.replay()
            except (SetlistError, CommandFailed) as error:
                return {"status": "failed", "reason": self._commands.reason or str(error)}
        return {"status": "ok", "notified": self._notified()}

    def _error(self, error: BaseException) -> dict[str, Any]:
        file, line = place_of(error.__traceback__, self._loaded.config.noxfile)
        first = next(iter(str(error).strip().splitlines()), "")
        text = f"{type(error).__name__}: {first}" if first else type(error).__name__
        where = os.path.relpath(file, self._given["root"]).replace(os.sep, "/") + (f":{line}" if line else "")
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        return {"status": "raised", "reason": f"{where}: {text}", "traceback": "".join(lines)}

    def _notified(self) -> list[tuple[str, list[str]]]:
        """The sessions that were notified, by nox's names, each with its posargs."""
        return [(runner.friendly_name, list(runner.posargs)) for runner in self._loaded.manifest._queue]  # noqa: SLF001

    def _warn_of_ignored_pythons(self) -> None:
        ignored = self._runner.func.should_warn.get(WARN_PYTHONS_IGNORED)
        if ignored:
            self._message("warning", f"runs without an environment of its own, so python={ignored} is ignored")

    # --- what is replaced in nox -----------------------------------------------------------------------------

    def _patch(self) -> None:
        commands = self._commands
        self._replace(nox.command, run=commands.run, popen=commands.popen)
        self._replace(nox.virtualenv, find_uv=cache(self._find_uv))
        self._replace(nox.sessions, get_virtualenv=self._environment)
        for name, kind in (("install", "install"), ("conda_install", "conda"), ("run_install", "run-install")):
            self._replace(Session, **{name: commands.as_kind(kind, getattr(Session, name))})
        if self._given["collecting"]:
            self._replace(Session, run=self._settled(Session.run))
        self._replace(Session, create_tmp=self._in_own_place(Session.create_tmp))
        config = self._loaded.config
        setup_logging(color=False, verbose=config.verbose, add_timestamp=config.add_timestamp)
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if handler.get_name() == "nox-stream-handler"]:
            root.removeHandler(handler)
        root.addHandler(self._handler)

    def _replace(self, owner: Any, **replacements: Any) -> None:
        for name, replacement in replacements.items():
            self._replaced.append((owner, name, getattr(owner, name)))
            setattr(owner, name, replacement)

    def _restore(self) -> None:
        """Restore nox: the next session may run in this process."""
        while self._replaced:
            owner, name, original = self._replaced.pop()
            setattr(owner, name, original)
        logging.getLogger().removeHandler(self._handler)

    def _environment(self, *backends: str, **options: Any) -> ProcessEnv:
        """In place of ``get_virtualenv``: the environment, as an object of nox's own class for its backend."""
        backend, job = self._job["backend"], self._job
        environment: ProcessEnv
        if backend == "none":
            environment = PassthroughEnv()
        elif backend in ("virtualenv", "venv", "uv"):
            environment = _Environment(
                options["envdir"],
                options["interpreter"] or None,
                reuse_existing=True,
                venv_backend=backend,
                venv_params=options["venv_params"],
            )
            environment._resolved = job["interpreter"]  # noqa: SLF001 - see above
            environment._reused = job["reused"]  # noqa: SLF001
        else:
            environment = self._get_virtualenv(*backends, **options)
            self._replace(environment, create=self._commands.as_kind("make", environment.create))
        self._commands.initial = dict(environment.env)
        return environment

    def _find_uv(self) -> Any:
        from packaging.version import Version

        path, version = self._host.ask({"ask": "uv"})["uv"]
        on_path = shutil.which("uv")
        same = on_path is not None and os.path.samefile(path, on_path)
        return True, "uv" if same else path, Version(version)

    def _settled(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def settle_and_run(session: Session, *args: Any, **options: Any) -> Any:
            self._commands.settle(args, options)
            return run(session, *args, **options)

        return settle_and_run

    def _in_own_place(self, create_tmp: Callable[..., str]) -> Callable[..., str]:
        """``create_tmp`` in the session's directory for temporary files, which is empty at first.

        Not in ``.nox/NAME``: nox would reuse that directory as an environment, though there is no Python in it. Not in
        setlist's environment, whose files are checked.
        """

        def create(session: Session) -> str:
            with self._commands.doing("tmp"):
                if not self._cleared:
                    self._cleared = True
                    self._host.ask({"ask": "tmp"})
                return create_tmp(session)

        return create

    # --- what nox logs ---------------------------------------------------------------------------------------

    def _log(self, record: logging.LogRecord) -> None:
        """Pass on what nox, or the noxfile through its logger, logs, without what events say anyway."""
        text = record.getMessage()
        command = self._commands.current
        if record.exc_info and record.exc_info[1] is not None and record.name == "nox":
            if text.startswith("Session "):
                self._raised = record.exc_info[1]
                return
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        if record.name == "nox":
            if record.levelname == "SESSION_INFO" or (command is not None and command.tells(record.levelname, text)):
                return
            if record.levelname == "OUTPUT" or (command is not None and command.failed and record.levelname == "ERROR"):
                data = text.rstrip("\n") + "\n"
                output = Output(time=time.time(), session=self._given["session"], stream="stdout", data=data)
                self._host.ask(to_json(output))
                return
        else:
            text = f"{record.name}: {text}"
        self._message("error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info", text)

    def _message(self, level: Any, text: str) -> None:
        self._host.ask(to_json(Message(time=time.time(), session=self._given["session"], level=level, text=text)))


def _refused(error: SetlistError) -> dict[str, Any]:
    lines = [str(error), *(f"    {line}" for line in (error.detail or "").splitlines())]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return {"status": "refused", "reason": str(error), "told": "\n".join(lines), "exit_code": error.exit_code}
