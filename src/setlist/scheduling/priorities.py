"""Which session comes first where several could: what is known of their durations, and the order that follows.

All of it is computed: nothing is started, and no clock is read. An order is judged by simulating the run that comes of
it (:func:`makespan`), by the same rules as :mod:`setlist.scheduling.schedule` goes by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from setlist.core.model import SessionSpec
from setlist.core.records import dataclass, field
from setlist.scheduling.durations import median
from setlist.scheduling.order import Plan

Needs = tuple[tuple[int, int], ...]
"""Pairs: what a session needs, by number, and how many of it."""

UNKNOWN = 1.0
"""Seconds that a session is taken for where no duration at all is known."""

EFFORT = 3000
"""How many sessions are simulated in search of a better order, over all simulations: some ten milliseconds."""

GOOD_ENOUGH = 1.002
"""An order that takes so many times the lower bound isn't improved any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What sessions that run at once have to share.

    ``jobs``: how many of them. ``resources``: how many there are of what sessions take; one of what isn't named.
    """

    jobs: int
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A plan by numbers: sessions are places in it, and so are what they need.

    ``after`` are those that each one waits for, ``before`` those that wait for it. ``needs`` are pairs of what, and
    how many; ``capacity`` is how many there are: one of each ``mutex``. ``alone`` beside no other.
    ``known`` says whether any of the ``seconds`` was measured.
    """

    sessions: tuple[SessionSpec, ...]
    after: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]
    alone: tuple[bool, ...]
    needs: tuple[Needs, ...]
    capacity: tuple[int, ...]
    seconds: tuple[float, ...]
    jobs: int
    known: bool


def work_of(plan: Plan, limits: Limits, durations: Mapping[str, float]) -> Work:
    """The plan by numbers.

    A session that asks for more of a resource than there is gets all of it.
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
        wanted = {("mutex", name): 1 for name in session.mutex}
        wanted.update({("resource", name): count for name, count in session.resources if count > 0})
        own: list[tuple[int, int]] = []
        for what, count in wanted.items():
            if what not in numbers:
                numbers[what] = len(capacity)
                capacity.append(1 if what[0] == "mutex" else max(1, limits.resources.get(what[1], 1)))
            number = numbers[what]
            own.append((number, min(count, capacity[number])))
        needs.append(tuple(sorted(own)))
    seconds = expected_seconds(sessions, durations)
    return Work(
        sessions=sessions,
        after=after,
        before=tuple(map(tuple, before)),
        alone=tuple(session.exclusive or session.interactive for session in sessions),
        needs=tuple(needs),
        capacity=tuple(capacity),
        seconds=seconds,
        jobs=max(1, limits.jobs),
        known=any(session.name in durations for session in sessions),
    )


def expected_seconds(sessions: Sequence[SessionSpec], durations: Mapping[str, float]) -> tuple[float, ...]:
    """How long each session will take: as last time; otherwise as its family's median, or that of all."""
    families: dict[str, list[float]] = {}
    for session in sessions:
        if session.name in durations:
            families.setdefault(session.family, []).append(durations[session.name])
    medians = {family: median(values) for family, values in families.items()}
    everything = [value for values in families.values() for value in values]
    otherwise = median(everything) if everything else UNKNOWN
    return tuple(max(0.0, durations.get(session.name, medians.get(session.family, otherwise))) for session in sessions)


def paths(work: Work, seconds: Sequence[float]) -> list[float]:
    """For each session how long it takes until the last one that waits for it has ended, all others aside."""
    path = [0.0] * len(seconds)
    # a plan has each session after all that it requires
    for place in range(len(seconds) - 1, -1, -1):
        path[place] = seconds[place] + max([path[other] for other in work.before[place]], default=0.0)
    return path


def lower_bound(work: Work) -> float:
    """Seconds that no order can do better than.

    Beside those that run alone nothing else does, so their time comes on top: of the longest path through the others,
    of what they take on all jobs together, and of what those that share a resource take of it.
    """
    beside = [0.0 if alone else seconds for alone, seconds in zip(work.alone, work.seconds, strict=True)]
    taken = [0.0] * len(work.capacity)
    for place, needs in enumerate(work.needs):
        for number, count in needs:
            taken[number] += count * beside[place]
    by_resource = (sum_ / count for sum_, count in zip(taken, work.capacity, strict=True))
    longest = max([*paths(work, beside), sum(beside) / work.jobs, *by_resource], default=0.0)
    return longest + sum(work.seconds) - sum(beside)


