"""The guardian process: ends what a run started if the run crashes or is killed by SIGKILL.

On POSIX, a run starts the guardian first and reports each process that it starts or that has ended through a pipe.
When the pipe closes and the guardian hasn't been dismissed, the run is gone, and the guardian ends the processes that
still run. Until then it is a shell, which starts in a third of the time of a fork of Python, needs little memory, and
may be started beside threads. On Windows, a job object does the same (:mod:`setlist.process.windows_job`).

A process that a command has left behind on purpose (a daemon) stays once that command has ended.

A warm run (:mod:`setlist.cli.fast_path`) imports this module, so it imports next to nothing itself: ``_signal`` instead
of ``signal``, no ``contextlib``.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "SETLIST_PROCESS"
"""The environment variable by which the processes that a process started are recognised, if nothing else tells."""

SHELL = "/bin/sh"

# The shell keeps the processes that run as its arguments. A line is about the process with a certain mark:
# '+' it is about to start, '=' it was started, with what identifies it, '-' it has ended.
LISTEN = """
trap '' INT TERM HUP QUIT
python=$1 program=$2 grace=$3
set --
while read -r change mark rest; do
    for one do
        shift
        case $one in "$mark"*) ;; *) set -- "$@" "$one" ;; esac
    done
    [ "$change" = - ] || set -- "$@" "$mark $rest"
done
[ $# -gt 0 ] && exec "$python" -c "$program" "$grace" "$@"
"""

# sys.path is filtered so that nothing is imported from the directory that the run was started in
TAKE_OVER = (
    "import sys; sys.path[:] = filter(None, sys.path);"
    " from setlist.process.tree import run_guardian; run_guardian(sys.argv[1:])"
)


class _Guardian:
    """The run's end of the pipe. ``pid`` is the guardian's, ``writer`` the descriptor that it is told through."""

    def __init__(self, pid: int, writer: int) -> None:
        self.pid = pid
        self.writer = writer

    def send(self, line: str) -> None:
        """Send a line. It is shorter than what a pipe takes at once, so any thread may send."""
        try:
            os.write(self.writer, f"{line}\n".encode())
        except OSError:  # the run goes on without a guardian
            pass

    def dismiss(self) -> None:
        """Kill the guardian, which is faster than letting it end by itself."""
        if sys.platform == "win32":
            return
        from _signal import SIGKILL  # type: ignore[import-not-found]

        try:
            # if it has ended, somebody may have reaped it, and its number may be another process's
            if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                os.kill(self.pid, SIGKILL)
                os.waitpid(self.pid, 0)
        except OSError:
            pass
        os.close(self.writer)


class _Holder:
    """The guardian of this process. It is global, as the processes that it guards are the whole process's."""

    guardian: _Guardian | None = None
    active = False


_HOLDER = _Holder()


class _Guarding:
    """The context of :func:`guarding`."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._outermost = False
        self._release: Callable[[], None] | None = None

    def __enter__(self) -> None:
        self._outermost = not _HOLDER.active
        if not self._outermost:
            return
        if sys.platform == "win32":
            from setlist.process.windows_job import end_with_us

            _HOLDER.active, self._release = True, end_with_us()
            return
        with _BlockedSignals():
            _HOLDER.active, _HOLDER.guardian = True, _start(self._grace_seconds)

    def __exit__(self, *error: object) -> None:
        if not self._outermost:
            return
        guardian = _HOLDER.guardian
        _HOLDER.active, _HOLDER.guardian = False, None
        if self._release is not None:
            self._release()
        if guardian is not None:
            with _BlockedSignals():
                guardian.dismiss()


def guarding(grace_seconds: float) -> _Guarding:
    """While inside, the processes that this one starts end with it, even when it is killed.

    A nested ``with`` has no effect.

    Args:
        grace_seconds: how long the guardian waits between SIGTERM and SIGKILL.
    """
    return _Guarding(grace_seconds)


def note_starting(mark: str) -> None:
    """Report that a process is about to start.

    Args:
        mark: its own part of ``SETLIST_PROCESS``.
    """
    if _HOLDER.guardian is not None:
        _HOLDER.guardian.send(f"+ {mark}")


def note_started(mark: str, pid: int, *, own_group: bool) -> None:
    """Report that a process was started: it is to end with this one.

    Args:
        mark: its own part of ``SETLIST_PROCESS``.
        pid: its number.
        own_group: whether it leads a process group of its own.
    """
    if _HOLDER.guardian is not None:
        _HOLDER.guardian.send(f"= {mark} {pid} {int(own_group)} {birth_of(pid)!r}")


def note_ended(mark: str) -> None:
    """Report that a process has ended, with all of its tree that was to end, or that it couldn't be started."""
    if _HOLDER.guardian is not None:
        _HOLDER.guardian.send(f"- {mark}")


class _BlockedSignals:
    """While inside, no signal interrupts this thread, so that each step here is completed. POSIX only."""

    def __enter__(self) -> None:
        if sys.platform != "win32":
            from _signal import SIG_BLOCK, SIGHUP, SIGINT, SIGTERM, pthread_sigmask

            self._before = pthread_sigmask(SIG_BLOCK, (SIGINT, SIGTERM, SIGHUP))

    def __exit__(self, *error: object) -> None:
        if sys.platform != "win32":
            from _signal import SIG_SETMASK, pthread_sigmask

            pthread_sigmask(SIG_SETMASK, self._before)


def _start(grace_seconds: float) -> _Guardian | None:
    """Start the guardian. None where it can't be started."""
    if sys.platform == "win32":
        return None
    # 'signal' makes enumerations of these numbers, which takes longer than all the rest here
    from _signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM

    reader, writer = os.pipe()
    argv = [SHELL, "-c", LISTEN, "setlist-guardian", sys.executable, TAKE_OVER, str(grace_seconds)]
    actions = [
        (os.POSIX_SPAWN_DUP2, reader, 0),
        # whoever reads the run's output waits until nobody holds it open
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inheritable()),
    ]
    blocked = (SIGINT, SIGTERM, SIGHUP, SIGQUIT)
    try:
        # with this process's variables, not those of a command: the guardian acts for this process
        pid = os.posix_spawn(SHELL, argv, os.environ, file_actions=actions, setsid=True, setsigmask=blocked)
    except (OSError, NotImplementedError):  # no shell, no more processes; a posix_spawn without setsid
        os.close(writer)
        return None
    finally:
        os.close(reader)
    # a guardian that somebody has stopped must not stop the run
    os.set_blocking(writer, False)
    return _Guardian(pid, writer)


