"""Frozen requirements name exactly what is there, in a form that pip takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.model import Interpreter, Origin, SessionSpec
from setlist.core.project import Project
from setlist.environment.freeze import Installed, frozen_text, installed

PYTHON = Interpreter("/py", "3.11.7", "cpython", False, "x86_64", "1:2:3", "on PATH")
SESSION = SessionSpec(name="test-py311", family="test", origin=Origin("pyproject.toml"))


def frozen(root: Path, *items: Installed, direct: tuple[str, ...] = ()) -> list[str]:
    return frozen_text(SESSION, PYTHON, items, direct, Project(root)).splitlines()


def test_the_header_says_whose_they_are(tmp_path: Path) -> None:
    lines = frozen(tmp_path)
    assert lines[0].startswith("# test-py311: frozen by setlist ")
    assert "python 3.11.7 (cpython)" in lines[1]
    assert "x86_64" in lines[1]


def test_direct_and_transitive_are_told_apart(tmp_path: Path) -> None:
    lines = frozen(tmp_path, Installed("Alpha", "1.0"), Installed("beta", "2.0"), direct=("alpha",))
    assert lines[-5:] == ["# asked for", "Alpha==1.0", "", "# brought in by these", "beta==2.0"]


def test_the_installers_own_pip_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    assert not any("pip==" in line for line in frozen(tmp_path, Installed("pip", "25.0")))
    assert "pip==25.0" in frozen(tmp_path, Installed("pip", "25.0"), direct=("pip",))


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            Installed("a", "1", "git+https://example.invalid/a.git", revision="abc"),
            "a @ git+https://example.invalid/a.git@abc",
        ),
        (Installed("a", "1", "https://example.invalid/a-1.whl"), "a @ https://example.invalid/a-1.whl"),
    ],
)
def test_what_came_by_url_is_named_by_url(tmp_path: Path, item: Installed, line: str) -> None:
    assert line in frozen(tmp_path, item)


def test_local_projects_are_named_as_such(tmp_path: Path) -> None:
    root = tmp_path / "root"
    wheel = root / STATE_DIRECTORY / "builds" / "x" / "wheel" / "demo-1.0-py3-none-any.whl"
    lines = frozen(
        root,
        Installed("demo", "1.0", root.as_uri(), editable=True),
        Installed("lib", "2.0", (root / "libs" / "lib").as_uri()),
        Installed("next", "3.0", (tmp_path / "next").as_uri(), editable=True),
        Installed("built", "1.0", wheel.as_uri()),
    )
    assert lines[-4:] == [
        "-e .  # demo 1.0",
        "./libs/lib  # lib 2.0",
        "-e ../next  # next 3.0",
        ".  # built 1.0, built as a wheel",
    ]
    assert any("from the project's root" in line for line in lines)


def _dist(site: Path, name: str, version: str, direct_url: str | None = None) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if direct_url is not None:
        (info / "direct_url.json").write_text(direct_url)


def test_the_path_of_an_editable_project_is_quoted_as_pip_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a lib"
    lines = frozen(tmp_path, Installed("lib", "1", path.as_uri(), editable=True), Installed("x", "1", path.as_uri()))
    assert "-e './a lib'  # lib 1" in lines
    assert "./a lib  # x 1" in lines


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (
            "Metadata-Version: 2.1\nLicense: long\n  Name: not me\nName: real\nVersion: 1.0\n",
            (Installed("real", "1.0"),),
        ),
        ("Metadata-Version: 2.1\n\nName: in-the-text\nVersion: 1.0\n", ()),
        ("Metadata-Version: 2.1\nName: no-version\n", ()),
    ],
)
def test_only_the_header_of_metadata_counts(tmp_path: Path, metadata: str, found: tuple[Installed, ...]) -> None:
    info = tmp_path / "x-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata)
    assert installed([tmp_path]) == found


def test_installed_reads_the_distributions_own_words(tmp_path: Path) -> None:
    _dist(tmp_path, "zeta", "1.0")
    _dist(tmp_path, "Alpha", "2.0", '{"url": "file:///x", "dir_info": {"editable": true}}')
    _dist(tmp_path, "vcs", "3.0", '{"url": "https://h.invalid/r", "vcs_info": {"vcs": "git", "commit_id": "abc"}}')
    _dist(tmp_path, "odd", "4.0", "not json")
    _dist(tmp_path, "odder", "5.0", "[]")
    (tmp_path / "broken-1.0.dist-info").mkdir()
    assert installed([tmp_path]) == (
        Installed("Alpha", "2.0", "file:///x", editable=True),
        Installed("odd", "4.0"),
        Installed("odder", "5.0"),
        Installed("vcs", "3.0", "git+https://h.invalid/r", revision="abc"),
        Installed("zeta", "1.0"),
    )
