"""Where what all projects of a user share is kept: said by us on Linux, as platformdirs says it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from setlist.core.system import cache_of, user_cache


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("xdg", [None, "", "{}/cache", "relative"])
def test_it_is_where_platformdirs_says(xdg: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETLIST_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg.format(tmp_path))
    assert user_cache(os.environ) == user_cache_path("setlist", appauthor=False)


def test_a_place_that_is_named_goes_first(tmp_path: Path) -> None:
    assert user_cache({"SETLIST_CACHE_DIR": str(tmp_path), "HOME": "/home/ann"}) == tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="user ids of POSIX")
@pytest.mark.parametrize("home", [None, "file"])
def test_without_a_home_that_can_be_written_it_is_the_users_own_temporary_directory(
    home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    if home is None:
        monkeypatch.setattr("platformdirs.user_cache_path", _no_home)
    environ = {} if home is None else {"HOME": str(tmp_path / home)}
    found = user_cache(environ)
    assert found.parent == tmp_path
    assert found.stat().st_mode & 0o777 == 0o700
    assert user_cache(environ) == found
    assert cache_of("uv", environ) == found / "uv"
    # what somebody else may have put there is not taken
    found.chmod(0o777)
    assert user_cache(environ) != found


def _no_home(*arguments: object, **options: object) -> Path:
    raise RuntimeError("could not determine the home directory")


def test_a_program_keeps_its_cache_where_it_can(tmp_path: Path) -> None:
    assert cache_of("uv", {"HOME": str(tmp_path), "SETLIST_CACHE_DIR": "/elsewhere"}) is None
