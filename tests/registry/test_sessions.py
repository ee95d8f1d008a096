"""The sessions that a definition expands to, and the requirements in it that are taken without asking packaging."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from setlist.registry.keys import check_keys
from setlist.registry.sessions import _USUAL, combinations
from setlist.registry.validators import ValidationError


def expanded(**keys: object) -> tuple[tuple[tuple[str, str], ...], ...]:
    return combinations(check_keys(keys))


def test_a_definition_without_axes_is_one_session() -> None:
    assert expanded() == ((),)
    assert expanded(python="3.12") == ((),)
    assert expanded(matrix={}) == ((),)


def test_a_list_of_one_python_is_an_axis() -> None:
    assert expanded(python=["3.12"]) == ((("python", "3.12"),),)


def test_python_comes_first_and_axes_keep_their_order() -> None:
    assert expanded(python=["3.9", "3.10"], matrix={"z": ["1"], "a": ["x", "y"]}) == tuple(
        (("python", python), ("z", "1"), ("a", value)) for python in ("3.9", "3.10") for value in ("x", "y")
    )


def test_exclude_drops_all_that_agree_with_what_it_names() -> None:
    found = expanded(
        python=["3.9", "3.10"],
        matrix={"django": ["3.2", "5.0"], "exclude": [{"python": "3.9", "django": "5.0"}]},
    )
    assert [tuple(dict(combination).values()) for combination in found] == [
        ("3.9", "3.2"),
        ("3.10", "3.2"),
        ("3.10", "5.0"),
    ]


def test_include_adds_a_whole_combination_at_the_end() -> None:
    found = expanded(python=["3.9"], matrix={"django": ["3.2"], "include": [{"django": "6.0", "python": "3.13"}]})
    assert found[-1] == (("python", "3.13"), ("django", "6.0"))
    assert len(found) == 2


def test_include_may_bring_back_what_exclude_dropped() -> None:
    found = expanded(matrix={"a": ["1", "2"], "exclude": [{"a": "1"}], "include": [{"a": "1"}]})
    assert found == ((("a", "2"),), (("a", "1"),))


@pytest.mark.parametrize(
    ("python", "matrix", "path", "message", "hint"),
    [
        (None, {"include": [{"a": "1"}]}, "matrix", "has no axis to combine", "name one"),
        (None, {"a": ["1"], "exclude": [{"b": "1"}]}, "matrix.exclude", "there is no axis 'b'", "there are a"),
        (None, {"django": ["1"], "include": [{"djano": "1"}]}, "matrix.include", "no axis 'djano'", "'django'?"),
        ("3.9", {"a": ["1"], "exclude": [{"python": "3.9"}]}, "matrix.exclude", "no axis 'python'", "even of one"),
        (
            None,
            {"a": ["postgres"], "exclude": [{"a": "postgers"}]},
            "matrix.exclude",
            '{ a = "postgers" } matches no combination',
            "did you mean a = 'postgres'?",
        ),
        (None, {"a": ["1"], "exclude": [{"a": "zzz"}]}, "matrix.exclude", "matches no", "a has the values 1"),
        (None, {"a": ["1"], "b": ["2"], "include": [{"a": "3"}]}, "matrix.include", "says nothing of 'b'", "each axis"),
        (None, {"a": ["1"], "include": [{"a": "1"}]}, "matrix.include", "is there already", "leave it out"),
        (None, {"a": ["1"], "exclude": [{"a": "1"}]}, "matrix.exclude", "excludes every combination", "leave"),
    ],
)
def test_a_wrong_entry_is_refused(
    python: str | None, matrix: dict[str, object], path: str, message: str, hint: str
) -> None:
    keys: dict[str, object] = {"matrix": matrix}
    if python is not None:
        keys["python"] = python
    with pytest.raises(ValidationError) as caught:
        expanded(**keys)
    assert ".".join(caught.value.path) == path
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


VALUES = st.lists(st.sampled_from("1234"), min_size=1, max_size=3, unique=True)


@given(VALUES, VALUES, VALUES, st.data())
def test_exclude_leaves_just_what_agrees_with_no_entry(
    pythons: list[str], first: list[str], second: list[str], data: st.DataObject
) -> None:
    axes = {"python": pythons, "a": first, "b": second}
    everything = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    entries = data.draw(
        st.lists(
            st.sampled_from(everything).flatmap(
                lambda whole: st.lists(st.sampled_from(sorted(whole)), min_size=1, unique=True).map(
                    lambda named: {axis: whole[axis] for axis in named}
                )
            ),
            max_size=3,
        )
    )
    left = [whole for whole in everything if not any(entry.items() <= whole.items() for entry in entries)]
    matrix = {"a": first, "b": second, "exclude": entries}
    if left:
        assert [dict(found) for found in expanded(python=pythons, matrix=matrix)] == left
    else:
        with pytest.raises(ValidationError, match="excludes every combination"):
            expanded(python=pythons, matrix=matrix)


@given(st.from_regex(_USUAL, fullmatch=True))
def test_what_is_usual_is_well_written(text: str) -> None:
    if re.fullmatch(_USUAL, text, re.ASCII):  # the strategy knows no flags
        Requirement(text)


@pytest.mark.parametrize(
    "text", ["ruff", "ruff==0.12.*", "coverage[toml]>=7.10", "pytest >=8, <9", "a~=1.2", "A.b-c_d"]
)
def test_packaging_is_not_asked_of_these(text: str) -> None:
    assert re.fullmatch(_USUAL, text, re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ruff==",
        "ruff>=1.*",
        "ruff~=1",
        "ruff 1",
        "-ruff",
        "ruff-",
        "a[b",
        "ruff;x",
        "é",
        "six\r",
        "six\n",
        "a\v==1",
        "a==1,\r<2",
    ],
)
def test_packaging_is_asked_of_these(text: str) -> None:
    assert not re.fullmatch(_USUAL, text, re.ASCII)
