"""A session's own directory for temporary files: made when it is asked for, gone with the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from setlist.core.errors import StorageError
from setlist.core.project import Project


@contextmanager
def in_use(project: Project, session: str) -> Iterator[None]:
    """Use the session's temporary directories: nobody removes them meanwhile.

    What is there before, where nobody uses it, is what a run that was killed has left, and is removed.
    """
    from setlist.core.files import remove_tree
    from setlist.environment import locking

    name = f".tmp-{session}"
    left = project.temporary(session)
    if os.path.lexists(left):
        with locking.if_free(project, name) as is_free, suppress(OSError):  # a session doesn't fail of that
            if is_free:
                remove_tree(left)
    with locking.shared(project, name):
        yield


class Temporary:
    """``{tmp}`` and ``s.tmp``: fresh for each run of a session, two runs at once have two.

    Args:
        path: where it is, or would be.
        used: entered before it is made, and left when it is removed.
    """

    def __init__(self, path: Path, used: AbstractContextManager[None] | None = None) -> None:
        self._path = path
        self._unused = used
        self._used = ExitStack()

    @classmethod
    def of(cls, project: Project, session: str) -> Temporary:
        """A new one for a run of the session."""
        # short: sockets live in such places, and their paths may have no more than about 100 characters
        return cls(project.temporary(session) / os.urandom(3).hex(), in_use(project, session))

    @property
    def path(self) -> Path:
        """The directory, made when first asked for.

        Raises:
            StorageError: it can't be made.
        """
        reserved = self.reserved
        try:
            reserved.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"can't make {self._path}: {error.strerror or error}") from error
        return reserved

    @property
    def reserved(self) -> Path:
        """Where it is to be, and where another process may make it."""
        if self._unused is not None:
            used, self._unused = self._unused, None
            self._used.enter_context(used)
        return self._path

    @property
    def unmade(self) -> Path:
        """Where it would be. Makes nothing."""
        return self._path

    def remove(self) -> None:
        """Remove it, if it was made. What can't be removed stays: a session doesn't fail of that."""
        with self._used:
            if os.path.lexists(self._path):
                from setlist.core.files import remove_tree

                with suppress(OSError):
                    remove_tree(self._path)
                    self._path.parent.rmdir()
