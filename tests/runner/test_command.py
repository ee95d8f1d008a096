"""What is started, whether it may be, and what is told of it."""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from setlist.core.errors import CommandFailed, CommandRefused, SessionError, SubstitutionError
from setlist.core.events import CommandFinished, CommandStarted, Event, Message, Output
from setlist.core.model import Command, Origin, SessionSpec
from setlist.core.project import Project
from setlist.engine.execute import failure_text, run_command
from setlist.engine.plan import PlannedCommand
from setlist.process.spawn import Completed
from setlist.registry.substitution import Values
from setlist.runner.command import (
    SessionAttempt,
    expand_env,
    find_program,
    plan_command,
    shell_line,
    working_directory,
)
from setlist.runner.output import SessionOutput, Sink

SPEC = SessionSpec(name="lint", family="lint", origin=Origin("pyproject.toml", 7))


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def attempt(tmp_path: Path, told: list[Event]) -> SessionAttempt:
    """A session with an environment that holds ``tool`` and nothing else."""
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    (programs / "tool").write_text("#!/bin/sh\necho tool $A $#\n")
    (programs / "tool").chmod(0o755)
    (programs / "not-executable").write_text("")
    values = Values(
        session="lint",
        python="3.11",
        project=str(tmp_path),
        envdir=str(tmp_path / "env"),
        tmp=str(tmp_path / "tmp"),
        posargs=("-x", "a b"),
        environ={"HOME": "/home/me"},
        axes={"django": "4.0"},
    )
    return SessionAttempt(
        project=Project(tmp_path),
        session=SPEC,
        bin=(programs,),
        environ=dict(os.environ),
        values=values,
        cwd=tmp_path,
        output=SessionOutput(Sink(told.append), SPEC),
    )


def python_command(*code: str, **options: Any) -> PlannedCommand:
    words = (sys.executable, "-c", *code)
    return PlannedCommand(words=words, argv=words, environ=dict(os.environ), cwd=Path.cwd(), **options)


# --- what it comes to -----------------------------------------------------------------------------


def test_words_are_expanded_and_the_program_is_the_environments(attempt: SessionAttempt) -> None:
    found = plan_command(Command(words=("tool", "{posargs}", "{session}-{django}", "{{}}")), attempt)
    assert found.words == ("tool", "-x", "a b", "lint-4.0", "{}")
    assert found.argv == (str(attempt.bin[0] / "tool"), *found.words[1:])
    assert found.environ == attempt.environ
    assert found.cwd == attempt.cwd


def test_a_commands_env_is_expanded_and_seen_by_its_words(attempt: SessionAttempt) -> None:
    command = Command(words=("tool", "{env:B}"), env=(("A", "{session}"), ("B", "{env:A}/{env:HOME}")))
    found = plan_command(command, attempt)
    assert (found.environ["A"], found.environ["B"]) == ("lint", "lint//home/me")
    assert found.words == ("tool", "lint//home/me")


def test_a_variable_that_isnt_set_is_refused(attempt: SessionAttempt) -> None:
    with pytest.raises(SubstitutionError, match="NOPE"):
        plan_command(Command(words=("tool", "{env:NOPE}")), attempt)


def test_a_directory_is_relative_to_the_sessions_and_the_output_to_it(attempt: SessionAttempt, tmp_path: Path) -> None:
    (tmp_path / "docs" / "api").mkdir(parents=True)
    there = replace(attempt, cwd=tmp_path / "docs")
    found = plan_command(Command(words=("tool",), cwd="api", stdout="../{session}.txt"), there)
    assert found.cwd == tmp_path / "docs" / "api"
    assert found.stdout is not None
    assert os.path.normpath(found.stdout) == str(tmp_path / "docs" / "lint.txt")
    assert plan_command(Command(words=("tool",)), there).cwd == tmp_path / "docs"


def test_a_directory_that_isnt_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    project = Project(tmp_path)
    with pytest.raises(SessionError, match="the directory gone doesn't exist"):
        working_directory("gone", tmp_path, project)
    with pytest.raises(SessionError, match="the directory file isn't a directory"):
        working_directory("file", tmp_path, project)
    assert working_directory("..", tmp_path / "x", project) == tmp_path
    assert working_directory(None, tmp_path, project) == tmp_path


def test_a_command_that_is_empty_after_substitution_is_refused(attempt: SessionAttempt) -> None:
    bare = replace(attempt, values=replace(attempt.values, posargs=()))
    with pytest.raises(CommandRefused, match="empty after substitution"):
        plan_command(Command(words=("{posargs}",)), bare)


