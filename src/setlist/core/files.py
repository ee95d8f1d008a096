"""Read files, write them atomically, and notice changes by stat signature and digest."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from setlist.core.limits import LARGEST_FILE

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, BinaryIO


class NotText(ValueError):
    """A file that isn't UTF-8. ``line`` is the first one that isn't, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_bytes(path: str | os.PathLike[str], limit: int = LARGEST_FILE) -> bytes:
    """The content of a regular file.

    Nothing else is opened: a named pipe would block until somebody writes, and ``/dev/zero`` never ends.

    Args:
        path: the file.
        limit: how many bytes it may hold.

    Raises:
        OSError: it isn't there, can't be read, isn't a regular file, or is too large; ``strerror`` says so.
    """
    import errno
    import stat

    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise FileNotFoundError(errno.ENOENT, "its name holds a NUL character", path) from error
    if not stat.S_ISREG(mode):
        what = next((what for is_one, what in _KINDS if getattr(stat, is_one)(mode)), "a device")
        raise OSError(errno.EINVAL, f"it is {what}, not a file", path)
    # O_NONBLOCK: a pipe that has taken the file's place by now isn't waited for either
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb", 0) as stream:
        data = bytearray()
        while piece := stream.read(1 << 20):
            data += piece
            if len(data) > limit:
                raise OSError(errno.EFBIG, f"it is larger than the limit of {limit >> 20} MiB", path)
        return bytes(data)


_BOM = b"\xef\xbb\xbf"
_KINDS = (("S_ISDIR", "a directory"), ("S_ISFIFO", "a named pipe"), ("S_ISSOCK", "a socket"))


def read_text(path: str | os.PathLike[str], *, lenient: bool = False) -> str:
    """The content of a text file: UTF-8, without the byte order mark that some editors begin it with.

    Lines end in ``\\n``, as on every platform.

    Args:
        path: the file.
        lenient: replace what isn't UTF-8: somebody else reads the file too, and judges it.

    Raises:
        OSError: as :func:`read_bytes`.
        NotText: it isn't UTF-8.
    """
    data = read_bytes(path).removeprefix(_BOM).replace(b"\r\n", b"\n")
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
    """The lenient text of a file; empty where it can't be read."""
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


def read_definition(path: Path, shown: str) -> str:
    """The text of a file that a person wrote.

    Args:
        path: the file.
        shown: what messages call it.

    Raises:
        FileNotFoundError: it isn't there.
        ConfigurationError: it can't be read, isn't a file, is too large, isn't UTF-8.
    """
    from setlist.core.errors import ConfigurationError

    try:
        return read_text(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"can't be read: {error.strerror or error}", file=shown) from error
    except NotText as error:
        raise ConfigurationError(
            str(error), file=shown, line=error.line, hint="save the file in that encoding"
        ) from error


def write_atomically(path: Path, content: str | bytes | Iterable[bytes], *, private: bool = False) -> None:
    """Write a file so that it is there whole or not at all: by temporary name, then rename.

    Its directory is made if it isn't there. Text is written as UTF-8 with ``\\n``. What comes in pieces is
    asked for one by one. A ``private`` file can be read by its owner only.

    Raises:
        OSError: the disk is full, the place isn't writable; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    pieces = (data,) if isinstance(data, bytes) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_interrupted(path)
    temporary = temporary_name(path)
    try:
        with open(_create(temporary, 0o600 if private else 0o666), "wb") as stream:
            stream.writelines(pieces)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
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
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")


def _create(path: Path, mode: int) -> int:
    # os.open and not tempfile: its 0600 would hide the file from other users of a shared checkout
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)


_OWNER = ".owner"
"""The file in a temporary directory that its owner holds locked."""

_UNOWNED = 60.0
"""Seconds after which a temporary directory without that file, or a file that is being written, is taken for one that
nobody uses."""


def _remove_interrupted(path: Path) -> None:
    """Remove what processes that were killed have left while they wrote this file."""
    import time

    before = f".{path.name}."
    with suppress(OSError):  # what can't be listed or removed is in nobody's way
        for entry in os.listdir(path.parent):
            if entry.startswith(before) and _is_temporary(entry[len(before) :]):
                left = path.parent / entry
                if time.time() - left.stat().st_mtime > _UNOWNED:
                    left.unlink()


def _is_temporary(ending: str) -> bool:
    number, _, random = ending.partition(".")
    return number.isdigit() and len(random) == 8 and not set(random) - set("0123456789abcdef")


@contextmanager
def temporary_directory(parent: Path | None = None) -> Iterator[Path]:
    """A new directory for files that nobody needs afterwards, which only the user can look into.

    Its owner holds a lock on a file in it. What processes that were killed have left, here and in the system's place
    for temporary files, is removed when the next such directory is made.

    Args:
        parent: where it lies; the system's place for temporary files where it isn't given.
    """
    import tempfile

    from setlist.core.system import lock_exclusive

    shared = Path(tempfile.gettempdir())
    remove_abandoned(shared)
    if parent is None:
        parent, prefix = shared, "setlist-"
    else:
        prefix = ".setlist-"
        remove_abandoned(parent)
    path = parent / f"{prefix}{os.urandom(6).hex()}"
    path.mkdir(mode=0o700, parents=True)
    owner = os.open(path / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock_exclusive(owner)
        yield path
    finally:
        os.close(owner)
        with suppress(OSError):  # the next one in this place, or 'setlist clean', tries again
            delete_renamed(path)


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary directories whose owners have ended. Others' files, and other users', aren't touched."""
    try:
        entries = [entry for entry in os.scandir(parent) if entry.name.startswith(("setlist-", ".setlist-"))]
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            if _is_abandoned(entry):
                delete_renamed(Path(entry.path))


