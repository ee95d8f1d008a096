"""``nox`` in a project whose noxfile registers setlist's sessions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ProjectFolder

pytestmark = pytest.mark.slow

NOXFILE = "import setlist.nox\n\nsetlist.nox.register()\n"


@pytest.fixture
def project_with_noxfile(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.write("noxfile.py", NOXFILE)
    project.sessions("""
        [tool.setlist]
        default = ["lint", "test"]
        [tool.setlist.session.lint]
        description = "Style and types"
        deps = ["tool"]
        tags = ["ci"]
        run = ["tool {posargs:nothing}", "python -c 'import os; print(\\"in\\", os.environ[\\"VIRTUAL_ENV\\"])'"]
        [tool.setlist.session.test]
        python = ["3.11", "3.1"]
        [tool.setlist.session.after]
        requires = ["lint"]
        run = ["python -c 'print(\\"after\\")'"]
        [tool.setlist.session.bad]
        run = ["python -c 'import sys; sys.exit(3)'"]
    """)
    return project


def nox(project: ProjectFolder, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nox", "--non-interactive", *argv],
        cwd=cwd or project.path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1"},
        timeout=100,
    )


def test_nox_lists_the_sessions(project_with_noxfile: ProjectFolder) -> None:
    done = nox(project_with_noxfile, "-l")
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert any(re.fullmatch(r"\* lint.* -> Style and types", line) for line in lines)
    assert any(line.startswith("* test-py311") for line in lines)
    assert any(line.startswith("- after") for line in lines)


def test_nox_runs_one_in_the_same_environment(project_with_noxfile: ProjectFolder) -> None:
    done = nox(project_with_noxfile, "-s", "lint", "--", "a b", "-x")
    assert done.returncode == 0, done
    assert f"in {project_with_noxfile.environment('lint')}" in done.stdout
    assert "$ tool 'a b' -x" in done.stdout, "nox puts the standard error of what it starts there"
    assert not (project_with_noxfile.path / ".nox" / "lint").exists()
    assert "reused" in project_with_noxfile.run("lint", check=True).err


def test_requires_are_noxs_to_order(project_with_noxfile: ProjectFolder) -> None:
    done = nox(project_with_noxfile, "-s", "after")
    assert done.returncode == 0, done
    assert done.stdout.index("in /") < done.stdout.index("after")
    assert done.stdout.count("in /") == 1


def test_a_failure_and_a_skip_stay_visible(project_with_noxfile: ProjectFolder) -> None:
    done = nox(project_with_noxfile, "-s", "bad", "test-py31")
    assert done.returncode == 1
    assert "bad: failed" in done.stderr
    assert "test-py31: skipped" in done.stderr
    assert "python 3.1 not found" in done.stderr + done.stdout


def test_tags_and_pythons_select(project_with_noxfile: ProjectFolder) -> None:
    assert "* lint" in nox(project_with_noxfile, "-l", "-t", "ci").stdout
    listed = nox(project_with_noxfile, "-l", "-p", "3.11").stdout
    assert "* test-py311" in listed
    assert "* lint" not in listed


def test_wrong_definitions_are_told_once(project_with_noxfile: ProjectFolder) -> None:
    project_with_noxfile.write("pyproject.toml", "[tool.setlist.session.lint]\ndesp = 1\n")
    done = nox(project_with_noxfile, "-l")
    assert done.returncode == 2
    assert "pyproject.toml:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_directory_and_other_options(project_with_noxfile: ProjectFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "noxfile.py").write_text(
        "import setlist.nox\n"
        f"setlist.nox.register({str(project_with_noxfile.path)!r}, run_options=['-q'], tags=['x'])\n"
    )
    assert "* lint" in nox(project_with_noxfile, "-l", "-t", "x", cwd=elsewhere).stdout
    done = nox(project_with_noxfile, "-s", "lint", cwd=elsewhere)
    assert done.returncode == 0, done
    assert "$ tool" not in done.stdout
