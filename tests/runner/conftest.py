"""A project whose sessions are run through the real parts, and all that they tell."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from setlist.core.events import Emit, Event, Message, SessionFinished
from setlist.core.model import (
    Command,
    EnvironmentSpec,
    FunctionReference,
    Origin,
    Registry,
    SessionSpec,
    Settings,
)
from setlist.core.project import Caller, Project
from setlist.runner.output import Sink
from setlist.runner.run_context import RunOptions
from setlist.runner.run_plan import context_of, run_plan
from setlist.runner.secrets import masker_of
from setlist.scheduling.order import make_plan

Kind = TypeVar("Kind", bound=Event)

OWN = EnvironmentSpec(backend="none")
"""The environment of most sessions here: the caller's own, which takes no time to make."""


class World:
    """Sessions, and what running them told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = Project(root)
        self.caller = Caller(dict(os.environ), root, ci=False)
        self.sessions: dict[str, SessionSpec] = {}
        self.events: list[Event] = []
        self.also: Emit = lambda event: None
        self.settings = Settings(interrupt_grace=0.2, terminate_grace=0.2)

    def add(self, name: str, *commands: Command | str | Sequence[str], **keys: Any) -> SessionSpec:
        """Define a session. A command is words, or Python code."""
        spec = SessionSpec(
            name=name,
            family=name,
            origin=Origin("pyproject.toml", 7),
            commands=tuple(_command(command) for command in commands),
            **{"environment": OWN, **keys},
        )
        self.sessions[name] = spec
        return spec

    def add_function(self, name: str, body: str, **keys: Any) -> SessionSpec:
        """Define a session with a function; ``body`` is what stands in it, ``s`` its argument."""
        file = f"sessions/{name}.py"
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "from setlist import Session, session\n\n\n@session()\n"
            f"def {name}(s: Session) -> None:\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"
        )
        return self.add(name, function=FunctionReference(file, name), **keys)

    def run(self, *names: str, follow_requires: bool = True, **options: Any) -> int:
        """Run sessions, all of them by default. What they tell replaces what earlier runs told."""
        self.events = []
        registry = Registry(sessions=self.sessions, settings=self.settings)
        selected = [self.sessions[name] for name in names or self.sessions]
        plan = make_plan(registry, selected, follow_requires=follow_requires)
        of_sink = {key: options.pop(key) for key in ("capturing", "captured_environ", "notice") if key in options}
        sink = Sink(self._emit, masker=masker_of(plan.sessions, self.caller.environ, self.root)[0], **of_sink)
        return run_plan(context_of(self.project, registry, self.caller, RunOptions(**options), sink), plan)

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self.also(event)

    def told(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def messages(self, level: str) -> list[str]:
        return [event.text for event in self.told(Message) if event.level == level]

    def ends(self) -> dict[str, str]:
        """How each session ended: its status, and why."""
        return {
            event.session: event.status + (f": {event.reason}" if event.reason else "")
            for event in self.told(SessionFinished)
        }

    def in_ci(self) -> None:
        self.caller = replace(self.caller, ci=True)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()


def _command(command: Command | str | Sequence[str]) -> Command:
    if isinstance(command, Command):
        return command
    if isinstance(command, str):
        from setlist.registry.substitution import escape

        return Command(words=(sys.executable, "-c", escape(textwrap.dedent(command))))
    return Command(words=tuple(command))


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = tmp_path / "project"
    root.mkdir()
    project = Project(root)
    project.prepare()
    return World(root)
