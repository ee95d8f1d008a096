"""The world as a computation sees it: files, directories, variables and programs, each look recorded.

A computation reads through a :class:`World`, which records each look as an *observation*. All observations are the
trace of the computation. Its value holds as long as looking again would show the same (:mod:`setlist.engine.trace`).

A file is judged by its status first: size, modification and change time, inode. If that differs, its content decides. A
file that was changed in the same tick of the file system's clock as it was looked at could be changed again without a
sign, so its status isn't recorded, and its content decides next time as well (git calls such a file racily clean).

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import sys
from stat import S_IFDIR, S_IFMT, S_ISDIR, S_ISLNK, S_ISREG

from setlist import STATE_DIRECTORY
from setlist.core.fingerprint import checksum, digest, sha256, stat_signature

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    Observation = tuple[str, str, Any, str | None, str]
    """Kind, name, status, content and observer. ``name`` is a path or the name of a variable; a path in the root is
    relative to it, with ``/``. ``status`` tells without reading that the content is the same; ``()``: it can't tell.
    ``content`` is a short text that stands for what was seen; None: there is nothing of that name."""
    Trace = tuple[Observation, ...]
    Look = tuple[str, str] | tuple[str, str, int]
    """Kind and name, and if it is known, the type of the file that was there by :func:`type_of`."""

FILE = "file"
"""The content of a file, or that there is none."""
DEFINITIONS_IN = "defined"
"""What a TOML file defines, or that there is none: of a pyproject.toml the table of setlist, of another one everything.
Comments and layout don't count."""
PROJECT = "project"
"""What a TOML file says of the project and its installation, or that there is none: of a pyproject.toml what
:func:`setlist.core.toml.project_tables` gives, of another one everything. Comments and layout don't count."""
NAMES = "names"
"""The names in a directory, apart from setlist's own."""
MODULES = "modules"
"""The names in a directory that Python can import."""
DEFINITIONS = "definitions"
"""The names in a directory of files that may hold definitions: Python and TOML files that aren't hidden or private."""
KIND = "kind"
"""Whether there is a file, a directory or a symbolic link, and where the link leads."""
STATUS = "status"
"""Size and modification time, without the content."""
ACCESS = "access"
"""Permissions and owner."""
TREE = "tree"
"""All files in a directory that a build of it could read, and their contents (:mod:`setlist.engine.source_tree`)."""
INSTALLED = "installed"
"""The files in a directory, at any depth, by size, modification time and inode, without what Python compiles."""
IDENTITY = "identity"
"""Which file or directory it is: size, modification time and inode. A program that is installed anew is another one."""
VARIABLE = "variable"
"""The value of an environment variable, or that it isn't set."""
VARIABLES = "variables"
"""All environment variables that begin so, apart from those that each terminal sets in its own way."""
ENTRY = "entry"
"""The value of another entry of the store, which must hold as well."""

UNREADABLE = "unreadable"
"""The content of a file that can't be read."""

MOVED = "changed while it was read"
"""The content of a file that nobody can be sure to have read as it is. It differs from every content."""

