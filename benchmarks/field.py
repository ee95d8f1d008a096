"""setlist beside nox, tox, tox-uv, hatch and uv: the same work for each, and how much of their time setlist takes.

Nine rows, each with its goal:

1. a warm ``run lint``, where nothing has changed
2. an environment from nothing, from a lock, with everything in uv's cache
3. one more dependency for a session that has its environment
4. ``setlist lock``, and ``setlist lock --check`` where nothing has changed
5. 24 sessions, two at once (minutes: measured only when asked for)
6. 5,000 sessions in a project
7. a noxfile as it is
8. memory
9. disk

What is measured is started as a person starts it, with the same environment variables each time; nobody reads
what it says. Tools take turns within each round, and each of setlist's times is compared with the other's of the same
round. No network: packages are made on the fly and served on loopback. benchmarks/README.md tells how to start it.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from setlist import STATE_DIRECTORY

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import locks
import parallel
import projects
from figures import Figure, Missing, amount, growth, plot, ratio, table
from measuring import (
    PROGRAMS,
    WITHOUT_PLUGINS,
    Failed,
    disk_usage,
    in_turn,
    peak_memory,
    put_aside,
    refuse_a_checkout,
    start_unheard,
)

from support.wheels import make_wheel

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
BEGIN, END = "<!-- the field: written by run bench-of-field -- --write -->", "<!-- end of the field -->"

KIND = "test"
"""Which of the packages of ``locks.py``: eighteen of them, as many modules as pytest and its like have."""

DEPS = (f"{KIND}-0",)
"""The first of them requires the next, and so on."""

ANOTHER = "another"

LONG = 1000
"""Lines of a module of 16 KB: a file has as much on average where a documentation generator is installed."""


@dataclass(frozen=True)
class Bench:
    """Where the tools are measured, and how often."""

    world: locks.World
    rounds: int
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where projects are made."""
        return self.world.directory

    def work(self, *command: str | Path, cwd: Path, **more: str) -> Callable[[], None]:
        """Something to be measured; ``more`` are environment variables."""
        environ = {**self.world.environ, **self.environ, **more}
        words = (PROGRAMS / command[0], *command[1:])
        return lambda: start_unheard(words, cwd=cwd, environ=environ)

    def memory(self, *command: str | Path, cwd: Path, without: Path | None = None) -> list[float]:
        """MiB of some program in each round, ``without`` what is removed before each."""
        words = (PROGRAMS / command[0], *command[1:])
        environ = {**self.world.environ, **self.environ}
        taken = []
        for _ in range(self.rounds):
            if without is not None:
                put_aside(without)
            taken.append(peak_memory(words, cwd=cwd, environ=environ))
        return taken


@dataclass(frozen=True)
class Row:
    """A row of the table of goals; how often it is measured unless told otherwise."""

    measure: Callable[[Bench], Iterator[Figure]]
    rounds: int


def warm(bench: Bench) -> Iterator[Figure]:
    """1: a session whose environment has eighteen packages, and nothing has changed."""
    home = bench.home / "warm"
    setlist = projects.write(home / "setlist", projects.for_setlist(DEPS))
    nox = projects.write(home / "nox", projects.for_nox(DEPS))
    tox = projects.write(home / "tox", projects.for_tox(DEPS))
    hatch = projects.write(home / "hatch", projects.for_hatch(DEPS))
    uv = projects.write(home / "uv", projects.for_uv(DEPS, locks.PYTHON))
    bench.work("setlist", "lock", cwd=setlist)()
    bench.work("uv", "sync", "--python", sys.executable, cwd=uv)()
    ours, *others = in_turn(
        bench.rounds,
        bench.work("run", "lint", cwd=setlist),
        bench.work("nox", "-R", "-s", "lint", cwd=nox),
        bench.work("tox", "run", "-e", "lint", cwd=tox, **WITHOUT_PLUGINS),
        bench.work("hatch", "run", "lint:x", cwd=hatch),
        bench.work("uv", "run", *projects.COMMAND.split(), cwd=uv),
    )
    names = ("`nox -R -s lint`", "`tox run -e lint`", "`hatch run lint:x`", "`uv run`")
    for name, theirs, goal in zip(names, others, (0.20, 0.12, 0.20, 1.4), strict=True):
        yield ratio(1, "`run lint`, warm", name, ours, theirs, goal)


