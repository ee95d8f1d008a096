"""Read files and write them atomically, make temporary directories, and remove directories.

A warm run imports this module where only times have changed, so it imports little itself.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from setlist.core.limits import LARGEST_FILE

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, BinaryIO


class NotText(ValueError):
    """A file that isn't UTF-8. ``line`` is the first one that isn't, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_bytes(path: str | os.PathLike[str], limit: int = LARGEST_FILE) -> bytes:
    """The content of a regular file.

    Other files aren't opened: a named pipe blocks until somebody writes, and ``/dev/zero`` never ends.

    Args:
        path: the file.
        limit: the greatest number of bytes.

    Raises:
        OSError: it isn't there, can't be read, isn't a regular file, or is too large; ``strerror`` says so.
    """
    import errno

    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise FileNotFoundError(errno.ENOENT, "its name holds a NUL character", path) from error
    if not stat.S_ISREG(mode):
        what = next((what for is_one, what in _KINDS if getattr(stat, is_one)(mode)), "a device")
        raise OSError(errno.EINVAL, f"it is {what}, not a file", path)
    # O_NONBLOCK, in case a pipe has replaced the file by now
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb", 0) as stream:
        data = bytearray()
        while piece := stream.read(1 << 20):
            data += piece
            if len(data) > limit:
                raise OSError(errno.EFBIG, f"it is larger than the limit of {limit >> 20} MiB", path)
        return bytes(data)


Reader = Callable[[str], "bytes | None"]
"""Reads a file; None if there is none."""

_BOM = b"\xef\xbb\xbf"
_KINDS = (("S_ISDIR", "a directory"), ("S_ISFIFO", "a named pipe"), ("S_ISSOCK", "a socket"))


def read_text(path: str | os.PathLike[str], *, lenient: bool = False, read: Reader | None = None) -> str:
    """The content of a UTF-8 file, without a byte order mark, and with ``\\n`` as line end.

    Args:
        path: the file.
        lenient: replace invalid bytes, if another tool reads the file and reports them.
        read: reads it, in place of :func:`read_bytes`.

    Raises:
        OSError: as :func:`read_bytes`.
        NotText: it isn't UTF-8.
    """
    whole = read_bytes(path) if read is None else read(str(path))
    if whole is None:
        import errno

        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    data = whole.removeprefix(_BOM).replace(b"\r\n", b"\n")
    if lenient:
        return data.decode(errors="replace")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText("it is UTF-16, not UTF-8", 1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotText(f"it isn't UTF-8: there is a byte 0x{data[error.start]:02x}", line) from error


def text_or_nothing(path: str | os.PathLike[str]) -> str:
    """The content of a text file, invalid bytes replaced; empty if it can't be read."""
    try:
        return read_text(path, lenient=True)
    except OSError:
        return ""


def parse_json(text: str | bytes) -> Any:
    """JSON as data.

    Raises:
        ValueError: it isn't JSON, or is nested too deeply.
    """
    import json

    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_definition(path: Path, shown: str, *, read: Reader | None = None) -> str:
    """The text of a file that a person wrote.

    Args:
        path: the file.
        shown: its name in messages.
        read: reads it, as for :func:`read_text`.

    Raises:
        FileNotFoundError: it isn't there.
        ConfigurationError: it can't be read, isn't a file, is too large, isn't UTF-8.
    """
    from setlist.core.errors import ConfigurationError

    try:
        return read_text(path, read=read)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"can't be read: {error.strerror or error}", file=shown) from error
    except NotText as error:
        raise ConfigurationError(
            str(error), file=shown, line=error.line, hint="save the file in that encoding"
        ) from error


