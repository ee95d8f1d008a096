"""Which session may be prepared, and which may run: the rules, in every run that can be thought up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from hypothesis import given, settings
from hypothesis import strategies as st

from setlist.model import Origin, SessionSpec
from setlist.plan import Plan, Step
from setlist.ranking import lower_bound, work_of
from setlist.schedule import Limits, Schedule


def session(
    name: str,
    *requires: str,
    exclusive: bool = False,
    interactive: bool = False,
    mutex: Sequence[str] = (),
    **resources: int,
) -> SessionSpec:
    return SessionSpec(
        name=name,
        family=name.rstrip("0123456789"),
        origin=Origin("x"),
        requires=requires,
        exclusive=exclusive,
        interactive=interactive,
        mutex=tuple(mutex),
        resources=tuple(resources.items()),
    )


def plan_of(*sessions: SessionSpec) -> Plan:
    return Plan(tuple(Step(session, requested=True) for session in sessions))


class Driver:
    """Carries a schedule out by a clock of its own, and looks after the rules at every moment.

    Attributes:
        began: the names of the sessions, in the order in which they began to run.
        now: the time, in seconds.
    """

    def __init__(
        self,
        sessions: Sequence[SessionSpec],
        limits: Limits,
        expected: Mapping[str, float] | None = None,
        *,
        taking: Mapping[str, float] | None = None,
        preparing: Mapping[str, float] | None = None,
        patience: float = 0.1,
    ) -> None:
        self.sessions = {each.name: each for each in sessions}
        self.limits = limits
        self.schedule = Schedule(plan_of(*sessions), limits, expected or {})
        self.taking = taking or expected or {}
        self.preparing = preparing or {}
        self.patience = patience
        self.now = 0.0
        self.began: list[str] = []
        self.began_to_prepare: list[str] = []
        self.in_preparation: set[str] = set()
        self.ready: set[str] = set()
        self.running: set[str] = set()
        self.ended: set[str] = set()
        self._events: list[tuple[float, int, str, str]] = []

    def run(self) -> Driver:
        self.ask()
        while self._events:
            self.step()
            self.ask()
        assert self.schedule.done
        assert self.ended == set(self.sessions)
        assert sorted(self.began) == sorted(self.sessions)
        return self

    def ask(self) -> None:
        """All that may begin now begins."""
        while (found := self.schedule.to_prepare()) is not None:
            self._may_prepare(found)
            self.in_preparation.add(found.name)
            self.began_to_prepare.append(found.name)
            self._at(self.preparing.get(found.name, 0.0), "prepared", found.name)
            if self.preparing.get(found.name, 0.0) > self.patience:
                self._at(self.patience, "late", found.name)
        while (found := self.schedule.to_run()) is not None:
            self._may_run(found)
            self.ready.remove(found.name)
            self.running.add(found.name)
            self.began.append(found.name)
            self._at(self.taking.get(found.name, 1.0), "ended", found.name)
        assert self.schedule.done or self.in_preparation or self.running, "nothing goes on, and nothing may begin"

    def step(self) -> None:
        """The next thing happens."""
        self.now, _, what, name = heappop(self._events)
        if what == "late":
            if name in self.in_preparation:
                self.schedule.late(name)
        elif what == "prepared":
            self.in_preparation.remove(name)
            self.ready.add(name)
            self.schedule.prepared(name)
        else:
            self.running.remove(name)
            self.ended.add(name)
            freed = {each.name for each in self.schedule.ended(name)}
            assert freed == {
                each.name
                for each in self.sessions.values()
                if name in each.requires and self.ended.issuperset(each.requires)
            }

    def _at(self, delay: float, what: str, name: str) -> None:
        heappush(self._events, (self.now + delay, len(self.began) * 2 + len(self._events), what, name))

    def _may_prepare(self, found: SessionSpec) -> None:
        begun = self.in_preparation | self.ready | self.running
        assert found.name not in begun | self.ended
        assert self.ended.issuperset(found.requires)
        assert not any(self._alone(name) for name in begun)
        if self._alone(found.name):
            assert not self.in_preparation | self.running
        if self.limits.jobs == 1:
            assert not begun
        assert len(begun) <= 3 * self.limits.jobs

    def _may_run(self, found: SessionSpec) -> None:
        assert found.name in self.ready
        assert len(self.running) < self.limits.jobs
        assert not any(self._alone(name) for name in self.running)
        if self._alone(found.name):
            assert not self.in_preparation | self.running
        together = [self.sessions[name] for name in self.running] + [found]
        names = [mutex for each in together for mutex in each.mutex]
        assert len(names) == len(set(names))
        for resource in {name for each in together for name, _ in each.resources}:
            there = self.limits.resources.get(resource, 1)
            assert sum(min(dict(each.resources).get(resource, 0), there) for each in together) <= there

    def _alone(self, name: str) -> bool:
        return self.sessions[name].exclusive or self.sessions[name].interactive


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[SessionSpec], Limits]:
    count = draw(st.integers(1, 12))
    sessions = []
    for number in range(count):
        earlier = [f"s{each}" for each in range(number)]
        requires = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        kind = draw(
            st.sampled_from(["plain", "plain", "plain", "mutex", "resource", "both", "exclusive", "interactive"])
        )
        mutex = draw(st.lists(st.sampled_from("mn"), min_size=1, unique=True)) if kind in ("mutex", "both") else []
        resources = (
            draw(st.dictionaries(st.sampled_from("rs"), st.integers(1, 4))) if kind in ("resource", "both") else {}
        )
        sessions.append(
            session(
                f"s{number}",
                *requires,
                exclusive=kind == "exclusive",
                interactive=kind == "interactive",
                mutex=mutex,
                **resources,
            )
        )
    return sessions, Limits(draw(st.integers(1, 4)), {"r": draw(st.integers(1, 4))})


seconds = st.floats(0, 20, allow_nan=False)


@given(st.data(), sets())
@settings(deadline=None)
def test_every_session_runs_once_and_by_the_rules(
    data: st.DataObject, given_: tuple[list[SessionSpec], Limits]
) -> None:
    sessions, limits = given_
    names = [each.name for each in sessions]
    some = st.dictionaries(st.sampled_from(names), seconds)
    driver = Driver(
        sessions,
        limits,
        data.draw(some, label="expected"),
        taking=data.draw(some, label="taking"),
        preparing=data.draw(some, label="preparing"),
    )
    driver.run()
    if limits.jobs == 1:
        assert driver.began == names
        assert driver.began_to_prepare == names


@given(sets(), st.lists(seconds, min_size=12, max_size=12))
@settings(deadline=None)
def test_a_run_that_takes_what_was_expected_is_near_the_bound(
    given_: tuple[list[SessionSpec], Limits], drawn: list[float]
) -> None:
    sessions, limits = given_
    expected = {each.name: taken for each, taken in zip(sessions, drawn, strict=False)}
    work = work_of(plan_of(*sessions), limits, expected)
    bound = lower_bound(work)
    took = Driver(sessions, limits, expected).run().now
    assert bound <= took * 1.000001
    assert took <= sum(expected.values()) * 1.000001
    if not any(each.mutex or each.resources for each in sessions):
        # Graham's bound for lists, and what draining for each one that runs alone costs at most
        alone = sum(work.alone)
        longest = max(
            [seconds for seconds, alone in zip(work.seconds, work.alone, strict=True) if not alone], default=0
        )
        assert took <= 2 * bound + alone * longest + 0.000001


@given(sets(), st.lists(seconds, min_size=12, max_size=12))
@settings(deadline=None, max_examples=30)
def test_the_same_work_has_the_same_order(given_: tuple[list[SessionSpec], Limits], drawn: list[float]) -> None:
    sessions, limits = given_
    expected = {each.name: taken for each, taken in zip(sessions, drawn, strict=False)}
    orders = {Schedule(plan_of(*sessions), limits, expected).order for _ in range(2)}
    assert len(orders) == 1
    assert sorted(orders.pop()) == sorted(each.name for each in sessions)
