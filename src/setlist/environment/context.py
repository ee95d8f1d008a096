"""What the environments of one run share: the project, the caller, interpreters, builds, locks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from setlist.core.model import EnvironmentSpec, SessionSpec
from setlist.core.project import Caller, Project
from setlist.core.records import dataclass
from setlist.core.system import user_cache
from setlist.environment.environ import clean

if TYPE_CHECKING:
    from setlist.engine.world import World
    from setlist.environment.builds import Builds
    from setlist.environment.installer_output import OnProgress
    from setlist.environment.interpreters import Interpreters


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock holds for a session.

    ``text`` are exact requirement lines with their hashes, None if the lock is stale and everything has to be
    resolved; ``digest`` identifies the lock; ``preferred`` are the lines whose versions are kept where they still fit.
    """

    text: str | None
    digest: str
    preferred: str | None


class Locks(Protocol):
    """The project's locks, as environments use them. :mod:`setlist.lock` implements it."""

    def file(self, session: SessionSpec) -> Path:
        """The session's lock file, whether it is there or not."""
        ...

    def accepts(self, recorded: str | None) -> bool:
        """Whether an environment made from the lock with this digest (None: from no lock) may be used as it is."""
        ...

    def find(self, session: SessionSpec, world: World | None = None) -> Locked | None:
        """What the session's lock holds; None where there is none. ``world`` records that it is read.

        Raises:
            LockOutOfDate: it is missing or stale where it must not be.
        """
        ...

    def out_of_date(self, session: SessionSpec, what: str) -> None:
        """A session requests something that its lock doesn't hold.

        Raises:
            LockOutOfDate: that isn't allowed in this run.
        """
        ...


@dataclass(frozen=True)
class EnvironmentContext:
    """Shared by all sessions of a run; each part is created when it is first used.

    ``offline``: don't access the network. ``notify`` is called with a session's name and one line for the user to read
    while waiting. ``locks`` are the project's lock files, None if they are ignored. ``find_links`` is a directory of
    wheels to install from, and from nowhere else. ``progress`` returns what is told of a session's installer.
    """

    project: Project
    caller: Caller
    offline: bool
    notify: Callable[[str, str], None]
    locks: Locks | None = None
    find_links: Path | None = None
    progress: Callable[[str], OnProgress] | None = None

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The caller's environment variables without what leaks from other environments."""
        return clean(self.caller.environ)

    @cached_property
    def cache(self) -> Path:
        """The directory that all projects of a user share."""
        return user_cache(self.caller.environ)

    @cached_property
    def interpreters(self) -> Interpreters:
        from setlist.environment.interpreters import Interpreters

        return Interpreters(self.caller, self.cache, self.project.root)

    @cached_property
    def builds(self) -> Builds:
        """The wheels and sdists of the project that this run has built."""
        from setlist.environment.builds import Builds

        return Builds(self.project, self.environ)

    def waiting(self, session: str) -> Callable[[], None]:
        """The function to call when a session has to wait for its environment."""
        return lambda: self.notify(session, "waiting for another run that uses or changes this environment")


def python_request(spec: EnvironmentSpec) -> str:
    """The request for an environment's interpreter: as written, or the minor version that setlist runs on."""
    return spec.python or f"{sys.version_info[0]}.{sys.version_info[1]}"
