"""Find the processes that belong to a command, and end them.

A process belongs to a command by any of these:

- its process group, if the command leads one (one system call signals all of it), and its session;
- descent: children of children, also those that left the group (``setsid``, a shell's job control);
- a mark in the environment variable ``SETLIST_PROCESS``, which processes inherit whose parents have exited
  (daemons, double forks), where the system lets us read it.

A process escapes if it left the group and the session, its parent exited, and it was started with an empty
environment, all before it was first seen.

A process can keep forking and exiting, so that it is another process every few milliseconds. Scanning and then killing
misses it. Therefore:

- A group with only processes of the command is signalled as a group: the kernel does so at once, between two forks.
- Processes that have to be killed one by one are stopped first (SIGSTOP), each as soon as it is seen, until no new
  one appears.
- The tree counts as gone only after a scan in which no process ended while it was looked at.

Control groups would do the same in one write (``cgroup.kill``), but a process can rarely create one: a login session's
belongs to root, and a container's is mounted read-only.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from setlist.process import guardian
from setlist.process.guardian import MARK

if TYPE_CHECKING:
    import psutil

KILL = 9
"""SIGKILL, which Windows doesn't name."""

LOOKS = 6
"""How many scans in a row are repeated because a process ended while it was looked at."""

SWEEPS = 40
"""How many scans stop new processes before all are killed."""


def marked(environ_value: str | None, mark: str) -> bool:
    """Whether a process with this value of ``SETLIST_PROCESS`` was started under ``mark``.

    Marks nest with runs inside runs: ``outer/inner``.
    """
    return environ_value is not None and mark in environ_value.split("/")


