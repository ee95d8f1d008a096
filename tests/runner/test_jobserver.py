"""The jobserver, with real makes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from setlist.core.model import Origin, SessionSpec
from setlist.runner.jobserver import Jobserver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make isn't installed")


def session(name: str, *, jobserver: bool = True, exclusive: bool = False) -> SessionSpec:
    return SessionSpec(name=name, family=name, origin=Origin("x"), jobserver=jobserver, exclusive=exclusive)


@contextmanager
def serving(cpus: int, at_once: int) -> Iterator[Jobserver]:
    server = Jobserver(cpus, at_once)
    try:
        yield server
    finally:
        server.close()


def in_the_pipe(server: Jobserver) -> int:
    """How many tokens lie there: they are taken out, counted, and put back."""
    read, write = server.descriptors
    os.set_blocking(read, False)
    try:
        found = os.read(read, 4096)
    except BlockingIOError:
        return 0
    os.write(write, found)
    return len(found)


def until(server: Jobserver, count: int) -> int:
    """How many tokens lie there, once there are so many, or after a while."""
    for _ in range(200):
        if in_the_pipe(server) == count:
            break
        time.sleep(0.01)
    return in_the_pipe(server)


def test_there_is_a_token_for_each_processor_that_no_session_has() -> None:
    with serving(8, 2) as server:
        one, two = session("one"), session("two")
        server.started(one)
        assert in_the_pipe(server) == 7
        server.started(two)
        assert in_the_pipe(server) == 6
        server.ended(one)
        assert in_the_pipe(server) == 7


def test_one_that_takes_no_part_has_its_share() -> None:
    with serving(8, 2) as server:
        server.started(session("one"))
        server.started(session("plain", jobserver=False))
        assert in_the_pipe(server) == 3
        server.ended(session("plain", jobserver=False))
        assert in_the_pipe(server) == 7


def test_more_sessions_than_processors_leave_no_token() -> None:
    with serving(2, 4) as server:
        for name in "abcd":
            server.started(session(name))
        assert in_the_pipe(server) == 0
        for name in "abc":
            server.ended(session(name))
        assert in_the_pipe(server) == 1


def test_tokens_in_use_are_taken_out_when_they_come_back() -> None:
    with serving(4, 2) as server:
        server.started(session("one"))
        read, write = server.descriptors
        held = os.read(read, 3)
        server.started(session("plain", jobserver=False))
        os.write(write, held)
        assert until(server, 1) == 1
        server.ended(session("plain", jobserver=False))
        assert in_the_pipe(server) == 3


def test_tokens_that_a_killed_make_had_are_there_for_the_next_session() -> None:
    with serving(4, 1) as server:
        server.started(session("one"))
        assert len(os.read(server.descriptors[0], 2)) == 2
        server.ended(session("one"))
        server.started(session("two"))
        assert in_the_pipe(server) == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", " {}"),
        ("k", "k {}"),
        ("-k", " -k {}"),
        (" -j8 --jobserver-auth=5,6 --no-print-directory", " --no-print-directory {}"),
        ("ks -j --jobserver-fds=5,6 -- CC=gcc V=1", "ks {} -- CC=gcc V=1"),
        (" -- V=1", " {} -- V=1"),
    ],
)
def test_the_users_own_flags_stay(before: str, after: str) -> None:
    with serving(3, 1) as server:
        pipe = ",".join(map(str, server.descriptors))
        ours = f"-j3 --jobserver-fds={pipe} --jobserver-auth={pipe}"
        assert server.environ({"MAKEFLAGS": before} if before else {}) == {"MAKEFLAGS": after.format(ours)}


MAKEFILE = """\
all: {names}
{names}:
\t@echo + >> {log}; sleep 0.1; echo - >> {log}
"""


def makefile(directory: Path, log: Path, jobs: int) -> Path:
    directory.mkdir()
    names = " ".join(f"job{number}" for number in range(jobs))
    (directory / "Makefile").write_text(MAKEFILE.format(names=names, log=log), encoding="ascii")
    return directory


def start_make(server: Jobserver, directory: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["make"],
        cwd=directory,
        env={**environ, **server.environ(environ)},
        pass_fds=server.descriptors,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def most_at_once(log: Path) -> int:
    running = most = 0
    for line in log.read_text(encoding="ascii").split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert running == 0
    return most


@needs_make
def test_two_makes_use_all_processors_and_no_more(tmp_path: Path) -> None:
    environ = dict(os.environ)
    environ.pop("MAKEFLAGS", None)
    log = tmp_path / "log"
    with serving(3, 2) as server:
        for name in ("one", "two"):
            # both, before either starts: tokens that a make has taken by then are taken back only when it returns them
            server.started(session(name))
        for make in [start_make(server, makefile(tmp_path / name, log, 8), environ) for name in ("one", "two")]:
            _, told = make.communicate(timeout=60)
            assert make.returncode == 0
            assert told == b""  # not "jobserver unavailable: using -j1"
        assert most_at_once(log) == 3
        assert in_the_pipe(server) == 1


@needs_make
def test_after_a_make_was_killed_the_next_one_has_all_processors(tmp_path: Path) -> None:
    environ = dict(os.environ)
    environ.pop("MAKEFLAGS", None)
    with serving(4, 1) as server:
        server.started(session("one"))
        make = start_make(server, makefile(tmp_path / "one", tmp_path / "first", 40), environ)
        assert until(server, 0) == 0
        os.killpg(make.pid, signal.SIGKILL)
        make.communicate()
        server.ended(session("one"))
        server.started(session("two"))
        log = tmp_path / "second"
        make = start_make(server, makefile(tmp_path / "two", log, 8), environ)
        make.communicate(timeout=60)
        assert most_at_once(log) == 4
