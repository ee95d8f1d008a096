"""``setlist lock`` as it is typed: interrupted, twice at once, at a terminal; on many sessions."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.index import LocalIndex
from support.project import ProjectFolder, installed
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

FOUR = "".join(f'[tool.setlist.session.s{n}]\ndeps = ["p{n}"]\n' for n in range(4))


@pytest.fixture
def four(project: ProjectFolder, index: LocalIndex, tmp_path: Path) -> ProjectFolder:
    """Four sessions, each with a package of its own; all but the first locked."""
    for n in range(4):
        index.add(make_wheel(tmp_path, f"p{n}", "1.0"))
    project.sessions(FOUR)
    project.setlist("lock", "s1", "s2", "s3", check=True)
    project.sessions(FOUR.replace('"]', '", "p3"]'))
    return project


def started(project: ProjectFolder, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*installed("setlist"), *argv], cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def resolvers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children(recursive=True) if child.name().startswith("uv")]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_resolver_and_leaves_every_lock(
    four: ProjectFolder, index: LocalIndex, signum: signal.Signals, code: int
) -> None:
    directory = four.path / "sessions/locks"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    index.hang()
    running = started(four, "lock")
    until(lambda: len(resolvers(running)) == 4)  # side by side
    children = resolvers(running)
    running.send_signal(signum)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code, err
    assert "Traceback" not in err
    assert out == ""
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    index.recover()
    four.setlist("lock", check=True)


def test_two_at_once_both_end_well_and_the_second_finds_it_done(four: ProjectFolder, index: LocalIndex) -> None:
    index.hang()
    first = started(four, "lock")
    until(lambda: len(resolvers(first)) == 4)
    second = started(four, "lock")
    assert second.stderr is not None
    waiting = second.stderr.readline()
    index.recover()
    assert "waiting for another 'setlist lock' in this project" in waiting
    assert "4 written" in first.communicate(timeout=60)[1]
    _, err = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert err == "locks: 4 current\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a POSIX terminal")
def test_a_terminal_is_shown_how_far_it_is_and_left_clean(four: ProjectFolder, index: LocalIndex) -> None:
    import pexpect

    index.hang()
    screen = pexpect.spawn(installed("setlist")[0], ["lock"], cwd=str(four.path), encoding="utf-8", timeout=30)
    screen.expect("resolving")
    screen.expect("0/4")
    index.recover()
    screen.expect("locks: .*4 written")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 0


def test_a_pipe_is_spared_the_progress(four: ProjectFolder) -> None:
    result = four.setlist("lock", check=True)
    assert result.err == "s3: written, no version changed (deps changed)\nlocks: 4 written\n"
    assert "\r" not in result.out + result.err


def test_many_sessions_are_judged_without_reading_the_same_files_over(project: ProjectFolder, wheelhouse: Path) -> None:
    variants = ", ".join(f'"{n}"' for n in range(50))
    project.sessions(f"""
        [dependency-groups]
        test = ["delta"]
        [tool.setlist.session.t]
        python = ["3.10", "3.11", "3.12"]
        matrix = {{ n = [{variants}] }}
        groups = ["test"]
        requirements = ["reqs.txt"]
    """)
    project.write("reqs.txt", "beta\n")
    project.setlist("lock", check=True)
    opened = project.path / "opened"
    project.write(
        "watch.py",
        """
        import sys, collections
        opened = collections.Counter()
        sys.addaudithook(lambda event, args: opened.update([str(args[0])]) if event == "open" else None)
        sys.argv = ["setlist", "lock"]
        from setlist.cli.main import main
        code = main()
        names = ("reqs.txt", "pyproject.toml")
        counts = {name: sum(n for path, n in opened.items() if path.endswith(name)) for name in names}
        open("opened", "w").write(repr((code, counts)))
        """,
    )
    done = subprocess.run([sys.executable, "watch.py"], cwd=project.path, capture_output=True, text=True)
    assert done.stderr == "locks: 150 current\n"
    code, counts = eval(opened.read_text())
    assert code == 0
    assert counts["reqs.txt"] == 1
    assert counts["pyproject.toml"] <= 3
