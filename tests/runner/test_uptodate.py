"""A session that declares its inputs isn't run when it would do the same again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.events import CommandStarted
from setlist.core.model import Command, EnvironmentSpec
from setlist.engine import world
from setlist.engine.trace import Found, Store
from setlist.environment.prepare import Environments

World = Any

COPY = "import pathlib; pathlib.Path('out.txt').write_text(pathlib.Path('src/in.txt').read_text())"


@pytest.fixture
def declared(world: World) -> World:
    """A session ``a`` that has run once."""
    (world.root / "src" / "deep").mkdir(parents=True)
    (world.root / "src" / "in.txt").write_text("one")
    (world.root / "src" / "deep" / "x.py").write_text("1")
    define(world)
    assert world.run() == 0
    assert ran(world)
    return world


def define(world: World, **keys: Any) -> None:
    world.add("a", COPY, **{"inputs": ("src",), "outputs": ("out.txt",), **keys})


def ran(world: World) -> bool:
    return bool(world.told(CommandStarted))


def again(world: World, **options: Any) -> bool:
    """Whether another run runs it."""
    assert world.run(**options) == 0
    return ran(world)


def test_nothing_changed_nothing_runs(declared: World) -> None:
    assert not again(declared)
    assert declared.ends() == {"a": "ok: up to date"}
    assert not again(declared)


def test_a_changed_input_is_noticed_however_deep(declared: World) -> None:
    (declared.root / "src" / "deep" / "x.py").write_text("2")
    assert again(declared)
    assert not again(declared)


def test_a_new_and_a_removed_input_are_noticed(declared: World) -> None:
    (declared.root / "src" / "new").write_text("")
    assert again(declared)
    (declared.root / "src" / "new").unlink()
    assert again(declared)


def test_touching_an_input_changes_nothing_and_is_remembered(declared: World) -> None:
    before = kept(declared)
    os.utime(declared.root / "src" / "in.txt", (1, 1))
    assert not again(declared)
    after = kept(declared)
    assert before.trace != after.trace
    assert before.content == after.content


def kept(declared: World) -> Found:
    found = Store(str(declared.project.store), str(declared.root), {}).last("passed/a")
    assert found is not None
    return found


def test_caches_and_hidden_state_are_no_inputs(declared: World) -> None:
    define(declared, inputs=("**/*",))
    assert again(declared)
    cache = declared.root / "src" / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_text("")
    (declared.root / STATE_DIRECTORY / "other").write_text("")
    assert not again(declared)


def test_a_missing_output_is_made_again(declared: World) -> None:
    (declared.root / "out.txt").unlink()
    assert again(declared)


@pytest.mark.parametrize(
    "keys",
    [{"env": (("A", "1"),)}, {"inherit_env": False}, {"outputs": ("out.txt", "src")}, {"cwd": "."}],
    ids=["env", "inherit-env", "outputs", "cwd"],
)
def test_a_changed_definition_is_noticed(declared: World, keys: dict[str, Any]) -> None:
    define(declared, **keys)
    assert again(declared)
    assert not again(declared)


def test_changed_commands_posargs_and_variables_are_noticed(declared: World) -> None:
    code = f"import sys; {COPY}"
    command = Command(words=(sys.executable, "-c", code, "{posargs}", "{env:X:none}", "{tmp}"))
    declared.add("a", command, inputs=("src",))
    assert again(declared)
    assert not again(declared)
    assert again(declared, posargs=("x",))
    assert not again(declared, posargs=("x",))
    declared.caller.environ["X"] = "1"
    assert again(declared, posargs=("x",))


def test_recreate_always_runs(declared: World) -> None:
    assert again(declared, recreate=True)


def test_a_failed_run_is_run_again(declared: World) -> None:
    (declared.root / "src" / "in.txt").unlink()
    assert declared.run() == 1
    (declared.root / "src" / "in.txt").write_text("one")
    assert again(declared)


def test_inputs_that_match_nothing_are_never_up_to_date(declared: World) -> None:
    define(declared, inputs=("src", "scr/*.py"))
    assert again(declared)
    assert again(declared)


def test_a_changed_environment_is_noticed(declared: World, wheelhouse: object) -> None:
    declared.caller = type(declared.caller)(dict(os.environ), declared.root, ci=False)
    spec = EnvironmentSpec(deps=("delta",))
    command = Command(words=("python", "-c", COPY))
    declared.add("a", command, inputs=("src",), environment=spec)
    assert again(declared)
    assert not again(declared)
    declared.add("a", command, inputs=("src",), environment=EnvironmentSpec(deps=("delta", "alpha")))
    assert again(declared)
    assert not again(declared)


def test_an_environment_that_something_else_brought_up_to_date_is_noticed(world: World, wheelhouse: object) -> None:
    (world.root / "src").mkdir()
    (world.root / "src" / "in.txt").write_text("one")
    world.caller = type(world.caller)(dict(os.environ), world.root, ci=False)
    command = Command(words=("python", "-c", COPY))
    world.add("a", command, inputs=("src",), environment=EnvironmentSpec(deps=("delta",)))
    assert again(world)
    session = world.add("a", command, inputs=("src",), environment=EnvironmentSpec(deps=("delta", "alpha")))
    with Environments(world.project, world.caller).prepared(session):  # as 'setlist exec' does
        pass
    assert again(world)


def test_a_changed_function_is_noticed_and_its_installs_are_part_of_it(declared: World, wheelhouse: object) -> None:
    declared.caller = type(declared.caller)(dict(os.environ), declared.root, ci=False)
    keys = {"inputs": ("src",), "environment": EnvironmentSpec()}
    body = "s.install('delta')\ns.run('python', '-c', '')"
    declared.add_function("a", body, **keys)
    assert again(declared)
    assert not again(declared)
    declared.add_function("a", body + "\npass", **keys)
    assert again(declared)


@pytest.mark.parametrize("content", ["", "[]", "x" * 200])
def test_a_record_that_cant_be_understood_is_none(declared: World, content: str) -> None:
    (file,) = (declared.root / STATE_DIRECTORY / "store" / "passed").iterdir()
    file.write_text(content)
    assert again(declared)
    assert not again(declared)


def test_a_record_that_cant_be_written_costs_nothing_but_a_run(
    declared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Store, "write", refuse)
        (declared.root / "src" / "in.txt").write_text("two")
        assert again(declared)
    assert again(declared)
    assert not again(declared)


def test_an_input_that_cant_be_read_is_never_up_to_date(declared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = world._CONTENTS[world.FILE]

    def refuse(path: str, environ: Mapping[str, str]) -> str | None:  # a mode wouldn't do: root reads everything
        return world.UNREADABLE if path.endswith("secret") else real(path, environ)

    monkeypatch.setitem(world._CONTENTS, world.FILE, refuse)
    (declared.root / "src" / "secret").write_text("")
    assert again(declared)
    assert again(declared)


def test_inputs_that_are_edited_while_it_runs_are_looked_at_again(declared: World) -> None:
    edits = "import pathlib; p = pathlib.Path('src/in.txt'); p.write_text('later'); open('out.txt', 'w')"
    declared.add("a", edits, inputs=("src",), outputs=("out.txt",))
    assert again(declared)
    assert again(declared), "what passed was 'one'"


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in directories")
def test_what_isnt_a_file_is_no_input_and_never_read(declared: World) -> None:
    os.mkfifo(declared.root / "src" / "pipe")
    assert not again(declared)


def test_a_dangling_link_is_no_input(declared: World) -> None:
    (declared.root / "src" / "link").symlink_to("nowhere")
    assert not again(declared)
