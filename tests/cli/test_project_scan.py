"""What a first [tool.setlist] holds, by what lies in a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from setlist.cli.project_scan import as_toml, first_sessions, scan, supported_pythons

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def written(root: Path, pyproject: str = "", *files: str) -> dict[str, Any]:
    """The definitions for a project with this pyproject.toml and these files, read back."""
    for name in files:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    toml = as_toml(first_sessions(scan(root, tomllib.loads(pyproject))))
    found: dict[str, Any] = tomllib.loads(toml)["tool"]["setlist"]
    return found


def test_an_empty_directory_gets_one_session(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert found["default"] == ["lint"]
    assert found["session"]["lint"]["deps"] == ["ruff"]


def test_tests_are_run_on_the_pythons_that_are_required(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        """
        [project]
        name = "x"
        requires-python = ">=3.12"
        [dependency-groups]
        test = ["pytest>=8"]
        """,
        "tests/",
    )
    test = found["session"]["test"]
    assert test["python"] == ["3.12", "3.13", "3.14"]
    assert test["groups"] == ["test"]
    assert test["project"] == "editable"
    assert test["run"] == ["pytest {posargs}"]
    assert "deps" not in test
    assert found["default"] == ["test"]


def test_a_group_without_the_tool_is_completed(tmp_path: Path) -> None:
    found = written(tmp_path, '[dependency-groups]\ndev = ["hypothesis"]', "tests/")
    assert found["session"]["test"]["groups"] == ["dev"]
    assert found["session"]["test"]["deps"] == ["pytest"]
    assert "project" not in found["session"]["test"]


def test_included_groups_count_and_circles_do_no_harm(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        """
        [dependency-groups]
        base = ["PyTest", {include-group = "test"}]
        test = [{include-group = "base"}, {unknown = "x"}, 3]
        odd = "no list"
        """,
        "tests/",
    )
    assert found["session"]["test"] == {
        "description": "The tests",
        "groups": ["test"],
        "run": ["pytest {posargs}"],
    }


def test_an_extra_is_used_where_there_is_no_group(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        '[project]\nname = "x"\n[project.optional-dependencies]\ntests = ["pytest"]\nodd = "x"',
        "pytest.ini",
    )
    assert found["session"]["test"]["extras"] == ["tests"]
    assert "deps" not in found["session"]["test"]


@pytest.mark.parametrize(
    "name", ["requirements-test.txt", "test-requirements.txt", "requirements/dev.txt", "requirements.txt"]
)
def test_a_requirements_file_is_used_where_there_is_nothing_else(tmp_path: Path, name: str) -> None:
    assert written(tmp_path, "", name, "tests/")["session"]["test"]["requirements"] == [name]


@pytest.mark.parametrize(
    ("pyproject", "files", "commands"),
    [
        ("[tool.ruff]", [], ["ruff check {posargs:.}", "ruff format --check ."]),
        ("", ["ruff.toml"], ["ruff check {posargs:.}", "ruff format --check ."]),
        ("[tool.mypy]", ["src/"], ["mypy src"]),
        ('[tool.mypy]\nfiles = ["x"]', ["src/"], ["mypy"]),
        (
            "[tool.black]\n[tool.isort]\n[tool.ruff]",
            [],
            ["ruff check {posargs:.}", "black --check .", "isort --check ."],
        ),
        ("", [".flake8"], ["flake8 {posargs:.}"]),
    ],
)
def test_the_linters_that_are_set_up_are_run(
    tmp_path: Path, pyproject: str, files: list[str], commands: list[str]
) -> None:
    lint = written(tmp_path, pyproject, *files)["session"]["lint"]
    assert lint["run"] == commands
    assert lint["deps"]


def test_a_lint_group_brings_its_tools(tmp_path: Path) -> None:
    lint = written(tmp_path, '[project]\nname="x"\n[dependency-groups]\nlint = ["mypy", "ruff"]\n[tool.codespell]')[
        "session"
    ]["lint"]
    assert lint["groups"] == ["lint"]
    assert lint["deps"] == ["codespell"]
    assert lint["project"] == "editable"
    assert lint["run"] == ["ruff check {posargs:.}", "ruff format --check .", "mypy .", "codespell"]


def test_setup_cfg_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("[mypy]\n[tool:pytest]\n")
    assert set(written(tmp_path)["session"]) == {"lint", "test"}


def test_documentation_is_built_on_demand(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    found = written(tmp_path, "", "docs/conf.py", "docs/requirements.txt")
    assert found["session"]["docs"]["run"] == ["sphinx-build {posargs} docs docs/_build/html"]
    assert found["default"] == ["docs"]
    found = written(tmp_path, '[project]\nname="x"', "mkdocs.yml", "tests/")
    assert found["session"]["docs"]["deps"] == ["mkdocs"]
    assert found["default"] == ["test"]


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        (None, []),
        ("nonsense", []),
        (">=3.13", ["3.13", "3.14"]),
        (">=3.12.2,<3.14", ["3.12", "3.13"]),
        ("==3.11.*", ["3.11"]),
    ],
)
def test_requires_python_names_versions(requires: str | None, expected: list[str]) -> None:
    assert supported_pythons(requires) == expected


def test_long_lists_are_broken(tmp_path: Path) -> None:
    toml = as_toml(first_sessions(scan(tmp_path, {"tool": {"ruff": {}, "mypy": {}, "flake8": {}, "pyright": {}}})))
    assert 'run = [\n    "ruff check {posargs:.}",\n' in toml
    assert tomllib.loads(toml)
