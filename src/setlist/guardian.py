"""What ends our processes when we can't: when we are killed by SIGKILL, or crash.

On POSIX a process of its own, forked when a run begins: it listens at a pipe whose other end is ours alone, and is
told of each process that we start. When the pipe closes without our taking leave of it, we are gone, and it ends what
we have left. It is a fork and no new program, so it costs about a millisecond. On Windows a job object does the same
(:mod:`setlist.job`).

What a command that ended by itself left on purpose (a daemon) stays, whatever becomes of us.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from setlist import system
from setlist.ink import inked, inking, new_run
from setlist.process_tree import ProcessTree, end_all

NAME = "setlist-guard"


class _Guardian:
    """Our end of the pipe. Lines are shorter than what a pipe takes at once, so any thread may write.

    Args:
        pid: the guardian's.
        writer: the pipe's end.
    """

    def __init__(self, pid: int, writer: int) -> None:
        self.pid = pid
        self.writer = writer
        # a guardian that somebody has stopped must not stop us
        os.set_blocking(writer, False)

    def tell(self, line: str) -> None:
        """Send a line. That the guardian is gone is no reason for us to end."""
        with suppress(OSError):
            os.write(self.writer, line.encode() + b"\n")

    def dismiss(self) -> None:
        """End it. The system does that more quickly than it could itself."""
        with suppress(OSError):
            # one that has ended already may have been reaped by somebody, and its number given away
            if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.writer)


class _Holder:
    """Global, as the processes that we start are the whole process's."""

    guardian: _Guardian | None = None
    run: int = 0
    """The ink of the run that is guarded."""
    active = False
    registered = False


_HOLDER = _Holder()


@contextmanager
def guarding(grace_seconds: float) -> Iterator[None]:
    """While inside, what we start ends with us, even when we are killed.

    To be entered before any thread is started: otherwise there is no guardian, as forking wouldn't be safe.
    Inside another one it does nothing.

    Args:
        grace_seconds: how long the guardian waits between SIGTERM and SIGKILL.
    """
    if _HOLDER.active:
        yield
        return
    if system.WINDOWS:
        from setlist.job import end_with_us

        spare = end_with_us()
        try:
            yield
        finally:
            if spare is not None:
                spare()
        return
    run = new_run()
    guardian = _fork(grace_seconds, run)
    _HOLDER.active, _HOLDER.guardian, _HOLDER.run = True, guardian, run
    try:
        # after the guardian was made: it isn't one of those that it is to end
        with inked(run):
            yield
    finally:
        _HOLDER.active, _HOLDER.guardian, _HOLDER.run = False, None, 0
        if guardian is not None:
            guardian.dismiss()


@contextmanager
def starting(mark: str) -> Iterator[int]:
    """Around the start of a process.

    Args:
        mark: its own part of ``SETLIST_PROCESS``.

    Yields:
        the ink that it gets, for its :class:`ProcessTree`.
    """
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"+{mark}")
    try:
        with inking() as ink:
            yield ink
    except BaseException:
        note_ended(mark)
        raise


def note_started(tree: ProcessTree) -> None:
    """A process was started: when we are gone, it is to end."""
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"={tree.mark} {tree.pid} {int(tree.own_group)} {tree.ink}")


def note_ended(mark: str) -> None:
    """A process has ended, with all of its tree that was to end."""
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"-{mark}")


def end_orphans(terminate: float) -> None:
    """End what this run started and that belongs to no command, when the run was interrupted.

    Every command has ended what belongs to it by then. Only on Linux, and inside :func:`guarding`, is anything found.

    Args:
        terminate: seconds between SIGTERM and SIGKILL.
    """
    if _HOLDER.run:
        end_all([ProcessTree(None, "", own_group=False, ink=_HOLDER.run)], terminate=terminate)


def _fork(grace_seconds: float, run: int) -> _Guardian | None:
    if sys.platform == "win32" or system.has_threads():
        return None
    if not _HOLDER.registered:
        _HOLDER.registered = True
        os.register_at_fork(after_in_child=_forget)
    reader, writer = os.pipe()
    # until it ignores them it would handle signals as we do
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
    try:
        pid = _forked()
        if pid == 0:
            _guard(reader, grace_seconds, run)
    except OSError:
        # as many processes as there may be
        os.close(writer)
        return None
    finally:
        os.close(reader)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _Guardian(pid, writer)


def _forked() -> int:
    if sys.version_info < (3, 12) or sys.platform == "win32":
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        # of threads that we can't see (has_threads)
        warnings.simplefilter("ignore")
        return os.fork()


def _forget() -> None:
    """In a process that was forked from ours, by a library: it isn't guarded, and mustn't hold the pipe open."""
    guardian = _HOLDER.guardian
    _HOLDER.active, _HOLDER.guardian, _HOLDER.run = False, None, 0
    if guardian is not None:
        with suppress(OSError):
            os.close(guardian.writer)


# --- in the guardian --------------------------------------------------------------------------------

if sys.platform == "win32":
    _IGNORED: tuple[signal.Signals, ...] = ()
else:
    _IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def _guard(reader: int, grace_seconds: float, run: int) -> NoReturn:
    """All of a guardian's life."""
    try:
        _stand_apart(reader)
        trees = listen(reader)
        end_all([*trees, ProcessTree(None, "", own_group=False, ink=run)], terminate=grace_seconds)
    except BaseException:  # noqa: S110 - there is nobody who could be told
        pass
    finally:
        os._exit(0)


def _stand_apart(reader: int) -> None:
    """Take no part in what our parent does: its terminal, its files, its signals, its directory."""
    if sys.platform == "win32":
        return
    import gc

    gc.disable()
    os.setsid()
    for signum in _IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    # what is held open is waited for: by a reader of our parent's output, or by who wants its locks
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in system.open_descriptors():
        if descriptor not in (reader, null):
            with suppress(OSError):
                os.close(descriptor)
    for descriptor in (0, 1, 2):
        if descriptor != reader:
            os.dup2(null, descriptor)
    os.chdir("/")
    system.name_process(NAME)


def listen(reader: int) -> list[ProcessTree]:
    """Listen until the other end is closed.

    Returns:
        what was running then.
    """
    running: dict[str, ProcessTree] = {}
    rest = b""
    while data := os.read(reader, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            what, (mark, *words) = line[:1], line[1:].decode().split()
            if what == b"+":
                running[mark] = ProcessTree(None, mark, own_group=False)
            elif what == b"=":
                pid, own_group, ink = map(int, words)
                birth = system.birth_of(pid)
                running[mark] = ProcessTree(pid, mark, own_group=bool(own_group), ink=ink, birth=birth)
            else:
                running.pop(mark, None)
    return list(running.values())
