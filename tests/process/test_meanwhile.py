"""Work beside a block has ended when the block is left, whatever came of either."""

from __future__ import annotations

import threading
import time

import pytest

from setlist.process.meanwhile import meanwhile


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
