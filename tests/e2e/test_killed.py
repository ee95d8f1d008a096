"""Killed at any moment, the next run starts from a sound state and says what it found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from support.project import ProjectFolder, installed
from support.strays import Strays, until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")]

STALLED = """
import os, sys, time
from setlist.environment import sync
real = sync.{function}

def stalled(*args, **rest):
    if {after}:
        real(*args, **rest)
    print("there", flush=True)
    time.sleep(60)

sync.{function} = stalled
sys.argv = ["run", "lint"]
from setlist.cli.run import main
main()
"""


def killed_in(project: ProjectFolder, function: str, *, after: bool) -> None:
    """Start a run and kill it with SIGKILL when it has come to a certain point."""
    process = subprocess.Popen(
        [sys.executable, "-c", STALLED.format(function=function, after=after)],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    process.kill()
    process.communicate()


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["tool==1.0"]\nrun = ["tool"]\n')
    return project


def test_killed_after_creation_is_repaired(lint: ProjectFolder) -> None:
    killed_in(lint, "create", after=True)
    done = lint.run("lint", check=True)
    assert "repaired (an earlier run was cut off while making it)" in done.err
    assert "tool 1.0" in done.out
    assert "reused" in lint.run("lint", check=True).err


def test_killed_before_creation_starts_from_nothing(lint: ProjectFolder) -> None:
    killed_in(lint, "create", after=False)
    assert "created" in lint.run("lint", check=True).err


def test_killed_before_the_record_is_written_is_repaired(lint: ProjectFolder) -> None:
    lint.run("lint", check=True)
    lint.sessions('[tool.setlist.session.lint]\ndeps = ["tool==2.0"]\nrun = ["tool"]\n')
    killed_in(lint, "write_state", after=False)
    done = lint.run("lint", check=True)
    assert "repaired (an earlier run was cut off" in done.err
    assert "tool 2.0" in done.out


def test_killed_at_many_moments_the_next_run_is_right(lint: ProjectFolder) -> None:
    """Twelve moments spread over a cold run: whatever was there, the next run ends well and leaves the same."""
    for step in range(12):
        lint.sessions(f'[tool.setlist.session.lint]\ndeps = ["tool=={1 + step % 2}.0", "alpha"]\nrun = ["tool"]\n')
        process = subprocess.Popen(
            [*installed("run"), "-r", "lint"],
            cwd=lint.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        time.sleep(0.05 + step * 0.04)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = lint.run("lint", check=True)
        assert f"tool {1 + step % 2}.0" in done.out
        assert set(lint.installed("lint")) == {"alpha", "beta", "tool"}


@pytest.mark.parametrize(
    "words",
    [
        ("run", "lint"),
        ("run", "--list"),
        ("setlist", "list"),
        ("setlist", "doctor"),
        ("setlist", "import", "nox"),
        ("setlist", "nox", "--", "-s", "lint"),
    ],
)
def test_noxfile_that_is_being_loaded_ends_with_us(
    project: ProjectFolder, tmp_path: Path, words: tuple[str, ...]
) -> None:
    project.write(
        "noxfile.py",
        """
        import os, pathlib, time
        import nox
        pathlib.Path(os.environ["STRAY"]).write_text("loading")
        time.sleep(1000)

        @nox.session
        def lint(session): ...
        """,
    )
    killed_while(project, Strays(tmp_path), *words)


def test_interrupt_while_a_loader_of_noxfiles_starts_is_no_traceback(project: ProjectFolder, tmp_path: Path) -> None:
    strays = Strays(tmp_path)
    project.write(
        "noxfile.py",
        """
        import nox

        @nox.session
        def lint(session): ...
        """,
    )
    stalling = """
        import os, pathlib, sys, time

        class Stalling:
            def find_spec(self, name, *_):
                if name == "setlist.runner.worker_rpc":
                    pathlib.Path(os.environ["STRAY"]).write_text("importing")
                    time.sleep(1000)

        sys.meta_path.insert(0, Stalling())
        """
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(textwrap.dedent(stalling))
    try:
        process = subprocess.Popen(
            [*installed("setlist"), "nox", "--", "-s", "lint"],
            cwd=project.path,
            env={**os.environ, **strays.variables, "PYTHONPATH": str(tmp_path / "path")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        until(strays.file.read_text)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1]
        assert process.returncode == 130
        assert "Traceback" not in err
    finally:
        strays.end()


def test_build_that_a_lock_asks_for_ends_with_us(project: ProjectFolder, tmp_path: Path) -> None:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["./slow"]\nrun = ["python -c pass"]\n')
    project.write(
        "slow/pyproject.toml",
        """
        [build-system]
        requires = []
        build-backend = "backend"
        backend-path = ["."]
        [project]
        name = "slow"
        version = "1.0"
        dynamic = ["dependencies"]
        """,
    )
    project.write(
        "slow/backend.py",
        """
        import os, pathlib, time
        def get_requires_for_build_wheel(config_settings=None):
            pathlib.Path(os.environ["STRAY"]).write_text("building")
            time.sleep(1000)
        def build_wheel(wheel_directory, config_settings=None, metadata_directory=None): ...
        """,
    )
    killed_while(project, Strays(tmp_path), "setlist", "lock")


def killed_while(project: ProjectFolder, strays: Strays, *words: str) -> None:
    """Start a command, kill it when something it started has written to the file, and see all of it end."""
    try:
        process = subprocess.Popen(
            [*installed(words[0]), *words[1:]],
            cwd=project.path,
            env={**os.environ, **strays.variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        until(strays.file.read_text, words)
        process.kill()
        process.wait()
        until(lambda: not strays.alive(), strays.shown)
    finally:
        strays.end()
