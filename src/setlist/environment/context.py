"""What the environments of one run share: the project, the caller's world, interpreters found, builds made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.model import EnvironmentSpec
from setlist.core.project import Caller, Project
from setlist.core.records import dataclass
from setlist.core.system import user_cache
from setlist.environment.environ import clean

if TYPE_CHECKING:
    from setlist.environment.builds import Builds
    from setlist.environment.interpreters import Interpreters
    from setlist.environment.lock_interface import Locks


@dataclass(frozen=True)
class EnvironmentContext:
    """Shared by all sessions of a run; each part is made when it is first asked for.

    ``offline``: never ask the network. ``notify`` is told a session's name and one line that the person
    should know while waiting. ``locks`` are the project's lock files, None where they aren't to be looked at.
    ``find_links`` is a directory of wheels to install from, and from nowhere else.
    """

    project: Project
    caller: Caller
    offline: bool
    notify: Callable[[str, str], None]
    locks: Locks | None = None
    find_links: Path | None = None

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The caller's environment variables without what leaks from other environments."""
        return clean(self.caller.environ)

    @cached_property
    def cache(self) -> Path:
        """Where what all projects of a user share is kept."""
        return user_cache(self.caller.environ)

    @cached_property
    def interpreters(self) -> Interpreters:
        from setlist.environment.interpreters import Interpreters

        return Interpreters(self.caller, self.cache, self.project.root)

    @cached_property
    def builds(self) -> Builds:
        """What was built of the project in this run."""
        from setlist.environment.builds import Builds

        return Builds(self.project, self.environ)

    def waiting(self, session: str) -> Callable[[], None]:
        """What to do when a session's environment has to be waited for."""
        return lambda: self.notify(session, "waiting for another run that uses or changes this environment")


def python_request(spec: EnvironmentSpec) -> str:
    """The interpreter that an environment asks for: as written, or the minor version that setlist runs on."""
    return spec.python or f"{sys.version_info[0]}.{sys.version_info[1]}"
