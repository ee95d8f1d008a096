"""Where setlist keeps things in a project, and what becomes of what an older setlist kept elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.project import Project
from support.project import ProjectFolder

SESSIONS = """
[tool.setlist.session.lint]
run = ["python -c pass"]
"""
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory holds what setlist can make again.\n"


@pytest.mark.parametrize("place", [".setlist", ".nox/setlist"])
def test_state_of_an_older_setlist_is_replaced_by_the_first_run(project: ProjectFolder, place: str) -> None:
    project.sessions(SESSIONS)
    for name in ("envs/lint/bin/python", "guards/lint.lock", "registry.json", "registry-0.json", ".gitignore"):
        project.write(f"{place}/{name}", "")
    project.write(f"{place}/CACHEDIR.TAG", TAG)
    project.write(f"{place}/cache/kept", "by a function")
    project.write(f"{place}/of-a-user", "")

    project.run_inside("lint", check=True)

    left = [path.name for path in (project.path / place).iterdir() if path.name != ".tox"]
    assert left == ["of-a-user"]
    assert project.read(f"{STATE_DIRECTORY}/cache/kept") == "by a function"
    assert project.environment("lint").is_dir()


def test_nothing_is_left_beside_nox_s_environments(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    project.write(".nox/setlist/CACHEDIR.TAG", TAG)
    project.write(".nox/setlist/envs/lint/bin/python", "")

    project.run_inside("lint", check=True)

    assert not (project.path / ".nox").exists()


@pytest.mark.parametrize("place", [".setlist", ".nox/setlist"])
def test_directory_that_setlist_did_not_make_stays(project: ProjectFolder, place: str) -> None:
    project.sessions(SESSIONS)
    project.write(f"{place}/envs/kept", "")
    project.write(f"{place}/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# by virtualenv\n")

    project.run_inside("lint", check=True)

    assert (project.path / place / "envs" / "kept").is_file()


def test_state_is_invisible_to_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    Project(tmp_path).prepare()

    shown = subprocess.run(["git", "status", "--short", "-uall"], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert shown.stdout == b""
