"""s.install: recorded, skipped when equal, undone when no longer made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from setlist.core.errors import SessionError, SyncFailed
from setlist.core.model import Change
from setlist.environment import installers
from support.environments import EnvironmentWorld
from support.project import ProjectFolder

pytestmark = pytest.mark.slow


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path) -> EnvironmentWorld:
    return EnvironmentWorld(project.path)


def installing(world: EnvironmentWorld, *installs: Sequence[str], finish: bool = True) -> list[tuple[Change, ...]]:
    """A session's function that makes these installs."""
    with world.prepared(deps=("delta==1.0",)) as environment:
        moved = [environment.install(*arguments) for arguments in installs]
        if finish:
            moved.append(environment.finish_installs())
        return moved


def test_an_install_is_made_once(
    world: EnvironmentWorld, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = installing(world, ["beta==1.0"])
    assert first == (Change("beta", None, "1.0"),)
    assert "beta==1.0" in (project.environment("lint") / "requirements.txt").read_text()
    calls: list[object] = []
    monkeypatch.setattr(installers, "run_process", lambda *a, **k: calls.append(a))
    assert installing(world, ["beta==1.0"]) == [(), ()]
    assert calls == []


def test_another_install_replaces_the_first(world: EnvironmentWorld, project: ProjectFolder) -> None:
    installing(world, ["alpha==1.0"])
    moved, gone = installing(world, ["tool==1.0"])
    assert [str(change) for change in moved] == ["+ tool 1.0"]
    assert {str(change) for change in gone} == {"- alpha 1.0", "- beta 2.0"}
    assert project.installed("lint") == {"delta": "1.0", "tool": "1.0"}


def test_an_install_that_is_no_longer_made_is_undone(world: EnvironmentWorld, project: ProjectFolder) -> None:
    installing(world, ["beta==1.0"], ["tool==1.0"])
    *_, moved = installing(world, ["beta==1.0"])
    assert [str(change) for change in moved] == ["- tool 1.0"]
    assert project.installed("lint") == {"beta": "1.0", "delta": "1.0"}
    assert [str(change) for change in installing(world)[0]] == ["- beta 1.0"]


def test_a_function_that_failed_half_way_undoes_nothing(world: EnvironmentWorld, project: ProjectFolder) -> None:
    installing(world, ["beta==1.0"], ["tool==1.0"])
    installing(world, ["beta==1.0"], finish=False)
    assert "tool" in project.installed("lint")
    assert installing(world, ["beta==1.0"], ["tool==1.0"]) == [(), (), ()]


def test_a_changed_file_behind_an_install_is_noticed(world: EnvironmentWorld, project: ProjectFolder) -> None:
    project.write("extra.txt", "-r more.txt\n")
    project.write("more.txt", "beta==1.0\n")
    for spelling in (["-r", "extra.txt"], ["-rextra.txt"], ["--requirement=extra.txt"]):
        project.write("more.txt", "beta==1.0\n")
        installing(world, spelling)
        project.write("more.txt", "beta==2.0\n")
        moved, _ = installing(world, spelling)
        assert [str(change) for change in moved] == ["~ beta 1.0 → 2.0"]


def test_a_changed_local_project_is_installed_again(world: EnvironmentWorld, project: ProjectFolder) -> None:
    lib = ProjectFolder(project.path / "lib")
    lib.make_package("libby", "1.0")
    installing(world, ["./lib"])
    lib.make_package("libby", "2.0")
    moved, _ = installing(world, ["./lib"])
    assert [str(change) for change in moved] == ["~ libby 1.0 → 2.0"]
    assert "./lib  # libby 2.0" in (project.environment("lint") / "requirements.txt").read_text()


def test_changed_sources_of_an_editable_project_install_nothing(
    world: EnvironmentWorld, project: ProjectFolder
) -> None:
    project.make_package()
    installing(world, ["-e", "."])
    project.write("src/demo/__init__.py", "changed = True\n")
    assert installing(world, ["-e", "."]) == [(), ()]
    assert len(project.builds()) == 1

    project.make_package(version="2.0")
    moved, _ = installing(world, ["-e", "."])
    assert [str(change) for change in moved] == ["~ demo 1.0 → 2.0"]


def test_a_failed_install_leaves_an_environment_that_is_repaired(world: EnvironmentWorld) -> None:
    with pytest.raises(SyncFailed) as failure:
        installing(world, ["no-such-thing-anywhere"])
    assert "no-such-thing-anywhere" in (failure.value.detail or "")
    with world.prepared(deps=("delta==1.0",)) as environment:
        assert environment.action in ("repaired", "reused")


def test_a_missing_file_is_named(world: EnvironmentWorld) -> None:
    with pytest.raises(SessionError, match=r"absent\.txt"):
        installing(world, ["-r", "absent.txt"])


def test_changed_definitions_drop_the_installs_of_before(world: EnvironmentWorld, project: ProjectFolder) -> None:
    installing(world, ["beta==1.0"])
    with world.prepared(deps=("delta==2.0",)):
        pass
    assert project.installed("lint") == {"delta": "2.0"}
