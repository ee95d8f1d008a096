"""The one way to start a process, and the promise that nothing it started outlives the call.

What is guaranteed, where:

- On an abnormal end (a signal to us, a time-out, an exception) the whole tree is ended: the child's
  group, its descendants, and those marked by ``SETLIST_PROCESS`` whose parents are gone.
- When the child ended by itself, what is left of its group is terminated as well: everywhere but on
  Windows when it had a group of its own, on Linux when it shared ours (under a terminal). What
  left the group on purpose (a daemon that called ``setsid``) was meant to stay, and stays.
- SIGKILL to ourselves leaves the child alone with its fate: nobody can do anything then.

Waiting is one ``select`` on the child's exit (a pidfd, a kqueue, or else a thread), the pipes to it,
and the channel that signals wake. There is no polling but while an interrupted tree is being ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

from setlist import system
from setlist.errors import CommandRefused, SessionError
from setlist.process_tree import MARK, ProcessTree
from setlist.records import dataclass
from setlist.signals import Interrupted, Signals, WakeChannel, checkpoint, handling_signals, interruptible, signals_here

__all__ = ["Completed", "Grace", "Interrupted", "checkpoint", "handling_signals", "interruptible", "run_process"]

STRAGGLERS = 0.3
"""Seconds that others have left after an interrupted child has ended. It was the one with something to clean
up; what a shell started in the background ignores SIGINT."""

KILL_PATIENCE = 5.0
"""Seconds after SIGKILL until we give up on what doesn't die (a process stuck in the kernel)."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a process is waited for, in seconds: after SIGINT, and after SIGTERM."""

    interrupt: float = 5.0
    terminate: float = 3.0


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process ended.

    A negative ``code`` is the number of the signal that ended it. ``stdout`` and ``stderr`` are what
    was captured, ``duration`` is in seconds.
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
    capture: bool = False,
    stdout: Path | None = None,
    timeout: float | None = None,
    grace: Grace | None = None,
    keep_open: Sequence[int] = (),
) -> Completed:
    """Run a process to its end.

    Its standard streams are ours, untouched, so that it sees a terminal where we have one.

    Args:
        argv: the program, looked for on the PATH of ``env``, and its arguments. On Windows it may be one
            string, a whole command line, for programs with quoting rules of their own.
        env: all of its environment variables; ``SETLIST_PROCESS`` is added.
        cwd: the directory it starts in.
        stdin: what it is fed, instead of our standard input.
        capture: collect what it writes.
        stdout: the file that its standard output goes to (it is overwritten).
        timeout: seconds until it is terminated, with ``timed_out`` set.
        grace: how long it is waited for once it is told to stop.
        keep_open: descriptors that it inherits: a lock held so ends with it, and not before, even when we
            are killed (POSIX; elsewhere they are ours alone).

    Raises:
        CommandRefused: it can't be started: not there, not executable, no such directory.
        SessionError: the file for its standard output can't be written.
        Interrupted: a signal reached us, and everything has been ended.
    """
    signals = signals_here()
    if signals is not None:
        signals.check()
    grace = grace or Grace()
    mark = os.urandom(8).hex()
    outer = env.get(MARK)
    environment = {**env, MARK: f"{outer}/{mark}" if outer else mark}
    own_group = not system.has_controlling_terminal()
    terminal = system.terminal_state()
    _flush_our_own()
    began = time.perf_counter()
    with signals.guarded() if signals is not None else nullcontext():
        popen = _start(argv, environment, cwd, stdin, capture, stdout, own_group, keep_open)
        tree = ProcessTree(popen.pid, mark, own_group=own_group)
        child = _Child(popen, tree, signals, stdin or b"")
        finished = False
        try:
            timed_out = child.wait(None if timeout is None else time.monotonic() + timeout)
            if timed_out:
                child.stop(system.ways_to_stop(signal.SIGTERM, grace.interrupt, grace.terminate))
            elif signals is not None and signals.first is not None:
                child.stop(_ways_after(signals.first, grace, own_group))
                signals.check()
            elif tree.left_in_group():
                child.stop(system.ways_to_stop(signal.SIGTERM, 0, grace.terminate), group_only=True)
            child.drain()
            finished = True
        finally:
            if not finished and child.code is None:
                # Interrupted in a thread without our handlers, or a bug: nothing is left behind either way
                child.stop(())
            child.close()
            if child.code != 0:
                system.restore_terminal(terminal)
        if signals is not None:
            signals.check()
    assert child.code is not None
    return Completed(child.code, bytes(child.stdout), bytes(child.stderr), timed_out, time.perf_counter() - began)


