"""``setlist init``: a first [tool.setlist], and not a byte of anything else changed."""

from __future__ import annotations

import os
import sys

import pytest

from support.project import ProjectFolder

NO_LAST_NEWLINE = b"# mine\r\n[project]\r\nname = 'x' # no end"
BOM = b"\xef\xbb\xbf[project]\r\nname = 'x'\r\n"


def test_a_file_is_made_where_there_is_none(project: ProjectFolder) -> None:
    result = project.setlist_inside("init", check=True)
    assert "pyproject.toml: lint" in result.out
    assert project.read("pyproject.toml").startswith("[tool.setlist]\n")


@pytest.mark.parametrize(
    "before", [b"# mine\r\n[project]\r\nname = 'x' # no end", b"[project]\nname='x'\n\n\n", b"\n", BOM]
)
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


@pytest.mark.parametrize("table", ["tool.setlist.default = []\n", "[tool]\nsetlist = {}\n"])
def test_a_table_without_a_header_is_found(project: ProjectFolder, table: str) -> None:
    project.write("pyproject.toml", table)
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "[tool.setlist] exists already" in result.err
    assert project.read("pyproject.toml") == table


def test_sessions_of_another_kind_are_found(project: ProjectFolder) -> None:
    project.write("sessions/ci.toml", "[session.ci]\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "sessions/ci.toml" in result.err
    assert not (project.path / "pyproject.toml").exists()


def test_a_broken_file_is_left_as_it_is(project: ProjectFolder) -> None:
    path = project.write("pyproject.toml", "[project]\nname = \n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "pyproject.toml" in result.err
    assert "line 2" in result.err
    assert path.read_text() == "[project]\nname = \n"


@pytest.mark.parametrize("content", [b"[project]\nname = '\xff'\n", b"\xff\xfe[\x00", b"a = 1\x00"])
def test_a_file_in_another_encoding_is_left_as_it_is(project: ProjectFolder, content: bytes) -> None:
    path = project.path / "pyproject.toml"
    path.write_bytes(content)
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "pyproject.toml" in result.err
    assert "Traceback" not in result.err
    assert path.read_bytes() == content


def test_a_tool_table_that_is_closed_is_told(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "tool = { ruff = {} }\n")
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "sessions/NAME.toml" in result.err
    assert "setlist" not in project.read("pyproject.toml")


def test_nothing_is_written_beside_a_noxfile(project: ProjectFolder) -> None:
    project.write("noxfile.py", "raise SystemExit\n")
    project.write("tox.ini", "[tox]\n")
    result = project.setlist_inside("init", check=True)
    assert "nothing is written" in result.out
    assert "setlist import nox --write" in result.out
    assert not (project.path / "pyproject.toml").exists()


def test_a_noxfile_that_registers_setlists_sessions_is_no_reason(project: ProjectFolder) -> None:
    project.write("noxfile.py", "import setlist.nox\n\nsetlist.nox.register()\n")
    project.setlist_inside("init", check=True)
    assert (project.path / "pyproject.toml").exists()


def test_tox_is_offered_as_it_is(project: ProjectFolder) -> None:
    project.write("tox.ini", "[tox]\n")
    result = project.setlist_inside("init", check=True)
    assert "'run tox' starts tox" in result.out
    assert project.read("tox.ini") == "[tox]\n"


def test_it_is_for_the_project_one_stands_in(project: ProjectFolder) -> None:
    project.write("setup.py", "")
    below = project.path / "src" / "deep"
    below.mkdir(parents=True)
    project.setlist_inside("init", cwd=below, check=True)
    assert (project.path / "pyproject.toml").exists()


def test_the_home_directory_is_no_project_from_below(project: ProjectFolder) -> None:
    (project.path / ".git").mkdir()
    below = project.path / "new"
    below.mkdir()
    project.setlist_inside("init", cwd=below, env={"HOME": str(project.path)}, check=True)
    assert (below / "pyproject.toml").exists()
    assert not (project.path / "pyproject.toml").exists()


def test_words_are_refused(project: ProjectFolder) -> None:
    assert project.setlist_inside("init", "lint").code == 2


@pytest.mark.parametrize("failure", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_directory_that_cannot_be_written_is_told(
    project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    path = project.write("pyproject.toml", "[project]\nname = 'x'\n")

    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("os.replace", refuse)
    result = project.setlist_inside("init")
    assert result.code == 2
    assert f"can't write {path}: {failure.strerror}" in result.err
    assert path.read_text() == "[project]\nname = 'x'\n"
    assert os.listdir(project.path) == ["pyproject.toml"]


def test_a_file_that_is_read_only_is_not_replaced(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("pyproject.toml", "")
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith("pyproject.toml"))
    result = project.setlist_inside("init")
    assert result.code == 2
    assert "Permission denied" in result.err
    assert project.read("pyproject.toml") == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions, and links ask for a privilege")
def test_permissions_and_links_stay(project: ProjectFolder) -> None:
    target = project.write("config/real.toml", "")
    target.chmod(0o640)
    (project.path / "pyproject.toml").symlink_to("config/real.toml")
    project.setlist_inside("init", check=True)
    assert (project.path / "pyproject.toml").is_symlink()
    assert "[tool.setlist]" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640


def test_an_interrupt_leaves_the_file_as_it_was(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write("pyproject.toml", "[project]\nname = 'x'\n")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    result = project.setlist_inside("init")
    assert result.code == 130
    assert "Traceback" not in result.err
    assert path.read_text() == "[project]\nname = 'x'\n"
    assert os.listdir(project.path) == ["pyproject.toml"]


def test_pythons_that_are_not_installed_are_told(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from setlist.core.errors import InterpreterNotFound
    from setlist.environment.interpreters import Interpreters

    def find(_: object, request: str) -> None:
        if request not in ("3.11", "3.13"):
            raise InterpreterNotFound(request, ())

    monkeypatch.setattr(Interpreters, "find", find)
    monkeypatch.setattr("setlist.cli.python_releases.supported", lambda _: ["3.11", "3.12", "3.13"])
    project.write("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3.9'\n")
    project.write("tests/test_it.py", "")
    result = project.setlist_inside("init", check=True)
    assert "test doesn't list python 3.12: not installed here" in result.out
    assert 'python = ["3.11", "3.13"]' in project.read("pyproject.toml")


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
    for name in ("lint", "test"):
        assert name in listed
