"""Which report a file is to hold, whether it can be written, and the one that is written as things happen."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from setlist.core.errors import UsageError
from setlist.core.events import FORMAT, Event, Output, from_json
from setlist.core.project import Project
from setlist.reports.report import SUFFIXES, Report, report_to
from support.runs import message, run_of, session


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def tell(report: Report, events: list[Event]) -> None:
    for event in events:
        report(event)


@pytest.mark.parametrize("ending", [*SUFFIXES, ".XML", ".Json"])
def test_the_ending_chooses_the_report(project: Project, ending: str) -> None:
    path = project.root / "new" / "directory" / f"report.x{ending}"
    report = report_to(path, project, {})
    tell(report, run_of(session("lint")))
    assert report.problem is None
    text = path.read_text(encoding="utf-8")
    if ending.lower() == ".xml":
        assert text.startswith("<?xml")
    elif ending.lower() == ".json":
        assert json.loads(text)["sessions"]
    else:
        assert len(text.splitlines()) == 5
    assert os.listdir(path.parent) == [path.name], "nothing is left of finding out whether it can be written"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.html", "no HTML reports yet"),
        ("report.txt", "no report with the suffix '.txt'"),
        ("report", "no suffix"),
        (".json", "no suffix"),
    ],
)
def test_an_unknown_suffix_names_the_known_ones(project: Project, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        report_to(project.root / name, project, {})
    assert ".json, .jsonl, .xml" in (caught.value.hint or "")
    assert os.listdir(project.root) == []


@pytest.mark.parametrize("ending", SUFFIXES)
def test_where_nothing_can_be_written_is_told_before_anything_runs(project: Project, ending: str) -> None:
    (project.root / "file").write_text("")
    (project.root / f"directory{ending}").mkdir()
    with pytest.raises(UsageError, match="can't write"):
        report_to(project.root / "file" / f"report{ending}", project, {})
    with pytest.raises(UsageError, match="is a directory"):
        report_to(project.root / f"directory{ending}", project, {})


@pytest.mark.parametrize("ending", [".json", ".xml"])
def test_what_stands_in_the_way_at_the_end_is_told_and_not_raised(project: Project, ending: str) -> None:
    path = project.root / "out" / f"report{ending}"
    report = report_to(path, project, {})
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")
    tell(report, run_of(session("lint")))
    assert report.problem is not None
    assert f"the report {path} couldn't be written" in report.problem


@pytest.mark.parametrize("ending", [".json", ".xml"])
def test_an_older_report_stays_until_there_is_a_new_one(project: Project, ending: str) -> None:
    path = project.root / f"report{ending}"
    path.write_text("older")
    report = report_to(path, project, {})
    tell(report, run_of(session("lint"))[:-1])
    assert path.read_text() == "older"


# .jsonl


def test_each_event_is_there_as_soon_as_it_happens(project: Project) -> None:
    path = project.root / "events.jsonl"
    path.write_text("older\n" * 100)
    report = report_to(path, project, {})
    events = run_of(session("lint", commands=[(("ruff", "ä"), 0)]), argv=["lint"])
    events.insert(-2, Output(time=1.0, session="lint", stream="stdout", data="one\n\x1b[31mtwo\u2028"))
    for count, event in enumerate(events, 1):
        report(event)
        lines = path.read_text(encoding="utf-8").split("\n")
        assert lines.pop() == ""
        assert [from_json(json.loads(line)) for line in lines] == events[:count]
    first = json.loads(lines[0])
    assert (first["event"], first["format"]) == ("run-started", FORMAT)


def test_what_is_no_unicode_becomes_something_that_json_readers_take(project: Project) -> None:
    path = project.root / "events.jsonl"
    report = report_to(path, project, {})
    tell(report, run_of(session("a", said=[message("\udcff \ud800", of="a")]), argv=["\udce4"]))
    for line in path.read_bytes().decode("utf-8").splitlines():
        assert "\\ud" not in line
        json.loads(line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_disk_that_fills_up_is_told_once(project: Project) -> None:
    path = project.root / "events.jsonl"
    path.symlink_to("/dev/full")
    report = report_to(path, project, {})
    tell(report, run_of(session("lint")))
    assert report.problem is not None
    assert "No space left" in report.problem