def makespan(work: Work, order: Sequence[int], seconds: Sequence[float] | None = None) -> float:
    """Seconds that a run takes where of those that could start the first in ``order`` does.

    What a session can't have yet is kept from all behind it. One that runs alone keeps everything.

    Args:
        work: what is run.
        order: all its sessions, the most urgent first.
        seconds: what each one takes, where it isn't what is expected.
    """
    seconds = work.seconds if seconds is None else seconds
    jobs, alone, needs, capacity, before = work.jobs, work.alone, work.needs, work.capacity, work.before
    rank = [0] * len(order)
    for position, place in enumerate(order):
        rank[place] = position
    missing = [len(others) for others in work.after]
    # as ranks, so that the most urgent one comes first out of a plain sort
    ready = sorted(rank[place] for place, count in enumerate(missing) if not count)
    free = list(capacity)
    running: list[tuple[float, int]] = []
    now = 0.0
    alone_runs = False
    while ready or running:
        position = 0
        left = free
        passed_over: set[Needs] = set()
        while position < len(ready) and len(running) < jobs and not alone_runs:
            place = order[ready[position]]
            if alone[place]:
                if running:
                    break
                alone_runs = True
            own = needs[place]
            if own in passed_over:
                position += 1
                continue
            for number, count in own:
                if left[number] < count:
                    left = _without(left, own)
                    passed_over.add(own)
                    position += 1
                    break
            else:
                for number, count in own:
                    free[number] -= count
                    if left is not free:
                        left[number] -= count
                heappush(running, (now + seconds[place], place))
                del ready[position]
        now, place = heappop(running)
        alone_runs = False
        grown = False
        while True:
            for number, count in needs[place]:
                free[number] += count
            for other in before[place]:
                missing[other] -= 1
                if not missing[other]:
                    ready.append(rank[other])
                    grown = True
            if not running or running[0][0] > now:
                break
            place = heappop(running)[1]
        if grown:
            ready.sort()
    return now


def _without(left: list[int], needs: Needs) -> list[int]:
    """What is left for those behind one that still waits for what it needs."""
    kept = list(left)
    for number, count in needs:
        kept[number] -= count
    return kept


def best_order(work: Work) -> tuple[int, ...]:
    """All sessions, the most urgent first.

    With one job that is the plan's order. Otherwise those come first on which the longest path hangs; where
    durations are known, other orders are simulated too, a bounded number of them, and the quickest is taken. The same
    work has the same order each time.
    """
    places = range(len(work.sessions))
    if work.jobs == 1:
        return tuple(places)
    path = paths(work, work.seconds)
    critical = sorted(places, key=lambda place: (-path[place], place))
    # what runs alone has its best place even where nothing is known: before all others, or after them
    if len(places) < 2 or not (work.known or any(work.alone)):
        return tuple(critical)
    longest = sorted(places, key=lambda place: (-work.seconds[place], place))
    orders = [critical, longest]
    if any(work.alone):
        for order in (critical, longest):
            together = [place for place in order if not work.alone[place]]
            apart = [place for place in order if work.alone[place]]
            orders += [apart + together, together + apart]
    tries = EFFORT // len(places)
    if tries <= 1:
        return tuple(critical)
    enough = lower_bound(work) * GOOD_ENOUGH
    best, took = critical, makespan(work, critical)
    for order in orders[1:tries]:
        if took <= enough:
            return tuple(best)
        simulated = makespan(work, order)
        if simulated < took:
            best, took = order, simulated
    return tuple(_improved(work, best, took, enough, tries - len(orders)))


def _improved(work: Work, order: list[int], took: float, enough: float, tries: int) -> list[int]:
    """Move one session at a time to another place in the order, and keep what doesn't make the run longer."""
    best, best_took = order, took
    numbers = _numbers()
    for _ in range(tries):
        if best_took <= enough:
            break
        tried = list(order)
        moved = tried.pop(next(numbers) % len(tried))
        tried.insert(next(numbers) % (len(tried) + 1), moved)
        simulated = makespan(work, tried)
        if simulated <= took:
            order, took = tried, simulated
            if took < best_took:
                best, best_took = order, took
    return best


def _numbers() -> Iterator[int]:
    """The same arbitrary numbers each time: importing ``random`` takes longer than all the rest here."""
    state = 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        yield state >> 33
