"""Who may touch an environment: any number of users, or one changer.

The lock is on a file of its own (:meth:`setlist.core.project.Project.guard`), since the environment's directory comes
and goes. It is the operating system's lock, so it ends with the process that held it, however that ended.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from setlist.core.errors import StorageError
from setlist.core.project import Project
from setlist.core.system import lock_exclusive, lock_shared
from setlist.process.spawn import checkpoint

PATIENCE = 0.5
"""Seconds to wait before saying that one waits."""


EVERYTHING = ".all"
"""The name under which the whole state directory is guarded. No session's name begins with a dot."""


@contextmanager
def shared(project: Project, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Use the named thing: nobody changes it meanwhile.

    Where nothing can be written (a read-only checkout) a lock file that is there is locked for reading, and none is
    needed where there is none: nobody could change anything.

    Args:
        project: whose thing it is.
        name: the environment's name.
        waiting: called once when somebody else's change has to be waited for.

    Raises:
        StorageError: the lock's file can't be used.
    """
    with in_use(project, waiting), _held(project.guard(name), waiting, exclusively=False):
        yield


@contextmanager
def exclusive(project: Project, name: str, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Change the named thing: nobody else uses or changes it meanwhile. Arguments as for :func:`shared`.

    Yields the lock's descriptor. A process that changes the thing for us is to inherit it: then the lock is
    held until that process has ended too, should we be killed while it works.
    """
    with in_use(project, waiting), _held(project.guard(name), waiting, exclusively=True) as descriptor:
        assert descriptor is not None
        yield descriptor


@contextmanager
def in_use(project: Project, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Use the state directory: nobody removes it meanwhile. Arguments as for :func:`shared`."""
    with _held(project.guard(EVERYTHING), waiting, exclusively=False):
        yield


@contextmanager
def everything(project: Project, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Remove the state directory: nobody uses it, and whoever comes waits. Arguments as for :func:`shared`."""
    with ExitStack() as stack:
        own = project.guard(EVERYTHING)
        stack.enter_context(_held(own, waiting, exclusively=True))
        # a run that is carried out by a kept plan (setlist.cli.fast_path) holds the lock of its environment only
        others = {path for name in (EVERYTHING, "environment") for path in project.guard(name).parent.glob("*.lock")}
        for path in sorted(others - {own}):
            stack.enter_context(_held(path, waiting, exclusively=True))
        yield


@contextmanager
def if_free(project: Project, name: str) -> Iterator[bool]:
    """Change the named thing if nobody uses it just now, and say whether that is so. Waits for nobody."""
    descriptor = None
    with suppress(OSError, StorageError):
        descriptor = _opened(project.guard(name), exclusively=True)
    try:
        yield descriptor is not None and lock_exclusive(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def _held(path: Path, waiting: Callable[[], None] | None, *, exclusively: bool) -> Iterator[int | None]:
    """Hold the lock on a file; None where nothing has to be locked."""
    descriptor = _locked(path, waiting, exclusively=exclusively)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(path: Path, waiting: Callable[[], None] | None, *, exclusively: bool) -> int | None:
    acquire = lock_exclusive if exclusively else lock_shared
    started = time.monotonic()
    told = waiting is None
    while True:
        descriptor = _opened(path, exclusively=exclusively)
        if descriptor is None:
            return None
        try:
            while not acquire(descriptor):
                # Polled, since a blocking flock can't be left for a signal without a race
                checkpoint()
                time.sleep(0.02)
                if not told and time.monotonic() - started > PATIENCE:
                    told = True
                    assert waiting is not None
                    waiting()
            if _lies_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever held it has removed the file: others lock another one by now


def _opened(path: Path, *, exclusively: bool) -> int | None:
    """The lock's file; None where it isn't there, can't be made, and isn't needed."""
    try:
        try:
            return _open(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _open(path)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StorageError(f"can't use the lock {path}: {error.strerror or error}") from error
        if exclusively:
            raise StorageError(
                f"something has to be made or changed in {path.parent.parent}: {error.strerror}",
                hint="a read-only checkout can use the environments that it holds: make them while it is writable, "
                "or let SETLIST_ENV_DIR name a place outside of it",
            ) from error
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _lies_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _open(path: Path) -> int:
    # O_CLOEXEC is Python's default: a command that is left behind must not keep the lock
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
