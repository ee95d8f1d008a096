"""What GitHub Actions is told: a summary of the step, and annotations."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from setlist.core.events import Event
from setlist.core.model import Change, Origin, SessionSpec
from setlist.reports.github import GitHub, workflow_command
from setlist.reports.terminal import Terminal, on_github
from support.runs import run_of, session

SESSIONS = {
    name: SessionSpec(name=name, family=name, origin=origin)
    for name, origin in {
        "lint": Origin("pyproject.toml", 12),
        "odd": Origin("a,b:c%.py"),
        "allowed": Origin("pyproject.toml", 3),
        "docs": Origin("pyproject.toml"),
    }.items()
}


def told(events: list[Event], root: Path, **environ: str) -> tuple[str, GitHub]:
    out = io.StringIO()
    reader = GitHub(environ, Terminal(out), root, SESSIONS)
    for event in events:
        reader(event)
    return out.getvalue(), reader


def test_where_it_is_used() -> None:
    assert on_github({"GITHUB_ACTIONS": "true"})
    assert not on_github({"GITHUB_ACTIONS": "false"})
    assert not on_github({})


def test_the_summary_tells_what_went_wrong_first(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("of an earlier command\n")
    events = run_of(
        session("ok", changes=[Change("rich", None, "14.0")]),
        session("skipped", "skipped", reason="requires lint, which failed", started=False),
        session("flaky", "flaky", retries=["x"]),
        session("allowed", "failed", reason="a*b* <i>", exit_code=0),
        session("lint", "failed", reason="a|b\nof two lines \x1b[31m`x`", duration=75.0),
        exit_code=1,
    )
    out, reader = told(events, tmp_path, GITHUB_STEP_SUMMARY=str(path))
    assert reader.problem is None
    assert path.read_text(encoding="utf-8").splitlines() == [
        "of an earlier command",
        "### setlist: 1 failed, 1 failed (allowed), 1 flaky, 1 ok, 1 skipped",
        "",
        "| session | status | duration | environment | |",
        "| --- | --- | ---: | --- | --- |",
        "| allowed | ⚠️ failed, which is allowed | 2.0s | python 3.11.7 · reused | a\\*b\\* \\<i\\> |",
        "| lint | ❌ failed | 1m 15s | python 3.11.7 · reused | a\\|b … |",
        "| flaky | ⚠️ flaky | 2.0s | python 3.11.7 · reused |  |",
        "| ok | ✅ ok | 2.0s | python 3.11.7 · synced: + rich 14.0 |  |",
        "| skipped | ➖ skipped |  |  | requires lint, which failed |",
        "",
        "3.0s, exit code 1",
        "",
    ]
    assert out.splitlines() == [
        "::warning file=pyproject.toml,line=3,title=allowed failed%2C which is allowed::a*b* <i>",
        "::error file=pyproject.toml,line=12,title=lint failed::a|b%0Aof two lines `x`",
    ]


def test_what_means_something_to_the_runner_is_escaped(tmp_path: Path) -> None:
    assert workflow_command("error", "50%\r\n::error::x, y", {}) == "::error::50%25%0D%0A::error::x, y"
    out, _ = told(run_of(session("odd", "failed", reason="x")), tmp_path)
    assert out == "::error file=a%2Cb%3Ac%25.py,title=odd failed::x\n"


def test_a_session_of_unknown_origin_is_annotated_all_the_same(tmp_path: Path) -> None:
    assert told(run_of(session("new", "failed", reason="x")), tmp_path)[0] == "::error title=new failed::x\n"


def test_the_line_is_looked_up_where_nobody_knew_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.setlist.session.lint]\n\n[tool.setlist.session.docs]\n")
    out, _ = told(run_of(session("docs", "failed", reason="x")), tmp_path)
    assert out == "::error file=pyproject.toml,line=3,title=docs failed::x\n"


def test_files_are_named_from_the_checkout(tmp_path: Path) -> None:
    events = run_of(session("lint", "failed", reason="x"))
    out, _ = told(events, tmp_path / "part" / "of", GITHUB_WORKSPACE=str(tmp_path))
    assert "file=part/of/pyproject.toml," in out
    out, _ = told(events, tmp_path, GITHUB_WORKSPACE=str(tmp_path / "elsewhere"))
    assert "file=pyproject.toml," in out


@pytest.mark.parametrize("path", ["missing/summary.md", ".", "nul\0byte"])
def test_a_summary_that_cannot_be_written_is_a_problem_and_no_more(tmp_path: Path, path: str) -> None:
    summary = path if "\0" in path else str(tmp_path / path)
    _, reader = told(run_of(session("a")), tmp_path, GITHUB_STEP_SUMMARY=summary)
    assert reader.problem is not None
    assert "step summary" in reader.problem


def test_a_closed_stdout_is_a_problem_and_no_more(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    path = tmp_path / "summary.md"
    reader = GitHub({"GITHUB_STEP_SUMMARY": str(path)}, Terminal(Closed()), tmp_path, {})
    for event in run_of(session("a", "failed", reason="x")):
        reader(event)
    assert "annotation" in (reader.problem or "")
    assert "| a |" in path.read_text(encoding="utf-8")
