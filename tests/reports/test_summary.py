"""The JSON report: what is in it, and that it is what its schema says."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from setlist import STATE_DIRECTORY
from setlist.core.events import Event
from setlist.core.model import Change, Origin, SessionSpec
from setlist.core.project import Project
from setlist.reports.past_runs import past_runs
from setlist.reports.summary import Summary
from support.project import ProjectFolder
from support.runs import NOW, message, run_of, session

SCHEMA: dict[str, Any] = json.loads(
    (importlib.resources.files("setlist.reports") / "report.schema.json").read_text(encoding="utf-8")
)


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for keys that it doesn't name: they would be undocumented."""
    schema = deepcopy(schema)
    for part in (schema, *schema["$defs"].values()):
        assert part["required"] == list(part["properties"])
        part["additionalProperties"] = False
    return schema


def report_of(events: list[Event], root: Path, sessions: dict[str, SessionSpec] | None = None) -> dict[str, Any]:
    report = Summary(root / "report.json", Project(root), sessions or {})
    for event in events:
        report(event)
    assert report.problem is None
    data = json.loads((root / "report.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(strict(SCHEMA)).validate(data)
    return data  # type: ignore[no-any-return]


def log_of(root: Path, name: str, text: str = "printed\n") -> Path:
    log = Project(root).log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log


def test_a_real_run(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        deps = ["alpha==1.0"]
        run = ["python -c pass", { cmd = "python -c 'raise SystemExit(3)'", allow-failure = true }]
        [tool.setlist.session.fail]
        requires = ["lint"]
        backend = "none"
        retries = 1
        run = ["python -c 'raise SystemExit(7)'"]
        [tool.setlist.session.after]
        requires = ["fail"]
    """)
    assert project.run_inside("lint", "after").code == 1
    data = report_of(list(next(past_runs(Project(project.path)))), project.path)
    assert (data["exit_code"], data["argv"], data["root"]) == (1, ["lint", "after"], str(project.path))
    lint, fail, after = data["sessions"]
    assert [session["status"] for session in (lint, fail, after)] == ["ok", "failed", "skipped"]
    assert lint["environment"]["action"] == "created"
    assert {"package": "alpha", "old": None, "new": "1.0"} in lint["environment"]["changes"]
    assert lint["frozen"]["file"] == f"{STATE_DIRECTORY}/envs/lint/requirements.txt"
    assert lint["frozen"]["requirements"] == ["alpha==1.0", "beta==2.0"]
    assert [(command["code"], command["ok"]) for command in lint["commands"]] == [(0, True), (3, False)]
    assert "which is allowed" in lint["messages"][0]["text"]
    assert fail["environment"]["action"] == "none"
    assert [(command["code"], command["attempt"]) for command in fail["commands"]] == [(7, 1), (7, 2)]
    assert (fail["attempts"], fail["exit_code"], fail["frozen"]) == (2, 1, None)
    assert after["environment"] is None
    assert after["started"] is None
    assert after["reason"] == "requires fail, which failed"


def test_an_interrupted_run_is_whole(tmp_path: Path) -> None:
    events = run_of(
        session("a", "interrupted", reason="interrupted by SIGTERM", exit_code=143, commands=[(("sleep", "9"), None)]),
        session("b", "not-run", reason="the run was interrupted", started=False, duration=0.0),
        exit_code=143,
    )
    a, b = report_of(events, tmp_path)["sessions"]
    assert a["commands"][0] | {"started": 0} == {
        "command": ["sleep", "9"],
        "code": None,
        "ok": False,
        "timed_out": False,
        "started": 0,
        "duration": None,
        "attempt": 1,
    }
    assert b["status"] == "not-run"


def test_the_same_command_twice_at_once_is_told_twice(tmp_path: Path) -> None:
    once = session("a", commands=[(("x",), 1)])
    started, finished = once[2:4]
    events = run_of([*once[:2], started, started, finished, finished, once[-1]])
    assert [command["code"] for command in report_of(events, tmp_path)["sessions"][0]["commands"]] == [1, 1]


def test_a_session_whose_end_was_never_told_was_interrupted(tmp_path: Path) -> None:
    events = run_of(session("a")[:-1], planned=["a", "b"], exit_code=1)
    assert [session["status"] for session in report_of(events, tmp_path)["sessions"]] == ["interrupted", "not-run"]


def test_sessions_stand_in_the_order_of_the_plan_with_their_family(tmp_path: Path) -> None:
    spec = SessionSpec(name="b-py311", family="b", origin=Origin("pyproject.toml", 3))
    changed = [Change("x", "1.0", None)]
    events = run_of(session("a"), session("b-py311", "flaky", changes=changed), planned=["b-py311", "a"])
    b, a = report_of(events, tmp_path, {"b-py311": spec})["sessions"]
    assert (b["family"], a["family"]) == ("b", "a")
    assert b["environment"]["changes"] == [{"package": "x", "old": "1.0", "new": None}]


def test_only_the_log_of_this_run_is_named(tmp_path: Path) -> None:
    for name in ("captured", "direct", "older"):
        log_of(tmp_path, name)
    os.utime(Project(tmp_path).log("older"), (NOW - 60, NOW - 60))
    names = ("captured", "direct", "older", "missing")
    events = run_of(*(session(name, captured=name != "direct") for name in names))
    logs = [session["log"] for session in report_of(events, tmp_path)["sessions"]]
    assert logs == [f"{STATE_DIRECTORY}/logs/captured.log", None, None, None]


def test_words_that_are_no_unicode(tmp_path: Path) -> None:
    said = [message("\ud800 \x1b[31m", of="a")]
    data = report_of(run_of(session("a", said=said), argv=["\udce4"]), tmp_path)
    assert data["argv"] == ["?"]
    assert data["sessions"][0]["messages"][0]["text"] == "? \x1b[31m"


def test_what_is_said_of_the_whole_run(tmp_path: Path) -> None:
    events = run_of(session("a"))
    events.insert(1, message("the lock is old", level="warning"))
    assert report_of(events, tmp_path)["messages"] == [{"time": NOW, "level": "warning", "text": "the lock is old"}]


@pytest.mark.parametrize("key", ["sessions", "exit_code"])
def test_the_schema_can_fail(tmp_path: Path, key: str) -> None:
    data = report_of(run_of(session("a")), tmp_path)
    assert Draft202012Validator(SCHEMA).is_valid({**data, "later": 1}), "keys may be added"
    assert not Draft202012Validator(SCHEMA).is_valid({**data, key: "1"})


def test_the_manual_tells_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    told = page.partition("<!-- report:")[2].partition("<!-- end of report -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", told, re.MULTILINE)
    assert rows == [
        (name, key["description"])
        for part in (SCHEMA, *SCHEMA["$defs"].values())
        for name, key in part["properties"].items()
    ]
