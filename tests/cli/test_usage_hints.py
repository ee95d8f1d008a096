"""Command lines as nox, tox, pytest, uv, just and make take them: one error with the command line to write."""

from __future__ import annotations

import re

import pytest

from setlist.cli import run
from setlist.cli.options import VERBS
from setlist.cli.usage_hints import NAMING, RUN_OPTIONS, VERB_WORDS
from support.project import ProjectFolder


@pytest.fixture
def matrix(project: ProjectFolder) -> ProjectFolder:
    project.sessions("""
        [tool.setlist.session.lint]
        backend = "none"
        [tool.setlist.session.test]
        python = ["3.10", "3.11"]
        [tool.setlist.session.web]
        python = ["3.11"]
        matrix = { django = ["4.2", "5.0"] }
    """)
    return project


def told(project: ProjectFolder, line: str) -> tuple[str, str]:
    result = project.run_inside(*line.split(" "))
    assert result.code == 2
    message, hint = result.err.splitlines()
    return message.removeprefix("error: "), hint.removeprefix("hint: ")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("-s lint", "run lint"),
        ("-slint", "run lint"),
        ("-s lint test -- -x", "run lint test -- -x"),
        ("-rs lint", "run -r lint"),
        ("-Rs lint", "run lint"),
        ("--session lint", "run lint"),
        ("--sessions=lint,test -x", "run lint test -x"),
        ("-e lint,test", "run lint test"),
        ("-e ALL", "run '*'"),
        ("-x -e lint", "run -x lint"),
        ("--sessions", "run NAME"),
        ("--envlist", "run NAME"),
    ],
)
def test_sessions_are_named_without_an_option(matrix: ProjectFolder, line: str, instead: str) -> None:
    message, hint = told(matrix, line)
    assert message.startswith("unknown option '-")
    assert hint == f"sessions are named without an option: {instead}"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("test --cov=src", "run test -- --cov=src"),
        ("test -s", "run test -- -s"),
        ("test -vvs tests", "run test -- -vvs tests"),
        ("-v test --pdb -x -- --lf", "run -v test -- --pdb -x --lf"),
        ("test tests/unit", "run test -- tests/unit"),
        ("test -x tests/unit", "run test -- -x tests/unit"),
    ],
)
def test_arguments_of_a_command_come_after_two_hyphens(matrix: ProjectFolder, line: str, instead: str) -> None:
    assert told(matrix, line)[1] == f"arguments for the session's commands come after '--': {instead}"


def test_an_option_that_a_command_and_run_can_be_meant_by(matrix: ProjectFolder) -> None:
    _, hint = told(matrix, "test --maxfail=1 tests")
    assert "'--': run test -- --maxfail=1 tests; for run itself, write -x" in hint
    assert told(matrix, "--maxfail=1")[1].startswith("write -x to stop after the first session that fails")
    _, hint = told(matrix, "test -n auto")
    assert "run test -- -n auto; -n shows what would be done; to run several sessions at once, write -j auto" in hint


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("-R lint", "environments are reused by default: leave it out"),
        ("--parallel", "write -j auto"),
        ("--parallel=4", "write -j auto"),
        ("--json", "write 'setlist list --json'"),
        ("-l --json", "write 'setlist list --json'"),
        ("--lf", "write --failed"),
        ("--junitxml=r.xml", "write --report FILE.xml"),
        ("--skip-pkg-install", "it is no option: the session's key 'project' sets it"),
        ("test --recreat", "did you mean '--recreate'?"),
        ("-p auto", "to run several sessions at once, write -j auto"),
        ("-n 4", "to run several sessions at once, write -j 4"),
    ],
)
def test_an_option_of_another_tool(matrix: ProjectFolder, line: str, hint: str) -> None:
    assert hint in told(matrix, line)[1]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ALL", "all sessions: run '*'"),
        ("all -x", "all sessions: run '*' -x"),
        ("lint,test -x", "names are separated by spaces: run lint test -x"),
        ("test-3.11", "did you mean 'test-py311'?"),
        ("test(3.11)", "did you mean 'test-py311'?"),
        ("web(3.11,django='4.2')", "did you mean 'web-py311-django42'?"),
        ("py311-django42", "did you mean 'web-py311-django42'?"),
        ("py311", "write run -p 3.11 for test-py311, web-py311-django42, web-py311-django50"),
        ("3.11", "write run -p 3.11 for test-py311, web-py311-django42, web-py311-django50"),
        ("python3.10", "did you mean 'test-py310'?"),
        ("web-3.11", "write run -k 'web and py311' for web-py311-django42, web-py311-django50"),
        ("tset", "did you mean 'test'?"),
        ("DEBUG=1 lint", "variables are set before the command: DEBUG=1 run lint"),
        ("help", "write 'run --help'"),
        ("version", "write 'run --version'"),
        (
            "tests/test_a.py::test_b",
            "arguments for the session's commands come after '--': run SESSION -- tests/test_a.py::test_b",
        ),
        ("ruff check .", "a command in an environment: setlist exec SESSION -- ruff check ."),
        ("pytest -x", "did you mean 'test'? For a command: setlist exec SESSION -- pytest -x"),
        ("lock", "'run' only runs sessions: write 'setlist lock'"),
    ],
)
def test_a_name_as_another_tool_has_it(matrix: ProjectFolder, line: str, hint: str) -> None:
    message, shown = told(matrix, line)
    assert message == f"no session matches {line.split(' ')[0]!r}"
    assert shown == hint


def test_what_the_hints_write_selects_the_sessions(matrix: ProjectFolder) -> None:
    for line in (["-p", "3.11"], ["-k", "web and py311"], ["*"], ["test-*"]):
        out = matrix.run_inside(*line, "--list", check=True).out
        assert "py311" in out


def test_verbs_name_the_sessions_that_are_meant(matrix: ProjectFolder) -> None:
    assert "did you mean 'test-py311'?" in matrix.setlist_inside("env", "test-3.11").err
    assert "did you mean 'test-py311', 'web-py311-django42', 'web-" in matrix.setlist_inside("env", "py311").err


def test_options_for_another_program_are_passed_on(matrix: ProjectFolder) -> None:
    result = matrix.setlist_inside("nox", "-s", "lint")
    assert result.err.splitlines()[-1] == "hint: what is passed on comes after '--': setlist nox -- -s lint"
    assert "did you mean '--offline'" in matrix.setlist_inside("nox", "--ofline").err


def test_a_session_may_be_called_as_another_tools_word(project: ProjectFolder) -> None:
    names = ("all", "version", "py311")
    project.sessions("\n".join(f'[tool.setlist.session.{name}]\nbackend = "none"' for name in names))
    assert project.run_inside(*names, check=True).code == 0


def test_what_is_written_instead_of_others_options_is_there() -> None:
    ours = {f"--{option.name}" for option in run.OPTIONS} | {f"-{option.short}" for option in run.OPTIONS}
    assert not ours & {*RUN_OPTIONS, *NAMING}
    for hint in RUN_OPTIONS.values():
        text = re.sub(r"'setlist [^']*'|setlist .*", "", hint)
        assert set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", text)) <= ours, hint


def test_what_is_written_instead_of_others_verbs_is_there() -> None:
    assert not set(VERBS) & set(VERB_WORDS)
    for hint in VERB_WORDS.values():
        assert set(re.findall(r"(?<='setlist )\w+", hint)) <= set(VERBS), hint
