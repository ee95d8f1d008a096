"""Order the sessions of a run, and add the sessions that they require."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from setlist.core.errors import ConfigurationError
from setlist.core.model import Registry, SessionSpec
from setlist.engine.plan import Plan, Step


def make_plan(registry: Registry, selected: Sequence[SessionSpec], *, follow_requires: bool = True) -> Plan:
    """Put sessions in the given order, but each after the sessions that it requires, and each once.

    Args:
        registry: all sessions. Their ``requires`` have no cycles.
        selected: the requested sessions.
        follow_requires: add the sessions that they require. Otherwise the plan holds only the selected sessions, still
            ordered by their requirements, also by those through sessions that are left out.

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


def _after(registry: Registry, ordered: Sequence[str], requested: Collection[str]) -> dict[str, tuple[str, ...]]:
    """For each session, the requested sessions that it requires through sessions that aren't requested."""
    after: dict[str, tuple[str, ...]] = {}
    for name in ordered:
        indirect: dict[str, None] = {}
        for required in registry.sessions[name].requires:
            if required not in requested:
                left_out = registry.sessions[required]
                indirect.update(dict.fromkeys(other for other in left_out.requires if other in requested))
                indirect.update(dict.fromkeys(after[required]))
        after[name] = tuple(indirect)
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
