"""Where a project lies, what is missing around it, and who else is at work there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.project import ProjectFolder, installed

pytestmark = pytest.mark.slow

LINT = """
    [tool.setlist.session.lint]
    deps = ["alpha"]
    run = ["python -c 'import alpha, os; print(os.getcwd())'"]
"""


@pytest.mark.parametrize("name", ["with spaces", "Größe-名前", "q'uo\"te", "a$b&c;d"])
def test_any_path_will_do(tmp_path: Path, wheelhouse: Path, name: str) -> None:
    project = ProjectFolder(tmp_path / name)
    project.sessions(LINT)
    assert project.run("lint", check=True).out.strip() == str(project.path)
    assert "reused" in project.run("lint", check=True).err
    assert "alpha" in project.setlist("freeze", "lint", check=True).out


def test_from_a_subdirectory_the_commands_run_in_the_root(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(LINT)
    below = project.path / "src" / "deep"
    below.mkdir(parents=True)
    assert project.run("lint", cwd=below, check=True).out.strip() == str(project.path)
    assert not (below / ".setlist").exists()


def test_no_home_and_no_git(project: ProjectFolder, wheelhouse: Path, tmp_path: Path) -> None:
    bare = {"HOME": None, "USERPROFILE": None, "SETLIST_CACHE_DIR": None, "UV_CACHE_DIR": None, "TMPDIR": str(tmp_path)}
    project.sessions(LINT)
    assert project.run("lint", env=bare, check=True).code == 0
    assert "Traceback" not in project.setlist("doctor", env=bare).err


def test_two_runs_of_one_session_at_once(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(LINT)
    both = [
        subprocess.Popen(
            [*installed("run"), "lint"],
            cwd=project.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(2)
    ]
    ends = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert [out.strip() for out, _ in ends] == [str(project.path)] * 2
    assert sum("created" in err for _, err in ends) == 1
    assert "reused" in project.run("lint", check=True).err


def test_a_linked_project_is_one_project(project: ProjectFolder, wheelhouse: Path, tmp_path: Path) -> None:
    project.sessions(LINT)
    link = tmp_path / "link"
    try:
        link.symlink_to(project.path, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    project.run("lint", check=True)
    elsewhere = project.path.parent
    for words in (
        ("-C", str(link)),
        ("-f", str(link / "pyproject.toml")),
        ("-C", str(project.path)),
        ("-C", str(link)),
    ):
        assert "reused" in project.run("lint", *words, cwd=elsewhere, check=True).err, words
    assert project.run("lint", cwd=link, check=True).code == 0


def test_the_variables_of_another_environment_do_not_leak(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        run = ["python -c 'import os; print(os.environ.get(\\"PYTHONPATH\\"), os.environ[\\"VIRTUAL_ENV\\"])'"]
    """)
    result = project.run("lint", env={"PYTHONPATH": "/elsewhere", "VIRTUAL_ENV": "/elsewhere"}, check=True)
    assert result.out.strip() == f"None {project.environment('lint')}"
