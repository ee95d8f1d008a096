"""The order in which sessions run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from setlist.core.model import Origin, Registry, SessionSpec
from setlist.scheduling.order import make_plan


def registry(**requires: tuple[str, ...]) -> Registry:
    return Registry(
        sessions={
            name: SessionSpec(name=name, family=name, origin=Origin("x"), requires=required)
            for name, required in requires.items()
        }
    )


def planned(of: Registry, *names: str, follow_requires: bool = True) -> list[tuple[str, bool]]:
    plan = make_plan(of, [of.sessions[name] for name in names], follow_requires=follow_requires)
    assert plan.sessions == tuple(step.session for step in plan.steps)
    return [(step.session.name, step.requested) for step in plan.steps]


def test_what_is_required_comes_first_and_is_not_requested() -> None:
    of = registry(report=("test", "lint"), test=("build",), lint=(), build=())
    assert planned(of, "report") == [("build", False), ("test", False), ("lint", False), ("report", True)]


def test_each_session_runs_once_and_the_given_order_holds() -> None:
    of = registry(a=("base",), b=("base",), base=())
    assert planned(of, "b", "base", "a", "b") == [("base", True), ("b", True), ("a", True)]


def test_without_following_only_the_selected_are_kept_in_the_right_order() -> None:
    of = registry(report=("test",), test=("build",), build=())
    assert planned(of, "report", "build", follow_requires=False) == [("build", True), ("report", True)]
    assert planned(of, "report", follow_requires=False) == [("report", True)]


def test_a_chain_longer_than_pythons_stack() -> None:
    of = registry(**{f"s{n}": (f"s{n + 1}",) for n in range(3000)}, s3000=())
    assert planned(of, "s0")[0] == ("s3000", False)


@given(st.data(), st.booleans())
def test_every_session_comes_after_all_that_it_requires(data: st.DataObject, follow: bool) -> None:
    names = [f"s{n}" for n in range(8)]
    of = registry(
        **{
            name: tuple(data.draw(st.lists(st.sampled_from(names[:index]), unique=True))) if index else ()
            for index, name in enumerate(names)
        }
    )
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True))
    order = [name for name, _ in planned(of, *chosen, follow_requires=follow)]
    assert set(chosen) == {name for name, requested in planned(of, *chosen) if requested}
    assert len(order) == len(set(order))
    for position, name in enumerate(order):
        for required in of.sessions[name].requires:
            assert required not in order[position:]
            assert required in order or not follow
