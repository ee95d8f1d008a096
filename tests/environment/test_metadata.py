"""The project's own metadata is an input as far as an environment depends on it, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.model import EnvironmentSpec, Origin, SessionSpec
from setlist.core.project import Project
from setlist.environment.metadata import ProjectDescription, describe_project
from setlist.environment.pyproject import read_pyproject
from support.project import ProjectFolder

PYPROJECT = """
[build-system]
requires = ["hatchling", "poetry-core", "setuptools>=61"]
build-backend = "hatchling.build"

[project]
name = "Demo"
version = "1.0"
description = "words"
dependencies = ["alpha"]

[project.optional-dependencies]
fast = ["delta"]

[project.scripts]
demo = "demo:main"

[tool.hatch.version]
path = "src/version.py"

[tool.setuptools.dynamic]
dependencies = { file = ["base.txt"] }

[tool.ruff]
line-length = 100
"""


def described(folder: ProjectFolder, /, **spec: Any) -> ProjectDescription:
    session = SessionSpec(
        name="test", family="test", origin=Origin("pyproject.toml", 4), environment=EnvironmentSpec(**spec)
    )
    place = Project(folder.path)
    return describe_project(place, session, read_pyproject(place))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "1.0"', 'version = "1.1"'),
        ('dependencies = ["alpha"]', 'dependencies = ["beta"]'),
        ('fast = ["delta"]', 'fast = ["beta"]'),
        ('demo = "demo:main"', 'demo = "demo:other"'),
        ('requires = ["hatchling", ', 'requires = ["hatchling>1", '),
        ('path = "src/version.py"', 'path = "src/other.py"'),
    ],
)
def test_what_changes_the_installation_changes_the_digest(project: ProjectFolder, old: str, new: str) -> None:
    project.write("pyproject.toml", PYPROJECT)
    before = described(project).digest
    assert old in PYPROJECT
    project.write("pyproject.toml", PYPROJECT.replace(old, new))
    assert described(project).digest != before


@pytest.mark.parametrize(
    ("old", "new"),
    [('"words"', '"other words"'), ("line-length = 100", "line-length = 80"), ("[tool.ruff]", "\n\n[tool.ruff]")],
)
def test_what_does_not_leaves_it(project: ProjectFolder, old: str, new: str) -> None:
    project.write("pyproject.toml", PYPROJECT)
    before = described(project).digest
    project.write("pyproject.toml", PYPROJECT.replace(old, new))
    assert described(project).digest == before


def test_files_that_the_backend_reads_are_inputs(project: ProjectFolder) -> None:
    project.write("pyproject.toml", PYPROJECT)
    project.write("src/version.py", "1")
    project.write("base.txt", "alpha")
    before = described(project)
    assert {project.path / "src/version.py", project.path / "base.txt"} <= before.files
    for name in ("src/version.py", "base.txt", "setup.py", "setup.cfg"):
        digest = described(project).digest
        project.write(name, f"changed {name}")
        assert described(project).digest != digest


def test_the_name_is_known_where_it_is_written(project: ProjectFolder) -> None:
    project.write("pyproject.toml", PYPROJECT)
    assert described(project).name == "Demo"
    project.write("pyproject.toml", "")
    project.write("setup.py", "from setuptools import setup; setup(name='x')")
    assert described(project).name is None


def test_nothing_to_install_is_said(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.ruff]\n")
    with pytest.raises(ConfigurationError, match="no project to install") as error:
        described(project, project="editable")
    assert (error.value.file, error.value.line, error.value.key) == ("pyproject.toml", 4, "test.project")


def test_an_unknown_extra_is_named_with_the_nearest(project: ProjectFolder) -> None:
    project.write("pyproject.toml", PYPROJECT)
    assert described(project, extras=("Fast",)).name == "Demo"
    with pytest.raises(ConfigurationError) as error:
        described(project, extras=("fats",))
    assert error.value.hint == "did you mean 'fast'?"
    with pytest.raises(ConfigurationError) as error:
        described(project, extras=("zzz",))
    assert "optional-dependencies" in (error.value.hint or "")


def test_dynamic_extras_are_taken_on_trust(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[project]\nname = "x"\ndynamic = ["optional-dependencies"]\n')
    assert described(project, extras=("any",)).name == "x"
