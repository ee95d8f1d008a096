"""Choose the lock that a run installs from: the rules of ``run``, ``run --locked`` and ``run --no-lock``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from setlist.core.errors import LockOutOfDate
from setlist.core.fingerprint import digest
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project

if TYPE_CHECKING:
    from setlist.core.files import Reader
    from setlist.engine.world import World

    # Every run makes a ProjectLocks; a warm run only calls accepts()
    from setlist.environment.context import Locked
    from setlist.environment.pyproject import Pyproject

LockMode = Literal["use", "require", "ignore"]
"""``use``: install from a current lock, resolve without one; ``require``: every session must have a current lock;
``ignore``: ignore lock files."""


def project_locks(
    project: Project, settings: Settings, *, mode: LockMode, ci: bool, warn: Callable[[str, str], None]
) -> ProjectLocks | None:
    """The locks of a project for a run; None if it ignores them.

    Args:
        project: the project.
        settings: its settings.
        mode: how the run uses locks.
        ci: whether this is CI, where a stale lock is an error.
        warn: called with a session's name and one line.
    """
    if mode == "ignore":
        return None
    required = mode == "require"
    return ProjectLocks(project, settings, required=required, strict=required or ci, warn=warn)


class ProjectLocks:
    """The locks of a project, as environments see them (:class:`setlist.environment.context.Locks`).

    Args:
        project: the project.
        settings: its settings.
        required: a missing lock is an error (``--locked``).
        strict: a stale lock is an error (in CI, and with ``--locked``) and not a warning.
        warn: called with a session's name and one line.
    """

    def __init__(
        self, project: Project, settings: Settings, *, required: bool, strict: bool, warn: Callable[[str, str], None]
    ) -> None:
        self._project = project
        self._settings = settings
        self._required = required
        self._strict = strict
        self._warn = warn
        self._warned: set[str] = set()

    @cached_property
    def _pyproject(self) -> Pyproject:
        from setlist.environment.pyproject import read_pyproject

        return read_pyproject(self._project)

    def file(self, session: SessionSpec) -> Path:
        """The path of the session's lock file, which need not exist."""
        from setlist.lock.lock_files import lock_path

        return lock_path(self._project, self._settings, session)

    def accepts(self, recorded: str | None) -> bool:
        """Whether an environment that was made from this lock (None: from none) may be reused as it is."""
        if recorded is None:
            return not self._required
        # One from a stale lock may be reused too, but only after the warning of find()
        return not recorded.startswith("stale")

    def find(self, session: SessionSpec, world: World | None = None) -> Locked | None:
        """The session's lock; None if there is none.

        Args:
            session: the session.
            world: records that it is read.

        Raises:
            LockOutOfDate: it is missing, stale or damaged, and this run doesn't allow that.
        """
        from setlist.lock.lock_files import look_at_places

        read = None if world is None else world.read
        if world is not None:
            look_at_places(self._project, self._settings, world)
        if session.installs_itself:
            return self._of_function(session, read)
        path = self.file(session)
        shown = self._project.relative(path)
        if not os.path.lexists(path) if world is None else world.kind(str(path)) is None:
            if self._required:
                raise LockOutOfDate(
                    f"{session.name} has no lock ({shown})", hint=f"'setlist lock {session.name}' makes it"
                )
            return None
        from setlist.engine.world import VARIABLE, World
        from setlist.environment.context import Locked
        from setlist.lock.document import absolute_paths, preferences
        from setlist.lock.inputs import lock_inputs
        from setlist.lock.lock_files import lock_status

        # variables aren't inputs of a lock
        seen = World(str(self._project.root), {})
        inputs = lock_inputs(self._project, self._settings, session, self._pyproject, world=seen)
        if world is not None:
            world.include_trace(tuple(look for look in seen.trace if look[0] != VARIABLE))
        status = lock_status(self._project, self._settings, session, inputs, read=read)
        if status.state != "current":
            state = "is damaged" if status.state == "damaged" else "is out of date"
            message = f"the lock of {session.name} {state}: {', '.join(status.reasons)}"
            self._refuse_or_warn(session, message, "resolved anew for this run")
            preferred = preferences(status.preferred or "")
            return Locked(None, f"stale {digest(preferred)[:16]}", preferred)
        assert status.document is not None
        body = status.document.body
        self._require_hashes(body, shown)
        # A lock names no index: the requirement files of the session do
        options = "".join(f"{line}\n" for line in dict.fromkeys(inputs.requirements.option_lines))
        return Locked(options + absolute_paths(body, self._project.root), status.document.content, None)

    def _of_function(self, session: SessionSpec, read: Reader | None) -> Locked | None:
        """The lock of a session whose function installs. Whether it holds what that asks for is seen later."""
        from setlist.environment.context import Locked
        from setlist.lock.document import absolute_paths
        from setlist.lock.lock_files import read_lock

        document = read_lock(self._project, self._settings, session, read)
        if document is None:
            if self._required:
                raise LockOutOfDate(f"{session.name} has no lock", hint=f"'setlist lock {session.name}' makes it")
            return None
        self._require_hashes(document.body, session.name)
        return Locked(absolute_paths(document.body, self._project.root), document.content, None)

    def out_of_date(self, session: SessionSpec, what: str) -> None:
        """A session's function asks for something that its lock doesn't hold.

        Raises:
            LockOutOfDate: that isn't allowed in this run.
        """
        message = f"the lock of {session.name} is out of date: it doesn't hold {what}"
        self._refuse_or_warn(session, message, "installed all the same")

    def _refuse_or_warn(self, session: SessionSpec, message: str, consequence: str) -> None:
        hint = f"'setlist lock {session.name}' renews it"
        if self._strict:
            raise LockOutOfDate(message, hint=hint)
        if session.name not in self._warned:  # find() is called more than once for an environment
            self._warned.add(session.name)
            self._warn(session.name, f"{message}; {consequence} ({hint})")

    def _require_hashes(self, body: str, lock: str) -> None:
        from setlist.lock.document import unhashed_names

        unhashed = unhashed_names(body) if self._settings.require_hashes else ()
        if unhashed:
            raise LockOutOfDate(
                f"{lock}: no hash for {', '.join(unhashed)}, and require-hashes is set",
                hint="require a released version instead, or drop require-hashes",
            )
