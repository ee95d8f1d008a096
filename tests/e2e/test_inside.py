"""An environment used from outside of a run: env and exec."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder

pytestmark = pytest.mark.slow


@pytest.fixture
def made(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions("""
        [tool.setlist.session.lint]
        deps = ["tool"]
        env = { MINE = "{session} {envdir}", TEMPORARY = "{tmp}" }
        run = []
        [tool.setlist.session.bare]
        backend = "none"
        [tool.setlist.session.never]
        [tool.setlist.session.many]
        python = ["3.10", "3.11"]
    """)
    project.run("lint", check=True)
    return project


def test_exec_runs_in_the_environment_where_the_caller_stands(made: ProjectFolder) -> None:
    below = made.path / "below"
    below.mkdir()
    code = (
        "import os, sys; print(os.getcwd()); print(os.environ['MINE']); print(os.path.isdir(os.environ['TEMPORARY']))"
    )
    result = made.setlist_inside("exec", "lint", "--", "python", "-c", code, cwd=below, check=True)
    assert result.out.splitlines() == [str(below), f"lint {made.environment('lint')}", "True"]
    assert result.err == ""


@pytest.mark.parametrize("backend", ["uv", "virtualenv", "none"])
def test_exec_and_run_give_the_same_variables_to_a_noxfiles_session(project: ProjectFolder, backend: str) -> None:
    project.write("show.py", "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))")
    project.write(
        "noxfile.py",
        f"""
        import nox

        @nox.session(venv_backend={backend!r})
        def show(session):
            session.run("python", "show.py", "run.json", external=True)
        """,
    )
    environ = {
        **dict.fromkeys(("PYTHONPATH", "CONDA_PREFIX", "VIRTUAL_ENV"), "/elsewhere"),
        **dict.fromkeys(("UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "PIP_TARGET", "SETLIST_SESSION"), "/elsewhere"),
    }
    project.run("show", env=environ, check=True)
    project.setlist("exec", "show", "--", "python", "show.py", "exec.json", env=environ, check=True)
    ran, executed = (json.loads(project.read(name)) for name in ("run.json", "exec.json"))
    assert ran.pop("SETLIST_PROCESS") != executed.pop("SETLIST_PROCESS")
    assert ran == executed
    assert ran["PYTHONPATH"] == "/elsewhere"


@pytest.mark.parametrize("argv", [["--", "python", "-c", "exit(7)"], ["python", "-c", "exit(7)"]])
def test_the_exit_code_is_the_commands(made: ProjectFolder, argv: list[str]) -> None:
    assert made.setlist_inside("exec", "lint", *argv).code == 7


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_signal_is_told_as_shells_tell_it(made: ProjectFolder) -> None:
    assert made.setlist("exec", "lint", "--", "/bin/sh", "-c", "kill -9 $$").code == 137


def test_exec_makes_the_environment_first_and_says_so(made: ProjectFolder) -> None:
    result = made.setlist_inside("exec", "never", "--", "python", "-c", "print(1)", check=True)
    assert "never  python" in result.err
    assert "created" in result.err


def test_exec_in_the_callers_own_environment(made: ProjectFolder) -> None:
    result = made.setlist_inside("exec", "bare", "python", "-c", "import os; print(os.environ['SETLIST_SESSION'])")
    assert result.out == "bare\n"


@pytest.mark.parametrize("program", ["pip", "outside"])
def test_exec_starts_no_program_from_outside_the_environment(made: ProjectFolder, tmp_path: Path, program: str) -> None:
    for name in ("pip", "outside"):
        (tmp_path / name).write_text("#!/bin/sh\necho it ran\n")
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])

    result = made.setlist_inside("exec", "lint", "--", program, "list", env={"PATH": path})

    assert result.code == 1
    assert "it ran" not in result.out
    assert f"'{program}' isn't in the environment of lint" in result.err
    assert f'external = ["{program}"]' in result.err


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_exec_starts_what_external_names_and_what_has_a_path(made: ProjectFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("#!/bin/sh\necho it ran\n")
    (tmp_path / "outside").chmod(0o755)
    made.sessions('[tool.setlist.session.lint]\nexternal = ["outside"]\n')
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])

    named = made.setlist("exec", "lint", "--", "outside", env={"PATH": path}, check=True)
    by_path = made.setlist("exec", "lint", "--", str(tmp_path / "outside"), check=True)

    assert named.out == by_path.out == "it ran\n"


def test_env_shows_the_paths(made: ProjectFolder) -> None:
    out = made.setlist_inside("env", "lint", check=True).out
    assert f"directory    {made.environment('lint')}\n" in out
    assert f"python       {made.python('lint')}\n" in out
    data = made.setlist_inside("env", "lint", "--json", check=True).json
    assert data["format"] == 1
    assert data["name"] == "lint"
    assert Path(data["frozen"]).is_file()
    assert made.setlist_inside("env", "lint", "--python", check=True).out == f"{made.python('lint')}\n"


@pytest.mark.parametrize(
    ("kind", "starts"),
    [
        ("bash", "source "),
        ("sh", ". "),
        ("fish", "source "),
        ("pwsh", "& "),
        ("powershell", "& "),
        ("nushell", "overlay "),
    ],
)
def test_each_shell_is_activated_in_its_own_words(made: ProjectFolder, kind: str, starts: str) -> None:
    out = made.setlist_inside("env", "lint", "--activate", "--shell", kind, check=True).out
    assert out.startswith(starts)
    assert "activate" in out


def test_an_unknown_shell_is_told(made: ProjectFolder) -> None:
    result = made.setlist_inside("env", "lint", "--activate", "--shell", "bsh")
    assert (result.code, result.err) == (2, "error: unknown shell 'bsh'\nhint: did you mean 'bash'?\n")
    assert "choose from bash" in made.setlist_inside("env", "lint", "--shell", "qqqq").err


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_evaluates_the_activation(made: ProjectFolder) -> None:
    line = made.setlist_inside("env", "lint", "--activate", "--shell", "bash", check=True).out
    done = subprocess.run(
        ["bash", "-c", f"{line.strip()}; command -v tool"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(made.environment("lint") / "bin" / "tool")


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["env", "never"], 1, "hint: 'run never' makes it"),
        (["env", "bare"], 1, "bare has no environment of its own"),
        (["env", "lint", "--python", "--json"], 2, "--python and --json exclude each other"),
        (["env"], 2, "'setlist env' takes one session, and no session is named"),
        (["env", "lint", "bare"], 2, "2 sessions are named"),
        (["env", "many"], 2, "'many' names 2: many-py310, many-py311"),
        (["shell", "bare"], 1, "bare has no environment of its own"),
        (["shell", "many"], 2, "hint: write: setlist shell many-py310"),
        (["exec", "lint"], 2, "hint: write: setlist exec lint -- COMMAND"),
        (["exec", "lint", "--"], 2, "no command is given"),
        (["exec", "lint", "--", "nope-nope"], 1, "nope-nope"),
        (["exec", "nope", "--", "python"], 2, "no session matches 'nope'"),
        (["shell", "lint", "--shell", "/no/such/shell"], 1, "/no/such/shell"),
    ],
)
def test_what_cannot_be_is_told(made: ProjectFolder, argv: list[str], code: int, said: str) -> None:
    result = made.setlist_inside(*argv)
    assert result.code == code, result
    assert said in result.err
    assert "bug in setlist" not in result.err


def test_a_needed_temporary_directory_is_gone_afterwards(made: ProjectFolder) -> None:
    made.setlist_inside("exec", "lint", "--", "python", "-c", "pass", check=True)
    assert not list((made.path / STATE_DIRECTORY / "tmp").glob("*/*"))
