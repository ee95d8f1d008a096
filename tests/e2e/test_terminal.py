"""What a person sees and types at a real terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder, installed

pexpect = pytest.importorskip("pexpect")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")]


def spawn(project: ProjectFolder, command: str, *argv: str, env: dict[str, str] | None = None) -> Any:
    program, *rest = installed(command)
    return pexpect.spawn(
        program,
        [*rest, *argv],
        cwd=str(project.path),
        env={**os.environ, "TERM": "xterm-256color", "PS1": "$ ", **(env or {})},
        encoding="utf-8",
        timeout=30,
        dimensions=(24, 100),
    )


def finish(child: Any) -> tuple[int, str]:
    text = child.read()
    child.close()
    code = child.exitstatus if child.exitstatus is not None else -child.signalstatus
    return code, text


TTY = """
    [tool.setlist.session.lint]
    description = "Style"
    run = ["python -c 'import sys; print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())'"]
"""


def test_a_command_sees_the_terminal_and_setlist_colours_its_words(project: ProjectFolder) -> None:
    project.sessions(TTY)
    code, text = finish(spawn(project, "run", "lint"))
    assert code == 0
    assert "True True True" in text
    assert "\x1b[1mlint\x1b[0m" in text
    assert "\x1b[32mok\x1b[0m" in text


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(project: ProjectFolder, env: dict[str, str]) -> None:
    project.sessions(TTY)
    code, text = finish(spawn(project, "run", "lint", env=env))
    assert code == 0
    assert "\x1b[1m" not in text
    assert "lint  ok  " in text


def test_the_table_is_as_wide_as_the_terminal(project: ProjectFolder) -> None:
    project.sessions(TTY.replace("Style", "Style " * 60))
    code, text = finish(spawn(project, "setlist", "list", env={"NO_COLOR": "1"}))
    assert code == 0
    lines = text.splitlines()
    assert len(lines) > 4
    assert all(len(line) <= 100 for line in lines)
    assert "* run by default" in lines[-1]


def test_ctrl_c_stops_the_run(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        run = ["python -c 'import time; print(\\"going\\", flush=True); time.sleep(60)'"]
    """)
    child = spawn(project, "run", "lint")
    child.expect_exact("going\r\n")
    child.sendintr()
    code, text = finish(child)
    assert code == 130
    assert "interrupted" in text
    assert "bug in setlist" not in text


@pytest.fixture
def made(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["tool"]\nenv = { MINE = "{session}!" }\nrun = []\n')
    project.run("lint", check=True)
    return project


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh", "fish"])
def test_a_subshell_has_the_environment_and_exit_leaves_it(made: ProjectFolder, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    # else fish starts to read all manual pages in the background, and keeps the terminal open meanwhile
    (Path.home() / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
    child = spawn(made, "setlist", "shell", "lint", "--shell", shell)
    child.expect_exact("'exit' leaves it")
    child.sendline("echo at:$VIRTUAL_ENV: $MINE")
    child.expect_exact(f"at:{made.environment('lint')}: lint!")
    child.sendline("command -v tool")
    child.expect_exact(str(made.environment("lint") / "bin" / "tool"))
    child.sendintr()  # Ctrl-C at the prompt is the shell's own
    child.sendline("exit 3")
    code, _ = finish(child)
    assert code == 3
    assert not list((made.path / STATE_DIRECTORY / "tmp").glob("*/*"))


def test_deactivate_undoes_the_activation(made: ProjectFolder) -> None:
    child = spawn(made, "setlist", "shell", "lint", "--shell", "bash")
    child.expect_exact("'exit' leaves it")
    child.sendline("deactivate; command -v tool || echo found $((6 * 7 - 42)) tools")
    child.expect_exact("found 0 tools")
    child.sendline("exit 0")
    assert finish(child)[0] == 0


def test_the_shell_one_types_in_is_the_one_that_is_opened(made: ProjectFolder) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    setlist = " ".join(installed("setlist"))
    child = pexpect.spawn(
        bash,
        ["--norc", "--noprofile", "-i"],
        cwd=str(made.path),
        env={**os.environ, "PS1": "outer$ ", "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
    )
    child.expect_exact("outer$ ")
    child.sendline(f"{setlist} shell lint")
    child.expect_exact("'exit' leaves it")
    child.sendline("echo in:$BASH_VERSION: $VIRTUAL_ENV")
    child.expect(r"in:\d\S*: /")
    child.sendline("exit")
    child.expect_exact("outer$ ")
    child.sendline(f'eval "$({setlist} env lint --activate)"; echo now:$VIRTUAL_ENV:')
    child.expect_exact(f"now:{made.environment('lint')}:")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_a_session_that_was_never_run_is_made_for_its_shell(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.lint]\n")
    child = spawn(project, "setlist", "shell", "lint", "--shell", "sh")
    child.expect_exact("· created")
    child.expect_exact("'exit' leaves it")
    child.sendline("exit")
    assert finish(child)[0] == 0


def test_ctrl_c_in_a_repl_is_the_repls_own(made: ProjectFolder) -> None:
    child = spawn(made, "setlist", "exec", "lint", "--", "python", "-q", env={"PYTHON_BASIC_REPL": "1"})
    child.expect_exact(">>> ")
    for _ in range(10):  # one that comes just before Python waits for input is seen only with the next
        child.sendintr()
        if child.expect_exact(["KeyboardInterrupt", pexpect.TIMEOUT], timeout=1) == 0:
            break
    else:
        raise AssertionError(child.before)
    child.sendline("import os; os._exit(9)")
    assert finish(child)[0] == 9


def test_the_summary_is_the_last_word(project: ProjectFolder) -> None:
    project.sessions(TTY + "[tool.setlist.session.docs]\n")
    _, text = finish(spawn(project, "run", "lint", "docs", env={"NO_COLOR": "1"}))
    assert re.search(r"lint  ok  \d+\.\ds\r\ndocs  ok  \d+\.\ds\r\n$", text)
