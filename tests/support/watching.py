"""A command in a Python that says afterwards what it saw of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from support.project import ProjectFolder


def watched_by(driver: str, project: ProjectFolder, *argv: str, environ: Mapping[str, str] | None = None) -> Any:
    """Run a driver, a program that prints a line of ``seen`` and JSON, and return what it saw.

    Args:
        driver: its text.
        project: where it runs.
        argv: its arguments.
        environ: all of its environment variables; ours where they aren't given.
    """
    done = subprocess.run(
        [sys.executable, "-c", driver, *argv],
        cwd=project.path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("seen ")]
    assert lines, done.stderr
    return json.loads(lines[0].removeprefix("seen "))


def bare_modules() -> set[str]:
    """What Python imports before any program: more where it is measured."""
    command = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True).stdout.split())
