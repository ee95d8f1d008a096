"""A session's log: every byte, and setlist's lines on lines of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist import STATE_DIRECTORY
from setlist.core.project import Project
from setlist.reports.logs import Logs
from support.told import began, done, ended, ready, run, typed, wrote


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_log_holds_what_a_verbose_console_would_say(project: Project) -> None:
    logs = Logs(project)
    for event in run("lint")(
        began("lint"),
        ready("lint", reasons=("deps changed",), action="synced"),
        typed("lint", "ruff", "check", "."),
        wrote("lint", "one\n"),
        wrote("lint", "two", "stderr"),
        done("lint", 1),
        ended("lint", "failed", "ruff: exit code 1"),
    ):
        logs(event)
    assert project.log("lint").read_text(encoding="utf-8") == (
        "lint  python 3.11.7 · synced (deps changed) [0.0s]\n"
        "  $ ruff check .\n"
        "one\n"
        "two\n"
        "  ✗ exit code 1\n"
        "lint  failed  0.4s  ruff: exit code 1\n"
    )
    assert logs.named("lint") == f"{STATE_DIRECTORY}/logs/lint.log"


@given(pieces=st.lists(st.binary(max_size=20), max_size=6))
def test_every_byte_is_in_it(pieces: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    import codecs

    project = Project(tmp_path_factory.getbasetemp() / "bytes")
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    texts = [decoder.decode(piece) for piece in pieces] + [decoder.decode(b"", final=True)]
    logs = Logs(project)
    for event in run("x")(began("x"), *(wrote("x", text) for text in texts), ended("x")):
        logs(event)
    written = b"".join(pieces)
    separator = b"" if not written or project.log("x").read_bytes() == written + b"x  ok  0.4s\n" else b"\n"
    assert project.log("x").read_bytes() == written + separator + b"x  ok  0.4s\n"


def test_it_is_complete_before_the_end_of_its_session_is_told_on(project: Project) -> None:
    logs = Logs(project)
    *events, _ = run("x")(began("x"), wrote("x", "out\n"), ended("x"))
    for event in events:
        logs(event)
    assert project.log("x").read_text() == "out\nx  ok  0.4s\n"


def test_what_came_is_there_while_the_session_still_runs(project: Project) -> None:
    logs = Logs(project)
    for event in run("x")(began("x"), wrote("x", "half a li"))[:-1]:
        logs(event)
    assert project.log("x").read_text() == "half a li"


def test_one_that_isnt_captured_says_where_its_output_went(project: Project) -> None:
    logs = Logs(project)
    for event in run("repl")(began("repl", captured=False), ready("repl"), typed("repl", "python"), ended("repl")):
        logs(event)
    assert "went straight to the terminal" in project.log("repl").read_text(encoding="utf-8")
    assert logs.named("repl") is None


def test_a_session_that_never_began_leaves_the_old_log_alone(project: Project) -> None:
    project.logs.mkdir(parents=True)
    project.log("x").write_text("old")
    logs = Logs(project)
    for event in run("x")(ended("x", "not-run", "an earlier one failed")):
        logs(event)
    assert project.log("x").read_text() == "old"
    assert logs.named("x") is None


@pytest.mark.skipif(sys.platform == "win32", reason="there the second one gets no log")
def test_a_second_run_beside_us_has_a_log_of_its_own(project: Project) -> None:
    first, second = Logs(project), Logs(project)
    events = run("x")(began("x"), wrote("x", "mine\n"), ended("x"))
    for event in events[:2]:
        first(event)
    for event in events:
        second(event)
    with project.log("x").open("rb") as kept:
        for event in events[2:]:
            first(event)
        assert kept.read() == b"mine\nx  ok  0.4s\n"
    assert os.listdir(project.logs) == ["x.log"]


def test_a_directory_that_cant_be_written_doesnt_stop_the_run(project: Project) -> None:
    project.state.mkdir(parents=True)
    project.logs.write_text("a file")
    logs = Logs(project)
    for event in run("x")(began("x"), wrote("x", "out\n"), ended("x")):
        logs(event)
    assert logs.named("x") is None


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_doesnt_stop_the_run_and_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setlist.reports.logs.open_replacing", lambda path: Path("/dev/full").open("wb"))  # noqa: SIM115
    logs = Logs(project)
    for event in run("x")(began("x"), wrote("x", "out\n"), wrote("x", "more\n"), ended("x")):
        logs(event)
    assert logs.named("x") == f"{STATE_DIRECTORY}/logs/x.log (incomplete: No space left on device)"
