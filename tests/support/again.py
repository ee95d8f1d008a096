"""Runs that are just like the last one: whether one went by its record, and what there is to be compared."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder
from support.watching import watched_by

DRIVER = """
import json, os, sys
before = set(sys.modules)
sys.argv = ["run", *sys.argv[1:]]
from setlist.cli.entry_point import main
code = main()
print("seen " + json.dumps({"code": code, "modules": sorted(set(sys.modules) - before)}))
"""

CHEAP = {
    "setlist", "setlist.cli", "setlist.cli.entry_point", "setlist.cli.fast_path",
    "setlist.core", "setlist.core.fingerprint", "setlist.core.records", "setlist.core.events", "setlist.core.system",
    "setlist.engine", "setlist.engine.trace", "setlist.engine.world", "setlist.engine.plan", "setlist.engine.execute",
    "setlist.process", "setlist.process.guardian", "setlist.process.signals", "setlist.process.completed",
    "setlist.process.spawn", "setlist.reports", "setlist.reports.console", "setlist.reports.terminal",
    "setlist.reports.history", "setlist.runner", "setlist.runner.output",
    "setlist.environment", "setlist.environment.environ",
    "__future__", "_imp", "_json", "_sha256", "_sha2", "_signal", "_thread", "errno", "fcntl", "gc", "io", "marshal",
    "select",    "time",
}  # fmt: skip


def forget(project: ProjectFolder) -> None:
    shutil.rmtree(project.path / STATE_DIRECTORY / "store" / "run", ignore_errors=True)


def records(project: ProjectFolder) -> list[Path]:
    place = project.path / STATE_DIRECTORY / "store" / "run"
    return sorted(place.iterdir()) if place.exists() else []


def watched(project: ProjectFolder, *argv: str, **environ: str) -> Any:
    return watched_by(DRIVER, project, *argv, environ={**os.environ, **environ})


def by_record(project: ProjectFolder, *argv: str, **environ: str) -> bool:
    """Whether a run went by its record: the whole program wasn't loaded."""
    return "setlist.cli.run" not in watched(project, *argv, **environ)["modules"]


def shape(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what is another each time."""
    return [
        {**event, "time": 0, "duration": 0, "run": "", "reason": plain(str(event.get("reason")))} for event in events
    ]


def plain(text: str) -> str:
    """What was said, without how long it took."""
    return re.sub(r"\d+\.\ds", "0.0s", text)


def sleeping(project: ProjectFolder) -> list[int]:
    """The processes that work in the project's directory."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(project.path):
                found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]


# What may become of the environment of a session "lint" that has delta and tool in it


def remove_package(project: ProjectFolder) -> None:
    (found,) = project.environment("lint").glob("lib/*/site-packages/delta-*.dist-info")
    shutil.rmtree(found)


def remove_program(project: ProjectFolder) -> None:
    (project.environment("lint") / "bin" / "tool").unlink()


def remove_state(project: ProjectFolder) -> None:
    (project.environment("lint") / "state").unlink()


def remove_environment(project: ProjectFolder) -> None:
    shutil.rmtree(project.environment("lint"))
