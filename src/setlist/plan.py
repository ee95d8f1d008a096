"""In which order are sessions run, and which others have to run first?"""

from __future__ import annotations

from collections.abc import Sequence

from setlist.model import Registry, SessionSpec
from setlist.records import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One session of a plan. ``requested`` is False for one that only others require."""

    session: SessionSpec
    requested: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The sessions to run, each after all that it requires."""

    steps: tuple[Step, ...]

    @property
    def sessions(self) -> tuple[SessionSpec, ...]:
        return tuple(step.session for step in self.steps)


def make_plan(registry: Registry, selected: Sequence[SessionSpec], *, follow_requires: bool = True) -> Plan:
    """Put sessions in order: as given, but each one's requirements before it, and each once.

    Args:
        registry: all sessions; its ``requires`` have no circles.
        selected: what was asked for.
        follow_requires: add what they require. Otherwise only the selected ones are kept, still
            ordered by what they require, also by way of sessions that are left out.
    """
    requested = {session.name for session in selected}
    steps = (
        Step(registry.sessions[name], requested=name in requested)
        for name in _ordered(registry, [session.name for session in selected])
        if follow_requires or name in requested
    )
    return Plan(tuple(steps))


def _ordered(registry: Registry, names: Sequence[str]) -> list[str]:
    """Depth first, in a loop: a chain of requirements may be longer than Python's stack."""
    ordered: dict[str, None] = {}
    entered: set[str] = set()
    pending = [(name, False) for name in reversed(names)]
    while pending:
        name, left = pending.pop()
        if left:
            ordered[name] = None
        elif name not in entered:
            entered.add(name)
            pending.append((name, True))
            pending.extend((required, False) for required in reversed(registry.sessions[name].requires))
    return list(ordered)