def test_a_shell_gets_the_whole_line_and_nothing_is_checked(attempt: SessionAttempt) -> None:
    found = plan_command(Command(words=("nothing-like-it | {posargs}",), shell=True), attempt)
    assert found.words == ("nothing-like-it | -x 'a b'",)
    assert found.argv == shell_line(found.words[0], attempt.environ)


def test_each_platform_has_its_shell() -> None:
    assert shell_line("a && b", {}, windows=False) == ("/bin/sh", "-c", "a && b")
    assert shell_line('a "b c"', {"COMSPEC": "C:\\cmd.exe"}, windows=True) == 'C:\\cmd.exe /d /s /c "a "b c""'
    assert shell_line("a", {}, windows=True) == 'cmd.exe /d /s /c "a"'


def test_env_tables_see_what_stands_before(attempt: SessionAttempt) -> None:
    assert expand_env((("A", "1"), ("B", "{env:A}2"), ("C", "{env:B}3")), attempt.values) == {
        "A": "1",
        "B": "12",
        "C": "123",
    }
    assert expand_env((), attempt.values) == {}


# --- whether it may be run ------------------------------------------------------------------------


def refused(attempt: SessionAttempt, program: str) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        find_program((program,), attempt.session, attempt.bin, attempt.cwd, attempt.environ)
    return caught.value


def test_what_isnt_in_the_environment_is_refused_with_a_hint(attempt: SessionAttempt) -> None:
    error = refused(attempt, "git")
    assert str(error) == "'git' isn't in the environment of lint"
    assert error.hint is not None
    assert 'external = ["git"]' in error.hint
    assert "deps" in error.hint


def test_a_near_miss_is_suggested(attempt: SessionAttempt) -> None:
    assert "did you mean 'tool'?" in (refused(attempt, "toool").hint or "")


def test_a_whole_line_as_one_word_is_explained(attempt: SessionAttempt) -> None:
    assert "'tool', '-x'" in (refused(attempt, "tool -x").hint or "")
    assert "no shell reads it: run each command by itself" in (refused(attempt, "tool -x && other").hint or "")


def test_an_environment_that_cant_be_listed_suggests_nothing(attempt: SessionAttempt, tmp_path: Path) -> None:
    assert "did you mean" not in (refused(replace(attempt, bin=(tmp_path / "gone",)), "tool").hint or "")


def test_a_file_that_isnt_executable_isnt_a_program(attempt: SessionAttempt) -> None:
    refused(attempt, "not-executable")


@pytest.mark.parametrize("pattern", ["git", "g*", "*"])
def test_external_names_and_globs_allow_it(attempt: SessionAttempt, pattern: str) -> None:
    allowed = replace(attempt, session=replace(SPEC, external=("make", pattern)))
    assert find_program(("git",), allowed.session, allowed.bin, attempt.cwd, attempt.environ, windows=False) == "git"


def test_one_call_may_allow_it(attempt: SessionAttempt) -> None:
    assert (
        find_program(("git",), attempt.session, attempt.bin, attempt.cwd, attempt.environ, external=True, windows=False)
        == "git"
    )


def test_without_an_environment_nothing_is_checked(attempt: SessionAttempt) -> None:
    assert find_program(("git",), attempt.session, (), attempt.cwd, {}, windows=False) == "git"


def test_a_path_is_taken_as_it_is(attempt: SessionAttempt) -> None:
    assert find_program(("./x",), attempt.session, attempt.bin, attempt.cwd, {}, windows=False) == "./x"
    assert find_program(("/bin/sh",), attempt.session, attempt.bin, attempt.cwd, {}, windows=False) == "/bin/sh"


def test_on_windows_endings_are_tried_and_paths_are_the_childs(attempt: SessionAttempt, tmp_path: Path) -> None:
    programs = attempt.bin[0]
    for name in ("ruff.exe", "build.bat", "odd.zig"):
        (programs / name).write_text("")
    environ = {"PATHEXT": ".EXE;.BAT", "PATH": ""}

    def found(program: str) -> str:
        return find_program((program,), attempt.session, attempt.bin, tmp_path, environ, windows=True)

    assert found("ruff") == str(programs / "ruff.exe")
    assert found("ruff.exe") == str(programs / "ruff.exe")
    assert found("build") == str(programs / "build.bat")
    assert found("./x.cmd") == str(tmp_path / "x.cmd")
    with pytest.raises(CommandRefused):
        found("odd")
    with pytest.raises(CommandRefused):
        found("odd.zig")


