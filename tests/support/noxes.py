"""The noxfiles of the tests, and what nox itself says of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from setlist.core.model import Registry
from setlist.core.project import Project
from setlist.registry.load import load_registry

NOXFILES = Path(__file__).resolve().parents[1] / "noxfiles"
NAMES = tuple(sorted(entry.name for entry in NOXFILES.iterdir() if entry.is_dir()))

# nox's own command line, many times in one process: each start of it costs more than all that is asked
DRIVER = """
import contextlib, io, json, sys
import nox.registry
from nox import _options
from nox._cli import execute_workflow

said = []
for argv in json.loads(sys.argv[1]):
    nox.registry.reset()
    for field in list(_options.noxfile_options._provenance):
        del _options.noxfile_options._provenance[field]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = execute_workflow(_options.options.parse_args(["-l", "--json", *argv]))
    text = out.getvalue()
    said.append((code, json.loads(text) if text.startswith("[") else None))
print(json.dumps(said))
"""


def copied(name: str, where: Path) -> Path:
    """A copy of one of the tests' noxfiles, with what lies beside it."""
    return copytree(NOXFILES / name, where / name, ignore=ignore_patterns(".setlist", ".nox*", "__pycache__"))


def nox_lists(root: Path, *selections: Sequence[str]) -> list[tuple[int, Any]]:
    """What ``nox -l --json`` says for each of several command lines: its exit code, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(selections)],
        cwd=root,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return [tuple(item) for item in json.loads(done.stdout)]


def registry_of(root: Path, *arguments: str) -> Registry:
    """Our registry of a noxfile."""
    return load_registry(Project(root, provider_arguments=arguments))
