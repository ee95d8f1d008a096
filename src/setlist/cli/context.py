"""The context of a command: the caller's environment, the terminals, the project and its registry.

It is created once and passed to every verb. The project, the registry and the environments are loaded when they are
first used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import SetlistError, UsageError
from setlist.core.project import Caller, Project, find_project
from setlist.core.records import replace
from setlist.reports.terminal import Terminal, escaped_line

if TYPE_CHECKING:
    from setlist.cli.options import Arguments
    from setlist.core.events import EnvironmentProgress, Event
    from setlist.core.model import EnvironmentSpec, Registry, SessionSpec
    from setlist.engine.trace import Store
    from setlist.environment.installer_output import OnProgress
    from setlist.environment.prepare import Environments
    from setlist.registry.load import Loaded
    from setlist.reports.console import ProgressDisplay
    from setlist.runner.run_context import Closable


class Context:
    """The context of one command.

    Args:
        out: for results.
        err: for setlist's messages.
        caller: the environment variables and the current directory; absent: those of this process.
    """

    def __init__(self, out: Terminal, err: Terminal, caller: Caller | None = None) -> None:
        self.out = out
        self.err = err
        self.verbosity = 0
        self._caller = caller
        self._file: Path | None = None
        self._offline = False
        self._undo: list[Callable[[], None]] = []
        self.readers: list[Callable[[Event], None]] = []
        """Readers of a run's events, besides those that the command line chooses."""
        self.shared: dict[str, Closable] = {}
        """What the sessions of a provider share already, by its name: see RunContext."""

    @classmethod
    def current(cls) -> Context:
        """The context of this process."""
        import os
        import sys

        return cls(Terminal.of(sys.stdout, os.environ), Terminal.of(sys.stderr, os.environ, lossy=True))

    @property
    def caller(self) -> Caller:
        """The caller's environment variables and directory.

        Raises:
            UsageError: the current directory no longer exists. Creating the context doesn't raise it, so that it can
                be printed.
        """
        if self._caller is None:
            self._caller = Caller.current()
        return self._caller

    def apply_options(self, arguments: Arguments) -> None:
        """Apply the common options: ``-C``, ``-f``, ``-v``, ``-q``, ``--offline``.

        Raises:
            UsageError: the directory doesn't exist.
        """
        self.verbosity = arguments.count("verbose") - arguments.count("quiet")
        self._offline = arguments.flag("offline")
        directory = arguments.value("directory")
        if directory is not None:
            # resolved, as the current directory of a process is: a symbolic link doesn't make another project
            path = self.path(directory).resolve()
            if not path.is_dir():
                raise UsageError(f"{directory}: no such directory")
            self._caller = replace(self.caller, cwd=path)
        file = arguments.value("file")
        if file is not None:
            self._file = self.path(file)
        if self.verbosity > 0:
            self._undo.append(show_diagnostics(self.err, self.verbosity))

    def restore(self) -> None:
        """Undo the changes of :meth:`apply_options` to the process."""
        while self._undo:
            self._undo.pop()()

    def path(self, written: str) -> Path:
        """A path of the command line. ``~`` is expanded, since shells don't do it in ``--file=~/x``."""
        import os

        return Path(os.path.abspath(self.caller.cwd / os.path.expanduser(written)))

    @cached_property
    def project(self) -> Project:
        """The project of the caller's directory. Its ``.setlist`` isn't created yet."""
        return find_project(self.caller.cwd, self._file, self.caller.environ)

    @property
    def known_project(self) -> Project | None:
        """The project, if it has been found already. For the crash log, which mustn't search."""
        project: Project | None = self.__dict__.get("project")
        return project

    @property
    def registry(self) -> Registry:
        """All sessions of the project."""
        return self.loaded.registry

    @cached_property
    def loaded(self) -> Loaded:
        """The registry, and what was looked at for it."""
        from setlist.registry.load import load

        loaded = load(self.project, self.caller.environ, self.loader_python)
        for warning in loaded.warnings:
            self.err.line(f"{self.err.styled('warning:', 'yellow')} {warning}")
        return loaded

    @property
    def store(self) -> Store:
        """The trace store of the project."""
        from setlist.engine.trace import Store

        return Store(str(self.project.store), str(self.project.root), self.caller.environ)

    def use_project(self, project: Project) -> None:
        """Use this project instead of that of the caller's directory."""
        for name in ("loaded", "environments"):
            self.__dict__.pop(name, None)
        self.__dict__["project"] = project

    def loader_python(self, spec: EnvironmentSpec, file: str) -> AbstractContextManager[Path]:
        """Hold the environment that foreign definitions request to be loaded in, and return its Python."""
        from setlist.environment.prepare import Environments

        self.project.prepare()
        environments = Environments(
            self.project, self.caller, offline=self._offline, notify=self._notify, progress=self._progress
        )
        return environments.loader_python(spec, file)

    @cached_property
    def environments(self) -> Environments:
        """Prepares, explains and freezes environments."""
        from setlist.environment.prepare import Environments
        from setlist.lock.use import project_locks

        self.project.prepare()

        notify = self._notify
        locks = project_locks(self.project, self.registry.settings, mode="use", ci=self.caller.ci, warn=notify)
        return Environments(
            self.project, self.caller, offline=self._offline, notify=notify, locks=locks, progress=self._progress
        )

    def _notify(self, session: str, text: str) -> None:
        self.err.lines(f"{session}: {text}")

    def select(self, selectors: Sequence[str]) -> tuple[SessionSpec, ...]:
        """The sessions that selectors name; without selectors, the default sessions."""
        from setlist.registry.select import select

        return select(self.registry, selectors)

    def select_one(self, selectors: Sequence[str], *, verb: str) -> SessionSpec:
        """The session that a verb takes as its argument.

        Raises:
            UsageError: none or several are named.
            UnknownSession: the name matches no session.
        """
        if len(selectors) != 1:
            count = f"{len(selectors)} sessions are named" if selectors else "no session is named"
            raise UsageError(f"'setlist {verb}' takes one session, and {count}", hint=f"write: setlist {verb} SESSION")
        sessions = self.select(selectors)
        if len(sessions) != 1:
            names = ", ".join(session.name for session in sessions)
            raise UsageError(
                f"'setlist {verb}' takes one session, and {selectors[0]!r} names {len(sessions)}: {names}",
                hint=f"write: setlist {verb} {sessions[0].name}" if sessions else None,
            )
        return sessions[0]

    def _progress(self, session: str) -> OnProgress:
        """What is told of the steps of an installer, and shows each until it is done."""
        import time

        from setlist.core.events import SessionStarted
        from setlist.environment.installer_output import emitting
        from setlist.reports.progress import show_progress

        began = SessionStarted(time=time.time(), session=session)
        shown: list[ProgressDisplay] = []

        def show(event: EnvironmentProgress) -> None:
            if self.verbosity >= 0 and not shown:
                shown.append(show_progress(self.err, session, began))
            for display in shown:
                display(event)
            while event.step == "done" and shown:
                shown.pop().close()

        return emitting(show, session)

    @contextmanager
    def progress(self, text: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
        """Show ``text`` and a progress bar on a terminal. Yields the function to call with (done, total).

        Nothing is shown in a pipe, with ``-q``, or when ``quiet``. The bar is removed at the end.
        """
        terminal = self.err
        if quiet or self.verbosity < 0 or not terminal.interactive:
            yield lambda *_: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        console = Console(file=terminal.stream, no_color=not terminal.color)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def print_error(self, error: SetlistError) -> None:
        """Print an error: its location and message, the indented detail, and the hint."""
        err = self.err
        where = f"{err.styled(escaped_line(error.where), 'bold')}: " if error.where else ""
        err.line(f"{err.styled('error:', 'red', 'bold')} {where}{escaped_line(error.message)}")
        for line in (error.detail or "").rstrip().splitlines():
            err.line(f"    {line}".rstrip())
        if error.hint:
            err.line(f"{err.styled('hint:', 'cyan')} {escaped_line(error.hint)}")


def show_diagnostics(terminal: Terminal, verbosity: int) -> Callable[[], None]:
    """Print setlist's log records, coloured by colorlog: from INFO with ``-v``, from DEBUG with ``-vv``.

    With ``-vvv`` the records of libraries are printed as well. Without ``-v`` nothing is imported for this, and
    warnings are printed by the last-resort handler of :mod:`logging`.

    Returns:
        the function that removes the handler: a command leaves the loggers of its process unchanged.
    """
    import logging

    from colorlog import ColoredFormatter

    class TerminalHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            terminal.lines(self.format(record))

    logger = logging.getLogger() if verbosity > 2 else logging.getLogger("setlist")
    level = logger.level
    handler = TerminalHandler()
    handler.setFormatter(
        ColoredFormatter("%(log_color)s%(levelname)s%(reset)s %(name)s: %(message)s", no_color=not terminal.color)
    )
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)

    def undo() -> None:
        logger.removeHandler(handler)
        logger.setLevel(level)

    return undo
