"""Names of sessions: those that variants get, and those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.model import Origin, RegistryIndex, SessionSpec
from setlist.registry.naming import check_name, known_names, matching, proposal, python_suffix, variant_name
from setlist.registry.validators import ValidationError


@pytest.mark.parametrize(
    ("request_", "suffix"),
    [
        ("3.11", "py311"),
        ("3.13t", "py313t"),
        ("pypy3.11", "pypy311"),
        ("3.12.1", "py3121"),
        ("3", "py3"),
        ("python3.9", "py39"),
        ("cpython3.9", "py39"),
        ("py310", "py310"),
        ("graalpy-24.1", "graalpy241"),
        (">=3.10", "py-ge310"),
        (">=3.10,<3.13", "py-ge310-lt313"),
        ("~=3.10", "py-like310"),
        ("/opt/py 312/bin/python3.12", "py-py-312-python312"),
        ("C:\\Python312\\python.exe", "py-Python312-python"),
        ("~/.local/x/bin/pypy3", "py-x-pypy3"),
    ],
)
def test_python_suffix(request_: str, suffix: str) -> None:
    assert python_suffix(request_) == suffix


@pytest.mark.parametrize(
    ("axes", "name"),
    [
        ((), "web"),
        ((("python", "3.9"), ("django", "3.2")), "web-py39-django32"),
        ((("db", "postgres"),), "web-db-postgres"),
        ((("django", ">=4,<5"),), "web-django-ge4-lt5"),
        ((("django", "4.2.*"),), "web-django42"),
        ((("api", "v1.2"),), "web-api-v12"),
        ((("db", "my sql/8"),), "web-db-my-sql-8"),
    ],
)
def test_a_variant_is_named_by_its_family_and_values(axes: tuple[tuple[str, str], ...], name: str) -> None:
    assert variant_name("web", axes) == name
    check_name(name)


@pytest.mark.parametrize("axes", [(("db", "!!"),), (("python", "/"),)])
def test_a_value_without_letters_and_digits_names_nothing(axes: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValidationError, match="no name can be made from") as caught:
        variant_name("web", axes)
    assert caught.value.path == (axes[0][0],)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("a/b", "it holds '/'", "a-b"),
        ("../b", "it holds '..'", "b"),
        ("a..b", "it holds '..'", "a.b"),
        ("a b", "it holds a space", "a-b"),
        ("a:b", "it holds ':'", "a-b"),
        ("a\nb", "it holds '\\n'", "a-b"),
        ("tést", "it holds 'é'", "test"),
        ("日本", "it holds '日'", "session"),
        ("a.", "it ends in '.'", "a"),
        ("-a", "it begins with '-'", "a"),
        ("_a", "it begins with '_'", "a"),
        ("con", "Windows keeps that name", "con-session"),
        ("NUL.txt", "Windows keeps that name", "NUL-session.txt"),
        ("Com1", "Windows keeps that name", "Com1-session"),
        ("", "the name is empty", "session"),
        ("a" * 300, "it has 300 characters, and 100 is the limit", "a" * 100),
    ],
)
def test_a_wrong_name_is_refused_and_a_right_one_proposed(name: str, wrong: str, right: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check_name(name)
    assert wrong in caught.value.message
    assert len(caught.value.message) < 150
    assert caught.value.hint == f"call it {right!r}"


@pytest.mark.parametrize("name", ["lint", "a", "test-py311", "v1.2+x_y", "a" * 100, "console", "com", "com10"])
def test_a_right_name_is_left_alone(name: str) -> None:
    check_name(name)


@given(st.text(max_size=120))
def test_what_is_proposed_is_right(name: str) -> None:
    check_name(proposal(name))


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_variants_name_is_right_or_refused(python: str, value: str) -> None:
    try:
        name = variant_name("web", (("python", python), ("db", value)))
    except ValidationError:
        return
    if len(name) <= 100:
        check_name(name)


def test_a_pattern_is_a_name_a_family_or_a_glob() -> None:
    index = RegistryIndex.of(
        {
            name: SessionSpec(name=name, family=family, origin=Origin("x"))
            for name, family in (("lint", "lint"), ("test-py39", "test"), ("test-py310", "test"))
        }
    )
    assert matching("lint", index) == ("lint",)
    assert matching("test", index) == ("test-py39", "test-py310")
    assert matching("*-py3?", index) == ("test-py39",)
    assert matching("[!t]*", index) == ("lint",)
    assert matching("tes", index) == ()
    assert known_names(index) == ("lint", "test-py39", "test", "test-py310")
