"""The made wheels are real: uv and pip install them, and they are the same every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.project import installed_in
from support.wheels import make_wheel

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    directory = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    return directory


def python_in(environment: Path) -> Path:
    return next(
        path for path in (environment / "bin" / "python", environment / "Scripts" / "python.exe") if path.exists()
    )


def install(environment: Path, *requirements: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python_in(environment)), *requirements]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_uv_installs_a_chain_from_the_wheelhouse(environment: Path, wheelhouse: Path) -> None:
    done = install(environment, "alpha", "gamma[slow]")
    assert done.returncode == 0, done.stderr
    assert installed_in(environment) == {"alpha": "2.0", "beta": "2.0", "delta": "2.0", "gamma": "1.0"}


def test_uv_refuses_the_clash(environment: Path, wheelhouse: Path) -> None:
    done = install(environment, "alpha==2.0", "clash")
    assert done.returncode != 0
    assert "clash" in done.stderr


def test_nothing_is_found_without_the_wheelhouse(environment: Path) -> None:
    assert install(environment, "alpha").returncode != 0


def test_a_console_script_runs(environment: Path, wheelhouse: Path) -> None:
    assert install(environment, "tool<2").returncode == 0
    tool = python_in(environment).with_name("tool" + python_in(environment).suffix)
    done = subprocess.run([tool, "a", "b c"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "tool 1.0 a b c\n")
    assert subprocess.run([tool, "--exit", "3"], capture_output=True, check=False).returncode == 3


def test_pip_installs_a_made_wheel_and_finds_its_record_right(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "Some.Name", "1.0", requires_python=">=3.8")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = python_in(environment)
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    done = subprocess.run(
        [python, "-m", "pip", "uninstall", "-y", "some-name"], capture_output=True, text=True, check=True
    )
    assert "Successfully uninstalled" in done.stdout


def test_equal_arguments_make_equal_bytes(tmp_path: Path) -> None:
    first = make_wheel(tmp_path / "one", "alpha", "1.0", requires=["beta"])
    second = make_wheel(tmp_path / "two", "alpha", "1.0", requires=["beta"])
    assert first.read_bytes() == second.read_bytes()
    assert make_wheel(tmp_path / "two", "alpha", "1.0").read_bytes() != first.read_bytes()
