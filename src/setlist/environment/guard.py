"""Who may touch an environment: any number of users, or one changer.

The lock is on a file of its own under ``.setlist/.tox/guards/``, since the environment's directory comes and
goes. It is the operating system's lock, so it ends with the process that held it, however that ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from setlist.errors import StorageError
from setlist.process import checkpoint
from setlist.project import Project
from setlist.system import lock_exclusive, lock_shared

PATIENCE = 0.5
"""Seconds to wait before saying that one waits."""


@contextmanager
def shared(project: Project, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Use the named thing: nobody changes it meanwhile.

    Args:
        project: whose thing it is.
        name: the environment's name.
        waiting: called once when somebody else's change has to be waited for.

    Raises:
        StorageError: the lock's file can't be made.
    """
    with _held(project.guard(name), lock_shared, waiting):
        yield


@contextmanager
def exclusive(project: Project, name: str, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Change the named thing: nobody else uses or changes it meanwhile. Arguments as for :func:`shared`.

    Yields the lock's descriptor. A process that changes the thing for us is to inherit it: then the lock is
    held until that process has ended too, should we be killed while it works.
    """
    with _held(project.guard(name), lock_exclusive, waiting) as descriptor:
        yield descriptor


def is_free(project: Project, name: str) -> bool:
    """Whether nobody uses the named thing just now."""
    try:
        descriptor = _open(project.guard(name))
    except OSError:
        return True
    try:
        return lock_exclusive(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _held(path: Path, acquire: Callable[[int], bool], waiting: Callable[[], None] | None) -> Iterator[int]:
    try:
        try:
            descriptor = _open(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _open(path)
    except OSError as error:
        raise StorageError(f"can't use the lock {path}: {error.strerror or error}") from error
    try:
        started = time.monotonic()
        told = waiting is None
        while not acquire(descriptor):
            # Polled, since a blocking flock can't be left for a signal without a race
            checkpoint()
            time.sleep(0.02)
            if not told and time.monotonic() - started > PATIENCE:
                told = True
                assert waiting is not None
                waiting()
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # O_CLOEXEC is Python's default: a command that is left behind must not keep the lock
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
