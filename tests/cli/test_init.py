"""``setlist init``: a first [tool.setlist], and not a byte of anything else changed."""

from __future__ import annotations

import sys

import pytest

from support.project import ProjectFolder


def test_a_file_is_made_where_there_is_none(project: ProjectFolder) -> None:
    result = project.setlist_inside("init", check=True)
    assert "pyproject.toml: lint" in result.out
    assert project.read("pyproject.toml").startswith("[tool.setlist]\n")


@pytest.mark.parametrize("before", [b"# mine\r\n[project]\r\nname = 'x' # no end", b"[project]\nname='x'\n\n\n", b"\n"])
def test_the_rest_of_the_file_stays_byte_for_byte(project: ProjectFolder, before: bytes) -> None:
    path = project.path / "pyproject.toml"
    path.write_bytes(before)
    project.setlist_inside("init", check=True)
    after = path.read_bytes()
    assert after.startswith(before)
    assert (b"\r\n" in before) == (b"\r\n" in after)
    assert after.count(b"\n") == (after.count(b"\r\n") or after.count(b"\n"))


def test_a_second_init_says_where_the_first_is(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[project]\nname = 'x'\n[ tool . setlist ]\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "pyproject.toml:3: [tool.setlist] exists already" in result.err


def test_sessions_of_another_kind_are_found(project: ProjectFolder) -> None:
    project.write("sessions/ci.toml", "[session.ci]\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "sessions/ci.toml" in result.err
    assert not (project.path / "pyproject.toml").exists()


def test_a_broken_file_is_left_as_it_is(project: ProjectFolder) -> None:
    path = project.write("pyproject.toml", "[project\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "pyproject.toml" in result.err
    assert path.read_text() == "[project\n"


def test_a_tool_table_that_is_closed_is_told(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "tool = { ruff = {} }\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "sessions/NAME.toml" in result.err
    assert "setlist" not in project.read("pyproject.toml")


def test_a_noxfile_is_left_alone(project: ProjectFolder) -> None:
    project.write("noxfile.py", "raise SystemExit\n")
    project.write("tox.ini", "")
    result = project.setlist_inside("init", check=True)
    assert "noxfile.py isn't changed" in result.out
    assert "tox.ini isn't changed" in result.out


def test_it_is_for_the_project_one_stands_in(project: ProjectFolder) -> None:
    project.write("setup.py", "")
    below = project.path / "src" / "deep"
    below.mkdir(parents=True)
    project.setlist_inside("init", cwd=below, check=True)
    assert (project.path / "pyproject.toml").exists()


def test_words_are_refused(project: ProjectFolder) -> None:
    assert project.setlist_inside("init", "lint").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_directory_that_cannot_be_written_is_told(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "Permission denied" in result.err


def test_what_was_written_is_listed(project: ProjectFolder) -> None:
    project.write(
        "pyproject.toml",
        """
        [project]
        name = "demo"
        version = "1.0"
        requires-python = ">=3.11,<3.13"
        [dependency-groups]
        test = ["pytest"]
        [tool.ruff]
        line-length = 100
        """,
    )
    project.write("tests/test_it.py", "")
    project.setlist_inside("init", check=True)
    listed = project.run_inside("--list", check=True).out
    for name in ("lint", "test-py311", "test-py312"):
        assert name in listed
