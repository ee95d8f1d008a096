"""A worker that is started ahead: adopted by a process's run, or ended with what started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from setlist.process import prestart
from setlist.process.guardian import MARK
from setlist.process.spawn import Interrupted, handling_signals, run_process
from support.strays import Strays, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers are started ahead on POSIX")

ECHO = """
import os, sys
reader, writer = int(sys.argv[1]), int(sys.argv[2])
os.write(writer, f"{os.getcwd()} {os.environ['SETLIST_PROCESS']}\\n".encode())
while data := os.read(reader, 100):
    os.write(writer, data)
sys.exit(7)
"""

BLOCKED = """
import os, signal, sys
os.write(int(sys.argv[2]), f"{signal.pthread_sigmask(signal.SIG_BLOCK, ())}\\n".encode())
"""


MODULE = "setlist.providers.nox.nox_worker"


def start(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start a worker with a program of the test's."""
    monkeypatch.setattr(prestart, "program", lambda module: program)
    prestart.start(MODULE, own_group=True)


class Said:
    """The service of a worker: it says one line and hangs up."""

    def __init__(self, worker: prestart.Prestarted) -> None:
        self.reader = worker.reader
        self.inherited: tuple[int, ...] = ()
        self.finished = False
        self.lines = b""
        self._writer = worker.writer

    def started(self) -> None:
        os.write(self._writer, b"hello\n")
        os.close(self._writer)

    def ready(self) -> bool:
        try:
            data = os.read(self.reader, 100)
        except BlockingIOError:
            return False
        self.lines += data
        self.finished = not data
        return bool(data)


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    prestart.end()


def test_an_adopted_worker_runs_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, ECHO)
    here = Path.cwd()
    worker = prestart.adopt(MODULE, os.environ)
    assert worker is not None
    assert prestart.adopt(MODULE, os.environ) is None
    said = Said(worker)
    done = run_process(["unused"], env={}, cwd=here, service=said, prestarted=worker)
    outer = os.environ.get(MARK)
    mark = f"{outer}/{worker.mark}" if outer else worker.mark
    assert done.code == 7
    assert said.lines.decode() == f"{here} {mark}\nhello\n"


def test_a_worker_that_nobody_adopts_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, ECHO)
    (child,) = (child for child in psutil.Process().children() if ECHO in child.cmdline())
    prestart.end()
    assert not child.is_running()


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_worker_that_has_ended_is_not_adopted(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, program)
    started = prestart._HOLDER.worker  # what children() finds may have ended already
    assert started is not None
    child = psutil.Process(started.pid)
    until(lambda: child.status() == psutil.STATUS_ZOMBIE)
    assert prestart.adopt(MODULE, os.environ) is None
    assert not child.is_running()


def test_a_python_that_is_gone_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/dev/fd")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    start(monkeypatch, ECHO)
    assert prestart.adopt(MODULE, os.environ) is None
    prestart.end()
    assert os.listdir("/dev/fd") == before


def test_only_sigint_is_blocked_in_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, BLOCKED)
    worker = prestart.adopt(MODULE, os.environ)
    assert worker is not None
    assert os.read(worker.reader, 100) == b"{<Signals.SIGINT: 2>}\n"
    worker.discard()


def test_a_signal_before_a_process_is_awaited_ends_the_adopted_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, ECHO)
    worker = prestart.adopt(MODULE, os.environ)
    assert worker is not None
    with handling_signals():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            run_process(["unused"], env={}, cwd=Path.cwd(), service=Said(worker), prestarted=worker)
    assert worker.poll() == -signal.SIGTERM


def test_no_descriptor_of_the_caller_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    start(monkeypatch, ECHO)
    os.close(writer)
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.parametrize("change", ["module", "variable"])
def test_another_worker_is_not_adopted(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    start(monkeypatch, ECHO)
    if change == "module":
        assert prestart.adopt("setlist.other", os.environ) is None
    else:
        assert prestart.adopt(MODULE, {**os.environ, "OTHER": "1"}) is None
    assert prestart.adopt(MODULE, os.environ) is not None


def test_a_fork_of_the_process_leaves_the_worker_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    start(monkeypatch, ECHO)
    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a fork sees is another number
    worker = prestart._HOLDER.worker
    assert worker is not None
    assert prestart.adopt(MODULE, os.environ) is None
    prestart.end()
    assert worker.poll() is None
    worker.discard()


def test_a_killed_process_leaves_no_worker(tmp_path: Path) -> None:
    strays = Strays(tmp_path)
    driver = f"""
        import time
        from setlist.process import prestart
        prestart.start({MODULE!r}, own_group=True)
        print("started", flush=True)
        time.sleep(60)
    """
    options: Any = {"env": {**os.environ, **strays.variables}, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(driver)], **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        until(lambda: len(strays.alive()) == 2)
        process.kill()
    until(lambda: not strays.alive())
