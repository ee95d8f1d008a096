"""The local index is one that uv and pip understand, and it fails as it is told to."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.index import LocalIndex, serving
from support.wheels import make_wheel


@pytest.fixture
def filled(index: LocalIndex, tmp_path: Path) -> LocalIndex:
    index.add(make_wheel(tmp_path / "wheels", "alpha", "1.0"), uploaded="2020-01-01T00:00:00Z")
    index.add(make_wheel(tmp_path / "wheels", "alpha", "1.5"), uploaded="2020-06-01T00:00:00Z", yanked="broken")
    index.add(make_wheel(tmp_path / "wheels", "alpha", "2.0"), uploaded="2024-01-01T00:00:00Z")
    return index


def compile_with_uv(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--no-header", "--no-annotate", "-", *argv]
    return subprocess.run(command, input="alpha<2.1\n", capture_output=True, text=True, check=False, timeout=60)


def test_uv_resolves_and_hashes_from_it(filled: LocalIndex) -> None:
    done = compile_with_uv("--generate-hashes")
    assert "alpha==2.0" in done.stdout, done.stderr
    assert "--hash=sha256:" in done.stdout
    assert "/simple/alpha/" in filled.requests


def test_exclude_newer_reads_the_upload_times(filled: LocalIndex) -> None:
    assert "alpha==1.0" in compile_with_uv("--exclude-newer", "2021-01-01").stdout


def test_pip_downloads_from_it(filled: LocalIndex, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path / "got"), "alpha"]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the interpreter of the tests has no pip")
    subprocess.run(argv, check=True, timeout=60)
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["alpha-2.0-py3-none-any.whl"]


def test_it_fails_and_recovers(filled: LocalIndex) -> None:
    filled.fail(500)
    assert compile_with_uv("--no-cache").returncode != 0
    filled.recover()
    assert compile_with_uv("--no-cache").returncode == 0


def test_a_hanging_answer_ends_with_the_index() -> None:
    with serving() as index:
        index.hang()
        with pytest.raises((urllib.error.URLError, TimeoutError)):
            urllib.request.urlopen(index.url + "alpha/", timeout=0.2)
    assert index.requests == ["/simple/alpha/"]
