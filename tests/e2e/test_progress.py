"""What is seen while an environment takes long: at a terminal, on the board, in a pipe. The installer waits for a slow
index."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.index import LocalIndex
from support.project import ProjectFolder, installed
from support.wheels import make_wheel

pexpect = pytest.importorskip("pexpect")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")]

NAME = "a-package-with-quite-a-long-name"
SESSIONS = f"""
    [tool.setlist.session.notebooks]
    deps = ["{NAME}-0", "{NAME}-1"]
    run = ["python -c 'print(1)'"]
    [tool.setlist.session.other]
    run = ["python -c 'import time; time.sleep(12)'"]
"""


@pytest.fixture
def big(project: ProjectFolder, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project whose packages are more than a mebibyte each, and in no cache."""
    for number in range(2):
        data = random.Random(number).randbytes(1_500_000).hex()
        name = f"{NAME}-{number}"
        module = f"{name.replace('-', '_')}.py"
        index.add(make_wheel(tmp_path / "wheels", name, "1.0", modules={module: f"data = '{data}'\n"}))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    project.sessions(SESSIONS)
    return project


def spawn(project: ProjectFolder, *argv: str, columns: int, command: str = "run") -> Any:
    program, *rest = installed(command)
    return pexpect.spawn(
        program,
        [*rest, *argv],
        cwd=str(project.path),
        env={**os.environ, "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=30,
        dimensions=(24, columns),
    )


def rest_of(child: Any) -> tuple[int, str]:
    text = child.read()
    child.close()
    return child.exitstatus, text


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_one_line_says_what_is_downloaded_and_goes_when_it_is_done(
    big: ProjectFolder, index: LocalIndex, columns: int
) -> None:
    index.trickle = 2.5
    child = spawn(big, "notebooks", columns=columns)
    child.expect(r"notebooks  downloading [\d.]+[^\r\n]* · 2s")
    before = child.before + child.after
    code, text = rest_of(child)
    assert code == 0
    drawn = [line for line in (before + text).split("\r") if "downloading" in line]
    assert max(len(line.partition("\x1b")[0]) for line in drawn) < columns - 2
    # what is left on the screen: lines of the session, and nothing of the progress
    left = text.rpartition("\r\x1b[K")[2]
    assert re.sub(r"\x1b\[\d*m", "", left).startswith("notebooks  python")
    assert "downloading" not in left


def test_an_interrupt_leaves_a_clean_terminal(big: ProjectFolder, index: LocalIndex) -> None:
    index.trickle = 30
    child = spawn(big, "notebooks", columns=80)
    child.expect("downloading")
    child.sendintr()
    code, text = rest_of(child)
    assert code == 130
    end = re.sub(r"\x1b\[\d*m", "", text.rpartition("\r\x1b[K")[2])
    assert end == "notebooks  interrupted  interrupted by SIGINT\r\n"


def test_the_board_says_it_in_the_line_of_the_session(big: ProjectFolder, index: LocalIndex) -> None:
    index.trickle = 3
    child = spawn(big, "-j", "2", columns=100)
    child.expect(r"notebooks[^\r\n]*preparing[^\r\n]*downloading [\d.]+ MB: a-package")
    code, _ = rest_of(child)
    assert code == 0


def test_a_pipe_is_told_after_ten_seconds(big: ProjectFolder, index: LocalIndex) -> None:
    index.trickle = 12
    result = big.run("notebooks", check=True)
    lines = result.err.splitlines()
    assert re.fullmatch(r"still preparing: notebooks \(10s, downloading \d\.\d MB: a-package.*\)", lines[0])
    assert sum("preparing" in line for line in lines) == 1


def test_a_pipe_of_several_is_told_at_once_and_every_ten_seconds(big: ProjectFolder) -> None:
    program, *rest = installed("run")
    began = time.monotonic()
    process = subprocess.Popen(
        [program, *rest, "-j", "2"],
        cwd=big.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    seen = [(line.rstrip(), time.monotonic() - began) for line in process.stdout]
    assert process.wait() == 0
    at: dict[str, float] = {}
    for line, seconds in seen:  # the summary at the end repeats some
        at.setdefault(re.sub(r"\d+\.\ds", "…", line), seconds)
    assert at["other  started"] < 8
    assert at["notebooks  ok  …"] < at["other  ok  …"]
    (still,) = (line for line in at if line.startswith("still running"))
    assert re.fullmatch(r"still running: other \(1\ds\)", still)


def test_errors_of_the_installer_are_whole(big: ProjectFolder, index: LocalIndex) -> None:
    big.sessions("""
        [tool.setlist.session.lost]
        deps = ["no-such-package"]
        run = []
    """)
    result = big.run("lost")
    assert result.code == 1
    assert "no-such-package" in result.err
    assert "Using Python" not in result.err
    assert "Resolved" not in result.err


@pytest.mark.parametrize("backend", ["uv", "virtualenv"])
def test_an_install_of_a_noxfile_is_shown_as_well(big: ProjectFolder, index: LocalIndex, backend: str) -> None:
    big.write("pyproject.toml", "")
    big.write(
        "noxfile.py",
        f"""
        import nox

        @nox.session(venv_backend="{backend}")
        def notebooks(session):
            session.install("{NAME}-0")
            session.run("python", "-c", "print('it runs')")
        """,
    )
    index.trickle = 2.5
    child = spawn(big, "notebooks", columns=80)
    child.expect(r"notebooks  downloading [\d.]+ MB: a")
    code, text = rest_of(child)
    assert code == 0
    left = re.sub(r"\x1b\[\d*m", "", text.rpartition("\r\x1b[K")[2])
    assert "downloading" not in left
    assert "it runs" in left


def test_a_verb_that_makes_an_environment_shows_it(big: ProjectFolder, index: LocalIndex) -> None:
    index.trickle = 2.5
    child = spawn(big, "exec", "notebooks", "--", "python", "-c", "print('it runs')", columns=80, command="setlist")
    child.expect(r"notebooks  downloading [\d.]+ MB: a")
    code, text = rest_of(child)
    assert code == 0
    left = text.rpartition("\r\x1b[K")[2]
    assert "downloading" not in left
    assert left.endswith("it runs\r\n")
