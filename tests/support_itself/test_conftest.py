"""Tests run in a world of their own, and leave it as they found it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.project import ProjectFolder
from support.world import hermetic


def test_the_users_own_settings_are_not_seen(user_environ: Mapping[str, str]) -> None:
    assert os.environ["HOME"] != user_environ.get("HOME")
    assert os.environ["PIP_NO_INDEX"] == "1"
    assert os.environ["UV_DEFAULT_INDEX"].startswith("file:")
    assert "CI" not in os.environ
    assert os.environ["SETLIST_CACHE_DIR"].startswith(os.environ["HOME"])


def test_a_home_in_the_world_has_the_users_pyenv(tmp_path: Path) -> None:
    (tmp_path / "real" / ".pyenv").mkdir(parents=True)
    world = hermetic({"HOME": str(tmp_path / "real"), "PIP_INDEX_URL": "x", "PATH": "/bin"}, tmp_path / "own")
    assert world["PYENV_ROOT"] == str(tmp_path / "real" / ".pyenv")
    assert world["HOME"] == str(tmp_path / "own")
    assert world["PATH"] == "/bin"
    assert "PIP_INDEX_URL" not in world


@pytest.mark.network
def test_a_network_test_gets_them_back(user_environ: Mapping[str, str]) -> None:
    assert os.environ.get("HOME") == user_environ.get("HOME")
    assert os.environ.get("PIP_NO_INDEX") == user_environ.get("PIP_NO_INDEX")
    assert os.environ["SETLIST_CACHE_DIR"] != user_environ.get("SETLIST_CACHE_DIR")


def test_output_of_this_process_and_of_its_children_is_caught(project: ProjectFolder) -> None:
    import subprocess
    import sys

    def main() -> int:
        print("own", os.environ["ADDED"], sys.argv, flush=True)
        subprocess.run(
            [sys.executable, "-c", "import sys; print('child'); print('problem', file=sys.stderr)"], check=True
        )
        return 3

    result = project._inside("run", main, ["lint"], check=False, env={"ADDED": "yes"})
    assert result.code == 3
    assert result.out.replace("\r\n", "\n") == "own yes ['run', 'lint']\nchild\n"
    assert result.err.strip() == "problem"
    assert "ADDED" not in os.environ
