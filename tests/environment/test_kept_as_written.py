"""What a person wrote reaches the installer as it was written, and an environment holds that and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from setlist.core.errors import PreparationError
from support.environments import EnvironmentWorld
from support.project import ProjectFolder
from support.variants import BOTH_INSTALLERS
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
    how: dict[str, Any],
) -> None:
    world.run(deps=("six", *seeds), python=python)
    assert set(project.installed("lint")) == {"six", *seeds}
    environment = world.run(deps=("six",), python=python, **how)
    assert set(project.installed("lint")) == {"six"}
    assert environment.directory is not None
    frozen = (environment.directory / "requirements.txt").read_text().splitlines()
    assert [line for line in frozen if "==" in line] == ["six==99.0"]


def test_seed_packages_go_from_an_environment_of_an_older_setlist(
    world: EnvironmentWorld, project: ProjectFolder, seeds: tuple[str, ...]
) -> None:
    environment = world.run(deps=("six", *seeds))
    assert environment.directory is not None
    configuration = environment.directory / "pyvenv.cfg"
    lines = configuration.read_text().splitlines()
    configuration.write_text("".join(f"{line}\n" for line in lines if not line.startswith("uv")))
    (environment.directory / "state").touch()
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
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
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
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
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
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_find_links_beside_a_file_may_have_any_name(
    tmp_path: Path, wheelhouse: Path, installer: str, name: str
) -> None:
    project = ProjectFolder(tmp_path / name)
    make_wheel(project.path / "wheels", "thing", "1.0")
    project.write("requirements.txt", "--find-links wheels\nthing\n")
    EnvironmentWorld(project.path).run(requirements=("requirements.txt",), installer=installer)
    assert project.installed("lint")["thing"] == "1.0"


WRONG = f"sha256:{'0' * 64}"


def sha256(wheelhouse: Path, name: str) -> str:
    return f"sha256:{hashlib.sha256(next(wheelhouse.glob(f'{name}-*.whl')).read_bytes()).hexdigest()}"


HASHED = {
    "a file": ({"r.txt": "delta==1.0 --hash={hash}\n"}, {"requirements": ("r.txt",)}),
    "continued": ({"r.txt": "delta==1.0 \\\n    --hash={hash}\n"}, {"requirements": ("r.txt",)}),
    "included": ({"r.txt": "-r more.txt\n", "more.txt": "delta==1.0 --hash={hash}\n"}, {"requirements": ("r.txt",)}),
    "constraint": ({"c.txt": "delta==1.0 --hash={hash}\n"}, {"deps": ("delta==1.0",), "constraints": ("c.txt",)}),
    "a URL": ({}, {"deps": ("delta @ {url}#{fragment}",)}),
}


def hashed(project: ProjectFolder, wheelhouse: Path, where: str, value: str) -> dict[str, Any]:
    """A session's keys that ask for delta 1.0 with a hash, written in one of the places that there are."""
    files, keys = HASHED[where]
    url = (wheelhouse / "delta-1.0-py3-none-any.whl").as_uri()

    def filled(text: str) -> str:
        return text.format(hash=value, url=url, fragment=value.replace(":", "="))

    for name, text in files.items():
        project.write(name, filled(text))
    return {key: tuple(map(filled, lines)) for key, lines in keys.items()}


@pytest.mark.parametrize("where", HASHED)
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_file_without_the_written_hash_is_refused(
    world: EnvironmentWorld, project: ProjectFolder, wheelhouse: Path, installer: str, where: str
) -> None:
    with pytest.raises(PreparationError):
        world.run(**hashed(project, wheelhouse, where, WRONG), installer=installer)
    right = sha256(wheelhouse, "delta-1.0")
    world.run(**hashed(project, wheelhouse, where, right), installer=installer)
    assert project.installed("lint")["delta"] == "1.0"
    with pytest.raises(PreparationError):
        world.run(**hashed(project, wheelhouse, where, WRONG), installer=installer)
    assert project.installed("lint")["delta"] == "1.0"


@pytest.mark.parametrize(
    ("form", "where"),
    [("requirements", where) for where in HASHED] + [("pylock", where) for where in HASHED if where != "a URL"],
)
def test_a_lock_holds_the_written_hashes_and_no_others(
    project: ProjectFolder, wheelhouse: Path, form: str, where: str
) -> None:
    def define(value: str) -> None:
        keys = "".join(
            f"{key} = {json.dumps(list(lines))}\n" for key, lines in hashed(project, wheelhouse, where, value).items()
        )
        project.sessions(
            f'[tool.setlist]\nlock-format = "{form}"\n[tool.setlist.session.lint]\nrun = ["python -V"]\n{keys}'
        )

    define(WRONG)
    refused = project.setlist_inside("lock")
    assert refused.code == 1
    assert WRONG in refused.err
    right = sha256(wheelhouse, "delta-1.0")
    define(right)
    project.setlist_inside("lock", check=True)
    project.run_inside("--locked", check=True)
    assert project.installed("lint") == {"delta": "1.0"}
    define(WRONG)
    assert project.setlist_inside("lock").code == 1
    assert project.run_inside("--locked").code == 3


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_what_is_installed_is_checked_when_a_hash_is_written_for_it(
    world: EnvironmentWorld, project: ProjectFolder, installer: str
) -> None:
    project.write("r.txt", "delta==1.0\n")
    world.run(requirements=("r.txt",), installer=installer)
    project.write("r.txt", f"delta==1.0 --hash=sha512:{'0' * 128}\n")
    with pytest.raises(PreparationError):
        world.run(requirements=("r.txt",), installer=installer)


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_file_may_require_hashes_of_all(
    world: EnvironmentWorld, project: ProjectFolder, wheelhouse: Path, installer: str
) -> None:
    alpha, beta = sha256(wheelhouse, "alpha-1.0"), sha256(wheelhouse, "beta-2.0")
    project.write("r.txt", f"--require-hashes\nalpha==1.0 --hash={alpha}\n")
    with pytest.raises(PreparationError):
        world.run(requirements=("r.txt",), installer=installer)
    project.write("r.txt", f"--require-hashes\nalpha==1.0 --hash={alpha}\nbeta==2.0 --hash={beta}\n")
    world.run(requirements=("r.txt",), installer=installer)
    assert project.installed("lint")["beta"] == "2.0"
