"""Several things at once, in threads, for work that consists of waiting for processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

from setlist.signals import Interrupted, following, signals_here

Result = TypeVar("Result")


def side_by_side(tasks: Sequence[Callable[[], Result]], *, at_once: int) -> list[Result | Exception]:
    """Do all tasks, some of them at once.

    Args:
        tasks: what to do. The processes that they start are ended when a signal comes.
        at_once: how many threads.

    Returns:
        for each task its result, or the exception that it raised.

    Raises:
        Interrupted: a signal came; every task has ended.
    """
    from concurrent.futures import ThreadPoolExecutor

    signals = signals_here()

    def heard(task: Callable[[], Result]) -> Result:
        with following():
            return task()

    # guarded: the handler only tells the threads, and each ends what it has started
    with signals.guarded() if signals is not None else nullcontext():
        with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
            futures = [pool.submit(heard, task) for task in tasks]
            outcomes: list[Result | Exception] = []
            interrupted: Interrupted | None = None
            for future in futures:
                try:
                    if interrupted is not None and future.cancel():
                        continue
                    outcomes.append(future.result())
                except Interrupted as error:
                    interrupted = error
                except Exception as error:
                    outcomes.append(error)
        if interrupted is not None:
            raise interrupted
    if signals is not None:
        signals.check()
    return outcomes
