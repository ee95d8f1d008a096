"""What is understood of the lines of uv and pip, and what is left of them when they fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.environment.installer_output import InstallerOutput, PipOutput, UvOutput

UV = """\
Using Python 3.11.7 environment at: v
Resolved 18 packages in 380ms
   Updating https://example.org/team/tool.git (HEAD)
    Updated https://example.org/team/tool.git (1f2e3d)
Downloading numpy (16.1MiB)
   Building docopt==0.6.2
   Building myproj @ file:///tmp/proj
 Downloaded numpy
      Built docopt==0.6.2
      Built myproj @ file:///tmp/proj
Prepared 17 packages in 1.30s
Uninstalled 1 package in 2ms
Installed 18 packages in 247ms
 - attrs==25.1.0
 + attrs==26.1.0
 + myproj==1 (from file:///tmp/proj)
 ~ tool==2.0
"""

PIP = """\
Looking in links: /wheels
Processing ./proj
  Preparing metadata (pyproject.toml): started
Collecting numpy
  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl (16.9 MB)
Collecting docopt==0.6.2
  Downloading docopt-0.6.2.tar.gz (25 kB)
Building wheels for collected packages: docopt
  Building wheel for docopt (pyproject.toml): started
  Building wheel for docopt (pyproject.toml): finished with status 'done'
Installing collected packages: docopt, numpy
Successfully installed docopt-0.6.2 numpy-2.4.6
"""

ERROR = """\
error: No solution found when resolving dependencies
  cause: Because alpha was not found
 - alpha==1.0 is what was asked for
Resolved 2 packages in 1ms

hint: look elsewhere
"""


class Told:
    """Notes what is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: str, *, packages: tuple[str, ...] = (), size: int = 0, count: int | None = None) -> None:
        words = [step, *packages, *([f"{size} bytes"] if size else []), *([] if count is None else [f"of {count}"])]
        self.steps.append(" ".join(words))


def read(kind: type[InstallerOutput], text: str, stream: Any, at_once: int = 1) -> tuple[list[str], InstallerOutput]:
    """What is told of an output that comes in lines, so many at once."""
    told = Told()
    output = kind(told, "resolving")
    lines = text.splitlines(keepends=True)
    for start in range(0, len(lines), at_once):
        output.take(stream, "".join(lines[start : start + at_once]).encode())
    output.end()
    return told.steps, output


def test_uv_names_what_takes_long() -> None:
    steps, output = read(UvOutput, UV, "stderr")
    assert steps == [
        "resolving",
        "preparing of 18",
        "downloading tool of 18",
        "preparing of 18",
        "downloading numpy 16882073 bytes of 18",
        "building docopt myproj of 18",
        "building myproj of 18",
        "preparing of 18",
        "installing of 17",
        "done",
    ]
    assert output.words == b""


def test_pip_names_one_at_a_time() -> None:
    steps, output = read(PipOutput, PIP, "stdout")
    assert steps == [
        "resolving",
        "downloading numpy 16900000 bytes",
        "resolving",
        "downloading docopt 25000 bytes",
        "building docopt",
        "resolving",
        "installing of 2",
        "done",
    ]
    output.take("stderr", b"ERROR: no matching distribution\n")
    assert output.words == b"ERROR: no matching distribution\n"
    assert output.stdout == b""


def test_what_comes_at_once_is_told_once() -> None:
    steps, _ = read(UvOutput, UV, "stderr", at_once=100)
    assert steps == ["resolving", "installing of 17", "done"]


@pytest.mark.parametrize("before", ["", UV, "warning: `tool.uv` isn't read\n", "Resolved 1 package in 2ms\n"])
def test_an_error_stays_whole_from_its_first_line(before: str) -> None:
    _, output = read(UvOutput, before + ERROR, "stderr")
    assert output.words.decode() == ERROR


@given(st.lists(st.integers(1, 40), max_size=20))
def test_it_does_not_matter_how_the_bytes_come(sizes: list[int]) -> None:
    told, data = Told(), (UV + ERROR).encode()
    output = UvOutput(told, "resolving")
    for size in sizes:
        output.take("stderr", data[:size])
        data = data[size:]
    output.take("stderr", data)
    output.end()
    assert output.words.decode() == ERROR
    assert told.steps[-2:] == ["installing of 17", "done"]


def test_a_last_line_without_an_end_is_kept() -> None:
    assert read(UvOutput, "error: cut of", "stderr")[1].words == b"error: cut of\n"
