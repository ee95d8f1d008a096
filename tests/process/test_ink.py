"""Processes are recognised by a resource limit that they can't help inheriting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from setlist.process import sentinel
from setlist.process.ink import covers, inked, inking
from setlist.process.sentinel import below, new_run
from setlist.process.tree import ProcessTree
from support.strays import Strays, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="there is ink only on Linux")


def test_ink_tells_runs_commands_and_their_parts() -> None:
    run, other = new_run(), new_run()
    first, second = below(run, 1), below(run, 2)
    part = below(first, 5)
    assert len({run, other, first, second, part}) == 5
    assert covers(first, first)
    assert covers(first, part)
    assert covers(part, part)
    assert not covers(first, second)
    assert not covers(part, first)
    assert not covers(run, first), "what belongs to a command is the command's"
    assert covers(run, run)
    assert not covers(run, other)


def test_one_without_ink_belongs_to_nobody() -> None:
    unlimited = -1
    assert not covers(new_run(), unlimited)
    assert not covers(0, 0)
    assert below(unlimited, 1) == 0
    assert below(100, 1) == 0, "a limit that somebody has set"
    part = below(below(new_run(), 1), 1)
    assert below(part, 1) == 0, "there are no parts of parts"


def test_a_number_that_is_as_large_as_may_be_spills_nowhere() -> None:
    run = new_run()
    assert run >> 32 == below(run, 0xFFFF) >> 32
    assert below(run, 0xFFFF) >> 16 == below(below(run, 0xFFFF), 0xFFFF) >> 16
    assert run < 2**63, "it is a limit that is huge, and no negative number"


@linux
def test_ours_is_washed_off_and_children_have_each_their_own() -> None:
    before = sentinel.ink_of(os.getpid())
    found: list[tuple[int, int]] = []

    def start() -> None:
        with inking() as ink:
            child = subprocess.Popen(["sleep", "60"])
        found.append((ink, sentinel.ink_of(child.pid)))
        child.kill()
        child.wait()

    run = new_run()
    with inked(run):
        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sentinel.ink_of(os.getpid()) == run
    assert sentinel.ink_of(os.getpid()) == before
    assert all(ink == theirs for ink, theirs in found)
    assert len(set(found)) == 8


@linux
def test_without_a_run_nothing_is_inked() -> None:
    with inking() as ink:
        assert ink == 0


@pytest.fixture
def strays(tmp_path: Path) -> Iterator[Strays]:
    strays = Strays(tmp_path)
    yield strays
    strays.end()


@linux
def test_one_that_has_left_everything_behind_is_found_by_its_ink(strays: Strays) -> None:
    line = 'setsid env -i sh -c "setsid env -i tail -f $STRAY & exit" & wait'
    environ = {**os.environ, **strays.variables}
    with inked(new_run()):
        with inking() as ink:
            child = subprocess.Popen(["sh", "-c", line], env=environ, start_new_session=True)
        child.wait()
        until(lambda: [process.name() for process in strays.alive()] == ["tail"])
        with inking() as another:
            pass
    gone = ProcessTree(child.pid, "x" * 16, own_group=True)
    assert gone.find() == []
    assert ProcessTree(child.pid, "x" * 16, own_group=True, ink=another).find() == []
    tree = ProcessTree(child.pid, "x" * 16, own_group=True, ink=ink)
    assert tree.find() == strays.alive()
    tree.kill()
    until(lambda: not strays.alive())
