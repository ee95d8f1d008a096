"""A session's own directory for temporary files: made when it is asked for, gone with the run."""

from __future__ import annotations

import os
from pathlib import Path

from setlist.errors import StorageError
from setlist.project import Project


class Temporary:
    """``{tmp}`` and ``s.tmp``: fresh for each run of a session, two runs at once have two."""

    def __init__(self, project: Project, session: str) -> None:
        # short: sockets live in such places, and their paths may have no more than about 100 characters
        self._path = project.temporary(session) / os.urandom(3).hex()
        self._made = False

    @property
    def path(self) -> Path:
        """The directory, made when first asked for.

        Raises:
            StorageError: it can't be made.
        """
        if not self._made:
            try:
                self._path.mkdir(parents=True)
            except OSError as error:
                raise StorageError(f"can't make {self._path}: {error.strerror or error}") from error
            self._made = True
        return self._path

    @property
    def unmade(self) -> Path:
        """Where it would be. Makes nothing."""
        return self._path

    def remove(self) -> None:
        """Remove it, if it was made. What can't be removed stays: a session doesn't fail of that."""
        if not self._made:
            return
        from contextlib import suppress

        from setlist.files import remove_tree

        with suppress(OSError):
            remove_tree(self._path)
            self._path.parent.rmdir()
        self._made = False
