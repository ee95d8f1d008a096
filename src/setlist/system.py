"""What differs per platform, in one place. The rest of setlist asks here and never looks itself.

The decisions are functions that take the platform as an argument, so that those for a platform that
isn't at hand are tested all the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

WINDOWS = sys.platform == "win32"


def bin_directory(environment: Path, *, windows: bool = WINDOWS) -> Path:
    """Where a virtual environment keeps its programs."""
    return environment / ("Scripts" if windows else "bin")


def python_of(environment: Path, *, windows: bool = WINDOWS) -> Path:
    """The interpreter of a virtual environment."""
    return bin_directory(environment, windows=windows) / ("python.exe" if windows else "python")


def lock_shared(descriptor: int) -> bool:
    """Try to take the reader's side of the lock on an open file, without waiting.

    On POSIX this is ``flock(LOCK_SH)``: it contends with filelock's ``lock_descriptor``, which is
    ``flock(LOCK_EX)`` on the same file, and costs one system call where filelock's own
    ReadWriteLock costs 80 ms of imports (sqlite3 among them), more than the whole warm path.
    Windows has no shared lock in the standard library: readers there take turns by the exclusive one.

    Returns:
        True once it is held; it is given back by closing the descriptor.
    """
    if sys.platform == "win32":
        from filelock import lock_descriptor

        return lock_descriptor(descriptor, blocking=False)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        import errno

        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def lock_exclusive(descriptor: int) -> bool:
    """Try to take the writer's side of the lock on an open file, without waiting."""
    from filelock import lock_descriptor

    return lock_descriptor(descriptor, blocking=False)


def same_file_name(first: str, second: str) -> bool:
    """Whether two names would be one file on a file system that ignores case (macOS, Windows)."""
    return first.casefold() == second.casefold()


def user_cache(environ: dict[str, str] | os._Environ[str]) -> Path:
    """Where setlist keeps what all projects of a user share: templates and found interpreters.

    ``SETLIST_CACHE_DIR`` names another place. Without a home directory it lies in the temporary
    directory, by user.
    """
    named = environ.get("SETLIST_CACHE_DIR")
    if named:
        return Path(named).absolute()
    from platformdirs import user_cache_path

    path = user_cache_path("setlist", appauthor=False)
    if path.is_absolute() and not str(path).startswith("~"):
        return path
    import tempfile

    return Path(tempfile.gettempdir()) / f"setlist-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
