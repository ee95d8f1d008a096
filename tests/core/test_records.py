"""A record is a dataclass in everything but the price of making its class."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core import records
from setlist.core.records import DecodeError, dataclass, dump, dumps, field, field_names, load, loads, replace


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0

    @property
    def far(self) -> bool:
        return self.x > 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    kind: ClassVar[str] = "base"
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Base):
    kind: ClassVar[str] = "derived"
    points: tuple[Point, ...] = ()
    names: dict[str, Point] = field(default_factory=dict)


@dataclass(slots=True)
class Bag:
    things: list[int] = field(default_factory=list)
    count: int = 0


def test_values_by_place_by_name_and_by_default() -> None:
    assert (Point(1).x, Point(1).y) == (1, 0)
    assert Point(1, 2) == Point(y=2, x=1)
    assert Derived(time=1.0).points == ()
    assert Derived(time=1.0).kind == "derived"


def test_a_factory_makes_each_instance_its_own() -> None:
    first, second = Bag(), Bag()
    first.things.append(1)
    assert second.things == []


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Point(), "needs 'x'"),  # type: ignore[call-arg]
        (lambda: Point(1, 2, 3), "takes 2 values by place, not 3"),  # type: ignore[call-arg]
        (lambda: Point(1, x=1), "'x' twice"),  # type: ignore[misc]
        (lambda: Point(1, z=1), "has no 'z'"),  # type: ignore[call-arg]
        (lambda: Derived(1.0), "takes 0 values by place, not 1"),  # type: ignore[call-arg]
    ],
)
def test_wrong_values_are_refused(make: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        make()


def test_what_is_frozen_can_not_be_changed_and_what_is_not_can() -> None:
    point: Any = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    bag = Bag()
    bag.count = 3
    assert bag == Bag(count=3)
    with pytest.raises(TypeError):
        hash(bag)


@given(st.integers(), st.integers(), st.integers(), st.integers())
def test_equality_and_hash_are_those_of_the_standard_library(a: int, b: int, c: int, d: int) -> None:
    standard = dataclasses.make_dataclass("Point", ["x", "y"], frozen=True)
    assert (Point(a, b) == Point(c, d)) == (standard(a, b) == standard(c, d))
    assert hash(Point(a, b)) == hash(standard(a, b))
    assert repr(Point(a, b)) == repr(standard(a, b))


def test_records_of_different_classes_differ() -> None:
    assert Point(1) != (1, 0)  # type: ignore[comparison-overlap]
    assert Base(time=1.0) != Derived(time=1.0)


def test_the_standard_librarys_functions_take_them() -> None:
    derived = Derived(time=1.0, points=(Point(1),), names={"a": Point(2)})
    assert dataclasses.is_dataclass(Derived)
    assert [each.name for each in dataclasses.fields(derived)] == ["time", "points", "names"]
    assert dataclasses.replace(derived, time=2.0) == replace(derived, time=2.0)
    assert json.dumps(dataclasses.asdict(derived)) == json.dumps(dump(derived))
    assert dataclasses.fields(Point)[1].default == 0
    assert field_names(Point) == field_names(Point(1)) == ("x", "y")
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


@dataclass(frozen=True, kw_only=True)
class Everything(Base):
    point: Point
    corner: Point | None = None
    path: tuple[Point, ...] = ()
    pair: tuple[str, int] = ("", 0)
    names: Mapping[str, str | None] = field(default_factory=dict)
    level: Literal["low", "high"] | None = None
    flag: bool | tuple[str, ...] = True
    numbers: list[float] = field(default_factory=list)
    plain: Any = None
    frozen: object = None


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

TEXTS = st.text(max_size=4)
POINTS = st.builds(Point, st.integers(), st.integers())
RECORDS = st.builds(
    Everything,
    time=st.floats(allow_nan=False),
    point=POINTS,
    corner=st.none() | POINTS,
    path=st.lists(POINTS, max_size=2).map(tuple),
    pair=st.tuples(TEXTS, st.integers()),
    names=st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2),
    level=st.sampled_from([None, "low", "high"]),
    flag=st.booleans() | st.lists(TEXTS, max_size=2).map(tuple),
    numbers=st.lists(st.floats(allow_nan=False), max_size=2),
    plain=st.lists(st.lists(TEXTS, max_size=1), max_size=2),
    frozen=st.lists(TEXTS, max_size=2).map(tuple),
)


@given(RECORDS)
def test_what_is_dumped_is_loaded(record: Everything) -> None:
    assert load(Everything, dump(record)) == record
    assert load(Everything, dump(record, defaults=False)) == record
    assert loads(Everything, dumps(record, 3), 3) == record
    assert load(dict[str, Everything], json.loads(json.dumps(dump({"a": record})))) == {"a": record}


def test_fields_that_equal_their_defaults_can_be_left_out() -> None:
    assert dump(Everything(time=1.0, point=Point(1), flag=()), defaults=False) == {
        "time": 1.0,
        "point": {"x": 1},
        "flag": [],
        "names": {},
        "numbers": [],
    }


def test_unknown_fields_are_ignored_and_whole_numbers_are_floats() -> None:
    assert load(Everything, {"time": 1, "point": {"x": 1, "z": 3}, "more": []}) == Everything(time=1.0, point=Point(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "1"},
        {"time": True},
        {"point": None},
        {"point": []},
        {"point": {}},
        {"point": {"x": 1.5}},
        {"point": {"x": True}},
        {"corner": {"x": "1"}},
        {"path": {}},
        {"path": "ab"},
        {"path": [{"x": None}]},
        {"pair": ["a"]},
        {"pair": ["a", 1, 2]},
        {"pair": [1, 1]},
        {"names": []},
        {"names": {"a": 1}},
        {"level": "medium"},
        {"level": []},
        {"flag": 1},
        {"flag": [1]},
        {"numbers": 1},
        {"frozen": DEEP},
    ],
)
def test_foreign_data_is_a_decode_error(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        load(Everything, {"time": 1.0, "point": {"x": 1}, **changes})


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"format": 2, "x": 1}', '{"format": 1}', b"\xff", "[" * 100_000]
)
def test_text_of_something_else_is_a_decode_error(text: str | bytes) -> None:
    with pytest.raises(DecodeError):
        loads(Point, text, 1)


def test_they_are_copied_and_pickled() -> None:
    point = Point(1, 2)
    assert copy.deepcopy(point) == copy.copy(point) == pickle.loads(pickle.dumps(point)) == point
    assert point.far is False


def test_an_own_repr_is_kept() -> None:
    @dataclass(frozen=True)
    class Quiet:
        x: int

        def __repr__(self) -> str:
            return "quiet"

    assert repr(Quiet(1)) == "quiet"


def test_importing_it_imports_no_inspect() -> None:
    code = "import sys, setlist.core.model, setlist.core.events; print({'dataclasses', 'inspect'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path!r}; {code}"], capture_output=True
    )
    assert done.stdout.strip() == b"set()", done.stderr
    assert records.__doc__
