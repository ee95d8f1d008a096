"""Whatever changes under an environment is noticed, said in one line, and mended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import ProjectFolder

pytestmark = pytest.mark.slow

PROJECT = """
[tool.setlist.session.lint]
deps = ["tool==1.0", "gamma[fast]"]
requirements = ["requirements/dev.txt"]
project = "editable"
run = ["tool"]
"""


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.write("requirements/dev.txt", "-r sub/base.txt\n")
    project.write("requirements/sub/base.txt", "delta==1.0\n")
    project.make_package(dependencies=["newpy"], sessions=PROJECT)
    project.run_inside("lint", check=True)
    return project


def _edit(project: ProjectFolder, name: str, old: str, new: str) -> None:
    text = project.read(name)
    assert old in text
    (project.path / name).write_text(text.replace(old, new), encoding="utf-8")


def _by_hand(project: ProjectFolder) -> None:
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", str(project.python("lint")), "pre"]
    subprocess.run(command, check=True)


CHANGES: dict[str, tuple[Callable[[ProjectFolder], None], str]] = {
    "removed": (lambda it: _edit(it, "pyproject.toml", ', "gamma[fast]"', ""), "synced: - beta 2.0, - gamma 1.0"),
    "added": (
        lambda it: _edit(it, "pyproject.toml", '"gamma[fast]"', '"gamma[fast,slow]", "pre"'),
        "synced: + pre 1.0",
    ),
    "bumped": (lambda it: _edit(it, "pyproject.toml", "tool==1.0", "tool==2.0"), "synced: ~ tool 1.0 → 2.0"),
    "file two levels down": (
        lambda it: _edit(it, "requirements/sub/base.txt", "1.0", "1.1"),
        "synced (requirements/sub/base.txt changed): ~ delta 1.0 → 1.1",
    ),
    "the project's own": (
        lambda it: _edit(it, "pyproject.toml", '["newpy"]', '["newpy", "pre"]'),
        "synced (project metadata changed): ~ demo 1.0 (reinstalled), + pre 1.0",
    ),
    "by hand": (_by_hand, "synced (changed by hand: pre): - pre 1.0"),
    "touched": (lambda it: os.utime(it.path / "requirements/sub/base.txt"), "reused"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_said_in_one_line_and_mended(lint: ProjectFolder, change: str) -> None:
    make, said = CHANGES[change]
    make(lint)
    done = lint.run_inside("lint", check=True)
    line = next(line for line in done.err.splitlines() if line.startswith("lint  python"))
    assert line.partition(" · ")[2] == said
    assert " · reused" in lint.run_inside("lint", check=True).err
