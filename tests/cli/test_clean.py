"""``setlist clean``: what goes, what stays, and who is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.holding import HOLD, release_once_told
from support.project import ProjectFolder, installed
from support.strays import until

pytestmark = pytest.mark.slow

SESSIONS = """
    [tool.setlist.session.lint]
    deps = ["alpha==1.0"]
    [tool.setlist.session.test]
    deps = ["gamma"]
"""


@pytest.fixture
def made(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions(SESSIONS)
    project.run_inside(check=True)
    return project


def state(project: ProjectFolder) -> Path:
    return project.path / STATE_DIRECTORY


def test_named_sessions_lose_their_environments(made: ProjectFolder) -> None:
    out = made.setlist_inside("clean", "lint", check=True).out
    assert f"removed {STATE_DIRECTORY}/envs/lint (" in out
    assert out.splitlines()[-1].endswith(" freed")
    assert not made.environment("lint").exists()
    assert not (state(made) / "resolutions" / "lint.txt").exists()
    assert made.environment("test").exists()
    made.run_inside("lint", check=True)


def test_dry_run_only_says(made: ProjectFolder) -> None:
    out = made.setlist_inside("clean", "-n", "lint", check=True).out
    assert f"would remove {STATE_DIRECTORY}/envs/lint" in out
    assert made.environment("lint").exists()


def test_without_names_only_what_no_session_uses_goes(made: ProjectFolder) -> None:
    assert made.setlist_inside("clean", check=True).out == "nothing to remove\n"
    made.sessions('[tool.setlist.session.test]\ndeps = ["gamma"]\n')
    (state(made) / "envs" / ".old.1.removed").mkdir()
    out = made.setlist_inside("clean", check=True).out
    assert f"removed {STATE_DIRECTORY}/envs/lint" in out
    assert f"removed {STATE_DIRECTORY}/envs/.old.1.removed" in out
    assert not made.environment("lint").exists()
    assert made.environment("test").exists()


def test_old_builds_go_and_the_latest_stays(made: ProjectFolder) -> None:
    for number, name in enumerate(("newest", "older", "oldest")):
        (state(made) / "builds" / name).mkdir(parents=True)
        os.utime(state(made) / "builds" / name, (10**9 - number, 10**9 - number))
    made.setlist_inside("clean", check=True)
    assert os.listdir(state(made) / "builds") == ["newest"]


def test_leftovers_of_setlist_itself_go(made: ProjectFolder) -> None:
    made.write(f"{STATE_DIRECTORY}/.resolution.1.abc", "half written")
    made.write(f"{STATE_DIRECTORY}/resolutions/gone.txt", "x==1\n")
    out = made.setlist_inside("clean", check=True).out
    assert f"removed {STATE_DIRECTORY}/.resolution.1.abc" in out
    assert f"removed {STATE_DIRECTORY}/resolutions/gone.txt" in out


def test_an_environment_whose_session_is_gone_can_be_named(made: ProjectFolder) -> None:
    made.sessions('[tool.setlist.session.test]\ndeps = ["gamma"]\n')
    made.setlist_inside("clean", "lint", check=True)
    assert not made.environment("lint").exists()


def test_all_removes_everything(made: ProjectFolder) -> None:
    made.setlist_inside("clean", "--all", check=True)
    assert not (made.path / ".setlist").exists()
    assert made.setlist_inside("clean", "--all", "lint").code == 2
    assert made.setlist_inside("clean", check=True).out == "nothing to remove\n"


def test_an_unknown_name_is_told(made: ProjectFolder) -> None:
    assert made.setlist_inside("clean", "nope").code == 2


def clean_beside_a_run(project: ProjectFolder, *words: str, told: str) -> None:
    """Run ``setlist clean`` beside ``lint``, which is held until ``clean`` says that it waits."""
    project.write("hold.py", HOLD)
    going = project.path / "going"
    run = [*installed("run"), "lint", "--", str(going)]
    with subprocess.Popen(run, cwd=project.path, stderr=subprocess.DEVNULL) as running:
        until(going.exists)
        result = release_once_told([*installed("setlist"), "clean", *words], told, going, cwd=project.path)
    assert (result.code, running.returncode) == (0, 0)
    assert told in result.err


def test_an_environment_in_use_is_waited_for(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        run = ["python hold.py {posargs}"]
    """)
    clean_beside_a_run(project, "lint", told=f"waiting for another process that uses {STATE_DIRECTORY}/envs/lint")
    assert not project.environment("lint").exists()


def test_all_waits_until_nobody_uses_anything(project: ProjectFolder) -> None:
    # no environment is held: the run itself uses the state directory
    project.sessions("""
        [tool.setlist.session.lint]
        backend = "none"
        external = ["python"]
        run = ["python hold.py {posargs}"]
    """)
    clean_beside_a_run(project, "--all", told=f"waiting for another process that uses {STATE_DIRECTORY}")
    assert not (project.path / STATE_DIRECTORY).exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs permissions that hold")
def test_what_cannot_be_removed_is_told(made: ProjectFolder) -> None:
    (state(made) / "envs").chmod(0o500)
    try:
        result = made.setlist_inside("clean", "lint")
    finally:
        (state(made) / "envs").chmod(0o700)
    assert result.code == 2
    assert f"can't remove {STATE_DIRECTORY}/envs/lint" in result.err


def test_what_all_projects_share_goes_when_it_is_asked_for(
    made: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SETLIST_CACHE_DIR", str(cache))
    made.setlist_inside("lock", check=True)
    made.run_inside("-r", check=True)
    (cache / "of somebody else").write_text("")
    kept = sorted(os.listdir(cache))
    assert {"templates", "virtualenv"} <= set(kept)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = made.setlist("clean", "--cache", "-n", check=True, cwd=elsewhere).out
    assert f"would remove {cache / 'templates'} (" in said
    assert sorted(os.listdir(cache)) == kept
    assert f"removed {cache / 'templates'} (" in made.setlist_inside("clean", "--cache", check=True).out
    assert os.listdir(cache) == ["of somebody else"]
    assert made.setlist_inside("clean", "--cache", check=True).out == "nothing to remove\n"
    assert "reused" in made.run_inside("lint", check=True).err
    made.run_inside("-r", check=True)


@pytest.mark.parametrize("words", [("--cache", "--all"), ("--cache", "lint")])
def test_the_users_cache_is_no_sessions(made: ProjectFolder, words: tuple[str, ...]) -> None:
    assert made.setlist_inside("clean", *words).code == 2