class ProcessTree:
    """A child and everything it started.

    Args:
        pid: the child's; None if only its mark is known.
        mark: its own part of ``SETLIST_PROCESS``; empty if it has none.
        own_group: whether it leads a process group of its own, rather than being in ours.
        birth: for a process that isn't our child, so that its number may have been reused: its
            :func:`~setlist.process.guardian.birth_of`.
    """

    def __init__(self, pid: int | None, mark: str, *, own_group: bool, birth: float | None = None) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group and pid is not None
        self._birth = birth
        self._processes: dict[int, psutil.Process] = {}
        self._others: set[int] = set()
        self._groups: set[int] = {pid} if own_group and pid is not None else set()
        """The groups that contain only processes of this tree."""

    def left_in_group(self) -> bool:
        """Whether a process may be left in the group of the child, which was reaped. Takes a few system calls.

        In a group of its own, that is one ``kill(2)``. In our group, it reads Linux's ``/proc``, only for
        processes that were started after the child; elsewhere the answer is no.
        """
        if sys.platform == "win32" or self.pid is None:
            return False
        if self.own_group:
            return _signal_group(self.pid, 0)
        if sys.platform != "linux":
            return False
        group = os.getpgrp()
        for _ in range(LOOKS):
            ended = False
            for pid in sorted(_younger_than(self.pid), reverse=True):
                in_group = _group_of(pid)
                if in_group == group and self._is_marked(pid):
                    return True
                ended = ended or in_group is None or (in_group == group and _process(pid) is None)
            if not ended:
                return False
        return False

    def find(self, *, group_only: bool = False, stop: bool = False) -> list[psutil.Process]:
        """Find the processes that are alive now, the child included. Scans all processes of the system.

        Args:
            group_only: leave out processes that left the group.
            stop: stop each process as soon as it is seen (POSIX). Looks only at processes that are new since the
                last call.
        """
        import psutil

        self._processes = {pid: process for pid, process in self._processes.items() if _alive(process)}
        root = self._root()
        parents: dict[int, int] = {}
        others: set[int] = self._others if stop else set()
        for _ in range(LOOKS):
            pids = [pid for pid in psutil.pids() if pid != os.getpid() and pid not in self._processes]
            others.intersection_update(pids)
            ended = False
            # newest first: a process that keeps forking may be gone after the rest of the scan
            for pid in sorted(set(pids) - others, reverse=True):
                ours = self._is_in_group(pid, root) if group_only else self._belongs(pid, root, parents)
                process = _process(pid)
                if ours and process is not None:
                    if stop and sys.platform != "win32":
                        with suppress(psutil.Error, OSError):
                            process.suspend()
                    self._processes[pid] = process
                else:
                    others.add(pid)
                    ended = ended or process is None
            if self._processes or not ended:
                break
        self._others = others
        if not group_only:
            self._note_groups()
        return list(self._processes.values())

    def _note_groups(self) -> None:
        """Note the groups that contain only processes of this tree."""
        groups = {_group_of(pid) for pid in self._processes} - {None, _our_group()}
        for pid in self._others:
            group = _group_of(pid)
            if group in groups and _process(pid) is not None:
                groups.discard(group)
        self._groups |= {group for group in groups if group is not None}

    def left(self, *, group_only: bool = False) -> bool:
        """Whether a process may be left: one was seen, or one of the tree's groups exists.

        Args:
            group_only: leave out processes that left the group.
        """
        processes = self.find(group_only=group_only)
        self._signal_groups(0)
        return bool(processes or self._groups)

    def gone(self, *, group_only: bool = False) -> bool:
        """Whether no process is left after the tree was signalled.

        A process that keeps forking may be in one of the tree's groups and not be seen: it is killed with the group.

        Args:
            group_only: leave out processes that left the group.
        """
        if self.alive() or self.find(group_only=group_only):
            return False
        self._signal_groups(KILL)
        return True

    def alive(self) -> bool:
        """Whether a process that was seen so far is alive. Cheap."""
        return any(_alive(process) for process in self._processes.values())

    def send(self, signum: int) -> None:
        """Send a signal to the tree's groups, and to each process seen outside of them."""
        import psutil

        if sys.platform == "win32":
            for process in self._processes.values():
                with suppress(psutil.Error, OSError):
                    process.terminate()
            return
        # until it is continued, a stopped process receives nothing but SIGKILL
        for number in (signum, signal.SIGCONT) if signum == signal.SIGTERM else (signum,):
            self._signal_groups(number)
            for process in self._processes.values():
                if _group_of(process.pid) not in self._groups:
                    with suppress(psutil.Error, OSError):
                        process.send_signal(number)

    def kill(self, *, group_only: bool = False) -> None:
        """Kill all processes that were seen, and those that they start meanwhile.

        Args:
            group_only: leave out processes that left the group.
        """
        import psutil

        if sys.platform == "win32":
            for process in self._processes.values():
                with suppress(psutil.Error, OSError):
                    process.kill()
            return
        self._signal_groups(signal.SIGKILL)
        for _ in range(SWEEPS):
            before = set(self._processes)
            self.find(group_only=group_only, stop=True)
            if before.issuperset(self._processes):
                break
        self.send(signal.SIGKILL)

    def _signal_groups(self, signum: int) -> None:
        if self.own_group and self._root() is None:
            self._groups.discard(self.pid or 0)
        # the number of a group that is gone may be reused
        self._groups = {group for group in self._groups if _signal_group(group, signum)}

    def _root(self) -> int | None:
        """The child's number; None if it was reused. The child may have exited while its group exists."""
        if self.pid is not None and self._birth is not None and _is_another(self.pid, self._birth):
            return None
        return self.pid

    def _is_in_group(self, pid: int, root: int | None) -> bool:
        if self.own_group:
            return root is not None and _group_of(pid) == root
        return _group_of(pid) == _our_group() and self._is_marked(pid)

    def _belongs(self, pid: int, root: int | None, parents: dict[int, int]) -> bool:
        if pid == root:
            return True
        if root is not None and (_has_session(pid, root) or (self.own_group and _group_of(pid) == root)):
            return True
        if self._is_marked(pid):
            return True
        seen = set()
        while pid not in seen and pid > 0:
            seen.add(pid)
            if pid not in parents:
                parents[pid] = _parent_of(pid)
            pid = parents[pid]
            if pid == root or pid in self._processes:
                return pid > 0
        return False

    def _is_marked(self, pid: int) -> bool:
        if not self.mark:
            return False
        if sys.platform == "linux":
            try:
                with open(f"/proc/{pid}/environ", "rb") as stream:
                    return self.mark.encode() in stream.read()
            except OSError:
                return False
        import psutil

        try:
            return marked(psutil.Process(pid).environ().get(MARK), self.mark)
        except (psutil.Error, OSError):
            return False