def from_a_lock(bench: Bench) -> Iterator[Figure]:
    """2: an environment of eighteen packages from nothing."""
    home = bench.home / "lock"
    setlist = projects.write(home / "setlist", projects.for_setlist(DEPS))
    bench.work("setlist", "lock", cwd=setlist)()
    lock = setlist / "sessions" / "locks" / "lint.txt"
    nox = projects.write(home / "nox", projects.for_nox(("-r", str(lock))))
    tox = projects.write(home / "tox", projects.for_tox((f"-r {lock}",)))
    uv = projects.write(home / "uv", projects.for_uv(DEPS, locks.PYTHON))
    bench.work("uv", "lock", "--python", sys.executable, cwd=uv)()
    bench.work("run", "bare", cwd=setlist)()  # what is installed is in uv's cache from now on
    checkout = projects.write(home / "checkout", projects.for_setlist(DEPS))
    bench.work("setlist", "lock", cwd=checkout)()
    plain = home / "plain"
    make = bench.work("uv", "venv", "--python", sys.executable, plain, cwd=home)
    fill = bench.work("uv", "pip", "sync", "--offline", "--python", plain / "bin" / "python", lock, cwd=home)

    def both() -> None:
        make()
        fill()

    def forget() -> None:
        put_aside(setlist / STATE_DIRECTORY / "envs", checkout / ".setlist")
        put_aside(nox / ".nox", tox / ".tox", uv / ".venv", plain)

    run = ("run", "-r", "--offline", "--locked")
    ran, made, new, noxs, toxs, synced, piped = in_turn(
        bench.rounds,
        bench.work(*run, "lint", cwd=setlist),
        bench.work(*run, "bare", cwd=setlist),
        bench.work("run", "--offline", "--locked", "lint", cwd=checkout),
        bench.work("nox", "-s", "lint", cwd=nox, UV_OFFLINE="1"),
        bench.work("tox", "run", "-e", "lint", cwd=tox, UV_OFFLINE="1"),
        bench.work("uv", "sync", "--frozen", "--offline", "--python", sys.executable, cwd=uv),
        both,
        before=forget,
    )
    work = "18 packages from a lock"
    yield ratio(2, f"{work}, and a command", "nox, uv backend", ran, noxs, 0.12)
    yield ratio(2, f"{work}, and a command", "tox-uv", ran, toxs, 0.15)
    yield ratio(2, work, "`uv sync --frozen`", made, synced, 0.5)
    yield ratio(2, work, "`uv venv`, `uv pip sync`", made, piped, 1.3)
    for name, theirs in (("nox, uv backend", noxs), ("tox-uv", toxs)):
        yield ratio(2, f"{work}, and a command, in a new checkout", name, new, theirs, None)


def one_more(bench: Bench) -> Iterator[Figure]:
    """3: a dependency is written down, and the session runs."""
    kinds = {"setlist": projects.for_setlist, "nox": projects.for_nox, "tox": projects.for_tox}
    home = bench.home / "more"
    works = [
        bench.work("run", "lint", cwd=home / "setlist"),
        bench.work("nox", "-r", "-s", "lint", cwd=home / "nox"),
        bench.work("tox", "run", "-e", "lint", cwd=home / "tox"),
    ]

    def begin_again() -> None:
        put_aside(home)
        for (kind, told), work in zip(kinds.items(), works, strict=True):
            projects.write(home / kind, told(DEPS))
            work()
            projects.write(home / kind, told((*DEPS, ANOTHER)))

    ours, noxs, toxs = in_turn(bench.rounds, *works, before=begin_again)
    yield ratio(3, "a dependency added to 18", "tox-uv", ours, toxs, 0.3)
    yield ratio(3, "a dependency added to 18", "`nox -r`, uv backend", ours, noxs, 0.3)


def locking(bench: Bench) -> Iterator[Figure]:
    """4: forty locks, and a look at a thousand."""
    for found in locks.resolving(bench.world, bench.rounds):
        work = f"`setlist lock`, 40 sessions;{found.what.partition(';')[2]}"
        yield ratio(4, work, "forty `uv pip compile`", found.ours, found.theirs, 0.4)

    deps = [f"{family}-app=={each}.*" for family in locks.FAMILIES for each in range(locks.VARIANTS)]
    thousand = projects.write(bench.home / "thousand", projects.alike_for_setlist(1000, deps))
    bench.work("setlist", "lock", cwd=thousand)()
    check = bench.work("setlist", "lock", "--check", cwd=thousand)
    checked, begun = in_turn(bench.rounds, check, bench.work("setlist", "--version", cwd=thousand))
    yield growth(4, "`setlist lock --check`, 1,000 sessions", "`setlist --version`", checked, begun, "s", 0.3)


