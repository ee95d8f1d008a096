"""What the tests of locks share: resolver starts, counted; a project with a few sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from setlist.environment import installers
from setlist.process import spawn
from support.project import ProjectFolder


class Starts:
    """The processes that installers started, as their words."""

    def __init__(self) -> None:
        self.all: list[list[str]] = []

    @property
    def resolvers(self) -> int:
        """How often a resolver was started since this was last asked."""
        count = sum("compile" in words for words in self.all)
        self.all.clear()
        return count


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    """Count what is started, and start it."""
    counted = Starts()
    real = spawn.run_process

    def run_process(argv: Sequence[str], **rest: Any) -> Any:
        counted.all.append(list(argv))
        return real(argv, **rest)

    monkeypatch.setattr(installers, "run_process", run_process)
    return counted


def locks_of(project: ProjectFolder, directory: str = "sessions/locks") -> Mapping[str, bytes]:
    """Every file in the lock directory."""
    return {path.name: path.read_bytes() for path in sorted((project.path / directory).iterdir())}


def pinned(project: ProjectFolder, session: str) -> dict[str, str]:
    """What a session's lock pins: name → version."""
    from setlist.lock.document import versions_of

    return versions_of(project.read(f"sessions/locks/{session}.txt").partition("\n\n")[2])


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    """One session, locked."""
    project.sessions('[tool.setlist.session.lint]\ndeps = ["alpha==1.*"]\nrun = []\n')
    project.setlist_inside("lock", check=True)
    return project
