"""A noxfile's function is called each time: whatever changed since the last run is seen, and no record is left.

The process that calls it is started before everything else.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from setlist import STATE_DIRECTORY
from support.again import records, remove_environment, remove_package, remove_program, remove_state, shape, sleeping
from support.project import ProjectFolder, installed
from support.strays import Strays, until
from support.variants import sampled
from support.watching import watched_by

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are those of POSIX"),
]

HEAD = """
import os

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
    """A project whose session has run twice: once to install, and once that installed nothing."""
    project.write("pyproject.toml", "[tool.setlist]\ninterrupt-grace = 0.5\nterminate-grace = 0.5\n")
    project.write("requirements.txt", "delta==1.0\n")
    project.write("input", "in\n")
    project.write("code", "0\n")
    project.write("sub/file", "")
    noxfile(project, BODY)
    for _ in range(2):
        project.run("lint", check=True)
    assert not records(project)
    return project


@pytest.fixture
def quick(project: ProjectFolder) -> ProjectFolder:
    """A project whose session needs no environment."""
    project.write(
        "noxfile.py", "import nox\n\n@nox.session(venv_backend='none')\ndef quick(session):\n    print('called')\n"
    )
    return project


DRIVER = """
import json, sys
sys.argv = ["run", *sys.argv[1:]]
from setlist.cli.entry_point import main
from setlist.process import prestart

started = []
start = prestart.start

def noted(module, **options):
    start(module, **options)
    started.append(prestart._HOLDER.worker.pid)

prestart.start = noted
code = main()
print("seen " + json.dumps({"code": code, "started": started}))
"""


def started(project: ProjectFolder, *argv: str, **environ: str) -> list[int]:
    """The workers that a run started before everything else."""
    seen = watched_by(DRIVER, project, *argv, environ={**os.environ, **environ})
    pids: list[int] = seen["started"]
    return pids


def test_the_worker_is_started_before_everything_else(lint: ProjectFolder) -> None:
    noxfile(lint, 'open("pid", "w").write(str(os.getpid()))\nsession.run("true", external=True)')
    assert started(lint, "lint") == [int(lint.read("pid"))]
    assert started(lint, "lint", "--", "x") == [int(lint.read("pid"))]


def test_other_command_lines_start_none(lint: ProjectFolder) -> None:
    assert started(lint, "-l") == []
    assert started(lint, "-n", "lint") == []
    assert started(lint, "-C", ".", "lint") == []


def test_a_noxfile_finds_noxs_words_in_argv(quick: ProjectFolder) -> None:
    quick.write(
        "noxfile.py",
        "import nox, sys\n\nAT_LOAD = sys.argv[1:]\n\n@nox.session(venv_backend='none')\n"
        "def quick(session):\n    print(AT_LOAD, sys.argv[1:])\n",
    )
    words = ["-R", "-s", "quick", "--", "a b"]
    assert quick.setlist("nox", "--", *words, check=True).out == f"{words} {words}\n"
    assert quick.run("quick", "--", "a b", check=True).out == f"{words[3:]} {words[3:]}\n"


@pytest.mark.parametrize("text", ["import nox\n", "raise SystemExit(3)", "import nox, nowhere", "def"])
def test_a_worker_that_is_not_needed_is_ended(quick: ProjectFolder, tmp_path: Path, text: str) -> None:
    strays = Strays(tmp_path)
    assert started(quick, "quick", **strays.variables)
    quick.write("noxfile.py", text)
    assert quick.run("quick", env=strays.variables).code == 2
    assert not strays.alive()


