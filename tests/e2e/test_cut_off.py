"""A compiled file that a full disk has cut off: the environment doesn't stay broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.again import by_record, watched
from support.project import ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow


@pytest.fixture
def lint(project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    values = ", ".join(f"'value {number}'" for number in range(500))
    make_wheel(tmp_path / "wheels", "large", "1.0", modules={"large.py": f"ALL = [{values}]\n"})
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    project.sessions('[tool.setlist.session.lint]\ndeps = ["large"]\nrun = ["python -c \'import large\'"]\n')
    return project


def cut_off(project: ProjectFolder) -> None:
    (compiled,) = project.environment("lint").rglob("large.*.pyc")
    assert compiled.stat().st_size > 4096
    os.truncate(compiled, 4096)


@pytest.mark.parametrize("by_its_record", [True, False])
def test_what_was_cut_off_is_removed_after_a_failure(lint: ProjectFolder, by_its_record: bool) -> None:
    words = ("lint",) if by_its_record else ("-v", "lint")
    watched(lint, *words)
    if by_its_record and os.name != "nt":
        assert by_record(lint, *words)
    cut_off(lint)
    failed = lint.run(*words)
    assert failed.code == 1
    assert "removed compiled files that were cut off, as by a full disk (large." in failed.err
    again = lint.run(*words, check=True)
    assert "reused" in again.err


def test_whole_files_stay(lint: ProjectFolder) -> None:
    lint.run("lint", check=True)
    (compiled,) = lint.environment("lint").rglob("large.*.pyc")
    compiled.write_bytes(compiled.read_bytes() + bytes(-compiled.stat().st_size % 512))
    lint.sessions(lint.read("pyproject.toml").replace("import large", "raise SystemExit(1)"))
    failed = lint.run("lint")
    assert (failed.code, "cut off" in failed.err) == (1, False)
    assert compiled.exists()
