"""Which signals have reached us, and who is told.

A handler does next to nothing: it records the signal. Who waits for a process (:mod:`setlist.process.spawn`)
is woken by a byte that the interpreter's own C handler writes to a pipe (``signal.set_wakeup_fd``),
so that no signal is lost between looking and waiting, and nobody polls. Everybody else sees it at
the next :func:`checkpoint`, or at once inside :func:`interruptible`.

A recorded signal stays recorded: once interrupted, a run starts nothing more.
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
"""Seconds within which the same signal again is the same wish: wrappers forward what the terminal has
already sent to the whole group."""


class Interrupted(BaseException):
    """A signal asked us to stop. When it comes out of a process's run, that process is gone.

    Not an ``Exception``, as ``KeyboardInterrupt`` isn't: nobody catches it by accident.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """What shells make of it: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.signum

    def __str__(self) -> str:
        try:
            return signal.Signals(self.signum).name
        except ValueError:
            return f"signal {self.signum}"


class WakeChannel:
    """A pipe that a selector can wait on: a socket on Windows, where nothing else can be selected."""

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
        except OSError:  # full is as good as written; closed: nobody waits any more
            pass

    def drain(self) -> None:
        """Take out what was written."""
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
        """How many wishes to stop there were; an echo of the same keypress isn't another."""
        self.followers: dict[int, Signals] = {}
        """Those of other threads, by thread: told of everything that comes here."""
        self.listeners: list[Callable[[], None]] = []
        """Called when a signal has come. They do next to nothing: a handler calls them."""
        self.told: int | None = None
        """The signal that the followers were told of by :func:`stop_others`, without its having come."""
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
        # A second one where nobody waits: whoever asks twice wants out of whatever we are doing.
        if not self._guarded and (self._interruptible or self.count > 1):
            raise Interrupted(self.first)

    def hear(self, signum: int) -> None:
        """A signal has come to the main thread, or is to count as one that has."""
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
        """While inside, handlers only record: somebody waits on the channel, and has a child to end."""
        before, self._guarded = self._guarded, True
        try:
            yield
        finally:
            self._guarded = before

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While inside, a signal raises at once, except where guarded."""
        before, self._interruptible = self._interruptible, True
        try:
            self.check()
            yield
        finally:
            self._interruptible = before


class _Holder:
    """The one thing of this program that is global, since signal handlers are the process's own."""

    current: Signals | None = None


_HOLDER = _Holder()


def signals_here() -> Signals | None:
    """The signals of this thread: None where nobody handles them, and in a thread that doesn't follow."""
    current = _HOLDER.current
    if current is None:
        return None
    thread = threading.get_ident()
    return current if current.thread == thread else current.followers.get(thread)


@contextmanager
def following() -> Iterator[None]:
    """Let this thread hear the signals that the main thread handles, so that its processes end with them."""
    current = _HOLDER.current
    if current is None or current.thread == threading.get_ident():
        yield
        return
    own = Signals()
    current.followers[own.thread] = own
    try:
        # one that came before was told to nobody
        own.first = own.first or current.first or current.told
        own.count = max(own.count, current.count)
        yield
    finally:
        del current.followers[own.thread]
        own.channel.close()


def stop_others(signum: int) -> None:
    """Let the threads that follow end what they have started, as if this signal had come. It hasn't come here."""
    current = _HOLDER.current
    if current is not None:
        current.told = signum
        for follower in list(current.followers.values()):
            follower.hear(signum)


@contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """While inside, a signal only calls this, and the followers hear it: somebody waits for what comes of that."""
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
        current.told = None


def checkpoint() -> None:
    """A place where stopping is fine: raises :class:`Interrupted` if a signal has come."""
    current = signals_here()
    if current is not None:
        current.check()


@contextmanager
def interruptible() -> Iterator[None]:
    """Around code that may take long and isn't ours (a session's function): a signal raises in it at once."""
    current = signals_here()
    if current is None:
        yield
    else:
        with current.interruptible():
            yield


@contextmanager
def raising_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise :class:`Interrupted`, as SIGINT raises KeyboardInterrupt.

    Dying of them would leave behind what was started where nobody handles signals: a noxfile that is being loaded. A
    signal that our parent made us ignore stays ignored. Outside the main thread it does nothing.
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

    The edge puts this around a run. A signal that our parent made us ignore (``nohup``, a shell's
    background job) stays ignored, by us and by the children. Outside the main thread, where Python
    allows no handlers, it does nothing.
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
        wanted = [signum for signum in _handled() if signal.getsignal(signum) != signal.SIG_IGN]
        replaced.extend((signum, signal.signal(signum, signals.handle)) for signum in wanted)
        yield
    finally:
        for signum, handler in replaced:
            # None: a handler that wasn't installed from Python and can't be put back from it
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(wakeup)
        _HOLDER.current = outer
        signals.channel.close()
