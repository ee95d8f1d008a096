"""Which session may be prepared now, and which may run: the bookkeeping of a run of many sessions at once.

Nothing is started here, no thread is known and no clock is read. Whoever carries the plan out asks until there is
no answer, and tells what has happened::

    schedule = Schedule(plan, limits, durations)
    while not schedule.done:
        while session := schedule.to_prepare(): …   # begin to make its environment right
        while session := schedule.to_run(): …       # its turn has come
        …                                           # wait until something happens
        schedule.prepared(name)                     # its environment is right, it waits for its turn
        schedule.late(name)                         # that takes long: nobody waits for it any more
        schedule.ended(name)                        # however it ended, and whether it had begun or not

The rules:

- A session may be prepared when all that it requires has ended. ``jobs`` run at once; as many more, the most
  urgent ones, may be got ready ahead of their turn.
- The most urgent session that may run does. A place is kept for a more urgent one that is just being prepared,
  which takes no time where nothing has changed, until it is ``late``.
- Never two of one ``mutex``, never more of a resource than there is. A session that has to wait for either keeps
  all it needs from those that are less urgent, so its turn comes.
- One that is ``exclusive`` or ``interactive`` begins, its preparation included, when nothing else is going on, and
  until it has ended nothing else begins. When it is the most urgent one that could begin, nothing begins before it.
- With one job the order is the plan's, and nothing is prepared ahead.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping
from heapq import heapify, heappop, heapreplace
from typing import Literal

from setlist.core.model import SessionSpec
from setlist.scheduling.order import Plan
from setlist.scheduling.priorities import Limits, Needs, best_order, work_of

__all__ = ["Limits", "Schedule"]

_State = Literal["waiting", "eligible", "preparing", "prepared", "running", "ended"]


class Schedule:
    """Where each session of a plan stands, and what may happen next. For the use of one thread.

    Attributes:
        order: the names of all sessions, the most urgent first.
    """

    def __init__(self, plan: Plan, limits: Limits, durations: Mapping[str, float]) -> None:
        """Work out the order.

        Args:
            plan: what is run.
            limits: how much of it at once.
            durations: seconds that sessions took last time, by name; those that aren't known are estimated.
        """
        work = self._work = work_of(plan, limits, durations)
        count = len(work.sessions)
        self._order = best_order(work)
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
        self._left = count
        self._alone: int | None = None
        # all below hold ranks, sorted. Those that need the same can or can't have it together: one look does for all
        self._eligible: dict[Needs, list[int]] = {}
        self._getting_ready: list[int] = []
        self._eligible_alone: list[int] = []
        for place, missing in enumerate(self._missing):
            if not missing:
                self._make_eligible(place)

    @property
    def done(self) -> bool:
        """Whether all sessions have ended."""
        return self._left == 0

    def to_prepare(self) -> SessionSpec | None:
        """The next session whose environment may be made right now; it counts as being prepared from here on.

        What doesn't need preparing is told to be ``prepared`` at once.
        """
        if self._alone is not None:
            return None
        barrier = self._barrier()
        places = self._work.jobs - self._running
        ahead = self._work.jobs if self._work.jobs > 1 else 0
        now, later = _Claims(self._free), _Claims(self._work.capacity)
        passed_over: set[Needs] = set()
        first = True
        for rank in self._unstarted(passed_over):
            if rank < barrier:
                first = False
            elif first:
                break
            else:
                places = 0
            place = self._order[rank]
            needs = self._work.needs[place]
            if places > 0 and now.fit(needs):
                now.take(needs)
                places -= 1
            elif ahead <= 0 and places <= 0:
                return None
            else:
                if places > 0:
                    now.take(needs)
                if self._state[place] == "eligible" and (ahead <= 0 or not later.fit(needs)):
                    # of those that will wait for the same, one at a time is got ready
                    passed_over.add(needs)
                    continue
                later.take(needs)
                ahead -= 1
            if self._state[place] == "eligible":
                return self._prepare(rank)
        if first and self._eligible_alone and not self._running and not self._preparing:
            self._alone = self._order[self._eligible_alone.pop(0)]
            self._state[self._alone] = "preparing"
            self._preparing += 1
            return self._work.sessions[self._alone]
        return None

    def to_run(self) -> SessionSpec | None:
        """The next session that may run now; it counts as running from here on.

        Asked for after :meth:`to_prepare` has nothing more to say.
        """
        if self._alone is not None:
            return self._run(self._alone) if self._state[self._alone] == "prepared" else None
        barrier = self._barrier()
        places = self._work.jobs - self._running
        claims = _Claims(self._free)
        blocked = [ranks[0] for needs, ranks in self._eligible.items() if needs and not claims.fit(needs)]
        for rank in sorted(blocked + self._getting_ready) if blocked else self._getting_ready:
            if places <= 0 or rank > barrier:
                return None
            place = self._order[rank]
            needs = self._work.needs[place]
            state = self._state[place]
            if claims.fit(needs):
                if state == "prepared":
                    self._getting_ready.remove(rank)
                    return self._run(place)
                if place in self._late:
                    continue
                places -= 1
            claims.take(needs)
        return None

    def prepared(self, name: str) -> None:
        """A session's environment is right, and it waits for its turn."""
        place = self._places[name]
        assert self._state[place] == "preparing", f"{name} is {self._state[place]}"
        self._state[place] = "prepared"
        self._preparing -= 1

    def late(self, name: str) -> None:
        """A session's environment isn't right yet, so others may take their turn before it."""
        self._late.add(self._places[name])

    def ended(self, name: str) -> tuple[SessionSpec, ...]:
        """A session has ended, or it won't begin.

        Returns:
            those for which it was the last one they waited for, in the plan's order. One that can't run, for what
            has become of this one, is told to have ended as well.
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
        if self._alone == place:
            self._alone = None
        elif state in ("preparing", "prepared"):
            self._getting_ready.remove(self._rank[place])
        elif state == "eligible":
            self._forget(self._rank[place])
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
        if self._work.alone[place]:
            insort(self._eligible_alone, self._rank[place])
        else:
            insort(self._eligible.setdefault(self._work.needs[place], []), self._rank[place])

    def _forget(self, rank: int) -> None:
        """It isn't among the eligible ones any more."""
        place = self._order[rank]
        needs = self._work.needs[place]
        ranks = self._eligible_alone if self._work.alone[place] else self._eligible[needs]
        del ranks[bisect_left(ranks, rank)]
        if not self._work.alone[place] and not ranks:
            del self._eligible[needs]

    def _prepare(self, rank: int) -> SessionSpec:
        self._forget(rank)
        insort(self._getting_ready, rank)
        place = self._order[rank]
        self._state[place] = "preparing"
        self._preparing += 1
        return self._work.sessions[place]

    def _run(self, place: int) -> SessionSpec:
        self._state[place] = "running"
        self._running += 1
        for number, count in self._work.needs[place]:
            self._free[number] -= count
        return self._work.sessions[place]

    def _barrier(self) -> int:
        """The rank of the session before which nothing less urgent begins to run: the first that runs alone."""
        return self._eligible_alone[0] if self._eligible_alone else len(self._order)

    def _unstarted(self, passed_over: Collection[Needs]) -> Iterator[int]:
        """The ranks of those that could begin and those that are getting ready, the most urgent first.

        Args:
            passed_over: what is found out meanwhile that no more of those who need just that are of interest.
        """
        heads: list[tuple[int, int, list[int], Needs | None]]
        heads = [(ranks[0], 0, ranks, needs) for needs, ranks in self._eligible.items()]
        if self._getting_ready:
            heads.append((self._getting_ready[0], 0, self._getting_ready, None))
        heapify(heads)
        while heads:
            rank, position, ranks, needs = heads[0]
            yield rank
            position += 1
            if position < len(ranks) and (needs is None or needs not in passed_over):
                heapreplace(heads, (ranks[position], position, ranks, needs))
            else:
                heappop(heads)


class _Claims:
    """What of the resources is left for those that are less urgent."""

    def __init__(self, free: list[int] | tuple[int, ...]) -> None:
        self._left = free
        self._own = False

    def fit(self, needs: Needs) -> bool:
        return all(self._left[number] >= count for number, count in needs)

    def take(self, needs: Needs) -> None:
        if not needs:
            return
        if not self._own:
            self._left = list(self._left)
            self._own = True
        assert isinstance(self._left, list)
        for number, count in needs:
            self._left[number] -= count
