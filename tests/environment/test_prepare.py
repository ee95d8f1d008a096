"""An environment is a function of its inputs: never stale, never needlessly touched, always mended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError, ResolutionFailed, SessionError, StorageError, SyncFailed
from setlist.core.model import Change
from setlist.environment import installers
from setlist.process import spawn
from support.environments import EnvironmentWorld
from support.project import ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path) -> EnvironmentWorld:
    return EnvironmentWorld(project.path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of every process that an installer starts."""
    calls: list[list[str]] = []
    real = spawn.run_process

    def counting(argv: Any, **rest: Any) -> Any:
        calls.append(list(argv))
        return real(argv, **rest)

    monkeypatch.setattr(installers, "run_process", counting)
    return calls


def test_a_new_environment_holds_what_was_asked_for(world: EnvironmentWorld, project: ProjectFolder) -> None:
    environment = world.run(deps=("alpha==1.1",))
    assert environment.action == "created"
    assert environment.changes == (Change("alpha", None, "1.1"), Change("beta", None, "2.0"))
    assert project.installed("lint") == {"alpha": "1.1", "beta": "2.0"}
    done = subprocess.run([environment.python, "-c", "import alpha; print(alpha.__version__)"], capture_output=True)
    assert done.stdout.strip() == b"1.1"


def test_an_unchanged_one_is_reused_and_no_installer_starts(world: EnvironmentWorld, started: list[list[str]]) -> None:
    world.run(deps=("alpha",))
    started.clear()
    environment = world.run(deps=("alpha",))
    assert (environment.action, environment.changes, environment.reasons) == ("reused", (), ())
    assert started == []


def test_a_removed_dependency_is_uninstalled_with_what_only_it_needed(
    world: EnvironmentWorld, project: ProjectFolder
) -> None:
    world.run(deps=("alpha==1.0", "delta==1.0"))
    environment = world.run(deps=("delta==1.0",))
    assert environment.action == "synced"
    assert environment.reasons == ("deps changed",)
    assert {str(change) for change in environment.changes} == {"- alpha 1.0", "- beta 2.0"}
    assert project.installed("lint") == {"delta": "1.0"}


def test_added_and_bumped_dependencies_arrive(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("delta==1.0",))
    environment = world.run(deps=("delta==2.0", "beta==1.0"))
    assert [str(change) for change in environment.changes] == ["+ beta 1.0", "~ delta 1.0 → 2.0"]
    assert project.installed("lint") == {"beta": "1.0", "delta": "2.0"}


def test_no_dependencies_left_means_nothing_left(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("alpha",))
    world.run(deps=())
    assert project.installed("lint") == {}


