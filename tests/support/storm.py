"""A process that is another one every few milliseconds: each forks the next one and ends.

It ends by itself after a while, whatever becomes of the test. The file named by ``BEAT`` grows as long as it is there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

PROGRAM = """
import os, sys, time
where, starter, seconds = sys.argv[1:]
beat = os.open(os.environ["BEAT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
until = time.monotonic() + float(seconds)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # who reads what the run says doesn't wait for it
os.dup2(1, 2)
if starter == "stays" and os.fork():
    time.sleep(60)
    os._exit(0)
if where == "session":
    os.fork() and os._exit(0)
    os.setsid()
while time.monotonic() < until:
    os.fork() and os._exit(0)
    if where == "sessions":
        os.setsid()
    os.write(beat, b".")
    time.sleep(.005)
open(os.environ["BEAT"] + ".end", "w").close()
"""

SECONDS = 40
"""How long it goes on, if nobody ends it."""


def storm(where: str, starter: str = "ends") -> tuple[str, ...]:
    """The command.

    Args:
        where: ``group``: in the group of who started it; ``session``: in a session of its own; ``sessions``: each in
            another one.
        starter: whether the command itself ``ends`` at once or ``stays``.
    """
    return (sys.executable, "-S", "-c", PROGRAM, where, starter, str(SECONDS))


def is_over(beat: Path) -> bool:
    """Whether it has begun, and nobody is there any more."""
    before = os.stat(beat).st_size
    time.sleep(0.5)
    assert not Path(f"{beat}.end").exists(), "it ended by itself"
    return os.stat(beat).st_size == before
