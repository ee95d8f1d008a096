"""Which lock a run installs from: the rules of ``run``, ``run --locked`` and ``run --no-lock``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from setlist.core.errors import LockOutOfDate
from setlist.core.files import digest
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project

if TYPE_CHECKING:
    # Every run makes a ProjectLocks, and the warm ones only ask it what is recorded
    from setlist.environment.lock_interface import Locked
    from setlist.environment.pyproject import Pyproject

LockMode = Literal["use", "require", "ignore"]
"""``use``: a current lock is taken, a missing one is no matter; ``require``: it must be there and current;
``ignore``: no lock is looked at."""


def project_locks(
    project: Project, settings: Settings, *, mode: LockMode, ci: bool, warn: Callable[[str, str], None]
) -> ProjectLocks | None:
    """The project's locks as a run is to see them; None where it isn't to see any.

    Args:
        project: whose.
        settings: the project's.
        mode: what was asked for.
        ci: whether this is CI, where a stale lock is an error.
        warn: told a session's name and one line.
    """
    if mode == "ignore":
        return None
    required = mode == "require"
    return ProjectLocks(project, settings, required=required, strict=required or ci, warn=warn)


class ProjectLocks:
    """The locks of a project, as environments see them (:class:`setlist.environment.lock_interface.Locks`).

    Args:
        project: whose.
        settings: the project's.
        required: a missing lock is an error (``--locked``).
        strict: a stale lock is an error (in CI, and with ``--locked``) and not a warning.
        warn: told a session's name and one line.
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
        """The session's lock file, there or not."""
        from setlist.lock.lock_files import lock_path

        return lock_path(self._project, self._settings, session)

    def accepts(self, recorded: str | None) -> bool:
        """Whether an environment that was made under this lock (None: under none) may be used as it is."""
        if recorded is None:
            return not self._required
        # Under a stale one it may well be, but not without a word: find() has it
        return not recorded.startswith("stale")

    def find(self, session: SessionSpec) -> Locked | None:
        """What the session's lock says; None where there is none.

        Raises:
            LockOutOfDate: it isn't what it must be; what changed, and the command that mends it.
        """
        from setlist.environment.lock_interface import Locked
        from setlist.lock.document import preferences, unhashed_names
        from setlist.lock.inputs import lock_inputs
        from setlist.lock.local_paths import absolute
        from setlist.lock.lock_files import standing_of

        if session.installs_itself:
            return self._of_function(session)
        inputs = lock_inputs(self._project, self._settings, session, self._pyproject)
        status = standing_of(self._project, self._settings, session, inputs)
        shown = self._project.relative(status.path)
        mends = f"'setlist lock {session.name}' renews it"
        if status.state == "missing":
            if self._required:
                raise LockOutOfDate(
                    f"{session.name} has no lock ({shown})", hint=f"'setlist lock {session.name}' makes it"
                )
            return None
        if status.state != "current":
            what = "is damaged" if status.state == "damaged" else "is out of date"
            told = f"the lock of {session.name} {what}: {', '.join(status.reasons)}"
            if self._strict:
                raise LockOutOfDate(told, hint=mends)
            if session.name not in self._warned:  # it is looked at more than once until an environment is right
                self._warned.add(session.name)
                self._warn(session.name, f"{told}; resolved anew for this run ({mends})")
            known = preferences(status.known or "")
            return Locked(None, f"stale {digest(known)[:16]}", known)
        assert status.document is not None
        body = status.document.body
        unhashed = unhashed_names(body) if self._settings.require_hashes else ()
        if unhashed:
            raise LockOutOfDate(
                f"{shown}: no hash for {', '.join(unhashed)}, and require-hashes is set",
                hint="require a released version instead, or drop require-hashes",
            )
        # A lock names no index. What the requirement files name is named where it is installed from
        options = "".join(f"{line}\n" for line in dict.fromkeys(inputs.requirements.option_lines))
        return Locked(options + absolute(body, self._project.root), status.document.content, None)

    def _of_function(self, session: SessionSpec) -> Locked | None:
        """The lock of a session whose function installs. Whether it holds what that asks for is seen later."""
        from setlist.environment.lock_interface import Locked
        from setlist.lock.document import unhashed_names
        from setlist.lock.local_paths import absolute
        from setlist.lock.lock_files import read_lock

        document = read_lock(self._project, self._settings, session)
        if document is None:
            if self._required:
                raise LockOutOfDate(f"{session.name} has no lock", hint=f"'setlist lock {session.name}' makes it")
            return None
        unhashed = unhashed_names(document.body) if self._settings.require_hashes else ()
        if unhashed:
            raise LockOutOfDate(
                f"{session.name}: no hash for {', '.join(unhashed)}, and require-hashes is set",
                hint="require a released version instead, or drop require-hashes",
            )
        return Locked(absolute(document.body, self._project.root), document.content, None)

    def out_of_date(self, session: SessionSpec, what: str) -> None:
        """A session's function asks for something that its lock doesn't hold.

        Raises:
            LockOutOfDate: that isn't allowed in this run.
        """
        told = f"the lock of {session.name} is out of date: it doesn't hold {what}"
        mends = f"'setlist lock {session.name}' renews it"
        if self._strict:
            raise LockOutOfDate(told, hint=mends)
        if session.name not in self._warned:
            self._warned.add(session.name)
            self._warn(session.name, f"{told}; installed all the same ({mends})")
