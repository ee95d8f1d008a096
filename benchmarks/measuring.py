"""What the benchmarks share: the programs that are measured, where they run, and in which order."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

PROGRAMS = Path(sys.executable).parent


def start(command: Sequence[str | Path], *, cwd: Path, environ: Mapping[str, str]) -> None:
    """Run a program; one that fails ends the benchmark with what it said."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environ, capture_output=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{said}")


def in_turn(rounds: int, *works: Callable[[], None], before: Callable[[], None] = lambda: None) -> list[list[float]]:
    """Seconds of each round for each of the works; a round before the first one warms what can be warm."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        before()
        for seconds, work in zip(taken, works, strict=True):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
    return [seconds[1:] for seconds in taken]


def refuse_a_checkout() -> None:
    """An editable setlist is looked up through one more path, and may change while it is measured."""
    written = distribution("setlist").read_text("direct_url.json") or ""
    if '"editable":true' in written.replace(" ", ""):
        sys.exit("this Python has an editable setlist: 'run bench' measures an installed wheel")
