"""What belongs to a process that we started, and how all of it is ended.

Several ways lead from a child to what it started, and none is enough alone:

- its process group, where it has one of its own (one system call reaches all of it at once), and its session;
- descent: children of children, for those that left the group (``setsid``, a shell's job control);
- a mark in the environment, ``SETLIST_PROCESS``, which is inherited by those whose parents are gone
  (daemons, double forks), where the system lets us read it;
- on Linux, :mod:`setlist.ink`, which nobody gets rid of by accident.

What escapes all of them, elsewhere than on Linux: a process that left the group and the session, whose parent
ended, and that was started with an emptied environment, before anybody looked.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from setlist import sentinel, system
from setlist.ink import covers

if TYPE_CHECKING:
    import psutil

MARK = "SETLIST_PROCESS"


def marked(environ_value: str | None, mark: str) -> bool:
    """Whether a process with this value of ``SETLIST_PROCESS`` is one of those started under ``mark``.

    Marks nest with runs inside runs: ``outer/inner``.
    """
    return environ_value is not None and mark in environ_value.split("/")


class ProcessTree:
    """A child and everything it started.

    Args:
        pid: the child's; None where it isn't known, and only its mark or its ink is.
        mark: its own part of ``SETLIST_PROCESS``; empty where it has none.
        own_group: whether it leads a process group of its own, rather than being in ours.
        ink: what it was inked with; 0 where it wasn't.
        birth: for one that isn't our child, so that its number may be another's by now: its
            :func:`~setlist.sentinel.birth_of`.
    """

    def __init__(
        self, pid: int | None, mark: str, *, own_group: bool, ink: int = 0, birth: float | None = None
    ) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group and pid is not None
        self.ink = ink
        self._birth = birth
        self._known: dict[int, psutil.Process] = {}

    def left_in_group(self) -> bool:
        """Whether, now that the child is reaped, anybody may be left in its group. A few system calls.

        In a group of its own that is one ``kill(2)``. In ours, Linux's ``/proc`` is looked at, only
        for processes that were started after the child; elsewhere the answer is no.
        """
        if sys.platform == "win32" or self.pid is None:
            return False
        if self.own_group:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return False
            except PermissionError:  # macOS says so of zombies; of another user's process, everybody
                return True
            return True
        if sys.platform != "linux":
            return False
        group = os.getpgrp()
        return any(_has_group(pid, group) and self._is_marked_here(pid) for pid in _younger_than(self.pid))

    def find(self, *, group_only: bool = False) -> list[psutil.Process]:
        """Those that are alive now, the child included. Looks at every process of the system.

        Args:
            group_only: leave out those that left the group.
        """
        import psutil

        self._known = {pid: process for pid, process in self._known.items() if _alive(process)}
        everybody = {process.pid: process for process in psutil.process_iter()}
        everybody.pop(os.getpid(), None)
        root = self._root()
        parents: dict[int, int] = {}
        if not group_only:
            for pid, process in everybody.items():
                with suppress(psutil.Error):
                    parents[pid] = process.ppid()
        for pid, process in everybody.items():
            if pid in self._known:
                continue
            ours = self._is_in_group(process, root) if group_only else self._belongs(process, root, parents)
            if ours and _alive(process):
                self._known[pid] = process
        return list(self._known.values())

    def alive(self) -> bool:
        """Whether any of those that were found so far is left. Cheap."""
        return any(_alive(process) for process in self._known.values())

    def send(self, signum: int) -> None:
        """Send a signal to all that were found, and to the group as a whole, each once."""
        import psutil

        if sys.platform == "win32":
            for process in self._known.values():
                with suppress(psutil.Error, OSError):
                    process.terminate()
            return
        # a stopped process gets to see nothing but SIGKILL until it is continued
        numbers = (signum, signal.SIGCONT) if signum == signal.SIGTERM else (signum,)
        group = self._root() if self.own_group else None
        members = [process for process in self._known.values() if group is None or not _has_group(process.pid, group)]
        for number in numbers:
            if group is not None:
                with suppress(OSError):
                    os.killpg(group, number)
            for process in members:
                with suppress(psutil.Error, OSError):
                    process.send_signal(number)

    def kill(self) -> None:
        """End all that were found, now."""
        import psutil

        if sys.platform == "win32":
            for process in self._known.values():
                with suppress(psutil.Error, OSError):
                    process.kill()
        else:
            self.send(signal.SIGKILL)

    def _root(self) -> int | None:
        """The child's number, as long as it isn't another process's. It may be gone, its group may not."""
        if self.pid is not None and self._birth is not None and system.is_another(self.pid, self._birth):
            return None
        return self.pid

    def _is_in_group(self, process: psutil.Process, root: int | None) -> bool:
        if self.own_group:
            return root is not None and _has_group(process.pid, root)
        return _has_group(process.pid, _our_group()) and self._is_marked(process)

    def _belongs(self, process: psutil.Process, root: int | None, parents: dict[int, int]) -> bool:
        seen = set()
        pid = process.pid
        while pid not in seen and pid > 0:
            if pid == root or pid in self._known:
                return True
            seen.add(pid)
            pid = parents.get(pid, 0)
        if root is not None and (_has_session(process.pid, root) or (self.own_group and _has_group(process.pid, root))):
            return True
        return covers(self.ink, sentinel.ink_of(process.pid)) or self._is_marked(process)

    def _is_marked(self, process: psutil.Process) -> bool:
        import psutil

        if not self.mark:
            return False
        try:
            return marked(process.environ().get(MARK), self.mark)
        except (psutil.Error, OSError):
            return False

    def _is_marked_here(self, pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/environ", "rb") as stream:
                return self.mark.encode() in stream.read()
        except OSError:
            return False


def end_all(trees: Sequence[ProcessTree], *, terminate: float, patience: float = 5.0) -> None:
    """End some trees together: SIGTERM, and SIGKILL for what is left.

    Args:
        trees: those that nobody waits for.
        terminate: seconds between the two.
        patience: seconds after SIGKILL until those that don't die are given up.
    """
    # one that forks and ends while we look can be missed, and its child as well, but not twice
    if not (_found(trees) or _found(trees)):
        return
    for tree in trees:
        tree.send(signal.SIGTERM)
    _gone_by(trees, time.monotonic() + terminate)
    deadline = time.monotonic() + patience
    # looked for anew each time: one that forks may have done so in between
    while _found(trees) and time.monotonic() < deadline:
        for tree in trees:
            tree.kill()
        _gone_by(trees, time.monotonic() + 0.05)


def _found(trees: Sequence[ProcessTree]) -> bool:
    # each one looks, whatever the others found
    found = [tree.find() for tree in trees]
    return any(found)


def _gone_by(trees: Sequence[ProcessTree], deadline: float) -> None:
    pause = 0.002
    while time.monotonic() < deadline and (any(tree.alive() for tree in trees) or _found(trees)):
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _alive(process: psutil.Process) -> bool:
    import psutil

    try:
        # a zombie has ended; that nobody has reaped it (a container without an init) is not its fault
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def _our_group() -> int:
    if sys.platform == "win32":
        return 0
    return os.getpgrp()


def _has_group(pid: int, group: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return os.getpgid(pid) == group
    except OSError:
        return False


def _has_session(pid: int, session: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return os.getsid(pid) == session
    except OSError:
        return False


def _younger_than(child: int) -> list[int]:
    """The processes with a higher number: those started later, unless the numbers wrapped around."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        with open("/proc/loadavg", encoding="ascii") as stream:
            last = int(stream.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return []
    return [pid for pid in pids if pid != os.getpid() and (pid > child or last < child)]
