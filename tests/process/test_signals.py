"""Signals are recorded, seen at once where somebody waits, and never lost."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from setlist.process import signals
from setlist.process.signals import Interrupted, checkpoint, handling_signals, interruptible, signals_here

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def ourselves(signum: int) -> None:
    """Send a signal to this process, and let Python handle it."""
    os.kill(os.getpid(), signum)
    time.sleep(0)


def interrupted(action: Callable[[], object]) -> int:
    """The signal that an action is interrupted by."""
    with pytest.raises(Interrupted) as caught:
        action()
    return caught.value.signum


def test_a_signal_is_seen_at_the_next_checkpoint_and_at_every_later_one() -> None:
    with handling_signals():
        checkpoint()
        ourselves(signal.SIGTERM)
        assert interrupted(checkpoint) == signal.SIGTERM
        assert interrupted(checkpoint) == signal.SIGTERM


def test_the_first_signal_is_the_one_that_counts() -> None:
    with handling_signals():
        ourselves(signal.SIGHUP)
        assert interrupted(lambda: ourselves(signal.SIGTERM)) == signal.SIGHUP


def test_a_second_signal_where_nobody_waits_raises_at_once() -> None:
    with handling_signals():
        ourselves(signal.SIGINT)
        ourselves(signal.SIGINT)  # the echo of the same keypress
        assert interrupted(lambda: ourselves(signal.SIGTERM)) == signal.SIGINT


def test_a_second_keypress_is_another_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_KEYPRESS", 0.0)
    with handling_signals():
        ourselves(signal.SIGINT)
        assert interrupted(lambda: ourselves(signal.SIGINT)) == signal.SIGINT


def test_interruptible_code_is_left_at_once() -> None:
    def sleeps() -> None:
        with interruptible():
            ourselves(signal.SIGTERM)
            pytest.fail("went on")

    with handling_signals():
        assert interrupted(sleeps) == signal.SIGTERM
        # and isn't entered once a signal has come
        assert interrupted(sleeps) == signal.SIGTERM


def test_a_signal_just_before_interruptible_code_is_not_lost() -> None:
    def sleeps() -> None:
        code = interruptible()
        ourselves(signal.SIGTERM)
        with code:
            pytest.fail("went on")

    with handling_signals():
        assert interrupted(sleeps) == signal.SIGTERM


def test_while_somebody_waits_signals_are_only_recorded_and_wake() -> None:
    with handling_signals():
        here = signals_here()
        assert here is not None
        with interruptible(), here.guarded():
            ourselves(signal.SIGTERM)
            ourselves(signal.SIGINT)
            assert here.count == 2
            assert select.select([here.channel.reader], [], [], 0)[0]
            here.channel.drain()
            assert not select.select([here.channel.reader], [], [], 0)[0]
            here.channel.drain()  # an empty one is fine


def test_handlers_are_put_back() -> None:
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with handling_signals():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
        with handling_signals():
            inner = signals_here()
        assert signals_here() is not inner
    assert {signum: signal.getsignal(signum) for signum in before} == before
    assert signals_here() is None
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handling_signals():
            ourselves(signal.SIGHUP)
            checkpoint()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_without_handlers_nothing_is_seen() -> None:
    checkpoint()
    with interruptible():
        pass


def test_other_threads_see_nothing_and_install_nothing() -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        with handling_signals():
            seen.append(signals_here())
            checkpoint()

    with handling_signals():
        ourselves(signal.SIGTERM)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_channel_wakes_from_any_thread_and_is_never_blocked() -> None:
    channel = signals.WakeChannel()
    for _ in range(100_000):
        channel.wake()  # full is as good as written
    assert select.select([channel.reader], [], [], 0)[0]
    channel.close()
    channel.wake()


@pytest.mark.parametrize(("signum", "name", "code"), [(2, "SIGINT", 130), (15, "SIGTERM", 143), (1, "SIGHUP", 129)])
def test_an_interruption_has_a_name_and_an_exit_code(signum: int, name: str, code: int) -> None:
    assert str(Interrupted(signum)) == name
    assert Interrupted(signum).exit_code == code
    assert str(Interrupted(1000)) == "signal 1000"
    assert not isinstance(Interrupted(signum), Exception)