def test_two_runs_at_once_have_a_worker_each(quick: ProjectFolder) -> None:
    quick.run("quick", check=True)
    first = subprocess.Popen([*installed("run"), "quick"], cwd=quick.path, stdout=subprocess.PIPE)
    assert started(quick, "quick")
    assert first.communicate()[0] == b"called\n"
    assert first.returncode == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_can_be_ended_at_any_moment(quick: ProjectFolder, tmp_path: Path, signum: int) -> None:
    strays = Strays(tmp_path)
    environ = {**os.environ, **strays.variables}
    quick.run("quick", check=True, env=strays.variables)
    for delay in (0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4):
        run = subprocess.Popen([*installed("run"), "quick"], cwd=quick.path, env=environ)
        until(psutil.Process(run.pid).children, "its worker: until then an interrupt is Python's own")
        time.sleep(delay)
        run.send_signal(signum)
        assert run.wait() in (0, 128 + signum, -signum)
        until(lambda: not strays.alive(), strays)
    quick.run("quick", check=True)


@pytest.mark.parametrize("code", ["0", "3", "$(kill -SEGV $$)"])
def test_each_run_says_and_keeps_the_same(lint: ProjectFolder, code: str) -> None:
    argv = ("lint", "--", "one", "two words")
    lint.write("code", code)
    first = lint.run(*argv)
    told = lint.history()
    again = lint.run(*argv)
    assert (again.code, again.out) == (first.code, first.out)
    assert again.code == (0 if code == "0" else 1)
    assert "err\n" in again.out, "nox has both streams go to one"
    assert shape(told) == shape(lint.history())
    assert not records(lint)


def test_commands_see_the_same_variables(lint: ProjectFolder) -> None:
    body = 'session.run("env", env={"A": "100 %s", "GONE": None})\nsession.run("env", include_outer_env=False)'
    noxfile(lint, body, before='os.environ["LOADED"] = "l"')
    environ: dict[str, str | None] = {
        "VIRTUAL_ENV": "/elsewhere", "KEPT": "ä", "GONE": "g", "NOX_CURRENT_SESSION": "outer"
    }  # fmt: skip
    first = lint.run("lint", check=True, env=environ).out.splitlines()
    again = lint.run("lint", check=True, env=environ).out.splitlines()

    def named(lines: list[str]) -> list[str]:
        # marks of processes, and what is another at each start
        return sorted(line for line in lines if not line.startswith(("SETLIST_PROCESS=", "_=", "SHLVL=", "OLDPWD=")))

    assert named(again) == named(first)
    assert {"KEPT=ä", "A=100 %s", "LOADED=l", "NOX_CURRENT_SESSION=lint"} <= set(again)
    assert not any("GONE" in line or "/elsewhere" in line for line in again)


def change_function(project: ProjectFolder) -> None:
    project.write("noxfile.py", project.read("noxfile.py").replace('"ls", "sub"', '"ls", "requirements.txt"'))


def touch_requirements(project: ProjectFolder) -> None:
    project.write("requirements.txt", "delta==1.0\n# a note\n")


def change_requirements(project: ProjectFolder) -> None:
    project.write("requirements.txt", "delta==2.0\n")


def write_pyproject(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.setlist]\nsources = ["noxfile"]\n')


def replace_interpreter(project: ProjectFolder) -> None:
    python = project.python("lint")
    copy = project.path / "other-python"
    shutil.copy2(os.path.realpath(python), copy)
    python.unlink()
    python.symlink_to(copy)


CHANGES: list[Callable[[ProjectFolder], None]] = [
    change_function,
    change_requirements,
    remove_package,
    remove_program,
    touch_requirements,
    write_pyproject,
    replace_interpreter,
    remove_state,
    remove_environment,
]


@pytest.mark.parametrize("change", sampled(CHANGES, 4), ids=lambda change: change.__name__)
def test_whatever_changed_is_seen(lint: ProjectFolder, change: Callable[[ProjectFolder], None]) -> None:
    change(lint)
    out = lint.run("lint", check=True).out
    assert ("requirements.txt" in out) is (change is change_function)
    assert {"tool", "delta"} <= lint.installed("lint").keys()
    assert lint.installed("lint")["delta"] == ("2.0" if change is change_requirements else "1.0")


