"""An environment that isn't there, or is to be made anew, in a run like the last one: none can tell how it was made."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.records import dump
from setlist.environment.snapshot import look
from setlist.environment.virtualenv import site_packages
from support.again import CHEAP, by_record, forget, plain, records, remove_environment, shape, watched
from support.project import ProjectFolder, installed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="a warm run is the whole program's there"),
]

RELAID = CHEAP | {"setlist.engine.anew", "setlist.engine.image", "_thread", "_sha256", "_sha2", "binascii"}


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    shutil.rmtree(home_of_images(), ignore_errors=True)
    project.sessions('[tool.setlist.session.lint]\ndeps = ["tool", "alpha"]\nrun = ["tool {posargs}"]\n')
    project.setlist("lock", check=True)
    project.run("lint", check=True)
    return project


def home_of_images() -> Path:
    return Path(os.environ["SETLIST_CACHE_DIR"]) / "images"


def image() -> Path:
    (found,) = home_of_images().iterdir()
    return found


def described(environment: Path) -> dict[str, tuple[int, bytes]]:
    """Each file of an environment and its permissions, but for its record, what is compiled, the installer's lock."""
    return {
        path.relative_to(environment).as_posix(): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in environment.rglob("*")
        if "__pycache__" not in path.parts and path.name not in ("state.json", ".lock")
    }


def recorded(environment: Path) -> dict[str, Any]:
    """An environment's record, which tells the truth."""
    state: dict[str, Any] = json.loads((environment / "state.json").read_bytes())
    assert state["contents"] == dump(look(environment, site_packages(environment)))
    state["contents"] = {name: sorted(state["contents"][name]) for name in ("packages", "directories")}
    return state


@pytest.mark.parametrize("argv", [("lint",), ("-r", "lint"), ("--offline", "--locked", "-r", "lint", "--", "x y")])
@pytest.mark.parametrize("there", [False, True], ids=["gone", "there"])
def test_it_is_what_the_whole_program_makes(lint: ProjectFolder, argv: tuple[str, ...], there: bool) -> None:
    def come_to() -> tuple[Any, ...]:
        if not there:
            remove_environment(lint)
        result = lint.run(*argv, check=True)
        environment = lint.environment("lint")
        return result.out, plain(result.err), shape(lint.history()), recorded(environment), described(environment)

    installers = come_to()
    by_record_of_it = come_to()
    forget(lint)
    assert by_record_of_it == come_to()
    assert by_record_of_it == installers
    assert "nothing changed" in lint.setlist("why", "lint", check=True).out
    assert "reused" in lint.run("lint", check=True).err


def test_it_imports_next_to_nothing(lint: ProjectFolder) -> None:
    for argv in (("lint",), ("-r", "lint")):
        watched(lint, *argv)
        remove_environment(lint)
        seen = watched(lint, *argv)
        assert (seen["code"], set(seen["modules"]) - RELAID) == (0, set())


def test_a_session_without_commands_goes_by_its_record_too(lint: ProjectFolder) -> None:
    lint.write("sessions/more.toml", '[session.bare]\nextends = "lint"\nrun = []\n')
    lint.setlist("lock", check=True)
    watched(lint, "bare")
    assert by_record(lint, "bare")
    shutil.rmtree(lint.environment("bare"))
    assert by_record(lint, "bare")
    assert lint.installed("bare") == lint.installed("lint")


def test_one_that_is_made_anew_by_an_installer_each_time_leaves_no_record(lint: ProjectFolder) -> None:
    (lint.path / "sessions" / "locks" / "lint.txt").unlink()
    forget(lint)
    lint.run("-r", "lint", check=True)
    assert not records(lint)
    lint.run("lint", check=True)
    assert records(lint)


def test_what_lay_there_is_gone_when_the_run_is_over(lint: ProjectFolder) -> None:
    watched(lint, "-r", "lint")
    (lint.environment("lint") / "left").write_text("by somebody")
    assert by_record(lint, "-r", "lint")
    assert os.listdir(lint.path / STATE_DIRECTORY / "envs") == ["lint"]
    assert not (lint.environment("lint") / "left").exists()


def damage_a_file(project: ProjectFolder) -> None:
    with (image() / "0").open("ab") as stream:
        stream.write(b"# written into, in all environments\n")


def lose_a_file(project: ProjectFolder) -> None:
    (image() / "0").unlink()


def cut_the_record_off(project: ProjectFolder) -> None:
    (image() / "record").write_bytes((image() / "record").read_bytes()[:100])


def lose_the_image(project: ProjectFolder) -> None:
    shutil.rmtree(image())


def damage_the_environment(project: ProjectFolder) -> None:
    (project.environment("lint") / "state.json").unlink()


def touch_the_lock(project: ProjectFolder) -> None:
    os.utime(project.path / "sessions" / "locks" / "lint.txt", (1, 1))


