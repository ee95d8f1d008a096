"""Commands that fork anew every few milliseconds, and end in between: nothing of them outlives the run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.again import by_record, records
from support.project import ProjectFolder, installed
from support.storm import PROGRAM, SECONDS, is_over
from support.strays import until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")]

CALM = "import os, sys\nif os.path.exists('calm'): sys.exit()\n"


@pytest.fixture
def beat(project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = project.path / "beat"
    monkeypatch.setenv("BEAT", str(path))
    project.write("storm.py", CALM + PROGRAM)
    return path


def define(project: ProjectFolder, where: str, starter: str) -> None:
    command = f"python -S storm.py {where} {starter} {SECONDS}"
    project.sessions(f'[tool.setlist]\nterminate-grace = 0.5\n[tool.setlist.session.s]\nrun = ["{command}"]\n')


def test_a_command_that_has_ended_leaves_none(project: ProjectFolder, beat: Path) -> None:
    define(project, "group", "ends")
    for warm in (False, True):
        assert by_record(project, "s") == warm
        until(beat.exists)
        assert is_over(beat)
        beat.unlink()


@pytest.mark.parametrize("where", ["group", "session", "sessions"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_run_that_is_ended_by_a_signal_leaves_none(
    project: ProjectFolder, beat: Path, where: str, signum: int, warm: bool
) -> None:
    define(project, where, "stays")
    if warm:
        project.write("calm", "")
        project.run("s", check=True)
        assert records(project)
        (project.path / "calm").unlink()
    run = subprocess.Popen(
        [*installed("run"), "s"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: beat.exists() and beat.stat().st_size > 10)
    run.send_signal(signum)
    run.communicate()
    # after SIGKILL the guardian does it, for which nobody waits
    until(lambda: is_over(beat))
