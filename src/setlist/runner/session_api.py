"""What a session's function is handed: ``def test(s: Session) -> None``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, NoReturn, Protocol, overload

from setlist.core.errors import CommandFailed, CommandRefused, SessionFunctionFailed
from setlist.core.model import Change, Interpreter
from setlist.engine.execute import run_command
from setlist.engine.plan import PlannedCommand
from setlist.runner.command import SessionAttempt, find_program, working_directory
from setlist.runner.tempdir import Temporary

Word = str | os.PathLike[str]


class EnvironmentProtocol(Protocol):
    """What a handle needs of the session's environment: ``PreparedEnvironment``, or what stands for it elsewhere."""

    @property
    def python(self) -> Path: ...

    @property
    def bin(self) -> tuple[Path, ...]: ...

    @property
    def interpreter(self) -> Interpreter: ...

    def install(self, *arguments: str) -> tuple[Change, ...]:
        """Install more, as ``pip install`` takes its arguments."""

    def settle(self, command: tuple[str, ...]) -> tuple[Change, ...]:
        """A command is about to run: it is to see what was installed so far, and nothing else."""

    def ran(self, command: tuple[str, ...]) -> None:
        """A command has run: see what it has changed."""


class SessionSkipped(Exception):
    """The session's function called ``s.skip()``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SessionHandle:
    """A running session, as its function sees it.

    Attributes:
        name: the session's name, ``"test-py311"``.
        posargs: the words after ``--`` on the command line. A list of the function's own.
        env: the environment variables of the commands that are run from now on; change it freely.
        python: the Python that the session asks for, as it is written there (``"3.11"``, ``"pypy3.10"``);
            without a request, the version X.Y of the interpreter that it runs on.
        interpreter: the interpreter that it runs on: its full version, implementation, path.
        axes: the session's place in its family's matrix: ``{"python": "3.11", "django": "4.0"}``.
        bin: the directory of the environment's programs.
        root: the project's root.
        interactive: whether standard input is a terminal, so that somebody can be asked something.
        ci: whether this is a continuous integration job.
    """

    def __init__(
        self,
        attempt: SessionAttempt,
        prepared: EnvironmentProtocol,
        temporary: Temporary,
        posargs: tuple[str, ...],
        *,
        ci: bool,
    ) -> None:
        session = attempt.session
        version = ".".join(prepared.interpreter.version.split(".")[:2])
        self._attempt = attempt
        self._prepared = prepared
        self._temporary = temporary
        self._cwd = attempt.cwd
        self.name = session.name
        self.posargs = list(posargs)
        self.env: dict[str, str] = dict(attempt.environ)
        self.axes: dict[str, str] = dict(session.axes)
        self.python: str = self.axes.get("python") or session.environment.python or version
        self.interpreter: Interpreter = prepared.interpreter
        self.bin: Path = prepared.bin[0] if prepared.bin else prepared.python.parent
        self.root: Path = attempt.project.root
        self.interactive: bool = os.isatty(0)
        self.ci = ci

    def __repr__(self) -> str:
        return f"<Session {self.name}>"

    @property
    def tmp(self) -> Path:
        """An empty directory of this run's own, removed when the session ends."""
        return self._temporary.path

    @property
    def cache_dir(self) -> Path:
        """A directory that the project's sessions share, and that stays."""
        path = self._attempt.project.cache
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def cwd(self) -> Path:
        """The directory that commands start in: the session's ``cwd``, or what ``s.cd`` chose."""
        return self._cwd

    @overload
    def run(
        self,
        *words: Word,
        env: Mapping[str, str | None] | None = ...,
        cwd: Word | None = ...,
        ok_codes: tuple[int, ...] = ...,
        allow_failure: bool = ...,
        external: bool = ...,
        silent: Literal[False] = ...,
        stdout: Word | None = ...,
        timeout: float | None = ...,
    ) -> bool: ...

    @overload
    def run(
        self,
        *words: Word,
        env: Mapping[str, str | None] | None = ...,
        cwd: Word | None = ...,
        ok_codes: tuple[int, ...] = ...,
        allow_failure: bool = ...,
        external: bool = ...,
        silent: Literal[True],
        stdout: Word | None = ...,
        timeout: float | None = ...,
    ) -> str: ...

    @overload
    def run(
        self,
        *words: Word,
        env: Mapping[str, str | None] | None = ...,
        cwd: Word | None = ...,
        ok_codes: tuple[int, ...] = ...,
        allow_failure: bool = ...,
        external: bool = ...,
        silent: bool,
        stdout: Word | None = ...,
        timeout: float | None = ...,
    ) -> str | bool: ...

    def run(
        self,
        *words: Word,
        env: Mapping[str, str | None] | None = None,
        cwd: Word | None = None,
        ok_codes: tuple[int, ...] = (0,),
        allow_failure: bool = False,
        external: bool = False,
        silent: bool = False,
        stdout: Word | None = None,
        timeout: float | None = None,
    ) -> str | bool:
        """Run a command of the environment, without a shell.

        Args:
            words: the program and its arguments, one word each: ``s.run("pytest", "-x", *s.posargs)``.
            env: variables for this command, over those of ``s.env``; a value of None takes one away.
            cwd: the directory it starts in, relative to that of ``s.cd``.
            ok_codes: the exit codes that count as success.
            allow_failure: go on when it fails; that is told, and False is returned.
            external: it may come from outside of the environment.
            silent: show nothing of what it writes unless it fails, and return its standard output.
            stdout: a file that its standard output goes to, relative to where the command starts.
            timeout: seconds until it is ended, and has failed. The session's own timeout counts as well.

        Returns:
            With ``silent`` its standard output, as text; else whether it succeeded.

        Raises:
            CommandFailed: it failed. Not caught, that fails the session.
            CommandRefused: it isn't in the environment, and neither ``external`` here nor the session's
                ``external`` allows it; or it can't be started.
        """
        if not words:
            raise CommandRefused("s.run() was called without a command")
        command = tuple(_word(word) for word in words)
        environ = dict(self.env)
        for name, value in (env or {}).items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        self._attempt.output.hide(environ)
        directory = working_directory(None if cwd is None else os.fspath(cwd), self._cwd, self._attempt.project)
        program = find_program(command, self._attempt.session, self._attempt.bin, directory, environ, external=external)
        planned = PlannedCommand(
            words=command,
            argv=(program, *command[1:]),
            environ=environ,
            cwd=directory,
            ok_codes=tuple(ok_codes),
            allow_failure=allow_failure,
            stdout=None if stdout is None else directory / stdout,
        )
        changes = self._prepared.settle(command)
        if changes:
            self._say("info", "not asked for by now: " + ", ".join(map(str, changes)))
        try:
            ok, completed = run_command(planned, self._attempt, capture=silent, timeout=timeout)
        except CommandFailed:
            self._prepared.ran(command)
            raise
        self._prepared.ran(command)
        return completed.stdout.decode(errors="replace") if silent else ok

    def install(self, *words: Word) -> tuple[Change, ...]:
        """Install more into the environment, as ``pip install`` takes its arguments.

        For what can't be declared: it is recorded, done only when it isn't what the last run did, and
        undone when the function no longer asks for it. A command sees what was installed before it, and
        nothing else. It isn't listed, locked or shipped; ``deps`` are.

        Returns:
            The packages that moved.

        Raises:
            SessionError: the installer failed, or the session has no environment of its own.
        """
        changes = self._prepared.install(*(_word(word) for word in words))
        if changes:
            self._say("info", "installed: " + ", ".join(map(str, changes)))
        return changes

    def cd(self, path: Word) -> _Directory:
        """Let commands start in another directory, relative to the present one, from now on or for a block.

        ::

            s.cd("docs")
            with s.cd("docs"):
                s.run("make", external=True)

        The session's own process stays where it is: ``os.getcwd()`` doesn't change.

        Raises:
            SessionError: there is no such directory.
        """
        before = self._cwd
        self._cwd = working_directory(os.fspath(path), self._cwd, self._attempt.project)
        return _Directory(self, before)

    def log(self, text: str) -> None:
        """Say something to the person watching."""
        self._say("info", text)

    def warn(self, text: str) -> None:
        """Warn the person watching."""
        self._say("warning", text)

    def skip(self, reason: str = "skipped by its function") -> NoReturn:
        """End the session here: it is neither ok nor failed, and the reason is shown."""
        raise SessionSkipped(str(reason))

    def error(self, message: str = "stopped by its function") -> NoReturn:
        """End the session here: it has failed, for this reason."""
        raise SessionFunctionFailed(str(message))

    def _say(self, level: Literal["info", "warning"], text: str) -> None:
        self._attempt.output.hide(self.env)
        self._attempt.output.tell(level, str(text))

    def _return_to(self, path: Path) -> None:
        self._cwd = path


class _Directory:
    """What ``s.cd`` returns: leaving it as a context goes back."""

    def __init__(self, handle: SessionHandle, before: Path) -> None:
        self._handle = handle
        self._before = before

    def __enter__(self) -> Path:
        return self._handle.cwd

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._handle._return_to(self._before)  # noqa: SLF001


def _word(word: Word) -> str:
    text = os.fspath(word) if isinstance(word, (str, os.PathLike)) else None
    if not isinstance(text, str):
        hint = ": unpack it, as in s.run(*words)" if isinstance(word, (list, tuple)) else ""
        raise TypeError(f"a word of a command is a string or a path, not {word!r}{hint}")
    return text
