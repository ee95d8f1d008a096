"""Start a process, wait for it, and end everything that it started.

All processes are started here. What is guaranteed:

- On an abnormal end (a signal, a time-out, an exception), the whole tree is ended: the child's group, its descendants,
  and the processes marked by ``SETLIST_PROCESS`` whose parents have exited.
- If the child exits by itself, the rest of its group is terminated too: everywhere but on Windows if it had a group
  of its own, on Linux if it shared ours (in a terminal). A process that left the group on purpose (a daemon that
  called ``setsid``) stays.
- If setlist gets SIGKILL, the guardian (:mod:`setlist.process.guardian`) ends the tree, if the run has one.

A process that shares our streams and our directory is started and awaited by two system calls, in this module, which
imports next to nothing for the sake of warm runs. All else, and what happens after a signal, is
:mod:`setlist.process.popen`'s.
"""

from __future__ import annotations

import os
import sys
import time

from setlist.core import system
from setlist.process import guardian
from setlist.process.completed import Capture, Completed, Grace, flush_our_own, refusal
from setlist.process.guardian import MARK
from setlist.process.signals import (
    Interrupted,
    checkpoint,
    handling_signals,
    interruptible,
    signals_here,
    signals_of_process,
)

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from setlist.process.prestart import Prestarted
    from setlist.process.process_io import Service
    from setlist.process.signals import Signals

__all__ = [
    "Capture",
    "Completed",
    "Grace",
    "Interrupted",
    "checkpoint",
    "handling_signals",
    "interruptible",
    "run_process",
]


def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str],
    stdin: bytes | None = None,
    capture: bool | Capture = False,
    stdout: str | os.PathLike[str] | int | None = None,
    stderr: int | None = None,
    timeout: float | None = None,
    grace: Grace | None = None,
    keep_open: Sequence[int] = (),
    service: Service | None = None,
    prestarted: Prestarted | None = None,
) -> Completed:
    """Run a process to its end.

    It inherits our standard streams, so that it sees the terminal if there is one. With a :class:`Capture` it has no
    terminal, unless that says so: it runs in a session of its own, without standard input.

    Args:
        argv: the program, searched on the PATH of ``env``, and its arguments. On Windows it may be a string with the
            whole command line, for programs with quoting rules of their own.
        env: all of its environment variables; ``SETLIST_PROCESS`` is added.
        cwd: its working directory.
        stdin: its standard input, instead of ours.
        capture: collect its output, or hand it on as it comes.
        stdout: the file for its standard output, which is overwritten, or a value that ``subprocess`` accepts: a
            descriptor, PIPE, DEVNULL.
        stderr: the same for standard error, and STDOUT; overrides ``capture``.
        timeout: seconds until it is terminated, with ``timed_out`` set.
        grace: how long to wait for it after signals.
        keep_open: descriptors that it inherits. A lock held by one lasts until the process ends, even if we are killed
            (POSIX; no effect elsewhere).
        service: answers its requests. Such a process ends the processes that it started itself, so it alone is
            signalled first, and gets the time for it.
        prestarted: the process, if it was started already. The arguments that say how to start one are ignored then.

    Raises:
        CommandRefused: it can't be started: it is missing or not executable, or the directory is missing.
        SessionError: the file for its standard output can't be written.
        Interrupted: a signal came, and the process tree has been ended.
    """
    grace = grace or Grace()
    signals = signals_here()
    plain = not (capture or keep_open or isinstance(argv, str)) and (stdin, stdout, stderr) == (None, None, None)
    if plain and (timeout, service, prestarted) == (None, None, None) and _can_be_spawned(argv[0], cwd, signals):
        assert signals is not None
        return _run_spawned(argv, env, cwd, grace, signals)
    from setlist.process.popen import run_by_popen

    return run_by_popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=stdin,
        capture=capture,
        stdout=stdout,
        stderr=stderr,
        timeout=timeout,
        grace=grace,
        keep_open=keep_open,
        service=service,
        prestarted=prestarted,
    )


def _can_be_spawned(program: str, cwd: str | os.PathLike[str], signals: Signals | None) -> bool:
    """Whether ``posix_spawn`` can start a program, and a signal end the wait for it.

    It knows no directory and no PATH, and signals come to the main thread. Only Linux has descriptors of processes.
    """
    if sys.platform != "linux" or signals is None or signals is not signals_of_process():
        return False
    try:
        return os.path.isabs(program) and os.fspath(cwd) == os.getcwd()
    except FileNotFoundError:  # somebody has removed the directory
        return False


def _run_spawned(
    argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str], grace: Grace, signals: Signals
) -> Completed:
    """Run a process that shares our streams and our directory."""
    assert sys.platform == "linux"
    from _signal import SIGPIPE, SIGXFSZ  # type: ignore[import-not-found]

    signals.check()
    mark = os.urandom(8).hex()
    outer = env.get(MARK)
    own_group = not system.has_controlling_terminal()
    terminal = system.terminal_state()
    flush_our_own()
    began = time.perf_counter()
    group: Any = {"setpgroup": 0} if own_group else {}
    code: int | None = None
    with signals.guarded():
        guardian.note_starting(mark)
        try:
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                {**env, MARK: f"{outer}/{mark}" if outer else mark},
                file_actions=[(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in guardian.inheritable()],
                # signals that Python ignores for itself
                setsigdef=(SIGPIPE, SIGXFSZ),
                **group,
            )
        except (OSError, ValueError) as error:
            guardian.note_ended(mark)
            raise refusal(argv[0], cwd, error) from error
        guardian.note_started(mark, pid, own_group=own_group)
        try:
            _wait(pid, signals)
            if signals.first is not None:
                from setlist.process.popen import stop_spawned

                code = stop_spawned(pid, mark, own_group, grace)
            else:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                if _may_have_left_some(pid, own_group):
                    from setlist.process.popen import end_left_in_group

                    end_left_in_group(pid, mark, own_group, code, grace)
        finally:
            guardian.note_ended(mark)
            if code != 0:
                system.restore_terminal(terminal)
    signals.check()
    assert code is not None
    return Completed(code, b"", b"", False, time.perf_counter() - began)


def _wait(pid: int, signals: Signals) -> None:
    """Wait until a child has ended, which isn't reaped, or a signal has come.

    A signal writes to the channel, so it ends the wait whenever it comes.
    """
    import select

    watched = system.watch_exit(pid)
    poll = select.poll()
    poll.register(signals.channel.reader, select.POLLIN)
    if watched is not None:
        poll.register(watched[0], select.POLLIN)
    try:
        while signals.first is None:
            if watched is None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return
            # without a descriptor (a sandbox forbids it), it is looked for every ten milliseconds
            for descriptor, _ in poll.poll(10 if watched is None else None):
                if descriptor != signals.channel.reader:
                    return
                signals.channel.drain()
    finally:
        if watched is not None:
            watched[1]()


def _may_have_left_some(pid: int, own_group: bool) -> bool:
    """Whether a process may be left in the group of a process that was reaped. Takes a system call or two."""
    if own_group:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    if sys.platform != "linux":
        return False
    try:
        with open("/proc/loadavg", "rb", 0) as stream:
            # the number of the newest process: if it is this one, none was started since
            return int(stream.read().split()[-1]) != pid
    except (OSError, ValueError, IndexError):
        return True
