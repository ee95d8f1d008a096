"""``setlist init`` in projects of many kinds: what it writes passes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from setlist.cli.python_releases import RELEASES
from support.project import ProjectFolder
from support.sample_projects import PROJECTS, write_project
from support.tool_wheels import add_tools

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = {
    "lint": {"groups": ["lint"], "project": "editable", "run": ["ruff check {posargs:.}", "mypy src"]},
    "test": {"groups": ["test"], "project": "editable", "run": ["pytest {posargs}"]},
}

EXECUTE = (
    "jupyter nbconvert --to notebook --execute --ExecutePreprocessor.kernel_name=python3 "
    "--output-dir {tmp} {posargs:notebooks/*.ipynb}"
)

WRITTEN: dict[str, dict[str, dict[str, Any]]] = {
    "empty": {"lint": {"deps": ["ruff"], "run": ["ruff check {posargs:.}", "ruff format --check {posargs:.}"]}},
    "hatchling": PACKAGE,
    "setuptools": PACKAGE,
    "poetry-core": PACKAGE,
    "uv_build": PACKAGE,
    "flat": {
        "lint": {"deps": ["ruff"], "run": ["ruff check {posargs:.}"]},
        "test": {"extras": ["test"], "project": "editable", "run": ["pytest {posargs}"]},
    },
    "setup.cfg": {
        "lint": {"requirements": ["requirements-dev.txt"], "run": ["flake8 {posargs:.}"]},
        "test": {
            "requirements": ["requirements.txt", "requirements-dev.txt"],
            "project": "editable",
            "run": ["pytest {posargs}"],
        },
    },
    "django": {"test": {"requirements": ["requirements.txt"], "run": ["python manage.py test {posargs}"]}},
    "notebooks": {
        "notebooks": {
            "requirements": ["requirements.txt"],
            "deps": ["nbconvert", "ipykernel"],
            "run": [EXECUTE],
        }
    },
    "scripts": {"lint": {"deps": ["ruff"], "run": ["ruff check --select E9,F63,F7,F82 {posargs:.}"]}},
    "poetry": {
        "test": {
            "deps": ["pytest>=1", "delta>=1.0,<1.1; python_full_version >= '3.8'"],
            "project": "editable",
            "run": ["pytest {posargs}"],
        }
    },
    "poetry-app": {"test": {"deps": ["alpha>=1.0,<2", "pytest"], "run": ["python -m pytest {posargs}"]}},
    "uv-app": {
        "lint": {"groups": ["dev"], "run": ["ruff check {posargs:.}"]},
        "test": {"groups": ["dev"], "deps": ["alpha"], "run": ["python -m pytest {posargs}"]},
    },
    "tox": {"tox": {"deps": ["tox"], "run": ["tox {posargs}"]}},
    "workspace": {
        "members": {
            "matrix": {"member": ["one", "two"]},
            "deps": ["pytest", "delta", "-e ./packages/{member}"],
            "cwd": "packages/{member}",
            "run": ["pytest {posargs}"],
        }
    },
}
"""What is written in each kind of project, but descriptions and Pythons."""


@pytest.fixture
def tools(wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the tests' wheels, and with some that stand in for the tools of the field."""
    directory = tmp_path / "tools"
    copytree(wheelhouse, directory)
    add_tools(directory)
    monkeypatch.setenv("UV_FIND_LINKS", str(directory))
    return directory


def written_in(project: ProjectFolder) -> dict[str, Any]:
    """The sessions, but their descriptions and Pythons."""
    sessions = tomllib.loads(project.read("pyproject.toml"))["tool"]["setlist"]["session"]
    return {
        name: {key: value for key, value in keys.items() if key not in ("description", "python")}
        for name, keys in sessions.items()
    }


def test_every_kind_is_tried() -> None:
    assert {*WRITTEN, "noxfile"} == set(PROJECTS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITTEN)
def test_what_init_writes_passes_at_once(project: ProjectFolder, tools: Path, kind: str) -> None:
    write_project(project, kind)
    before = {name: project.read(name) for name in PROJECTS[kind]}

    done = project.setlist("init", check=True)
    assert written_in(project) == WRITTEN[kind], done
    after = project.read("pyproject.toml")
    assert after.startswith(before.pop("pyproject.toml", ""))
    assert {name: project.read(name) for name in before} == before

    first = project.run(check=True)
    assert "skipped" not in first.err, first
    # now there are environments that tools could read
    project.run(check=True)
    assert project.setlist("init").code == 2
    assert project.read("pyproject.toml") == after


@pytest.mark.slow
def test_failing_tests_are_the_projects_own_failure(project: ProjectFolder, tools: Path) -> None:
    write_project(project, "django")
    project.write("shop/tests.py", "import nothing_of_that_name\n")
    project.setlist("init", check=True)
    result = project.run()
    assert result.code == 1
    assert "nothing_of_that_name" in result.err + result.out


def test_a_noxfile_is_offered_as_it_is(project: ProjectFolder) -> None:
    write_project(project, "noxfile")
    done = project.setlist("init", check=True)
    assert "noxfile.py defines sessions, which run as they are" in done.out
    assert "setlist import nox --write" in done.out
    assert not (project.path / "pyproject.toml").exists()
    assert "from nox" in project.run(check=True).out
    project.setlist("import", "nox", "--write", check=True)
    assert "from nox" in project.run(check=True).out


@pytest.mark.slow
def test_pythons_are_supported_ones_that_are_installed(project: ProjectFolder, tools: Path) -> None:
    write_project(project, "hatchling")
    project.setlist("init", check=True)
    sessions = tomllib.loads(project.read("pyproject.toml"))["tool"]["setlist"]["session"]
    pythons = sessions["test"].get("python", [])
    versions = [version for version, *_ in RELEASES]
    assert pythons == [version for version in versions if version in pythons]
    assert "3.9" not in pythons
    result = project.run("test", env={"CI": "1"})
    assert result.code == 0, result


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("kind", ["flat", "hatchling", "django", "workspace"])
def test_with_the_real_tools(project: ProjectFolder, kind: str) -> None:
    write_project(project, kind, depends=False)
    project.setlist("init", check=True)
    project.run(check=True, timeout=600)
    # now there are environments that tools could read; setuptools looks for packages again
    project.run(check=True)
    project.run("-r", check=True, timeout=600)
