"""Completion in real shells: what is in the line after Tab, and what is shown."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ProjectFolder
from support.shells import INSTALL, Shell

pytest.importorskip("pexpect")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")]

SESSIONS = """
    [tool.setlist.session.lint]
    description = "Style;\\u001b[31m $(touch hacked) `touch hacked` %F{red} 'quoted'"
    tags = ["checks", "$(touch hacked)", "it's;touch hacked"]
    run = ["python -V"]

    [tool.setlist.session.unit]
    description = "Unit tests"
    python = ["3.11", "3.12"]
    run = ["python -V"]

    [tool.setlist.session.web]
    python = "3.13"
    matrix = { django = ["4.2"] }
    run = ["python -V"]
"""


@pytest.fixture(params=list(INSTALL))
def shell(request: pytest.FixtureRequest, project: ProjectFolder, tmp_path: Path) -> Iterator[Shell]:
    kind: str = request.param
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} isn't installed: .ci/run installs it, others need not have every shell")
    if kind == "bash" and subprocess.run(["bash", "-c", "((BASH_VERSINFO[0] >= 4))"], check=False).returncode:
        pytest.skip("macOS has bash 3.2, for which the script completes no files, as docs/commands.md says")
    project.sessions(SESSIONS)
    project.write("words.txt", "")
    project.write("folder with space/inner.txt", "")
    shell = Shell(kind, project, tmp_path)
    yield shell
    shell.close()


def test_tab_completes(shell: Shell, project: ProjectFolder) -> None:
    for line, expected in {
        # sessions, families, tags
        "run li": ["lint"],
        "run unit-py312 li": ["unit-py312", "lint"],
        "run lint web-": ["lint", "web-django42"],
        "run @ch": ["@checks"],
        "setlist why li": ["why", "lint"],
        # options, and their values
        "run --recr": ["--recreate"],
        "run --output bo": ["--output", "board"],
        "run --output=bo": ["--output=board"],
        "run -t che": ["-t", "checks"],
        "run -tche": ["-tchecks"],
        "run -p 3.13": ["-p", "3.13"],
        "run -f wor": ["-f", "words.txt"],
        "run --file=wor": ["--file=words.txt"],
        "setlist env lint --shell xo": ["env", "lint", "--shell", "xonsh"],
        "setlist export lint --format cy": ["export", "lint", "--format", "cyclonedx"],
        # verbs
        "setlist doc": ["doctor"],
        "setlist ci mat": ["ci", "matrix"],
        "setlist import no": ["import", "nox"],
        # files after --, and the rest of another program's command line
        "run lint -- wor": ["lint", "--", "words.txt"],
        "run lint -- folder": ["lint", "--", "folder with space"],
        "setlist exec lint -- wor": ["exec", "lint", "--", "words.txt"],
    }.items():
        # zsh takes the slash away again when the word ends
        assert [word.rstrip("/") for word in shell.tab(line)] == expected, line


def test_a_hostile_name_is_one_word_and_nothing_runs(shell: Shell, project: ProjectFolder) -> None:
    assert shell.tab("run -t it") == ["-t", "it's;touch hacked"]
    assert shell.tab("run @it") == ["@it's;touch hacked"]
    assert shell.tab("run -t \\$") == ["-t", "$(touch hacked)"]
    shell.shown("run ", "unit-py311")
    assert not (project.path / "hacked").exists()


def test_mistakes_in_definitions_are_silent(shell: Shell, project: ProjectFolder) -> None:
    project.run("--list", check=True)
    project.sessions("[tool.setlist.session.lint]\nrun = 1\n")
    # the definitions before the mistake count
    assert shell.tab("run unit-py312 li") == ["unit-py312", "lint"]
    project.sessions("not TOML tool.setlist")
    assert shell.tab("run li") == ["lint"]
    assert shell.tab("setlist doc") == ["doctor"]
    shutil.rmtree(project.path / ".setlist")
    project.write("pyproject.toml", "not TOML")
    assert shell.tab("run --recr") == ["--recreate"]
    shell.child.send("run li\t")
    shell.child.expect_exact("run li")
    assert shell.tab("") == ["li"]
    assert "error" not in shell.child.before


@pytest.mark.parametrize("kind", ["zsh", "fish"])
def test_descriptions_are_shown(kind: str, project: ProjectFolder, tmp_path: Path) -> None:
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} isn't installed: .ci/run installs it, others need not have every shell")
    project.sessions(SESSIONS)
    shell = Shell(kind, project, tmp_path)
    try:
        text = shell.shown("run unit-", "Unit tests")
        assert "unit-py311" in text
        assert "Style; [31m $(touch hacked) `touch hacked` %F{red} 'quoted'" in shell.shown("run ", "'quoted'")
    finally:
        shell.close()