def test_unpinned_requirements_stay_at_what_was_first_resolved_until_upgrade(
    world: EnvironmentWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shelf"
    make_wheel(shelf, "thing", "1.0")
    make_wheel(shelf, "other", "1.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(shelf))
    world.run(deps=("thing",))
    make_wheel(shelf, "thing", "2.0")
    assert world.run(deps=("thing",)).changes == ()
    assert world.run(deps=("thing",), recreate=True).changes == (Change("thing", None, "1.0"),)
    assert world.run(deps=("thing", "other")).changes == (Change("other", None, "1.0"),)
    upgraded = world.run(deps=("thing", "other"), upgrade=True)
    assert upgraded.changes == (Change("thing", "1.0", "2.0"),)
    assert upgraded.reasons == ("upgrade asked for",)
    assert world.run(deps=("thing", "other")).action == "reused"


def test_two_sessions_hold_two_versions_side_by_side(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run("old", deps=("alpha==1.0",))
    world.run("new", deps=("alpha==2.0",))
    assert (project.installed("old")["alpha"], project.installed("new")["alpha"]) == ("1.0", "2.0")


def test_a_requirements_file_two_levels_down_is_watched(world: EnvironmentWorld, project: ProjectFolder) -> None:
    project.write("requirements/dev.txt", "-r more/base.txt\n")
    base = project.write("requirements/more/base.txt", "delta==1.0\n-c limits.txt\nbeta\n")
    project.write("requirements/more/limits.txt", "beta<2\n")
    world.run(requirements=("requirements/dev.txt",))
    assert project.installed("lint") == {"beta": "1.0", "delta": "1.0"}
    base.write_text("delta==2.0\n")
    environment = world.run(requirements=("requirements/dev.txt",))
    assert environment.reasons == (
        "requirements/more/base.txt changed",
        "requirements/more/limits.txt is gone",
    )
    assert project.installed("lint") == {"delta": "2.0"}


def test_a_touched_file_changes_nothing(
    world: EnvironmentWorld, project: ProjectFolder, started: list[list[str]]
) -> None:
    file = project.write("requirements.txt", "delta\n")
    project.write("pyproject.toml", "")
    world.run(requirements=("requirements.txt",))
    started.clear()
    os.utime(file)
    os.utime(project.path / "pyproject.toml")
    assert world.run(requirements=("requirements.txt",)).action == "reused"
    assert started == []
    # and the record has learnt it: the next check needs only stat
    environments = world.environments()
    session = world.session(requirements=("requirements.txt",))
    assert environments._untouched(session, project.environment("lint")) is not None


def test_a_package_installed_by_hand_is_noticed_and_removed(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("delta==1.0",))
    _by_hand(project, "install", "beta==1.0")
    environment = world.run(deps=("delta==1.0",))
    assert environment.reasons == ("changed by hand: beta",)
    assert environment.changes == (Change("beta", "1.0", None),)
    assert project.installed("lint") == {"delta": "1.0"}


def test_a_package_removed_or_bumped_by_hand_is_put_back(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("alpha==1.0", "delta==1.0"))
    _by_hand(project, "uninstall", "delta")
    _by_hand(project, "install", "alpha==2.0")
    environment = world.run(deps=("alpha==1.0", "delta==1.0"))
    assert environment.reasons == ("changed by hand: alpha, delta",)
    assert project.installed("lint") == {"alpha": "1.0", "beta": "2.0", "delta": "1.0"}


def test_the_same_version_from_elsewhere_is_replaced(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path
) -> None:
    world.run(deps=("delta==1.0",))
    forged = make_wheel(tmp_path / "forged", "delta", "1.0", modules={"delta.py": "__version__ = 'forged'\n"})
    _by_hand(project, "install", "--reinstall", str(forged))
    environment = world.run(deps=("delta==1.0",))
    assert [str(change) for change in environment.changes] == ["~ delta 1.0 (reinstalled)"]
    shown = subprocess.run(
        [project.python("lint"), "-B", "-c", "import delta; print(delta.__version__)"], capture_output=True, text=True
    )
    assert shown.stdout.strip() == "1.0"


def test_a_deleted_module_means_a_new_environment(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("delta",))
    next(project.environment("lint").glob("lib/*/site-packages/delta.py")).unlink()
    environment = world.run(deps=("delta",))
    assert environment.action == "repaired"
    assert "delta.py" in environment.reasons[0]
    assert next(project.environment("lint").glob("lib/*/site-packages/delta.py")).is_file()


def _replace_by_a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: (path / "state").unlink(), "an earlier run was cut off while making it"),
        (lambda path: (path / "state").write_text("{"), "an earlier run was cut off while making it"),
        (lambda path: shutil.rmtree(path / "bin"), "its python is gone"),
        (lambda path: (path / "pyvenv.cfg").unlink(), "pyvenv.cfg is gone"),
        (_replace_by_a_file, "a file stood in its place"),
        (lambda path: shutil.rmtree(next(path.glob("lib/*/site-packages"))), "changed by hand: delta"),
    ],
)
def test_a_damaged_environment_is_mended_and_the_damage_named(
    world: EnvironmentWorld, project: ProjectFolder, harm: Callable[[Path], object], reason: str
) -> None:
    world.run(deps=("delta==1.0",))
    harm(project.environment("lint"))
    environment = world.run(deps=("delta==1.0",))
    assert environment.action in ("repaired", "synced")
    assert environment.reasons == (reason,)
    assert project.installed("lint") == {"delta": "1.0"}
    assert world.run(deps=("delta==1.0",)).action == "reused"


def test_an_unresolvable_requirement_leaves_the_old_environment_alone(
    world: EnvironmentWorld, project: ProjectFolder
) -> None:
    world.run(deps=("alpha==1.0",))
    with pytest.raises(ResolutionFailed) as failure:
        world.run(deps=("alpha==2.0", "clash"))
    assert failure.value.detail is not None
    assert "clash" in failure.value.detail
    assert project.installed("lint") == {"alpha": "1.0", "beta": "2.0"}
    assert world.run(deps=("alpha==1.0",)).action == "reused"


