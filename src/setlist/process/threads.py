"""Run work in threads: several tasks that wait for processes, or one beside the block of a ``with``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Thread
from typing import TypeVar

from setlist.process.signals import following, signals_here

Result = TypeVar("Result")


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
    with signals.guarded() if signals is not None else nullcontext():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
