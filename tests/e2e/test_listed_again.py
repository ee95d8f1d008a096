"""A listing that is just like the last one: it goes by its record, and is never a stale one."""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.fingerprint import checksum
from setlist.engine import trace
from support.project import ProjectFolder, Result, installed
from support.watching import watched_by

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="a listing is the whole program's there"),
]

DRIVER = """
import json, sys
before = set(sys.modules)
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from setlist.cli import entry_point
command, *sys.argv[1:] = sys.argv[1:]
code = entry_point.main() if command == "run" else entry_point.setlist()
seen = {"code": code, "modules": sorted(set(sys.modules) - before), "opened": opened}
print("seen " + json.dumps(seen))
"""

CHEAP = {
    "setlist", "setlist.cli", "setlist.cli.entry_point", "setlist.cli.fast_path",
    "setlist.engine",
    "setlist.core", "setlist.core.fingerprint", "setlist.engine.trace", "setlist.engine.world",
    "__future__", "_imp", "gc", "marshal", "time", "_sha256", "_sha2",
}  # fmt: skip

LISTINGS = [
    ("run", "--list"),
    ("run", "-l", "lint"),
    ("run", "-l", "-t", "ci", "--", "x"),
    ("setlist", "list"),
    ("setlist", "list", "--json"),
    ("setlist", "run", "--list"),
]


@pytest.fixture
def made(project: ProjectFolder) -> ProjectFolder:
    project.sessions(
        """
        [tool.setlist.session.lint]
        description = "Stül – and types"
        tags = ["ci"]
        run = []
        [tool.setlist.session.none]
        backend = "none"
        """
    )
    project.write("sessions/more.toml", '[session.more]\npython = ["3.10", "3.11"]\n')
    return project


def start(project: ProjectFolder, command: str, *argv: str, **rest: Any) -> Result:
    return project.run(*argv, **rest) if command == "run" else project.setlist(*argv, **rest)


def records(project: ProjectFolder) -> list[Path]:
    place = project.path / STATE_DIRECTORY / "store" / "listing"
    return sorted(place.iterdir()) if place.exists() else []


def whole(project: ProjectFolder, *words: str, **rest: Any) -> Result:
    """What the whole program says."""
    shutil.rmtree(project.path / STATE_DIRECTORY / "store" / "listing", ignore_errors=True)
    return start(project, *words, **rest)


def watched(project: ProjectFolder, *words: str) -> Any:
    return watched_by(DRIVER, project, *words)


def by_record(project: ProjectFolder, *words: str) -> bool:
    """Whether a listing goes by its record: the whole program isn't loaded."""
    return "setlist.cli.context" not in watched(project, *words)["modules"]


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_it_says_what_the_whole_program_says(made: ProjectFolder, words: tuple[str, ...]) -> None:
    first = start(made, *words, check=True)
    assert by_record(made, *words)
    again = start(made, *words)
    assert again == first == whole(made, *words)
    assert "lint" in again.out


def test_it_imports_next_to_nothing_and_opens_nothing_but_its_record(made: ProjectFolder) -> None:
    watched(made, "run", "--list")
    (record,) = records(made)
    seen = watched(made, "run", "--list")
    assert seen["code"] == 0
    assert set(seen["modules"]) <= CHEAP
    assert [path for path in seen["opened"] if path.startswith(str(made.path))] == [str(record)]


def test_what_is_told_of_files_that_are_not_used_is_told_again(made: ProjectFolder) -> None:
    made.write("noxfile.py", "import nox\n")
    first = made.run("-l", check=True)
    assert "noxfile.py: not used" in first.err
    assert by_record(made, "run", "-l")
    assert made.run("-l") == first
    made.write("noxfile.py", "import nox\nfrom setlist.nox import *\n")
    assert not by_record(made, "run", "-l")


def touched(project: ProjectFolder) -> None:
    path = project.path / "sessions" / "more.toml"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def linked(project: ProjectFolder) -> None:
    project.write("elsewhere.toml", "[session.linked]\n")