def test_program_that_comes_to_lie_before_the_one_that_was_found(lint: ProjectFolder, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    path = f"{first}{os.pathsep}{os.environ['PATH']}"
    assert "mine" not in lint.run("lint", check=True, env={"PATH": path}).out
    program = first / "ls"
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert "mine" in lint.run("lint", check=True, env={"PATH": path}).out


def test_a_lock_that_comes_is_seen(lint: ProjectFolder) -> None:
    noxfile(lint, 'session.install("tool")\nsession.run("tool")')
    lint.run("lint", check=True)
    assert lint.run("lint", "--locked").code == 3
    lint.setlist("lock", "lint", check=True)
    lint.run("lint", "--locked", check=True)
    noxfile(lint, 'session.install("tool", "alpha")\nsession.run("tool")')
    assert lint.run("lint", "--locked").code == 3


def test_environment_that_another_run_has_changed_in_between(lint: ProjectFolder) -> None:
    noxfile(lint, 'session.install("tool", *session.posargs)\nsession.run("tool")')
    lint.run("lint", check=True)
    lint.run("lint", "--", "alpha==1.0", check=True)
    assert "alpha" in lint.installed("lint")
    lint.run("lint", check=True)
    assert "alpha" not in lint.installed("lint")


@pytest.mark.parametrize("words", [[".", "--no-build-isolation"], ["-e", ".", "--no-build-isolation"]], ids=" ".join)
def test_project_that_is_installed(lint: ProjectFolder, words: list[str]) -> None:
    lint.make_package()
    noxfile(lint, f'session.install(*{words!r})\nsession.run("python", "-c", "import demo; print(demo.NAME)")')
    lint.write("src/demo/__init__.py", "NAME = 'first'\n")
    for _ in range(2):
        assert "first" in lint.run("lint", check=True).out
    lint.write("src/demo/__init__.py", "NAME = 'second'\n")
    assert "second" in lint.run("lint", check=True).out
    lint.write("src/demo/more.py", "")
    lint.run("lint", check=True)
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
        for _ in range(2):
            lint.run(name, check=True)
            commands = [event["command"] for event in lint.history() if event["event"] == "command-started"]
            assert commands[-1] == ["tool", "a", "b", name[-1]]


def test_value_of_a_variable_is_not_written_down(lint: ProjectFolder) -> None:
    noxfile(
        lint,
        """
        session.install("tool")
        session.run("tool", env={"OTHER": "Bearer " + os.environ["TOKEN"]})
        """,
    )
    for _ in range(2):
        lint.run("lint", check=True, env={"TOKEN": "hunter2-hunter2"})
    files = [path for path in (lint.path / STATE_DIRECTORY).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]


STUBBORN = """
session.run("sh", "-c", "test -e go || exit 0; trap '' INT TERM; (sleep 61 &); echo on; sleep 61; sleep 61")
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_tree(lint: ProjectFolder, signum: int, code: int) -> None:
    noxfile(lint, STUBBORN)
    lint.run("lint", check=True)
    lint.write("go", "")
    run = subprocess.Popen(
        [*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "on\n"
    run.send_signal(signum)
    run.communicate(timeout=30)
    assert run.returncode == code
    assert not sleeping(lint)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has tgkill, by which a thread of another process is reached"
)
def test_a_signal_that_ends_no_wait_is_heard_all_the_same(lint: ProjectFolder) -> None:
    noxfile(lint, 'session.run("sh", "-c", "test -e go || exit 0; echo on; sleep 60")')
    lint.run("lint", check=True)
    lint.write("go", "")
    run = subprocess.Popen(
        [*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "on\n"
    other = next(thread.id for thread in psutil.Process(run.pid).threads() if thread.id != run.pid)
    # as one that comes right before the main thread waits
    assert ctypes.CDLL(None).tgkill(run.pid, other, signal.SIGTERM) == 0
    run.communicate(timeout=30)
    assert run.returncode == 143
    assert not sleeping(lint)