PASSING = frozenset(
    {"_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "SETLIST_PROCESS"}
)
"""Variables that say where and how something was started. Only a look at one by its name makes it count."""

_LISTED = frozenset({NAMES, MODULES, DEFINITIONS})
"""Kinds that are about the names in a directory."""

_PARSED = frozenset({DEFINITIONS_IN, PROJECT})
"""Kinds that are about the data of a file. If its status can't be trusted yet, its content is recorded instead, since
comparing contents takes no parser."""

_FILES = frozenset({FILE, *_PARSED})
"""Kinds that are about what is in a file."""

_TIMED = frozenset({*_FILES, *_LISTED, STATUS, ACCESS, INSTALLED})
"""Kinds of which a file's times tell whether they were something else before."""

_FINE, _COARSE = 20_000_000, 2_000_000_000
"""Nanoseconds that a file system's clock may stand still: by the kernel's ticks, and on FAT or HFS+."""

_ROUNDED = 1_000_000
"""Nanoseconds by which a time is rounded down at most, if it has a fraction of a millisecond."""

_LONGEST_WAIT = 0.2
"""Seconds to wait for a tick at most: somebody may set the clock back."""

_COARSE_CLOCK = 5
"""CLOCK_REALTIME_COARSE of Linux, which the time module has no name for."""


class World:
    """One recording of what is looked at.

    Args:
        root: the directory that paths are relative to, absolute; empty if all paths are absolute.
        environ: the environment variables.

    Attributes:
        is_repeatable: false if something was looked at that nobody can look at again, such as what a program answered:
            the value isn't kept then.
        begun: when it began, by :func:`clock`.
    """

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.is_repeatable = True
        self.begun = clock()
        self._observations: dict[tuple[str, str], Observation] = {}
        self._ticks: list[int] = []

    @property
    def trace(self) -> Trace:
        """All that was looked at so far, in order."""
        return tuple(self._observations.values())

    def part(self) -> World:
        """The recording of a part of this computation, whose value is kept by itself as well (:meth:`include`)."""
        part = World(self.root, self.environ)
        part.begun = self.begun
        part._ticks = self._ticks
        return part

    def tick(self) -> int:
        """:func:`next_tick` at the first call, and the same time from then on, in all parts of a computation."""
        if not self._ticks:
            self._ticks.append(next_tick())
        return self._ticks[0]

    def read(self, path: str, by: str = "setlist") -> bytes | None:
        """The content of a regular file; None if there is none.

        Raises:
            OSError: it can't be read. The attempt is recorded.
        """
        status = _status(FILE, path)  # before it is read: a change in between is seen next time
        try:
            data = None if status is None else _read(path)
        except FileNotFoundError:
            status = data = None
        except OSError:
            self._note(FILE, path, (), content_of(FILE, path, self.environ), by)
            raise
        self._note(FILE, path, status, None if data is None else digest(data), by)
        return data

    def names(self, directory: str, by: str = "setlist", kind: str = NAMES) -> tuple[str, ...] | None:
        """The names in a directory, sorted; None if there is no such directory.

        Args:
            directory: the directory.
            by: who looks.
            kind: which names: ``NAMES``, ``MODULES`` or ``DEFINITIONS``. Those of directories end with ``/``.
        """
        status = _status(kind, directory)
        try:
            names = _names(kind, directory)
        except OSError:
            names = None
        self._note(kind, directory, status, _joined(names), by)
        return names

    def kind(self, path: str, by: str = "setlist") -> str | None:
        """``file``, ``directory``, ``link TARGET`` or a word for another kind; None if there is nothing."""
        return self.look(KIND, path, by)

    def is_file(self, path: str, by: str = "setlist") -> bool:
        """Whether there is a regular file, or a link to one."""
        return self._is(S_ISREG, path, by)

    def is_directory(self, path: str, by: str = "setlist") -> bool:
        """Whether there is a directory, or a link to one."""
        return self._is(S_ISDIR, path, by)

    def _is(self, test: Callable[[int], bool], path: str, by: str) -> bool:
        while (kind := self.kind(path, by)) is not None and kind.startswith("link "):
            path = os.path.join(os.path.dirname(path), kind[5:])
            if (KIND, self._named(path)) in self._observations:
                break  # seen before, or a circle
        try:
            return kind is not None and test(os.stat(path).st_mode)
        except OSError:
            return False

    def variable(self, name: str, by: str = "setlist") -> str | None:
        """The value of an environment variable; None if it isn't set."""
        self.look(VARIABLE, name, by)
        return self.environ.get(name)

    def variables(self, by: str = "setlist") -> Mapping[str, str]:
        """All environment variables, of which those are recorded that are asked for by name."""
        return _Variables(self, by)

    def look(self, kind: str, name: str, by: str = "setlist") -> str | None:
        """Record one look of any kind, and return what stands for what was seen: at the first look."""
        kind = _comparable(kind, name)
        seen = self._seen(kind, name)
        if seen is not None and seen[3] != MOVED:
            return seen[3]
        status = _status(kind, name)
        content = content_of(kind, name, self.environ)
        self._note(kind, name, status, content, by)
        return content

    def observed(self, by: str, looks: Iterable[Look], since: int | None = None) -> None:
        """Record what a process that was started has looked at.

        Args:
            by: the process, in a word or two: ``uv``, or a file with definitions.
            looks: the looks, each name once for a kind.
            since: a time before it started, by :meth:`tick`, :func:`next_tick` or :func:`clock`. What has changed since
                may not be what it saw. None: the process hasn't looked yet.
        """
        for given, name, *types in looks:
            kind = _comparable(given, name)
            if self._seen(kind, name) is not None:
                continue  # the first look counts
            status = _status(kind, name)
            content = content_of(kind, name, self.environ)
            # What is gone has no times. Those of a directory are about its names
            is_other = bool(types) and types[0] != type_of(kind, name)
            is_timed = kind in _TIMED and not (kind in _FILES and S_IFDIR in types)
            if is_other or (since is not None and is_timed and _changed_since(name, since)):
                status, content = (), MOVED
            self._note(kind, name, status, content, by)

    def expect(self, kind: str, path: str, content: str | None, by: str = "setlist") -> None:
        """Record what was seen at an earlier look.

        Args:
            kind: the kind of look.
            path: what was looked at.
            content: as :meth:`look` returned it.
            by: who looked.
        """
        self._note(kind, path, (), content, by)

    def parsed(self, kind: str, name: str, content: str | None, *, seen: Trace | None = None) -> None:
        """Record what a TOML file says.

        Args:
            kind: ``DEFINITIONS_IN`` or ``PROJECT``.
            name: the file, relative to the root.
            content: what stands for what it says: :func:`setlist.core.toml.digest_of_toml`; None: there is no file.
            seen: a trace in which it was looked at as a whole; None: it was in this recording.
        """
        (file,) = (look for look in (self.trace if seen is None else seen) if look[:2] == (FILE, name))
        now = file if file[2] == () else (kind, name, file[2], content, file[4])
        self._observations.setdefault(now[:2], now)

    def include(self, other: World) -> None:
        """Record all that another computation looked at: its value is part of this one's."""
        self.include_trace(other.trace)
        self.is_repeatable = self.is_repeatable and other.is_repeatable

    def include_trace(self, trace: Trace) -> None:
        """Record all that was looked at for a value that was kept."""
        for observation in trace:
            self._observations.setdefault(observation[:2], observation)

    def entry(self, key: str, content: str, by: str = "setlist") -> None:
        """Record the use of another entry of the store, by the digest of its value."""
        self._observations.setdefault((ENTRY, key), (ENTRY, key, (), content, by))

    def _seen(self, kind: str, name: str) -> Observation | None:
        return self._observations.get((kind, self._named(name) if is_path(kind) else name))

    def _note(self, kind: str, name: str, status: Any, content: str | None, by: str) -> None:
        if is_path(kind):
            name = self._named(name)
        # the first look counts: what is different at a second one has changed in between
        self._observations.setdefault((kind, name), (kind, name, status, content, by))

    def _named(self, path: str) -> str:
        inside = self.root + os.sep
        if not self.root:
            return path
        if not path.startswith(inside):
            return "." if path == self.root else path
        return path[len(inside) :].replace(os.sep, "/")


def type_of(
    kind: str,
    path: str,
    stat: Callable[[str], os.stat_result] | None = None,
    lstat: Callable[[str], os.stat_result] | None = None,
) -> int:
    """The type of a file, as :func:`stat.S_IFMT` gives it; 0: there is none.

    Args:
        kind: the kind of look, which follows links or doesn't.
        path: the file.
        stat: :func:`os.stat`, if something else has taken its place.
        lstat: :func:`os.lstat` likewise.
    """
    try:
        return S_IFMT(((lstat or os.lstat) if kind == KIND else (stat or os.stat))(path).st_mode)
    except (OSError, ValueError):
        return 0


def is_path(kind: str) -> bool:
    """Whether observations of this kind have a path for a name."""
    return kind not in (VARIABLE, VARIABLES, ENTRY)


def differing(observation: Observation, root: str, environ: Mapping[str, str]) -> tuple[bool, Observation]:
    """Look again.

    Args:
        observation: not of another entry.
        root: the directory that paths are relative to.
        environ: the environment variables.

    Returns:
        whether something else is seen, and what is seen now.
    """
    kind, name, status, content, by = observation
    path = (name if os.path.isabs(name) else f"{root}{os.sep}{name}") if is_path(kind) else name
    now = _status(kind, path)
    if now == status and now != ():
        return False, observation
    seen = content_of(kind, path, environ)
    return content == MOVED or seen != content, (kind, name, now, seen, by)


class _Variables(dict[str, str]):
    """Environment variables that record by which name they are asked for."""

    def __init__(self, world: World, by: str) -> None:
        super().__init__(world.environ)
        self._world = world
        self._by = by

    def get(self, name: str, default: Any = None) -> Any:
        self._world.variable(name, self._by)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self._world.variable(name, self._by)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._world.variable(str(name), self._by)
        return super().__contains__(name)


def content_of(kind: str, name: str, environ: Mapping[str, str]) -> str | None:
    """What stands for what is seen: see the kinds."""
    try:
        return _CONTENTS[kind](name, environ)
    except _NoFile as other:
        return other.instead


def _status(kind: str, path: str) -> Any:
    """What tells, without a look at the content, that it is the same. ``()``: nothing does. None: there is nothing."""
    if kind == TREE:
        from setlist.engine.source_tree import sign_sources

        try:
            signature, latest = sign_sources(path)
        except (OSError, ValueError):
            return None
        return signature if _is_settled(latest) else ()
    if kind not in _FILES and kind not in _LISTED:
        return ()
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    changed, modified = status.st_ctime_ns, status.st_mtime_ns
    if not _is_settled(max(changed, modified)):
        return ()
    if kind in _FILES:
        return status.st_size, modified, changed, status.st_ino
    return modified, changed, status.st_ino


def _comparable(kind: str, path: str) -> str:
    """The kind of a look to record: see :data:`_PARSED`."""
    return FILE if kind in _PARSED and _status(kind, path) == () else kind


def _is_settled(latest: int) -> bool:
    """Whether another change would have a later time than this one."""
    return latest + (_FINE if latest % _ROUNDED else _COARSE) < clock()


def clock() -> int:
    """The earliest time, in nanoseconds, that a local file system gives to what changes from now on.

    Linux takes a file's times from the coarse clock. That moves with the kernel's ticks, and is behind the real time by
    up to two of them. Since 6.13 a change has the real time if somebody has looked at the file's times before, and no
    change has an earlier time than one before it. So a change has a time between the coarse clock and the real time.
    Other systems aren't behind the real time by more than the longest tick of Windows, 16 milliseconds.
    """
    import time

    if sys.platform == "linux":
        try:
            return time.clock_gettime_ns(_COARSE_CLOCK)
        except OSError:
            pass  # an emulated Linux
    return time.time_ns() - _FINE


def next_tick() -> int:
    """Wait until the clock of the file system has moved on, some milliseconds, and return its time in nanoseconds.

    A file that is changed from now on has a time that isn't before it. One that was changed before the call has an
    earlier time, unless somebody has set the clock back since. One that was changed during the call may have either.
    """
    import time

    # A change before the call may have the real time. Windows' files may have finer times than time_ns()
    called = time.time_ns() + (_ROUNDED if sys.platform == "linux" else _FINE)
    limit = time.monotonic() + _LONGEST_WAIT
    while (now := clock()) <= called and time.monotonic() < limit:
        time.sleep(0.0005)
    return now


def _changed_since(path: str, since: int) -> bool:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    latest = max(status.st_ctime_ns, status.st_mtime_ns)
    # it may have been rounded down
    return latest + (_ROUNDED if latest % _ROUNDED else _COARSE) > since


def _read(path: str) -> bytes:
    from setlist.core.files import read_bytes

    return read_bytes(path)


class _NoFile(Exception):
    """There is no regular file that can be read. ``instead`` stands for what there is."""

    def __init__(self, instead: str | None) -> None:
        self.instead = instead


def _pieces(path: str) -> Iterator[bytes]:
    """The content of a regular file.

    Raises:
        _NoFile: there is something else, or nothing, or it can't be read.
    """
    try:
        mode = os.stat(path).st_mode
        if not S_ISREG(mode):
            raise _NoFile(_word_for(mode))
        # O_NONBLOCK, in case a pipe has replaced the file by now
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            while piece := os.read(descriptor, 1 << 20):
                yield piece
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _NoFile(None) from None
    except OSError:
        raise _NoFile(UNREADABLE) from None


def _content_of_file(path: str, _: Any = None) -> str | None:
    whole = sha256()
    for piece in _pieces(path):
        whole.update(piece)
    return str(whole.hexdigest()[:32])


def _content_of_toml(*, definitions: bool) -> Callable[[str, Any], str | None]:
    def content(path: str, _: Any = None) -> str | None:
        from setlist.core.toml import digest_of_toml

        data = b"".join(_pieces(path))
        return digest_of_toml(data, os.path.basename(path), definitions=definitions)

    return content


def _content_of_listed(kind: str) -> Callable[[str, Any], str | None]:
    def content(directory: str, _: Any = None) -> str | None:
        try:
            return _joined(_names(kind, directory))
        except OSError:
            return None

    return content


def _is_module(entry: os.DirEntry[str]) -> bool:
    # what is compiled comes and goes by itself
    if entry.name.startswith((".", "__pycache__")):
        return False
    return entry.name.endswith((".py", ".so", ".pyd")) or (entry.name.isidentifier() and _is_directory(entry))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link in a circle


def _content_of_kind(path: str, _: Any = None) -> str | None:
    try:
        mode = os.lstat(path).st_mode
        return f"link {os.readlink(path)}" if S_ISLNK(mode) else _word_for(mode)
    except (OSError, ValueError):
        return None


def _content_of_status(path: str, _: Any = None) -> str | None:
    status = _stat(path)
    return None if status is None else f"{status.st_size}:{status.st_mtime_ns}"


def _content_of_access(path: str, _: Any = None) -> str | None:
    status = _stat(path)
    return None if status is None else f"{status.st_mode:o}:{status.st_uid}:{status.st_gid}"


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):  # nothing is there, or no file can have that name
        return None