CHANGES: dict[str, Callable[[ProjectFolder], object]] = {
    "a source is touched": touched,
    "a source says something else": lambda project: project.write("sessions/more.toml", "[session.less]\n"),
    "a source appears": lambda project: project.write("sessions/another.toml", "[session.another]\n"),
    "a source goes": lambda project: (project.path / "sessions" / "more.toml").unlink(),
    "a noxfile appears": lambda project: project.write("noxfile.py", "import nox\n"),
    "what a link leads to appears": linked,
    "an environment is made": lambda project: project.run("lint", check=True),
    "an environment is finished": lambda project: project.write(f"{STATE_DIRECTORY}/envs/more-py310/state", "{}"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(made: ProjectFolder, change: Callable[[ProjectFolder], object]) -> None:
    (made.path / "sessions" / "linked.toml").symlink_to(made.path / "elsewhere.toml")
    made.run("-l", check=True)
    assert by_record(made, "run", "-l")
    change(made)
    again = made.run("-l")
    assert again == whole(made, "run", "-l")
    change_back = made.run("-l")
    assert change_back == again
    assert by_record(made, "run", "-l")


def test_an_environment_that_is_made_changed_and_removed_shows(made: ProjectFolder) -> None:
    def lint_line() -> str:
        return next(line for line in made.run("-l", check=True).out.splitlines() if "lint" in line)

    assert "ready" not in lint_line()
    made.run("lint", check=True)
    assert "ready" in lint_line()
    assert by_record(made, "run", "-l")
    (made.environment("lint") / "state").rename(made.environment("lint") / "away")
    assert "ready" not in lint_line()
    (made.environment("lint") / "away").rename(made.environment("lint") / "state")
    assert "ready" in lint_line()
    made.setlist("clean", "lint", check=True)
    assert "ready" not in lint_line()


NOXFILE = """
    import os
    import nox

    for name in os.environ.get("NAMES", "one").split():
        nox.session(lambda session: None, name=name)
"""


def test_a_variable_that_a_noxfile_reads_is_seen(project: ProjectFolder) -> None:
    project.write("noxfile.py", NOXFILE)
    assert "one" in project.run("-l", check=True).out
    assert by_record(project, "run", "-l")
    assert "two" in project.run("-l", env={"NAMES": "one two"}).out
    assert "two" not in project.run("-l").out
    # one that nobody reads
    project.run("-l", env={"OTHER": "1"})
    assert by_record(project, "run", "-l")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data[:40] + bytes(8) + data[48:],
        lambda data: b"[" * len(data),
    ],
)
def test_a_damaged_record_counts_as_none(made: ProjectFolder, damage: Callable[[bytes], bytes]) -> None:
    first = made.run("-l", check=True)
    (record,) = records(made)
    record.write_bytes(damage(record.read_bytes()))
    assert not by_record(made, "run", "-l")
    assert by_record(made, "run", "-l")
    assert made.run("-l") == first


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_no_matter(made: ProjectFolder) -> None:
    (made.path / ".setlist").mkdir()
    (made.path / ".setlist").chmod(0o500)
    try:
        assert made.run("-l", check=True) == made.run("-l")
    finally:
        (made.path / ".setlist").chmod(0o700)


@pytest.mark.parametrize("place", [".setlist", f"{STATE_DIRECTORY}/store", f"{STATE_DIRECTORY}/store/listing"])
def test_a_file_where_the_records_should_be_is_no_matter(made: ProjectFolder, place: str) -> None:
    made.write(place, "")
    assert made.run("-l", check=True) == made.run("-l")
    assert not by_record(made, "run", "-l")


def test_two_at_once_say_the_same(made: ProjectFolder) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: made.run("-l"), range(8)))
    assert said == [whole(made, "run", "-l")] * 8
    assert len(records(made)) == 1


