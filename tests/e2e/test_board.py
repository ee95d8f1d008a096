"""Several sessions at once at a real terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder, installed

pexpect = pytest.importorskip("pexpect")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")]

SESSIONS = """
    [tool.setlist.defaults]
    backend = "none"
    [tool.setlist.session.told]
    run = [["python3", "-c", "import os; e = os.environ.get; print(e('FORCE_COLOR'), e('COLUMNS'), e('LINES'))"]]
    [tool.setlist.session.other]
    run = ["python3 -V"]
    [tool.setlist.session.slow]
    run = [["python3", "slow.py"]]
"""

SLOW = """
    import signal, time
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print("\\033[31mat work", end="", flush=True)
    time.sleep(60)
"""


def spawn(project: ProjectFolder, *argv: str, **env: str) -> Any:
    program, *rest = installed("run")
    environ = {**os.environ, "TERM": "xterm-256color", **env}
    return pexpect.spawn(
        program,
        [*rest, "-j", "2", *argv],
        cwd=str(project.path),
        env=environ,
        encoding="utf-8",
        timeout=30,
        dimensions=(24, 100),
    )


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whatever_ends_the_run_the_terminal_is_as_it_was(project: ProjectFolder, signum: int, code: int) -> None:
    project.sessions(SESSIONS)
    project.write("slow.py", SLOW)
    child = spawn(project, "told", "slow")
    # one has ended, and the other is on the board: its block comes when it has ended as well. Which is seen first
    # depends on the machine, so the text is searched from its beginning each time
    before = ""
    while not ("1/2 done" in before and "  at work" in before):
        before += child.read_nonblocking(4096, timeout=30)
    if signum == signal.SIGINT:
        child.sendintr()
    else:
        child.kill(signum)
    text = before + child.read()
    child.close()
    # run as a shell would say it, or ended by the signal itself
    assert (child.exitstatus or 128 + child.signalstatus) == code
    assert "1 100 24" in text
    # the block of what was interrupted is whole, its colour closed, and below stands the summary
    end = text[text.rindex("\x1b[31mat work") :].replace("\r", "")
    assert end.startswith("\x1b[31mat work\x1b[0m\n")
    plain = re.sub(r"\x1b\[[0-9;]*[mAK]", "", end)
    assert re.search(r"^told +ok", plain, re.MULTILINE)
    assert f"log: {STATE_DIRECTORY}/logs/slow.log\n" in plain
    # nothing but colours, and going up and erasing lines: no cursor hidden, no other screen
    assert "\x1b" not in plain
    assert "\x1b[?" not in text
    assert plain.splitlines()[-1] == "1 ok, 1 interrupted in " + plain.rpartition(" in ")[2].strip()


def test_a_dumb_terminal_gets_blocks_and_no_control_sequence(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    child = spawn(project, "told", "other", TERM="dumb")
    text = child.read()
    child.close()
    assert child.exitstatus == 0
    assert "\x1b" not in text
    assert "None 100 24" in text
