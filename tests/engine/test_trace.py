"""The trace store: a value is given as long as what it was made from is as it was, and never longer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setlist.engine import trace, world
from setlist.engine.trace import Found, Stale, Store
from setlist.engine.world import (
    ACCESS,
    DEFINITIONS,
    DEFINITIONS_IN,
    FILE,
    IDENTITY,
    INSTALLED,
    KIND,
    MODULES,
    NAMES,
    PROJECT,
    STATUS,
    TREE,
    VARIABLE,
    VARIABLES,
    World,
)

OLD = 1_600_000_000_123_456_789
"""A time of files that nobody has written lately, in nanoseconds."""


def aged(path: Path) -> Path:
    """The file, with an old modification time. Its change time can't be set: it is a moment ago."""
    os.utime(path, ns=(OLD, OLD))
    return path


def settle() -> None:
    """Wait until the times of what was changed so far are trusted."""
    now = time.time_ns()
    while not world._is_settled(now | 1):
        time.sleep(0.001)


class Kept:
    """A value that was made from looks at a directory, and the store that it is in."""

    def __init__(self, tmp_path: Path, environ: Mapping[str, str] | None = None) -> None:
        self.root = tmp_path / "root"
        self.root.mkdir(exist_ok=True)
        self.directory = tmp_path / "store"
        self.environ = dict(environ or {})

    @property
    def store(self) -> Store:
        return Store(str(self.directory), str(self.root), self.environ)

    @property
    def world(self) -> World:
        return World(str(self.root), self.environ)

    def put(self, *looks: tuple[str, str], key: str = "a/b", value: object = "value") -> None:
        seen = self.world
        for kind, name in looks:
            seen.look(kind, str(self.root / name) if world.is_path(kind) else name)
        self.store.put(key, seen, value)

    @property
    def why(self) -> list[str] | None:
        """What differs; None where the value holds."""
        found = self.store.explain("a/b")
        return [str(each) for each in found.differences] if isinstance(found, Stale) else None


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path, {"HOME": "/home/me", "TERM": "dumb"})


def test_a_value_comes_back(kept: Kept) -> None:
    value: object = {"text": "ä\0", "numbers": (1, 2.5, None, True), "bytes": b"\xff", "list": [{}]}
    kept.put((FILE, "missing"), value=value)
    found = kept.store.get("a/b")
    assert isinstance(found, Found)
    assert found.value == value
    assert found.trace == ((FILE, "missing", None, None, "setlist"),)


def test_without_an_entry_nothing_differs(kept: Kept) -> None:
    found = kept.store.get("a/b")
    assert isinstance(found, Stale)
    assert found.differences == ()


