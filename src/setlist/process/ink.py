"""A mark that a process can't get rid of, by which what it started is found: Linux only, elsewhere there is none.

Environment variables are inherited until somebody empties the environment, process groups until somebody calls
``setsid``, parents until they end. Resource limits go on through all of that, ``fork`` and ``exec``, and one of
them limits nothing: RLIMIT_LOCKS, since Linux 2.4.25. Its soft value, unlimited otherwise, is where we write; to
read another process's costs one system call.

The value says in its bits: that it is ours, which run, which of its commands, and which part of that command (where
the command is a worker of ours, that starts commands itself). A run inside a run begins anew.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from setlist.process import sentinel

_NUMBERS = count(1)


class _Turn:
    """A process is inked by inking ourselves while it is started, so that there is no moment at which it has none."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_TURN = _Turn()
if sys.platform != "win32":
    # held by a thread that a forked process doesn't have, it would never be given back there
    os.register_at_fork(after_in_child=_TURN.__init__)  # type: ignore[misc]


@contextmanager
def inked(run: int) -> Iterator[None]:
    """While inside, what we start carries a run's ink."""
    own = os.getpid()
    before = sentinel.ink_of(own)
    sentinel.set_ink(own, run)
    try:
        yield
    finally:
        sentinel.set_ink(own, before)


@contextmanager
def inking() -> Iterator[int]:
    """While inside, the process that this thread starts gets ink of its own.

    Yields that ink; 0 where there is none: nobody is :func:`inked`, or not on this system.
    """
    with _TURN.lock:
        own = os.getpid()
        ours = sentinel.ink_of(own)
        ink = sentinel.below(ours, next(_NUMBERS) % sentinel.MOST + 1)
        if not ink:
            yield 0
            return
        sentinel.set_ink(own, ink)
        try:
            yield ink
        finally:
            sentinel.set_ink(own, ours)


def covers(ink: int, found: int) -> bool:
    """Whether a process with the ink ``found`` was started under ``ink``: the same command, and any part of it."""
    if not ink or found <= 0:
        return False
    return found == ink if ink & sentinel.MOST else found >> sentinel.COMMAND == ink >> sentinel.COMMAND
