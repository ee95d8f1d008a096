"""Environments driven without the layers above: one session, prepared as a run would.

::

    world = EnvironmentWorld(project.path)
    with world.prepared(deps=("alpha",)) as environment: ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setlist.core.model import EnvironmentSpec, Origin, SessionSpec
from setlist.core.project import Caller, Project
from setlist.environment.prepare import Environments, Explanation, PreparedEnvironment


class EnvironmentWorld:
    """A project's environments. Each call is a run of its own, with ``os.environ`` as it is then."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.told: list[str] = []

    def session(self, name: str = "lint", **spec: Any) -> SessionSpec:
        """A session whose EnvironmentSpec has these fields."""
        return SessionSpec(
            name=name, family=name, origin=Origin("pyproject.toml", 3), environment=EnvironmentSpec(**spec)
        )

    def environments(self, *, offline: bool = False) -> Environments:
        caller = Caller(dict(os.environ), self.project.root, ci=False)
        return Environments(
            self.project, caller, offline=offline, notify=lambda session, text: self.told.append(f"{session}: {text}")
        )

    @contextmanager
    def prepared(
        self, name: str = "lint", *, recreate: bool = False, upgrade: bool = False, offline: bool = False, **spec: Any
    ) -> Iterator[PreparedEnvironment]:
        """The session's environment, prepared and held."""
        environments = self.environments(offline=offline)
        with environments.prepared(self.session(name, **spec), recreate=recreate, upgrade=upgrade) as environment:
            yield environment

    def run(self, name: str = "lint", **spec: Any) -> PreparedEnvironment:
        """Prepare it and let it go; what was done is in the result."""
        with self.prepared(name, **spec) as environment:
            return environment

    def explain(self, name: str = "lint", **spec: Any) -> Explanation:
        return self.environments().explain(self.session(name, **spec))
