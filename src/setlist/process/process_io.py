"""Serve a child's pipes, wait for its end, and end its process tree.

A wait is one ``select`` on the child's exit (a pidfd, a kqueue, or else a thread), its pipes, and the channel that
signals wake. Only while an interrupted tree is ended does this module poll.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol

from setlist.core import system
from setlist.process.completed import KILL_PATIENCE
from setlist.process.prestart import Prestarted
from setlist.process.signals import Signals, WakeChannel
from setlist.process.tree import ProcessTree

if TYPE_CHECKING:
    from setlist.process.completed import OnOutput, Stream

STRAGGLERS = 0.3
"""Seconds that other processes have after an interrupted child has ended. The child was the one to clean up; a shell's
background processes ignore SIGINT."""

READ_AT_ONCE = 1 << 18
"""Bytes: the size of a pipe, if the system can change it (:func:`setlist.core.system.widen_pipe`). A read costs the
same, however much it returns."""

MOST_IN_A_PIPE = 1 << 20
"""Bytes: the most that a pipe holds when its writer has ended or waits for us."""


class Service(Protocol):
    """Answers the requests of a child, which come through a pipe of their own.

    ``reader`` is the descriptor to read requests from, ``inherited`` are the descriptors that the child inherits.
    ``finished`` means that no more requests will come.
    """

    reader: int
    inherited: tuple[int, ...]
    finished: bool

    def started(self) -> None:
        """The child has inherited its descriptors."""

    def ready(self) -> bool:
        """Read a request, and answer it. False if there was none."""


class Child:
    """A child that was started.

    Args:
        popen: the child.
        tree: the child's process tree.
        signals: the signals of this thread; None if no handler is installed.
        stdin: the child's standard input.
        sink: receives output as it comes. Without it, output is collected in ``stdout`` and ``stderr``.
        service: answers the child's requests, after all output that the child wrote before the request was read.
    """

    def __init__(
        self,
        popen: subprocess.Popen[bytes] | Prestarted,
        tree: ProcessTree,
        signals: Signals | None,
        stdin: bytes,
        sink: OnOutput | None = None,
        service: Service | None = None,
    ) -> None:
        self.code: int | None = None
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._popen = popen
        self._tree = tree
        self._signals = signals
        self._stdin = memoryview(stdin)
        self._sink = sink
        self._service = service
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
            True if the deadline came first.
        """
        while not self._ended():
            if self._signals is not None and self._signals.first is not None:
                return False
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return True
            self._serve(remaining)
        return False

    def ask(self, signum: int, seconds: float) -> None:
        """Let the child end the processes that it started itself, and wait for it.

        Args:
            signum: the signal to send to the child alone; 0 if it got one already.
            seconds: how long to wait. A further signal ends the wait.
        """
        count = self._signals.count if self._signals is not None else 0
        if signum:
            with suppress(OSError, ValueError):
                self._popen.send_signal(system.signal_to_one(signum))
        deadline = time.monotonic() + seconds
        while not self._ended() and not self._insisted(count) and (remaining := deadline - time.monotonic()) > 0:
            self._serve(remaining)

    def stop(self, ways: Sequence[tuple[int, float]], *, group_only: bool = False) -> None:
        """End the child and its process tree.

        Args:
            ways: signals to send, each with the seconds to wait after it; a signal of 0 isn't sent. After them, the
                rest is killed. If another signal reaches this process meanwhile, the rest is killed at once.
            group_only: leave out processes that left the group.
        """
        count = self._signals.count if self._signals is not None else 0
        for position, (signum, seconds) in enumerate(ways, 1):
            if not self._tree.left(group_only=group_only) and self._ended():
                return
            if signum:
                self._tree.send(signum)
            if self._gone_within(seconds, count, group_only, milder=position < len(ways)):
                return
        patience = time.monotonic() + KILL_PATIENCE
        while True:
            # each scan is new: a process may have forked in between
            if (self._tree.gone(group_only=group_only) and self._ended()) or time.monotonic() > patience:
                return
            self._tree.kill(group_only=group_only)
            self._gone_within(0.05, count, group_only)

    def drain(self) -> None:
        """Read the rest of the pipes, without waiting for a daemon that holds them open."""
        for thread in self._threads:
            thread.join(timeout=1.0)
        if sys.platform != "win32":
            self._take_output()
            while self._service is not None and self._service.ready():
                pass

    def close(self) -> None:
        """Close the descriptors and streams."""
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
        """Whether the whole tree is gone within some seconds. A signal ends the wait.

        Args:
            seconds: how long to wait.
            count: the number of signals so far.
            group_only: leave out processes that left the group.
            milder: a stronger signal follows, so the wait is shorter once the child has ended.
        """
        deadline = time.monotonic() + seconds
        pause = 0.002
        while True:
            if milder and self._ended():
                deadline = min(deadline, time.monotonic() + STRAGGLERS)
                milder = False
            if self._ended() and self._tree.gone(group_only=group_only):
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._insisted(count):
                return False
            self._serve(min(pause, remaining))
            pause = min(pause * 2, 0.05)

    def _serve(self, timeout: float | None) -> None:
        """Wait for events, and handle them."""
        if self.code is not None and self._exit is not None:
            # the descriptor of an exit stays readable, and would end every wait at once
            with suppress(KeyError):
                self._selector.unregister(self._exit[0])
        if not self._selector.get_map():
            time.sleep(timeout or 0)
            return
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                key.data()

    def _outputs(self) -> tuple[tuple[IO[bytes] | None, Stream], ...]:
        return ((self._popen.stdout, "stdout"), (self._popen.stderr, "stderr"))

    def _serve_pipes(self) -> None:
        popen = self._popen
        if sys.platform == "win32":
            for stream, name in self._outputs():
                if stream is not None:
                    self._thread(self._read_all, stream, name)
            if popen.stdin is not None:
                self._thread(self._write_all, popen.stdin)
            if self._service is not None:
                self._thread(self._answer_all, self._service)
            return
        for stream, name in self._outputs():
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                system.widen_pipe(stream.fileno(), READ_AT_ONCE)
                self._selector.register(stream, selectors.EVENT_READ, self._reader(stream, name))
        if popen.stdin is not None:
            os.set_blocking(popen.stdin.fileno(), False)
            self._selector.register(popen.stdin, selectors.EVENT_WRITE, self._write)
        if self._service is not None:
            os.set_blocking(self._service.reader, False)
            self._selector.register(self._service.reader, selectors.EVENT_READ, self._answer)

    def _reader(self, stream: IO[bytes], name: Stream) -> Callable[[], None]:
        def read() -> None:
            self._read(stream, name)

        return read

    def _read(self, stream: IO[bytes], name: Stream) -> bool:
        if stream.closed:  # by the handler before, if both streams had become readable
            return False
        try:
            data = os.read(stream.fileno(), READ_AT_ONCE)
        except BlockingIOError:
            return False
        if data:
            self._take(name, data)
        else:
            self._finished_with(stream)
        return bool(data)

    def _take(self, name: Stream, data: bytes) -> None:
        if self._sink is not None:
            self._sink(name, data)
        elif name == "stdout":
            self.stdout += data
        else:
            self.stderr += data

    def _take_output(self) -> None:
        for stream, name in self._outputs():
            if stream is not None and not stream.closed:
                for _ in range(MOST_IN_A_PIPE // READ_AT_ONCE):
                    if not self._read(stream, name):
                        break

    def _answer(self) -> None:
        """Let the service answer, after the output that was written before the request was read."""
        assert self._service is not None
        self._take_output()
        self._service.ready()
        if self._service.finished:
            with suppress(KeyError, ValueError):
                self._selector.unregister(self._service.reader)

    def _write(self) -> None:
        stream = self._popen.stdin
        assert stream is not None
        try:
            self._stdin = self._stdin[os.write(stream.fileno(), self._stdin[:65536]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child reads no more
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

    def _read_all(self, stream: IO[bytes], name: Stream) -> None:
        while data := os.read(stream.fileno(), READ_AT_ONCE):
            self._take(name, data)

    def _answer_all(self, service: Service) -> None:
        while not service.finished:
            service.ready()

    def _write_all(self, stream: IO[bytes]) -> None:
        try:
            stream.write(self._stdin)
            stream.close()
        except OSError:
            pass
