"""Runs that go by the record of the last one, beside those of the whole program: what each says, keeps and imports."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from support.project import ProjectFolder
from support.watching import watched_by

DRIVER = """
import json, os, sys
before = set(sys.modules)
sys.argv = ["run", *sys.argv[1:]]
from setlist.cli.start import main
code = main()
print("seen " + json.dumps({"code": code, "modules": sorted(set(sys.modules) - before)}))
"""

CHEAP = frozenset({
    "setlist", "setlist.cli", "setlist.cli.start", "setlist.warm", "setlist.sentinel",
    "__future__", "_imp", "marshal", "_signal", "time", "fcntl", "resource",
})  # fmt: skip
"""What a run that goes by its record imports, and nothing else."""


def watched(project: ProjectFolder, *argv: str, **environ: str) -> Any:
    """``run``: its exit code, and the modules that it has imported."""
    return watched_by(DRIVER, project, *argv, environ={**os.environ, **environ})


def by_record(project: ProjectFolder, *argv: str, **environ: str) -> bool:
    """Whether a run went by its record: the whole program wasn't loaded."""
    return "setlist.cli.run" not in watched(project, *argv, **environ)["modules"]


def forget(project: ProjectFolder) -> None:
    """Take the records away: the next run is the whole program's."""
    shutil.rmtree(project.path / ".setlist" / "warm", ignore_errors=True)


def records(project: ProjectFolder) -> list[Path]:
    """The records that there are."""
    place = project.path / ".setlist" / "warm"
    return sorted(place.iterdir()) if place.exists() else []


def shape(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what is another each time."""
    return [{**event, "time": 0, "duration": 0, "run": ""} for event in events]


def plain(text: str) -> str:
    """What was said, without how long it took."""
    return re.sub(r"\d+\.\ds", "0.0s", text)
