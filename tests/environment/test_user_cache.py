"""Where what all projects of a user share is kept: said by us on Linux, as platformdirs says it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from setlist.system import user_cache


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("xdg", [None, "", "/somewhere/cache", "relative"])
def test_it_is_where_platformdirs_says(xdg: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETLIST_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert user_cache(os.environ) == user_cache_path("setlist", appauthor=False)


def test_a_place_that_is_named_goes_first(tmp_path: Path) -> None:
    assert user_cache({"SETLIST_CACHE_DIR": str(tmp_path), "HOME": "/home/ann"}) == tmp_path
