"""Which session may be prepared, and which may run: the rules, in every run that can be thought up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setlist.core.model import Origin, Registry, SessionSpec
from setlist.engine.plan import Plan, Step
from setlist.scheduling.order import make_plan
from setlist.scheduling.priorities import Needs, work_of
from setlist.scheduling.schedule import Limits, Schedule, _Claims
from support.lower_bound import lower_bound

pytestmark = pytest.mark.slow


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
        self._numbers = count()

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
        heappush(self._events, (self.now + delay, next(self._numbers), what, name))

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
    sessions = []
    for number in range(draw(st.integers(1, 12))):
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


def names(*found: SessionSpec | None) -> list[str | None]:
    return [None if each is None else each.name for each in found]


def all_to_prepare(schedule: Schedule, *, ready: bool = True) -> list[str]:
    found = []
    while (each := schedule.to_prepare()) is not None:
        found.append(each.name)
        if ready:
            schedule.prepared(each.name)
    return found


def all_to_run(schedule: Schedule) -> list[str]:
    found = []
    while (each := schedule.to_run()) is not None:
        found.append(each.name)
    return found


def test_the_longest_path_goes_first() -> None:
    sessions = [session("short"), session("long"), session("base"), session("top", "base")]
    expected = {"short": 1.0, "long": 4.0, "base": 2.0, "top": 3.0}
    assert Schedule(plan_of(*sessions), Limits(2), expected).order == ("base", "long", "top", "short")


def test_one_that_runs_alone_goes_first_or_last() -> None:
    sessions = [
        session("long"),
        session("last", "long", exclusive=True),
        session("first", exclusive=True),
        session("between", "long", exclusive=True),
        session("top", "between"),
    ]
    expected = {"long": 9.0, "last": 5.0, "first": 1.0, "between": 1.0, "top": 1.0}
    order = Schedule(plan_of(*sessions), Limits(2), expected).order
    assert order == ("first", "long", "between", "top", "last")


def test_a_duration_that_is_not_known_is_the_familys_median() -> None:
    sessions = [session(name) for name in ("a", "test1", "test2", "test3", "test4", "b", "c")]
    expected = {"a": 5.0, "test1": 8.0, "test2": 9.0, "test3": 20.0, "b": 6.0}
    work = work_of(plan_of(*sessions), Limits(2), expected)
    assert dict(zip((each.name for each in sessions), work.seconds, strict=True))["test4"] == 9.0
    assert work.seconds[-1] == 8.0  # the median of all
    assert set(work_of(plan_of(*sessions), Limits(2), {}).seconds) == {1.0}


def test_as_many_as_jobs_are_prepared_ahead() -> None:
    schedule = Schedule(plan_of(*(session(name) for name in "abcdefg")), Limits(2), {})
    assert all_to_prepare(schedule) == ["a", "b", "c", "d"]
    assert all_to_run(schedule) == ["a", "b"]
    assert all_to_prepare(schedule) == []
    schedule.ended("a")
    assert all_to_run(schedule) == ["c"]
    assert all_to_prepare(schedule) == ["e"]


def test_a_place_is_kept_for_a_more_urgent_one_until_it_is_late() -> None:
    sessions = [session("a"), session("top", "a"), session("b"), session("c")]
    expected = {"a": 1.0, "top": 9.0, "b": 5.0, "c": 4.0}
    schedule = Schedule(plan_of(*sessions), Limits(2), expected)
    assert all_to_prepare(schedule) == ["a", "b", "c"]
    assert all_to_run(schedule) == ["a", "b"]
    assert names(*schedule.ended("a")) == ["top"]
    assert all_to_prepare(schedule, ready=False) == ["top"]
    assert all_to_run(schedule) == []
    schedule.late("top")
    assert all_to_run(schedule) == ["c"]


def test_one_that_waits_for_much_of_a_resource_is_not_overtaken_forever() -> None:
    small = [session(f"small{number}", memory=1) for number in range(6)]
    sessions = [*small[:2], session("big", memory=3), *small[2:], session("other")]
    # one of the small ones would run at any moment
    taking = {each.name: 1.0 + number / 10 for number, each in enumerate(small)}
    driver = Driver(sessions, Limits(3, {"memory": 3}), taking=taking).run()
    assert driver.began[:4] == ["small0", "small1", "other", "big"]


def test_beside_a_blocked_one_others_go_on() -> None:
    sessions = [session("one", mutex=["db"]), session("two", mutex=["db"]), session("free")]
    schedule = Schedule(plan_of(*sessions), Limits(2), {"one": 3.0, "two": 3.0, "free": 1.0})
    assert all_to_prepare(schedule) == ["one", "two", "free"]
    assert all_to_run(schedule) == ["one", "free"]
    schedule.ended("free")
    assert all_to_run(schedule) == []
    schedule.ended("one")
    assert all_to_run(schedule) == ["two"]


def test_more_of_a_resource_than_there_is_means_all_of_it() -> None:
    driver = Driver([session("big", memory=9), session("small", memory=1)], Limits(2, {"memory": 2})).run()
    assert driver.began == ["big", "small"]
    assert driver.now == 2.0


def test_nothing_begins_beside_one_that_runs_alone() -> None:
    sessions = [
        session("start"),
        session("a", "start"),
        session("bench", "start", exclusive=True),
        session("b", "start"),
        session("c", "a"),
        session("last", "bench", "b"),
    ]
    schedule = Schedule(plan_of(*sessions), Limits(2), {})
    assert schedule.order == ("start", "a", "bench", "b", "c", "last")
    assert all_to_prepare(schedule) == ["start"]
    assert all_to_run(schedule) == ["start"]
    schedule.ended("start")
    assert all_to_prepare(schedule) == ["a", "b"]
    assert all_to_run(schedule) == ["a"]  # less urgent ones wait for 'bench', which waits for 'a'
    schedule.ended("a")
    assert all_to_run(schedule) == []
    assert all_to_prepare(schedule, ready=False) == ["bench"]
    assert all_to_run(schedule) == []
    schedule.prepared("bench")
    assert all_to_run(schedule) == ["bench"]
    assert all_to_prepare(schedule) == []
    schedule.ended("bench")
    assert all_to_prepare(schedule) == ["c"]
    assert all_to_run(schedule) == ["b", "c"]


def test_two_that_run_alone_are_not_in_the_way_of_a_full_machine() -> None:
    sessions = [session("a", exclusive=True), session("b"), session("c"), session("d", "b", exclusive=True)]
    expected = {"a": 1.0, "b": 4.0, "c": 4.0, "d": 1.0}
    assert Driver(sessions, Limits(2), expected).run().now == 6.0


def test_one_that_ended_before_it_began_is_done_with() -> None:
    sessions = [session("a"), session("b", "a"), session("c", "b"), session("d", mutex=["m"])]
    schedule = Schedule(plan_of(*sessions), Limits(2), {})
    assert names(schedule.to_prepare()) == ["a"]
    assert names(*schedule.ended("a")) == ["b"]  # it failed while it was prepared
    assert names(*schedule.ended("b")) == ["c"]
    assert schedule.ended("b") == ()
    schedule.ended("c")
    assert all_to_prepare(schedule) == ["d"]
    assert all_to_run(schedule) == ["d"]
    schedule.ended("d")
    assert schedule.done


def test_the_order_holds_by_way_of_sessions_that_are_left_out() -> None:
    of = {"base": (), "between": ("base",), "top": ("between",)}
    registry = Registry(sessions={name: session(name, *requires) for name, requires in of.items()})
    plan = make_plan(registry, [registry.sessions["top"], registry.sessions["base"]], follow_requires=False)
    schedule = Schedule(plan, Limits(2), {})
    assert all_to_prepare(schedule) == ["base"]


def test_a_mixed_run_is_near_the_bound() -> None:
    sessions = [
        session("lint"),
        session("types", mutex=["cache"]),
        *(session(f"test{number}", "types", memory=number % 3) for number in range(9)),
        session("docs", mutex=["cache"]),
        session("bench", "test0", exclusive=True),
        session("report", "docs", "test8"),
    ]
    expected = {each.name: 1.0 + (7 * number % 5) / 4 for number, each in enumerate(sessions)}
    limits = Limits(3, {"memory": 3})
    driver = Driver(sessions, limits, expected).run()
    assert driver.now <= lower_bound(work_of(plan_of(*sessions), limits, expected)) * 1.2


def test_what_the_benchmark_runs_takes_hardly_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(__file__).resolve().parents[2] / "benchmarks"
    if not place.is_dir():
        pytest.skip("a source distribution comes without the benchmarks")
    monkeypatch.syspath_prepend(str(place))
    benchmark = import_module("parallel")
    jobs = benchmark.JOBS_OF_THE_SET
    assert len(jobs) == 24
    assert sum(job.exclusive for job in jobs) == 2
    sessions = [session(job.name, *job.requires, exclusive=job.exclusive) for job in jobs]
    expected = {job.name: job.seconds for job in jobs}
    assert Driver(sessions, Limits(2), expected).run().now <= 1.01 * benchmark.bound_of(jobs)
    # as it is when every session takes a little longer, and a while to get ready
    taking = {name: taken + 0.01 for name, taken in expected.items()}
    late = Driver(sessions, Limits(2), taking, taking=taking, preparing=dict.fromkeys(expected, 0.02)).run()
    assert late.now <= 1.05 * benchmark.bound_of(jobs)


def test_thousands_of_sessions_are_looked_at_a_few_times_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    class Counted(_Claims):
        def fit(self, needs: Needs) -> bool:
            nonlocal looks
            looks += 1
            return super().fit(needs)

    monkeypatch.setattr("setlist.scheduling.schedule._Claims", Counted)
    sessions = [session(f"s{number}", mutex=[f"m{number % 7}"] if number % 2 else []) for number in range(3000)]
    schedule = Schedule(plan_of(*sessions), Limits(8), {})
    running: list[str] = []
    while not schedule.done:
        all_to_prepare(schedule)
        running += all_to_run(schedule)
        schedule.ended(running.pop(0))
    assert looks < 100 * len(sessions)
