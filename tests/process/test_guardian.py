"""When we are killed, what we started ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from setlist.core.errors import CommandRefused
from setlist.process import guardian
from setlist.process.guardian import MARK, guarding, note_ended, note_started, note_starting
from setlist.process.spawn import run_process
from setlist.process.tree import ProcessTree, end_all, run_guardian
from support.strays import PATIENCE, Strays, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell that listens at a pipe")

# Starts some processes that end and some that stay, says so, and waits.
DRIVER = textwrap.dedent(
    """
    import json, os, subprocess, sys, time
    from setlist.process.guardian import guarding, note_ended, note_started, note_starting
    from setlist.process.guardian import MARK

    order = json.loads(sys.argv[1])

    def start(argv):
        mark = os.urandom(8).hex()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        note_starting(mark)
        popen = subprocess.Popen(argv, env={**os.environ, MARK: mark}, start_new_session=True, **quiet)
        note_started(mark, popen.pid, own_group=True)
        return popen, mark

    with guarding(order["grace"]):
        for argv in order.get("ending", ()):
            popen, mark = start(argv)
            popen.wait()
            note_ended(mark)
        for argv in order.get("staying", ()):
            start(argv)
        if order.get("forks") and os.fork() == 0:
            os.setsid()
            for descriptor in (0, 1, 2):
                os.close(descriptor)
            time.sleep(60)
        print("there", flush=True)
        time.sleep(60)
    """
)

FAMILY = ("sh", "-c", "sh -c 'tail -f $STRAY & wait' & wait")
DEAF = ("sh", "-c", "trap '' INT TERM HUP; tail -f $STRAY; sleep 60")
LEAVES = "import os; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); "
DAEMON = (sys.executable, "-c", LEAVES + "os.execvp('tail', ['tail', '-f', os.environ['STRAY']])")
FORGETFUL = (sys.executable, "-c", LEAVES + "os.execvpe('tail', ['tail', '-f', os.environ['STRAY']], {})")


@pytest.fixture
def strays(tmp_path: Path) -> Iterator[Strays]:
    strays = Strays(tmp_path)
    yield strays
    strays.end()


class Driver:
    """A process that is guarded, and that can be killed."""

    def __init__(self, strays: Strays, **order: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps({"grace": 0.1, **order})],
            env={**os.environ, **strays.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"there\n"

    @property
    def guardian(self) -> psutil.Process:
        """The process that listens. While a process starts its program, it has no words for a moment."""
        children = psutil.Process(self.process.pid).children
        guardian: psutil.Process = until(
            lambda: next((child for child in children() if "setlist-guardian" in child.cmdline()), None)
        )
        return guardian

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def drive(strays: Strays) -> Iterator[Callable[..., Driver]]:
    """Starts a driver."""
    with ExitStack() as started:

        def start(**order: Any) -> Driver:
            driver = Driver(strays, **order)
            started.enter_context(driver.process)
            started.callback(driver.process.kill)
            return driver

        yield start


@pytest.mark.parametrize("program", [FAMILY, DEAF, DAEMON], ids=["family", "deaf", "daemon"])
def test_what_runs_when_we_are_killed_ends(
    strays: Strays, drive: Callable[..., Driver], program: tuple[str, ...]
) -> None:
    driver = drive(staying=[program])
    until(lambda: "tail" in strays.names())
    driver.kill()
    until(lambda: not strays.alive(), "all are gone, the guardian too")


def test_a_daemon_of_one_that_has_ended_stays_and_others_end(strays: Strays, drive: Callable[..., Driver]) -> None:
    driver = drive(ending=[DAEMON, FORGETFUL], staying=[FAMILY])
    until(lambda: strays.names().count("tail") == 3)
    driver.kill()
    until(lambda: strays.names() == ["tail", "tail"])


def test_whoever_reads_what_we_print_doesnt_wait_for_the_guardian(strays: Strays, drive: Callable[..., Driver]) -> None:
    driver = drive(staying=[DEAF], grace=PATIENCE)
    driver.kill()
    assert driver.process.stdout is not None
    began = time.monotonic()
    assert driver.process.stdout.read() == b""
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_guardian_holds_nothing_open_but_its_pipe(strays: Strays, tmp_path: Path) -> None:
    with (tmp_path / "handed-down").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with guarding(0.1):
            listening = guardian._HOLDER.guardian
            assert listening is not None
            held = f"/proc/{listening.pid}/fd"
            # while it starts it reads its libraries
            until(lambda: sorted(os.listdir(held)) == ["0", "1", "2"])
            assert os.readlink(f"{held}/0").startswith("pipe:")
            assert os.readlink(f"{held}/1") == os.readlink(f"{held}/2") == os.devnull


def test_a_process_that_a_library_forked_doesnt_keep_the_guardian_waiting(
    strays: Strays, drive: Callable[..., Driver]
) -> None:
    driver = drive(staying=[FAMILY], forks=True)
    until(lambda: "tail" in strays.names())
    driver.kill()
    until(lambda: not {"tail", "sh"}.intersection(strays.names()))


def test_signals_leave_the_guardian_cold(strays: Strays, drive: Callable[..., Driver]) -> None:
    driver = drive(staying=[FAMILY])
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        driver.guardian.send_signal(signum)
    until(lambda: "tail" in strays.names())
    driver.kill()
    until(lambda: not strays.alive())


def test_at_a_normal_end_the_guardian_is_gone_at_once() -> None:
    with guarding(60):
        listening = guardian._HOLDER.guardian
        assert listening is not None
        assert os.waitpid(listening.pid, os.WNOHANG) == (0, 0)
        with guarding(60):
            assert guardian._HOLDER.guardian is listening, "one is enough"
        assert guardian._HOLDER.guardian is listening
    with pytest.raises(ChildProcessError):
        os.waitpid(listening.pid, os.WNOHANG)
    assert guardian._HOLDER.guardian is None


def test_a_guardian_that_was_killed_or_stopped_hinders_nobody() -> None:
    for signum in (signal.SIGKILL, signal.SIGSTOP):
        with guarding(60):
            listening = guardian._HOLDER.guardian
            assert listening is not None
            os.kill(listening.pid, signum)
            for _ in range(5000):  # more than a pipe holds
                note_ended("0123456789abcdef")
        with pytest.raises(ChildProcessError):
            os.waitpid(listening.pid, os.WNOHANG)


def test_without_a_shell_there_is_no_guardian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "SHELL", "/no/such/shell")
    with guarding(60):
        assert guardian._HOLDER.guardian is None
        note_starting("0123456789abcdef")
        note_started("0123456789abcdef", 1, own_group=True)
        note_ended("0123456789abcdef")


def listened(*lines: str, tmp_path: Path) -> list[str]:
    """What the guardian's shell would hand on, had it heard some lines."""
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\nshift 3\nprintf "%s\\n" "$@"\n')
    show.chmod(0o755)
    argv = [guardian.SHELL, "-c", guardian.LISTEN, "name", str(show), "program", "1.0"]
    done = subprocess.run(argv, input="".join(line + "\n" for line in lines), stdout=subprocess.PIPE, text=True)
    return done.stdout.split("\n")[:-1]