def _flush_our_own() -> None:
    """What we have printed comes before what the child prints."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that is gone, a stream that is closed
            if stream is not None:
                stream.flush()


def _ways_after(signum: int, grace: Grace, own_group: bool) -> tuple[tuple[int, float], ...]:
    ways = system.ways_to_stop(signum, grace.interrupt, grace.terminate)
    if signum == signal.SIGINT and not own_group and system.in_foreground():
        # the terminal has sent it to the child as well; a second one would cut its clean-up short
        return ((0, grace.interrupt), *ways[1:])
    return ways


def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes | None,
    capture: bool,
    stdout: Path | None,
    own_group: bool,
    keep_open: Sequence[int],
) -> subprocess.Popen[bytes]:
    output: IO[bytes] | int | None = subprocess.PIPE if capture else None
    if stdout is not None:
        try:
            stdout.parent.mkdir(parents=True, exist_ok=True)
            output = stdout.open("wb")
        except OSError as error:
            raise SessionError(f"can't write {stdout}: {error.strerror or error}") from error
    try:
        return subprocess.Popen(
            argv if isinstance(argv, str) else list(argv),
            env=env,
            cwd=cwd,
            stdin=None if stdin is None else subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE if capture else None,
            bufsize=0,
            pass_fds=() if system.WINDOWS else keep_open,
            **system.group_options(own_group=own_group),
        )
    except (OSError, ValueError) as error:
        raise _refused(argv if isinstance(argv, str) else argv[0], cwd, error) from error
    finally:
        if stdout is not None and not isinstance(output, int) and output is not None:
            output.close()


def _refused(program: str, cwd: Path, error: OSError | ValueError) -> CommandRefused:
    """Why a process couldn't be started, in words."""
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


