"""What ends our processes when we can't: when we are killed by SIGKILL, or crash.

On POSIX a process of its own, started when a run begins: it listens at a pipe whose other end is ours alone, and is
told of each process that we start. When the pipe closes without our taking leave of it, we are gone; then it ends
what we have left. While it only listens it is a shell, which takes a third of the time that forking ourselves would
take, next to no memory, and may be started beside threads. On Windows a job object does the same
(:mod:`setlist.job`).

What a command that ended by itself left on purpose (a daemon) stays, whatever becomes of us.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from setlist import system
from setlist.ink import inked, inking, new_run
from setlist.process_tree import ProcessTree, end_all

SHELL = "/bin/sh"

# It keeps, as its arguments, what is running; a line is about a process that has a certain mark:
# '+' it is about to start, '=' it was started, and this is what is known of it, '-' it is gone.
LISTEN = """
trap '' INT TERM HUP QUIT
python=$1 program=$2 grace=$3 ink=$4
set --
while read -r what mark rest; do
    for one do
        shift
        case $one in "$mark"*) ;; *) set -- "$@" "$one" ;; esac
    done
    [ "$what" = - ] || set -- "$@" "$mark $rest"
done
exec "$python" -c "$program" "$grace" "$ink" "$@"
"""

# not to import what lies in the directory that the run was started in
TAKE_OVER = "import sys; sys.path[:] = filter(None, sys.path); from setlist.guardian import take_over; take_over()"


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
        from setlist.job import end_with_us

        spare = end_with_us()
        try:
            yield
        finally:
            if spare is not None:
                spare()
        return
    run = new_run()
    guardian = _start(grace_seconds, run)
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
        guardian.tell(f"+ {mark}")
    try:
        with inking() as ink:
            yield ink
    except BaseException:
        note_ended(mark)
        raise


def note_started(tree: ProcessTree) -> None:
    """A process was started: when we are gone, it is to end."""
    guardian = _HOLDER.guardian
    if guardian is not None and tree.pid is not None:
        birth = system.birth_of(tree.pid)
        guardian.tell(f"= {tree.mark} {tree.pid} {int(tree.own_group)} {tree.ink} {birth!r}")


def note_ended(mark: str) -> None:
    """A process has ended, with all of its tree that was to end."""
    guardian = _HOLDER.guardian
    if guardian is not None:
        guardian.tell(f"- {mark}")


def end_orphans(terminate: float) -> None:
    """End what this run started and that belongs to no command, when the run was interrupted.

    Every command has ended what belongs to it by then. Only on Linux, and inside :func:`guarding`, is anything found.

    Args:
        terminate: seconds between SIGTERM and SIGKILL.
    """
    if _HOLDER.run:
        end_all([ProcessTree(None, "", own_group=False, ink=_HOLDER.run)], terminate=terminate)


def take_over() -> None:
    """What the guardian does in the end: it is told, as arguments, the grace, the run's ink, and what was running."""
    grace, run, *running = sys.argv[1:]
    trees = [_tree_of(*line.split()) for line in running]
    end_all([*trees, ProcessTree(None, "", own_group=False, ink=int(run))], terminate=float(grace))


def _tree_of(mark: str, pid: str = "", own_group: str = "0", ink: str = "0", birth: str = "") -> ProcessTree:
    if not pid:
        # we were killed while it was being started
        return ProcessTree(None, mark, own_group=False)
    return ProcessTree(int(pid), mark, own_group=own_group == "1", ink=int(ink), birth=float(birth))


def _start(grace_seconds: float, run: int) -> _Guardian | None:
    if sys.platform == "win32":
        return None
    reader, writer = os.pipe()
    argv = [SHELL, "-c", LISTEN, "setlist-guardian", sys.executable, TAKE_OVER, str(grace_seconds), str(run)]
    actions = [
        (os.POSIX_SPAWN_DUP2, reader, 0),
        # what it held open would be waited for, by whoever reads what we print
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inheritable()),
    ]
    stubborn = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    try:
        # it goes on in our name, so it sees what we see: this isn't the world of the caller's commands
        pid = os.posix_spawn(SHELL, argv, os.environ, file_actions=actions, setsid=True, setsigmask=stubborn)
    except (OSError, NotImplementedError):
        # no shell, no more processes to be had, a system without: then there is nobody
        os.close(writer)
        return None
    finally:
        os.close(reader)
    return _Guardian(pid, writer)


def _inheritable() -> list[int]:
    """The descriptors, besides the standard ones, that whoever started us has handed down."""
    found = []
    with suppress(OSError, ValueError):
        for descriptor in map(int, os.listdir("/dev/fd")):
            with suppress(OSError):
                if descriptor > 2 and os.get_inheritable(descriptor):
                    found.append(descriptor)
    return found


def _forget() -> None:
    """In a process that was forked from ours, by a library: it isn't guarded, and mustn't hold the pipe open."""
    guardian = _HOLDER.guardian
    _HOLDER.active, _HOLDER.guardian, _HOLDER.run = False, None, 0
    if guardian is not None:
        with suppress(OSError):
            os.close(guardian.writer)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
