"""How long locks take to make, and environments to be made from them, against plain uv.

Two comparisons, each in turn (ours, uv's, ours, uv's …), with warm caches:

resolving
    ``setlist lock`` for forty sessions, four families of ten variants whose requirements all differ, against
    forty ``uv pip compile`` calls, one after another. Once with an index that is asked whether its pages are
    still what is in the cache, and takes 20 ms to say so, as from the next day on; once right after, when
    nothing is asked and all of it is computing.
making
    ``run -r --offline --locked`` of a session whose lock holds eighteen packages against ``uv venv`` and
    ``uv pip sync --offline``; what the round before made is deleted first. With packages of one module, where all
    that is seen is what it costs to start, and of as many as real ones have. The session has no command, as nothing
    is run on the other side either; once more with one that does nothing, for what a run as a whole costs.

No network: the packages are made on the fly and served on loopback. What is printed is a table in Markdown;
benchmarks/README.md tells how to start it and how to read it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

from setlist import STATE_DIRECTORY

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from measuring import PROGRAMS, in_turn, put_aside, refuse_a_checkout, start

from support.index import LocalIndex, serving
from support.wheels import make_wheel
from support.world import hermetic

FAMILIES = ("lint", "test", "docs", "web")
VARIANTS = 10
LIBRARIES = 6
BASES = 8
SHARED = 5
PYTHON = "{}.{}".format(*sys.version_info[:2])

MODULES = {
    "tiny": (1,) * 18,
    "test": (280, 220, 150, 110, 90, 80, 70, 60, 50, 40, 30, 30, 20, 20, 15, 10, 5, 5),
    "docs": (2000, 1100, 900, 600, 340, 300, 280, 220, 150, 110, 90, 80, 70, 60, 40, 30, 20, 10),
}
"""How many modules each of eighteen packages has: one; as in a session with pytest, hypothesis and their like; as in
one with a web framework or a documentation generator, and their translations."""


@dataclass(frozen=True)
class World:
    """Where everything happens: a directory, the variables of every program, and the index."""

    directory: Path
    environ: Mapping[str, str]
    index: LocalIndex

    def start(self, *command: str | Path, cwd: Path) -> None:
        """Run a program."""
        start(command, cwd=cwd, environ=self.environ)


@dataclass(frozen=True)
class Comparison:
    """Seconds that each took, round by round."""

    what: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float | None

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, of each round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def row(self, *, seconds: bool) -> str:
        """A row of the table."""
        cells = [self.what]
        if seconds:
            cells += [f"{statistics.median(taken):.3f} s" for taken in (self.ours, self.theirs)]
        ratio = statistics.median(self.ours) / statistics.median(self.theirs)
        cells += [f"{ratio:.2f}", f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"]
        cells.append("–" if self.goal is None else f"≤ {self.goal}")
        return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="write the table to this file as well")
    parser.add_argument("--ratios", action="store_true", help="leave the seconds out: they are this machine's")
    options = parser.parse_args()
    refuse_a_checkout()
    with temporary() as home, new_world(home) as world:
        found = [
            *resolving(world, options.rounds),
            *(row for kind, modules in MODULES.items() for row in making(world, options.rounds, kind, modules)),
        ]
    text = _table(found, options.rounds, seconds=not options.ratios)
    sys.stdout.write(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def resolving(world: World, rounds: int) -> Iterator[Comparison]:
    """Forty locks against forty resolutions."""
    _offer_families(world)
    project = world.directory / "forty"
    project.mkdir()
    tables = [
        f"[session.{family}]\nmatrix = {{ app = {[str(each) for each in range(VARIANTS)]} }}\n"
        f'deps = ["{family}-app=={{app}}.*"]\n'
        for family in FAMILIES
    ]
    (project / "sessions").mkdir()
    (project / "sessions" / "forty.toml").write_text("\n".join(tables), encoding="utf-8")
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "forty"\nversion = "1"\nrequires-python = ">={PYTHON}"\n'
    )

    plain = world.directory / "plain"
    plain.mkdir()
    wanted = [(f"{family}-app{each}", f"{family}-app=={each}.*") for family in FAMILIES for each in range(VARIANTS)]
    for name, line in wanted:
        (plain / f"{name}.in").write_text(f"{line}\n", encoding="utf-8")

    def ours() -> None:
        world.start(PROGRAMS / "setlist", "lock", cwd=project)

    def theirs() -> None:
        for name, _ in wanted:
            world.start(
                *(PROGRAMS / "uv", "pip", "compile", "--universal", "--generate-hashes", "--quiet"),
                *("--python", sys.executable, "--python-version", PYTHON),
                *(f"{name}.in", "--output-file", f"{name}.txt"),
                cwd=plain,
            )

    def forget() -> None:
        rmtree(project / "sessions" / "locks", ignore_errors=True)
        for file in plain.glob("*.txt"):
            file.unlink()

    for what, delay, max_age, goal in (("the index is asked", 0.02, 0, 0.5), ("nothing is asked", 0.0, 3600, None)):
        world.index.delay, world.index.max_age = delay, max_age
        took = in_turn(rounds, ours, theirs, before=forget)
        packages = pins(plain / f"{wanted[0][0]}.txt")
        for name, _ in wanted:
            if pins(plain / f"{name}.txt") != pins(project / "sessions" / "locks" / f"{name}.txt"):
                sys.exit(f"{name}: they don't come to the same versions")
        yield Comparison(f"forty locks of {len(packages)} packages each; {what}", *took, goal)


def making(world: World, rounds: int, kind: str, files: Sequence[int]) -> Iterator[Comparison]:
    """An environment from a lock, from nothing, without a network: by itself, and with a command run in it."""
    offer_packages(world, kind, files)
    project = world.directory / kind
    project.mkdir()
    (project / "pyproject.toml").write_text(
        f'[tool.setlist.session.{kind}]\ndeps = ["{kind}-0"]\n'
        f'[tool.setlist.session.{kind}-run]\nextends = "{kind}"\nrun = ["python -c pass"]\n',
        encoding="utf-8",
    )
    world.start(PROGRAMS / "setlist", "lock", cwd=project)
    lock = project / "sessions" / "locks" / f"{kind}.txt"
    packages = pins(lock)
    assert len(packages) == len(files), packages
    plain = world.directory / f"{kind}-plain"

    def ours(session: str) -> None:
        world.start(PROGRAMS / "run", "-r", "--offline", "--locked", session, cwd=project)

    def theirs() -> None:
        uv = PROGRAMS / "uv"
        world.start(uv, "venv", "--quiet", "--offline", "--python", sys.executable, plain, cwd=project)
        world.start(uv, "pip", "sync", "--quiet", "--offline", "--python", plain / "bin" / "python", lock, cwd=project)

    def forget() -> None:
        put_aside(project / STATE_DIRECTORY / "envs", plain)

    world.start(PROGRAMS / "run", kind, cwd=project)  # what is installed is in the cache from now on
    alone, whole, uv = in_turn(rounds, lambda: ours(kind), lambda: ours(f"{kind}-run"), theirs, before=forget)
    what = f"an environment of {len(files)} packages with {sum(files)} modules"
    yield Comparison(what, alone, uv, 1.3)
    yield Comparison(f"{what}, and a command", whole, uv, None)


def _offer_families(world: World) -> None:
    """Packages for forty sessions: an application with libraries, which have bases, which share some more.

    Each has more versions than there are variants, so that there is something to choose from.
    """
    versions = range(VARIANTS + 2)
    shared = [f"shared-{each}" for each in range(SHARED)]
    for number, name in enumerate(shared):
        below = [f"{shared[number + 1]}>=3"] if number + 1 < len(shared) else []
        for each in versions:
            _offer(world, name, each, below)
    for family in FAMILIES:
        bases = [f"{family}-base-{each}" for each in range(BASES)]
        libraries = [f"{family}-library-{each}" for each in range(LIBRARIES)]
        for each in versions:
            for number, name in enumerate(bases):
                odd = [f"{shared[0]}; python_version >= '3.9'", f"{shared[1]}!=4; sys_platform != 'win32'"]
                _offer(world, name, each, [f"{shared[number % SHARED]}>=2", odd[number % 2]])
            for number, name in enumerate(libraries):
                below = [f"{bases[number]}>={each}.0", f"{bases[number + 2]}<={each + 1}.0"]
                _offer(world, name, each, below)
            _offer(world, f"{family}-app", each, [f"{name}>={each}.0,<{each + 2}" for name in libraries])


def offer_packages(world: World, kind: str, files: Sequence[int], lines: int = 120) -> None:
    """A chain of packages with so many modules each, of so many lines."""
    source = "'''A module of middling size.'''\n" + "\n".join(f"value_{line} = {line}" for line in range(lines)) + "\n"
    for number, count in enumerate(files):
        below = [f"{kind}-{number + 1}"] if number + 1 < len(files) else []
        name = f"{kind}_{number}"
        modules = {f"{name}/part_{part // 12}/module_{part}.py": source for part in range(count)}
        _offer(world, f"{kind}-{number}", 1, below, modules)


def _offer(
    world: World, name: str, number: int, requires: Sequence[str], modules: Mapping[str, str] | None = None
) -> None:
    wheel = make_wheel(world.directory / "wheels", name, f"{number}.0", requires=requires, modules=modules)
    world.index.add(wheel)


def pins(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split(" ")[0] for line in lines if line[:1].isalpha()]


@contextmanager
def temporary() -> Iterator[Path]:
    """Where worlds are. It goes when all is measured, and not before: see :func:`measuring.put_aside`."""
    with tempfile.TemporaryDirectory(prefix="setlist-benchmark-") as place:
        yield Path(place).resolve()


@contextmanager
def new_world(home: Path) -> Iterator[World]:
    """A home, caches and an index of the benchmark's own, in a new directory below ``home``."""
    with serving() as index:
        directory = Path(tempfile.mkdtemp(dir=home))
        environ = hermetic(os.environ, directory / "home") | {"UV_DEFAULT_INDEX": index.url}
        environ.pop("PIP_NO_INDEX")
        yield World(directory, environ, index)


def _table(found: Sequence[Comparison], rounds: int, *, seconds: bool) -> str:
    uv = subprocess.run([PROGRAMS / "uv", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    heads = ["", *(["setlist", "uv"] if seconds else []), "setlist / uv", "lowest to highest", "goal"]
    versions = (
        f"setlist {version('setlist')}, uv {uv}, virtualenv {version('virtualenv')}, "
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores; "
        f"{rounds} rounds, medians"
    )
    return "\n".join(
        [
            versions,
            "",
            f"| {' | '.join(heads)} |",
            f"|{' --- |' * len(heads)}",
            *(comparison.row(seconds=seconds) for comparison in found),
            "",
        ]
    )


if __name__ == "__main__":
    main()