def test_it_remembers_what_runs_and_nothing_else(tmp_path: Path) -> None:
    assert listened("+ a", "= a 1 1 5.0", "+ b", "= b 2 0 6.0", "- a", "+ c", tmp_path=tmp_path) == [
        "b 2 0 6.0",
        "c ",
    ]
    assert listened("+ a", "= a 1 1 5.0", "- a", tmp_path=tmp_path) == []
    assert listened(tmp_path=tmp_path) == []


def test_what_was_being_started_is_found_by_its_mark(strays: Strays) -> None:
    mark = os.urandom(8).hex()
    child = subprocess.Popen(["tail", "-f", strays.file], env={**os.environ, MARK: f"outer/{mark}"})
    run_guardian(["0.1", f"{mark} "])
    assert child.wait(PATIENCE) == -signal.SIGTERM


def test_a_number_that_was_given_away_is_nobody_of_ours(strays: Strays) -> None:
    child = subprocess.Popen(["tail", "-f", strays.file], start_new_session=True)
    birth = guardian.birth_of(child.pid)
    assert birth > 0
    # on Linux births are told apart, elsewhere one that came later is another one
    earlier = birth - 1 if sys.platform == "linux" else birth - 3600
    end_all([ProcessTree(child.pid, "", own_group=True, birth=earlier)], terminate=0.1)
    assert child.poll() is None
    end_all([ProcessTree(child.pid, "", own_group=True, birth=birth)], terminate=PATIENCE)
    assert child.wait(PATIENCE) == -signal.SIGTERM
    assert guardian.birth_of(child.pid) == 0 or sys.platform != "linux"


def test_one_that_is_missed_at_the_first_look_is_ended(strays: Strays, monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["tail", "-f", strays.file], start_new_session=True)
    looks: list[int] = []
    real = ProcessTree.find

    def find(tree: ProcessTree, **options: bool) -> list[Any]:
        looks.append(1)
        return [] if len(looks) == 1 else real(tree, **options)

    monkeypatch.setattr(ProcessTree, "find", find)
    end_all([ProcessTree(child.pid, "", own_group=True)], terminate=PATIENCE)
    assert child.wait(PATIENCE) == -signal.SIGTERM


def test_a_start_that_fails_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    with guarding(0.1):
        monkeypatch.setattr(guardian._Guardian, "send", lambda self, line: lines.append(line))
        with pytest.raises(CommandRefused):
            run_process(["/no/such/program"], env={}, cwd=Path.cwd())
    started, ended = lines
    assert started[0] == "+"
    assert ended == f"-{started[1:]}"
