"""What ``run`` does where its command line says nothing: variables, and then the project's settings."""

from __future__ import annotations

from typing import Any

import pytest

from setlist.cli.options import parse
from setlist.cli.run import OPTIONS
from setlist.cli.run_defaults import variable_of, variables_of, with_settings, with_variables
from setlist.core.errors import UsageError
from setlist.core.model import Settings
from support.project import ProjectFolder

SESSIONS = """
    [tool.setlist.defaults]
    backend = "none"
    [tool.setlist.session.bad]
    run = ["python -c 'import sys; sys.exit(3)'"]
    [tool.setlist.session.good]
    run = ["python -c 'print(1)'"]
"""


def chosen(*argv: str, settings: Settings | None = None, **environ: str) -> dict[str, Any]:
    """The options that such a command line has in the end."""
    arguments = with_variables(parse(argv, OPTIONS, command="run"), OPTIONS, environ)
    arguments = with_settings(arguments, settings or Settings())
    return {name: values for name, values in arguments.given.items() if values}


def test_the_command_line_comes_before_a_variable_and_that_before_the_file() -> None:
    settings = Settings(jobs="2", output="group")
    assert chosen(settings=settings) == {"jobs": ("2",), "output": ("group",)}
    assert chosen(settings=settings, SETLIST_JOBS="3") == {"jobs": ("3",), "output": ("group",)}
    assert chosen("-j4", settings=settings, SETLIST_JOBS="3") == {"jobs": ("4",), "output": ("group",)}
    assert chosen(settings=settings, SETLIST_JOBS="") == {"jobs": ("2",), "output": ("group",)}


@pytest.mark.parametrize("text", ["0", "no", "False", "off"])
def test_a_variable_turns_off_what_the_file_turns_on(text: str) -> None:
    settings = Settings(fail_fast=True)
    assert chosen(settings=settings) == {"fail-fast": ("",)}
    assert chosen(settings=settings, SETLIST_FAIL_FAST=text) == {}
    assert chosen("-x", settings=settings, SETLIST_FAIL_FAST=text) == {"fail-fast": ("",)}


def test_what_excludes_each_other_is_decided_by_the_stronger_source() -> None:
    assert chosen("--no-lock", SETLIST_LOCKED="1") == {"no-lock": ("",)}
    assert chosen("--output=direct", settings=Settings(jobs="auto")) == {"output": ("direct",)}
    assert chosen("-j2", SETLIST_OUTPUT="direct") == {"jobs": ("2",)}
    assert chosen("-j1", SETLIST_OUTPUT="direct") == {"jobs": ("1",), "output": ("direct",)}


def test_a_flag_is_on_or_off() -> None:
    with pytest.raises(UsageError, match="SETLIST_OFFLINE is 'maybe'"):
        chosen(SETLIST_OFFLINE="maybe")


def test_a_variable_is_named_after_its_option() -> None:
    assert [variable_of(option) for option in OPTIONS if option.name == "find-links"] == ["SETLIST_FIND_LINKS"]
    assert {"SETLIST_JOBS", "SETLIST_OUTPUT"} <= set(variables_of(OPTIONS))
    assert "SETLIST_PREPARE" not in variables_of(OPTIONS)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SETLIST_JOBS", "many", "SETLIST_JOBS many: not a number of sessions"),
        ("SETLIST_OUTPUT", "boards", "SETLIST_OUTPUT: there is no 'boards'"),
        ("SETLIST_FIND_LINKS", "nowhere", "SETLIST_FIND_LINKS: nowhere is not a directory"),
    ],
)
def test_a_mistake_names_its_variable(project: ProjectFolder, variable: str, value: str, said: str) -> None:
    project.sessions(SESSIONS)
    result = project.run_inside("good", env={variable: value})
    assert result.code == 2
    assert said in result.err


def test_the_projects_settings_are_those_of_a_run(project: ProjectFolder) -> None:
    project.sessions(SESSIONS.replace("[tool.setlist.defaults]", "[tool.setlist]\njobs = 2\n[tool.setlist.defaults]"))
    assert project.run_inside().code == 1
    started = project.history()[0]
    assert started["jobs"] == 2
    assert project.run_inside("-j1").code == 1
    assert project.run_inside("--output", "direct").code == 1


def test_fail_fast_of_the_project_stops_a_run(project: ProjectFolder) -> None:
    project.sessions(
        SESSIONS.replace("[tool.setlist.defaults]", "[tool.setlist]\nfail-fast = true\n[tool.setlist.defaults]")
    )
    result = project.run_inside()
    assert "good  not run" in result.err
    assert "good  ok" in project.run_inside(env={"SETLIST_FAIL_FAST": "0"}).err


@pytest.mark.parametrize("value", ['"many"', "0", "-1", '"2"', "true"])
def test_jobs_of_the_project_is_a_number_or_auto(project: ProjectFolder, value: str) -> None:
    project.sessions(f"[tool.setlist]\njobs = {value}\n[tool.setlist.session.a]\nrun = []")
    result = project.run_inside("a")
    assert result.code == 2
    assert "tool.setlist.jobs" in result.err
