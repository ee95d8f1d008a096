"""The trace store: values that are kept with all that was looked at while they were made.

``put`` writes a value and its trace as one entry. ``get`` looks again at everything in the trace, and gives the value
if all of it is as it was. Where only times have changed, the entry is written again with the new ones.

An entry is one file, written under another name and renamed. It begins with a checksum of the rest: a file that is cut
off, edited, or of another version of setlist is no entry. So any number of processes may use a store at once, and no
file of it has to be trusted or repaired.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os

from setlist import __version__
from setlist.core.fingerprint import checksum, digest
from setlist.engine.world import ENTRY, differing

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from setlist.engine.world import Observation, Trace, World

FORMAT = 1
"""The format of entries, and of the values in them: raised when setlist keeps something else under the same key."""

MOST = 2048
"""How many entries of one kind are kept: those written last."""

ENVIRONMENT = "environment"
"""The kind of the entries that lie in what they are about, and are gone with it. The name of one is the path of an
environment. Whoever gets or puts one holds the environment's lock."""

STATE = "state"
"""The name of an environment's entry in it."""

_SEAL = 32
"""Characters of the checksum at the beginning of an entry."""


class Found:
    """A value that holds.

    Attributes:
        value: as it was put.
        trace: what was looked at while it was made.
        content: the digest of the value.
    """

    __slots__ = ("content", "trace", "value")

    def __init__(self, value: Any, trace: Trace, content: str) -> None:
        self.value = value
        self.trace = trace
        self.content = content


class Difference:
    """Something that is seen now and wasn't seen then.

    Attributes:
        kind: the kind of look (:mod:`setlist.engine.world`).
        name: a path, relative to the root if it is in it, or the name of a variable or an entry.
        old: what stood for it then; None: nothing was there.
        new: what stands for it now.
        by: who looked.
    """

    __slots__ = ("by", "kind", "name", "new", "old")

    def __init__(self, kind: str, name: str, old: str | None, new: str | None, by: str) -> None:
        self.kind = kind
        self.name = name
        self.old = old
        self.new = new
        self.by = by

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.name} is new"
        return f"{self.name} is gone" if self.new is None else f"{self.name} changed"


class Stale:
    """No value that holds.

    Attributes:
        differences: why not; empty: there is no such entry.
    """

    __slots__ = ("differences",)

    def __init__(self, differences: Sequence[Difference] = ()) -> None:
        self.differences = tuple(differences)