def run_in_threads(bench: Bench) -> Iterator[Figure]:
    """5: 24 sessions, two at once."""
    home = bench.home / "side by side"
    home.mkdir()
    for found in parallel.measure(home, bench.rounds, None):
        goal = 1.03 if "`run" in found.what else None
        bound = [found.bound] * len(found.seconds)
        yield ratio(5, f"24 sessions: {found.what}", "the lower bound", found.seconds, bound, goal)


def many(bench: Bench) -> Iterator[Figure]:
    """6: 5,000 sessions."""
    few = projects.write(bench.home / "few", projects.many_for_setlist(10))
    lots = projects.write(bench.home / "lots", projects.many_for_setlist(5000))
    nox = projects.write(bench.home / "lots of nox", projects.many_for_nox(5000))
    ours, theirs = in_turn(bench.rounds, bench.work("run", "--list", cwd=lots), bench.work("nox", "-l", cwd=nox))
    yield ratio(6, "`run --list`, 5,000 sessions", "`nox -l`", ours, theirs, 0.1)
    for work, options in (("`run x-17`, warm", ()), ("`run -j 1 x-17`, the whole program", ("-j", "1"))):
        much, little = in_turn(
            3 * bench.rounds,
            bench.work("run", *options, "x-17", cwd=lots),
            bench.work("run", *options, "x-17", cwd=few),
        )
        yield growth(6, f"{work}: 5,000 sessions", "10 sessions", much, little, "ms", 20)
    some = projects.write(bench.home / "some", projects.many_for_setlist(500))
    bench.work("run", "--list", cwd=some)()
    (tab,) = in_turn(bench.rounds, bench.work("setlist", "completion", "zsh", "--", "run", "x", cwd=some))
    yield amount(6, "pressing Tab after `run x`, 500 sessions", [seconds * 1000 for seconds in tab], "ms", 60)


def noxfile(bench: Bench) -> Iterator[Figure]:
    """7: a project that has a noxfile and nothing else."""
    home = bench.home / "noxfile"
    setlist = projects.write(home / "setlist", projects.for_nox(DEPS))
    nox = projects.write(home / "nox", projects.for_nox(DEPS))
    ours, kept, checked = in_turn(
        bench.rounds,
        bench.work("run", "lint", cwd=setlist),
        bench.work("nox", "-R", "-s", "lint", cwd=nox),
        bench.work("nox", "-r", "-s", "lint", cwd=nox),
    )
    yield ratio(7, "`run lint` of a noxfile, warm", "`nox -R -s lint`", ours, kept, 0.85)
    yield ratio(7, "`run lint` of a noxfile, warm", "`nox -r -s lint`, uv backend", ours, checked, None)


def memory(bench: Bench) -> Iterator[Figure]:
    """8: the most that is in memory at once."""
    one = projects.write(bench.home / "one", projects.for_setlist(DEPS))
    lots = projects.write(bench.home / "listed", projects.many_for_setlist(5000))
    for warming in (bench.work("run", "lint", cwd=one), bench.work("run", "--list", cwd=lots)):
        warming()
        warming()
    python = one / STATE_DIRECTORY / "envs" / "lint" / "bin" / "python"
    alone = bench.memory(python, "-c", "pass", cwd=one)
    yield ratio(8, "memory of a warm `run lint`", "`python -c pass`", bench.memory("run", "lint", cwd=one), alone, 1.6)
    kept = lots / STATE_DIRECTORY
    again = bench.memory("run", "--list", cwd=lots)
    yield amount(8, "memory of `run --list`, 5,000 sessions", again, "MiB", 60)
    whole = bench.memory("run", "--list", cwd=lots, without=kept / "store" / "listing")
    yield amount(8, "memory of the same after a change, by the whole program", whole, "MiB", 60)
    first = bench.memory("run", "--list", cwd=lots, without=kept)
    yield amount(8, "memory of the first `run --list`, which reads the definitions", first, "MiB", None)


