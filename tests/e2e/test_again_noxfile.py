"""A run of a noxfile's session that is just like the last one goes by its record, as any other does; or it doesn't."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.again import (
    CHEAP,
    by_record,
    forget,
    plain,
    records,
    remove_environment,
    remove_package,
    remove_program,
    remove_state,
    shape,
    sleeping,
    watched,
)
from support.project import ProjectFolder, installed
from support.variants import sampled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="a warm run is the whole program's there"),
]

HEAD = """
import os
import random
import shutil
import time

import nox

nox.options.default_venv_backend = "uv"
"""

BODY = """
session.install("tool", "-r", "requirements.txt")
session.log("100 %% of %s", session.name)
session.env["FROM_SESSION"] = "100 %s"
session.run("tool", *session.posargs)
with session.chdir("sub"):
    session.run("sh", "-c", "cat ../input; echo err >&2; exit $(cat ../code)", external=True)
session.run("ls", "sub")
session.warn("that was 100 %")
"""


def noxfile(project: ProjectFolder, body: str, *, before: str = "") -> None:
    """A noxfile of one session, ``lint``."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    project.write("noxfile.py", f"{HEAD}\n{textwrap.dedent(before)}\n\n@nox.session\ndef lint(session):\n{lines}\n")


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    """A project whose session has run twice: once to install, and once that can be done again."""
    project.write("pyproject.toml", "[tool.setlist]\ninterrupt-grace = 0.5\nterminate-grace = 0.5\n")
    project.write("requirements.txt", "delta==1.0\n")
    project.write("input", "in\n")
    project.write("code", "0\n")
    project.write("sub/file", "")
    noxfile(project, BODY)
    project.run("lint", check=True)
    assert not records(project), "something was installed"
    project.run("lint", check=True)
    assert records(project)
    return project


