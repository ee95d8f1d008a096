"""What an environment is told of its lock. Locks themselves are :mod:`setlist.lock`'s business."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from setlist.core.model import SessionSpec
from setlist.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock says for a session.

    ``text`` are exact requirement lines with their hashes, None where the lock is stale and everything is to be
    resolved; ``digest`` tells this lock from another; ``preferred`` are the lines whose versions are kept
    where they still fit.
    """

    text: str | None
    digest: str
    preferred: str | None


class Locks(Protocol):
    """The project's locks."""

    def file(self, session: SessionSpec) -> Path:
        """The session's lock file, there or not."""
        ...

    def accepts(self, recorded: str | None) -> bool:
        """Whether an environment made under the lock with this digest (None: under none) may be used as it is."""
        ...

    def find(self, session: SessionSpec) -> Locked | None:
        """What the session's lock says; None where there is none.

        Raises:
            LockOutOfDate: it is missing or stale where it must not be.
        """
        ...

    def out_of_date(self, session: SessionSpec, what: str) -> None:
        """A session's function asks for something that its lock doesn't hold.

        Raises:
            LockOutOfDate: that isn't allowed in this run.
        """
        ...
