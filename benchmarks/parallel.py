"""How long 24 sessions take at two at once, against the time that no order can do better than.

The sessions do nothing but sleep, for 0.3 to 2 seconds, so that no more than the runner's own work is measured: which
one starts when, and what passes between the end of one and the start of the next. They require each other, and two run
alone. Each has an environment of its own, made before. The same set goes, in turn, to

``run -j 2``
    which knows from its last runs how long each session takes.
``nox -j 2 --allow-parallel``
    with the environments reused (``-r``). The two that run alone have ``allow_parallel=False``.
``tox p -p 2``
    with ``depends`` for what a session requires. tox has nothing for one that runs alone: there these two run beside
    others. What it is given so is easier, with a lower bound of its own; ``run -j 2`` is measured on that as well.

No network. What is printed is a table in Markdown; benchmarks/README.md tells how to start it and how to read it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from measuring import PROGRAMS, WITHOUT_PLUGINS, in_turn, refuse_a_checkout, start

from setlist.core.model import Origin, SessionSpec
from setlist.scheduling.order import Plan, Step
from setlist.scheduling.priorities import Limits, work_of
from support.lower_bound import lower_bound
from support.world import hermetic

JOBS = 2


@dataclass(frozen=True)
class Job:
    """One session of the set."""

    name: str
    seconds: float
    requires: tuple[str, ...] = ()
    exclusive: bool = False


TESTS = ("test-a", "test-b", "test-c", "test-d")

JOBS_OF_THE_SET = (
    Job("lint", 0.9),
    Job("format", 0.3),
    Job("types", 1.6),
    Job("spelling", 0.4),
    Job("build", 0.8),
    Job("contents", 0.5, ("build",)),
    Job("test-a", 1.9, ("build",)),
    Job("test-b", 1.7, ("build",)),
    Job("test-c", 1.6, ("build",)),
    Job("test-d", 1.5, ("build",)),
    Job("slow", 2.0, ("build",)),
    Job("examples", 1.2, ("build",)),
    Job("web-x", 1.1, ("build",)),
    Job("web-y", 1.3, ("build",)),
    Job("web-z", 1.0, ("build",)),
    Job("docs", 1.4),
    Job("links", 0.7, ("docs",)),
    Job("bench", 1.0, ("build",), exclusive=True),
    Job("coverage", 0.6, TESTS),
    Job("integration-x", 1.8, ("test-b",)),
    Job("integration-y", 1.5, ("test-c",)),
    Job("load", 0.8, ("integration-x",), exclusive=True),
    Job("package", 0.4, ("contents", "docs")),
    Job("release", 0.3, ("package", "coverage", "integration-y")),
)


@dataclass(frozen=True)
class Measured:
    """Seconds that one runner took, round by round, and those that no order could do better than."""

    what: str
    seconds: Sequence[float]
    bound: float

    def row(self) -> str:
        """A row of the table."""
        median = statistics.median(self.seconds)
        spread = f"{min(self.seconds):.2f} to {max(self.seconds):.2f} s"
        cells = [self.what, f"{self.bound:.2f} s", f"{median:.2f} s", spread, f"{median / self.bound:.3f}"]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="write the table to this file as well")
    parser.add_argument("--only", choices=("setlist", "nox", "tox"), help="measure one of them only")
    options = parser.parse_args()
    refuse_a_checkout()
    with tempfile.TemporaryDirectory(prefix="setlist-benchmark-") as place:
        directory = Path(place).resolve()
        found = measure(directory, options.rounds, options.only)
    text = _table(found, options.rounds)
    sys.stdout.write(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def measure(directory: Path, rounds: int, only: str | None) -> list[Measured]:
    """The runners, one after the other in each round."""
    environ = hermetic(os.environ, directory / "home") | WITHOUT_PLUGINS
    sets = {
        "two run alone": JOBS_OF_THE_SET,
        "none runs alone": [replace(job, exclusive=False) for job in JOBS_OF_THE_SET],
    }
    for what, jobs in sets.items():
        project = directory / what
        project.mkdir()
        (project / "pyproject.toml").write_text(for_setlist(jobs), encoding="utf-8")
        (project / "noxfile.py").write_text(for_nox(jobs), encoding="utf-8")
        (project / "tox.ini").write_text(for_tox(jobs), encoding="utf-8")
    run = (PROGRAMS / "run", "-j", str(JOBS))
    nox = (PROGRAMS / "nox", "-r", "-j", str(JOBS), "--allow-parallel")
    tox = (PROGRAMS / "tox", "p", "-p", str(JOBS))
    runners = [("two run alone", run), ("two run alone", nox), ("none runs alone", run), ("none runs alone", tox)]
    chosen = [(what, command) for what, command in runners if only in (None, command[0].name.replace("run", "setlist"))]
    works = [
        lambda what=what, command=command: start(command, cwd=directory / what, environ=environ)
        for what, command in chosen
    ]
    for work in works:
        work()  # makes the environments; in_turn's own first round is the first that knows how long a session takes
    taken = in_turn(rounds, *works)
    return [
        Measured(f"`{' '.join([command[0].name, *command[1:]])}`; {what}", seconds, bound_of(sets[what]))
        for (what, command), seconds in zip(chosen, taken, strict=True)
    ]


def bound_of(jobs: Sequence[Job]) -> float:
    """Seconds that no order of them can do better than."""
    sessions = [
        SessionSpec(
            name=job.name, family=job.name, origin=Origin(__file__), requires=job.requires, exclusive=job.exclusive
        )
        for job in jobs
    ]
    plan = Plan(tuple(Step(session, requested=True) for session in sessions))
    return lower_bound(work_of(plan, Limits(JOBS), {job.name: job.seconds for job in jobs}))


def for_setlist(jobs: Sequence[Job]) -> str:
    """The set as ``[tool.setlist]``."""
    tables = ['[tool.setlist.defaults]\nexternal = ["sleep"]\n']
    for job in jobs:
        table = f'[tool.setlist.session.{job.name}]\nrun = ["sleep {job.seconds}"]\nrequires = {list(job.requires)}\n'
        tables.append(f"{table}exclusive = true\n" if job.exclusive else table)
    return "\n".join(tables)


def for_nox(jobs: Sequence[Job]) -> str:
    """The set as a noxfile."""
    parts = ["import nox\n"]
    for job in jobs:
        alone = ", allow_parallel=False" if job.exclusive else ""
        parts.append(
            f"@nox.session(name={job.name!r}, requires={list(job.requires)}{alone})\n"
            f"def {job.name.replace('-', '_')}(session):\n"
            f'    session.run("sleep", "{job.seconds}", external=True)\n'
        )
    return "\n\n".join(parts)


def for_tox(jobs: Sequence[Job]) -> str:
    """The set as a tox.ini."""
    names = "\n    ".join(job.name for job in jobs)
    parts = [f"[tox]\nno_package = true\nenv_list =\n    {names}\n", "[testenv]\nallowlist_externals = sleep\n"]
    parts += [
        f"[testenv:{job.name}]\ndepends = {', '.join(job.requires)}\ncommands = sleep {job.seconds}\n" for job in jobs
    ]
    return "\n".join(parts)


def _table(found: Sequence[Measured], rounds: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("setlist", "nox", "tox"))
    machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    heads = [f"{len(JOBS_OF_THE_SET)} sessions", "lower bound", "median", "lowest to highest", "median / bound"]
    return "\n".join(
        [
            f"{versions}, {machine}; {rounds} rounds",
            "",
            f"| {' | '.join(heads)} |",
            f"|{' --- |' * len(heads)}",
            *(measured.row() for measured in found),
            "",
        ]
    )


if __name__ == "__main__":
    main()