def test_it_imports_next_to_nothing(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    watched(lint, "lint")
    seen = watched(lint, "lint")
    assert seen["code"] == 0
    assert set(seen["modules"]) <= CHEAP


@pytest.mark.parametrize("code", ["0", "3", "$(kill -SEGV $$)"])
def test_it_says_and_keeps_what_the_whole_program_does(lint: ProjectFolder, code: str) -> None:
    argv = ("lint", "--", "one", "two words")
    lint.run(*argv, check=True)
    assert len(records(lint)) == 2
    lint.write("code", code)
    again = lint.run(*argv)
    told = lint.history()
    forget(lint)
    whole = lint.run(*argv)
    assert (again.code, again.out, plain(again.err)) == (whole.code, whole.out, plain(whole.err))
    assert again.code == (0 if code == "0" else 1)
    assert "err\n" in again.out, "nox has both streams go to one"
    assert shape(told) == shape(lint.history())


def test_failed_run_leaves_the_record(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    watched(lint, "lint")
    lint.write("code", "3")
    assert by_record(lint, "lint")
    lint.write("code", "0")
    assert by_record(lint, "lint")


def test_commands_see_the_same_variables(lint: ProjectFolder) -> None:
    body = 'session.run("env", env={"A": "100 %s", "GONE": None})\nsession.run("env", include_outer_env=False)'
    noxfile(lint, body, before='os.environ["LOADED"] = "l"')
    environ: dict[str, str | None] = {
        "VIRTUAL_ENV": "/elsewhere", "KEPT": "ä", "GONE": "g", "NOX_CURRENT_SESSION": "outer"
    }  # fmt: skip
    forget(lint)
    lint.run("lint", check=True, env=environ)
    lint.run("lint", check=True, env=environ)
    assert records(lint)
    again = lint.run("lint", check=True, env=environ).out.splitlines()
    forget(lint)
    whole = lint.run("lint", check=True, env=environ).out.splitlines()

    def named(lines: list[str]) -> list[str]:
        # marks of processes, and what is another at each start
        return sorted(line for line in lines if not line.startswith(("SETLIST_PROCESS=", "_=", "SHLVL=", "OLDPWD=")))

    assert named(again) == named(whole)
    assert {"KEPT=ä", "A=100 %s", "LOADED=l", "NOX_CURRENT_SESSION=lint"} <= set(again)
    assert not any("GONE" in line or "/elsewhere" in line for line in again)


def touch_noxfile(project: ProjectFolder) -> None:
    project.write("noxfile.py", project.read("noxfile.py") + "\n# a note\n")


def change_function(project: ProjectFolder) -> None:
    project.write("noxfile.py", project.read("noxfile.py").replace('"ls", "sub"', '"ls", "."'))


def touch_requirements(project: ProjectFolder) -> None:
    project.write("requirements.txt", "delta==1.0\n# a note\n")


def change_requirements(project: ProjectFolder) -> None:
    project.write("requirements.txt", "delta==2.0\n")


def add_session_file(project: ProjectFolder) -> None:
    project.write("sessions/_more.toml", "")


def write_pyproject(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.setlist]\nsources = ["noxfile"]\n')


def replace_interpreter(project: ProjectFolder) -> None:
    python = project.python("lint")
    copy = project.path / "other-python"
    shutil.copy2(os.path.realpath(python), copy)
    python.unlink()
    python.symlink_to(copy)


CHANGES: list[Callable[[ProjectFolder], None]] = [
    touch_noxfile,
    change_function,
    touch_requirements,
    change_requirements,
    add_session_file,
    write_pyproject,
    remove_package,
    remove_program,
    replace_interpreter,
    remove_state,
    remove_environment,
]


@pytest.mark.parametrize("change", sampled(CHANGES, 4), ids=lambda change: change.__name__)
def test_whatever_changed_is_the_whole_programs(lint: ProjectFolder, change: Callable[[ProjectFolder], None]) -> None:
    for _ in range(2):
        watched(lint, "lint")
    assert by_record(lint, "lint")
    change(lint)
    seen = watched(lint, "lint")
    assert "setlist.cli.run" in seen["modules"]
    assert seen["code"] == 0
    assert {"tool", "delta"} <= lint.installed("lint").keys()
    assert lint.installed("lint")["delta"] == ("2.0" if change is change_requirements else "1.0")
    watched(lint, "lint")
    assert by_record(lint, "lint")


def test_other_words_other_variables_another_place_are_other_runs(lint: ProjectFolder) -> None:
    for _ in range(2):
        watched(lint, "lint")
    assert by_record(lint, "lint", SHLVL="7")
    assert not by_record(lint, "lint", "--", "x")
    assert not by_record(lint, "lint", OTHER="1")
    assert not by_record(lint, "-v", "lint")
    assert not by_record(lint, "lint", NOX_DEFAULT_VENV_BACKEND="virtualenv")


def test_program_that_comes_to_lie_before_the_one_that_was_found(lint: ProjectFolder, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    path = f"{first}{os.pathsep}{os.environ['PATH']}"
    for _ in range(2):
        watched(lint, "lint", PATH=path)
    assert by_record(lint, "lint", PATH=path)
    program = first / "ls"
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert "mine" in lint.run("lint", check=True, env={"PATH": path}).out


def test_a_lock_that_comes_is_seen(lint: ProjectFolder) -> None:
    noxfile(lint, 'session.install("tool")\nsession.run("tool")')
    for _ in range(3):
        watched(lint, "lint")
    assert by_record(lint, "lint")
    lint.setlist("lock", "lint", check=True)
    assert not by_record(lint, "lint")


NOT_REPEATED = {
    "time": 'session.run("tool", str(time.time()))',
    "random": 'session.run("tool", str(random.random()))',
    "what else it does": 'shutil.rmtree("build", ignore_errors=True)\nsession.run("tool")',
    "a temporary directory": 'session.create_tmp()\nsession.run("tool")',
    "output used": 'session.run("tool", session.run("tool", silent=True))',
    "another exit code": 'session.run("sh", "-c", "exit 3", success_codes=[3], external=True)',
    "an install after a command": 'session.run("python", "--version")\nsession.install("alpha==1.0")',
    "an install by a command": 'session.run("uv", "pip", "install", "alpha==1.0")',
    "a session after it": 'session.run("tool")\nsession.notify("other")',
    "nothing run": 'session.log("nothing")',
}


@pytest.mark.parametrize("body", sampled(NOT_REPEATED.values(), 4), ids=NOT_REPEATED)
def test_what_has_to_be_seen_each_time_leaves_no_record(lint: ProjectFolder, body: str) -> None:
    forget(lint)
    noxfile(lint, f'session.install("tool")\n{body}', before="@nox.session\ndef other(session):\n    pass\n")
    for _ in range(3):
        lint.run("lint", check=True)
    assert not records(lint)


NOT_BY_ITS_NOXFILE = {
    "a time when it is loaded": "STARTED = time.time()",
    "a package": "import virtualenv",
    "a program when it is loaded": "os.system('true')",
    "a requirement": "@nox.session(name='first')\ndef other(session):\n    pass",
    "a warning": "@nox.session\ndef lint(session):\n    pass",
}


@pytest.mark.parametrize("before", sampled(NOT_BY_ITS_NOXFILE.values(), 4), ids=NOT_BY_ITS_NOXFILE)
def test_noxfile_that_does_more_leaves_no_record(lint: ProjectFolder, before: str) -> None:
    forget(lint)
    noxfile(lint, 'session.install("tool")\nsession.run("tool")', before=before)
    text = lint.read("noxfile.py")
    if "first" in before:
        lint.write("noxfile.py", text.replace("@nox.session\ndef lint", '@nox.session(requires=["first"])\ndef lint'))
    for _ in range(3):
        lint.run("lint", check=True)
    assert not records(lint)


def test_backend_none_leaves_no_record(lint: ProjectFolder) -> None:
    forget(lint)
    lint.write("noxfile.py", HEAD + "\n@nox.session(python=False)\ndef lint(session):\n    session.run('ls')\n")
    for _ in range(2):
        lint.run("lint", check=True)
    assert not records(lint)


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONWARNINGS"])
def test_python_that_may_say_something_leaves_no_record(lint: ProjectFolder, name: str) -> None:
    forget(lint)
    for _ in range(2):
        lint.run("lint", check=True, env={name: "ignore"})
    assert not records(lint)


def test_directory_behind_a_link_leaves_no_record(lint: ProjectFolder) -> None:
    forget(lint)
    (lint.path / "link").symlink_to("sub")
    noxfile(lint, 'session.install("tool")\nsession.chdir("link")\nsession.run("ls")')
    for _ in range(2):
        lint.run("lint", check=True)
    assert not records(lint)


def test_environment_that_another_run_has_changed_in_between(
    lint: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setlist.cli import warming

    noxfile(lint, 'session.install("tool", *session.posargs)\nsession.run("tool")')
    lint.run("lint", check=True)
    forget(lint)
    decide = warming.can_be_kept

    def run_another(*arguments: Any) -> bool:
        lint.run("lint", "--", "alpha==1.0", check=True)
        return decide(*arguments)

    monkeypatch.chdir(lint.path)
    monkeypatch.setattr(warming, "can_be_kept", run_another)
    lint.run_inside("lint", check=True)
    assert not records(lint)
    monkeypatch.setattr(warming, "can_be_kept", decide)
    for _ in range(2):
        lint.run_inside("lint", check=True)
    assert len(records(lint)) == 1
    assert "alpha" not in lint.installed("lint")


@pytest.mark.parametrize("words", [[".", "--no-build-isolation"], ["-e", ".", "--no-build-isolation"]], ids=" ".join)
def test_project_that_is_installed(lint: ProjectFolder, words: list[str]) -> None:
    lint.make_package()
    noxfile(lint, f'session.install(*{words!r})\nsession.run("python", "-c", "import demo; print(demo.NAME)")')
    lint.write("src/demo/__init__.py", "NAME = 'first'\n")
    for _ in range(3):
        watched(lint, "lint")
    assert by_record(lint, "lint")
    lint.write("src/demo/__init__.py", "NAME = 'second'\n")
    assert "second" in lint.run("lint", check=True).out
    lint.write("src/demo/more.py", "")
    watched(lint, "lint")
    if words[0] == ".":
        seen = subprocess.run(
            [lint.python("lint"), "-c", "import demo.more"], cwd=lint.path / "sub", capture_output=True, check=False
        )
        assert seen.returncode == 0, seen.stderr
    lint.make_package(version="2.0", dependencies=["alpha==1.0"])
    lint.run("lint", check=True)
    assert lint.installed("lint")["demo"] == "2.0"
    assert "alpha" in lint.installed("lint")


def test_helpers_constants_and_parameters(lint: ProjectFolder) -> None:
    noxfile(
        lint,
        'say(session, "lint")',
        before="""
            WORDS = ["a", "b"]

            def say(session, *more):
                session.install("tool")
                session.run("tool", *WORDS, *more)

            @nox.session
            @nox.parametrize("letter", ["c", "d"])
            def many(session, letter):
                say(session, letter)
        """,
    )
    for name in ("many-letter-c", "many-letter-d"):
        for _ in range(3):
            watched(lint, name)
        assert by_record(lint, name)
        assert lint.history()[3]["command"] == ["tool", "a", "b", name[-1]]


def test_value_of_a_variable_is_not_written_down(lint: ProjectFolder) -> None:
    noxfile(
        lint,
        """
        session.install("tool")
        if session.posargs:
            session.run("tool", f"--token={os.environ['TOKEN']}")
        session.run("tool", env={"OTHER": "Bearer " + os.environ["TOKEN"]} if len(session.posargs) > 1 else {})
        """,
    )
    environ: dict[str, str | None] = {"TOKEN": "hunter2-hunter2"}
    forget(lint)
    for argv in (("lint", "--", "x"), ("lint", "--", "x", "y"), ("lint",)):
        for _ in range(2):
            lint.run(*argv, check=True, env=environ)
    (kept,) = records(lint)
    assert b"hunter2" not in kept.read_bytes()


STUBBORN = """
session.run("sh", "-c", "test -e go || exit 0; trap '' INT TERM; (sleep 61 &); echo on; sleep 61; sleep 61")
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_tree_as_ever(lint: ProjectFolder, signum: int, code: int) -> None:
    noxfile(lint, STUBBORN)
    forget(lint)
    lint.run("lint", check=True)
    lint.run("lint", check=True)
    assert records(lint)
    lint.write("go", "")

    def interrupted() -> tuple[int, str, list[dict[str, Any]]]:
        run = subprocess.Popen(
            [*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert run.stdout is not None
        assert run.stdout.readline() == "on\n"
        run.send_signal(signum)
        _, said = run.communicate(timeout=30)
        assert not sleeping(lint)
        return run.returncode, plain(said), shape(lint.history())

    again = interrupted()
    forget(lint)
    whole = interrupted()
    assert again[0] == whole[0] == code
    assert again == whole
