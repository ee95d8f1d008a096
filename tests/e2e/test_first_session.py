"""A person's first minutes: init, list, run, look around, change something, run again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from support.project import ProjectFolder

LINT = """
    [tool.setlist.session.lint]
    deps = ["tool"]
    run = ["tool {posargs:nothing}"]
"""


def test_init_then_list_then_run(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write("pyproject.toml", '[dependency-groups]\nlint = ["ruff"]\n')
    assert "added [tool.setlist] to" in project.setlist("init", check=True).out
    listed = project.run("--list", check=True)
    assert "lint" in listed.out
    again = project.setlist("init")
    assert again.code == 2
    assert "[tool.setlist] exists already" in again.err


def test_a_session_is_made_then_reused_then_synced(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(LINT)
    first = project.run("lint", check=True)
    assert re.search(r"^lint  python 3\.\d+\.\d+ · created: 1 package$", first.err, re.MULTILINE), first
    assert "  $ tool nothing\n" in first.err
    assert re.search(r"^lint  ok  \d+\.\ds$", first.err, re.MULTILINE)
    second = project.run("lint", "--", "a b", check=True)
    assert re.search(r"^lint  python 3\.\d+\.\d+ · reused$", second.err, re.MULTILINE)
    assert "  $ tool 'a b'\n" in second.err
    project.sessions(LINT.replace('"tool"', '"tool", "gamma"'))
    third = project.run("lint", check=True)
    assert re.search(r"· synced: \+ gamma \S+$", third.err, re.MULTILINE)
    assert "gamma" in project.installed("lint")


def test_a_bare_setlist_shows_the_way(project: ProjectFolder) -> None:
    result = project.setlist()
    assert "usage: setlist VERB" in result.out
    assert "Traceback" not in result.err


def test_python_dash_m_is_setlist(project: ProjectFolder) -> None:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "setlist", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("setlist ")


def test_one_failing_command_ends_the_session_and_the_run_says_1(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.bad]
        run = ["python -c 'import sys; sys.exit(7)'", "python -c 'print(42)'"]
        [tool.setlist.session.dependent]
        requires = ["bad"]
        [tool.setlist.session.good]
        run = ["python -c 'print(43)'"]
    """)
    result = project.run("dependent", "good")
    assert result.code == 1
    assert "✗ exit code 7" in result.err
    assert "42" not in result.out
    assert "43" in result.out
    summary = result.err.splitlines()[-3:]
    assert [line.split()[:2] for line in summary] == [["dependent", "skipped"], ["good", "ok"], ["bad", "failed"]]
    assert "requires bad" in summary[0]


def test_a_missing_interpreter_is_a_visible_skip_and_an_error_in_ci(project: ProjectFolder) -> None:
    project.sessions('[tool.setlist.session.old]\npython = "3.1"\n[tool.setlist.session.new]\n')
    result = project.run()
    assert result.code == 0
    assert re.search(r"^old  skipped  python 3\.1 not found \(looked ", result.err, re.MULTILINE)
    assert project.run(env={"CI": "1"}).code == 4


def test_the_words_of_setlist_and_of_commands_come_in_order(project: ProjectFolder) -> None:
    """Through one pipe, as in a CI log."""
    import subprocess

    from support.project import installed

    project.sessions("""
        [tool.setlist.defaults]
        backend = "none"
        [tool.setlist.session.one]
        run = ["python -c 'print(111)'", "python -c 'print(222)'"]
    """)
    done = subprocess.run(
        [*installed("run")], cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    assert [line.strip() for line in done.stdout.splitlines()[1:-1]] == [
        "$ python -c 'print(111)'",
        "111",
        "$ python -c 'print(222)'",
        "222",
    ]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_frozen_requirements_make_the_same_environment_with_plain_pip(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path
) -> None:
    import subprocess
    import sys

    project.sessions('[tool.setlist.session.lint]\ndeps = ["alpha", "gamma[fast]"]\n')
    project.run("lint", check=True)
    project.setlist("freeze", "lint", "-o", str(tmp_path / "frozen"), check=True)
    elsewhere = tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", str(elsewhere)], check=True)
    pip = [str(elsewhere / "bin" / "python"), "-m", "pip"]
    subprocess.run([*pip, "install", "-q", "-r", str(tmp_path / "frozen" / "lint.txt")], check=True)
    frozen = subprocess.run([*pip, "freeze"], capture_output=True, text=True, check=True).stdout.split()
    assert dict(line.split("==") for line in frozen) == project.installed("lint")


def test_a_failed_command_is_said_to_have_got_a_pattern_as_it_is(project: ProjectFolder) -> None:
    project.write("data/a.txt", "")
    project.sessions("""
        [tool.setlist.defaults]
        backend = "none"
        [tool.setlist.session.pattern]
        run = "python -c 'raise SystemExit(1)' data/*.txt"
        [tool.setlist.session.option]
        run = "python -c 'raise SystemExit(1)' --include data/*.txt --exclude=data/* nothing/*"
        [tool.setlist.session.expanded]
        run = [{ cmd = "python -c 'raise SystemExit(1)' data/*.txt", shell = true }]
        [tool.setlist.session.passed]
        run = "python -c pass data/*.txt"
    """)
    said = "'data/*.txt' was passed as it is: only a shell expands it (shell = true)"
    assert f"  ✗ exit code 1\n  {said}\n" in project.run("pattern").err
    for name in ("option", "expanded", "passed"):
        assert "only a shell" not in project.run(name).err


def test_methods_of_other_tools_are_answered_with_ours(project: ProjectFolder) -> None:
    project.write(
        "sessions/a.py",
        """
        from setlist import session

        @session(backend="none")
        def method(s):
            s.chdir("docs")

        @session(backend="none")
        def argument(s):
            s.run("python", "-V", success_codes=[0])
        """,
    )
    err = project.run("method", "argument").err
    assert "no attribute 'chdir'; write s.cd(…)" in err
    assert "unexpected keyword argument 'success_codes'; write ok_codes=(0, …)" in err