def inheritable() -> list[int]:
    """The inheritable descriptors of this process, without the standard ones.

    One beyond the limit of open files, which ``posix_spawn`` can't close, isn't inheritable from now on.
    """
    descriptors = []
    limit = os.sysconf("SC_OPEN_MAX") if sys.platform != "win32" else 0
    try:
        for descriptor in map(int, os.listdir("/dev/fd")):
            try:
                if descriptor <= 2 or not os.get_inheritable(descriptor):
                    continue
                if 0 < limit <= descriptor:
                    os.set_inheritable(descriptor, False)
                else:
                    descriptors.append(descriptor)
            except OSError:  # the descriptor that the directory was read by
                continue
    except (OSError, ValueError):
        pass
    return descriptors


def birth_of(pid: int) -> float:
    """A number that tells a process from a later one with the same pid; 0 if there is no such process.

    On Linux the start time in clock ticks since boot. Elsewhere, where a look costs more, the present time.
    """
    if sys.platform != "linux":
        import time

        return time.time()
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return 0.0
    try:
        # the process's name stands before it in parentheses, and may hold anything
        return float(os.read(descriptor, 4096).rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    finally:
        os.close(descriptor)


def _forget() -> None:
    """In a fork of this process, made by a library: drop the guardian, and don't keep its pipe open."""
    guardian = _HOLDER.guardian
    _HOLDER.active, _HOLDER.guardian = False, None
    if guardian is not None:
        try:
            os.close(guardian.writer)
        except OSError:
            pass


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
