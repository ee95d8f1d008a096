"""Record SIGINT, SIGTERM and SIGHUP, and notify the code and the threads that wait.

A handler only records the signal. The interpreter's own C handler writes a byte to a pipe (``signal.set_wakeup_fd``),
which wakes code that waits for a process (:mod:`setlist.process.spawn`). So no signal is lost between a check and a
wait. From a wait for another thread, the main thread looks up (:mod:`setlist.process.threads`). Other code sees the
signal at the next :func:`checkpoint`, or at once inside :func:`interruptible`.

A recorded signal stays recorded: an interrupted run starts nothing more.

A warm run imports this module, so it imports next to nothing itself: ``_signal``, since ``signal`` makes enumerations,
and no ``contextlib``.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import get_ident

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import Any
else:
    import _signal

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
        from signal import Signals as Names

        try:
            return Names(self.signum).name
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
        self.thread = get_ident()
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

    def guarded(self) -> AbstractContextManager[None]:
        """While inside, handlers only record: the code inside waits by itself, and ends its child itself."""
        return _Switched(self, "_guarded")


class _Switched:
    """While inside, an attribute of signals is true. No effect without signals."""

    def __init__(self, signals: Signals | None, name: str) -> None:
        self._signals = signals
        self._name = name
        self._before = False if signals is None else getattr(signals, name)

    def __enter__(self) -> None:
        if self._signals is not None:
            setattr(self._signals, self._name, True)

    def __exit__(self, *error: object) -> None:
        if self._signals is not None:
            setattr(self._signals, self._name, self._before)


class _Interruptible(_Switched):
    """The context of :func:`interruptible`."""

    def __enter__(self) -> None:
        super().__enter__()
        try:
            checkpoint()  # now that none can come unnoticed
        except Interrupted:
            self.__exit__()
            raise


class _Holder:
    """Global, as signal handlers belong to the whole process."""

    current: Signals | None = None


_HOLDER = _Holder()


def signals_of_process() -> Signals | None:
    """The signals that the main thread handles. None if no handler is installed."""
    return _HOLDER.current


def signals_here() -> Signals | None:
    """The signals of this thread. None if no handler is installed, or if this thread isn't
    :func:`~setlist.process.threads.following`.
    """
    current = _HOLDER.current
    if current is None:
        return None
    thread = get_ident()
    return current if current.thread == thread else current.followers.get(thread)


def checkpoint() -> None:
    """Raise :class:`Interrupted` if a signal has come. To be called where stopping is safe."""
    current = signals_here()
    if current is not None:
        current.check()


def guarded() -> AbstractContextManager[None]:
    """:meth:`Signals.guarded` of the signals of this thread."""
    return _Switched(signals_here(), "_guarded")


def interruptible() -> AbstractContextManager[None]:
    """While inside, a signal raises at once: for code that may take long and isn't ours (a session's function).

    Entering raises :class:`Interrupted` if a signal has come before.
    """
    return _Interruptible(signals_here(), "_interruptible")


def in_main_thread() -> bool:
    """Whether this is the main thread, the only one in which Python handles signals."""
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _handled() -> tuple[int, ...]:
    """The signals that end a run."""
    if sys.platform == "win32":
        return (_signal.SIGINT, _signal.SIGTERM, _signal.SIGBREAK)
    return (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


class _Raising:
    """The context of :func:`raising_signals`."""

    def __init__(self) -> None:
        self._replaced: list[int] = []

    def __enter__(self) -> None:
        if in_main_thread():
            self._replaced = [
                signum
                for signum in _handled()
                if signum != _signal.SIGINT and _signal.getsignal(signum) == _signal.SIG_DFL
            ]
        for signum in self._replaced:
            _signal.signal(signum, _raise_interrupted)

    def __exit__(self, *error: object) -> None:
        for signum in self._replaced:
            _signal.signal(signum, _signal.SIG_DFL)


def _raise_interrupted(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise Interrupted(signum)


def raising_signals() -> AbstractContextManager[None]:
    """Let SIGTERM and SIGHUP raise :class:`Interrupted`, as SIGINT raises KeyboardInterrupt.

    For code without handlers: a loader of definitions that dies of a signal would leave its processes behind. A signal
    that the parent process made this one ignore stays ignored. No effect outside the main thread.
    """
    return _Raising()


class _Handling:
    """The context of :func:`handling_signals`."""

    def __init__(self) -> None:
        self._signals: Signals | None = None
        self._outer: Signals | None = None
        self._wakeup = -1
        self._replaced: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if not in_main_thread():
            return
        self._signals = signals = Signals()
        self._outer, _HOLDER.current = _HOLDER.current, signals
        self._wakeup = _signal.set_wakeup_fd(signals.channel.writer, warn_on_full_buffer=False)
        for signum in _handled():
            if _signal.getsignal(signum) != _signal.SIG_IGN:
                self._replaced.append((signum, _signal.signal(signum, signals.handle)))
        if sys.platform != "win32" and _signal.getsignal(_signal.SIGCHLD) == _signal.SIG_IGN:
            # ignored, the system would reap our children, and nobody would know how they ended
            self._replaced.append((_signal.SIGCHLD, _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)))

    def __exit__(self, *error: object) -> None:
        if self._signals is None:
            return
        for signum, handler in self._replaced:
            # None: the handler wasn't installed from Python, and can't be restored from it
            _signal.signal(signum, _signal.SIG_DFL if handler is None else handler)
        _signal.set_wakeup_fd(self._wakeup)
        _HOLDER.current = self._outer
        self._signals.channel.close()


def handling_signals() -> AbstractContextManager[None]:
    """Record SIGINT, SIGTERM and SIGHUP (SIGBREAK on Windows) instead of dying of them.

    The command line puts this around a run. A signal that the parent process made this one ignore (``nohup``, a
    shell's background job) stays ignored, here and in the children. No effect outside the main thread, where Python
    allows no handlers.
    """
    return _Handling()
