"""What a session's programs see of the caller's variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.environment.environ import clean, session_environ

LEAKING = {
    "VIRTUAL_ENV": "/proj/.venv",
    "VIRTUAL_ENV_PROMPT": "proj",
    "_OLD_VIRTUAL_PATH": "/usr/bin",
    "_OLD_VIRTUAL_PS1": "$",
    "PYTHONHOME": "/opt/python",
    "PYTHONPATH": "/proj/src",
    "CONDA_PREFIX": "/opt/conda/envs/x",
    "CONDA_DEFAULT_ENV": "x",
    "UV_PROJECT_ENVIRONMENT": "/proj/.venv",
    "UV_PYTHON": "3.9",
    "UV_SYSTEM_PYTHON": "1",
    "PIP_TARGET": "/tmp/t",
    "PIP_PREFIX": "/tmp/p",
    "PIP_USER": "1",
    "__PYVENV_LAUNCHER__": "/usr/bin/python3",
    "SETLIST_SESSION": "outer",
}
HARMLESS = {
    "HOME": "/home/me",
    "PYTHONSTARTUP": "/home/me/.pythonrc",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_INDEX_URL": "https://index.invalid/simple",
    "UV_CACHE_DIR": "/cache",
    "SETLIST_CACHE_DIR": "/cache/setlist",
    "SETLIST_PROCESS": "outer",
    "MY_VIRTUAL_ENV": "mine",
}


def of_posix(environ: dict[str, str], *, inherit_env: bool | tuple[str, ...] = True) -> dict[str, str]:
    directory = Path(f"/proj/{STATE_DIRECTORY}/envs/lint")
    return session_environ(environ, directory=directory, name="lint-py311", inherit_env=inherit_env, windows=False)


@pytest.mark.parametrize("name", LEAKING)
def test_what_is_of_another_environment_does_not_leak(name: str) -> None:
    assert clean({**LEAKING, **HARMLESS}, windows=False) == HARMLESS
    assert name not in clean({name: LEAKING[name]}, windows=False)


def test_the_programs_of_the_active_environment_leave_path() -> None:
    path = "/proj/.venv/bin:/usr/bin::/proj/.venv/bin/:/proj/.venv/bin2"
    cleaned = clean({"PATH": path, "VIRTUAL_ENV": "/proj/.venv/"}, windows=False)
    assert cleaned == {"PATH": "/usr/bin::/proj/.venv/bin2"}


def test_the_programs_of_a_conda_environment_stay() -> None:
    environ = {"PATH": "/opt/conda/bin:/usr/bin", "CONDA_PREFIX": "/opt/conda"}
    assert clean(environ, windows=False) == {"PATH": "/opt/conda/bin:/usr/bin"}


def test_on_windows_names_and_paths_ignore_case() -> None:
    environ = {
        "Path": r"C:\Proj\.venv\scripts\;C:\Windows",
        "Virtual_Env": r"c:\proj\.venv",
        "VIRTUAL_ENV": r"c:\proj\.venv",
        "PythonPath": "x",
    }
    assert clean(environ, windows=True) == {"Path": r"C:\Windows"}


def test_the_callers_mapping_is_left_alone() -> None:
    environ = {"PATH": "/usr/bin", "VIRTUAL_ENV": "/x"}
    of_posix(environ)
    assert environ == {"PATH": "/usr/bin", "VIRTUAL_ENV": "/x"}


def test_the_sessions_environment_is_active_and_first_on_path() -> None:
    found = of_posix({"PATH": "/usr/bin", "VIRTUAL_ENV": "/other", "A": "b", "SETLIST_SESSION": "outer"})
    assert found == {
        "PATH": f"/proj/{STATE_DIRECTORY}/envs/lint/bin:/usr/bin",
        "VIRTUAL_ENV": f"/proj/{STATE_DIRECTORY}/envs/lint",
        "VIRTUAL_ENV_PROMPT": "lint-py311",
        "SETLIST_SESSION": "lint-py311",
        "A": "b",
    }


def test_windows_has_its_own_separator_and_keeps_the_spelling_of_path() -> None:
    environ = {"Path": r"C:\Windows"}
    found = session_environ(environ, directory=Path("envs", "lint"), name="lint", inherit_env=True, windows=True)
    assert found["Path"] == str(Path("envs", "lint", "Scripts")) + r";C:\Windows"
    assert "PATH" not in found


def test_without_a_path_the_systems_default_is_searched() -> None:
    assert of_posix({})["PATH"] == f"/proj/{STATE_DIRECTORY}/envs/lint/bin:" + os.defpath
    assert of_posix({"PATH": ""})["PATH"] == f"/proj/{STATE_DIRECTORY}/envs/lint/bin"


def test_inherit_env_false_leaves_what_programs_need_to_live() -> None:
    environ = {
        "PATH": "/usr/bin",
        "HOME": "/home/me",
        "LC_ALL": "C.UTF-8",
        "https_proxy": "http://proxy.invalid",
        "SETLIST_PROCESS": "outer",
        "SECRET": "x",
        "CI": "1",
    }
    found = of_posix(environ, inherit_env=False)
    assert set(environ) - set(found) == {"SECRET"}


def test_inherit_env_as_globs_adds_to_that_but_never_a_leak() -> None:
    environ = {"PATH": "/usr/bin", "AWS_KEY": "k", "AWS_REGION": "r", "GCP_KEY": "g", "PYTHONPATH": "/x"}
    found = of_posix(environ, inherit_env=("AWS_*", "PYTHONPATH"))
    assert {name for name in found if name in environ} == {"PATH", "AWS_KEY", "AWS_REGION"}


def test_the_callers_own_environment_is_not_cleaned() -> None:
    environ = {**LEAKING, **HARMLESS, "PATH": "/proj/.venv/bin:/usr/bin"}
    found = session_environ(environ, directory=None, name="lint-py311", inherit_env=True, windows=False)
    assert found == {**environ, "SETLIST_SESSION": "lint-py311"}
    assert "SECRET" not in session_environ({"SECRET": "x"}, directory=None, name="lint", inherit_env=False)
