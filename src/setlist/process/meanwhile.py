"""Something done in another thread for as long as a process is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do some work beside the block. It has ended, one way or the other, when the block is left.

    Args:
        work: what to do. It ends by itself, soon: nothing interrupts it.

    Raises:
        Exception: what the work raised, where the block itself raised nothing.
    """
    failed: list[Exception] = []

    def kept() -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    thread = Thread(target=kept, name="setlist-meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]
