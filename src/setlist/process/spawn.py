"""Start a process, wait for it, and end everything that it started.

All processes are started here. What is guaranteed:

- On an abnormal end (a signal, a time-out, an exception), the whole tree is ended: the child's group, its descendants,
  and the processes marked by ``SETLIST_PROCESS`` whose parents have exited.
- If the child exits by itself, the rest of its group is terminated too: everywhere but on Windows if it had a group
  of its own, on Linux if it shared ours (in a terminal). A process that left the group on purpose (a daemon that
  called ``setsid``) stays.
- If setlist gets SIGKILL, the guardian (:mod:`setlist.process.guardian`) ends the tree, if the run has one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any

from setlist.core import system
from setlist.core.errors import CommandRefused, SessionError
from setlist.core.records import dataclass
from setlist.process import guardian
from setlist.process.guardian import MARK
from setlist.process.prestart import Prestarted
from setlist.process.process_io import KILL_PATIENCE, Child, OnOutput, Service
from setlist.process.signals import Interrupted, checkpoint, handling_signals, interruptible, signals_here
from setlist.process.tree import ProcessTree

__all__ = ["Completed", "Grace", "Interrupted", "checkpoint", "handling_signals", "interruptible", "run_process"]


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds to wait for a process after SIGINT, and after SIGTERM."""

    interrupt: float = 5.0
    terminate: float = 3.0

    @property
    def whole(self) -> float:
        """Seconds for a process that ends its own processes in the same steps."""
        return self.interrupt + self.terminate + KILL_PATIENCE


@dataclass(frozen=True, slots=True)
class Capture:
    """Hand the output of a process on as it comes.

    ``sink`` is called in the thread that runs the process; None: the output is collected in :class:`Completed`.
    ``merged``: both streams arrive as ``stdout``, in the order in which they were written.
    """

    sink: OnOutput | None
    merged: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process ended.

    A negative ``code`` is the number of the signal that ended it. ``stdout`` and ``stderr`` hold captured output,
    ``duration`` is in seconds.
    """

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    duration: float


def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes | None = None,
    capture: bool | Capture = False,
    stdout: Path | int | None = None,
    stderr: int | None = None,
    timeout: float | None = None,
    grace: Grace | None = None,
    keep_open: Sequence[int] = (),
    service: Service | None = None,
    prestarted: Prestarted | None = None,
) -> Completed:
    """Run a process to its end.

    It inherits our standard streams, so that it sees the terminal if there is one. With a :class:`Capture` it has no
    terminal: it runs in a session of its own, without standard input.

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
    signals = signals_here()
    if signals is not None and prestarted is None:  # a process that runs is ended below
        signals.check()
    grace = grace or Grace()
    mark = os.urandom(8).hex() if prestarted is None else prestarted.mark
    outer = env.get(MARK)
    environment = {**env, MARK: f"{outer}/{mark}" if outer else mark}
    live = isinstance(capture, Capture)
    own_group = live or not system.has_controlling_terminal() if prestarted is None else prestarted.own_group
    terminal = None if live else system.terminal_state()
    if not live:
        _flush_our_own()
    began = time.perf_counter()
    with signals.guarded() if signals is not None else nullcontext():
        passed = system.pass_options(keep_open, () if service is None else service.inherited)
        sink = capture.sink if isinstance(capture, Capture) else None
        tree = ProcessTree(None, mark, own_group=False)  # known by its mark alone until it is started
        popen: subprocess.Popen[bytes] | Prestarted | None = prestarted
        finished = False
        if popen is None:
            guardian.note_starting(mark)
        try:
            if popen is None:
                popen = _start(argv, environment, cwd, stdin, capture, stdout, stderr, own_group, passed)
            tree = ProcessTree(popen.pid, mark, own_group=own_group)
            guardian.note_started(mark, popen.pid, own_group=own_group)
            child = Child(popen, tree, signals, stdin or b"", sink, service)
        except SessionError:  # nothing was started
            guardian.note_ended(mark)
            raise
        except BaseException:
            # most likely no more descriptors, without which there is no good way to wait; or a KeyboardInterrupt in a
            # program without handlers, which can come when the process runs and Popen doesn't know it yet
            tree.find()
            tree.kill()
            if popen is not None:
                popen.wait()
            guardian.note_ended(mark)
            raise
        try:
            if service is not None:
                service.started()
            timed_out = child.wait(None if timeout is None else time.monotonic() + timeout)
            if timed_out:
                if service is not None:
                    child.ask(signal.SIGTERM, grace.whole)
                child.stop(system.ways_to_stop(signal.SIGTERM, grace.interrupt, grace.terminate))
            elif signals is not None and signals.first is not None:
                ways = ways_after(signals.first, grace, own_group)
                if service is not None:
                    child.ask(ways[0][0], grace.whole)
                    ways = ()
                child.stop(ways)
                child.drain()
                signals.check()
            elif tree.left_in_group():
                child.stop(system.ways_to_stop(signal.SIGTERM, 0, grace.terminate), group_only=True)
            child.drain()
            finished = True
        finally:
            if not finished and child.code is None:
                # interrupted in a thread without handlers, or a bug: leave nothing behind either way
                child.stop(())
            child.close()
            guardian.note_ended(mark)
            if child.code != 0:
                system.restore_terminal(terminal)
        if signals is not None:
            signals.check()
    assert child.code is not None
    return Completed(child.code, bytes(child.stdout), bytes(child.stderr), timed_out, time.perf_counter() - began)


