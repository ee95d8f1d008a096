"""pyproject.toml is parsed once for as long as it isn't touched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.environment.pyproject import read_pyproject


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / STATE_DIRECTORY).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\nnumbers = [1, 2.5, true]\n')
    return Project(tmp_path)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was parsed as TOML."""
    import setlist.core.toml

    texts: list[str] = []
    real = setlist.core.toml.parse_toml

    def parse(text: str) -> object:
        texts.append(text)
        return real(text)

    monkeypatch.setattr(setlist.core.toml, "parse_toml", parse)
    return texts


def test_it_is_parsed_once(project: Project, parsed: list[str]) -> None:
    first = read_pyproject(project)
    assert read_pyproject(project) == first
    assert first.table("project") == {"name": "demo", "numbers": [1, 2.5, True]}
    assert len(parsed) == 1


def test_one_that_changed_is_parsed_anew(project: Project, parsed: list[str]) -> None:
    read_pyproject(project)
    (project.root / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert read_pyproject(project).table("project") == {"name": "other"}
    assert len(parsed) == 2


def test_one_that_went_away_leaves_nothing(project: Project) -> None:
    read_pyproject(project)
    (project.root / "pyproject.toml").unlink()
    assert read_pyproject(project).data == {}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 1, "signature": null, "data": {}}'])
def test_what_cant_be_read_back_counts_as_nothing(project: Project, parsed: list[str], damage: str) -> None:
    read_pyproject(project)
    (project.parsed_pyproject).write_text(damage)
    assert read_pyproject(project).table("project")["name"] == "demo"
    assert len(parsed) == 2


def test_of_another_format_counts_as_nothing(project: Project) -> None:
    read_pyproject(project)
    kept = project.parsed_pyproject
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "format": 0, "data": {"project": {"name": "old"}}}))
    assert read_pyproject(project).table("project")["name"] == "demo"


def test_a_date_is_a_date_each_time(project: Project, parsed: list[str]) -> None:
    (project.root / "pyproject.toml").write_text("[tool.uv]\nexclude-newer = 2024-01-01\n")
    first, second = read_pyproject(project), read_pyproject(project)
    assert first.table("tool", "uv") == second.table("tool", "uv")
    assert len(parsed) == 2
    assert not (project.parsed_pyproject).exists()


def test_nothing_is_kept_where_nothing_of_ours_is(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    read_pyproject(Project(tmp_path))
    assert not (tmp_path / ".setlist").exists()


def test_a_mistake_is_told_each_time(project: Project) -> None:
    (project.root / "pyproject.toml").write_text("[project\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            read_pyproject(project)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_a_place_that_cant_be_written_is_no_problem(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from setlist.environment import pyproject

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pyproject, "write_atomically", refused)
    assert read_pyproject(project).table("project")["name"] == "demo"