def _content_of_tree(path: str, environ: Mapping[str, str]) -> str | None:
    from setlist.engine.source_tree import digest_sources

    try:
        return digest_sources(path, environ)
    except OSError:
        return None


def _content_of_installed(path: str, _: Any = None) -> str | None:
    from marshal import dumps

    seen: list[Any] = []
    add = seen.append  # some thousand times in a warm run
    folders = [path]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if name != "__pycache__":
                            folders.append(entry.path)
                            add(name)
                    elif not name.endswith(".pyc"):
                        status = entry.stat(follow_symlinks=False)
                        # the change time is another one whenever the file is linked into a further environment
                        add(name)
                        add(status.st_size)
                        add(status.st_mtime_ns)
                        add(status.st_ino)
    except (OSError, ValueError):
        return None
    return checksum(dumps(seen, 2))


def _content_of_variable(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name)
    # it may be a secret: only whether it changes matters
    return None if value is None else _hidden(value)


def _content_of_variables(beginning: str, environ: Mapping[str, str]) -> str:
    names = sorted(name for name in environ if name.startswith(beginning) and name not in PASSING)
    return _hidden("\0".join(f"{name}={environ[name]}" for name in names))


def _hidden(value: str) -> str:
    return digest(value.encode("utf-8", "surrogateescape"))


