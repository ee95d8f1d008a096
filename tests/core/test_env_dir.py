"""Environments that are kept elsewhere: ``env-dir`` and ``SETLIST_ENV_DIR``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError
from setlist.core.project import environment_directory
from support.project import ProjectFolder

SESSIONS = """
[tool.setlist]
{key}
[tool.setlist.session.lint]
run = ["python -c pass"]
"""


def configured(project: ProjectFolder, directory: str) -> None:
    project.sessions(SESSIONS.replace("{key}", f"env-dir = {directory!r}" if directory else ""))


def directory_of(project: ProjectFolder, **environ: str) -> Path:
    """Where ``setlist env`` says that the environment of ``lint`` lies."""
    data = project.setlist_inside("env", "lint", "--json", check=True, env=environ).json
    return Path(data["directory"])


def test_key_is_relative_to_the_root(project: ProjectFolder) -> None:
    configured(project, "build/venvs")
    (project.path / "below").mkdir()

    project.run_inside("lint", check=True, cwd=project.path / "below")

    assert (project.path / "build" / "venvs" / "lint" / "pyvenv.cfg").is_file()
    assert not project.environment("lint").exists()
    assert directory_of(project) == project.path / "build" / "venvs" / "lint"
    assert "reused" in project.run_inside("lint", check=True).err
    assert "nothing changed" in project.setlist_inside("why", "lint", check=True).out


def test_variable_counts_for_more_than_the_key(project: ProjectFolder, tmp_path: Path) -> None:
    configured(project, "venvs")
    for _ in range(2):
        project.run("lint", check=True, env={"SETLIST_ENV_DIR": "others"})
    assert (project.path / "others" / "lint").is_dir()
    assert not (project.path / "venvs").exists()


def test_projects_that_share_a_directory_have_environments_of_their_own(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    made = []
    for parent in ("a", "b"):
        project = ProjectFolder(tmp_path / parent / "same")
        configured(project, "")
        project.run_inside("lint", check=True, env={"SETLIST_ENV_DIR": str(shared)})
        made.append(directory_of(project, SETLIST_ENV_DIR=str(shared)))
    assert len({path.parent for path in made}) == 2
    assert all(path.is_dir() and path.parent.parent == shared and path.parent.name.startswith("same-") for path in made)


def test_clean_follows(project: ProjectFolder, tmp_path: Path) -> None:
    configured(project, "")
    project.run_inside("lint", check=True)
    configured(project, "venvs")
    project.run_inside("lint", check=True)

    out = project.setlist_inside("clean", check=True).out
    assert f"removed {STATE_DIRECTORY}/envs/lint" in out
    assert (project.path / "venvs" / "lint").is_dir()
    assert "removed venvs/lint" in project.setlist_inside("clean", "lint", check=True).out
    project.run_inside("lint", check=True)
    assert "1 ready" in project.setlist_inside("doctor", check=True).out
    project.setlist_inside("clean", "--all", check=True)
    assert sorted(os.listdir(project.path)) == ["pyproject.toml"]


@pytest.mark.parametrize("directory", ["src", ".", ".."])
def test_directory_that_holds_other_things_is_refused(project: ProjectFolder, directory: str) -> None:
    configured(project, directory)
    project.write("src/lint/precious.py", "")

    result = project.run_inside("lint")

    if directory == "..":  # outside of the root there is a directory for each project
        assert result.code == 0
    else:
        assert result.code == 2
        assert "isn't a directory for environments" in result.err
        assert "env-dir" in result.err
    assert (project.path / "src" / "lint" / "precious.py").is_file()


def test_home_is_the_callers(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
    found = environment_directory(tmp_path / "p", None, {**home, "SETLIST_ENV_DIR": "~/envs"})
    assert found is not None
    assert found.parent == tmp_path / "home" / "envs"


def test_key_of_a_file_given_by_name(tmp_path: Path) -> None:
    given = tmp_path / "ci.toml"
    given.write_text('env-dir = "x"\n')
    assert environment_directory(tmp_path, given, {}) == tmp_path / "x"
    assert environment_directory(tmp_path, None, {}) is None
    with pytest.raises(ConfigurationError):
        environment_directory(tmp_path, None, {"SETLIST_ENV_DIR": "."})


@pytest.mark.skipif(os.name == "nt", reason="a listing is the whole program's there")
def test_listing_says_what_is_finished_there(project: ProjectFolder) -> None:
    configured(project, "")
    project.run("lint", check=True)
    for _ in range(2):
        assert "ready" in project.run("-l", check=True).out
    assert "ready" not in project.run("-l", check=True, env={"SETLIST_ENV_DIR": "x"}).out