EDITS: Mapping[str, tuple[tuple[str, str], Callable[[Path], object]]] = {
    "content": ((FILE, "file"), lambda root: (root / "file").write_text("other")),
    "content of the same size": ((FILE, "file"), lambda root: (root / "file").write_text("FILE")),
    "content, time restored": ((FILE, "file"), lambda root: aged(_written(root / "file", "FILE"))),
    "another file in its place, time restored": (
        (FILE, "file"),
        lambda root: aged(_written(root / "new", "FILE")).replace(root / "file"),
    ),
    "file gone": ((FILE, "file"), lambda root: (root / "file").unlink()),
    "file there": ((FILE, "missing"), lambda root: (root / "missing").write_text("")),
    "file has become a directory": ((FILE, "missing"), lambda root: (root / "missing").mkdir()),
    "what a link leads to is edited": ((FILE, "link"), lambda root: (root / "file").write_text("other")),
    "a link leads elsewhere": ((KIND, "link"), lambda root: _linked(root / "link", "package")),
    "a link where a file was": ((KIND, "file"), lambda root: _linked(root / "file", "package")),
    "a file where a directory was": ((KIND, "package"), lambda root: _written_over(root / "package")),
    "a name more": ((NAMES, "package"), lambda root: (root / "package" / "data.txt").write_text("")),
    "a name less": ((NAMES, "package"), lambda root: (root / "package" / "module.py").unlink()),
    "directory gone": ((NAMES, "package"), lambda root: shutil.rmtree(root / "package")),
    "directory there": ((NAMES, "missing"), lambda root: (root / "missing").mkdir()),
    "a definition more": ((DEFINITIONS, "package"), lambda root: (root / "package" / "x.toml").write_text("")),
    "a module more": ((MODULES, "package"), lambda root: (root / "package" / "other.py").write_text("")),
    "a package more": ((MODULES, "package"), lambda root: (root / "package" / "inner").mkdir()),
    "time": ((STATUS, "file"), lambda root: os.utime(root / "file")),
    "permissions": ((ACCESS, "file"), lambda root: (root / "file").chmod(0o600)),
    "a program installed anew": ((IDENTITY, "file"), lambda root: _copied(root / "file")),
    "a source": ((TREE, "package"), lambda root: (root / "package" / "module.py").write_text("other")),
    "a source, time restored": ((TREE, "package"), lambda root: aged(_written(root / "package/module.py", "OTHER!"))),
    "a source more": ((TREE, "package"), lambda root: (root / "package" / "data.txt").write_text("")),
    "a source less": ((TREE, "package"), lambda root: (root / "package" / "module.py").unlink()),
    "sources gone": ((TREE, "package"), lambda root: shutil.rmtree(root / "package")),
    "sources there": ((TREE, "missing"), lambda root: (root / "missing").mkdir()),
    "an installed file": ((INSTALLED, "package"), lambda root: (root / "package" / "module.py").write_text("other!!")),
    "an installed file more": ((INSTALLED, "package"), lambda root: (root / "package" / "data.txt").write_text("")),
    "an installed directory more": ((INSTALLED, "package"), lambda root: (root / "package" / "inner").mkdir()),
    "another installed file there": ((INSTALLED, "package"), lambda root: _copied(root / "package" / "module.py")),
    "installed files gone": ((INSTALLED, "package"), lambda root: shutil.rmtree(root / "package")),
}  # fmt: skip


PYPROJECT = "pyproject.toml"
TABLES = """
[build-system]
requires = ["hatchling", "setuptools_scm[toml]"]
[project]
name = "p"
[dependency-groups]
test = []
[tool.setlist.session.a]
run = ["a"]
[tool.uv]
offline = true
[tool.hatch]
x = 1
[tool.setuptools_scm]
x = 1
[tool.ruff]
x = 1
"""

# kind, file, what is replaced by what, and whether that is another content
SAID: Mapping[str, tuple[str, str, str, str, bool]] = {
    "a comment": (DEFINITIONS_IN, PYPROJECT, "[tool.ruff]", "# a comment\n[tool.ruff]", False),
    "a comment, for the project": (PROJECT, PYPROJECT, "[tool.ruff]", "# a comment\n[tool.ruff]", False),
    "the layout": (PROJECT, PYPROJECT, 'name = "p"', "name   =   'p'", False),
    "another tool's table": (DEFINITIONS_IN, PYPROJECT, "[tool.ruff]\nx = 1", "[tool.ruff]\nx = 2", False),
    "another tool's, for the project": (PROJECT, PYPROJECT, "[tool.ruff]\nx = 1", "[tool.ruff]\nx = 2", False),
    "a session": (DEFINITIONS_IN, PYPROJECT, '["a"]', '["b"]', True),
    "a session, for the project": (PROJECT, PYPROJECT, '["a"]', '["b"]', False),
    "what is required, for sessions": (DEFINITIONS_IN, PYPROJECT, 'name = "p"', 'name = "q"', False),
    "the project": (PROJECT, PYPROJECT, 'name = "p"', 'name = "q"', True),
    "a group": (PROJECT, PYPROJECT, "test = []", 'test = ["x"]', True),
    "the build": (PROJECT, PYPROJECT, '"hatchling"', '"hatchling>=1"', True),
    "the installer's": (PROJECT, PYPROJECT, "offline = true", "offline = false", True),
    "the backend's": (PROJECT, PYPROJECT, "[tool.hatch]\nx = 1", "[tool.hatch]\nx = 2", True),
    "a plug-in's": (PROJECT, PYPROJECT, "[tool.setuptools_scm]\nx = 1", "[tool.setuptools_scm]\nx = 2", True),
    "a key of another file": (PROJECT, "uv.toml", "x = 1", "x = 2", True),
    "a comment in another file": (DEFINITIONS_IN, "sessions/a.toml", "x = 1", "x = 1  # one", False),
    "no TOML": (PROJECT, PYPROJECT, "[tool.ruff]", "[tool.ruff", True),
    "no table": (DEFINITIONS_IN, PYPROJECT, "[tool.setlist.session.a]", "[tool.setlist.session.b]", True),
}