def test_only_so_many_are_kept(made: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST", 3)
    for number in range(6):
        made.run_inside("-l", "--", str(number), check=True)
    assert len(records(made)) == 3
    assert by_record(made, "run", "-l", "--", str(number))


def test_what_is_told_in_detail_is_not_kept(made: ProjectFolder) -> None:
    made.run("-l", "-v", check=True)
    assert records(made) == []


def test_an_error_is_no_listing(made: ProjectFolder) -> None:
    assert made.run("-l", "nope").code == made.run("-l", "nope").code == 2
    made.run("list", "-l", check=False)
    assert made.setlist("list", "-l").code == 2
    assert made.run("list").code == 2


def test_a_reader_that_is_gone_is_told_as_ever(made: ProjectFolder) -> None:
    def code() -> int:
        reading, writing = os.pipe()
        os.close(reading)
        command = [*installed("run"), "-l"]
        done = subprocess.run(command, cwd=made.path, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert done.stderr == "error: standard output can't be written: Broken pipe\n"
        return done.returncode

    made.run("-l", check=True)
    by_record_code = code()
    shutil.rmtree(made.path / STATE_DIRECTORY / "store" / "listing")
    assert by_record_code == code() == 141


def test_another_directory_or_file_is_another_project(made: ProjectFolder, tmp_path: Path) -> None:
    other = ProjectFolder(tmp_path / "other")
    other.sessions("[tool.setlist.session.other]\n")
    made.write("given.toml", "[session.given]\n")
    for _ in range(2):
        assert "other" in made.run("-l", "-C", str(other.path), check=True).out
        assert "lint" in made.run("-l", check=True).out
        assert "given" in made.run("-l", "-f", "given.toml", check=True).out
    made.write("given.toml", "[session.taken]\n")
    assert "taken" in made.run("-l", "-f", "given.toml", check=True).out
    below = made.path / "below"
    below.mkdir()
    assert "lint" in made.run("-l", cwd=below, check=True).out
    assert not (below / ".setlist").exists()
    # the same words mean another project: from elsewhere, and when there is one
    assert "lint" in made.run("-l", "-C", "below", check=True).out
    made.write("below/pyproject.toml", "[tool.setlist.session.below]\n")
    assert "below" in made.run("-l", "-C", "below", check=True).out
    made.write("below/below/pyproject.toml", "[tool.setlist.session.deep]\n")
    assert "deep" in made.run("-l", "-C", "below", cwd=below, check=True).out


def test_a_record_of_another_setlist_counts_as_none(made: ProjectFolder) -> None:
    made.run("-l", check=True)
    (record,) = records(made)
    version, *rest = marshal.loads(record.read_bytes()[32:])
    content = marshal.dumps((f"{version}.1", *rest))
    record.write_bytes(checksum(content).encode() + content)
    assert not by_record(made, "run", "-l")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_in_a_terminal_its_width_and_colours_count(made: ProjectFolder) -> None:
    pexpect = pytest.importorskip("pexpect")
    program, *rest = installed("run")

    def shown(columns: int = 100, **env: str) -> str:
        environ = {**os.environ, "TERM": "xterm-256color", **env}
        child = pexpect.spawn(
            program, [*rest, "-l"], cwd=str(made.path), env=environ, encoding="utf-8", dimensions=(24, columns)
        )
        text: str = child.read()
        child.close()
        assert child.exitstatus == 0
        return text

    first = shown()
    (record,) = records(made)
    signed = record.stat().st_ino
    assert "\x1b[" in first
    assert shown() == first
    assert record.stat().st_ino == signed  # it wasn't written again
    assert shown(columns=30) != first
    assert "\x1b[" not in shown(NO_COLOR="1")
    assert shown() == first
    assert made.run("-l").out.isascii() is False
    assert "\x1b[" not in made.run("-l").out


def test_an_encoding_that_has_no_dash_counts(made: ProjectFolder) -> None:
    fine = made.run("-l", check=True)
    plain = made.run("-l", env={"PYTHONIOENCODING": "ascii"})
    assert plain.out.isascii()
    assert made.run("-l") == fine
