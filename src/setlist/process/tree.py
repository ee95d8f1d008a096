"""What belongs to a process that we started, and how all of it is ended.

Several ways lead from a child to what it started, and none is enough alone:

- its process group, where it has one of its own (one system call reaches all of it at once), and its session;
- descent: children of children, for those that left the group (``setsid``, a shell's job control);
- a mark in the environment, ``SETLIST_PROCESS``, which is inherited by those whose parents are gone
  (daemons, double forks), where the system lets us read it.

A process escapes all of them that left the group and the session, whose parent ended, and that was started with an
emptied environment, before anybody looked.

A process may be another one a few milliseconds later: it forks and ends, and so does its child. Such a one isn't
ended by looking and then killing what was found. Therefore

- a group of which all members are ours is signalled as a group: the kernel does that at once, no fork comes between;
- who is to be killed one by one is stopped first (SIGSTOP) as soon as it is seen, until nobody new is seen;
- "nobody is left" is only said after a look in which everybody seen could also be looked at.

Control groups would do the same in one write (``cgroup.kill``), but a process may hardly ever make one: a login
session's belongs to root, and a container's is mounted read-only.
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

if TYPE_CHECKING:
    import psutil

MARK = "SETLIST_PROCESS"

KILL = 9
"""SIGKILL, which Windows doesn't name."""

LOOKS = 6
"""How often in a row those that end while they are looked at are looked for again."""

SWEEPS = 40
"""How often those that start others are looked for before they are killed, each found one being stopped."""


def marked(environ_value: str | None, mark: str) -> bool:
    """Whether a process with this value of ``SETLIST_PROCESS`` is one of those started under ``mark``.

    Marks nest with runs inside runs: ``outer/inner``.
    """
    return environ_value is not None and mark in environ_value.split("/")