@pytest.mark.parametrize("edit", SAID)
def test_what_a_toml_file_says(kept: Kept, edit: str) -> None:
    kind, name, old, new, other = SAID[edit]
    path = kept.root / name
    path.parent.mkdir(exist_ok=True)
    text = TABLES if name == PYPROJECT else "[tool.ruff]\nx = 1\n"
    path.write_text(text)
    settle()
    kept.put((kind, name))
    assert kept.why is None
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert (kept.why is not None) is other
    path.unlink()
    assert kept.why == [f"{name} is gone"]


@pytest.mark.parametrize("kind", [DEFINITIONS_IN, PROJECT])
def test_what_is_no_file_says_nothing(kept: Kept, kind: str) -> None:
    kept.put((kind, "missing.toml"))
    assert kept.why is None
    (kept.root / "missing.toml").mkdir()
    assert kept.why == ["missing.toml is new"]


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _copied(path: Path) -> None:
    shutil.copy2(path, path.with_name("new"))
    path.with_name("new").replace(path)


def _linked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _written_over(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


def furnish(root: Path) -> None:
    aged(_written(root / "file", "file"))
    (root / "link").symlink_to("file")
    (root / "package").mkdir()
    aged(_written(root / "package" / "module.py", "module"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no change time, and symbolic links ask for a privilege")
@pytest.mark.parametrize("settled", [True, False], ids=["settled", "at once"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_seen(kept: Kept, edit: str, settled: bool) -> None:
    look, change = EDITS[edit]
    furnish(kept.root)
    if settled:
        settle()
    kept.put(look)
    assert kept.why is None
    change(kept.root)
    reasons: list[str] = kept.why or []
    assert [reason.split(" ")[0] for reason in reasons] == [look[1]]


UNSEEN: Mapping[str, tuple[tuple[str, str], Callable[[Path], object]]] = {
    "touched": ((FILE, "file"), lambda root: os.utime(root / "file")),
    "written again": ((FILE, "file"), lambda root: (root / "file").write_text("file")),
    "replaced by its copy": ((FILE, "file"), lambda root: _copied(root / "file")),
    "chmod": ((FILE, "file"), lambda root: (root / "file").chmod(0o600)),
    "linked": ((FILE, "file"), lambda root: os.link(root / "file", root / "hard")),
    "content below a listed directory": ((NAMES, "package"), lambda root: _written(root / "package" / "module.py", "")),
    "content, of which only the kind counts": ((KIND, "file"), lambda root: (root / "file").write_text("")),
    "a name came and went": ((NAMES, "package"), lambda root: _written(root / "package" / "x", "").unlink()),
    "our own directory": ((NAMES, "."), lambda root: (root / ".setlist").mkdir()),
    "no module": ((MODULES, "package"), lambda root: (root / "package" / "data.txt").write_text("")),
    "no definition": ((DEFINITIONS, "package"), lambda root: (root / "package" / "data.txt").write_text("")),
    "a private one": ((DEFINITIONS, "package"), lambda root: (root / "package" / "_shared.py").write_text("")),
    "compiled, beside definitions": ((DEFINITIONS, "package"), lambda root: (root / "package" / "__pycache__").mkdir()),
    "compiled": ((MODULES, "package"), lambda root: (root / "package" / "__pycache__").mkdir()),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no change time that a new hard link would move")
@pytest.mark.parametrize("edit", UNSEEN)
def test_what_changes_nothing_isnt_seen_and_is_learned(kept: Kept, edit: str) -> None:
    look, change = UNSEEN[edit]
    furnish(kept.root)
    settle()
    kept.put(look)
    change(kept.root)
    settle()
    assert kept.why is None

    def unexpected(path: str, _: Mapping[str, str]) -> None:
        raise AssertionError(f"{path} is read again: the first look hasn't refreshed its status")

    with pytest.MonkeyPatch.context() as patch:
        for kind in (FILE, NAMES, MODULES, DEFINITIONS):
            patch.setitem(world._CONTENTS, kind, unexpected)
        assert kept.why is None


def test_a_file_written_just_now_is_judged_by_its_content(kept: Kept) -> None:
    file = _written(kept.root / "file", "1")
    before = file.stat()
    kept.put((FILE, "file"))
    found = kept.store.last("a/b")
    assert found is not None
    assert found.trace[0][2] == (), "its times can't be trusted"
    with pytest.MonkeyPatch.context() as patch:
        # as if it had been written in the same tick of the clock
        _written(file, "2")
        patch.setattr("os.stat", lambda path: before)
        assert kept.why == ["file changed"]


def test_a_clock_that_is_behind_trusts_no_times(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    _written(kept.root / "file", "1")
    settle()
    monkeypatch.setattr(world, "clock", lambda: OLD)
    kept.put((FILE, "file"))
    found = kept.store.last("a/b")
    assert found is not None
    assert found.trace[0][2] == ()


def test_a_file_system_without_fractions_needs_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_001_500_000_000
    monkeypatch.setattr(world, "clock", lambda: now)
    assert not world._is_settled(1_700_000_001_000_000_000)
    assert world._is_settled(1_699_999_999_000_000_000)
    assert world._is_settled(now - world._FINE - 1)


def test_variables(kept: Kept) -> None:
    kept.put((VARIABLE, "HOME"), (VARIABLE, "UNSET"))
    assert kept.why is None
    kept.environ |= {"OTHER": "1"}
    assert kept.why is None, "nobody has looked at it"
    kept.environ |= {"UNSET": "", "HOME": "/root"}
    assert kept.why == ["HOME changed", "UNSET is new"]


def test_all_variables(kept: Kept) -> None:
    kept.put((VARIABLES, ""))
    kept.environ |= {"TERM": "xterm", "SETLIST_PROCESS": "1"}
    assert kept.why is None
    kept.environ |= {"OTHER": "1"}
    assert kept.why is not None


def test_values_of_variables_arent_written_down(kept: Kept) -> None:
    kept.environ["TOKEN"] = "hunter2-hunter2"
    kept.put((VARIABLE, "TOKEN"), (VARIABLES, ""))
    (entry,) = kept.directory.rglob("*/*")
    assert b"hunter2" not in entry.read_bytes()


@pytest.mark.parametrize(
    "value", ["https://me:secret@example.invalid/", ("x", {"u": b"https://me:secret@example.invalid/"})]
)
def test_what_holds_a_login_isnt_kept(kept: Kept, value: object) -> None:
    kept.put(value="older")
    kept.put(value=value)
    assert kept.why == [], "nor what was there before"


def test_an_entry_that_another_was_made_from(kept: Kept) -> None:
    kept.put((FILE, "inner"), key="inner/x", value=1)
    seen = kept.world
    inner = kept.store.get("inner/x")
    assert isinstance(inner, Found)
    seen.entry("inner/x", inner.content)
    kept.store.put("a/b", seen, 2)
    assert kept.why is None
    (kept.root / "inner").write_text("")
    assert kept.why == ["inner/x is gone"]
    kept.put((FILE, "inner"), key="inner/x", value=1)
    assert kept.why is None, "it was made again, and is the same"
    kept.put((FILE, "inner"), key="inner/x", value=3)
    assert kept.why == ["inner/x changed"]
    kept.store.drop("inner/x")
    assert kept.why == ["inner/x is gone"]


def test_what_another_computation_looked_at(kept: Kept) -> None:
    inner = kept.world
    inner.read(str(kept.root / "file"))
    outer = kept.world
    outer.include(inner)
    kept.store.put("a/b", outer, None)
    (kept.root / "file").write_text("")
    assert kept.why == ["file is new"]


def test_observed_by_a_tool(kept: Kept) -> None:
    before = time.time_ns()
    settle()
    _written(kept.root / "early", "")
    settle()
    started = time.time_ns()
    settle()
    seen = kept.world
    seen.observed("uv", [(FILE, str(kept.root / "early")), (FILE, str(kept.root / "missing"))], started)
    kept.store.put("a/b", seen, None)
    assert kept.why is None
    (kept.root / "missing").write_text("")
    found = kept.store.explain("a/b")
    assert isinstance(found, Stale)
    assert [(difference.name, difference.by) for difference in found.differences] == [("missing", "uv")]
    # it may have been read before it was written
    seen = kept.world
    seen.observed("uv", [(FILE, str(kept.root / "early"))], before)
    kept.store.put("a/b", seen, None)
    assert kept.why == ["early changed"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no change time: a restored modification time leaves no sign")
@pytest.mark.parametrize(
    "change",
    [lambda path: path.write_text("x"), lambda path: path.chmod(0o600), lambda path: aged(path)],
    ids=["written", "permissions", "time restored"],
)
@pytest.mark.parametrize("looked_at", [True, False], ids=["looked at before", "new"])
def test_a_tick_tells_changes_before_it_from_those_after_it(
    tmp_path: Path, change: Callable[[Path], object], looked_at: bool
) -> None:
    for turn in range(40):
        before, after = tmp_path / f"before{turn}", tmp_path / f"after{turn}"
        for path in (before, after):
            path.touch()
            if looked_at:
                path.stat()  # Linux gives the next change a finer time then
        change(before)
        since = world.next_tick()
        change(after)
        assert not world._changed_since(str(before), since)
        assert world._changed_since(str(after), since)


def test_parts_of_a_computation_wait_for_one_tick(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "next_tick", iter([1, 2]).__next__)
    whole = kept.world
    assert (whole.part().tick(), whole.part().tick(), whole.tick(), kept.world.tick()) == (1, 1, 1, 2)


def test_a_tick_is_not_waited_for_when_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "clock", lambda: OLD)
    assert world.next_tick() == OLD


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a coarse clock; elsewhere the lag is assumed")
def test_the_clock_is_behind_no_more_than_some_ticks() -> None:
    lag = [-world.clock() + time.time_ns() for _ in range(1000)]  # the real time is read last
    assert min(lag) >= 0
    assert sorted(lag)[500] < world._FINE


def test_a_time_that_was_rounded_down_counts_as_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path / "file", "")

    def at(changed: int) -> None:
        times = SimpleNamespace(st_ctime_ns=changed, st_mtime_ns=changed)
        monkeypatch.setattr("os.stat", lambda _: times)

    since = OLD
    at(since - since % 100)  # hundreds of nanoseconds, as on NTFS
    assert world._changed_since(str(path), since)
    at(since - since % 1_000_000_000)  # seconds
    assert world._changed_since(str(path), since)
    at(since - 2 * world._ROUNDED)
    assert not world._changed_since(str(path), since)


def test_reading_through_a_world(kept: Kept) -> None:
    furnish(kept.root)
    seen, root = kept.world, str(kept.root)
    assert seen.read(f"{root}/file") == b"file"
    assert seen.read(f"{root}/missing") is None
    assert seen.names(root) == ("file", "link", "package/")
    assert seen.names(f"{root}/missing") is None
    assert seen.kind(f"{root}/link") == "link file"
    assert seen.is_file(f"{root}/link")
    assert not seen.is_file(f"{root}/package")
    assert seen.is_directory(f"{root}/package")
    assert not seen.is_directory(f"{root}/missing")
    assert seen.variable("HOME") == "/home/me"
    with pytest.raises(OSError, match="directory"):
        seen.read(f"{root}/package")
    kept.store.put("a/b", seen, None)
    assert kept.why is None
    assert {(kind, name) for kind, name, *_ in seen.trace} == {
        (FILE, "file"), (FILE, "missing"), (FILE, "package"), (NAMES, "."), (NAMES, "missing"), (KIND, "link"),
        (KIND, "file"), (KIND, "package"), (KIND, "missing"), (VARIABLE, "HOME"),
    }  # fmt: skip


def test_the_first_look_counts(kept: Kept) -> None:
    file = kept.root / "file"
    seen = kept.world
    seen.read(str(file))
    file.write_text("came later")
    seen.read(str(file))
    kept.store.put("a/b", seen, None)
    assert kept.why == ["file is new"]


def test_a_circle_of_links(kept: Kept) -> None:
    (kept.root / "a").symlink_to("b")
    (kept.root / "b").symlink_to("a")
    seen = kept.world
    assert not seen.is_file(str(kept.root / "a"))
    assert seen.read(str(kept.root / "a")) is None


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes among the files of Windows")
def test_nothing_waits_at_a_pipe(kept: Kept) -> None:
    os.mkfifo(kept.root / "pipe")
    kept.put((FILE, "pipe"))
    assert kept.why is None


def test_another_root(kept: Kept, tmp_path: Path) -> None:
    furnish(kept.root)
    settle()
    kept.put((FILE, "file"), (NAMES, "package"))
    moved = tmp_path / "moved"
    shutil.copytree(kept.root, moved, symlinks=True)
    found = Store(str(kept.directory), str(moved), kept.environ).get("a/b")
    assert isinstance(found, Found), "paths are relative to the root, and the contents are the same"


def entry_of(kept: Kept) -> Path:
    (entry,) = kept.directory.glob("a/*")
    return entry


def test_a_damaged_entry_is_none(kept: Kept) -> None:
    kept.put((FILE, "file"), value=["x" * 40])
    entry = entry_of(kept)
    whole = entry.read_bytes()
    for length in range(len(whole)):
        entry.write_bytes(whole[:length])
        assert kept.why == []
    for place in range(len(whole)):
        entry.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert kept.why == []
    entry.write_bytes(whole)
    assert kept.why is None


def test_an_entry_of_another_version_or_key_is_none(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.put()
    monkeypatch.setattr(trace, "FORMAT", 0)
    assert kept.why == []
    monkeypatch.undo()
    monkeypatch.setattr(trace, "__version__", "0")
    assert kept.why == []
    monkeypatch.undo()
    other = Path(kept.store._path("a/other"))
    shutil.copy(entry_of(kept), other)
    assert kept.store.last("a/other") is None


@pytest.mark.parametrize("name", ["", "..", "../../x", "a/b", "nul", "x" * 5000, "ä\udce4\n\0", "."])
def test_names_that_no_file_can_have(kept: Kept, name: str) -> None:
    if "\udce4" in name:
        name = name.replace("\udce4", "")
    kept.put(key=f"a/{name}")
    assert isinstance(kept.store.get(f"a/{name}"), Found)
    assert entry_of(kept).parent == kept.directory / "a"


def test_without_refreshing_nothing_is_written(kept: Kept) -> None:
    furnish(kept.root)
    settle()
    kept.put((FILE, "file"))
    before = entry_of(kept).read_bytes()
    os.utime(kept.root / "file")
    assert isinstance(kept.store.get("a/b", refresh=False), Found)
    assert entry_of(kept).read_bytes() == before
    assert isinstance(kept.store.get("a/b"), Found)
    assert entry_of(kept).read_bytes() != before


def test_the_last_entries_of_a_kind_are_kept(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 20
    monkeypatch.setattr(trace, "MOST", most)
    for number in range(most + 5):
        kept.put(key=f"a/{number}")
        os.utime(kept.store._path(f"a/{number}"), ns=(OLD + number, OLD + number))
    kept.put(key="other/x")
    kept.put(key="a/last")
    assert kept.store.last("a/5") is None
    assert kept.store.last(f"a/{most + 4}") is not None
    assert kept.store.last("a/last") is not None
    assert kept.store.last("other/x") is not None
    assert len(list(kept.directory.glob("a/*"))) == most


def test_a_store_that_cant_be_written_still_gives_what_holds(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(kept.root)
    settle()
    kept.put((FILE, "file"))
    os.utime(kept.root / "file")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("setlist.core.files.write_atomically", full)
    assert kept.why is None
    with pytest.raises(OSError, match="No space"):
        kept.put()


def test_what_is_no_data_is_refused(kept: Kept) -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        kept.put(value=object())


def test_many_write_and_read_at_once(kept: Kept) -> None:
    furnish(kept.root)
    kept.put((FILE, "file"), value="x" * 10_000)
    failed: list[object] = []

    def work(number: int) -> None:
        for turn in range(50):
            if (number + turn) % 3 == 0:
                kept.put((FILE, "file"), value=str(number) * 10_000)
            found = kept.store.get("a/b")
            if not isinstance(found, Found) or len(set(found.value)) != 1:
                failed.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_warm_run_can_afford_it(kept: Kept) -> None:
    settle()
    kept.put((FILE, "file"), (NAMES, "."), (VARIABLE, "HOME"))
    program = (
        "import marshal, sys, time; before = set(sys.modules)\n"
        "from setlist.engine.trace import Store\n"
        f"found = Store({str(kept.directory)!r}, {str(kept.root)!r}, {kept.environ!r}).get('a/b')\n"
        "print(found.value, *sorted(set(sys.modules) - before))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    value, *modules = printed.split()
    assert value == "value"
    assert set(modules) <= {
        "__future__", "setlist", "setlist.core", "setlist.core.fingerprint", "setlist.engine", "setlist.engine.trace",
        "setlist.engine.world", "_sha2", "_sha256",
    }  # fmt: skip


# Any sequence of edits: what the store gives is what making the value anew would give.

NAMES_OF_FILES = st.sampled_from(["a", "b", "d/c", "d/e"])
CHANGES = st.one_of(
    st.tuples(st.just("write"), NAMES_OF_FILES, st.sampled_from(["", "1", "2", "33"])),
    st.tuples(st.just("restore"), NAMES_OF_FILES, st.sampled_from(["1", "2"])),
    st.tuples(st.just("remove"), NAMES_OF_FILES, st.just("")),
    st.tuples(st.just("touch"), NAMES_OF_FILES, st.just("")),
    st.tuples(st.just("rename"), NAMES_OF_FILES, NAMES_OF_FILES),
    st.tuples(st.just("set"), st.sampled_from(["X", "Y"]), st.sampled_from(["", "1"])),
)


def apply(kept: Kept, change: tuple[str, str, str]) -> None:
    what, name, other = change
    path = kept.root / name
    if what == "set":
        kept.environ[name] = other
    elif what == "write":
        path.write_text(other)
    elif what == "restore":
        aged(_written(path, other))
    elif what == "remove":
        path.unlink(missing_ok=True)
    elif path.exists():
        os.utime(path) if what == "touch" else path.replace(kept.root / other)


def compute(kept: Kept) -> tuple[World, object]:
    """A computation: what it looks at depends on what it sees."""
    seen, root = kept.world, str(kept.root)
    names = [name for name in seen.names(f"{root}/d") or () if not name.endswith("/")]
    contents = [seen.read(f"{root}/d/{name}") for name in names]
    first = seen.read(f"{root}/a")
    second = seen.read(f"{root}/b") if first in (None, b"1") else seen.variable("X")
    return seen, (names, contents, first, second, seen.kind(f"{root}/b"))


@settings(max_examples=150)
@given(changes=st.lists(CHANGES, max_size=12))
def test_what_is_given_is_what_would_be_made(tmp_path_factory: pytest.TempPathFactory, changes: list[Any]) -> None:
    kept = Kept(tmp_path_factory.mktemp("trace"))
    (kept.root / "d").mkdir()
    for change in [None, *changes]:
        if change is not None:
            apply(kept, change)
        seen, value = compute(kept)
        found = kept.store.get("a/b")
        if isinstance(found, Found):
            assert found.value == value
        else:
            kept.store.put("a/b", seen, value)
            assert isinstance(kept.store.get("a/b"), Found)