class Store:
    """Entries in a directory.

    Args:
        directory: where the entries are. It is made when the first one is put.
        root: the directory that paths in traces are relative to.
        environ: the environment variables that traces are compared with.
    """

    def __init__(self, directory: str, root: str, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._root = root
        self._environ = environ

    def get(self, key: str, *, refresh: bool = True) -> Found | Stale:
        """The value of an entry, if it holds; else the first difference.

        Args:
            key: its key.
            refresh: write the entry again if only times have changed.
        """
        found = self.last(key)
        return Stale() if found is None else self.check(key, found, refresh=refresh)

    def explain(self, key: str) -> Found | Stale:
        """As :meth:`get`, with all differences."""
        found = self.last(key)
        return Stale() if found is None else self.check(key, found, every=True)

    def check(self, key: str, found: Found, *, every: bool = False, refresh: bool = True) -> Found | Stale:
        """Whether a value holds.

        Args:
            key: the key of its entry.
            found: the value, as :meth:`last` gave it.
            every: find all differences, and not the first one alone.
            refresh: write the entry again if only times have changed.
        """
        differences: list[Difference] = []
        refreshed: list[Observation] = []
        touched = False
        for observation in found.trace:
            differs, now = self._differs(observation)
            if differs:
                kind, name, _, old, by = observation
                differences.append(Difference(kind, name, old, now[3], by))
                if not every:
                    return Stale(differences)
            refreshed.append(now)
            touched = touched or now[2] != observation[2]
        if differences:
            return Stale(differences)
        if touched and refresh:
            found.trace = tuple(refreshed)
            self._refresh(key, found)
        return found

    def last(self, key: str) -> Found | None:
        """The value of an entry whether it holds or not; None if there is none."""
        try:
            with open(self._path(key), "rb", 0) as stream:
                data = stream.read()
        except OSError:
            return None
        if data[:_SEAL] != checksum(data[_SEAL:]).encode():
            return None
        from marshal import loads

        # it is as it was written: marshal doesn't check what it reads
        version, format_, name, content, trace, value = loads(data[_SEAL:])  # noqa: S302
        if (version, format_, name) != (_writer(key), FORMAT, _inner(key)):
            return None
        return Found(value, trace, content)

    def put(self, key: str, world: World, value: Any) -> None:
        """Keep a value, in place of the entry of that key.

        Nothing is kept of what isn't repeatable, or in which a login stands.

        Args:
            key: kind and name: ``registry/pyproject.toml``. The name may be anything; that of an ``ENVIRONMENT`` is a
                path.
            world: what the value was made from.
            value: None, booleans, numbers, text, bytes, and tuples, lists and dictionaries of these.

        Raises:
            OSError: it can't be written. There is no entry of that key then, or the one that there was.
            ValueError: the value is something else.
        """
        if world.is_repeatable:
            self.write(key, world.trace, value)
        else:
            self.drop(key)

    def drop(self, key: str) -> None:
        """Remove an entry, if there is one.

        Raises:
            OSError: it can't be removed.
        """
        _unlink(self._path(key))

    def _refresh(self, key: str, found: Found) -> None:
        """Write an entry again with the times as they are now. An error costs another comparison of contents."""
        from contextlib import suppress

        with suppress(OSError):
            self.write(key, found.trace, found.value)

    def _differs(self, observation: Observation) -> tuple[bool, Observation]:
        kind, name, status, content, by = observation
        if kind != ENTRY:
            return differing(observation, self._root, self._environ)
        other = self.get(name)
        now = other.content if isinstance(other, Found) else None
        return now != content, (kind, name, status, now, by)

    def write(self, key: str, trace: Trace, value: Any) -> None:
        """Keep a value with a trace that was recorded before.

        Raises:
            OSError: it can't be written.
            ValueError: the value can't be kept.
        """
        from marshal import dumps

        from setlist.core.files import write_atomically
        from setlist.core.logins import holds_login

        if holds_login(value) or holds_login(trace):
            self.drop(key)
            return
        # the digest of a value must be the same for equal values: format 2 has no references
        content = digest(dumps(value, 2))
        data = dumps((_writer(key), FORMAT, _inner(key), content, trace, value))
        path = self._path(key)
        write_atomically(path, (checksum(data).encode(), data))
        if not key.startswith(f"{ENVIRONMENT}/"):
            _prune(os.path.dirname(path))

    def _path(self, key: str) -> str:
        kind, _, name = key.partition("/")
        if kind == ENVIRONMENT:
            return os.path.join(self._root, name, STATE)
        # a name may be longer than a file's, or one that no file can have
        return f"{self._directory}{os.sep}{kind}{os.sep}{digest(name)}"


def _writer(key: str) -> str:
    """The version of setlist that an entry serves. An environment serves all: a new one needs no other."""
    return "" if key.startswith(f"{ENVIRONMENT}/") else __version__


def _inner(key: str) -> str:
    """What an entry says of its own key: an environment's place is all that it has for a name."""
    return ENVIRONMENT if key.startswith(f"{ENVIRONMENT}/") else key


def _prune(directory: str) -> None:
    """Remove all but the entries written last."""
    with os.scandir(directory) as entries:
        files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if not entry.name.startswith(".")]
    for _, path in sorted(files)[:-MOST]:
        _unlink(path)


def _unlink(path: str) -> None:
    from contextlib import suppress

    with suppress(FileNotFoundError):
        os.unlink(path)
