"""How the selected sessions are split among CI jobs."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.errors import UsageError
from setlist.core.model import Origin, Registry, SessionSpec
from setlist.scheduling.shards import components, parse_shard, shard_of, shards

pytestmark = pytest.mark.slow


def spec(name: str, *requires: str, family: str | None = None) -> SessionSpec:
    return SessionSpec(name=name, family=family or name, origin=Origin("pyproject.toml"), requires=requires)


def registry_of(*sessions: SessionSpec) -> Registry:
    return Registry(sessions={session.name: session for session in sessions})


def names(split: tuple[tuple[SessionSpec, ...], ...]) -> list[list[str]]:
    return [[session.name for session in shard] for shard in split]


@st.composite
def projects(draw: st.DrawFn) -> tuple[Registry, list[SessionSpec], dict[str, float]]:
    """A project's sessions, some of them selected, and some durations."""
    count = draw(st.integers(1, 9))
    sessions: list[SessionSpec] = []
    for number in range(count):
        # of earlier ones only: there are no circles
        requires = draw(st.sets(st.sampled_from(range(number)), max_size=2)) if number % 2 else set()
        sessions.append(spec(f"s{number}", *(f"s{other}" for other in sorted(requires)), family=f"f{number % 3}"))
    selected = draw(st.permutations(sessions))[: draw(st.integers(1, count))]
    known = draw(st.sets(st.sampled_from(sessions)))
    durations = {session.name: draw(st.floats(0, 100)) for session in known}
    return registry_of(*sessions), list(selected), durations


@given(projects(), st.integers(1, 6))
def test_every_selected_session_is_in_exactly_one_shard(
    project: tuple[Registry, list[SessionSpec], dict[str, float]], n: int
) -> None:
    registry, selected, durations = project
    split = [shard_of(selected, registry, durations, k, n) for k in range(1, n + 1)]
    assert sorted(session.name for shard in split for session in shard) == sorted(s.name for s in selected)
    for shard in split:
        # in the order of the selection
        assert list(shard) == [session for session in selected if session in shard]


@given(projects(), st.integers(1, 6))
def test_a_session_is_with_those_that_it_requires(
    project: tuple[Registry, list[SessionSpec], dict[str, float]], n: int
) -> None:
    registry, selected, durations = project
    place = {s.name: k for k, shard in enumerate(shards(selected, registry, durations, n)) for s in shard}

    def required(name: str) -> set[str]:
        direct = registry.sessions[name].requires
        return set(direct).union(*map(required, direct))

    for session in selected:
        for other in required(session.name) & place.keys():
            assert place[other] == place[session.name]


@given(projects(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_every_job_comes_to_the_same_in_whatever_order_things_are_told(
    project: tuple[Registry, list[SessionSpec], dict[str, float]], n: int, random: object
) -> None:
    registry, selected, durations = project
    split = [set(shard) for shard in names(shards(selected, registry, durations, n))]
    other = Registry(sessions=dict(reversed(list(registry.sessions.items()))))
    turned = shards(selected[::-1], other, dict(reversed(durations.items())), n)
    assert [set(shard) for shard in names(turned)] == split


@given(projects(), st.integers(1, 3))
def test_the_fullest_shard_takes_at_most_a_third_longer_than_in_the_best_split(
    project: tuple[Registry, list[SessionSpec], dict[str, float]], n: int
) -> None:
    registry, selected, durations = project
    parts = components(selected, registry, durations)[:7]
    selected = [session for session in selected if any(session.name in part.names for part in parts)]
    parts = components(selected, registry, durations)

    def fullest(place: dict[tuple[str, ...], int]) -> float:
        return max(sum(part.seconds for part in parts if place[part.names] == k) for k in range(n))

    where = {s.name: k for k, shard in enumerate(shards(selected, registry, durations, n)) for s in shard}
    taken = fullest({part.names: where[part.names[0]] for part in parts})
    best = min(
        fullest({part.names: k for part, k in zip(parts, places, strict=True)})
        for places in product(range(n), repeat=len(parts))
    )
    assert taken <= best * (4 / 3 - 1 / (3 * n)) + 1e-6


def test_the_longest_goes_first_to_the_emptiest_shard() -> None:
    sessions = [spec(name) for name in ("a", "b", "c", "d")]
    durations = {"a": 2.0, "b": 3.0, "c": 7.0, "d": 6.0}
    assert names(shards(sessions, registry_of(*sessions), durations, 2)) == [["a", "c"], ["b", "d"]]


def test_without_durations_all_count_the_same() -> None:
    sessions = [spec(name) for name in ("e", "a", "d", "b", "c")]
    assert names(shards(sessions, registry_of(*sessions), {}, 2)) == [["e", "a", "c"], ["d", "b"]]


def test_what_takes_no_time_is_spread_evenly_all_the_same() -> None:
    sessions = [spec(name) for name in ("a", "b", "c", "d")]
    split = shards(sessions, registry_of(*sessions), dict.fromkeys("abcd", 0.0), 2)
    assert [len(shard) for shard in split] == [2, 2]


def test_an_unknown_duration_is_its_familys_median() -> None:
    sessions = [spec("t1", family="t"), spec("t2", family="t"), spec("x"), spec("y")]
    durations = {"t1": 100.0, "x": 1.0, "y": 1.0}
    assert names(shards(sessions, registry_of(*sessions), durations, 2)) == [["t1", "x"], ["t2", "y"]]


def test_two_that_are_tied_by_one_that_wasnt_selected_stay_together() -> None:
    top, middle, bottom = spec("top", "middle"), spec("middle", "bottom"), spec("bottom")
    registry = registry_of(top, middle, bottom, spec("other"))
    assert names(shards([top, bottom, registry.sessions["other"]], registry, {}, 2)) == [["top", "bottom"], ["other"]]


def test_required_sessions_that_werent_selected_count_for_how_long_a_shard_takes() -> None:
    registry = registry_of(spec("a", "build"), spec("b"), spec("c"), spec("build"))
    selected = [registry.sessions[name] for name in "abc"]
    durations = {"a": 1.0, "b": 5.0, "c": 5.0, "build": 10.0}
    assert names(shards(selected, registry, durations, 2)) == [["a"], ["b", "c"]]


def test_more_shards_than_sessions_leave_some_empty() -> None:
    assert names(shards([spec("a")], registry_of(spec("a")), {}, 3)) == [["a"], [], []]


def test_a_shard_is_two_numbers() -> None:
    assert parse_shard("2/5") == (2, 5)
    assert parse_shard("1/1") == (1, 1)


@pytest.mark.parametrize("text", ["", "2", "0/5", "6/5", "-1/5", "a/b", "1/0", "1/5/2", " 1/5", "1/5\n", "²/5"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
