"""What a provider of session definitions has to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.engine.execute import SessionResult
from setlist.engine.world import World
from setlist.registry.definition import Declared, LoaderPython
from setlist.registry.select import Matches
from setlist.runner.output import SessionOutput
from setlist.runner.run_context import Closable, RunContext


class Provider(Protocol):
    """A source of sessions that another tool defined, and what runs them.

    Each package in :mod:`setlist.providers` has one as ``PROVIDER``. Its sessions carry its name, their names and data
    there, and how they differ from ours (:class:`setlist.core.model.SessionSpec`). An instance keeps no state.
    """

    def reads(self, file: Path) -> bool:
        """Whether a file given with ``-f`` holds its definitions, whatever it is called."""

    def misplaced(self, source: bytes) -> tuple[int, str, str] | None:
        """The first of its sessions in a Python file of session definitions, which isn't loaded by its tool.

        Returns:
            the line, what is wrong, and what to write instead; None if there is none.
        """

    def shows_ours(self, file: Path) -> bool:
        """Whether a file of its is there only to show our sessions to its tool."""

    def load(self, project: Project, file: str, world: World, loader_python: LoaderPython | None) -> Declared:
        """Load its sessions.

        Args:
            project: whose definitions they are; its ``provider_arguments`` count.
            file: relative to the root.
            world: records what is looked at for that; its variables are those that the definitions see.
            loader_python: makes the environment that they ask to be loaded in; None where none can be made.

        Raises:
            ConfigurationError: they can't be loaded.
        """

    def keyword(self, expression: str) -> Matches:
        """What ``-k EXPRESSION`` means in a project where all sessions are of this provider.

        Raises:
            UsageError: it is malformed.
        """

    def environment(self, session: SessionSpec, environ: Mapping[str, str]) -> SessionSpec:
        """The session with the environment that it runs in on this machine, given the caller's variables."""

    def variables(self, session: SessionSpec, environ: Mapping[str, str], directory: Path | None) -> dict[str, str]:
        """The variables that a command of the session sees.

        Args:
            session: the session.
            environ: the caller's variables.
            directory: the session's virtual environment, None if it has none of its own.
        """

    def own_environments(self, session: SessionSpec) -> tuple[str, ...]:
        """The names of environments that it keeps for itself because of the session."""

    def open_run(self) -> Closable:
        """What its sessions share in one run, closed when the run ends."""

    def run(
        self, context: RunContext, session: SessionSpec, posargs: tuple[str, ...], output: SessionOutput
    ) -> SessionResult:
        """Run a session to its end, its environment made right first.

        Args:
            context: the run's; its ``shared`` holds what :meth:`open_run` returned.
            session: the session.
            posargs: the words after ``--``.
            output: where its events and output go.

        Raises:
            SetlistError: its environment can't be made right.
            Interrupted: a signal reached us, and all of it is gone.
        """

    def lockable(self, context: RunContext, session: SessionSpec) -> tuple[SessionSpec, str]:
        """The session with an environment that declares all that it installs, from which a lock is resolved.

        Returns:
            the session, and why that was read from its environment as it is; empty where it wasn't.

        Raises:
            SessionError: it has no environment to be read.
        """

    def details(self, session: SessionSpec) -> Mapping[str, Any]:
        """What ``list --json`` says of the session beside what it says of each; ``file`` and ``name`` at least."""
