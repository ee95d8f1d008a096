"""The package maker makes packages that build in each way, without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ProjectFolder


def build(project: ProjectFolder, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "build", "--out-dir", str(project.path.parent / "dist"), *argv]
    return subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)


def built_files(project: ProjectFolder) -> list[str]:
    return sorted(path.name for path in (project.path.parent / "dist").iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("dynamic", [False, True])
def test_sdist_and_the_wheel_from_it(project: ProjectFolder, dynamic: bool) -> None:
    project.make_package("my-demo", "1.2", dependencies=["alpha"], extras={"fast": ["delta"]}, dynamic=dynamic)
    done = build(project)
    assert done.returncode == 0, done.stderr
    assert built_files(project) == ["my_demo-1.2-py3-none-any.whl", "my_demo-1.2.tar.gz"]
    assert project.builds() == ["build_sdist", "build_wheel"]


def test_a_platform_wheel_carries_the_interpreters_tag(project: ProjectFolder) -> None:
    project.make_package(platform=True)
    assert build(project, "--wheel").returncode == 0
    (name,) = built_files(project)
    assert f"cp{sys.version_info[0]}{sys.version_info[1]}" in name


@pytest.mark.parametrize("hook", ["build_wheel", "all"])
def test_it_fails_when_told_to(project: ProjectFolder, hook: str) -> None:
    project.make_package(fail=hook)
    done = build(project, "--wheel")
    assert done.returncode != 0
    assert "the backend was told to fail in build_wheel" in done.stdout + done.stderr


def test_editable_installation_sees_the_sources(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(dependencies=["alpha==1.0"], scripts={"demo": "demo:main"})
    environment = project.path.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    argv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "-e", str(project.path)]
    subprocess.run(argv, check=True)
    project.write("src/demo/__init__.py", "def main():\n    print('changed')\n")
    done = subprocess.run([python.with_name("demo" + python.suffix)], capture_output=True, text=True, check=True)
    assert done.stdout == "changed\n"