def _flush_our_own() -> None:
    """Flush our output, so that it precedes the child's."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader is gone, or the stream is closed
            if stream is not None:
                stream.flush()


def ways_after(signum: int, grace: Grace, own_group: bool) -> tuple[tuple[int, float], ...]:
    ways = system.ways_to_stop(signum, grace.interrupt, grace.terminate)
    if signum == signal.SIGINT and not own_group and system.in_foreground():
        # the terminal has sent it to the child too; a second signal would cut its clean-up short
        return ((0, grace.interrupt), *ways[1:])
    return ways


def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes | None,
    capture: bool | Capture,
    stdout: Path | int | None,
    stderr: int | None,
    own_group: bool,
    passed: Mapping[str, Any],
) -> subprocess.Popen[bytes]:
    output: IO[bytes] | int | None = subprocess.PIPE if capture else None
    if isinstance(stdout, int):
        output = stdout
    elif stdout is not None:
        try:
            stdout.parent.mkdir(parents=True, exist_ok=True)
            output = stdout.open("wb")
        except OSError as error:
            raise SessionError(f"can't write {stdout}: {error.strerror or error}") from error
    live = isinstance(capture, Capture)
    merged = isinstance(capture, Capture) and capture.merged and stdout is None
    if stderr is None and (merged or capture):
        stderr = subprocess.STDOUT if merged else subprocess.PIPE
    if live and stdin is None:
        stdin = b""
    try:
        return subprocess.Popen(
            argv if isinstance(argv, str) else list(argv),
            env=env,
            cwd=cwd,
            stdin=None if stdin is None else subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=stderr,
            bufsize=0,
            **passed,
            **system.group_options(own_group=own_group, own_session=live),
        )
    except (OSError, ValueError) as error:
        raise refusal(argv if isinstance(argv, str) else argv[0], cwd, error) from error
    finally:
        if output is not None and not isinstance(output, int):
            output.close()


def refusal(program: str, cwd: Path, error: OSError | ValueError) -> CommandRefused:
    """The error for a process that couldn't be started."""
    import errno

    if not isinstance(error, OSError):
        return CommandRefused(f"can't run {program!r}: {error}")
    if not cwd.is_dir():
        return CommandRefused(f"can't run {program}: the directory {cwd} doesn't exist")
    path = cwd / program if os.path.dirname(program) else None
    if isinstance(error, FileNotFoundError):
        if path is not None and path.exists():
            return CommandRefused(
                f"can't run {program}: the interpreter named in its first line (#!) isn't there",
                hint="if it belongs to an environment that was moved, recreate that one",
            )
        return CommandRefused(f"can't run {program}: no such program" + ("" if path else " on PATH"))
    if isinstance(error, PermissionError):
        if path is not None and path.is_dir():
            return CommandRefused(f"can't run {program}: it is a directory")
        return CommandRefused(f"can't run {program}: permission denied", hint="is it executable? (chmod +x)")
    if error.errno == errno.ENOEXEC:
        return CommandRefused(
            f"can't run {program}: not a program of this system",
            hint="a script needs a first line that names its interpreter, as '#!/bin/sh'",
        )
    if error.errno == errno.E2BIG:
        return CommandRefused(f"can't run {program}: its arguments are longer than the system allows")
    return CommandRefused(f"can't run {program}: {error.strerror or error}")
