"""The environment variables of a world of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Left in place, each would let the user's world decide how a test ends.
FOREIGN = ("CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")
FOREIGN_PREFIXES = ("CONDA_", "GITHUB_", "NOX", "PIP_", "PYTHON", "SETLIST_", "TOX", "UV_", "VIRTUALENV_", "XDG_")


def hermetic(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """What is left of ``environ``, and what replaces the rest, with ``home`` for the home directory."""
    world = {
        name: value for name, value in environ.items() if name not in FOREIGN and not name.startswith(FOREIGN_PREFIXES)
    }
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    if pyenv.is_dir():  # the interpreters are real, wherever home is
        world["PYENV_ROOT"] = str(pyenv)
    _settle_shells(home)
    return world | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(home / "AppData" / "Roaming"),
        "LOCALAPPDATA": str(home / "AppData" / "Local"),
        "SETLIST_CACHE_DIR": str(home / "setlist-cache"),
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_NO_CONFIG": "1",
        # uv knows no variable that says "no index": one that is empty does the same
        "UV_DEFAULT_INDEX": _empty_index(home).as_uri(),
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_CACHE_DIR": str(home / "pip-cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "GIT_AUTHOR_NAME": "Tester",
        "GIT_AUTHOR_EMAIL": "tester@example.invalid",
        "GIT_COMMITTER_NAME": "Tester",
        "GIT_COMMITTER_EMAIL": "tester@example.invalid",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def _settle_shells(home: Path) -> None:
    """Spare the first start of an interactive shell: fish reads every manual page, zsh asks questions."""
    for place in (".local/share/fish", ".cache/fish"):
        (home / place / "generated_completions").mkdir(parents=True, exist_ok=True)
    (home / ".zshrc").touch()


def _empty_index(home: Path) -> Path:
    path = home / "empty-index"
    path.mkdir(parents=True, exist_ok=True)
    return path


def users_own(environ: Mapping[str, str], setlist_cache: str) -> dict[str, str]:
    """The user's own settings, for tests that reach for the network; setlist's cache is still the tests'."""
    return {name: value for name, value in environ.items() if name not in FOREIGN} | {
        "SETLIST_CACHE_DIR": setlist_cache
    }


def replace_environ(environ: Mapping[str, str]) -> None:
    """Make these this process's environment variables; pytest's and coverage's own stay."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PYTEST_", "COVERAGE_"))}
    os.environ.clear()
    os.environ.update({**environ, **kept})
