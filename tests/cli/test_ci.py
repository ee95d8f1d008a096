"""``setlist ci matrix``: the jobs of a CI, made from the registry; and the shards that agree with it."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from setlist.cli.context import Context
from setlist.cli.selection import sharded, shared_durations
from setlist.cli.verbs.ci import GITHUB_LIMIT, for_setup_python, version_for
from setlist.core.errors import UsageError
from setlist.core.project import Caller, Project
from setlist.reports.terminal import Terminal
from setlist.scheduling.durations import read_durations, write_durations
from support.project import ProjectFolder, Result

SESSIONS = """
    [tool.setlist.session.lint]
    python = ">=3.11"
    tags = ["quick"]
    run = "true"
    [tool.setlist.session.test]
    python = ["3.10", "3.13t", "pypy3.11"]
    run = "true"
    [tool.setlist.session.coverage]
    requires = ["test-py310"]
    python = "3.12"
    run = "true"
    [tool.setlist.session.console]
    interactive = true
    run = "true"
    [tool.setlist.session.native]
    matrix = { os = ["windows-latest", "macos-latest"] }
    python = "3.12"
    default = false
    run = "true"
"""
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def matrix(project: ProjectFolder, *argv: str, **rest: Any) -> Result:
    project.sessions(SESSIONS)
    return project.setlist_inside("ci", "matrix", *argv, **rest)


def included(project: ProjectFolder, *argv: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = matrix(project, "--github", *argv, check=True).json["include"]
    return rows


def context_of(project: ProjectFolder, *, ci: bool) -> tuple[Context, io.StringIO]:
    err = io.StringIO()
    environ: dict[str, str] = {}
    context = Context(Terminal.of(io.StringIO(), environ), Terminal.of(err, environ), Caller(environ, project.path, ci))
    return context, err


def test_github_gets_one_line_with_a_job_for_each_session(project: ProjectFolder) -> None:
    result = matrix(project, "--github", check=True)
    assert result.out.count("\n") == 1
    assert " " not in result.out
    rows = result.json["include"]
    assert [row["session"] for row in rows] == ["lint", "test-py310", "test-py313t", "test-pypy311", "coverage"]
    assert [row["python"] for row in rows] == ["3.11", "3.10", "3.13t", "pypy-3.11", "3.12"]
    assert {row["os"] for row in rows} == {"ubuntu-latest"}


def test_interactive_sessions_are_left_out_and_that_is_said(project: ProjectFolder) -> None:
    result = matrix(project, "--github", check=True)
    assert result.err == "left out, since they need a terminal: console\n"
    alone = matrix(project, "console", "--github")
    assert alone.code == 2
    assert "all selected sessions are interactive: they need a terminal" in alone.err


def test_a_job_needs_the_pythons_of_what_its_session_requires(project: ProjectFolder) -> None:
    (row,) = included(project, "coverage")
    assert row["pythons"] == "3.10\n3.12"


def test_every_session_is_on_each_system(project: ProjectFolder) -> None:
    rows = included(project, "--os", "a,b", "--os=c", "lint", "coverage")
    assert [(row["session"], row["os"]) for row in rows] == [
        (session, os) for session in ("lint", "coverage") for os in ("a", "b", "c")
    ]


def test_a_session_with_an_axis_os_runs_on_its_own_value(project: ProjectFolder) -> None:
    rows = included(project, "native", "--os", "a,b")
    assert {row["session"]: row["os"] for row in rows} == {
        "native-os-windows-latest": "windows-latest",
        "native-os-macos-latest": "macos-latest",
    }


def test_selectors_and_filters_choose_as_they_do_for_run(project: ProjectFolder) -> None:
    assert [row["session"] for row in included(project, "test")] == ["test-py310", "test-py313t", "test-pypy311"]
    assert [row["session"] for row in included(project, "-t", "quick")] == ["lint"]
    assert [row["session"] for row in included(project, "-k", "test and pypy")] == ["test-pypy311"]
    assert [row["session"] for row in included(project, "-p", "3.13t")] == ["test-py313t"]


def test_gitlab_gets_yaml_whose_rows_are_json(project: ProjectFolder) -> None:
    out = matrix(project, "coverage", "lint", "--gitlab", "--os", "linux", check=True).out
    comment, *head, one, other = out.splitlines()
    assert comment.startswith("#")
    assert head == [".setlist:", "  parallel:", "    matrix:"]
    assert json.loads(one.removeprefix("      - ")) == {
        "SESSION": "coverage",
        "PYTHON": "3.12",
        "PYTHONS": "3.10 3.12",
        "RUNS_ON": "linux",
    }
    assert json.loads(other.removeprefix("      - "))["SESSION"] == "lint"


def test_the_plain_json(project: ProjectFolder) -> None:
    assert matrix(project, "test-pypy311", "--json", check=True).json == {
        "format": 1,
        "jobs": [{"session": "test-pypy311", "python": "pypy3.11", "pythons": ["pypy3.11"], "os": None}],
    }


def test_a_person_gets_a_table(project: ProjectFolder) -> None:
    assert matrix(project, "lint", "coverage", check=True).out == (
        "session   python\nlint      3.11\ncoverage  3.10 3.12\n"
    )


def test_a_matrix_of_shards(project: ProjectFolder) -> None:
    rows = included(project, "--shards", "2")
    assert [list(row) for row in rows] == [["shard", "sessions", "pythons", "os"]] * 2
    assert [row["shard"] for row in rows] == ["1/2", "2/2"]
    # coverage requires test-py310
    assert [row["sessions"] for row in rows] == ["test-py310 test-pypy311 coverage", "lint test-py313t"]
    assert sorted(rows[0]["pythons"].split("\n")) == ["3.10", "3.12", "pypy-3.11"]


def test_shards_with_nothing_in_them_are_no_jobs(project: ProjectFolder) -> None:
    assert [row["shard"] for row in included(project, "lint", "test-py310", "--shards", "9")] == ["1/9", "2/9"]


@pytest.mark.parametrize("ci", [True, False])
def test_the_shards_of_the_matrix_are_those_that_run_takes(
    project: ProjectFolder, ci: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", str(ci).lower())
    project.sessions(SESSIONS)
    write_durations(Project(project.path), {"lint": 100, "test-py310": 1, "coverage": 1, "test-pypy311": 30})
    told = {row["shard"]: row["sessions"].split() for row in included(project, "--shards", "3")}
    context, err = context_of(project, ci=ci)
    selected = context.select(())
    assert {s.name for s in selected if s.interactive} == {"console"}
    for shard, names in told.items():
        assert [session.name for session in sharded(context, selected, shard)] == names
    assert told["1/3"] == ["lint"]
    assert "console" in err.getvalue()


def test_an_empty_shard_is_said(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    context, err = context_of(project, ci=True)
    assert sharded(context, context.select(["lint"]), "2/2") == ()
    assert err.getvalue() == "nothing in shard 2 of 2: the sessions can't be split into so many parts\n"


def test_run_takes_its_shard(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    listed = [project.run_inside("--dry-run", "--shard", f"{k}/2", "lint", "coverage", check=True).out for k in (1, 2)]
    assert ["lint" in out for out in listed] == [False, True]
    assert ["coverage" in out for out in listed] == [True, False]
    nothing = project.run_inside("--shard", "2/2", "lint", check=True)
    assert nothing.err.startswith("nothing in shard 2 of 2")
    assert project.run_inside("--shard", "3/2", "lint").code == 2


def test_durations_are_the_committed_ones_and_in_ci_no_others(project: ProjectFolder) -> None:
    project.sessions('[tool.setlist.session.a]\nbackend = "none"\nrun = "python -c 1"\nexternal = ["python"]\n')
    project.run_inside("a", check=True)
    here, _ = context_of(project, ci=False)
    assert list(shared_durations(here)) == ["a"]
    in_ci, _ = context_of(project, ci=True)
    assert shared_durations(in_ci) == {}
    assert project.setlist_inside("history", "--save", check=True).err == "sessions/durations.json: a\n"
    committed = read_durations(here.project)
    assert committed
    assert shared_durations(in_ci) == shared_durations(here) == committed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["ci"], "write: setlist ci matrix"),
        (["ci", "matrx"], "did you mean 'matrix'?"),
        (["ci", "matrix", "--github", "--json"], "--github and --json exclude each other"),
        (["ci", "matrix", "--shards", "0"], "--shards: '0' is not a number of shards"),
        (["ci", "matrix", "--shards", "x"], "--shards: 'x' is not a number of shards"),
        (["ci", "matrix", "nope"], "no session matches 'nope'"),
    ],
)
def test_what_makes_no_sense_is_refused(project: ProjectFolder, argv: list[str], said: str) -> None:
    project.sessions(SESSIONS)
    result = project.setlist_inside(*argv)
    assert result.code == 2
    assert result.out == ""
    assert said in result.err


def test_a_project_without_sessions_has_no_matrix(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist]\n")
    result = project.setlist_inside("ci", "matrix", "--github")
    assert result.code == 2
    assert "no session to run" in result.err


def test_more_jobs_than_github_takes_are_told(project: ProjectFolder) -> None:
    systems = ",".join(f"os{number}" for number in range(GITHUB_LIMIT + 1))
    result = matrix(project, "lint", "--github", "--os", systems, check=True)
    assert "GitHub accepts 256 jobs in a matrix, and this one has 257: reduce it with --shards N" in result.err


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (None, OWN),
        ("./python/bin/python", OWN),
        ("3", "3"),
        ("3.12", "3.12"),
        ("py312", "3.12"),
        ("3.12.4", "3.12.4"),
        ("3.13t", "3.13t"),
        ("pypy3.11", "pypy3.11"),
        (">=3.11", "3.11"),
        (">=3.11,<3.14", "3.11"),
        (">3.11.4", "3.11"),
        ("~=3.12.1", "3.12"),
        ("==3.12.*", "3.12"),
        ("pypy>=3.10", "pypy3.10"),
        (">=3.10t", "3.13t"),
        (">=3.10,!=3.10.*", "3.11"),
        ("<3.9", "3.8"),
        (">=3", OWN),
        (f"!={OWN}.*", f"3.{sys.version_info.minor - 1}"),
    ],
)
def test_the_version_that_a_ci_provides(request_: str | None, version: str) -> None:
    assert version_for(request_) == version


def test_versions_as_setup_python_spells_them() -> None:
    assert list(map(for_setup_python, ("3.12", "3.13t", "pypy3.11"))) == ["3.12", "3.13t", "pypy-3.11"]


def test_a_shard_that_is_none_is_refused(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    context, _ = context_of(project, ci=True)
    with pytest.raises(UsageError):
        sharded(context, context.select(["lint"]), "3/2")
