"""How a command ended that failed, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setlist.process.spawn import Completed


def failure_text(words: Sequence[str], completed: Completed) -> str:
    """How a command ended, in one line: ``pytest exited with code 1``."""
    program = words[0].splitlines()[0]
    if len(program) > 60:
        program = program[:59] + "…"
    if completed.timed_out:
        return f"{program} timed out after {completed.duration:.1f}s"
    if completed.code >= 0:
        return f"{program} exited with code {completed.code}"
    import signal

    try:
        name = signal.Signals(-completed.code).name
    except ValueError:
        name = f"signal {-completed.code}"
    return f"{program} was killed by {name}"
