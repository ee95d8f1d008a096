"""From a directory of wheels to environments, with nobody there to ask."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.index import LocalIndex
from support.project import ProjectFolder, installed
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

RUN = """run = ["python -c 'import demo, alpha; print(demo.__version__)'"]"""
SESSIONS = f"""
    [tool.setlist.session.editable]
    project = "editable"
    {RUN}
    [tool.setlist.session.wheel]
    project = "wheel"
    deps = ["tool==1.0"]
    exclude-newer = "2024-01-01"
    {RUN}
    [tool.setlist.session.sdist]
    project = "sdist"
    {RUN}
    [tool.setlist.session.by-pip]
    project = "editable"
    installer = "pip"
    {RUN}
    [tool.setlist.session.plain]
    deps = ["alpha==1.0"]
    run = ["python -c 'import alpha, beta'"]
"""

# needs for editable builds what its pyproject.toml doesn't say, as hatchling does
BACKEND = """
from backend import *

def get_requires_for_build_editable(config_settings=None):
    return ["hooked"]

_editable = build_editable

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    import builder, hooked
    return _editable(wheel_directory, config_settings, metadata_directory)
"""


@pytest.fixture
def fetched(project: ProjectFolder, index: LocalIndex, wheelhouse_directory: Path, tmp_path: Path) -> ProjectFolder:
    """A locked project with everything fetched into wheels/."""
    for wheel in wheelhouse_directory.glob("[abt]*.whl"):
        index.add(wheel)
    for name in ("builder", "hooked"):
        index.add(make_wheel(tmp_path / "made", name, "1.0"))
    project.make_package(dependencies=["alpha"], sessions=SESSIONS)
    text = project.read("pyproject.toml")
    text = text.replace("requires = []", 'requires = ["builder"]').replace('"backend"', '"hooking"')
    project.write("pyproject.toml", text)
    project.write("_backend/hooking.py", BACKEND)
    project.setlist_inside("lock", check=True)
    project.setlist_inside("fetch", "--to", "wheels", check=True)
    return project


def fresh_caches(place: Path) -> Mapping[str, str]:
    return {name: str(place / name) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR")}


def test_what_was_fetched_makes_every_environment_without_an_index(
    fetched: ProjectFolder, index: LocalIndex, tmp_path: Path
) -> None:
    wheels = {path.name.partition("-")[0] for path in (fetched.path / "wheels").iterdir()}
    assert wheels == {"alpha", "beta", "tool", "builder", "hooked"}
    asked = len(index.requests)
    fetched.run_inside("--find-links", "wheels", "editable", check=True, env=fresh_caches(tmp_path / "first"))
    assert len(index.requests) == asked, "--find-links alone asks nobody else"
    index.stop()
    result = fetched.run_inside(
        "-r", "--offline", "--locked", "--find-links", "wheels", check=True, env=fresh_caches(tmp_path / "second")
    )
    assert result.out.splitlines() == ["1.0"] * 4
    assert fetched.installed("plain") == {"alpha": "1.0", "beta": "2.0"}
    assert fetched.installed("by-pip").keys() == {"alpha", "beta", "demo", "pip"}


def test_a_wheel_that_is_tampered_with_or_missing_there_is_named(fetched: ProjectFolder, tmp_path: Path) -> None:
    wheel = make_wheel(fetched.path / "wheels", "beta", "2.0", modules={"beta.py": "evil = True\n"})
    for _ in ("tampered with", "missing"):
        result = fetched.run_inside(
            "--offline", "--find-links", "wheels", "plain", env=fresh_caches(tmp_path / "fresh")
        )
        assert (result.code, "beta" in result.err) == (1, True), result
        assert not fetched.installed("plain")
        wheel.unlink(missing_ok=True)


def _unplugged() -> list[str] | None:
    """How a command is started in a network namespace of its own, where that is allowed."""
    program = shutil.which("unshare")
    if program is None:
        return None
    for way in ([program, "-n"], [program, "-rn"]):
        if subprocess.run([*way, "true"], capture_output=True).returncode == 0:
            return way
    return None


def test_it_works_with_the_cable_pulled(
    fetched: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = _unplugged()
    if way is None:
        pytest.skip("no network namespace can be made here (unshare -n)")
    for name, value in {**fresh_caches(tmp_path), "SETLIST_CACHE_DIR": str(tmp_path / "setlist")}.items():
        monkeypatch.setenv(name, value)
    argv = [*way, *installed("run"), "--offline", "--locked", "--find-links", "wheels", "editable", "sdist"]
    done = subprocess.run(argv, cwd=fetched.path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["1.0", "1.0"]
