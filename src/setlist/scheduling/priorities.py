"""Priorities of sessions that could start now, by their expected durations: the critical path goes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setlist.core.model import SessionSpec
from setlist.core.records import dataclass, field
from setlist.engine.plan import Plan
from setlist.scheduling.durations import median

Needs = tuple[tuple[int, int], ...]
"""The resources that a session needs: pairs of a resource's number and an amount."""

UNKNOWN = 1.0
"""Expected seconds of a session if no session's duration is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What limits the sessions that run at once.

    ``jobs``: how many sessions. ``resources``: the capacity of each named resource; 1 for resources that aren't listed.
    """

    jobs: int
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A plan by numbers: a session is its place in ``sessions``, a resource is its place in ``capacity``.

    ``after`` are the sessions that each session waits for, ``before`` those that wait for it. A ``mutex`` is a resource
    with a capacity of 1. ``alone`` says whether a session runs beside no other. ``seconds`` are expected durations.
    """

    sessions: tuple[SessionSpec, ...]
    after: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]
    alone: tuple[bool, ...]
    needs: tuple[Needs, ...]
    capacity: tuple[int, ...]
    seconds: tuple[float, ...]
    jobs: int


def work_of(plan: Plan, limits: Limits, durations: Mapping[str, float]) -> Work:
    """Number the sessions and resources of a plan.

    A session that needs more of a resource than its capacity needs all of it.
    """
    sessions = plan.sessions
    places = {session.name: place for place, session in enumerate(sessions)}
    after = tuple(
        tuple(sorted({places[name] for name in step.session.requires + step.after if name in places}))
        for step in plan.steps
    )
    before: list[list[int]] = [[] for _ in sessions]
    for place, others in enumerate(after):
        for other in others:
            before[other].append(place)
    numbers: dict[tuple[str, str], int] = {}
    capacity: list[int] = []
    needs: list[Needs] = []
    for session in sessions:
        amounts = {("mutex", name): 1 for name in session.mutex}
        amounts.update({("resource", name): count for name, count in session.resources if count > 0})
        numbered: list[tuple[int, int]] = []
        for resource, count in amounts.items():
            if resource not in numbers:
                numbers[resource] = len(capacity)
                capacity.append(1 if resource[0] == "mutex" else max(1, limits.resources.get(resource[1], 1)))
            number = numbers[resource]
            numbered.append((number, min(count, capacity[number])))
        needs.append(tuple(sorted(numbered)))
    return Work(
        sessions=sessions,
        after=after,
        before=tuple(map(tuple, before)),
        alone=tuple(session.exclusive or session.interactive for session in sessions),
        needs=tuple(needs),
        capacity=tuple(capacity),
        seconds=expected_seconds(sessions, durations),
        jobs=max(1, limits.jobs),
    )


def expected_seconds(sessions: Sequence[SessionSpec], durations: Mapping[str, float]) -> tuple[float, ...]:
    """Expect each session to take as long as last time, otherwise the median of its family, otherwise that of all."""
    families: dict[str, list[float]] = {}
    for session in sessions:
        if session.name in durations:
            families.setdefault(session.family, []).append(durations[session.name])
    medians = {family: median(values) for family, values in families.items()}
    everything = [value for values in families.values() for value in values]
    otherwise = median(everything) if everything else UNKNOWN
    return tuple(max(0.0, durations.get(session.name, medians.get(session.family, otherwise))) for session in sessions)


def critical_paths(work: Work, seconds: Sequence[float]) -> list[float]:
    """For each session, the seconds of the longest chain of sessions that begins with it."""
    path = [0.0] * len(seconds)
    # a plan has each session after all that it requires
    for place in range(len(seconds) - 1, -1, -1):
        path[place] = seconds[place] + max([path[other] for other in work.before[place]], default=0.0)
    return path


def order_of(work: Work) -> tuple[int, ...]:
    """Put all sessions in order, the most urgent first.

    With one job the order is the plan's. Otherwise the session on the critical path comes first. A session that runs
    alone comes before all others if it requires none, and after all others if none requires it: in between, the
    others would have to end before it and wait for it.
    """
    places = range(len(work.sessions))
    if work.jobs == 1:
        return tuple(places)
    path = critical_paths(work, work.seconds)

    def urgency(place: int) -> tuple[int, float, int]:
        group = 0
        if work.alone[place] and not work.after[place]:
            group = -1
        elif work.alone[place] and not work.before[place]:
            group = 1
        return group, -path[place], place

    return tuple(sorted(places, key=urgency))
