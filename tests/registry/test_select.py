"""Which sessions a command line means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.errors import UnknownSession, UsageError
from setlist.core.model import EnvironmentSpec, Origin, Registry, SessionSpec, Settings
from setlist.registry.select import select


def spec(
    name: str, family: str | None = None, *, tags: tuple[str, ...] = (), python: str | None = None, default: bool = True
) -> SessionSpec:
    return SessionSpec(
        name=name,
        family=family or name,
        origin=Origin("pyproject.toml"),
        environment=EnvironmentSpec(python=python),
        tags=tags,
        default=default,
    )


def registry(default: tuple[str, ...] | None = None) -> Registry:
    sessions = (
        spec("lint", tags=("ci", "Style")),
        spec("test-py311", "test", tags=("ci",), python="3.11"),
        spec("test-py312", "test", tags=("ci",), python="3.12"),
        spec("test-pypy311", "test", python="pypy3.11"),
        spec("docs", default=False, python="/opt/python"),
    )
    return Registry(sessions={session.name: session for session in sessions}, settings=Settings(default=default))


def names(*selectors: str, default: tuple[str, ...] | None = None, **filters: object) -> list[str]:
    return [session.name for session in select(registry(default), selectors, **filters)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selectors", "selected"),
    [
        (["lint"], ["lint"]),
        (["test"], ["test-py311", "test-py312", "test-pypy311"]),
        (["test-py*", "lint"], ["test-py311", "test-py312", "test-pypy311", "lint"]),
        (["*-py31[12]"], ["test-py311", "test-py312"]),
        (["docs", "lint", "docs"], ["docs", "lint"]),
        (["test-py312", "test"], ["test-py312", "test-py311", "test-pypy311"]),
        (["@ci"], ["lint", "test-py311", "test-py312"]),
        (["@c?"], ["lint", "test-py311", "test-py312"]),
        (["test_py311"], ["test-py311"]),
        (["test_py31?"], ["test-py311", "test-py312"]),
    ],
)
def test_selectors(selectors: list[str], selected: list[str]) -> None:
    assert names(*selectors) == selected


def test_without_selectors_the_settings_decide_and_then_the_sessions() -> None:
    assert names(default=("docs", "@Style")) == ["docs", "lint"]
    assert names() == ["lint", "test-py311", "test-py312", "test-pypy311"]
    assert names(default=()) == []


def test_filters_without_selectors_look_through_all_sessions() -> None:
    assert names(keyword="docs", default=("lint",)) == ["docs"]


def test_filters_narrow_what_selectors_name() -> None:
    assert names("test", "docs", keyword="py312 or docs") == ["test-py312", "docs"]
    assert names("test", tags=["ci"], pythons=["3.12"]) == ["test-py312"]


@pytest.mark.parametrize(
    ("keyword", "selected"),
    [
        ("LINT", ["lint"]),
        ("ci", ["lint", "test-py311", "test-py312"]),
        ("style", []),
        ("Style", ["lint"]),
        ("test and not pypy", ["test-py311", "test-py312"]),
        ("not test and not docs", ["lint"]),
        ("not not lint", ["lint"]),
        ("lint or docs and test", ["lint"]),
        ("(lint or docs) and not(lint)", ["docs"]),
        ("not (test or lint)", ["docs"]),
    ],
)
def test_keywords(keyword: str, selected: list[str]) -> None:
    if selected:
        assert names(keyword=keyword) == selected
    else:
        with pytest.raises(UsageError, match="no session matches -k 'style'"):
            names(keyword=keyword)


@pytest.mark.parametrize(
    ("keyword", "message", "place"),
    [
        ("", "-k: a word is missing at the end", 0),
        ("lint and", "-k: a word is missing at the end", 8),
        ("lint and or x", "-k: a word is missing before 'or'", 9),
        ("lint test", "-k: 'and' or 'or' is missing before 'test'", 5),
        ("(lint", "-k: ')' is missing at the end", 5),
        ("lint)", "-k: 'and' or 'or' is missing before ')'", 4),
        ("()", "-k: a word is missing before ')'", 1),
        ("not", "-k: a word is missing at the end", 3),
    ],
)
def test_a_malformed_keyword_expression_is_pointed_at(keyword: str, message: str, place: int) -> None:
    with pytest.raises(UsageError) as caught:
        names(keyword=keyword)
    assert caught.value.message == message
    assert caught.value.detail == f"{keyword}\n{' ' * place}^"
    assert "and, or, not" in (caught.value.hint or "")


@pytest.mark.parametrize("python", ["3.12", "312", "py312", "python3.12", "PY3.12"])
def test_a_python_may_be_spelled_in_several_ways(python: str) -> None:
    assert names(pythons=[python]) == ["test-py312"]


def test_several_pythons_and_tags_are_alternatives() -> None:
    assert names(pythons=["3.11", "pypy3.11"]) == ["test-py311", "test-pypy311"]
    assert names(pythons=["/opt/python"]) == ["docs"]
    assert names(tags=["Style", "@ci"]) == ["lint", "test-py311", "test-py312"]


def test_an_unknown_session_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownSession) as caught:
        names("lint", "tset")
    assert caught.value.message == "no session matches 'tset'"
    assert caught.value.hint == "did you mean 'test'?"
    with pytest.raises(UnknownSession) as caught:
        names("@stile")
    assert caught.value.hint == "did you mean '@Style'?"
    with pytest.raises(UnknownSession):
        names("nope-*")
    with pytest.raises(UnknownSession):
        names(default=("nope",))
    with pytest.raises(UnknownSession) as caught:
        select(Registry(sessions={}), ["x"])
    assert "setlist init" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("filters", "message", "hint"),
    [
        ({"tags": ["cii"]}, "no session has the tag 'cii'", "did you mean 'ci'?"),
        ({"tags": ["zzz"]}, "no session has the tag 'zzz'", "there are ci, Style"),
        ({"pythons": ["3.8"]}, "no session has the python '3.8'", None),
        ({"keyword": "lint", "tags": ["ci"], "pythons": ["3.11"]}, "matches -k 'lint' -t ci -p 3.11", "run --list"),
    ],
)
def test_a_filter_that_leaves_nothing_is_an_error(filters: dict[str, object], message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        names(**filters)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_a_filter_where_nothing_is_tagged() -> None:
    with pytest.raises(UsageError) as caught:
        select(Registry(sessions={"a": spec("a")}), (), tags=["x"])
    assert caught.value.hint == "no session has a tag"


def test_filters_that_leave_nothing_of_the_selected_say_so() -> None:
    with pytest.raises(UsageError, match="no session of docs matches -t ci"):
        names("docs", tags=["ci"])


@given(st.lists(st.sampled_from(["lint", "test", "docs", "@ci", "*", "test-py312", "test_pypy311"]), min_size=1))
def test_selection_has_no_duplicates_and_keeps_the_order_of_first_mention(selectors: list[str]) -> None:
    selected = names(*selectors)
    assert len(selected) == len(set(selected))
    mentioned = [name for selector in selectors for name in names(selector)]
    assert selected == list(dict.fromkeys(mentioned))
