"""Which sessions may be prepared and which may run, in a run of several sessions at once.

This is bookkeeping only: it starts nothing, knows no thread and reads no clock. Whoever carries the plan out asks
until there is no answer, and reports what has happened::

    schedule = Schedule(plan, limits, durations)
    while not schedule.done:
        while session := schedule.to_prepare(): …   # start to prepare its environment
        while session := schedule.to_run(): …       # run it
        …                                           # wait until something happens
        schedule.prepared(name)                     # its environment is ready
        schedule.late(name)                         # its environment takes long: others needn't wait for it
        schedule.ended(name)                        # it has ended, or it won't start

The rules:

- A session may be prepared when all sessions that it requires have ended. ``jobs`` sessions run at once; up to as many
  more may be prepared ahead of their turn, the most urgent first.
- The most urgent session that may run goes first. A place is kept for a more urgent session that is being prepared,
  until it is ``late``.
- No two sessions of one ``mutex`` run at once, nor more of a resource than its capacity. A session that waits for
  either claims all that it needs before less urgent sessions, so that they don't overtake it forever.
- A session that is ``exclusive`` or ``interactive`` starts, preparation included, when it is the most urgent one and
  nothing else is prepared or runs. Nothing less urgent runs before it, and nothing starts until it has ended.
- With one job, the order is the plan's, and nothing is prepared ahead.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Literal

from setlist.core.model import SessionSpec
from setlist.engine.plan import Plan
from setlist.scheduling.priorities import Limits, Needs, order_of, work_of

__all__ = ["Limits", "Schedule"]

_State = Literal["waiting", "eligible", "preparing", "prepared", "running", "ended"]


class Schedule:
    """The state of each session of a plan, and what may happen next. For use by one thread.

    Attributes:
        order: the names of all sessions, the most urgent first.
    """

    def __init__(self, plan: Plan, limits: Limits, durations: Mapping[str, float]) -> None:
        """Put the sessions in order.

        Args:
            plan: the sessions to run.
            limits: what limits the sessions that run at once.
            durations: seconds that sessions took last time, by name.
        """
        work = self._work = work_of(plan, limits, durations)
        count = len(work.sessions)
        self._order = order_of(work)
        self._rank = [0] * count
        for rank, place in enumerate(self._order):
            self._rank[place] = rank
        self.order = tuple(work.sessions[place].name for place in self._order)
        self._places = {session.name: place for place, session in enumerate(work.sessions)}
        self._state: list[_State] = ["waiting"] * count
        self._late: set[int] = set()
        self._missing = [len(others) for others in work.after]
        self._free = list(work.capacity)
        self._running = 0
        self._preparing = 0
        self._prepared = 0
        self._left = count
        self._alone: int | None = None
        """The exclusive or interactive session that has started."""
        self._pending: list[int] = []
        """Ranks of the sessions that are eligible, preparing or prepared, sorted."""
        for place, missing in enumerate(self._missing):
            if not missing:
                self._make_eligible(place)

    @property
    def done(self) -> bool:
        """Whether all sessions have ended."""
        return self._left == 0

    def to_prepare(self) -> SessionSpec | None:
        """Take the next session whose environment may be prepared now.

        A session that needs no preparation is reported as ``prepared`` at once.
        """
        if self._alone is not None:
            return None
        jobs = self._work.jobs
        places = jobs - self._running
        ahead = jobs if jobs > 1 else 0
        claims = _Claims(self._free)
        blocked: set[Needs] = set()
        for position, rank in enumerate(self._pending):
            place = self._order[rank]
            if self._work.alone[place]:
                if position == 0:
                    return None if self._running or self._preparing else self._begin_alone(place)
                places = 0  # sessions behind this one may only be prepared ahead
                continue
            if places <= 0 and ahead <= 0:
                return None
            needs = self._work.needs[place]
            eligible = self._state[place] == "eligible"
            if eligible and needs in blocked:
                continue  # of the sessions that wait for the same resources, one is prepared ahead
            fits = claims.fit(needs)
            claims.take(needs)
            if not fits:
                blocked.add(needs)
            if fits and places > 0:
                places -= 1
            elif ahead > 0:
                ahead -= 1
            else:
                continue
            if eligible:
                self._state[place] = "preparing"
                self._preparing += 1
                return self._work.sessions[place]
        return None

    def to_run(self) -> SessionSpec | None:
        """Take the next session that may run now, after :meth:`to_prepare` has returned None."""
        if self._alone is not None:
            return self._run(self._alone) if self._state[self._alone] == "prepared" else None
        places = self._work.jobs - self._running
        started = self._preparing + self._prepared
        claims = _Claims(self._free)
        blocked: set[Needs] = set()
        for rank in self._pending:
            place = self._order[rank]
            if places <= 0 or started <= 0 or self._work.alone[place]:
                return None
            needs = self._work.needs[place]
            state = self._state[place]
            if state != "eligible":
                started -= 1
            if needs in blocked:
                continue
            if not claims.fit(needs):
                blocked.add(needs)
                claims.take(needs)
            elif state == "prepared":
                del self._pending[bisect_left(self._pending, rank)]
                return self._run(place)
            elif state == "preparing" and place not in self._late:
                claims.take(needs)
                places -= 1
        return None

    def prepared(self, name: str) -> None:
        """Report that a session's environment is ready."""
        place = self._places[name]
        assert self._state[place] == "preparing", f"{name} is {self._state[place]}"
        self._state[place] = "prepared"
        self._preparing -= 1
        self._prepared += 1

    def late(self, name: str) -> None:
        """Report that a session's environment takes long, so that less urgent sessions may run before it."""
        self._late.add(self._places[name])

    def ended(self, name: str) -> tuple[SessionSpec, ...]:
        """Report that a session has ended, or that it won't start.

        Returns:
            the sessions that waited only for this one, in the plan's order. If one of them can't run because of
            this one's result, report it as ended as well.
        """
        place = self._places[name]
        state = self._state[place]
        if state == "ended":
            return ()
        if state == "running":
            self._running -= 1
            for number, count in self._work.needs[place]:
                self._free[number] += count
        elif state == "preparing":
            self._preparing -= 1
        elif state == "prepared":
            self._prepared -= 1
        if self._alone == place:
            self._alone = None
        elif state in ("eligible", "preparing", "prepared"):
            del self._pending[bisect_left(self._pending, self._rank[place])]
        self._state[place] = "ended"
        self._left -= 1
        freed = []
        for other in self._work.before[place]:
            self._missing[other] -= 1
            if not self._missing[other] and self._state[other] == "waiting":
                self._make_eligible(other)
                freed.append(self._work.sessions[other])
        return tuple(freed)

    def _make_eligible(self, place: int) -> None:
        self._state[place] = "eligible"
        insort(self._pending, self._rank[place])

    def _begin_alone(self, place: int) -> SessionSpec:
        """Prepare the most urgent session, which runs alone."""
        del self._pending[0]
        self._alone = place
        self._state[place] = "preparing"
        self._preparing += 1
        return self._work.sessions[place]

    def _run(self, place: int) -> SessionSpec:
        self._state[place] = "running"
        self._prepared -= 1
        self._running += 1
        for number, count in self._work.needs[place]:
            self._free[number] -= count
        return self._work.sessions[place]


class _Claims:
    """What is left of the resources for less urgent sessions."""

    def __init__(self, free: Sequence[int]) -> None:
        self._left = list(free)

    def fit(self, needs: Needs) -> bool:
        return all(self._left[number] >= count for number, count in needs)

    def take(self, needs: Needs) -> None:
        for number, count in needs:
            self._left[number] -= count
