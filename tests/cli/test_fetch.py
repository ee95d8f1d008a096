"""``setlist fetch``: what locks name, downloaded and checked."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.index import LocalIndex
from support.project import BACKEND, ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

SESSIONS = """
    [tool.setlist.session.lint]
    deps = ["alpha==1.0", "plat; sys_platform == 'win32'"]
    [tool.setlist.session.test]
    deps = ["alpha==2.0"]
    [tool.setlist.session.never]
    deps = ["delta"]
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def served(project: ProjectFolder, index: LocalIndex, wheelhouse_directory: Path, tmp_path: Path) -> ProjectFolder:
    """Two sessions with locks and one without; an index that has wheels of 'plat' for two platforms."""
    for wheel in wheelhouse_directory.glob("[abd]*.whl"):
        index.add(wheel)
    for tag in ("cp312-cp312-win_amd64", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_34_x86_64"):
        index.add(make_wheel(tmp_path / "made", "plat", "1.0", tag=tag))
    project.sessions(SESSIONS)
    project.setlist_inside("lock", "lint", "test", check=True)
    return project


def test_what_every_lock_names_is_fetched_once(served: ProjectFolder, index: LocalIndex) -> None:
    result = served.setlist_inside("fetch", "--to", "wheels", check=True)
    wheels = served.path / "wheels"
    assert names(wheels) == [
        "alpha-1.0-py3-none-any.whl",
        "alpha-2.0-py3-none-any.whl",
        "beta-2.0-py3-none-any.whl",
    ]
    assert "3 fetched" in result.err
    index.fail()  # nobody is asked again
    again = served.setlist_inside("fetch", "--to", "wheels", check=True)
    index.recover()
    assert "0 fetched, 3 already there" in again.err
    # one that isn't what was locked is fetched again, and no other
    (wheels / "beta-2.0-py3-none-any.whl").write_bytes(b"tampered")
    third = served.setlist_inside("fetch", "--to", "wheels", check=True)
    assert third.out == "beta-2.0-py3-none-any.whl\n"
    locked = served.read("sessions/locks/test.txt")
    assert hashlib.sha256((wheels / "beta-2.0-py3-none-any.whl").read_bytes()).hexdigest() in locked


def test_another_platform_gets_its_own_wheels(served: ProjectFolder) -> None:
    served.setlist_inside(
        "fetch", "lint", "--to", "wheels", "--platform", "windows-amd64", "--python", "3.12", check=True
    )
    assert "plat-1.0-cp312-cp312-win_amd64.whl" in names(served.path / "wheels")
    assert not [name for name in names(served.path / "wheels") if "manylinux" in name]


def test_an_index_that_only_uv_knows_is_asked(
    served: ProjectFolder, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"mine={index.url}")
    served.setlist_inside("fetch", "test", "--to", "wheels", check=True)
    assert "alpha-2.0-py3-none-any.whl" in names(served.path / "wheels")


def test_a_file_that_isnt_the_locked_one_is_refused_with_both_hashes(
    served: ProjectFolder, index: LocalIndex, tmp_path: Path, wheelhouse_directory: Path
) -> None:
    evil = make_wheel(tmp_path / "evil", "beta", "2.0", modules={"beta.py": "evil = True\n"})
    index.add(evil)
    result = served.setlist_inside("fetch", "test", "--to", "wheels")
    assert result.code == 1
    assert "beta 2.0: the index serves another file than was locked" in result.err
    right = wheelhouse_directory / evil.name
    for what, path in (("locked", right), ("served", evil)):
        assert f"{what}: sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" in result.err
    assert evil.name not in names(served.path / "wheels")


def test_a_network_that_goes_down_in_the_middle_leaves_whole_files_only(
    served: ProjectFolder, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = index.answer
    up_to = 1

    def failing(path: str, accept: str) -> tuple[int, str, bytes]:
        files = [request for request in index.requests if request.startswith("/files/") and request.endswith(".whl")]
        if len(files) - before >= up_to:
            index.fail(503)
        return answer(path, accept)

    before = len([request for request in index.requests if request.endswith(".whl")])
    monkeypatch.setattr(index, "answer", failing)
    result = served.setlist_inside("fetch", "--to", "wheels")
    assert result.code == 1
    assert "503" in result.err
    assert "bug" not in result.err
    assert [name for name in names(served.path / "wheels") if not name.endswith(".whl")] == []
    up_to = 99
    index.recover()
    served.setlist_inside("fetch", "--to", "wheels", check=True)
    assert len(names(served.path / "wheels")) == 3


def test_an_index_that_fails_isnt_taken_for_one_without_wheels(served: ProjectFolder, index: LocalIndex) -> None:
    index.fail(500)
    result = served.setlist_inside("fetch", "test", "--to", "wheels")
    assert result.code == 1
    assert "an index gives no answer" in result.err
    assert "500" in result.err


def test_a_release_that_is_gone_is_named_with_what_mends_it(
    served: ProjectFolder, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_files", {})
    result = served.setlist_inside("fetch", "test", "--to", "wheels")
    assert result.code == 1
    assert "alpha 2.0, beta 2.0: no index has a wheel for this machine" in result.err
    assert "--upgrade-package" in result.err


def test_locks_that_arent_there_or_arent_current(served: ProjectFolder) -> None:
    missing = served.setlist_inside("fetch", "never", "--to", "wheels")
    assert (missing.code, "'setlist lock never' makes it" in missing.err) == (3, True)
    served.sessions(SESSIONS.replace("alpha==2.0", "alpha"))
    stale = served.setlist_inside("fetch", "--to", "wheels")
    assert (stale.code, "'setlist lock test' renews it" in stale.err) == (3, True)
    assert not (served.path / "wheels").exists()
    for lock in (served.path / "sessions/locks").iterdir():
        lock.unlink()
    none = served.setlist_inside("fetch", "--to", "wheels")
    assert (none.code, "'setlist lock' makes them" in none.err) == (3, True)


def test_command_lines_that_make_no_sense(served: ProjectFolder) -> None:
    served.write("file", "")
    for argv, said in (
        (["fetch"], "--to DIR is missing"),
        (["fetch", "--to", "file"], "is a file"),
        (["fetch", "--to", "file/below"], "can't use"),
        (["fetch", "--to", "wheels", "--platform", "linux-x86"], "did you mean 'linux-x86_64'?"),
        (["fetch", "--to", "wheels", "--python", "3"], "not one minor version"),
    ):
        result = served.setlist_inside(*argv)
        assert (result.code, said in result.err) == (2, True), result


def make_sdist(directory: Path, name: str, version: str, requires: str) -> Path:
    """An sdist whose build needs ``requires``, made by the backend of the tests."""
    source = ProjectFolder(directory / f"{name}-source")
    source.make_package(name, version)
    text = source.read("pyproject.toml").replace("requires = []", f'requires = ["{requires}"]')
    # the log lies outside of the sdist
    source.write("pyproject.toml", "\n".join(line for line in text.splitlines() if not line.startswith("log")))
    out = directory / "sdists"
    out.mkdir()
    code = f"import sys; sys.path.insert(0, {str(BACKEND.parent)!r}); import backend; backend.build_sdist({str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source.path, check=True)
    return next(out.iterdir())


def test_what_has_no_wheel_comes_as_an_sdist_with_what_its_build_needs(
    project: ProjectFolder, index: LocalIndex, wheelhouse_directory: Path, tmp_path: Path
) -> None:
    index.add(make_sdist(tmp_path, "sourced", "1.0", "tool==1.0"))
    index.add(wheelhouse_directory / "tool-1.0-py3-none-any.whl")
    project.sessions('[tool.setlist.session.test]\ndeps = ["sourced"]\nrun = ["python -c \'import sourced\'"]\n')
    project.setlist_inside("lock", check=True)
    result = project.setlist_inside("fetch", "--to", "wheels", check=True)
    assert names(project.path / "wheels") == ["sourced-1.0.tar.gz", "tool-1.0-py3-none-any.whl"]
    assert "sourced-1.0.tar.gz: there is no wheel of it" in result.err
    again = project.setlist_inside("fetch", "--to", "wheels", check=True)
    assert "0 fetched, 2 already there" in again.err
    index.fail(500)
    fresh = {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_CACHE_DIR": str(tmp_path / "pip")}
    project.run_inside("--offline", "--locked", "--find-links", "wheels", check=True, env=fresh)


def test_what_comes_from_no_index_is_said_not_to_be_fetched(
    project: ProjectFolder, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "alpha", "1.0"))
    url = index.url.replace("/simple/", "/files/alpha-1.0-py3-none-any.whl")
    project.sessions(f'[tool.setlist.session.test]\ndeps = ["alpha @ {url}"]\n')
    project.setlist_inside("lock", check=True)
    result = project.setlist_inside("fetch", "--to", "wheels")
    assert result.code == 1
    assert "not fetched: alpha comes from a URL" in result.err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_directory_that_cannot_be_written(served: ProjectFolder) -> None:
    (served.path / "wheels").mkdir(mode=0o555)
    result = served.setlist_inside("fetch", "--to", "wheels")
    assert (result.code, "not writable" in result.err) == (2, True)
