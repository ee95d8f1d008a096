"""``setlist why``: each input of an environment, then and now."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import ProjectFolder

LINT = '[tool.setlist.session.lint]\ndeps = ["alpha==1.0"]\nrun = []\n'


@pytest.fixture
def made(project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    monkeypatch.delenv("UV_NO_CONFIG")
    project.sessions(LINT)
    project.run_inside("lint", check=True)
    return project


def test_nothing_changed_says_so(made: ProjectFolder) -> None:
    out = made.setlist_inside("why", "lint", check=True).out
    assert "nothing changed: it would be reused" in out.splitlines()[0]
    assert "changed  " not in out.replace("nothing changed", "")


def test_a_changed_input_comes_first_with_both_values(made: ProjectFolder) -> None:
    made.sessions(LINT.replace('["alpha==1.0"]', '["alpha==1.0", "gamma"]'))
    lines = made.setlist_inside("why", "lint", check=True).out.splitlines()
    assert "out of date" in lines[0]
    assert lines[1].startswith("  changed  ")
    assert "→" in lines[1]
    assert "gamma" in lines[1]
    assert all(line.startswith("  same     ") for line in lines[2:])
    assert "gamma" not in made.installed("lint"), "why changes nothing"


def test_no_environment_yet(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(LINT + '[tool.setlist.session.bare]\nbackend = "none"\n')
    out = project.setlist_inside("why", "lint", "bare", check=True).out
    assert "no environment yet: it would be created" in out
    assert "bare  " in out
    assert "it runs in the caller's" in out
    assert not project.environment("lint").exists()


def test_json(made: ProjectFolder) -> None:
    data = made.setlist_inside("why", "lint", "--json", check=True).json
    assert data["format"] == 1
    (lint,) = data["sessions"]
    assert lint["name"] == "lint"
    assert lint["state"] == "current"
    assert lint["interpreter"].startswith("python 3.")
    assert {"name", "changed", "old", "new"} == set(lint["inputs"][0])
    assert not any(change["changed"] for change in lint["inputs"])
    assert {"kind": "project", "name": "uv.toml", "by": "uv", "changed": False} in lint["looks"]
    assert {"kind": "file", "name": "pyproject.toml", "by": "setlist", "changed": False} in data["definitions"]


def test_json_says_what_is_seen_now_that_was_not_seen_then(made: ProjectFolder) -> None:
    made.write("uv.toml", "")
    data = made.setlist_inside("why", "lint", "--json", check=True).json
    (lint,) = data["sessions"]
    assert [look["name"] for look in lint["looks"] if look["changed"]] == ["uv.toml"]
    assert made.setlist_inside("why", "lint", "--json", check=True).json == data, "nothing was written"


def test_a_session_must_be_named(made: ProjectFolder) -> None:
    result = made.setlist_inside("why")
    assert (result.code, result.err) == (2, "error: no session is named\nhint: write: setlist why SESSION\n")