@pytest.mark.parametrize(
    "change",
    [damage_a_file, lose_a_file, cut_the_record_off, lose_the_image, damage_the_environment, touch_the_lock],
    ids=lambda change: change.__name__,
)
def test_whatever_is_wrong_is_the_whole_programs(lint: ProjectFolder, change: Callable[[ProjectFolder], None]) -> None:
    watched(lint, "-r", "lint")
    assert by_record(lint, "-r", "lint")
    before = described(lint.environment("lint"))
    change(lint)
    seen = watched(lint, "-r", "lint")
    assert seen["code"] == 0
    assert "setlist.cli.run" in seen["modules"]
    now = described(lint.environment("lint"))
    if change is damage_a_file:  # as long as the installer links to it; 'uv cache clean' helps
        modes = [{name: mode for name, (mode, _) in each.items()} for each in (before, now)]
        assert modes[0] == modes[1]
    else:
        assert now == before
    assert os.listdir(lint.path / STATE_DIRECTORY / "envs") == ["lint"]


def test_a_place_that_cannot_be_written_to_is_told_by_the_whole_program(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    remove_environment(lint)
    envs = lint.path / STATE_DIRECTORY / "envs"
    envs.rmdir()
    envs.write_text("a file")
    result = lint.run("lint")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert envs.read_text() == "a file"


def test_one_that_is_in_use_is_waited_for(lint: ProjectFolder) -> None:
    watched(lint, "-r", "lint")
    guard = os.open(lint.path / STATE_DIRECTORY / "guards" / "lint.lock", os.O_RDWR)
    fcntl.flock(guard, fcntl.LOCK_SH)
    inode = lint.environment("lint").stat().st_ino
    run = subprocess.Popen([*installed("run"), "-r", "lint"], cwd=lint.path, stdout=subprocess.DEVNULL)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(1.0)
        assert lint.environment("lint").stat().st_ino == inode
        os.close(guard)
        assert run.wait(30) == 0
        assert lint.environment("lint").stat().st_ino != inode
    finally:
        run.kill()
        run.wait()


def test_many_at_once_make_it_once_each_and_all_succeed(lint: ProjectFolder) -> None:
    lint.run("lint", check=True)
    for _ in range(3):
        remove_environment(lint)
        runs = [
            subprocess.Popen([*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.DEVNULL) for _ in range(4)
        ]
        assert [run.wait(60) for run in runs] == [0] * 4
        recorded(lint.environment("lint"))


@pytest.mark.parametrize("there", [False, True], ids=["gone", "there"])
def test_interrupted_while_it_is_laid_out_nothing_is_left(lint: ProjectFolder, there: bool) -> None:
    watched(lint, "-r", "lint")
    assert by_record(lint, "-r", "lint")
    before = described(lint.environment("lint"))
    for moment in range(12):
        if not there:
            remove_environment(lint)
        run = subprocess.Popen(
            [*installed("run"), "-r", "lint"], cwd=lint.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.004 * moment)
        run.send_signal(signal.SIGINT)
        run.wait()
        # what was put away may still lie there, where the signal came while it was removed: the next run removes it
        left = set(os.listdir(lint.path / STATE_DIRECTORY / "envs")) - {"lint"}
        assert all(name.startswith(".lint.") and name.endswith(".removed") for name in left)
        assert not there or (lint.environment("lint") / "state.json").exists()
        lint.run("lint", check=True)
        assert os.listdir(lint.path / STATE_DIRECTORY / "envs") == ["lint"]
        assert described(lint.environment("lint")) == before


@pytest.mark.parametrize("by_its_record", [True, False])
def test_what_an_ended_run_has_put_away_is_removed_by_the_next(lint: ProjectFolder, by_its_record: bool) -> None:
    watched(lint, "lint")
    envs = lint.path / STATE_DIRECTORY / "envs"
    for name in (".lint.4995.cbc7f9f2.removed", ".lint.1.4995.cbc7f9f2.removed", ".other.4995.cbc7f9f2.removed"):
        (envs / name / "lib").mkdir(parents=True)
        (envs / name / "lib" / "file").touch()
    if by_its_record:
        assert by_record(lint, "lint")
    else:
        lint.run("-v", "lint", check=True)
    # those of other environments may be in use by others
    assert sorted(os.listdir(envs)) == [".lint.1.4995.cbc7f9f2.removed", ".other.4995.cbc7f9f2.removed", "lint"]


def test_killed_while_it_is_laid_out_it_is_made_again(lint: ProjectFolder) -> None:
    lint.run("lint", check=True)
    before = described(lint.environment("lint"))
    for moment in range(12):
        remove_environment(lint)
        run = subprocess.Popen(
            [*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.004 * moment)
        run.kill()
        run.wait()
        lint.run("lint", check=True)
        assert described(lint.environment("lint")) == before
        recorded(lint.environment("lint"))
