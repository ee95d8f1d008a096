"""``setlist last``: what a session printed when it last ran."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.cli.context import Context
from setlist.cli.main import main
from setlist.core.events import Event
from setlist.core.project import Caller, Project
from setlist.reports.history import History
from setlist.reports.terminal import Terminal
from support.project import ProjectFolder
from support.runs import run_of, session


@pytest.fixture
def some(project: ProjectFolder) -> ProjectFolder:
    project.sessions("""
        [tool.setlist.session.lint]
        [tool.setlist.session.docs]
        [tool.setlist.session.test]
        python = ["3.10", "3.11"]
    """)
    return project


def ran(
    project: ProjectFolder, *sessions: list[Event], logs: dict[str, str | bytes] | None = None, **rest: Any
) -> None:
    history = History(Project(project.path).history)
    for event in run_of(*sessions, **rest):
        history(event)
    history.close()
    for name, text in (logs or {}).items():
        log = Project(project.path).log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_the_log_of_a_session(some: ProjectFolder) -> None:
    ran(some, session("lint", captured=True), session("docs", captured=True), logs={"lint": "one\ntwo", "docs": "x\n"})
    assert some.setlist_inside("last", "lint", check=True).out == "one\ntwo\n"


def test_without_a_name_those_that_failed(some: ProjectFolder) -> None:
    ends = [
        session("lint", "failed", captured=True),
        session("docs", captured=True),
        session("test-py311", captured=True),
    ]
    cut_off = session("test-py310", captured=True)[:-1]
    names = ("lint", "docs", "test-py311", "test-py310")
    ran(some, *ends, cut_off, exit_code=1, logs={name: f"of {name}\n" for name in names})
    assert some.setlist_inside("last", check=True).out == "lint\nof lint\n\ntest-py310\nof test-py310\n"


def test_without_a_name_and_a_failure_the_one_that_ended_last(some: ProjectFolder) -> None:
    skipped = session("test-py310", "skipped", started=False)
    logs: dict[str, str | bytes] = {name: f"of {name}\n" for name in ("lint", "docs", "test-py310")}
    ran(some, session("lint", captured=True), session("docs", captured=True), skipped, logs=logs)
    # a run that started nothing says nothing
    ran(some, skipped, began=2e9)
    assert some.setlist_inside("last", check=True).out == "of docs\n"


def test_the_path(some: ProjectFolder) -> None:
    ran(some, session("lint", captured=True), logs={"lint": "x\n"})
    out = some.setlist_inside("last", "lint", "--path", check=True).out
    assert out == f"{some.path / STATE_DIRECTORY / 'logs' / 'lint.log'}\n"


def test_own_lines_are_in_the_log_of_a_session_that_has_the_terminal(some: ProjectFolder) -> None:
    ran(some, session("lint"), logs={"lint": "$ ruff check .\n"})
    result = some.setlist_inside("last", "lint", check=True)
    assert result.out == "$ ruff check .\n"
    assert "directly to the terminal" in result.err
    assert "run --output group lint" in result.err


@pytest.fixture
def plain(project: ProjectFolder) -> ProjectFolder:
    """Two sessions that fail in different ways, and one that passes."""
    project.sessions("""
        [tool.setlist.defaults]
        backend = "none"
        [tool.setlist.session.bad]
        run = ["python -c pass", "python -c 'print(1); raise SystemExit(3)'", "python -c pass"]
        [tool.setlist.session.missing]
        run = "no-such-program"
        [tool.setlist.session.good]
        run = "python -c pass"
    """)
    return project


def test_after_a_plain_run_the_summary_is_shown(plain: ProjectFolder) -> None:
    assert plain.run("bad").code == 1
    result = plain.setlist_inside("last", check=True)
    head, *commands, end = result.out.splitlines()
    assert head.startswith("bad  python 3.")
    assert commands == [
        "  $ python -c pass",
        "  $ python -c 'print(1); raise SystemExit(3)'",
        "  ✗ exit code 3",
    ]
    assert end.startswith("bad  failed  ")
    assert end.endswith("python exited with code 3")
    assert result.err == (
        "hint: the output went directly to the terminal; to record it, write: run --output group bad\n"
    )


def test_after_a_plain_run_of_several_those_that_failed_are_shown(plain: ProjectFolder) -> None:
    assert plain.run("good", "missing", "bad").code == 1
    out = plain.setlist_inside("last", check=True).out
    assert "good" not in out
    of_missing, of_bad = out.split("\n\n")
    assert of_missing.startswith("missing\n")
    assert "can't run no-such-program" in of_missing
    assert of_bad.startswith("bad\n")
    assert "✗ exit code 3" in of_bad


def test_after_a_plain_run_that_passed_its_last_session_is_shown(plain: ProjectFolder) -> None:
    plain.run("good", check=True)
    assert "\ngood  ok  " in plain.setlist_inside("last", check=True).out


def test_the_log_of_an_earlier_run_is_not_that_of_the_last(plain: ProjectFolder) -> None:
    assert plain.run("--output", "group", "bad").code == 1
    assert "1\n" in plain.setlist_inside("last", check=True).out
    assert plain.run("bad").code == 1
    assert "\n1\n" not in plain.setlist_inside("last", check=True).out
    result = plain.setlist_inside("last", "--path")
    assert (result.code, result.out) == (1, "")
    assert "it was written directly to the terminal" in result.err


def test_a_run_that_was_killed_has_no_end(some: ProjectFolder) -> None:
    ran(some, session("lint")[:-1])
    assert "its end isn't recorded" in some.setlist_inside("last", check=True).out


def test_nothing_kept(some: ProjectFolder) -> None:
    result = some.setlist_inside("last")
    assert result.code == 2
    assert "no session has run yet" in result.err
    result = some.setlist_inside("last", "lint")
    assert result.code == 1
    assert "it hasn't run yet" in result.err
    ran(some, session("lint", captured=True))
    assert "its log has been removed" in some.setlist_inside("last").err


def test_names(some: ProjectFolder) -> None:
    ran(some, session("gone", captured=True), logs={"gone": "of one that is gone\n"})
    assert some.setlist_inside("last", "gone", check=True).out == "of one that is gone\n"
    for argv, said in (
        (["tset"], "did you mean 'test'"),
        (["test"], "takes one session"),
        (["lint", "docs"], "takes one session"),
        (["../logs/gone"], "no session matches"),
    ):
        result = some.setlist_inside("last", *argv)
        assert result.code == 2
        assert said in result.err


COLOURED = "\x1b[1;31mred\x1b[0m \x1b[2Jclear \x1b]0;title\x07\x1b[32mleft on é"


def test_colours_are_for_terminals(some: ProjectFolder) -> None:
    ran(some, session("lint", captured=True), logs={"lint": COLOURED.encode() + b"\xff"})
    assert some.setlist_inside("last", "lint", check=True).out == "red clear left on é\ufffd\n"
    out = some.setlist_inside("last", "lint", check=True, env={"FORCE_COLOR": "1"}).out
    assert out == "\x1b[1;31mred\x1b[0m clear \x1b[32mleft on é\ufffd\x1b[0m\n"


def test_what_is_cut_between_two_reads_stays_whole(some: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(some, session("lint", captured=True), logs={"lint": COLOURED})
    for size in (1, 2, 3, 5):
        monkeypatch.setattr("setlist.cli.verbs.last._AT_ONCE", size)
        assert some.setlist_inside("last", "lint", check=True).out == "red clear left on é\n"


def test_a_large_log_is_not_held_in_memory(some: ProjectFolder) -> None:
    line = b"\x1b[32m" + b"x" * 1000 + b"\x1b[0m\n"
    size = 16 * 1024 * 1024
    ran(some, session("lint", captured=True), logs={"lint": line * (size // len(line)) + b"end\n"})

    class Sink(io.StringIO):
        written = ""

        def write(self, text: str) -> int:
            self.written = (self.written + text)[-100:]
            return len(text)

    sink = Sink()
    context = Context(Terminal(sink), Terminal(io.StringIO()), Caller({}, some.path, ci=False))
    tracemalloc.start()
    try:
        assert main(["last", "lint"], context) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.written.endswith("end\n")
    assert peak < size / 8