def end_all(trees: Sequence[ProcessTree], *, terminate: float, patience: float = 5.0) -> None:
    """End several trees at once: SIGTERM, then SIGKILL.

    Args:
        trees: trees that nobody waits for.
        terminate: seconds between the two signals.
        patience: seconds after SIGKILL until processes that don't die are given up.
    """
    left = [tree.left() for tree in trees]  # no short circuit: each tree scans
    if not any(left):
        return
    for tree in trees:
        tree.send(signal.SIGTERM)
    _gone_by(trees, time.monotonic() + terminate)
    deadline = time.monotonic() + patience
    # each scan is new: a process may have forked in between
    while not _gone(trees) and time.monotonic() < deadline:
        for tree in trees:
            tree.kill()
        _gone_by(trees, time.monotonic() + 0.05)


def run_guardian(arguments: Sequence[str]) -> None:
    """End the processes of a run that is gone.

    Args:
        arguments: the seconds between SIGTERM and SIGKILL, and a line for each process
            (:func:`setlist.process.guardian.note_started`).
    """
    grace, *lines = arguments
    end_all([_tree_of(*line.split()) for line in lines], terminate=float(grace))


def _tree_of(mark: str, pid: str = "", own_group: str = "0", birth: str = "") -> ProcessTree:
    if not pid:
        # the run was killed while it started this process
        return ProcessTree(None, mark, own_group=False)
    return ProcessTree(int(pid), mark, own_group=own_group == "1", birth=float(birth))


def _gone(trees: Sequence[ProcessTree]) -> bool:
    gone = [tree.gone() for tree in trees]
    return all(gone)


def _gone_by(trees: Sequence[ProcessTree], deadline: float) -> None:
    pause = 0.002
    while time.monotonic() < deadline and (any(tree.alive() for tree in trees) or not _gone(trees)):
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _process(pid: int) -> psutil.Process | None:
    """The process with this number; None if it has ended."""
    import psutil

    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return None
    return process if _alive(process) else None


def _parent_of(pid: int) -> int:
    """The number of a process's parent; 0 if it is unknown."""
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0


def _alive(process: psutil.Process) -> bool:
    import psutil

    try:
        # a zombie has ended, also if nobody reaps it (a container without an init)
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def _our_group() -> int:
    if sys.platform == "win32":
        return 0
    return os.getpgrp()


def _signal_group(group: int, signum: int) -> bool:
    """Send a signal to a process group. False if there is no such group."""
    if sys.platform == "win32":
        return False
    try:
        os.killpg(group, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user's process, and on macOS of a zombie
        return True
    return True


def _group_of(pid: int) -> int | None:
    """A process's group; None if it has ended, or on Windows."""
    if sys.platform == "win32":
        return None
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _has_session(pid: int, session: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return os.getsid(pid) == session
    except OSError:
        return False


def _younger_than(child: int) -> list[int]:
    """The processes that were started later: those with a higher number, or all if the numbers wrapped around."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        with open("/proc/loadavg", encoding="ascii") as stream:
            last = int(stream.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return []
    return [pid for pid in pids if pid != os.getpid() and (pid > child or last < child)]


def _is_another(pid: int, birth: float) -> bool:
    """Whether the number was reused: the process with this number doesn't have this ``birth_of``."""
    if sys.platform == "linux":
        return guardian.birth_of(pid) not in (0.0, birth)
    import psutil

    try:
        return psutil.Process(pid).create_time() > birth + 2
    except psutil.Error:
        return False
