"""The registry as it is kept: what is read equals what was written, and only what is asked for is made."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core import records
from setlist.core.model import (
    Command,
    EnvironmentSpec,
    FunctionReference,
    Origin,
    Registry,
    RegistryIndex,
    SessionSpec,
    Settings,
)
from setlist.engine.trace import Found, Store
from setlist.engine.world import World
from setlist.registry import load as loading
from setlist.registry.select import select
from setlist.scheduling.order import make_plan
from support.project import ProjectFolder

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
TEXTS = st.text(max_size=8)
WORDS = st.lists(TEXTS, max_size=3).map(tuple)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)

COMMANDS = st.builds(
    Command, words=WORDS, env=PAIRS, ok_codes=st.lists(st.integers(0, 255), max_size=2).map(tuple), shell=st.booleans()
)
ENVIRONMENTS = st.builds(
    EnvironmentSpec,
    python=st.none() | TEXTS,
    deps=WORDS,
    project=st.sampled_from([None, "editable", "wheel"]),
    backend=st.sampled_from(["virtualenv", "none"]),
)
SESSIONS = st.builds(
    SessionSpec,
    name=NAMES,
    family=NAMES,
    origin=st.builds(Origin, TEXTS, st.none() | st.integers(1, 99)),
    description=TEXTS,
    axes=PAIRS,
    environment=ENVIRONMENTS,
    commands=st.lists(COMMANDS, max_size=2).map(tuple),
    function=st.none() | st.builds(FunctionReference, TEXTS, TEXTS),
    provider=st.sampled_from(["", "nox"]),
    aliases=WORDS,
    problem=TEXTS,
    provided=TEXTS,
    installs_itself=st.booleans(),
    env=PAIRS,
    inherit_env=st.booleans() | WORDS,
    tags=WORDS,
    default=st.booleans(),
    timeout=st.none() | st.floats(0, 1e6),
    resources=st.lists(st.tuples(TEXTS, st.integers(1, 9)), max_size=2).map(tuple),
    jobserver=st.booleans(),
)
REGISTRIES = st.builds(
    lambda sessions, default: Registry(
        sessions={session.name: session for session in sessions}, settings=Settings(default=default)
    ),
    st.lists(SESSIONS, max_size=6),
    st.none() | WORDS,
)


def kept(registry: Registry, root: Path) -> Registry:
    """A registry, written and read back."""
    store = Store(str(root / "store"), str(root), {})
    store.put("registry/x", World(str(root), {}), loading._data_of(registry))
    found = store.get("registry/x")
    assert isinstance(found, Found)
    return loading._registry_of(found.value)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sessions that were made from what was kept of them, as they are made."""
    names: list[str] = []
    load = records.load

    def counting(cls: Any, data: Any) -> Any:
        if cls is SessionSpec:
            names.append(data["name"])
        return load(cls, data)

    monkeypatch.setattr(loading, "load_record", counting)
    return names


@given(REGISTRIES)
def test_what_is_read_equals_what_was_written(registry: Registry) -> None:
    with TemporaryDirectory() as root:
        read = kept(registry, Path(root))
        assert read.index == registry.index
        assert list(read.sessions) == list(registry.sessions)
        assert read == registry
        assert registry == read
        assert read.index == RegistryIndex.of(read.sessions)
        # and once more, from what was read
        assert kept(read, Path(root)) == registry


def many() -> Registry:
    sessions = [
        SessionSpec(name=f"x-{each}", family="x", origin=Origin("x.toml"), tags=(f"t{each % 10}",), default=each < 2)
        for each in range(100)
    ]
    top = SessionSpec(name="top", family="top", origin=Origin("x.toml"), requires=("x-7", "x-8"))
    return Registry(sessions={session.name: session for session in (*sessions, top)})


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["x-17"], ["x-17"]),
        (["x_17"], ["x-17"]),
        (["top"], ["top", "x-7", "x-8"]),
        (["x-1?"], [f"x-1{each}" for each in range(10)]),
        (["@t3"], [f"x-{each}3" if each else "x-3" for each in range(10)]),
        ([], ["x-0", "x-1", "top", "x-7", "x-8"]),
    ],
)
def test_only_what_is_selected_and_what_it_requires_is_made(
    tmp_path: Path, made: list[str], selectors: list[str], expected: list[str]
) -> None:
    registry = kept(many(), tmp_path)
    make_plan(registry, select(registry, selectors))
    assert made == expected


def test_a_run_of_one_session_makes_this_one(project: ProjectFolder, made: list[str]) -> None:
    tables = [f'[session.x-{each}]\nbackend = "none"\ntags = ["t{each}"]\n' for each in range(50)]
    project.write("sessions/many.toml", "\n".join(tables))
    project.run_inside("-l", check=True)
    made.clear()
    for options in ((), ("-j", "2"), ("-q",), ("--dry-run",)):
        project.run_inside(*options, "x-17", check=True)
    project.run_inside("@t17", check=True)
    assert made == ["x-17"] * 5
    assert project.run_inside("x-5000").code == 2
    assert made == ["x-17"] * 5


def test_each_session_is_made_once(tmp_path: Path, made: list[str]) -> None:
    registry = kept(many(), tmp_path)
    assert registry.sessions["x-3"] is registry.sessions["x-3"]
    assert len(registry.family("x")) == 100
    assert len(made) == 100


def test_asking_whether_there_is_one_makes_none(tmp_path: Path, made: list[str]) -> None:
    registry = kept(many(), tmp_path)
    assert "x-3" in registry.sessions
    assert "y" not in registry.sessions
    assert len(registry.sessions) == 101
    assert registry.index.jobserver == ()
    assert made == []
