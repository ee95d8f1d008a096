"""``setlist history``: the past runs, and how each session did in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from setlist.core.events import Event
from setlist.core.project import Project
from setlist.reports.history import History
from support.project import ProjectFolder
from support.runs import run_of, session

PAGE = Path(__file__).parents[2] / "docs" / "reports.md"


def keep(project: ProjectFolder, number: int, *sessions: list[Event], **rest: Any) -> None:
    history = History(Project(project.path).history)
    for event in run_of(*sessions, run=f"run{number}", began=1.6e9 + number * 60, **rest):
        history(event)
    history.close()


@pytest.fixture
def past(project: ProjectFolder) -> ProjectFolder:
    project.sessions("""
        [tool.setlist.session.lint]
        [tool.setlist.session.test]
        python = ["3.10", "3.11"]
        [tool.setlist.session.new]
    """)
    keep(project, 1, session("lint", duration=1.0), session("gone"), argv=["lint", "gone"])
    keep(project, 2, session("test-py311", "flaky", retries=["x"], duration=3.0), argv=["test"])
    keep(
        project,
        3,
        session("lint", "failed", reason="boom", duration=2.0),
        session("test-py311", duration=4.0),
        session("test-py310", "not-run", started=False, duration=0.0),
        exit_code=1,
        argv=["-k", "a b"],
    )
    keep(project, 4, session("lint")[:-1], planned=["lint", "test-py311"], argv=["lint", "test"], ended=False)
    return project


def test_runs_are_told_the_latest_first(past: ProjectFolder) -> None:
    lines = past.setlist_inside("history", check=True).out.splitlines()
    rows = [re.split(r"\s{2,}", line) for line in lines]
    assert [row[1:] for row in rows] == [
        ["command", "sessions", "duration", "exit code"],
        ["run lint test", "1 interrupted, 1 not run", "–", "killed, or still running"],
        ["run -k 'a b'", "1 ok, 1 failed, 1 not run", "3.0s", "1"],
        ["run test", "1 flaky", "3.0s", "0"],
        ["run lint gone", "2 ok", "3.0s", "0"],
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", rows[1][0])


def test_only_the_last_runs(past: ProjectFolder) -> None:
    assert len(past.setlist_inside("history", "-n", "2", check=True).out.splitlines()) == 3
    for wrong in ("0", "x", "1.5", "9" * 5_000):
        result = past.setlist_inside("history", "-n", wrong)
        assert result.code == 2
        assert "not a number of runs" in result.err


def test_sessions_with_how_often_and_how_long(past: ProjectFolder) -> None:
    rows = [line.split() for line in past.setlist_inside("history", "--sessions", check=True).out.splitlines()]
    assert rows == [
        ["session", "runs", "passed", "failed", "flaky", "last", "median", "shortest", "longest"],
        ["lint", "2", "1", "1", "(50%)", "0", "2.0s", "1.5s", "1.0s", "2.0s"],
        ["test-py311", "2", "1", "0", "1", "(50%)", "4.0s", "3.5s", "3.0s", "4.0s"],
        ["gone", "1", "1", "0", "0", "2.0s", "2.0s", "2.0s", "2.0s"],
    ]


def test_sessions_are_named_as_for_run_and_those_that_are_gone_by_their_names(past: ProjectFolder) -> None:
    rows = past.setlist_inside("history", "test", "gone", "gone", check=True).out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["test-py311", "gone"]
    result = past.setlist_inside("history", "new", check=True)
    assert result.out == ""
    assert "no runs of these yet" in result.err
    result = past.setlist_inside("history", "tset")
    assert result.code == 2
    assert "did you mean 'test'" in result.err


def test_no_runs_yet(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    for argv in (["history"], ["history", "--sessions"]):
        result = project.setlist_inside(*argv, check=True)
        assert (result.out, "no runs yet" in result.err) == ("", True)
    assert project.setlist_inside("history", "--json", check=True).json == {"format": 1, "runs": []}


def test_definitions_that_are_wrong_do_not_keep_anybody_from_the_past(past: ProjectFolder) -> None:
    past.sessions("[tool.setlist.session.lint]\nnonsense = 1\n")
    assert "killed" in past.setlist_inside("history", check=True).out
    assert past.setlist_inside("history", "lint", check=True).out.splitlines()[1].startswith("lint")


def told(kind: str) -> list[str]:
    """The keys that the manual names for a run, or a session."""
    part = PAGE.read_text(encoding="utf-8").partition("<!-- history:")[2].partition("<!-- end of history -->")[0]
    table = part.partition(f"| key of a {kind} | |\n")[2].partition("\n\n")[0]
    return [name for line in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", line.split(" | ")[0])]


def test_the_json_is_what_the_manual_tells(past: ProjectFolder) -> None:
    killed, failed, *_ = past.setlist_inside("history", "--json", check=True).json["runs"]
    assert list(killed) == told("run")
    assert (killed["finished"], killed["duration"], killed["exit_code"]) == (False, None, None)
    assert (failed["argv"], failed["exit_code"]) == (["-k", "a b"], 1)
    assert failed["sessions"][0] == {
        "name": "lint",
        "status": "failed",
        "reason": "boom",
        "duration": 2.0,
        "attempts": 1,
    }
    (lint,) = past.setlist_inside("history", "lint", "--json", check=True).json["sessions"]
    assert list(lint) == told("session")
    assert (lint["runs"], lint["failed_rate"]) == (2, 0.5)
    assert lint["durations"] == {"last": 2.0, "median": 1.5, "shortest": 1.0, "longest": 2.0}


def test_durations_are_saved_for_others(past: ProjectFolder) -> None:
    result = past.setlist_inside("history", "--save", check=True)
    assert "sessions/durations.json: lint, test-py311" in result.err
    assert set(json.loads(past.read("sessions/durations.json"))["seconds"]) == {"lint", "test-py311"}
    assert "no duration changed" in past.setlist_inside("history", "--save", check=True).err
    assert past.setlist_inside("history", "--save", "lint").code == 2


def test_a_session_that_is_found_up_to_date_did_not_run(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        backend = "none"
        inputs = ["pyproject.toml"]
        run = ["python -c pass"]
    """)
    for _ in range(2):
        project.run_inside("lint", check=True)
    assert project.history()[-2]["reason"] == "up to date"
    (lint,) = project.setlist_inside("history", "lint", "--json", check=True).json["sessions"]
    assert lint["runs"] == 1
