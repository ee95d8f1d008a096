"""Several things at once: results in order, errors beside them, and a signal ends all."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

import pytest

from setlist.process.spawn import Interrupted, handling_signals, run_process
from setlist.process.threads import meanwhile, run_in_threads, take


def test_results_stand_in_the_order_of_the_tasks_whichever_ends_first() -> None:
    def task(n: int) -> Callable[[], int]:
        def work() -> int:
            time.sleep(0.02 * (3 - n))
            return n

        return work

    assert run_in_threads([task(n) for n in range(3)], at_once=3) == [0, 1, 2]


def test_an_error_is_a_result_and_the_others_go_on() -> None:
    def fail() -> int:
        raise ValueError("no")

    first, second = run_in_threads([fail, lambda: 2], at_once=1)
    assert isinstance(first, ValueError)
    assert second == 2


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_as_many_at_once_as_wanted(at_once: int) -> None:
    now, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.03)
        with guard:
            now -= 1

    run_in_threads([work] * 8, at_once=at_once)
    assert most == at_once


def test_nothing_to_do() -> None:
    assert run_in_threads([], at_once=0) == []


def unnoticed(signum: int) -> None:
    """Send a signal to this thread: as one that comes right before a wait, it ends none of the main thread's waits."""
    signal.pthread_kill(threading.get_ident(), signum)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("send", [partial(os.kill, os.getpid()), unnoticed], ids=["in-a-wait", "before-a-wait"])
def test_a_signal_ends_what_was_started_and_starts_nothing_more(send: Callable[[int], None]) -> None:
    begun: list[int] = []

    def task(n: int) -> Callable[[], int]:
        def work() -> int:
            begun.append(n)
            if n == 1:
                # by now both threads wait for a process, or are about to
                threading.Timer(0.3, send, (signal.SIGTERM,)).start()
            from pathlib import Path

            return run_process([sys.executable, "-c", "import time; time.sleep(60)"], env={}, cwd=Path.cwd()).code

        return work

    started = time.monotonic()
    with handling_signals(), pytest.raises(Interrupted) as caught:
        run_in_threads([task(n) for n in range(6)], at_once=2)
    assert caught.value.signum == signal.SIGTERM
    assert time.monotonic() - started < 30
    assert sorted(begun)[:2] == [0, 1]
    # a task that a free thread took up before it could be taken back started no process
    assert len(begun) <= 6


def test_what_never_comes_is_waited_for_until_then_and_no_longer() -> None:
    queue: SimpleQueue[int] = SimpleQueue()
    began = time.monotonic()
    with pytest.raises(Empty):
        take(queue, until=began + 0.25)
    assert 0.25 <= time.monotonic() - began < 5
    queue.put(1)
    assert take(queue, until=began) == 1


# --- work beside a block ------------------------------------------------------------------------


def test_it_runs_beside_the_block_and_has_ended_after_it() -> None:
    begun, done = threading.Event(), []

    def work() -> None:
        begun.set()
        time.sleep(0.05)
        done.append(1)

    with meanwhile(work):
        assert begun.wait(5)
        assert done == []
    assert done == [1]


def test_what_goes_wrong_in_it_is_told() -> None:
    def work() -> None:
        raise OSError(5, "no")

    with pytest.raises(OSError, match="no"), meanwhile(work):
        pass


def test_the_blocks_own_error_comes_first_and_only_once_the_work_has_ended() -> None:
    done = []

    def work() -> None:
        time.sleep(0.05)
        done.append(1)
        raise OSError(5, "no")

    with pytest.raises(KeyError), meanwhile(work):
        raise KeyError("block")
    assert done == [1]
