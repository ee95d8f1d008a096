"""The newest linters and build backends, from the package index, beside environments in the project."""

from __future__ import annotations

import tarfile

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder

pytestmark = [pytest.mark.network, pytest.mark.slow]

LINTERS = [
    "flake8",
    "isort --check -q .",
    "ruff check -q .",
    "ruff format --check -q .",
    "black -q --check .",
    "bandit -q -r .",
    "codespell",
    "mypy .",
    "pytest -q -p no:cacheprovider",
]
BAD = 'import sys, os\nx=1;y  = "teh recieve"\nexec(y)\nx: str = 1\nassert False\n'


@pytest.mark.parametrize("linter", LINTERS)
def test_linter_does_not_read_environments(project: ProjectFolder, linter: str) -> None:
    project.sessions(f"""
        [tool.setlist.session.lint]
        deps = ["{linter.split()[0]}"]
        run = ["{linter}"]
    """)
    project.write("test_a.py", '"""A."""\n\n\ndef test_a():\n    """A."""\n')
    for name in ("bad.py", "test_bad.py"):
        project.write(f"{STATE_DIRECTORY}/envs/other/lib/python3/site-packages/{name}", BAD)

    project.run("lint", check=True)


def test_sdist_of_hatchling_holds_nothing_of_ours(project: ProjectFolder) -> None:
    project.write(
        "pyproject.toml",
        """
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "demo"
        version = "1"
        [tool.setlist.session.build]
        deps = ["build", "hatchling"]
        run = ["python -m build --no-isolation --sdist ."]
        """,
    )
    project.write("demo/__init__.py", "")

    project.run("build", check=True)

    with tarfile.open(project.path / "dist" / "demo-1.tar.gz") as archive:
        assert not [name for name in archive.getnames() if ".setlist" in name]
