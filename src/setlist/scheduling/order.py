"""In which order are sessions run, and which others have to run first?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from setlist.core.errors import ConfigurationError
from setlist.core.model import Registry, SessionSpec
from setlist.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One session of a plan. ``requested`` is False for one that only others require.

    ``after`` are sessions of the plan that it requires by way of others that aren't part of it. ``posargs`` are
    words for it alone, None where it gets those of the command line.
    """

    session: SessionSpec
    requested: bool
    after: tuple[str, ...] = ()
    posargs: tuple[str, ...] | None = None


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

    Raises:
        ConfigurationError: a session of a provider can't be run.
    """
    requested = {session.name for session in selected}
    ordered = _ordered(registry, [session.name for session in selected])
    for name in ordered:
        session = registry.sessions[name]
        if session.problem:
            raise ConfigurationError(
                f"{(session.aliases or (name,))[0]!r} can't be run: {session.problem}",
                file=session.origin.file,
                line=session.origin.line,
            )
    if follow_requires:
        return Plan(tuple(Step(registry.sessions[name], requested=name in requested) for name in ordered))
    after = _after(registry, ordered, requested)
    return Plan(
        tuple(Step(registry.sessions[name], requested=True, after=after[name]) for name in ordered if name in requested)
    )


def _after(registry: Registry, ordered: Sequence[str], kept: Collection[str]) -> dict[str, tuple[str, ...]]:
    """For each session those kept that it requires by way of others that aren't."""
    after: dict[str, tuple[str, ...]] = {}
    for name in ordered:
        found: dict[str, None] = {}
        for required in registry.sessions[name].requires:
            if required not in kept:
                left_out = registry.sessions[required]
                found.update(dict.fromkeys(other for other in left_out.requires if other in kept))
                found.update(dict.fromkeys(after[required]))
        after[name] = tuple(found)
    return after


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