def disk(bench: Bench) -> Iterator[Figure]:
    """9: ten environments of the same packages, and one."""
    locks.offer_packages(bench.world, "large", locks.MODULES[KIND], lines=LONG)
    for kind, what in ((KIND, "2 KB"), ("large", "16 KB")):
        ten = projects.write(bench.home / f"ten-{kind}", projects.alike_for_setlist(10, [f"{kind}-0"]))
        bench.work("setlist", "lock", cwd=ten)()
        bench.work("run", cwd=ten)()
        envs = ten / STATE_DIRECTORY / "envs"
        one, all_of_them = disk_usage(envs / "x-0"), disk_usage(envs)
        work = f"disk for ten sessions with the same 18 packages, modules of {what}"
        yield ratio(9, work, "one", [all_of_them], [one], 1.3)


ROWS = {
    1: Row(warm, 15),
    2: Row(from_a_lock, 7),
    3: Row(one_more, 5),
    4: Row(locking, 3),
    5: Row(run_in_threads, 3),
    6: Row(many, 7),
    7: Row(noxfile, 11),
    8: Row(memory, 5),
    9: Row(disk, 1),
}
USUAL = tuple(number for number in ROWS if number != 5)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=_rows, default=USUAL, help="which, as in 1,2,8, or 'all'; without: all but 5")
    parser.add_argument("--rounds", type=int, help="how often each is measured; without: each row has its number")
    parser.add_argument("--output", type=Path, help="write the table to this file as well")
    parser.add_argument("--plot", type=Path, help="write the plot to this file (SVG)")
    parser.add_argument("--write", action="store_true", help="put table and plot into the manual")
    options = parser.parse_args()
    if options.write and not set(USUAL) <= set(options.rows):
        parser.error("--write: the manual has all rows, or all but the fifth")
    refuse_a_checkout()
    found: list[Figure | Missing] = []
    with locks.temporary() as home:
        for number in options.rows:
            found += measure(number, options.rounds or ROWS[number].rounds, home)
    counts = sorted({options.rounds or ROWS[number].rounds for number in options.rows})
    often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    caption, text = f"{versions()}; rounds: {often}, medians", table(found)
    picture = plot(found, caption)
    sys.stdout.write(f"{caption}\n\n{text}")
    if options.output:
        options.output.write_text(f"{caption}\n\n{text}", encoding="utf-8")
    if options.plot:
        options.plot.write_text(picture, encoding="utf-8")
    if options.write:
        PLOT.write_text(picture, encoding="utf-8")
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), f"{caption}\n\n{text}"), encoding="utf-8")


def measure(number: int, rounds: int, home: Path) -> list[Figure | Missing]:
    """One row, in a world of its own below ``home``: none finds what another one has left."""
    row = ROWS[number]
    found: list[Figure | Missing] = []
    with locks.new_world(home) as world:
        environ = {"PATH": f"{PROGRAMS}{os.pathsep}{world.environ['PATH']}", "PIP_INDEX_URL": world.index.url}
        world.index.max_age = 3600
        locks.offer_packages(world, KIND, locks.MODULES[KIND])
        world.index.add(make_wheel(world.directory / "wheels", ANOTHER, "1.0"))
        try:
            for figure in row.measure(Bench(world, rounds, environ)):
                sys.stderr.write(f"{' | '.join(figure.cells())}\n")
                found.append(figure)
        except (Failed, SystemExit) as error:
            sys.stderr.write(f"{error}\n")
            found.append(Missing(number, str(error).partition("\n")[0]))
    return found


def versions() -> str:
    """What was compared, and where."""
    uv = subprocess.run([PROGRAMS / "uv", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    tools = [f"{name} {version(name)}" for name in ("setlist", "nox", "tox", "tox-uv", "hatch", "virtualenv")]
    machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    return f"{', '.join(tools)}, uv {uv}, {machine}"


def with_table(page: str, text: str) -> str:
    """The page of the manual with what was measured between its two marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} has no place for the table")
    picture = f"![What setlist takes, by what others take]({PLOT.name})"
    return f"{head}{begin}\n\n{text}\n{picture}\n\n{end}{tail}"


def _rows(text: str) -> Sequence[int]:
    chosen = tuple(ROWS) if text == "all" else tuple(int(word) for word in text.split(","))
    if unknown := set(chosen) - set(ROWS):
        raise argparse.ArgumentTypeError(f"there is no row {', '.join(map(str, sorted(unknown)))}")
    return chosen


if __name__ == "__main__":
    main()
