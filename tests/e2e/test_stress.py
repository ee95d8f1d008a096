"""Signals at any moment of a run of many sessions: nothing stays behind, and the next run finds all as it should be.

The moments are drawn by chance; what was drawn is printed. ``SETLIST_STRESS_MOMENTS`` says how many there are (12),
``SETLIST_STRESS_SEED`` draws the same ones again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ProjectFolder, installed
from support.strays import PATIENCE, Strays, until

MOMENTS = int(os.environ.get("SETLIST_STRESS_MOMENTS", "12"))
SEED = int(os.environ.get("SETLIST_STRESS_SEED", "0")) or random.randrange(1, 10**6)
PARTS = 2
"""Tests among which the moments are shared, so that they can be run side by side."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120 + 10 * MOMENTS),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

# Starts processes of every kind and says that they are there; 'quick' is in a hurry.
TREE = """
import os, shutil, signal, sys, time

if "quick" in sys.argv:
    raise SystemExit
stray = os.environ["STRAY"]
tail = shutil.which("tail")
deaf_to = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

def start(*, leaves=False, deaf=False, forgets=False):
    if os.fork():
        return
    if leaves:
        os.setsid()
        if os.fork():
            os._exit(0)
    for signum in deaf_to if deaf else ():
        signal.signal(signum, signal.SIG_IGN)
    os.execve(tail, ["tail", "-f", stray], {} if forgets else os.environ)

if "deaf" in sys.argv:
    for signum in deaf_to:
        signal.signal(signum, signal.SIG_IGN)
start()
start(deaf=True)
start(leaves=True)
start(leaves=True, deaf=True)
if sys.platform == "linux":
    start(leaves=True, forgets=True)
open(stray + "." + sys.argv[1], "w").close()
time.sleep(100)
"""

SESSIONS = """
[tool.setlist]
interrupt-grace = 0.3
terminate-grace = 0.3
[tool.setlist.session.brief]
backend = "none"
external = ["true"]
run = ["true", "true", "true", "true"]
[tool.setlist.session.warm]
deps = ["alpha==1.0"]
run = ["python -c pass", "python tree.py warm deaf {{posargs}}"]
[tool.setlist.session.cold]
deps = ["tool=={version}.0", "delta==1.0"]
run = ["python tree.py cold {{posargs}}"]
"""

FUNCTION = """
import subprocess
from setlist import session

@session(backend="none")
def function(s):
    if not s.posargs:
        subprocess.Popen(["sh", "-c", "tail -f $STRAY & wait"], start_new_session=True)
    s.run("python", "tree.py", "function", *s.posargs, external=True)
"""

LEADERS = ("warm", "cold", "function")


class Stress(ProjectFolder):
    """The project, and the processes of its runs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.strays = Strays(path.parent)
        self.write("tree.py", TREE)
        self.write("sessions/function.py", FUNCTION)
        self.version(1)

    def version(self, number: int) -> None:
        """Change what the cold session's environment is made from."""
        self.sessions(SESSIONS.format(version=number))
        self.cold = number

    def start(self, *, terminal: bool) -> Running:
        """Start all sessions; they don't end by themselves."""
        for leader in LEADERS:
            self._told(leader).unlink(missing_ok=True)
        return Running(self, terminal=terminal)

    def steady(self) -> bool:
        """Whether everything that is started is there."""
        return all(self._told(leader).exists() for leader in LEADERS)

    def _told(self, leader: str) -> Path:
        return Path(f"{self.strays.file}.{leader}")


