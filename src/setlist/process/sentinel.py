"""What stands behind a run at the price of next to no imports: the process that listens.

:mod:`setlist.process.guardian` tells what it is for. A warm run (:mod:`setlist.engine.warm`) has no time for more.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELL = "/bin/sh"

# It keeps, as its arguments, what is running; a line is about a process that has a certain mark:
# '+' it is about to start, '=' it was started, and this is what is known of it, '-' it is gone.
# Where no line has come, nothing was ever started.
LISTEN = """
trap '' INT TERM HUP QUIT
python=$1 program=$2 grace=$3
set --
some=
while read -r what mark rest; do
    for one do
        shift
        case $one in "$mark"*) ;; *) set -- "$@" "$one" ;; esac
    done
    [ "$what" = - ] || set -- "$@" "$mark $rest"
    some=thing
done
[ "$some" ] && exec "$python" -c "$program" "$grace" "$@"
"""

# not to import what lies in the directory that the run was started in
TAKE_OVER = (
    "import sys; sys.path[:] = filter(None, sys.path);"
    " from setlist.process.guardian import run_guardian; run_guardian()"
)


def listen(grace_seconds: float) -> tuple[int, int] | None:
    """Start the process that ends what we have started when we can't.

    Args:
        grace_seconds: how long it waits between SIGTERM and SIGKILL.

    Returns:
        its number, and the end of the pipe at which it is told; None where there is none to be had.
    """
    if sys.platform == "win32":
        return None
    # 'signal' itself makes enumerations of them, which takes longer than all the rest here
    from _signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM  # type: ignore[import-not-found]

    reader, writer = os.pipe()
    argv = [SHELL, "-c", LISTEN, "setlist-guardian", sys.executable, TAKE_OVER, str(grace_seconds)]
    actions = [
        (os.POSIX_SPAWN_DUP2, reader, 0),
        # what it held open would be waited for, by whoever reads what we print
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inheritable()),
    ]
    stubborn = (SIGINT, SIGTERM, SIGHUP, SIGQUIT)
    try:
        # it goes on in our name, so it sees what we see: this isn't the world of the caller's commands
        pid = os.posix_spawn(SHELL, argv, os.environ, file_actions=actions, setsid=True, setsigmask=stubborn)
    except (OSError, NotImplementedError):
        # no shell, no more processes to be had, a system without: then there is nobody
        os.close(writer)
        return None
    finally:
        os.close(reader)
    # a listener that somebody has stopped must not stop us
    os.set_blocking(writer, False)
    return pid, writer


def dismiss(pid: int, writer: int) -> None:
    """End the listener. The system does that more quickly than it could itself."""
    if sys.platform == "win32":
        return
    from _signal import SIGKILL

    try:
        # one that has ended already may have been reaped by somebody, and its number given away
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, SIGKILL)
            os.waitpid(pid, 0)
    except OSError:
        pass
    os.close(writer)


def inheritable() -> list[int]:
    """The descriptors, besides the standard ones, that whoever started us has handed down."""
    found = []
    try:
        for descriptor in map(int, os.listdir("/dev/fd")):
            try:
                if descriptor > 2 and os.get_inheritable(descriptor):
                    found.append(descriptor)
            except OSError:  # the one that the listing was read by
                continue
    except (OSError, ValueError):
        pass
    return found


def birth_of(pid: int) -> float:
    """What tells a process from a later one that got its number; 0 where it is gone.

    On Linux when it was started, by the clock that nobody sets. Elsewhere, where asking costs more: now.
    """
    if sys.platform != "linux":
        import time

        return time.time()
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return 0.0
    try:
        # the name before it, in parentheses, may hold anything
        return float(os.read(descriptor, 4096).rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    finally:
        os.close(descriptor)


def line_of(mark: str, pid: int, *, own_group: bool) -> str:
    """What the listener is told of a process that was started."""
    return f"= {mark} {pid} {int(own_group)} {birth_of(pid)!r}"


def tell(writer: int, lines: Sequence[str]) -> None:
    """Tell the listener. Lines are shorter than what a pipe takes at once, so any thread may write."""
    try:
        os.write(writer, "".join(f"{line}\n" for line in lines).encode())
    except OSError:  # that it is gone is no reason for us to end
        pass
