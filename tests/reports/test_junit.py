"""The JUnit report, as others read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import xunit2

from setlist import STATE_DIRECTORY
from setlist.core.events import Event
from setlist.core.model import Origin, SessionSpec
from setlist.core.project import Project
from setlist.reports.ansi import xml_text
from setlist.reports.junit import JUnit
from setlist.reports.report_file import HEAD, TAIL
from support.runs import message, run_of, session

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
FLASHY = (
    "\x1b[1;31mred\x1b[0m \x1b]8;;https://x.invalid\x1b\\link\x1b]8;;\x07 \x00\x08\x7f\ufffe 10%\r20%\r\n"
    "]]> <&\"' ünï\n"
)


def report_of(
    events: list[Event], root: Path, sessions: dict[str, SessionSpec] | None = None
) -> tuple[Any, dict[str, Any]]:
    """The suite of the report, and its cases by name: read by junitparser, held to the schema."""
    path = root / "report.xml"
    report = JUnit(path, Project(root), sessions or {})
    for event in events:
        report(event)
    assert report.problem is None
    SCHEMA.validate(path)
    (suite,) = xunit2.JUnitXml.fromfile(str(path))
    return suite, {case.name: case for case in suite}


def log_of(root: Path, name: str, text: str | bytes = "printed\n") -> Path:
    log = Project(root).log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return log


def test_each_end_is_what_its_readers_call_it(tmp_path: Path) -> None:
    events = run_of(
        session("ok"),
        session("flaky", "flaky", retries=["pytest exited with code 1"]),
        session("failed", "failed", reason="ruff exited with code 2", commands=[(("ruff", "check", "a b"), 2)]),
        session("allowed", "failed", reason="mypy exited with code 1", exit_code=0),
        session("again", "failed", reason="third", retries=["first", "second"]),
        session(
            "unprepared", "failed", reason="no such package", prepared=False, said=[message("why", of="unprepared")]
        ),
        session("skipped", "skipped", reason="python 3.10 not found"),
        session("interrupted", "interrupted", reason="interrupted by SIGINT", exit_code=130),
        session("not-run", "not-run", reason="the run was interrupted", started=False, duration=0.0),
        exit_code=130,
    )
    suite, cases = report_of(events, tmp_path)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (9, 2, 2, 3)
    found = {name: [(type(end).__name__, end.message, end.type) for end in case.result] for name, case in cases.items()}
    assert found == {
        "ok": [],
        "flaky": [],
        "failed": [("Failure", "ruff exited with code 2", "failed")],
        "allowed": [("Skipped", "failed, which is allowed: mypy exited with code 1", "failed")],
        "again": [("Failure", "third", "failed")],
        "unprepared": [("Error", "no such package", "preparation")],
        "skipped": [("Skipped", "python 3.10 not found", "skipped")],
        "interrupted": [("Error", "interrupted by SIGINT", "interrupted")],
        "not-run": [("Skipped", "the run was interrupted", "not-run")],
    }
    assert [end.message for end in cases["flaky"].flaky_failures()] == ["pytest exited with code 1"]
    assert [end.message for end in cases["again"].rerun_failures()] == ["first", "second"]
    assert cases["flaky"].is_passed
    assert cases["failed"].result[0].text == "$ ruff check 'a b'\n  exit code 2"
    assert cases["unprepared"].result[0].text == "why"


def test_a_case_says_whose_it_is_and_where_it_is_defined(tmp_path: Path) -> None:
    spec = SessionSpec(name="test-py311", family="test", origin=Origin("sessions/a.toml", 7))
    events = run_of(
        session("test-py311", "flaky", retries=["x"], duration=12.3456), session("gone"), argv=["-k", "a b"]
    )
    suite, cases = report_of(events, tmp_path, {"test-py311": spec})
    case = cases["test-py311"]
    assert (case.classname, case.time) == ("test", 12.346)
    assert {item.name: item.value for item in case.properties()} == {
        "status": "flaky",
        "interpreter": "python 3.11.7",
        "environment": "reused",
        "attempts": "2",
    }
    assert cases["gone"].classname == "gone"
    assert "-k 'a b'" in [item.value for item in suite.properties()]
    element = ElementTree.parse(tmp_path / "report.xml").find(".//testcase")
    assert element is not None
    assert (element.get("file"), element.get("line")) == ("sessions/a.toml", "7")


def test_output_is_plain_text(tmp_path: Path) -> None:
    log_of(tmp_path, "a", FLASHY.encode() + b"\xff\n")
    reason = "\x1b[31mboom\x1b[0m\x00"
    _, cases = report_of(run_of(session("a", "failed", reason=reason, captured=True)), tmp_path)
    assert cases["a"].system_out == "20%\n]]> <&\"' ünï\n\ufffd\n"
    assert cases["a"].result[0].message == "boom"
    assert f"The end of {STATE_DIRECTORY}/logs/a.log:\n\n20%\n]]> <&\"' ünï" in cases["a"].result[0].text


def test_output_that_was_not_captured_is_not_taken_from_an_older_log(tmp_path: Path) -> None:
    log_of(tmp_path, "a")
    _, cases = report_of(run_of(session("a", "failed", reason="x")), tmp_path)
    assert cases["a"].system_out is None
    assert cases["a"].result[0].text == "x"


def test_a_log_that_another_run_has_begun_since_is_not_taken_for_ours(tmp_path: Path) -> None:
    log = log_of(tmp_path, "a")
    report = JUnit(tmp_path / "report.xml", Project(tmp_path), {})
    *events, last = run_of(session("a", "failed", reason="x", captured=True))
    for event in events:
        report(event)
    other = log.with_name("other")
    other.write_text("of another run\n")
    other.replace(log)
    report(last)
    text = (tmp_path / "report.xml").read_text(encoding="utf-8")
    assert f"[another run has written {STATE_DIRECTORY}/logs/a.log since]" in text
    assert "of another" not in text


def test_of_a_long_log_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    line = "é" * 49 + "\n"
    count = 2_000_000 // len(line.encode())
    log_of(tmp_path, "a", "first\n" + line * count + "last\n")
    _, cases = report_of(run_of(session("a", captured=True)), tmp_path)
    output = cases["a"].system_out
    assert output.startswith("first\né")
    assert output.endswith("é\nlast\n")
    assert "\ufffd" not in output
    (left_out,) = [text for text in output.splitlines() if "left out" in text]
    assert left_out == f"[1.4 MB left out; all of it is in {STATE_DIRECTORY}/logs/a.log]"
    assert HEAD + TAIL - 300 < len(output.encode()) < HEAD + TAIL + 100


def test_a_long_line_has_no_end_to_be_cut_at(tmp_path: Path) -> None:
    log_of(tmp_path, "a", b"\xe2\x82\xac" * 300_000)
    _, cases = report_of(run_of(session("a", captured=True)), tmp_path)
    begin, left_out, end = cases["a"].system_out.split("\n")
    assert "left out" in left_out
    assert set(begin) | set(end) == {"€", "\ufffd"}
    assert (begin + end).count("\ufffd") <= 4


def test_a_log_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path, "a")

    def fail(*args: object, **rest: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("setlist.reports.junit.excerpt", fail)
    _, cases = report_of(run_of(session("a", captured=True)), tmp_path)
    assert cases["a"].system_out == f"[{STATE_DIRECTORY}/logs/a.log can't be read: Permission denied]"


def test_nothing_planned_is_a_suite_without_cases(tmp_path: Path) -> None:
    events = run_of()
    events.insert(1, message("mind the gap", level="warning"))
    suite, cases = report_of(events, tmp_path)
    assert not cases
    assert suite.tests == 0
    assert suite.system_out == "warning: mind the gap"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters() | st.sampled_from("\x1b[]m\r\n\x00\\;0")))
def test_any_text_can_be_held(text: str) -> None:
    held = xml_text(text)
    element = ElementTree.Element("a", {"b": held})
    element.text = held
    back = ElementTree.fromstring(ElementTree.tostring(element))
    assert (back.text or "") == held
    assert "\x1b" not in held
    assert xml_text(held) == held


def test_it_is_written_a_case_at_a_time(tmp_path: Path) -> None:
    """So that no more than one session's output is in memory."""
    for name in ("a", "b"):
        log_of(tmp_path, name)
    report = JUnit(tmp_path / "report.xml", Project(tmp_path), {})
    *events, last = run_of(session("a", captured=True), session("b", captured=True))
    for event in events:
        report(event)
    report._outcome(last)
    pieces = report._content(report._outcome)
    while b"<testcase" not in next(pieces):
        pass
    os.unlink(Project(tmp_path).log("b"))
    assert b"another run has written" in next(pieces)
