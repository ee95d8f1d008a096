"""Reports of real runs: what a CI gets."""

from __future__ import annotations

import importlib.resources
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from junitparser import xunit2

from support.project import ProjectFolder, installed

pytestmark = pytest.mark.slow


@pytest.fixture
def mixed(project: ProjectFolder) -> ProjectFolder:
    project.write("flaky.py", "import os, sys; d = os.path.exists('d'); open('d', 'w'); sys.exit(not d)\n")
    project.sessions("""
        [tool.setlist.defaults]
        backend = "none"
        [tool.setlist.session.lint]
        run = ["python -c \\"print('\\\\033[31mred\\\\033[0m')\\""]
        [tool.setlist.session.test]
        retries = 1
        run = ["python flaky.py"]
        [tool.setlist.session.docs]
        run = ["python -c \\"print('of docs'); raise SystemExit(3)\\""]
        [tool.setlist.session.publish]
        requires = ["docs"]
    """)
    return project


def valid(path: Path) -> dict[str, object]:
    schema = json.loads((importlib.resources.files("setlist.reports") / "report.schema.json").read_text("utf-8"))
    data = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(data, schema)
    return data  # type: ignore[no-any-return]


def test_all_reports_of_one_run_tell_the_same(mixed: ProjectFolder, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    result = mixed.run(
        "lint", "test", "publish", "-j", "2",
        "--report", "out/r.json", "--report", "out/r.jsonl", "--report", "out/r.xml",
        env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "CI": "true"},
    )  # fmt: skip
    assert result.code == 1, result
    out = mixed.path / "out"
    ends = {"lint": "ok", "test": "flaky", "docs": "failed", "publish": "skipped"}
    assert {session["name"]: session["status"] for session in valid(out / "r.json")["sessions"]} == ends  # type: ignore[attr-defined]
    events = [json.loads(line) for line in (out / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("run-started", "run-finished")
    assert "of docs" in "".join(event["data"] for event in events if event["event"] == "output")
    assert {event["session"]: event["status"] for event in events if event["event"] == "session-finished"} == ends
    (suite,) = xunit2.JUnitXml.fromfile(str(out / "r.xml"))
    cases = {case.name: case for case in suite}
    assert {name: case.is_passed for name, case in cases.items()} == {
        "lint": True,
        "test": True,
        "docs": False,
        "publish": False,
    }
    assert "red\n" in cases["lint"].system_out
    assert "of docs" in cases["docs"].result[0].text
    assert "| docs | ❌ failed |" in summary.read_text(encoding="utf-8")
    assert "::error file=pyproject.toml,line=8,title=docs failed::python exited with code 3" in result.out.splitlines()

    assert "of docs" in mixed.setlist_inside("last", check=True).out
    printed = mixed.setlist_inside("last", "lint", check=True).out
    assert "red\n" in printed
    assert "\x1b" not in printed


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_the_reports_of_an_interrupted_run_are_whole(mixed: ProjectFolder) -> None:
    mixed.sessions("""
        [tool.setlist.session.long]
        backend = "none"
        run = ["python -c \\"print('begun', flush=True); import time; time.sleep(60)\\""]
        [tool.setlist.session.after]
        requires = ["long"]
    """)
    argv = [*installed("run"), "after", "--report", "r.json", "--report", "r.jsonl", "--report", "r.xml"]
    process = subprocess.Popen(argv, cwd=mixed.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        events = mixed.path / "r.jsonl"
        deadline = time.monotonic() + 30
        while not (events.exists() and '"data":"begun' in events.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    finally:
        process.kill()
        process.wait()
    report = valid(mixed.path / "r.json")
    assert report["exit_code"] == 143
    assert [session["status"] for session in report["sessions"]] == ["interrupted", "not-run"]  # type: ignore[attr-defined]
    assert json.loads(events.read_text(encoding="utf-8").splitlines()[-1])["event"] == "run-finished"
    (suite,) = xunit2.JUnitXml.fromfile(str(mixed.path / "r.xml"))
    assert (suite.errors, suite.skipped) == (1, 1)


def test_a_report_that_cannot_be_written_is_an_error_before_anything_runs(mixed: ProjectFolder) -> None:
    for path in ("pyproject.toml/r.json", "r.yaml", "r.html"):
        result = mixed.run_inside("test", "--report", path)
        assert result.code == 2
        assert path in result.err
    assert not (mixed.path / "d").exists()


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is something else there")
def test_nobody_reading_what_is_printed_costs_no_report(mixed: ProjectFolder) -> None:
    read, write = os.pipe()
    os.close(read)
    argv = [*installed("run"), "lint", "test", "-j", "2", "--report", "r.json"]
    with open(write, "wb") as closed:
        subprocess.run(argv, cwd=mixed.path, stdout=closed, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert valid(mixed.path / "r.json")["sessions"]
