"""Record SIGINT, SIGTERM and SIGHUP, and notify the code and the threads that wait.

A handler only records the signal. The interpreter's own C handler writes a byte to a pipe (``signal.set_wakeup_fd``),
which wakes code that waits for a process (:mod:`setlist.process.spawn`). So no signal is lost between a check and a
wait, and nothing polls. Other code sees the signal at the next :func:`checkpoint`, or at once inside
:func:`interruptible`.

A recorded signal stays recorded: an interrupted run starts nothing more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SAME_KEYPRESS = 0.2
"""Seconds within which a repeated signal counts as one: wrappers forward a signal that the terminal has already sent
to the whole group."""


class Interrupted(BaseException):
    """A signal interrupts the run. Raised while a process was awaited, that process is gone.

    Like ``KeyboardInterrupt`` it is not an ``Exception``, so that it isn't caught by accident.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The exit code by the convention of shells: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.signum

    def __str__(self) -> str:
        try:
            return signal.Signals(self.signum).name
        except ValueError:
            return f"signal {self.signum}"


class WakeChannel:
    """A pipe that a selector can wait on; on Windows a socket, as ``select`` takes nothing else there."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            import socket

            self._ends = socket.socketpair()
            for end in self._ends:
                end.setblocking(False)
            self.reader = self._ends[0].fileno()
            self.writer = self._ends[1].fileno()
        else:
            self.reader, self.writer = os.pipe()
            os.set_blocking(self.reader, False)
            os.set_blocking(self.writer, False)

    def wake(self) -> None:
        """Make the reader readable. Safe from any thread."""
        try:
            if sys.platform == "win32":
                self._ends[1].send(b"\0")
            else:
                os.write(self.writer, b"\0")
        except OSError:  # a full pipe is readable; after close, nobody waits
            pass

    def drain(self) -> None:
        """Empty the pipe."""
        try:
            if sys.platform == "win32":
                self._ends[0].recv(512)
            else:
                os.read(self.reader, 512)
        except BlockingIOError:
            pass

    def close(self) -> None:
        if sys.platform == "win32":
            for end in self._ends:
                end.close()
        else:
            os.close(self.reader)
            os.close(self.writer)


class Signals:
    """The signals that have come since the handlers were installed."""

    def __init__(self) -> None:
        self.channel = WakeChannel()
        self.thread = threading.get_ident()
        self.first: int | None = None
        self.count = 0
        """How many signals came; a repetition within :data:`SAME_KEYPRESS` doesn't count."""
        self.followers: dict[int, Signals] = {}
        """The :class:`Signals` of other threads, by thread. They receive each signal that comes here."""
        self.listeners: list[Callable[[], None]] = []
        """Called by the handler when a signal comes, so they must return quickly."""
        self.simulated: int | None = None
        """The signal that :func:`stop_others` sent to the followers; it didn't come from outside."""
        self._last = (0, 0.0)
        self._guarded = False
        self._interruptible = False

    def handle(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The handler itself."""
        now = time.monotonic()
        number, when = self._last
        if number == signum and now - when < SAME_KEYPRESS:
            return
        self._last = (signum, now)
        self.count += 1
        if self.first is None:
            self.first = signum
        for follower in list(self.followers.values()):
            follower.hear(self.first)
        for listener in self.listeners:
            listener()
        # a second signal interrupts whatever the program does
        if not self._guarded and (self._interruptible or self.count > 1):
            raise Interrupted(self.first)

    def hear(self, signum: int) -> None:
        """Record a signal that came to the main thread, or that counts as one that came."""
        if self.first is None:
            self.first = signum
        self.count += 1
        self.channel.wake()

    def check(self) -> None:
        """Raise :class:`Interrupted` if a signal has come."""
        if self.first is not None:
            raise Interrupted(self.first)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While inside, handlers only record: the code inside waits on the channel, and ends its child itself."""
        before, self._guarded = self._guarded, True
        try:
            yield
        finally:
            self._guarded = before

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While inside, a signal raises at once, except inside :meth:`guarded`."""
        before, self._interruptible = self._interruptible, True
        try:
            self.check()
            yield
        finally:
            self._interruptible = before


class _Holder:
    """Global, as signal handlers belong to the whole process."""

    current: Signals | None = None


_HOLDER = _Holder()


def signals_here() -> Signals | None:
    """The signals of this thread. None if no handler is installed, or if this thread isn't :func:`following`."""
    current = _HOLDER.current
    if current is None:
        return None
    thread = threading.get_ident()
    return current if current.thread == thread else current.followers.get(thread)


@contextmanager
def following() -> Iterator[None]:
    """Let this thread receive the signals that the main thread handles, so that they end its processes."""
    current = _HOLDER.current
    if current is None or current.thread == threading.get_ident():
        yield
        return
    own = Signals()
    current.followers[own.thread] = own
    try:
        # a signal that came before had no follower here
        own.first = own.first or current.first or current.simulated
        own.count = max(own.count, current.count)
        yield
    finally:
        del current.followers[own.thread]
        own.channel.close()


def stop_others(signum: int) -> None:
    """Let the following threads end the processes that they started, as if this signal had come."""
    current = _HOLDER.current
    if current is not None:
        current.simulated = signum
        for follower in list(current.followers.values()):
            follower.hear(signum)


@contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """While inside, a signal only calls the listener and notifies the followers. The code inside waits for them."""
    current = signals_here()
    if current is None:
        yield
        return
    current.listeners.append(listener)
    try:
        with current.guarded():
            yield
    finally:
        current.listeners.remove(listener)
        current.simulated = None


def checkpoint() -> None:
    """Raise :class:`Interrupted` if a signal has come. To be called where stopping is safe."""
    current = signals_here()
    if current is not None:
        current.check()


@contextmanager
def interruptible() -> Iterator[None]:
    """While inside, a signal raises at once: for code that may take long and isn't ours (a session's function)."""
    current = signals_here()
    if current is None:
        yield
    else:
        with current.interruptible():
            yield


@contextmanager
def raising_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise :class:`Interrupted`, as SIGINT raises KeyboardInterrupt.

    For code without handlers: a loader of definitions that dies of a signal would leave its processes behind. A signal
    that the parent process made this one ignore stays ignored. No effect outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Interrupted(signum)

    replaced = [
        signum for signum in _handled() if signum != signal.SIGINT and signal.getsignal(signum) == signal.SIG_DFL
    ]
    for signum in replaced:
        signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum in replaced:
            signal.signal(signum, signal.SIG_DFL)


def _handled() -> tuple[signal.Signals, ...]:
    if sys.platform == "win32":
        return (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    return (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling_signals() -> Iterator[None]:
    """Record SIGINT, SIGTERM and SIGHUP (SIGBREAK on Windows) instead of dying of them.

    The command line puts this around a run. A signal that the parent process made this one ignore (``nohup``, a
    shell's background job) stays ignored, here and in the children. No effect outside the main thread, where Python
    allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = Signals()
    outer = _HOLDER.current
    replaced: list[tuple[signal.Signals, object]] = []
    wakeup = signal.set_wakeup_fd(signals.channel.writer, warn_on_full_buffer=False)
    _HOLDER.current = signals
    try:
        handled = [signum for signum in _handled() if signal.getsignal(signum) != signal.SIG_IGN]
        replaced.extend((signum, signal.signal(signum, signals.handle)) for signum in handled)
        yield
    finally:
        for signum, handler in replaced:
            # None: the handler wasn't installed from Python, and can't be restored from it
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(wakeup)
        _HOLDER.current = outer
        signals.channel.close()
