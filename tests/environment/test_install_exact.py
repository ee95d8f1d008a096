"""Edited requirements: one call of the installer comes to what a resolution and a sync come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setlist.core.errors import ResolutionFailed
from setlist.environment import install_exact, installers
from setlist.environment.install_exact import _BY_NAME
from setlist.process import spawn
from support.environments import EnvironmentWorld
from support.project import ProjectFolder, installed_in

pytestmark = pytest.mark.slow

OFFERED = (
    "alpha", "alpha<2", "alpha==1.1", "alpha>=2", "beta", "beta<2", "delta==1.0", "delta>1", "gamma", "gamma[fast]",
    "gamma[fast,slow]", "clash", "marked", "newpy", "oldpy; python_version<'3.9'", "pre", "pre>=2.0rc1", "tool~=1.0",
)  # fmt: skip


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path) -> EnvironmentWorld:
    return EnvironmentWorld(project.path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of uv that were started."""
    seen: list[str] = []
    real = spawn.run_process

    def noted(command: Sequence[str], **rest: Any) -> Any:
        seen.append(command[2])
        return real(command, **rest)

    monkeypatch.setattr(installers, "run_process", noted)
    return seen


def state_of(world: EnvironmentWorld) -> tuple[object, str]:
    place = world.project.resolution("lint")
    resolution = place.read_text() if place.exists() else ""  # nothing was ever asked for
    return installed_in(world.project.environment("lint")), re.sub(r"\[.*\]", "", resolution.partition("\n")[2])


def come_to(world: EnvironmentWorld, edits: Sequence[Sequence[str]]) -> list[object]:
    return [after(world, deps) for deps in edits]


def after(world: EnvironmentWorld, deps: Sequence[str]) -> object:
    try:
        changes = world.run(deps=tuple(deps)).changes
    except ResolutionFailed:
        return "failed"
    return changes, *state_of(world)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.lists(st.sampled_from(OFFERED), max_size=4, unique=True), min_size=2, max_size=4))
def test_it_comes_to_the_same(
    wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory, edits: list[list[str]]
) -> None:
    at_once = come_to(EnvironmentWorld(tmp_path_factory.mktemp("one")), edits)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(install_exact, "fits", lambda *_: False)
        assert at_once == come_to(EnvironmentWorld(tmp_path_factory.mktemp("two")), edits)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("alpha<2",), ("alpha<2", "delta")),
        (("alpha", "delta"), ("delta",)),
        (("delta==1.0",), ("delta==2.0",)),
        (("alpha==1.1",), ("alpha",)),
    ],
)
def test_one_process_does_it(
    world: EnvironmentWorld, calls: list[str], before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    world.run(deps=before)
    calls.clear()
    assert world.run(deps=after).action == "synced"
    assert calls == ["install"]
    assert world.run(deps=after).action == "reused"
    assert world.run(deps=after, resolution="lowest-direct").action in ("synced", "reused")


def test_what_still_fits_is_kept(world: EnvironmentWorld) -> None:
    world.run(deps=("alpha<2", "delta==1.0"))
    assert "alpha" not in str(world.run(deps=("alpha", "delta")).changes)


def test_what_cannot_be_resolved_touches_nothing(world: EnvironmentWorld, calls: list[str]) -> None:
    world.run(deps=("alpha>=2",))
    calls.clear()
    with pytest.raises(ResolutionFailed) as failed:
        world.run(deps=("alpha>=2", "clash"))
    assert "clash" in (failed.value.detail or "")
    assert calls == ["install", "compile"]
    assert world.run(deps=("alpha>=2",)).action == "reused"


def install_by_hand(world: EnvironmentWorld) -> None:
    with world.prepared(deps=("alpha<2",)) as environment:
        environment.install("delta")


def lose_the_resolution(world: EnvironmentWorld) -> None:
    world.project.resolution("lint").unlink()


@pytest.mark.parametrize("change", [install_by_hand, lose_the_resolution], ids=lambda change: change.__name__)
def test_an_environment_of_more_than_its_resolution_takes_two(
    world: EnvironmentWorld, calls: list[str], change: Callable[[EnvironmentWorld], None]
) -> None:
    world.run(deps=("alpha<2",))
    change(world)
    calls.clear()
    world.run(deps=("alpha<2", "gamma"))
    assert calls == ["compile", "sync"]


@pytest.mark.parametrize(
    "line", ["./lib", "lib @ file:///lib", "-e .", "lib @ git+https://example.invalid/lib", "lib.whl/"]
)
def test_only_names_go_that_way(line: str) -> None:
    assert re.fullmatch(_BY_NAME, line) is None


def test_requirements_files_take_two(project: ProjectFolder, world: EnvironmentWorld, calls: list[str]) -> None:
    project.write("a.txt", "alpha<2\n")
    world.run(requirements=("a.txt",))
    project.write("a.txt", "alpha<2\ndelta\n")
    calls.clear()
    world.run(requirements=("a.txt",))
    assert calls == ["compile", "sync"]
