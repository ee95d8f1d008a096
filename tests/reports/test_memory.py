"""A session that prints a lot costs no more memory than one that prints little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no resource module there")]

PROGRAM = """
import os, resource, sys
from pathlib import Path
from setlist.core.project import Project
from setlist.reports.board import Board
from setlist.reports.group import Group
from setlist.reports.logs import Logs
from setlist.reports.stream import Stream
from setlist.reports.terminal import Terminal
from support.told import began, ended, run, wrote

def peak():
    # kilobytes on Linux, bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024) / 1024

project = Project(Path.cwd())
project.prepare()
nothing = Terminal(open(os.devnull, "w"))
logs = Logs(project)
readers = [logs, *(kind(nothing, nothing, **more) for kind, more in (
    (Group, {"directory": project.state}), (Board, {"directory": project.state}), (Stream, {})))]
line = "\\x1b[32m" + "x" * 90 + "\\x1b[0m\\n"
chunk = wrote("loud", line * 600)

def feed(mebibytes):
    # not the first of the plan: its block has to wait
    events = run("quiet", "loud", jobs=2)
    begin, end = events()
    pieces = [chunk] * (mebibytes * 2**20 // len(chunk.data))
    for event in (begin, began("quiet"), began("loud"), *pieces, ended("loud"), ended("quiet"), end):
        for reader in readers:
            reader(event)

feed(1)
before = peak()
feed(200)
for reader in readers[1:]:
    reader.close()
size = project.log("loud").stat().st_size
print(peak() - before, size)
"""


def test_two_hundred_mebibytes_pass_without_staying(tmp_path: Path) -> None:
    import os

    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tests)},
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    grown, size = map(float, done.stdout.split())
    assert size > 199 * 2**20
    assert grown < 25
