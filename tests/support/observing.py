"""What the processes of a command looked at, as the kernel saw it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CHANGING = frozenset(
    {
        *("chmod", "fchmodat", "link", "linkat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "rmdir"),
        *("symlink", "symlinkat", "unlink", "unlinkat", "utimensat", "execve", "getcwd", "chdir"),
    }
)
"""Calls that don't look at a path."""


def has_strace() -> bool:
    """Whether strace is installed, and may be used here."""
    strace = shutil.which("strace")
    return (
        strace is not None and subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True).returncode == 0
    )


def looked_at(command: Sequence[str], cwd: Path, environ: Mapping[str, str], log: Path) -> set[str]:
    """Run a command, and return the paths that it, and all that it started, opened for reading or asked about."""
    calls = "trace=%file,clone,clone3,fork,vfork,chdir,fchdir"
    traced = ["strace", "-f", "-qq", "-s", "1000", "-e", calls, "-o", str(log), *command]
    done = subprocess.run(traced, cwd=cwd, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return paths_in(log.read_text(errors="replace"), str(cwd))


def paths_in(log: str, cwd: str) -> set[str]:
    """The paths in a log of strace, absolute."""
    directories: dict[str, str] = {}
    found: set[str] = set()
    for line in log.splitlines():
        process, _, rest = line.partition(" ")
        here = directories.setdefault(process, cwd)
        born = re.match(r"\s*(?:<\.\.\. )?(?:clone3?|v?fork)\b.*= (\d+)$", rest)
        if born:
            # by vfork, the child may have gone elsewhere before this line
            directories.setdefault(born[1], here)
            continue
        call = re.match(r"\s*(\w+)\((.*)", rest)
        path = re.search(r'"((?:[^"\\]|\\.)*)"', call[2]) if call else None
        if call is None or path is None:
            continue
        name, arguments = call[1], call[2]
        absolute = os.path.normpath(os.path.join(here, path[1]))
        if name == "chdir":
            directories[process] = absolute
        is_written = "O_CREAT" in arguments or "O_WRONLY" in arguments
        # relative to an open directory: what is removed, or a place that was looked at before
        if name not in CHANGING and not is_written and not re.match(r"\d+, ", arguments):
            found.add(absolute)
    return found
