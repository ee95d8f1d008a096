"""A command that goes on until it is released, and another one that waits for it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.project import Result

HOLD = """
import os, sys, time
begun = sys.argv[1]
open(begun, "w").close()
deadline = time.monotonic() + 100
while not os.path.exists(begun + ".release") and time.monotonic() < deadline:
    time.sleep(0.02)
"""
"""A program: it creates the file that it is given, and ends when there is one named after it (:func:`release`)."""


def release(begun: Path) -> None:
    """Let :data:`HOLD` end."""
    begun.with_name(f"{begun.name}.release").touch()


def release_once_told(
    argv: Sequence[str], text: str, begun: Path, *, cwd: Path, env: Mapping[str, str] | None = None
) -> Result:
    """Run a command, and release :data:`HOLD` as soon as the command says something on stderr.

    Args:
        argv: the command.
        text: what it has to say.
        begun: the file that HOLD was given.
        cwd: where it runs.
        env: its environment variables.
    """
    lines = []
    with subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if text in line:
                release(begun)
        out = process.stdout.read()
    release(begun)
    return Result(process.returncode, out, "".join(lines))
