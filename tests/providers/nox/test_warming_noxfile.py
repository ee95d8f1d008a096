"""What has to be as it was for a noxfile's session to be done again, and what isn't to be written down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setlist.core.model import Origin, SessionSpec
from setlist.providers.nox.backends import provided
from setlist.providers.nox.warming_noxfile import searched, tells_what_it_read
from setlist.runner.command import Invocation

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no records there")


def command(*argv: str, name: str | None = None, **environ: str) -> Invocation:
    words = (name or os.path.basename(argv[0]), *argv[1:])
    return Invocation(words=words, argv=argv, environ=environ, cwd=Path("/"))


def test_each_place_before_the_one_where_it_was_found(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("bin", "one", "two", "three")]
    environ = {"PATH": os.pathsep.join(map(str, places[1:]))}
    found = command(str(places[2] / "tool"))
    assert searched([found], places[0], environ) == [str(places[0] / "tool"), str(places[1] / "tool")]
    assert searched([command(str(places[0] / "tool"))], places[0], environ) == []
    assert searched([command("/opt/x/tool", name="/opt/x/tool")], places[0], environ) == []


@pytest.mark.parametrize("lies", ["file", "link to nowhere"])
def test_something_that_lies_before_it(tmp_path: Path, lies: str) -> None:
    (tmp_path / "one").mkdir()
    if lies == "file":
        (tmp_path / "one" / "tool").write_text("")
    else:
        (tmp_path / "one" / "tool").symlink_to("nowhere")
    environ = {"PATH": os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")])}
    assert searched([command(str(tmp_path / "two" / "tool"))], tmp_path / "bin", environ) is None


@pytest.mark.parametrize("path", ["", "relative:/opt/x", "/elsewhere"])
def test_search_that_cant_be_followed(tmp_path: Path, path: str) -> None:
    assert searched([command("/opt/x/tool")], tmp_path, {"PATH": path}) is None
    assert searched([command("./tool")], tmp_path, {"PATH": path}) is None


@pytest.mark.parametrize(
    ("invocation", "tells"),
    [
        (command("/x/tool", "--token=hunter2"), True),
        (command("/x/tool", TOKEN="hunter2", OTHER="Bearer hunter2"), True),
        (command("/x/tool", TOKEN="hunter2"), False),
        (command("/x/tool", "/home/me", "yes"), False),
        (command("/x/tool", "not-looked-at"), False),
    ],
    ids=["an argument", "another variable", "the same variable", "what is no secret", "what it didn't look at"],
)
def test_values_of_variables(invocation: Invocation, tells: bool) -> None:
    reads = ("TOKEN", "HOME", "SHORT", "UNSET")
    data = provided(file="noxfile.py", backend=None, venv_params=(), runs_in=None, reads=reads)
    session = SessionSpec(
        name="lint", family="lint", origin=Origin("noxfile.py"), provider="nox", aliases=("lint",), provided=data
    )
    environ = {"TOKEN": "hunter2", "HOME": "/home/me", "SHORT": "yes", "OTHER_SECRET": "not-looked-at"}
    assert tells_what_it_read(session, [invocation], environ) is tells
