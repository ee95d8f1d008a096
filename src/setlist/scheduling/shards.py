"""Split the selected sessions into shards, one for each of several CI jobs.

Each job computes all shards from the same selection, definitions and durations. Nothing else is an input, not even an
order: ties are settled by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from setlist.core.errors import UsageError
from setlist.core.model import Registry, SessionSpec
from setlist.core.records import dataclass
from setlist.scheduling.priorities import expected_seconds


@dataclass(frozen=True, slots=True)
class Component:
    """Sessions that belong in one shard, as they require each other or the same sessions.

    ``names`` are the selected sessions, sorted. ``seconds`` is the duration of all sessions, including required ones
    that weren't selected.
    """

    names: tuple[str, ...]
    seconds: float


def parse_shard(text: str) -> tuple[int, int]:
    """``2/5`` as (2, 5): the second of five.

    Raises:
        UsageError: it isn't two numbers, or there is no such shard.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    hint = "write --shard 2/5 for the second of five"
    if match is None:
        raise UsageError(f"--shard: {text!r} is no shard", hint=hint)
    k, n = int(match[1]), int(match[2])
    if not 1 <= k <= n:
        raise UsageError(f"--shard: there is no shard {k} of {n}", hint=hint)
    return k, n


def shard_of(
    sessions: Sequence[SessionSpec], registry: Registry, durations: Mapping[str, float], k: int, n: int
) -> tuple[SessionSpec, ...]:
    """The sessions of one shard, in the order of the selection; perhaps none.

    Args:
        sessions: the selected sessions.
        registry: all sessions.
        durations: seconds by session, for sessions that have run. The same in every job.
        k: the shard's number, from 1.
        n: the number of shards.
    """
    return shards(sessions, registry, durations, n)[k - 1]


def shards(
    sessions: Sequence[SessionSpec], registry: Registry, durations: Mapping[str, float], n: int
) -> tuple[tuple[SessionSpec, ...], ...]:
    """All shards. Each selected session is in exactly one, together with the sessions that it requires.

    The longest component goes first, each to the shard with the shortest total: the fullest shard takes at most
    4/3 of what the best split would (LPT; R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969).
    """
    seconds = [0.0] * n
    names: list[list[str]] = [[] for _ in range(n)]
    for component in components(sessions, registry, durations):
        # by number of sessions if all durations are 0
        least = min(range(n), key=lambda shard: (seconds[shard], len(names[shard]), shard))
        seconds[least] += component.seconds
        names[least] += component.names
    return tuple(tuple(session for session in sessions if session.name in shard) for shard in map(frozenset, names))


def components(
    sessions: Sequence[SessionSpec], registry: Registry, durations: Mapping[str, float]
) -> tuple[Component, ...]:
    """All components, the longest first."""
    selected = sorted(session.name for session in sessions)
    required = {name: _required(registry, name) for name in selected}
    leader = {name: name for name in selected}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for name in selected:
        for other in sorted(required[name]):
            if other in leader:
                # the first by name leads
                one, two = sorted((find(name), find(other)))
                leader[two] = one
    members: dict[str, list[str]] = {}
    for name in selected:
        members.setdefault(find(name), []).append(name)
    expected = _expected(registry, {*selected, *(other for others in required.values() for other in others)}, durations)
    unordered = [
        Component(
            tuple(names),
            sum(expected[name] for name in sorted({*names, *(other for name in names for other in required[name])})),
        )
        for names in members.values()
    ]
    return tuple(sorted(unordered, key=lambda component: (-component.seconds, component.names)))


def _required(registry: Registry, name: str) -> set[str]:
    """The sessions that a session requires, directly or through others."""
    required: set[str] = set()
    pending = [name]
    while pending:
        for other in registry.sessions[pending.pop()].requires:
            if other not in required:
                required.add(other)
                pending.append(other)
    return required


def _expected(registry: Registry, names: set[str], durations: Mapping[str, float]) -> dict[str, float]:
    sessions = [registry.sessions[name] for name in sorted(names)]
    return dict(zip((session.name for session in sessions), expected_seconds(sessions, durations), strict=True))