class _Child:
    """A running child: its pipes are served, its end is waited for, its tree is ended."""

    def __init__(
        self, popen: subprocess.Popen[bytes], tree: ProcessTree, signals: Signals | None, stdin: bytes
    ) -> None:
        self.code: int | None = None
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._popen = popen
        self._tree = tree
        self._signals = signals
        self._stdin = memoryview(stdin)
        self._selector = selectors.DefaultSelector()
        self._own: WakeChannel | None = None
        self._threads: list[threading.Thread] = []
        self._exit = system.watch_exit(popen.pid)
        if signals is not None:
            self._selector.register(signals.channel.reader, selectors.EVENT_READ, signals.channel.drain)
        if self._exit is not None:
            self._selector.register(self._exit[0], selectors.EVENT_READ, None)
        else:
            self._wait_in_a_thread()
        self._serve_pipes()

    def wait(self, deadline: float | None) -> bool:
        """Wait until the child ends or a signal comes.

        Args:
            deadline: the monotonic time until which to wait.

        Returns:
            True when the time was up first.
        """
        while not self._ended():
            if self._signals is not None and self._signals.first is not None:
                return False
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return True
            self._serve(remaining)
        return False

    def stop(self, ways: Sequence[tuple[int, float]], *, group_only: bool = False) -> None:
        """End the child and all that belongs to it.

        Args:
            ways: signals to send, each with the seconds to wait after it; a signal of 0 isn't sent.
                What is left then is killed; at once, when another signal reaches us meanwhile.
            group_only: leave alone what left the group.
        """
        count = self._signals.count if self._signals is not None else 0
        for position, (signum, seconds) in enumerate(ways, 1):
            if not self._tree.find(group_only=group_only) and self._ended():
                return
            if signum:
                self._tree.send(signum)
            if self._gone_within(seconds, count, group_only, milder=position < len(ways)):
                return
        patience = time.monotonic() + KILL_PATIENCE
        while True:
            # looked for anew each time: one that forks may have done so in between
            left = self._tree.find(group_only=group_only)
            if (not left and self._ended()) or time.monotonic() > patience:
                return
            self._tree.kill()
            self._gone_within(0.05, count, group_only)

    def drain(self) -> None:
        """Take what is still in the pipes. Whoever holds them open still (a daemon) isn't waited for."""
        for thread in self._threads:
            thread.join(timeout=1.0)
        if sys.platform != "win32":
            for stream, buffer in ((self._popen.stdout, self.stdout), (self._popen.stderr, self.stderr)):
                if stream is not None and not stream.closed:
                    while self._read(stream, buffer):
                        pass

    def close(self) -> None:
        """Give back what was used for waiting."""
        self._selector.close()
        if self._exit is not None:
            self._exit[1]()
        if self._own is not None:
            for thread in self._threads:
                thread.join(timeout=1.0)
            self._own.close()
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue

    def _ended(self) -> bool:
        if self.code is None:
            self.code = self._popen.poll()
        return self.code is not None

    def _insisted(self, count: int) -> bool:
        return self._signals is not None and self._signals.count > count

    def _gone_within(self, seconds: float, count: int, group_only: bool, *, milder: bool = False) -> bool:
        """Whether the whole tree is gone within some seconds; stops waiting when a signal comes.

        Args:
            seconds: how long to wait.
            count: the signals that have come so far.
            group_only: leave alone what left the group.
            milder: a stronger signal follows: once the child has ended, the others aren't waited for as long.
        """
        deadline = time.monotonic() + seconds
        pause = 0.002
        while True:
            if milder and self._ended():
                deadline = min(deadline, time.monotonic() + STRAGGLERS)
                milder = False
            # the cheap question first: looking for strays means looking at every process there is
            if self._ended() and not self._tree.alive() and not self._tree.find(group_only=group_only):
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._insisted(count):
                return False
            self._serve(min(pause, remaining))
            pause = min(pause * 2, 0.05)

    def _serve(self, timeout: float | None) -> None:
        """Wait for one thing to happen, and deal with it."""
        if self.code is not None and self._exit is not None:
            # its descriptor stays readable and would make every wait return at once
            with suppress(KeyError):
                self._selector.unregister(self._exit[0])
        if not self._selector.get_map():
            time.sleep(timeout or 0)
            return
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                key.data()

    def _serve_pipes(self) -> None:
        popen = self._popen
        if sys.platform == "win32":
            for stream, buffer in ((popen.stdout, self.stdout), (popen.stderr, self.stderr)):
                if stream is not None:
                    self._thread(self._read_all, stream, buffer)
            if popen.stdin is not None:
                self._thread(self._write_all, popen.stdin)
            return
        for stream, buffer in ((popen.stdout, self.stdout), (popen.stderr, self.stderr)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, self._reader(stream, buffer))
        if popen.stdin is not None:
            os.set_blocking(popen.stdin.fileno(), False)
            self._selector.register(popen.stdin, selectors.EVENT_WRITE, self._write)

    def _reader(self, stream: IO[bytes], buffer: bytearray) -> Callable[[], None]:
        def read() -> None:
            self._read(stream, buffer)

        return read

    def _read(self, stream: IO[bytes], buffer: bytearray) -> bool:
        try:
            data = os.read(stream.fileno(), 65536)
        except BlockingIOError:
            return False
        buffer += data
        if not data:
            self._finished_with(stream)
        return bool(data)

    def _write(self) -> None:
        stream = self._popen.stdin
        assert stream is not None
        try:
            self._stdin = self._stdin[os.write(stream.fileno(), self._stdin[:65536]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it doesn't want to hear the rest
            self._stdin = self._stdin[:0]
        if not self._stdin:
            self._finished_with(stream)

    def _finished_with(self, stream: IO[bytes]) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(stream)
        stream.close()

    def _wait_in_a_thread(self) -> None:
        self._own = channel = WakeChannel()
        self._selector.register(channel.reader, selectors.EVENT_READ, channel.drain)

        def wait() -> None:
            self._popen.wait()
            channel.wake()

        self._thread(wait)

    def _thread(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_all(self, stream: IO[bytes], buffer: bytearray) -> None:
        while data := stream.read(65536):
            buffer += data

    def _write_all(self, stream: IO[bytes]) -> None:
        try:
            stream.write(self._stdin)
            stream.close()
        except OSError:
            pass
