"""A record is a dataclass in everything but the price of making its class."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core import records
from setlist.core.records import as_mapping, dataclass, field, field_names, replace


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
    assert dataclasses.asdict(derived) == as_mapping(derived)
    assert dataclasses.fields(Point)[1].default == 0
    assert field_names(Point) == field_names(Point(1)) == ("x", "y")
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


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