def _names(kind: str, directory: str) -> tuple[str, ...]:
    counts = _COUNTS[kind]
    try:
        with os.scandir(directory) as entries:
            return tuple(sorted(f"{entry.name}{'/' * _is_directory(entry)}" for entry in entries if counts(entry)))
    except ValueError as error:
        raise FileNotFoundError(directory) from error


def _is_not_ours(entry: os.DirEntry[str]) -> bool:
    return entry.name != STATE_DIRECTORY.partition("/")[0]


def _may_define(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith((".py", ".toml")) and not entry.name.startswith((".", "_"))


def _joined(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else digest("\0".join(names).encode("utf-8", "surrogateescape"))


def _word_for(mode: int) -> str:
    if S_ISREG(mode):
        return "file"
    return "directory" if S_ISDIR(mode) else f"special {S_IFMT(mode):o}"


_COUNTS: dict[str, Callable[[os.DirEntry[str]], bool]] = {
    NAMES: _is_not_ours,
    MODULES: _is_module,
    DEFINITIONS: _may_define,
}

_CONTENTS: dict[str, Callable[[str, Mapping[str, str]], str | None]] = {
    FILE: _content_of_file,
    DEFINITIONS_IN: _content_of_toml(definitions=True),
    PROJECT: _content_of_toml(definitions=False),
    **{kind: _content_of_listed(kind) for kind in _LISTED},
    KIND: _content_of_kind,
    STATUS: _content_of_status,
    ACCESS: _content_of_access,
    TREE: _content_of_tree,
    INSTALLED: _content_of_installed,
    IDENTITY: lambda path, _: stat_signature(path),
    VARIABLE: _content_of_variable,
    VARIABLES: _content_of_variables,
}
