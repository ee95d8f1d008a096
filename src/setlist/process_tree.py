"""What belongs to a process that we started, and how all of it is ended.

Three ways lead from a child to what it started, and none is enough alone:

- its process group, where it has one of its own (one system call reaches all of it at once);
- descent: children of children, for those that left the group (``setsid``, a shell's job control);
- a mark in the environment, ``SETLIST_PROCESS``, which is inherited by those whose parents are gone
  (daemons, double forks), where the system lets us read it.

What escapes all three: a process that left the group, whose parent ended, and that was started with
an emptied environment, before anybody looked.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

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
        pid: the child's.
        mark: its own part of ``SETLIST_PROCESS``.
        own_group: whether it leads a process group of its own, rather than being in ours.
    """

    def __init__(self, pid: int, mark: str, *, own_group: bool) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group
        self._known: dict[int, psutil.Process] = {}

    def left_in_group(self) -> bool:
        """Whether, now that the child is reaped, anybody may be left in its group. A few system calls.

        In a group of its own that is one ``kill(2)``. In ours, Linux's ``/proc`` is looked at, only
        for processes that were started after the child; elsewhere the answer is no.
        """
        if sys.platform == "win32":
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
        parents: dict[int, int] = {}
        if not group_only:
            for pid, process in everybody.items():
                with suppress(psutil.Error):
                    parents[pid] = process.ppid()
        for pid, process in everybody.items():
            if pid not in self._known and self._belongs(process, parents, group_only) and _alive(process):
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
        group = self.pid if self.own_group else None
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

    def _belongs(self, process: psutil.Process, parents: dict[int, int], group_only: bool) -> bool:
        if group_only:
            if self.own_group:
                return _has_group(process.pid, self.pid)
            return _has_group(process.pid, _our_group()) and self._is_marked(process)
        seen = set()
        pid = process.pid
        while pid not in seen and pid > 0:
            if pid == self.pid or pid in self._known:
                return True
            seen.add(pid)
            pid = parents.get(pid, 0)
        return (self.own_group and _has_group(process.pid, self.pid)) or self._is_marked(process)

    def _is_marked(self, process: psutil.Process) -> bool:
        import psutil

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


def _younger_than(child: int) -> list[int]:
    """The processes with a higher number: those started later, unless the numbers wrapped around."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        with open("/proc/loadavg", encoding="ascii") as stream:
            last = int(stream.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return []
    return [pid for pid in pids if pid != os.getpid() and (pid > child or last < child)]
