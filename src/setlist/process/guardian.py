"""What ends our processes when we can't: when we are killed by SIGKILL, or crash.

On POSIX a process of its own, started when a run begins: it listens at a pipe whose other end is ours alone, and is
told of each process that we start. When the pipe closes without our taking leave of it, we are gone; then it ends
what we have left. While it only listens it is a shell, which takes a third of the time that forking ourselves would
take, next to no memory, and may be started beside threads. On Windows a job object does the same
(:mod:`setlist.process.windows_job`).

What a command that ended by itself left on purpose (a daemon) stays, whatever becomes of us.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from setlist.core import system
from setlist.process import sentinel
from setlist.process.tree import ProcessTree, end_all


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While inside, no signal interrupts us: what is begun here is also finished."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Guardian:
    """Our end of the pipe.

    Args:
        pid: the guardian's.
        writer: the pipe's end.
    """

    def __init__(self, pid: int, writer: int) -> None:
        self.pid = pid
        self.writer = writer

    def tell(self, line: str) -> None:
        """Send a line."""
        sentinel.tell(self.writer, (line,))

    def dismiss(self) -> None:
        """End it."""
        with _undisturbed():
            sentinel.dismiss(self.pid, self.writer)


class _Holder:
    """Global, as the processes that we start are the whole process's."""

    guardian: _Guardian | None = None
    active = False


_HOLDER = _Holder()


@contextmanager
def guarding(grace_seconds: float) -> Iterator[None]:
    """While inside, what we start ends with us, even when we are killed.

    Inside another one it does nothing.

    Args:
        grace_seconds: how long the guardian waits between SIGTERM and SIGKILL.
    """
    if _HOLDER.active:
        yield
        return
    if system.WINDOWS:
        from setlist.process.windows_job import end_with_us

        spare = end_with_us()
        try:
            yield
        finally:
            if spare is not None:
                spare()
        return
    try:
        with _undisturbed():
            _HOLDER.active, _HOLDER.guardian = True, _start(grace_seconds)
        yield
    finally:
        guardian = _HOLDER.guardian
        _HOLDER.active, _HOLDER.guardian = False, None
        if guardian is not None:
            guardian.dismiss()


@contextmanager
def starting(mark: str) -> Iterator[None]:
    """Around the start of a process.

    Args:
        mark: its own part of ``SETLIST_PROCESS``.
    """
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"+ {mark}")
    try:
        yield
    except BaseException:
        note_ended(mark)
        raise


def note_started(tree: ProcessTree) -> None:
    """A process was started: when we are gone, it is to end."""
    guardian = _HOLDER.guardian
    if guardian is not None and tree.pid is not None:
        guardian.tell(sentinel.line_of(tree.mark, tree.pid, own_group=tree.own_group))


def note_ended(mark: str) -> None:
    """A process has ended, with all of its tree that was to end."""
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"- {mark}")


def run_guardian() -> None:
    """What the guardian does in the end: it is told, as arguments, the grace and what was running."""
    grace, *running = sys.argv[1:]
    end_all([_tree_of(*line.split()) for line in running], terminate=float(grace))


def _tree_of(mark: str, pid: str = "", own_group: str = "0", birth: str = "") -> ProcessTree:
    if not pid:
        # we were killed while it was being started
        return ProcessTree(None, mark, own_group=False)
    return ProcessTree(int(pid), mark, own_group=own_group == "1", birth=float(birth))


def _start(grace_seconds: float) -> _Guardian | None:
    listening = sentinel.listen(grace_seconds)
    return None if listening is None else _Guardian(*listening)


def _forget() -> None:
    """In a process that was forked from ours, by a library: it isn't guarded, and mustn't hold the pipe open."""
    guardian = _HOLDER.guardian
    _HOLDER.active, _HOLDER.guardian = False, None
    if guardian is not None:
        with suppress(OSError):
            os.close(guardian.writer)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
