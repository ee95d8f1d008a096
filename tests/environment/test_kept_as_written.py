"""What a person wrote reaches the installer as it was written, and an environment holds that and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.environments import EnvironmentWorld
from support.project import ProjectFolder
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

SEEDS = ("pip", "setuptools", "wheel")


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path) -> EnvironmentWorld:
    return EnvironmentWorld(project.path)


@pytest.fixture
def seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Packages that uv keeps in an environment that it didn't make."""
    shelf = tmp_path / "seeds"
    for name in (*SEEDS, "six"):
        make_wheel(shelf, name, "99.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(shelf))
    return SEEDS


@pytest.mark.parametrize("how", [{}, {"recreate": True}, {"upgrade": True}], ids=["run", "recreate", "upgrade"])
@pytest.mark.parametrize("python", [None, "3.12"])
def test_removed_seed_packages_go(
    world: EnvironmentWorld,
    project: ProjectFolder,
    seeds: tuple[str, ...],
    python: str | None,
    how: dict[str, bool],
) -> None:
    world.run(deps=("six", *seeds), python=python)
    assert set(project.installed("lint")) == {"six", *seeds}
    environment = world.run(deps=("six",), python=python, **how)
    assert set(project.installed("lint")) == {"six"}
    frozen = (environment.directory / "requirements.txt").read_text().splitlines()
    assert [line for line in frozen if "==" in line] == ["six==99.0"]


def test_seed_packages_go_from_an_environment_of_an_older_setlist(
    world: EnvironmentWorld, project: ProjectFolder, seeds: tuple[str, ...]
) -> None:
    environment = world.run(deps=("six", *seeds))
    configuration = environment.directory / "pyvenv.cfg"
    lines = configuration.read_text().splitlines()
    configuration.write_text("".join(f"{line}\n" for line in lines if not line.startswith("uv")))
    (environment.directory / "state.json").touch()
    world.run(deps=("six",))
    assert set(project.installed("lint")) == {"six"}


def test_seed_packages_go_when_a_file_no_longer_asks_for_them(
    world: EnvironmentWorld, project: ProjectFolder, seeds: tuple[str, ...]
) -> None:
    project.write("requirements.txt", "six\nwheel\n")
    world.run(requirements=("requirements.txt",))
    project.write("requirements.txt", "six\n")
    world.run(requirements=("requirements.txt",))
    assert set(project.installed("lint")) == {"six"}


AWKWARD = ["a space", "a #1 100%20 it's ünï -r $x"]


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_files_in_directories_of_any_name_are_found(
    tmp_path: Path, wheelhouse: Path, installer: str, name: str
) -> None:
    project = ProjectFolder(tmp_path / name)
    world = EnvironmentWorld(project.path)
    project.write("requirements.txt", "alpha\n-r more.txt\n")
    project.write("more.txt", "-c limits.txt\ndelta\n")
    project.write("limits.txt", "delta<2\n")
    project.write("constraints.txt", "alpha<2\n")
    world.run(requirements=("requirements.txt",), constraints=("constraints.txt",), installer=installer)
    found = project.installed("lint")
    assert (found["alpha"], found["delta"]) == ("1.1", "1.1")


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("line", ["./lib", "./lib[more]", "-e ./lib[more]", "lib @ ./lib"])
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_local_projects_in_directories_of_any_name_are_installed(
    tmp_path: Path, wheelhouse: Path, installer: str, line: str, name: str
) -> None:
    if installer == "uv" and line.startswith("-e"):
        name = name.replace("#", "")  # uv takes it for a fragment's beginning, however it is quoted
    project = ProjectFolder(tmp_path / name)
    ProjectFolder(project.path / "lib").make_package("lib", extras={"more": ["delta"]})
    world = EnvironmentWorld(project.path)
    world.run(deps=(line,), installer=installer)
    found = set(project.installed("lint")) - {"pip"}
    assert found == ({"lib", "delta"} if "[" in line else {"lib"})
    assert world.run(deps=(line,), installer=installer).action == "reused"


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_find_links_beside_a_file_may_have_any_name(
    tmp_path: Path, wheelhouse: Path, installer: str, name: str
) -> None:
    project = ProjectFolder(tmp_path / name)
    make_wheel(project.path / "wheels", "thing", "1.0")
    project.write("requirements.txt", "--find-links wheels\nthing\n")
    EnvironmentWorld(project.path).run(requirements=("requirements.txt",), installer=installer)
    assert project.installed("lint")["thing"] == "1.0"
