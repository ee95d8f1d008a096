"""An environment without a whole, readable record is unfinished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.model import EnvironmentSpec, Interpreter
from setlist.engine.trace import STATE as ENTRY
from setlist.engine.trace import Store
from setlist.engine.world import FILE
from setlist.environment.state import Contents, State, Step, forget_state, key_of, read_state, spec_data, write_state

STATE = State(
    directory=f"/project/{STATE_DIRECTORY}/envs/lint",
    spec=spec_data(EnvironmentSpec(deps=("alpha",))),
    interpreter=Interpreter("/py", "3.11.7", "cpython", False, "x86_64", "1:2:3", "on PATH"),
    inputs={"deps": "alpha"},
    variables={"UV_DEFAULT_INDEX": "abc"},
    contents=Contents({"alpha": ("1.0", "1:2:3")}, {"bin": ("python",)}, {"bin": "1:2:3"}),
    direct=("alpha",),
    steps=(Step(kind="install", words=("pip", "install", "six"), inputs={"variable X": "1"}),),
    trace=((FILE, "pyproject.toml", (1, 2, 3, 4), "abc", "setlist"), (FILE, "/etc/pip.conf", None, None, "pip")),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE


def test_a_forgotten_record_is_gone_and_forgetting_twice_does_no_harm(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    forget_state(tmp_path)
    forget_state(tmp_path)
    assert read_state(tmp_path) is None


def _without(key: str) -> Any:
    return lambda data: {name: value for name, value in data.items() if name != key}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: [],
        lambda data: None,
        lambda data: {**data, "format": 999},
        lambda data: {**data, "contents": 1},
        lambda data: {**data, "interpreter": {"executable": "/py"}},
        lambda data: {**data, "steps": "no"},
        _without("inputs"),
    ],
)
def test_a_damaged_record_is_no_record(tmp_path: Path, damage: Any) -> None:
    write_state(tmp_path, STATE)
    store = Store("", "", {})
    kept = store.last(key_of(tmp_path))
    assert kept is not None
    store.write(key_of(tmp_path), kept.trace, json.dumps(damage(json.loads(kept.value))))
    assert read_state(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2"])
def test_bytes_that_are_no_entry_are_no_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ENTRY).write_bytes(content)
    assert read_state(tmp_path) is None


def test_a_truncated_record_is_no_record(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    whole = (tmp_path / ENTRY).read_bytes()
    (tmp_path / ENTRY).write_bytes(whole[: len(whole) // 2])
    assert read_state(tmp_path) is None


def test_spec_data_survives_json() -> None:
    data = spec_data(EnvironmentSpec(deps=("a", "b"), python="3.12"))
    assert json.loads(json.dumps(data)) == data
