"""How a process ended, or why it couldn't be started, and what is chosen beforehand: how long to wait, what to capture.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import sys

from setlist.core.records import dataclass

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from setlist.core.errors import CommandRefused

Stream: TypeAlias = 'Literal["stdout", "stderr"]'

OnOutput: TypeAlias = "Callable[[Stream, bytes], None]"
"""Receives the output of a child as it comes."""

KILL_PATIENCE = 5.0
"""Seconds after SIGKILL until a process that doesn't die (stuck in the kernel) is given up."""


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds to wait for a process after SIGINT, and after SIGTERM."""

    interrupt: float = 5.0
    terminate: float = 3.0

    @property
    def whole(self) -> float:
        """Seconds for a process that ends its own processes in the same steps."""
        return self.interrupt + self.terminate + KILL_PATIENCE


@dataclass(frozen=True, slots=True)
class Capture:
    """Hand the output of a process on as it comes.

    ``sink`` is called in the thread that runs the process; None: the output is collected in :class:`Completed`.
    ``merged``: both streams arrive as ``stdout``, in the order in which they were written. ``attached``: the process
    keeps our standard input and our terminal; otherwise it has neither.
    """

    sink: OnOutput | None
    merged: bool
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """How a process ended.

    A negative ``code`` is the number of the signal that ended it. ``stdout`` and ``stderr`` hold captured output,
    ``duration`` is in seconds.
    """

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    duration: float


def flush_our_own() -> None:
    """Flush our output, so that it precedes the child's."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # noqa: PERF203 - the reader is gone, or the stream is closed
            continue


def refusal(program: str, cwd: str | os.PathLike[str], error: OSError | ValueError) -> CommandRefused:
    """The error for a process that couldn't be started."""
    import errno

    from setlist.core.errors import CommandRefused

    if not isinstance(error, OSError):
        return CommandRefused(f"can't run {program!r}: {error}")
    if not os.path.isdir(cwd):
        return CommandRefused(f"can't run {program}: the directory {cwd} doesn't exist")
    path = os.path.join(cwd, program) if os.path.dirname(program) else None
    if isinstance(error, FileNotFoundError):
        if path is not None and os.path.exists(path):
            return CommandRefused(
                f"can't run {program}: the interpreter named in its first line (#!) isn't there",
                hint="if it belongs to an environment that was moved, recreate that one",
            )
        return CommandRefused(f"can't run {program}: no such program" + ("" if path else " on PATH"))
    if isinstance(error, PermissionError):
        if path is not None and os.path.isdir(path):
            return CommandRefused(f"can't run {program}: it is a directory")
        return CommandRefused(f"can't run {program}: permission denied", hint="is it executable? (chmod +x)")
    if error.errno == errno.ENOEXEC:
        return CommandRefused(
            f"can't run {program}: not a program of this system",
            hint="a script needs a first line that names its interpreter, as '#!/bin/sh'",
        )
    if error.errno == errno.E2BIG:
        return CommandRefused(f"can't run {program}: its arguments are longer than the system allows")
    return CommandRefused(f"can't run {program}: {error.strerror or error}")
