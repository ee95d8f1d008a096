"""What the benchmarks share: the programs that are measured, where they run, and in which order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

PROGRAMS = Path(sys.executable).parent

WITHOUT_PLUGINS = {"TOX_DISABLED_EXTERNAL_PLUGINS": "tox-uv"}
"""tox by itself, although tox-uv lies beside it."""


def start(command: Sequence[str | Path], *, cwd: Path, environ: Mapping[str, str]) -> None:
    """Run a program; one that fails ends the benchmark with what it said."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environ, capture_output=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{said}")


class Failed(Exception):
    """A program that is measured doesn't do what it should: its last words."""


def start_unheard(command: Sequence[str | Path], *, cwd: Path, environ: Mapping[str, str]) -> None:
    """Run a program whose output nobody reads. One that fails is started once more, for what it says."""
    words = [str(word) for word in command]
    nowhere = subprocess.DEVNULL
    code = subprocess.run(words, cwd=cwd, env=environ, stdin=nowhere, stdout=nowhere, stderr=nowhere).returncode
    if code != 0:
        again = subprocess.run(words, cwd=cwd, env=environ, stdin=nowhere, capture_output=True)
        said = (again.stdout + again.stderr).decode(errors="replace").strip()
        raise Failed(f"{_shown(words)}: exit code {code}\n{said}")


LAUNCHER = """
import posix, sys
nowhere = [(posix.POSIX_SPAWN_OPEN, number, "/dev/null", posix.O_RDWR, 0) for number in (0, 1, 2)]
pid = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ, file_actions=nowhere)
pid, status, usage = posix.wait4(pid, 0)
print(status, usage.ru_maxrss)
"""
"""Starts a program and tells its peak memory. On Linux a process begins with the peak of the one that started it,
so that must be smaller than anything that is measured: this one imports nothing, ``site`` included."""


def peak_memory(command: Sequence[str | Path], *, cwd: Path, environ: Mapping[str, str]) -> float:
    """MiB that a program, or the largest of those that it started and waited for, had in memory at once."""
    words = [str(word) for word in command]
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER]
    done = subprocess.run([*launcher, *words], cwd=cwd, env=environ, capture_output=True, check=True)
    status, peak = (int(word) for word in done.stdout.split())
    if status != 0:
        raise Failed(f"{_shown(words)}: it ended with {status}")
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _shown(words: Sequence[str]) -> str:
    return " ".join(os.path.basename(word) if os.path.isabs(word) else word for word in words)


def disk_usage(*places: Path) -> int:
    """Bytes that directories take, as ``du`` counts: what has several names is counted once."""
    seen: dict[tuple[int, int], int] = {}
    for place in places:
        for directory, _, names in os.walk(place):
            for path in (directory, *(os.path.join(directory, name) for name in names)):
                status = os.lstat(path)
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def put_aside(*paths: Path) -> None:
    """Have what is to be made anew gone, without deleting it: some file systems (ext4) look at each file that was
    deleted in the last seconds whenever they make one, which then takes ten times as long, for whoever comes next."""
    for path in paths:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.{os.urandom(6).hex()}.aside"))


def in_turn(rounds: int, *works: Callable[[], None], before: Callable[[], None] = lambda: None) -> list[list[float]]:
    """Seconds of each round for each of the works; a round before the first one warms what can be warm.

    Another one begins each round: whoever does finds what ``before`` has done to the file system's own caches.
    """
    taken: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        before()
        for place in range(len(works)):
            which = (number + place) % len(works)
            started = time.perf_counter()
            works[which]()
            taken[which].append(time.perf_counter() - started)
    return [seconds[1:] for seconds in taken]


def refuse_a_checkout() -> None:
    """An editable setlist is looked up through one more path, and may change while it is measured."""
    written = distribution("setlist").read_text("direct_url.json") or ""
    if '"editable":true' in written.replace(" ", ""):
        sys.exit("this Python has an editable setlist: 'run bench' measures an installed wheel")
