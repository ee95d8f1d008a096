"""Temporary directories: gone in the end, however their owners end; nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from setlist.core import system
from setlist.core.files import is_owned, remove_abandoned, remove_leftovers, temporary_directory, write_atomically

HOLD = """
import sys, time
from pathlib import Path
from setlist.core.files import temporary_directory
with temporary_directory(Path(sys.argv[1]) if sys.argv[1:] else None) as path:
    (path / "deep").mkdir()
    (path / "deep" / "file").touch()
    print(path, flush=True)
    time.sleep(60)
"""


def held(*words: str, **environ: str) -> tuple[subprocess.Popen[str], Path]:
    """Another process with a temporary directory, and the directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, *words], stdout=subprocess.PIPE, text=True, env={**os.environ, **environ}
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().rstrip("\n"))


@pytest.mark.parametrize("where", ["given", "system"])
def test_what_a_killed_process_has_left_is_removed_by_the_next(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    words, parent = ((str(tmp_path),), tmp_path) if where == "given" else ((), None)
    killed, left = held(*words, TMPDIR=str(tmp_path), TEMP=str(tmp_path))
    alive, used = held(*words, TMPDIR=str(tmp_path), TEMP=str(tmp_path))
    try:
        killed.kill()
        killed.communicate()
        assert left.is_dir()
        with temporary_directory(parent) as own:
            assert not left.exists()
            assert (used / "deep" / "file").exists()
            assert is_owned(used)
            assert own.parent == tmp_path
            (own / "file").touch()
            with temporary_directory(parent) as second:
                assert own.is_dir()
                assert second != own
        assert not own.exists()
    finally:
        alive.kill()
        alive.communicate()
    remove_abandoned(tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_isnt_ours_is_not_removed(tmp_path: Path) -> None:
    # a cache of that name, somebody's link to a place of his own, a directory that is about to be locked
    (tmp_path / "setlist-0").mkdir()
    (tmp_path / "setlist-0" / "templates").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".owner").touch()
    if sys.platform != "win32":
        (tmp_path / "setlist-aaaaaaaaaaaa").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "setlist-fedcba987654").mkdir()
    (tmp_path / "setlist-file").touch()
    os.utime(tmp_path / "setlist-0", (1, 1))
    before = sorted(os.listdir(tmp_path))
    remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "elsewhere" / ".owner").exists()


def test_an_old_one_without_an_owner_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "setlist-0123456789ab"
    left.mkdir()
    (left / "written-by-a-process-that-outlived-it").touch()
    os.utime(left, (1, 1))
    remove_abandoned(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file modes")
def test_nobody_else_looks_into_private_things(tmp_path: Path) -> None:
    with temporary_directory(tmp_path) as path:
        assert path.stat().st_mode & 0o077 == 0
    write_atomically(tmp_path / "file", "x", private=True)
    assert (tmp_path / "file").stat().st_mode & 0o077 == 0


def test_leftovers_of_a_directory_that_isnt_there_are_nothing(tmp_path: Path) -> None:
    remove_leftovers(str(tmp_path / "nowhere" / "lint"))


def test_what_an_interrupted_write_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from setlist.core.files import write_atomically\n"
        "def pieces():\n"
        "    yield b'half'\n"
        "    os._exit(9)\n"
        "write_atomically(Path(sys.argv[1]), pieces())\n"
    )
    for name in ("file", "file.txt"):
        assert subprocess.run([sys.executable, "-c", killed, tmp_path / name], check=False).returncode == 9
    (tmp_path / ".file.1.mine").touch()
    (left,) = tmp_path.glob(".file.[0-9]*.????????")
    others = {*tmp_path.iterdir()} - {left}

    write_atomically(tmp_path / "file", "whole")
    assert left.exists(), "somebody may be about to write it"
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    write_atomically(tmp_path / "file", "whole")
    assert {*tmp_path.iterdir()} == {*others, tmp_path / "file"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no directory that holds an open file")
def test_a_directory_is_not_removed_before_its_owner_has_locked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = system.lock_exclusive

    def lock_late(descriptor: int) -> bool:
        monkeypatch.setattr(system, "lock_exclusive", lock)
        remove_abandoned(tmp_path)
        return lock(descriptor)

    monkeypatch.setattr(system, "lock_exclusive", lock_late)
    with temporary_directory(tmp_path) as path:
        assert path.is_dir()
        assert is_owned(path)
