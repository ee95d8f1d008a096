"""A session's own directory for temporary files: made when it is asked for, gone with the run."""

from __future__ import annotations

import os
from pathlib import Path

from setlist.errors import StorageError
from setlist.project import Project


class Temporary:
    """``{tmp}`` and ``s.tmp``: fresh for each run of a session, two runs at once have two.

    Args:
        path: where it is, or would be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, project: Project, session: str) -> Temporary:
        """A new one for a run of the session."""
        # short: sockets live in such places, and their paths may have no more than about 100 characters
        return cls(project.temporary(session) / os.urandom(3).hex())

    @property
    def path(self) -> Path:
        """The directory, made when first asked for.

        Raises:
            StorageError: it can't be made.
        """
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"can't make {self._path}: {error.strerror or error}") from error
        return self._path

    @property
    def unmade(self) -> Path:
        """Where it would be. Makes nothing."""
        return self._path

    def remove(self) -> None:
        """Remove it, if it was made. What can't be removed stays: a session doesn't fail of that."""
        if not os.path.lexists(self._path):
            return
        from contextlib import suppress

        from setlist.files import remove_tree

        with suppress(OSError):
            remove_tree(self._path)
            self._path.parent.rmdir()