class Running:
    """A run, with or without a terminal of its own."""

    def __init__(self, project: Stress, *, terminal: bool) -> None:
        self.said = bytearray()
        ours, theirs = os.openpty() if terminal else os.pipe()
        self._settings = _terminal_settings(theirs) if terminal else None
        self.process = subprocess.Popen(
            [*installed("run"), "-j", "3"],
            cwd=project.path,
            env={**os.environ, **project.strays.variables, "TERM": "xterm"},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_control_terminal if terminal else None,
        )
        self._terminal = theirs if terminal else None
        if not terminal:
            os.close(theirs)
        self._ours = ours
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def signal(self, name: str, pause: float) -> None:
        """Do to it what a way to interrupt it is called."""
        if name == "CTRL-C" and self._terminal is not None:
            os.write(self._ours, b"\x03")
        elif name == "INT INT":
            self.process.send_signal(signal.SIGINT)
            time.sleep(pause)
            self.process.send_signal(signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT if name == "CTRL-C" else signal.Signals[f"SIG{name}"])

    def wait(self) -> int:
        """Its exit code, as a shell shows it."""
        code = self.process.wait(PATIENCE)
        return code if code >= 0 else 128 - code

    def is_deaf(self) -> bool:
        """Whether an interrupt came while Python itself was starting, and Python has lost it: it says so."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            lost = (b"Exception ignored in", b"Failed checking if argv[0] is an import path entry")
            return any(words in self.said for words in lost)
        return False

    def close(self) -> str:
        """What it has said. Nobody holds its output open any more, and its terminal is as it was."""
        if self._terminal is not None:
            assert _terminal_settings(self._terminal) == self._settings
            os.close(self._terminal)
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive()
        os.close(self._ours)
        return self.said.decode(errors="replace")

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # the other side of a terminal is closed
                return
            if not data:
                return
            self.said += data


def _terminal_settings(descriptor: int) -> object:
    import termios

    return termios.tcgetattr(descriptor)


def _control_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


CODES = {"INT": 130, "CTRL-C": 130, "INT INT": 130, "TERM": 143, "HUP": 129, "KILL": 137}


@pytest.fixture
def stress(tmp_path: Path, wheelhouse: Path) -> Iterator[Stress]:
    stress = Stress(tmp_path / "project")
    stress.run("-j", "3", "--", "quick", check=True)
    yield stress
    stress.strays.end()


@pytest.mark.parametrize("part", range(PARTS))
def test_a_signal_at_any_moment_leaves_nothing_behind(stress: Stress, part: int) -> None:
    chance = random.Random(SEED + part)
    began = time.monotonic()
    steady = stress.start(terminal=False)
    until(stress.steady)
    horizon = 1.3 * (time.monotonic() - began)
    steady.process.kill()
    steady.wait()
    until(lambda: not stress.strays.alive())
    steady.close()
    for number in range(part, MOMENTS, PARTS):
        moment = chance.uniform(0.0, horizon)
        name = chance.choice(list(CODES))
        terminal = chance.random() < 0.5
        change = chance.choice(("nothing", "nothing", "no environment", "another version"))
        what = f"seed {SEED}: moment {number}: {name} after {moment:.3f}s, terminal: {terminal}, changed: {change}"
        print(what, flush=True)
        if change == "no environment":
            shutil.rmtree(stress.environment("cold"))
        elif change == "another version":
            stress.version(3 - stress.cold)
        running = stress.start(terminal=terminal)
        time.sleep(moment)
        running.signal(name, chance.uniform(0.21, 0.6))
        if running.is_deaf():
            name = "TERM"
            running.signal(name, 0.0)
        code = running.wait()
        if running.process.returncode < 0:
            # before or after it handled signals, it dies of them, and the guardian does the rest
            until(lambda: not stress.strays.alive(), what)
        assert stress.strays.shown() == [], what
        said = running.close()
        # Python's own start isn't ours to be interrupted in
        assert code == CODES[name] or "Fatal Python error: init" in said, f"{what}\n{said}"
        _check_environments(stress, what)


def _check_environments(stress: Stress, what: str) -> None:
    """The next run passes, and finds nothing wrong but what is."""
    done = stress.run("-j", "3", "--", "quick")
    assert done.code == 0, f"{what}\n{done}"
    ready = {event["session"]: event for event in stress.history() if event["event"] == "environment-ready"}
    assert ready["warm"]["action"] == "reused", f"{what}\n{done}"
    reasons = " ".join(ready["cold"]["reasons"])
    if ready["cold"]["action"] == "repaired":
        assert reasons == "an earlier run was cut off while making it", f"{what}\n{done}"
    else:
        assert "by hand" not in reasons, f"{what}\n{done}"
    assert stress.installed("warm") == {"alpha": "1.0", "beta": "2.0"}
    assert stress.installed("cold") == {"tool": f"{stress.cold}.0", "delta": "1.0"}
    assert all((stress.environment(name) / "state").exists() for name in ("warm", "cold"))
