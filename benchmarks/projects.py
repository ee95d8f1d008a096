"""The same work, told to each of the tools: what stands in its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

COMMAND = "python -c pass"

Files = Mapping[str, str]
"""What a project consists of: names and texts."""


def write(directory: Path, files: Files) -> Path:
    """Write a project's files, and return its directory."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def for_setlist(deps: Sequence[str]) -> Files:
    """``run lint``, and ``run bare``: the same environment, in which nothing is run."""
    lint = f'[tool.setlist.session.lint]\ndeps = {json.dumps(deps)}\nrun = ["{COMMAND}"]\n'
    bare = '[tool.setlist.session.bare]\nextends = "lint"\nrun = []\n'
    return {"pyproject.toml": f"{lint}\n{bare}"}


def for_nox(install: Sequence[str]) -> Files:
    """``nox -s lint``; ``install`` are arguments of ``session.install``."""
    return {"noxfile.py": _noxfile(f"session.install(*{list(install)!r})")}


def for_tox(deps: Sequence[str]) -> Files:
    """``tox run -e lint``; the runner is virtualenv's, or that of tox-uv where it isn't disabled."""
    lines = "".join(f"\n    {each}" for each in deps)
    return {
        "tox.ini": f"[tox]\nno_package = true\nenv_list = lint\n\n[testenv:lint]\ndeps ={lines}\ncommands = {COMMAND}\n"
    }


def for_hatch(deps: Sequence[str]) -> Files:
    """``hatch run lint:x``; uv installs, as pip would be slower."""
    table = (
        f'[tool.hatch.envs.lint]\nskip-install = true\ninstaller = "uv"\ndependencies = {json.dumps(deps)}\n\n'
        f'[tool.hatch.envs.lint.scripts]\nx = "{COMMAND}"\n'
    )
    return {"pyproject.toml": f"{_project()}\n{table}"}


def for_uv(deps: Sequence[str], python: str) -> Files:
    """``uv run``, ``uv sync``: the project itself isn't installed, as the others install none."""
    return {"pyproject.toml": f"{_project(deps, python)}\n[tool.uv]\npackage = false\n"}


def many_for_setlist(number: int) -> Files:
    """``run x-17`` and as many sessions beside it, each with a table of its own."""
    tables = [
        f'[session.x-{each}]\ndescription = "Number {each}"\nrun = ["{COMMAND}"]\n' for each in range(max(number, 18))
    ]
    return {"sessions/many.toml": "\n".join(tables[-number:]), "pyproject.toml": "[tool.setlist]\n"}


def many_for_nox(number: int) -> Files:
    """The same for nox."""
    return {
        "noxfile.py": "import nox\n\n\n"
        "def offer(each):\n"
        "    def number(session):\n"
        f"        session.run({', '.join(map(repr, COMMAND.split()))})\n\n"
        '    number.__doc__ = f"Number {each}"\n'
        '    nox.session(number, name=f"x-{each}")\n\n\n'
        f"for each in range({number}):\n"
        "    offer(each)\n"
    }


def alike_for_setlist(number: int, deps: Iterable[str]) -> Files:
    """So many sessions, each with one of these requirements, by turns."""
    wanted = list(deps)
    tables = [f'[session.x-{each}]\ndeps = ["{wanted[each % len(wanted)]}"]\n' for each in range(number)]
    return {"sessions/alike.toml": "\n".join(tables), "pyproject.toml": "[tool.setlist]\n"}


def _project(deps: Sequence[str] = (), python: str = "3.10") -> str:
    table = f'[project]\nname = "measured"\nversion = "1"\nrequires-python = ">={python}"\n'
    return f"{table}dependencies = {json.dumps(deps)}\n"


def _noxfile(install: str) -> str:
    return (
        "import nox\n\n"
        'nox.options.default_venv_backend = "uv"\n\n\n'
        "@nox.session\n"
        "def lint(session):\n"
        f"    {install}\n"
        f"    session.run({', '.join(map(repr, COMMAND.split()))})\n"
    )