def is_owned(path: Path) -> bool:
    """Whether this is a temporary directory whose owner is still there."""
    from setlist.core.system import lock_exclusive

    try:
        descriptor = os.open(path / _OWNER, os.O_RDWR)
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
        # about to be locked; or its owner was killed, and a process that outlived it has written there since
        return time.time() - status.st_mtime > _UNOWNED
    return not is_owned(Path(entry.path))


def stat_signature(path: str | os.PathLike[str]) -> str | None:
    """Size, time and identity of what is behind ``path``; None where there is nothing.

    Equal signatures mean an unchanged file without reading it. The inode is part of it, since a
    file that is renamed into place may keep the time of the one it replaces.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return signature_of(status)


def signature_of(status: os.stat_result) -> str:
    """The stat signature of a file whose status was already read."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


MODULES, KIND, TIMES, ACCESS = "\0modules", "\0kind", "\0times", "\0access"
"""What stands behind a path of which not the content (of a directory: the names) was looked at, but only which modules
are in the directory; whether it is there, and is a file, a directory, or a link to where; its times and size; its
permissions."""


def look(root: Path, looked: str) -> str:
    """What is there, as a signature: of a path, relative to the root, and how it was looked at. Empty: nothing.

    Raises:
        Nothing: what can't be looked at isn't there.
    """
    path, _, how = looked.partition("\0")
    path = os.path.join(root, path)
    try:
        if f"\0{how}" == KIND:
            mode = os.lstat(path).st_mode
            return f"link {os.readlink(path)}" if stat.S_ISLNK(mode) else f"{stat.S_IFMT(mode):o}"
        if f"\0{how}" == ACCESS:
            status = os.stat(path)
            return f"{status.st_mode:o}:{status.st_uid}:{status.st_gid}"
    except (OSError, ValueError):
        return ""
    return stat_signature(path) or ""


def digest(data: bytes | str) -> str:
    """A short, stable name for some content: 32 hex digits of SHA-256."""
    whole: str = _sha256()(data.encode() if isinstance(data, str) else data).hexdigest()
    return whole[:32]


@cache
def _sha256() -> Any:
    """SHA-256 for small contents: hashlib loads all of OpenSSL, which takes longer than a run's hashing."""
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256  # type: ignore[import-not-found]
        else:
            from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256
    return sha256


def remove_tree(path: Path) -> None:
    """Remove a directory, or a file that stands where one should, read-only entries included.

    It is renamed away first, so that a removal that is cut off leaves no half-deleted directory
    under the old name.

    Raises:
        OSError: something can't be removed.
    """
    doomed = rename_aside(path)
    if doomed is not None:
        delete_renamed(doomed)


def rename_aside(path: Path) -> Path | None:
    """Rename what is to be removed, and say how; None where there is nothing. :func:`delete_renamed` is to follow.

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
    """Remove what :func:`rename_aside` renamed of this directory, and what a process that was ended has left.

    The caller holds a lock by which nobody may replace the directory meanwhile.
    """
    parent, name = os.path.split(directory)
    before, after = f".{name}.", ".removed"
    try:
        left = [entry for entry in os.listdir(parent) if entry.startswith(before) and entry.endswith(after)]
    except OSError:
        return
    for entry in left:
        if _is_temporary(entry[len(before) : -len(after)]):
            with suppress(OSError):  # another one removes it too
                delete_renamed(Path(parent, entry))


def delete_renamed(doomed: Path) -> None:
    """Remove what :func:`rename_aside` renamed.

    Raises:
        OSError: something can't be removed.
    """
    import shutil
    import stat
    from collections.abc import Callable

    if doomed.is_symlink() or not doomed.is_dir():
        doomed.unlink(missing_ok=True)
        return

    def make_writable(function: Callable[[str], object], entry: str, _: object) -> None:
        with suppress(PermissionError):  # what lies in a directory that can't be searched isn't seen
            try:
                os.lstat(entry)
            except FileNotFoundError:
                return  # 'setlist clean' removes it as well
        # git's objects and some wheels' files are read-only, which stops Windows from deleting them,
        # and a read-only directory stops everybody
        os.chmod(os.path.dirname(entry), stat.S_IRWXU)
        os.chmod(entry, stat.S_IRWXU if os.path.isdir(entry) else stat.S_IRUSR | stat.S_IWUSR)
        function(entry)

    if sys.version_info >= (3, 12):
        shutil.rmtree(doomed, onexc=make_writable)
    else:
        shutil.rmtree(doomed, onerror=make_writable)
