"""A signal to ``run`` reaches every process it started, and its exit code says which signal it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.project import ProjectFolder, installed
from support.strays import Strays, until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]

# a command with a child and a grandchild, each of which writes down its pid and sleeps
TREE = """
import os, subprocess, sys, time
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1)])
open(f"pid{depth}", "w").write(str(os.getpid()))
time.sleep(100)
"""


@pytest.fixture
def tree(project: ProjectFolder) -> ProjectFolder:
    project.write("tree.py", TREE)
    project.sessions("""
        [tool.setlist]
        interrupt-grace = 1.0
        terminate-grace = 1.0
        [tool.setlist.session.tree]
        backend = "none"
        run = ["python tree.py 2"]
        [tool.setlist.session.next]
        backend = "none"
        run = ["python -c 'print(1)'"]
    """)
    return project


def pids(project: ProjectFolder) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        written = [project.path / f"pid{depth}" for depth in range(3)]
        if all(path.exists() and path.read_text() for path in written):
            return [int(path.read_text()) for path in written]
        time.sleep(0.02)
    raise AssertionError("the tree never grew")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie that nobody has waited for yet is as good as gone
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return os.path.isdir("/proc/self") is False


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_nothing_outlives_a_signalled_run(tree: ProjectFolder, signum: signal.Signals, code: int) -> None:
    running = subprocess.Popen(
        [*installed("run"), "tree", "next"], cwd=tree.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    started = pids(tree)
    running.send_signal(signum)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code, err
    assert not any(alive(pid) for pid in started)
    assert "setlist/" not in err, "no traceback of ours; the commands' own are theirs"
    assert "interrupted" in err
    assert "1" not in out.split(), "nothing more is started"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("file", ["noxfile.py", "sessions/x.py"])
@pytest.mark.parametrize("argv", [("run", "--list"), ("setlist", "lock")], ids=["list", "lock"])
def test_a_signal_while_sessions_are_loaded_is_heard_at_once(
    project: ProjectFolder, tmp_path: Path, file: str, argv: tuple[str, ...], signum: int, code: int
) -> None:
    strays = Strays(tmp_path)
    project.write(
        file,
        f"""
        import {"nox" if file == "noxfile.py" else "setlist"}
        import pathlib, time
        pathlib.Path("loading").touch()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass
        pathlib.Path("loaded").touch()
        """,
    )
    run = subprocess.Popen(
        [*installed(argv[0]), *argv[1:]],
        cwd=project.path,
        env={**os.environ, **strays.variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    until((project.path / "loading").exists)
    run.send_signal(signum)
    run.communicate()
    assert run.returncode == code
    assert strays.alive() == []
    assert not (project.path / "loaded").exists()


def test_an_interrupt_before_anything_runs_has_no_traceback(project: ProjectFolder) -> None:
    project.write("sessions/slow.py", "import setlist, time, pathlib\npathlib.Path('here').touch()\ntime.sleep(30)\n")
    running = subprocess.Popen([*installed("run"), "--list"], cwd=project.path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (project.path / "here").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in err


def test_exec_passes_a_signal_on(tree: ProjectFolder) -> None:
    running = subprocess.Popen(
        [*installed("setlist"), "exec", "tree", "--", sys.executable, "tree.py", "2"],
        cwd=tree.path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started = pids(tree)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 143
    assert not any(alive(pid) for pid in started)
    assert "Traceback" not in err
