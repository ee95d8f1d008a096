"""pyproject.toml is parsed once for as long as it isn't touched."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.engine.trace import Store
from setlist.engine.world import clock
from setlist.environment.pyproject import read_pyproject


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / STATE_DIRECTORY).mkdir(parents=True)
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = "demo"\nnumbers = [1, 2.5, true]\n')
    settle(file)
    return Project(tmp_path)


def settle(file: Path) -> None:
    """Wait until a file is no longer one that may be changed again in the same tick of the clock."""
    while clock() <= file.stat().st_ctime_ns + 1_000_000:
        time.sleep(0.001)


def kept(project: Project) -> list[Path]:
    place = project.store / "project"
    return list(place.iterdir()) if place.is_dir() else []


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


@pytest.mark.parametrize("damage", ["", "{", "[]", "x" * 100])
def test_what_cant_be_read_back_counts_as_nothing(project: Project, parsed: list[str], damage: str) -> None:
    read_pyproject(project)
    (file,) = kept(project)
    file.write_text(damage)
    assert read_pyproject(project).table("project")["name"] == "demo"
    assert len(parsed) == 2


def test_a_date_is_a_date_each_time(project: Project, parsed: list[str]) -> None:
    (project.root / "pyproject.toml").write_text("[tool.uv]\nexclude-newer = 2024-01-01\n")
    first, second = read_pyproject(project), read_pyproject(project)
    assert first.table("tool", "uv") == second.table("tool", "uv")
    assert len(parsed) == 2
    assert not kept(project)


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
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Store, "write", refused)
    assert read_pyproject(project).table("project")["name"] == "demo"
