"""Run work in threads: several tasks that wait for processes, or one beside the block of a ``with``.

The threads get the signals that the main thread handles (:mod:`setlist.process.signals`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread, get_ident
from typing import TYPE_CHECKING, TypeVar

# A thread must not be the first to import it: an interrupt that Python drops in the middle of an import, in the main
# thread, leaves the import lock held there for good
import setlist.process.popen  # noqa: F401
from setlist.process.signals import Signals, guarded, signals_here, signals_of_process

if TYPE_CHECKING:
    from queue import SimpleQueue

Result = TypeVar("Result")
Item = TypeVar("Item")

HANDLERS_RUN_WITHIN = 0.1
"""Seconds after which the main thread looks up from a wait for another thread. Python's handlers run between two of its
instructions only: a signal that comes right before such a wait doesn't end it, and on Windows none does."""


def join(thread: Thread) -> None:
    """Wait for a thread's end; handlers of signals run meanwhile."""
    while thread.is_alive():
        thread.join(HANDLERS_RUN_WITHIN)


def take(queue: SimpleQueue[Item], *, until: float | None = None) -> Item:
    """Wait for the next item of a queue; handlers of signals run meanwhile.

    Args:
        queue: the queue.
        until: the monotonic time to wait until.

    Raises:
        Empty: nothing came until then.
    """
    from queue import Empty

    while True:
        remaining = HANDLERS_RUN_WITHIN if until is None else until - time.monotonic()
        try:
            return queue.get(timeout=max(0.0, min(remaining, HANDLERS_RUN_WITHIN)))
        except Empty:
            if until is not None and time.monotonic() >= until:
                raise


def run_in_threads(tasks: Sequence[Callable[[], Result]], *, at_once: int) -> list[Result | Exception]:
    """Call all tasks, several at once.

    Args:
        tasks: functions to call. A signal ends the processes that they start.
        at_once: how many threads.

    Returns:
        the result of each task, or the exception that it raised.

    Raises:
        Interrupted: a signal came; every task has ended.
    """
    signals = signals_here()
    waiting = deque(enumerate(tasks))
    outcomes: dict[int, Result | Exception] = {}
    ended: list[BaseException] = []

    def work() -> None:
        with following():
            while waiting and not ended:
                try:
                    number, task = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    outcomes[number] = task()
                except Exception as error:
                    outcomes[number] = error
                except BaseException as error:
                    ended.append(error)

    # importing concurrent.futures takes longer than resolving a lock or two
    threads = [Thread(target=work, daemon=True) for _ in range(min(len(tasks), max(1, at_once)))]
    # guarded: the handler only notifies the threads, and each ends the processes that it started
    with guarded():
        for thread in threads:
            thread.start()
        for thread in threads:
            join(thread)
        if ended:
            raise ended[0]
    if signals is not None:
        signals.check()
    return [outcomes[number] for number in range(len(tasks))]


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Call a function in a thread beside the block, and wait for its end when the block is left.

    Args:
        work: the function. It must end by itself, and soon: nothing interrupts it.

    Raises:
        Exception: the work raised it, and the block raised nothing.
    """
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    thread = Thread(target=attempt, name="setlist-meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


@contextmanager
def following() -> Iterator[None]:
    """Let this thread receive the signals that the main thread handles, so that they end its processes."""
    current = signals_of_process()
    if current is None or current.thread == get_ident():
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
    current = signals_of_process()
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