@pytest.mark.parametrize("error", [SyncFailed("no network"), KeyboardInterrupt()], ids=["fails", "interrupted"])
def test_a_new_environment_of_which_nothing_comes_leaves_the_old_one(
    world: EnvironmentWorld, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def refuse(*_: object) -> None:
        assert not (project.environment("lint") / "state").exists()
        raise error

    world.run(deps=("alpha==1.1",))
    with monkeypatch.context() as patched:
        patched.setattr(installers.Uv, "sync", refuse)
        with pytest.raises(type(error)), world.prepared(deps=("alpha==1.1",), recreate=True):
            pass
    assert os.listdir(project.path / STATE_DIRECTORY / "envs") == ["lint"]
    assert world.run(deps=("alpha==1.1",)).action == "reused"
    assert project.installed("lint")["alpha"] == "1.1"


def test_one_that_was_not_sound_is_not_brought_back(
    world: EnvironmentWorld, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SyncFailed("no network")

    world.run(deps=("alpha==1.1",))
    (project.environment("lint") / "state").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(installers.Uv, "sync", refuse)
        with pytest.raises(SyncFailed):
            world.run(deps=("alpha==1.1",))
    assert os.listdir(project.path / STATE_DIRECTORY / "envs") == []
    assert world.run(deps=("alpha==1.1",)).action == "created"


def test_a_sync_that_fails_before_it_changed_anything_leaves_the_old_environment_usable(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path
) -> None:
    world.run(deps=("delta==1.0",))
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    shutil.copy(make_wheel(tmp_path / "shelf", "broken", "1.0"), broken)
    session: dict[str, Any] = {"deps": ("delta==1.0", f"broken @ {broken.as_uri()}")}
    resolution = world.project.resolution("lint")
    with world.prepared(**session):
        pass
    world.run(deps=("delta==1.0",))
    kept = resolution.read_text()
    broken.write_bytes(b"not a wheel at all")
    with pytest.raises((SyncFailed, ResolutionFailed)):
        world.run(**session)
    assert project.installed("lint") == {"delta": "1.0"}
    resolution.write_text(kept)
    assert world.run(deps=("delta==1.0",)).action == "reused"


def test_groups_extras_and_project_are_resolved_together(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(
        dependencies=["alpha"], extras={"fast": ["delta==1.0"]}, groups={"test": ["beta<2", "pre"]}
    )  # fmt: skip
    world = EnvironmentWorld(project.path)
    environment = world.run(groups=("test",), extras=("fast",), project="editable")
    # beta<2 from the group holds alpha, from the project, below 2.0: one resolution, not two
    assert project.installed("lint") == {
        "alpha": "1.1",
        "beta": "1.0",
        "delta": "1.0",
        "demo": "1.0",
        "pre": "1.0",
    }
    shown = subprocess.run(
        [environment.python, "-c", "import demo; print(demo.__file__)"], capture_output=True, text=True
    )
    assert Path(shown.stdout.strip()).is_relative_to(project.path)


def test_editing_the_projects_requirements_is_noticed(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(dependencies=["delta==1.0"])
    world = EnvironmentWorld(project.path)
    world.run(project="editable")
    project.make_package(dependencies=["delta==2.0"])
    environment = world.run(project="editable")
    assert environment.reasons == ("project metadata changed",)
    assert project.installed("lint")["delta"] == "2.0"


def test_editing_what_is_not_installed_is_no_reason(project: ProjectFolder, wheelhouse: Path) -> None:
    pyproject = project.make_package(dependencies=["delta==1.0"])
    world = EnvironmentWorld(project.path)
    world.run(project="editable")
    pyproject.write_text(pyproject.read_text() + '\n[tool.other]\nkey = "value"\n')
    project.write("src/demo/__init__.py", "changed = True\n")
    assert world.run(project="editable").action == "reused"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_both_installers_agree(project: ProjectFolder, wheelhouse: Path, installer: str) -> None:
    project.make_package(dependencies=["alpha==1.0"], extras={"fast": ["delta"]})
    world = EnvironmentWorld(project.path)
    world.run(deps=("beta==1.0",), extras=("fast",), project="editable", installer=installer)
    packages = {name: version for name, version in project.installed("lint").items() if name != "pip"}
    assert packages == {"alpha": "1.0", "beta": "1.0", "delta": "2.0", "demo": "1.0"}
    second = world.run(deps=("delta==1.1",), project="editable", installer=installer)
    packages = {name: version for name, version in project.installed("lint").items() if name != "pip"}
    assert packages == {"alpha": "1.0", "beta": "1.0", "delta": "1.1", "demo": "1.0"}
    assert second.action == "synced"
    assert world.run(deps=("delta==1.1",), project="editable", installer=installer).action == "reused"


def test_pip_says_why_it_cannot_resolve(world: EnvironmentWorld) -> None:
    with pytest.raises(ResolutionFailed) as failure:
        world.run(deps=("alpha==2.0", "clash"), installer="pip")
    assert "conflict" in (failure.value.detail or "").lower()


def test_pip_refuses_what_only_uv_can(world: EnvironmentWorld) -> None:
    with pytest.raises(ConfigurationError, match="installer"):
        world.run(deps=("alpha",), installer="pip", resolution="lowest-direct")


def test_lowest_direct_takes_the_lowest(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("alpha>=1.0", "delta>=1.1"), resolution="lowest-direct")
    assert project.installed("lint") == {"alpha": "1.0", "beta": "2.0", "delta": "1.1"}


def test_constraints_hold(world: EnvironmentWorld, project: ProjectFolder) -> None:
    file = project.write("limits.txt", "beta<2\n")
    world.run(deps=("alpha",), constraints=("limits.txt",))
    assert project.installed("lint") == {"alpha": "1.1", "beta": "1.0"}
    file.write_text("")
    assert world.run(deps=("alpha",), constraints=("limits.txt",)).reasons == ("limits.txt changed",)


def test_index_settings_are_inputs(world: EnvironmentWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(deps=("delta",))
    make_wheel(tmp_path / "shelf", "delta", "9.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "shelf"))
    environment = world.run(deps=("delta==9.0",))
    assert set(environment.reasons) == {"deps changed", "directories of wheels changed", "UV_FIND_LINKS changed"}


def test_a_changed_interpreter_means_a_new_environment_and_why_says_so(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path
) -> None:
    fake = tmp_path / "interpreter" / "bin" / "python3"
    fake.parent.mkdir(parents=True)
    base = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
    fake.write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
    fake.chmod(0o755)
    first = world.run(python=base, deps=("delta",))
    from dataclasses import replace

    from setlist.environment.state import read_state, write_state

    state = read_state(project.environment("lint"))
    assert state is not None
    # what an upgrade in place looks like to us: the binary at that path is another one
    write_state(
        project.environment("lint"),
        replace(
            state,
            interpreter=replace(state.interpreter, signature="0:0:0"),
            inputs={**state.inputs, "interpreter's file": "0:0:0", "interpreter": "python 3.0.0 (there)"},
        ),
    )
    explanation = world.explain(python=base, deps=("delta",))
    assert explanation.state == "stale"
    assert next(change for change in explanation.inputs if change.name == "interpreter").changed
    second = world.run(python=base, deps=("delta",))
    assert second.action == "recreated"
    assert second.reasons[0].startswith("interpreter changed: python 3.0.0 (there) → ")
    assert first.interpreter == second.interpreter


def test_a_moved_project_gets_new_environments(project: ProjectFolder, wheelhouse: Path, tmp_path: Path) -> None:
    EnvironmentWorld(project.path).run(deps=("delta",))
    moved = tmp_path / "moved"
    project.path.rename(moved)
    environment = EnvironmentWorld(moved).run(deps=("delta",))
    assert environment.action == "recreated"
    assert environment.reasons[0].startswith("place changed")


def test_a_path_with_spaces_and_letters_outside_ascii_works(tmp_path: Path, wheelhouse: Path) -> None:
    root = tmp_path / "mein schönes Projekt"
    folder = ProjectFolder(root)
    folder.make_package(dependencies=["delta"])
    environment = EnvironmentWorld(root).run(deps=("tool",), project="editable")
    done = subprocess.run([environment.bin[0] / "tool", "hi"], capture_output=True, text=True)
    assert done.stdout.strip() == "tool 2.0 hi"


def test_explain_tells_each_input_and_changes_nothing(world: EnvironmentWorld, project: ProjectFolder) -> None:
    assert world.explain(deps=("alpha",)).state == "missing"
    assert not project.environment("lint").exists()
    world.run(deps=("alpha",))
    same = world.explain(deps=("alpha",))
    assert same.state == "current"
    assert not any(change.changed for change in same.inputs)
    other = world.explain(deps=("alpha", "delta"))
    assert other.state == "stale"
    assert [(c.name, c.old, c.new) for c in other.inputs if c.changed] == [("deps", "alpha", "alpha, delta")]
    _by_hand(project, "install", "delta")
    assert world.explain(deps=("alpha",)).notes == ("changed by hand: delta",)
    (project.environment("lint") / "state").unlink()
    assert world.explain(deps=("alpha",)).state == "unfinished"


def test_explain_says_when_the_interpreter_is_missing(world: EnvironmentWorld) -> None:
    explanation = world.explain(python="3.2")
    assert explanation.state == "missing"
    assert "3.2 not found" in explanation.notes[0]


def test_frozen_needs_a_finished_environment(world: EnvironmentWorld, project: ProjectFolder) -> None:
    session = world.session(deps=("alpha==1.0",))
    with pytest.raises(SessionError, match="no finished environment"):
        world.environments().frozen(session)
    world.run(deps=("alpha==1.0",))
    text = world.environments().frozen(session)
    assert text.index("alpha==1.0") < text.index("brought in by these") < text.index("beta==2.0")
    (project.environment("lint") / "requirements.txt").unlink()
    with pytest.raises(SessionError, match="can't be read"):
        world.environments().frozen(session)


def test_backend_none_is_the_callers_own(world: EnvironmentWorld, project: ProjectFolder) -> None:
    environment = world.run(backend="none")
    assert (environment.action, environment.directory, environment.bin, environment.frozen) == ("none", None, (), None)
    assert not project.environment("lint").exists()
    assert world.explain(backend="none").state == "none"
    with pytest.raises(SessionError, match="no environment of its own"):
        world.environments().frozen(world.session(backend="none"))
    with pytest.raises(SessionError, match="needs an environment"):
        environment.install("alpha")
    assert environment.finish_installs() == ()


def test_offline_uses_what_is_cached_and_says_what_is_missing(
    project: ProjectFolder, index: Any, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path / "shelf", "thing", "1.0"))
    world = EnvironmentWorld(project.path)
    with pytest.raises(ResolutionFailed):
        world.run(deps=("thing",), offline=True)
    world.run(deps=("thing",))
    asked = len(index.requests)
    assert world.run(deps=("thing",), offline=True, recreate=True).action == "recreated"
    assert len(index.requests) == asked


def test_a_disk_that_refuses_is_told_in_one_line(world: EnvironmentWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from setlist.environment import sync

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(sync, "write_state", full)
    with pytest.raises(StorageError, match="No space left on device"):
        world.run(deps=("delta",))
    monkeypatch.undo()
    monkeypatch.setenv("UV_FIND_LINKS", os.environ.get("UV_FIND_LINKS", ""))


def test_a_missing_requirements_file_is_named_with_where_it_was_asked_for(world: EnvironmentWorld) -> None:
    with pytest.raises(ConfigurationError) as error:
        world.run(requirements=("absent.txt",))
    assert str(error.value) == "pyproject.toml:3: lint.requirements: absent.txt: no such file"


def test_a_missing_included_file_is_named_with_the_including_line(
    world: EnvironmentWorld, project: ProjectFolder
) -> None:
    project.write("requirements.txt", "delta\n-r absent.txt\n")
    with pytest.raises(ConfigurationError) as error:
        world.run(requirements=("requirements.txt",))
    assert str(error.value) == "requirements.txt:2: absent.txt: no such file"


def _by_hand(project: ProjectFolder, *arguments: str) -> None:
    from uv import find_uv_bin

    command, *rest = arguments
    subprocess.run(
        [find_uv_bin(), "pip", command, "--python", project.python("lint"), *rest], check=True, capture_output=True
    )
