"""An environment that is right and held: what a session works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import SessionError, SyncFailed
from setlist.core.model import Change, EnvironmentAction, Interpreter, SessionSpec
from setlist.core.system import bin_directory, python_of
from setlist.environment.context import EnvironmentContext

if TYPE_CHECKING:
    from setlist.environment.install_journal import Recorder
    from setlist.environment.sync import Outcome


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
        context: EnvironmentContext,
        session: SessionSpec,
        directory: Path | None,
        interpreter: Interpreter,
        outcome: Outcome | None,
        duration: float,
        hold: ExitStack,
    ) -> None:
        self._context = context
        self._session = session
        self._hold = hold
        self._recorder: Recorder | None = None
        self._asked: list[tuple[str, ...]] = []
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
        """What records the installs of the session's function, and compares them with the recorded ones."""
        from setlist.environment.install_journal import Recorder

        if self._recorder is None:
            assert self.directory is not None
            self._recorder = Recorder(self._context, self._session, self.directory, self._hold)
        return self._recorder

    def install(self, *arguments: str) -> tuple[Change, ...]:
        """Install more, as ``pip install`` takes its arguments. Nothing is done if the session's last run made
        the same install at this point, with the same files behind it.

        Returns:
            the packages that moved.

        Raises:
            SessionError: there is no environment to install into, or the installer failed.
        """
        from setlist.environment.install_args import read_install
        from setlist.environment.sync import changes_of
        from setlist.registry.validators import ValidationError, line

        if self.directory is None:
            raise SessionError('s.install needs an environment, and this session has backend = "none"')
        try:
            for word in arguments:
                line(word)
        except ValidationError as bad:
            raise SessionError(f"s.install: a word {bad.message}", hint=bad.hint) from None
        root = self._context.project.root
        for path in read_install(arguments, root, self._context.caller.environ).unread:
            reason = "No such file or directory" if not path.exists() else "can't be read"
            raise SessionError(f"s.install: {path}: {reason}", hint="paths are relative to the project's root")
        before = self.recorder().versions
        self._until_it_is_done(lambda: self._install(arguments))
        return changes_of(before, self.recorder().versions)

    def settle(self, command: Sequence[str]) -> tuple[Change, ...]:
        """A command is about to run: it is to see what was installed so far, and nothing else.

        Returns:
            the packages that moved.

        Raises:
            SessionError: that can't be done.
        """
        from setlist.environment.sync import changes_of

        if self.directory is None:
            return ()
        before = self.recorder().versions
        root = self._context.project.root
        self._until_it_is_done(lambda: self.recorder().settle(command, {}, root)["do"] != "replay")
        return changes_of(before, self.recorder().versions)

    def ran(self, command: Sequence[str]) -> None:
        """A command has run: see what it has changed."""
        if self.directory is not None:
            self.recorder().ran(command, {}, self._context.project.root)

    def finish_installs(self, *, ok: bool = True) -> tuple[Change, ...]:
        """The session's function has ended: forget the installs that it no longer makes, and what they brought.

        Args:
            ok: it has ended well. One that failed may not have come to all of them.
        """
        from setlist.environment.sync import changes_of

        if self.directory is None or (self._recorder is None and not self._has_steps()):
            return ()
        before = self.recorder().versions
        self._until_it_is_done(lambda: self.recorder().finish(ok=ok) is not None)
        return changes_of(before, self.recorder().versions)

    def _has_steps(self) -> bool:
        from setlist.environment.state import read_state

        state = None if self.directory is None else read_state(self.directory)
        return state is not None and bool(state.steps)

    def _until_it_is_done(self, step: Callable[[], bool]) -> None:
        """Do a step; where the environment was made anew for it, first all installs so far once more."""
        while not step():
            asked, self._asked = self._asked, []
            for arguments in asked:
                self._install(arguments)

    def _install(self, arguments: tuple[str, ...]) -> bool:
        from setlist.environment.sync import installer_for

        recorder = self.recorder()
        program = ("uv", "pip") if self._session.environment.installer == "uv" else ("pip",)
        answer = recorder.install((*program, "install", *arguments), {}, self._context.project.root)
        if answer["do"] == "replay":
            return False
        if answer["do"] == "run":
            installer = installer_for(self._context, self._session, self.interpreter, recorder.lock)
            constraints = answer.get("constraints", ())
            try:
                try:
                    installer.install(self.python, (*arguments, *constraints))
                except SyncFailed:
                    if not constraints:
                        raise
                    # a version of last time isn't to be had any more
                    installer.install(self.python, arguments)
            except BaseException:
                recorder.installed(ok=False)
                raise
            recorder.installed(ok=True)
        self._asked.append(arguments)
        return True
