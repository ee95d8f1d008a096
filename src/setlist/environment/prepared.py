"""An environment that is right and held: what a session works with."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.environment import guard
from setlist.environment.resources import Resources
from setlist.environment.state import forget_state, read_state
from setlist.errors import SessionError
from setlist.model import Change, EnvironmentAction, Interpreter, SessionSpec
from setlist.system import bin_directory, python_of

if TYPE_CHECKING:
    from setlist.environment.mend import Outcome
    from setlist.environment.recorder import Recorder


class PreparedEnvironment:
    """A session's environment, ready for use and locked against change until it is let go.

    Attributes:
        directory: the environment's, None for ``backend = "none"``.
        python: the interpreter to run.
        bin: directories searched first for commands; empty for ``backend = "none"``.
        interpreter: what ``python`` is.
        action: what was done to make it right.
        reasons: why, in words.
        changes: the packages that moved.
        duration: seconds that took.
        frozen: its frozen requirements, None for ``backend = "none"``.
    """

    def __init__(
        self,
        resources: Resources,
        session: SessionSpec,
        directory: Path | None,
        interpreter: Interpreter,
        outcome: Outcome | None,
        duration: float,
        hold: ExitStack,
    ) -> None:
        self._resources = resources
        self._session = session
        self._hold = hold
        self._done = 0
        self.directory = directory
        self.interpreter = interpreter
        self.duration = duration
        self.action: EnvironmentAction = outcome.action if outcome else "reused"
        self.reasons = outcome.reasons if outcome else ()
        self.changes = outcome.changes if outcome else ()
        if directory is None:
            self.action = "none"
            self.python = Path(interpreter.executable)
            self.bin: tuple[Path, ...] = ()
            self.frozen: Path | None = None
        else:
            self.python = python_of(directory)
            self.bin = (bin_directory(directory),)
            self.frozen = directory / "requirements.txt"

    def recorder(self) -> Recorder:
        """What records a noxfile's installs, and compares them with the recorded ones."""
        from setlist.environment.recorder import Recorder

        assert self.directory is not None
        return Recorder(self._resources, self._session, self.directory, self._hold)

    def install(self, *arguments: str) -> tuple[Change, ...]:
        """Install more, as ``pip install`` takes its arguments. Nothing is done if the session's last run made
        the same installs up to this one, with the same files behind them.

        Returns:
            the packages that moved.

        Raises:
            SessionError: there is no environment to install into, or the installer failed.
        """
        directory = self._own("s.install")
        inputs = self._inputs(arguments)
        state = read_state(directory)
        if state is not None and self._done < len(state.installs):
            known = state.installs[self._done]
            if known.arguments == arguments and known.inputs == inputs:
                self._done += 1
                return ()
        changes = self._change(directory, arguments, inputs)
        self._done += 1
        return changes

    def finish_installs(self) -> tuple[Change, ...]:
        """Forget the installs that the session's function no longer makes, and what they brought.

        Called when it has ended well: one that failed may not have come to all of them.
        """
        if self.directory is None:
            return ()
        state = read_state(self.directory)
        if state is None or self._done >= len(state.installs):
            return ()
        return self._change(self.directory, None, {})

    def _change(self, directory: Path, arguments: tuple[str, ...] | None, inputs: dict[str, str]) -> tuple[Change, ...]:
        # Readers can't become writers without a moment in which somebody else may come first, so all is
        # looked at anew under the writer's lock
        self._hold.close()
        try:
            with guard.exclusive(
                self._resources.project, self._session.name, self._resources.waiting(self._session.name)
            ) as lock:
                return self._install(directory, arguments, inputs, lock)
        finally:
            self._hold.enter_context(
                guard.shared(self._resources.project, self._session.name, self._resources.waiting(self._session.name))
            )

    def _install(
        self, directory: Path, arguments: tuple[str, ...] | None, inputs: dict[str, str], lock: int
    ) -> tuple[Change, ...]:
        from setlist.environment.mend import RESOLVED, changes_of, installer_for, record, versions_of

        state = read_state(directory)
        if state is None:
            raise SessionError("the environment was taken apart by another run", hint=f"run {self._session.name} again")
        kept = state.installs[: self._done]
        if arguments is not None and len(state.installs) > len(kept):
            known = state.installs[self._done]
            if known.arguments == arguments and known.inputs == inputs:
                return ()  # the run that was waited for has done it
        installer = installer_for(self._resources, self._session, self.interpreter, lock)
        forget_state(directory)
        if len(state.installs) > len(kept):
            # Another install than last time: back to what was before it, so that nothing is left of that one
            installer.sync(self.python, directory / RESOLVED, ())
            for item in kept:
                installer.install(self.python, item.arguments)
        if arguments is not None:
            installer.install(self.python, arguments)
        renewed = record(self._resources, self._session, directory, state, kept, arguments, inputs)
        return changes_of(versions_of(state), versions_of(renewed))

    def _inputs(self, arguments: tuple[str, ...]) -> dict[str, str]:
        """What the files behind an install hold: requirement files, constraints, local projects."""
        from setlist.environment.configuration import variables
        from setlist.environment.requirements import local_path, scan
        from setlist.environment.sources import digest_sources

        root, environ = self._resources.project.root, self._resources.caller.environ
        found = {
            f"variable {name}": value for name, value in variables(self._session.environment.installer, environ).items()
        }
        for position, word in enumerate(arguments):
            before = arguments[position - 1] if position else ""
            name, _, value = word.partition("=")
            file = None
            if before in ("-r", "-c", "--requirement", "--requirements", "--constraint", "--constraints"):
                file = word
            elif name in ("--requirement", "--requirements", "--constraint", "--constraints"):
                file = value
            elif word[:2] in ("-r", "-c") and len(word) > 2:
                file = word[2:]
            if file is not None:
                try:
                    found |= {str(path): content for path, content in scan(root / file, environ).items()}
                except OSError as error:
                    raise SessionError(
                        f"s.install: {error.filename}: {error.strerror}",
                        hint="paths are relative to the project's root",
                    ) from error
                continue
            path = local_path(word if "://" in word else word.partition("[")[0])
            if path is None and not word.startswith("-") and (root / word.partition("[")[0]).is_dir():
                path = Path(word.partition("[")[0]) if os.sep in word else None
            if path is not None:
                path = root / path
                found[str(path)] = digest_sources(path) if path.is_dir() else _content(path)
        return found

    def _own(self, what: str) -> Path:
        if self.directory is None:
            raise SessionError(f'{what} needs an environment, and this session has backend = "none"')
        return self.directory


def _content(path: Path) -> str:
    from setlist.files import digest

    try:
        return digest(path.read_bytes()) if path.is_file() else "missing"
    except OSError:
        return "missing"
