"""``setlist freeze``: what sessions run with, to standard output or into files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.index import LocalIndex
from support.project import ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow


@pytest.fixture
def made(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions("""
        [tool.setlist.session.lint]
        deps = ["alpha==1.0"]
        [tool.setlist.session.test]
        deps = ["gamma"]
        [tool.setlist.session.bare]
        backend = "none"
        [tool.setlist.session.never]
        default = false
    """)
    project.run_inside("lint", "test", check=True)
    return project


def test_one_session_is_printed_as_it_is(made: ProjectFolder) -> None:
    result = made.setlist_inside("freeze", "lint", check=True)
    assert "alpha==1.0" in result.out
    assert result.out == made.read(f"{STATE_DIRECTORY}/envs/lint/requirements.txt")


def test_several_are_told_apart(made: ProjectFolder) -> None:
    out = made.setlist_inside("freeze", check=True).out
    assert out.startswith("# session: lint\n")
    assert "\n\n# session: test\n" in out
    assert "bare" not in out


def test_each_into_its_own_file(made: ProjectFolder) -> None:
    result = made.setlist_inside("freeze", "-o", "frozen files", check=True)
    assert result.out == ""
    assert "alpha==1.0" in made.read("frozen files/lint.txt")
    assert "gamma==" in made.read("frozen files/test.txt")


def test_a_session_without_an_environment_is_an_error_that_names_the_command(made: ProjectFolder) -> None:
    result = made.setlist_inside("freeze", "lint", "never", "-o", "out")
    assert result.code == 1
    assert "never has no finished environment" in result.err
    assert "'run never' makes it" in result.err
    assert not (made.path / "out").exists(), "nothing is written unless all can be"


def test_no_environment_of_its_own_at_all(made: ProjectFolder) -> None:
    assert made.setlist_inside("freeze", "bare").code == 2


def test_a_place_that_cannot_be_written(made: ProjectFolder) -> None:
    made.write("file", "")
    result = made.setlist_inside("freeze", "lint", "-o", "file")
    assert result.code == 2
    assert "can't write" in result.err


# --to-lock


def test_what_is_installed_becomes_the_lock(made: ProjectFolder, tmp_path: Path) -> None:
    made.setlist_inside("lock", "lint", check=True)
    before = made.read("sessions/locks/lint.txt")
    assert "beta==2.0" in before
    # an environment that holds something older than a resolution would take
    made.write("old.txt", "beta==1.0\n")
    made.sessions("""
        [tool.setlist.session.lint]
        deps = ["alpha==1.0"]
        constraints = ["old.txt"]
    """)
    made.run_inside("lint", "--no-lock", check=True)
    made.write("old.txt", "")
    result = made.setlist_inside("freeze", "lint", "--to-lock")
    assert (result.code, "old.txt changed" in result.err) == (1, True), "the definition has moved on"
    made.write("old.txt", "beta==1.0\n")
    result = made.setlist_inside("freeze", "lint", "--to-lock", check=True)
    assert result.out == "beta  2.0 → 1.0  lint\n"
    assert "locks: 1 written" in result.err
    text = made.read("sessions/locks/lint.txt")
    assert "alpha==1.0 \\\n    --hash=sha256:" in text
    assert "beta==1.0 \\\n    --hash=sha256:" in text
    # it is a lock like any other, and the environment already is what it says
    assert made.setlist_inside("lock", "lint", "--check", check=True).out == ""
    made.run_inside("lint", "--locked", check=True)
    assert made.installed("lint") == {"alpha": "1.0", "beta": "1.0"}
    again = made.setlist_inside("freeze", "lint", "--to-lock", check=True)
    assert "locks: 1 current" in again.err
    assert made.read("sessions/locks/lint.txt") == text


def test_a_version_that_isnt_for_every_python_is_locked_for_this_one(
    project: ProjectFolder, index: LocalIndex, wheelhouse_directory: Path
) -> None:
    import sys

    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    make_wheel(project.path / "made", "narrow", "1.0", requires_python=">=3.8")
    make_wheel(project.path / "made", "narrow", "2.0", requires_python=f">={here}")
    for wheel in (project.path / "made").iterdir():
        index.add(wheel)
    project.write("pyproject.toml", '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n')
    project.write("sessions/s.toml", f'[session.test]\ndeps = ["narrow"]\npython = ">={here}"\n')
    project.run_inside("test", check=True)
    project.write("sessions/s.toml", '[session.test]\ndeps = ["narrow"]\npython = ">=3.8"\n')
    project.run_inside("test", "--upgrade", check=True)
    assert project.installed("test") == {"narrow": "2.0"}
    result = project.setlist_inside("freeze", "test", "--to-lock", check=True)
    assert "get other versions" in result.err
    text = project.read("sessions/locks/test.txt")
    assert "narrow==2.0 ; " in text
    assert "narrow==1.0 ; " in text


def test_what_nobody_declared_isnt_locked_and_that_is_said(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write(
        "sessions/s.py",
        """
        from setlist import Session, session

        @session(deps=["beta==1.0"])
        def test(s: Session) -> None:
            s.install("delta==1.0")
        """,
    )
    project.run_inside("test", check=True)
    result = project.setlist_inside("freeze", "--to-lock", check=True)
    assert "delta 1.0: nothing that the session declares asks for it" in result.err
    assert "delta" not in project.read("sessions/locks/test.txt")


def test_what_comes_from_version_control_is_locked_at_the_installed_commit(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path
) -> None:
    repository = ProjectFolder(tmp_path / "repository")
    repository.make_package("versioned")

    def git(*argv: str) -> str:
        done = subprocess.run(["git", *argv], cwd=repository.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    first = git("rev-parse", "HEAD")
    project.sessions(f'[tool.setlist.session.test]\ndeps = ["versioned @ git+{repository.path.as_uri()}@main"]\n')
    project.run_inside("test", check=True)
    git("commit", "-q", "--allow-empty", "-m", "two")
    result = project.setlist_inside("freeze", "--to-lock", check=True)
    assert "versioned: without a hash" in result.err
    assert f"@{first}" in project.read("sessions/locks/test.txt")


def test_an_environment_that_isnt_right_isnt_locked(made: ProjectFolder) -> None:
    from uv import find_uv_bin

    for name, said in (("never", "has no finished environment"), ("lint", "changed by hand: beta")):
        if name == "lint":
            argv = [find_uv_bin(), "pip", "install", "-q", "--python", str(made.python("lint")), "beta==1.0"]
            subprocess.run(argv, check=True)
        result = made.setlist_inside("freeze", "test", name, "--to-lock")
        assert (result.code, said in result.err) == (1, True), result
        assert f"'run {name}'" in result.err
    (made.environment("lint") / "state").unlink()
    result = made.setlist_inside("freeze", "lint", "--to-lock")
    assert (result.code, "unfinished" in result.err) == (1, True)
    assert not (made.path / "sessions").exists()


def test_a_directory_and_the_lock_at_once_make_no_sense(made: ProjectFolder) -> None:
    assert made.setlist_inside("freeze", "lint", "--to-lock", "-o", "out").code == 2