def write_atomically(
    path: str | os.PathLike[str], content: str | bytes | Iterable[bytes], *, private: bool = False
) -> None:
    """Write a file under a temporary name, then rename it, so that it is complete or doesn't change.

    Its directory is made if it doesn't exist. Text is written as UTF-8 with ``\\n``. Pieces are consumed one by one.
    Only the owner can read a ``private`` file.

    Raises:
        OSError: the disk is full, or the directory isn't writable. No temporary file remains.
    """
    data = content.encode() if isinstance(content, str) else content
    pieces = (data,) if isinstance(data, bytes) else data
    path = os.fspath(path)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    _remove_interrupted(path)
    temporary = _temporary_name(path)
    try:
        with open(_create(temporary, 0o600 if private else 0o666), "wb") as stream:
            stream.writelines(pieces)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def open_replacing(path: Path) -> BinaryIO:
    """Open a new, empty file for writing, in place of ``path``. Processes that write to the old file keep that one.

    Its directory is made if it isn't there.

    Raises:
        OSError: the file can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    descriptor = _create(temporary, 0o666)
    try:
        if os.name == "nt":  # Windows renames no open file
            os.close(descriptor)
            os.replace(temporary, path)
            return path.open("r+b")
        os.replace(temporary, path)
        return open(descriptor, "wb")
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def temporary_name(path: Path) -> Path:
    """An unused name beside ``path``, for a file or directory that is renamed to ``path`` when it is complete."""
    return path.with_name(os.path.basename(_temporary_name(str(path))))


def _temporary_name(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")


def _create(path: str | os.PathLike[str], mode: int) -> int:
    # os.open and not tempfile: its 0600 would hide the file from other users of a shared checkout
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)


_OWNER = ".owner"
"""The file in a temporary directory that its owner keeps locked."""

_UNOWNED = 60.0
"""Seconds after which a temporary directory without that file, or a temporary file, counts as abandoned."""


def _remove_interrupted(path: str) -> None:
    """Remove the temporary files of processes that were killed while they wrote this file."""
    import time

    folder, name = os.path.split(path)
    before = f".{name}."
    with suppress(OSError):  # a leftover that can't be removed does no harm
        for entry in os.listdir(folder or "."):
            if entry.startswith(before) and _is_temporary(entry[len(before) :]):
                left = os.path.join(folder, entry)
                if time.time() - os.stat(left).st_mtime > _UNOWNED:
                    os.unlink(left)


def _is_temporary(ending: str) -> bool:
    number, _, random = ending.partition(".")
    return number.isdigit() and len(random) == 8 and not set(random) - set("0123456789abcdef")


@contextmanager
def temporary_directory(parent: Path | None = None) -> Iterator[Path]:
    """A new temporary directory that only the user can read.

    Its owner holds a lock on a file in it. The directories of killed processes, here and in the system's temporary
    directory, are removed when the next one is made.

    Args:
        parent: its parent; None: the system's temporary directory.
    """
    import tempfile
    from pathlib import Path

    from setlist.core.system import WINDOWS, lock_exclusive

    shared = Path(tempfile.gettempdir())
    remove_abandoned(shared)
    if parent is None:
        parent, prefix = shared, "setlist-"
    else:
        prefix = ".setlist-"
        remove_abandoned(parent)
    path = parent / f"{prefix}{os.urandom(6).hex()}"
    path.mkdir(mode=0o700, parents=True)
    # the file gets its name when it is locked: with that name and without a lock, the directory counts as abandoned
    unlocked = path / (_OWNER if WINDOWS else f"{_OWNER}.new")
    owner = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock_exclusive(owner)
        if not WINDOWS:  # which removes no directory that holds an open file, and renames none
            unlocked.rename(path / _OWNER)
        yield path
    finally:
        os.close(owner)
        with suppress(OSError):  # the next temporary directory, or 'setlist clean', tries again
            delete_renamed(path)


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary directories whose owners have exited, except those of other users."""
    try:
        entries = [entry for entry in os.scandir(parent) if entry.name.startswith(("setlist-", ".setlist-"))]
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            if _is_abandoned(entry):
                delete_renamed(entry.path)


def is_owned(path: str | os.PathLike[str]) -> bool:
    """Whether this is a temporary directory whose owner still runs."""
    from setlist.core.system import lock_exclusive

    try:
        descriptor = os.open(os.path.join(path, _OWNER), os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock_exclusive(descriptor)
    finally:
        os.close(descriptor)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    import time

    status = entry.stat(follow_symlinks=False)
    if not entry.is_dir(follow_symlinks=False) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        return False
    number = entry.name.rpartition("-")[2]
    if len(number) != 12 or set(number) - set("0123456789abcdef"):
        return False
    if not os.path.lexists(os.path.join(entry.path, _OWNER)):
        # Its owner is about to lock it, or was killed, and a surviving process recreated the directory
        return time.time() - status.st_mtime > _UNOWNED
    return not is_owned(entry.path)


def remove_tree(path: Path) -> None:
    """Remove a directory or a file, including read-only entries.

    It is renamed first, so that an interrupted removal leaves no half-deleted directory under the old name.

    Raises:
        OSError: something can't be removed.
    """
    doomed = rename_aside(path)
    if doomed is not None:
        delete_renamed(doomed)


def rename_aside(path: Path) -> Path | None:
    """Rename a file or directory before its removal by :func:`delete_renamed`.

    Returns:
        the new path; None if there is nothing.

    Raises:
        OSError: it can't be renamed.
    """
    doomed = path.with_name(f"{temporary_name(path).name}.removed")
    try:
        os.replace(path, doomed)
    except FileNotFoundError:
        return None
    return doomed


def remove_leftovers(directory: str) -> None:
    """Remove directories that :func:`rename_aside` renamed, here or in a killed process, and that still exist.

    The caller holds a lock that prevents other processes from replacing the directory meanwhile.
    """
    parent, name = os.path.split(directory)
    before, after = f".{name}.", ".removed"
    try:
        left = [entry for entry in os.listdir(parent) if entry.startswith(before) and entry.endswith(after)]
    except OSError:
        return
    for entry in left:
        if _is_temporary(entry[len(before) : -len(after)]):
            with suppress(OSError):  # another process removes it too
                delete_renamed(os.path.join(parent, entry))


def delete_renamed(doomed: str | os.PathLike[str]) -> None:
    """Remove a file or directory that :func:`rename_aside` renamed.

    Raises:
        OSError: something can't be removed.
    """
    import shutil

    if os.path.islink(doomed) or not os.path.isdir(doomed):
        with suppress(FileNotFoundError):
            os.unlink(doomed)
        return

    def make_writable(function: Callable[[str], object], entry: str, _: object) -> None:
        with suppress(PermissionError):  # the directory can't be searched
            try:
                os.lstat(entry)
            except FileNotFoundError:
                return  # 'setlist clean' removes it as well
        # git's objects and files of some wheels are read-only. Windows deletes no read-only files, and no system
        # deletes entries of a read-only directory
        os.chmod(os.path.dirname(entry), stat.S_IRWXU)
        os.chmod(entry, stat.S_IRWXU if os.path.isdir(entry) else stat.S_IRUSR | stat.S_IWUSR)
        function(entry)

    if sys.version_info >= (3, 12):
        shutil.rmtree(doomed, onexc=make_writable)
    else:
        shutil.rmtree(doomed, onerror=make_writable)