def test_on_windows_a_program_from_outside_is_looked_for_on_the_childs_path(
    attempt: SessionAttempt, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "git").write_text("")
    (outside / "git").chmod(stat.S_IRWXU)
    environ = {"Path": str(outside)}
    assert find_program(("git",), attempt.session, attempt.bin, tmp_path, environ, external=True, windows=True) == str(
        outside / "git"
    )
    assert (
        find_program(("gone",), attempt.session, attempt.bin, tmp_path, environ, external=True, windows=True) == "gone"
    )


# --- how it goes ----------------------------------------------------------------------------------


def test_a_command_is_told_before_and_after(attempt: SessionAttempt, told: list[Event]) -> None:
    ok, completed = run_command(python_command("pass"), attempt)
    assert ok
    assert completed.code == 0
    started, finished = told
    assert isinstance(started, CommandStarted)
    assert isinstance(finished, CommandFinished)
    assert (started.command, finished.command, finished.ok) == (python_command("pass").words,) * 2 + (True,)
    assert abs(started.time - time.time()) < 60


def test_a_failing_command_raises_with_its_code(attempt: SessionAttempt, told: list[Event]) -> None:
    with pytest.raises(CommandFailed, match="exited with code 3") as caught:
        run_command(python_command("raise SystemExit(3)"), attempt)
    assert caught.value.code == 3
    finished = told[-1]
    assert isinstance(finished, CommandFinished)
    assert (finished.code, finished.ok) == (3, False)


def test_other_codes_may_be_fine(attempt: SessionAttempt) -> None:
    assert run_command(python_command("raise SystemExit(3)", ok_codes=(0, 3)), attempt)[0]
    with pytest.raises(CommandFailed):
        run_command(python_command("pass", ok_codes=(3,)), attempt)


def test_an_allowed_failure_goes_on_with_a_warning(attempt: SessionAttempt, told: list[Event]) -> None:
    ok, _ = run_command(python_command("raise SystemExit(3)", allow_failure=True), attempt)
    assert not ok
    warning = told[-1]
    assert isinstance(warning, Message)
    assert warning.level == "warning"
    assert warning.text.endswith("exited with code 3, which is allowed")


def test_what_is_collected_is_told_only_when_it_fails(attempt: SessionAttempt, told: list[Event]) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); "
    _, completed = run_command(python_command(code), attempt, capture=True)
    assert completed.stdout.split() == [b"out"]
    assert not [event for event in told if isinstance(event, Output)]
    with pytest.raises(CommandFailed):
        run_command(python_command(code + "sys.exit(1)"), attempt, capture=True)
    outputs = [event for event in told if isinstance(event, Output)]
    assert [(event.stream, event.data.strip()) for event in outputs] == [("stdout", "out"), ("stderr", "err")]


def test_its_own_time_is_up(attempt: SessionAttempt, told: list[Event]) -> None:
    with pytest.raises(CommandFailed, match="timed out after") as caught:
        run_command(python_command("import time; time.sleep(60)"), attempt, timeout=0.2)
    assert caught.value.code is None
    finished = told[-1]
    assert isinstance(finished, CommandFinished)
    assert finished.timed_out


def test_the_sessions_time_is_what_is_left_for_each_command(attempt: SessionAttempt, told: list[Event]) -> None:
    short = replace(attempt, session=replace(SPEC, timeout=0.3), deadline=time.monotonic() + 0.3)
    with pytest.raises(CommandFailed, match="timed out after"):
        run_command(python_command("import time; time.sleep(60)"), short, timeout=60)
    told.clear()
    with pytest.raises(CommandFailed, match=r"the timeout of 0\.3s is over"):
        run_command(python_command("pass"), short)
    assert told == []


@pytest.mark.parametrize(
    ("words", "completed", "message"),
    [
        (("pytest", "-x"), Completed(2, b"", b"", False, 1), "pytest exited with code 2"),
        (("pytest",), Completed(-11, b"", b"", False, 1), "pytest was killed by SIGSEGV"),
        (("pytest",), Completed(-300, b"", b"", False, 1), "pytest was killed by signal 300"),
        (("pytest",), Completed(-15, b"", b"", True, 2.04), "pytest timed out after 2.0s"),
        (("a\nb",), Completed(1, b"", b"", False, 1), "a exited with code 1"),
        (("x" * 70,), Completed(1, b"", b"", False, 1), "x" * 59 + "… exited with code 1"),
    ],
)
def test_a_failure_in_one_line(words: tuple[str, ...], completed: Completed, message: str) -> None:
    assert failure_text(words, completed) == message
