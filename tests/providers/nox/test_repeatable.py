"""What one run of a noxfile's session says of the next: commands and messages in their order, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from setlist.core.events import Message
from setlist.providers.nox.repeatable import Repeatable
from setlist.runner.command import Invocation

STARTED = {"argv": ["/bin/true", "x"], "environ": {"A": "b"}, "cwd": "/"}
SAID = Message(time=0.0, session="lint", level="info", text="so")


def told(repeatable: Repeatable) -> list[Invocation | Message]:
    found: list[Invocation | Message] = []
    repeatable.tell(found.append, "1:2:3")
    return found


def test_what_was_done_in_its_order() -> None:
    run = Repeatable(wanted=True)
    run.installs(skipped=True)
    run.says(SAID)
    run.ran(("true", "x"), STARTED)
    run.says(SAID)
    command = Invocation(
        words=("true", "x"),
        argv=("/bin/true", "x"),
        environ={"A": "b"},
        cwd=Path("/"),
        together=True,
        made_from="1:2:3",
    )
    assert told(run) == [SAID, command, SAID]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run.installs(skipped=False),
        lambda run: run.installs(skipped=True),
        lambda run: run.ran(("true",), None),
        lambda run: run.spoiled(),
    ],
    ids=["an install", "an install after a command", "a command that can't be repeated", "something else"],
)
def test_nothing_where_it_did_more(spoil: Callable[[Repeatable], None]) -> None:
    run = Repeatable(wanted=True)
    run.ran(("true", "x"), STARTED)
    spoil(run)
    run.ran(("true", "x"), STARTED)
    assert told(run) == []


def test_nothing_where_nobody_asks() -> None:
    run = Repeatable(wanted=False)
    run.ran(("true", "x"), STARTED)
    assert told(run) == []