class ProcessTree:
    """A child and everything it started.

    Args:
        pid: the child's; None where only its mark is known.
        mark: its own part of ``SETLIST_PROCESS``; empty where it has none.
        own_group: whether it leads a process group of its own, rather than being in ours.
        birth: for one that isn't our child, so that its number may be another's by now: its
            :func:`~setlist.process.guardian.birth_of`.
    """

    def __init__(self, pid: int | None, mark: str, *, own_group: bool, birth: float | None = None) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group and pid is not None
        self._birth = birth
        self._known: dict[int, psutil.Process] = {}
        self._others: set[int] = set()
        self._groups: set[int] = {pid} if own_group and pid is not None else set()
        """The groups in which there is nobody but ours."""

    def left_in_group(self) -> bool:
        """Whether, now that the child is reaped, anybody may be left in its group. A few system calls.

        In a group of its own that is one ``kill(2)``. In ours, Linux's ``/proc`` is looked at, only
        for processes that were started after the child; elsewhere the answer is no.
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
        """Those that are alive now, the child included. Looks at every process of the system.

        Args:
            group_only: leave out those that left the group.
            stop: stop each as soon as it is seen (POSIX). Only who wasn't there at the last call is looked at.
        """
        import psutil

        self._known = {pid: process for pid, process in self._known.items() if _alive(process)}
        root = self._root()
        parents: dict[int, int] = {}
        others: set[int] = self._others if stop else set()
        for _ in range(LOOKS):
            pids = [pid for pid in psutil.pids() if pid != os.getpid() and pid not in self._known]
            others.intersection_update(pids)
            ended = False
            # the newest first: one that forks and ends all the time may be gone when the rest has been looked at
            for pid in sorted(set(pids) - others, reverse=True):
                ours = self._is_in_group(pid, root) if group_only else self._belongs(pid, root, parents)
                process = _process(pid)
                if ours and process is not None:
                    if stop and sys.platform != "win32":
                        with suppress(psutil.Error, OSError):
                            process.suspend()
                    self._known[pid] = process
                else:
                    others.add(pid)
                    ended = ended or process is None
            if self._known or not ended:
                break
        self._others = others
        if not group_only:
            self._note_groups()
        return list(self._known.values())

    def _note_groups(self) -> None:
        """Note the groups that processes of ours have made, and in which there is nobody else."""
        groups = {_group_of(pid) for pid in self._known} - {None, _our_group()}
        for pid in self._others:
            group = _group_of(pid)
            if group in groups and _process(pid) is not None:
                groups.discard(group)
        self._groups |= {group for group in groups if group is not None}

    def left(self, *, group_only: bool = False) -> bool:
        """Whether anybody may be left: somebody was seen, or a group of ours is there.

        Args:
            group_only: leave out those that left the group.
        """
        found = self.find(group_only=group_only)
        self._signal_groups(0)
        return bool(found or self._groups)

    def gone(self, *, group_only: bool = False) -> bool:
        """Whether nobody is left, now that they were told to end.

        Who is in a group of ours and isn't seen there, since it forks and ends all the time, is killed with the group.

        Args:
            group_only: leave out those that left the group.
        """
        if self.alive() or self.find(group_only=group_only):
            return False
        self._signal_groups(KILL)
        return True

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
        for number in (signum, signal.SIGCONT) if signum == signal.SIGTERM else (signum,):
            self._signal_groups(number)
            for process in self._known.values():
                if _group_of(process.pid) not in self._groups:
                    with suppress(psutil.Error, OSError):
                        process.send_signal(number)

    def kill(self, *, group_only: bool = False) -> None:
        """End all that were found, and what they start meanwhile, now.

        Args:
            group_only: leave alone what left the group.
        """
        import psutil

        if sys.platform == "win32":
            for process in self._known.values():
                with suppress(psutil.Error, OSError):
                    process.kill()
            return
        self._signal_groups(signal.SIGKILL)
        for _ in range(SWEEPS):
            before = set(self._known)
            self.find(group_only=group_only, stop=True)
            if before.issuperset(self._known):
                break
        self.send(signal.SIGKILL)

    def _signal_groups(self, signum: int) -> None:
        if self.own_group and self._root() is None:
            self._groups.discard(self.pid or 0)
        # from the moment at which one is gone, its number may be another group's
        self._groups = {group for group in self._groups if _signal_group(group, signum)}

    def _root(self) -> int | None:
        """The child's number, as long as it isn't another process's. It may be gone, its group may not."""
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
            if pid == root or pid in self._known:
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
    """End some trees together: SIGTERM, and SIGKILL for what is left.

    Args:
        trees: those that nobody waits for.
        terminate: seconds between the two.
        patience: seconds after SIGKILL until those that don't die are given up.
    """
    left = [tree.left() for tree in trees]  # each one looks, whatever the others found
    if not any(left):
        return
    for tree in trees:
        tree.send(signal.SIGTERM)
    _gone_by(trees, time.monotonic() + terminate)
    deadline = time.monotonic() + patience
    # looked for anew each time: one that forks may have done so in between
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
    """The process of that number; None where it has ended."""
    import psutil

    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return None
    return process if _alive(process) else None


def _parent_of(pid: int) -> int:
    """The number of a process's parent; 0 where it can't be told."""
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0


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


def _signal_group(group: int, signum: int) -> bool:
    """Send a signal to a process group. False where there is none."""
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
    """A process's group; None where it has ended, or there are no groups."""
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
    """The processes with a higher number: those started later, unless the numbers wrapped around."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        with open("/proc/loadavg", encoding="ascii") as stream:
            last = int(stream.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return []
    return [pid for pid in pids if pid != os.getpid() and (pid > child or last < child)]


def _is_another(pid: int, birth: float) -> bool:
    """Whether a number belongs by now to another process than the one with this ``birth_of``."""
    if sys.platform == "linux":
        return guardian.birth_of(pid) not in (0.0, birth)
    import psutil

    try:
        return psutil.Process(pid).create_time() > birth + 2
    except psutil.Error:
        return False
