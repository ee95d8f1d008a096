"""What a first [tool.setlist] holds, by what lies in a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from setlist.cli.first_sessions import Pythons, as_toml, choose_pythons, first_sessions
from setlist.cli.project_scan import scan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


SUPPORTED = ["3.11", "3.12", "3.13", "3.14"]


def written(root: Path, pyproject: str = "", *files: str) -> dict[str, Any]:
    """The definitions for a project with this pyproject.toml and these files, read back.

    All of SUPPORTED are installed.
    """
    for name in files:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    project = scan(root, tomllib.loads(pyproject))
    pythons = choose_pythons(project.requires_python, SUPPORTED, SUPPORTED)
    toml = as_toml(first_sessions(project, pythons))
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
    assert test["run"] == [{"cmd": "pytest {posargs}", "ok-codes": [0, 5]}]
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
        base = ["PyTest"]
        test = [{include-group = "base"}]
        circle = [{include-group = "circle"}]
        odd = "no list"
        """,
        "tests/test_it.py",
    )
    assert found["session"]["test"] == {
        "description": "The tests",
        "groups": ["test"],
        "run": ["python -m pytest {posargs}"],
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
        ("[tool.ruff]", [], ["ruff check {posargs:.}"]),
        ("", ["ruff.toml"], ["ruff check {posargs:.}"]),
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
    assert lint["run"] == ["ruff check {posargs:.}", "mypy .", "codespell"]


def test_setup_cfg_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("[mypy]\n[tool:pytest]\n")
    assert set(written(tmp_path)["session"]) == {"lint", "test"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".pre-commit-config.yaml", "- id: ruff-format\n"),
        ("Makefile", "lint:\n\truff format --check .\n"),
        ("ruff.toml", "[format]\n"),
        ("pyproject.toml", "[tool.ruff.format]\n"),
    ],
)
def test_formatting_is_checked_where_ruff_formats(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    lint = written(tmp_path, "[tool.ruff]")["session"]["lint"]
    assert lint["run"] == ["ruff check {posargs:.}", "ruff format --check ."]


def test_other_tools_sections_in_tox_ini_are_no_tox(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text("[flake8]\nmax-line-length = 100\n[pytest]\naddopts = -q\n")
    assert set(written(tmp_path)["session"]) == {"lint", "test"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tox.ini", "[testenv]\n"),
        ("tox.toml", ""),
        ("setup.cfg", "[tox:tox]\n"),
        ("pyproject.toml", "[tool.tox]\n"),
    ],
)
def test_tox_is_run_where_it_is_set_up(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    found = written(tmp_path, text if file == "pyproject.toml" else "", "tests/test_it.py")
    assert found["default"] == ["tox"]
    assert set(found["session"]) == {"tox"}


def test_plugins_that_the_settings_of_pytest_need_are_installed(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        """
        [dependency-groups]
        test = ["pytest", "pytest_xdist"]
        [tool.pytest.ini_options]
        addopts = "--cov=demo -n auto"
        asyncio_mode = "auto"
        """,
        "tests/test_it.py",
    )
    assert found["session"]["test"]["deps"] == ["pytest-cov", "pytest-asyncio"]


def test_django_below_the_root_is_tested_there(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manage.py").write_text("import django\n")
    test = written(tmp_path, "", "requirements/base.txt", "requirements/test.txt")["session"]["test"]
    assert test["cwd"] == "site"
    assert test["requirements"] == ["requirements/base.txt", "requirements/test.txt"]
    assert test["deps"] == ["django"]
    assert test["run"] == ["python manage.py test {posargs}"]


def test_django_with_pytest_is_tested_by_pytest(tmp_path: Path) -> None:
    (tmp_path / "manage.py").write_text("import django\n")
    (tmp_path / "requirements.txt").write_text("django\npytest\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = settings\n")
    test = written(tmp_path, "", "shop/test_shop.py")["session"]["test"]
    assert test["run"] == ["python -m pytest {posargs}"]
    assert test["deps"] == ["pytest-django"]


def test_a_project_of_several_directories_without_a_backend_is_not_installed(tmp_path: Path) -> None:
    """Its build by setuptools would be refused."""
    pyproject = '[project]\nname = "demo"\ndependencies = ["alpha>=1"]\n'
    alone = written(tmp_path, pyproject, "demo/__init__.py", "tests/test_it.py")["session"]["test"]
    assert alone["project"] == "editable"
    beside = written(tmp_path, pyproject, "demo/__init__.py", "tests/test_it.py", "data/x.csv")["session"]["test"]
    assert "project" not in beside
    assert beside["deps"] == ["alpha>=1", "pytest"]


def test_requirements_of_other_tools_are_copied(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        """
        [tool.pdm.dev-dependencies]
        test = ["pytest>=8"]
        [tool.hatch.envs.lint]
        dependencies = ["ruff==0.9.*", "{root:uri}/x"]
        """,
        "tests/test_it.py",
    )
    assert found["session"]["test"]["deps"] == ["pytest>=8"]
    assert found["session"]["lint"]["deps"] == ["ruff==0.9.*"]


def test_poetrys_limits_are_kept(tmp_path: Path) -> None:
    project = scan(
        tmp_path,
        tomllib.loads("""
            [tool.poetry]
            package-mode = false
            [tool.poetry.dependencies]
            python = "~3.12"
            many = "^1.0 || ^2.0"
            here = { path = "libs/here", develop = true }
            [tool.poetry.group.test.dependencies]
            pytest = "^8.1"
            tool = { git = "git@example.invalid:a/tool.git", tag = "v1", extras = ["x"], platform = "linux" }
            left-out = { version = "^1", optional = true }
        """),
    )
    assert project.requires_python == ">=3.12,<3.13"
    assert project.unlimited == ("many",)
    test = next(session for session in first_sessions(project) if session.name == "test")
    assert test.keys["deps"] == [
        "many",
        "-e ./libs/here",
        "pytest>=8.1,<9",
        "tool[x] @ git+ssh://git@example.invalid/a/tool.git@v1 ; sys_platform == 'linux'",
    ]


def test_notebooks_are_on_demand_where_there_are_tests(tmp_path: Path) -> None:
    found = written(tmp_path, "", "a/one.ipynb", ".ipynb_checkpoints/one.ipynb", "tests/test_it.py")
    assert found["default"] == ["test"]
    assert found["session"]["notebooks"]["run"][0].endswith("{posargs:a/*.ipynb}")


@pytest.mark.parametrize("pattern", ["/", "../*", "", "**x", "packages/*"])
def test_odd_workspaces_do_no_harm(tmp_path: Path, pattern: str) -> None:
    found = written(tmp_path, f'[tool.uv.workspace]\nmembers = ["{pattern}", 3]\nexclude = "x"\n')
    assert set(found["session"]) == {"lint"}


def test_members_in_several_directories_are_named_by_their_paths(tmp_path: Path) -> None:
    for member in ("apps/web", "libs/core"):
        (tmp_path / member).mkdir(parents=True)
        (tmp_path / member / "pyproject.toml").write_text(
            f'[project]\nname = "x"\nrequires-python = ">=3.{len(member)}"\n'
        )
        (tmp_path / member / "test_it.py").write_text("")
    members = written(tmp_path, '[tool.uv.workspace]\nmembers = ["apps/*", "libs/*"]')["session"]["members"]
    assert members["matrix"] == {"member": ["apps/web", "libs/core"]}
    assert members["deps"] == ["pytest", "-e ./{member}"]
    assert members["cwd"] == "{member}"


def test_environments_of_others_are_no_code(tmp_path: Path) -> None:
    found = written(tmp_path, "", "venv/pyvenv.cfg", "venv/lib/test_it.py", ".venv/x.py", "node_modules/x.ipynb")
    assert found["session"]["lint"]["description"] == "Style"


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
        (None, Pythons()),
        (">=3.9", Pythons(("3.11", "3.13"), None, ("3.12", "3.14"))),
        (">=3.13", Pythons((), ">=3.13", ("3.14",))),
        (">=3.11.2,<3.14", Pythons(("3.11", "3.13"), ">=3.11.2,<3.14", ("3.12",))),
        ("<3.10", Pythons((), "<3.10")),
        (">=3.14", Pythons((), ">=3.14", ("3.14",))),
    ],
)
def test_pythons_are_supported_allowed_and_installed(requires: str | None, expected: Pythons) -> None:
    assert choose_pythons(requires, SUPPORTED, ["3.11", "3.13"]) == expected


def test_long_lists_are_broken(tmp_path: Path) -> None:
    toml = as_toml(
        first_sessions(scan(tmp_path, {"tool": {"ruff": {}, "mypy": {}, "flake8": {}, "black": {}, "isort": {}}}))
    )
    assert 'run = [\n    "ruff check {posargs:.}",\n' in toml
    assert tomllib.loads(toml)
