"""``setlist freeze``: what sessions run with, to standard output or into files."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import ProjectFolder


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
    assert result.out == made.read(".setlist/envs/lint/requirements.txt")


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
