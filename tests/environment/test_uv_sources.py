"""``[tool.uv.sources]``: a requirement that has a source comes from there, and nobody else is asked for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.toml import parse_toml
from setlist.environment.pins import with_absolute_urls
from setlist.environment.uv_sources import Sources, as_constraints, pins_with_indexes, read_sources, write_for_uv
from support.environments import EnvironmentWorld
from support.index import LocalIndex, serving
from support.project import ProjectFolder
from support.variants import BOTH_INSTALLERS
from support.wheels import make_wheel


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path) -> EnvironmentWorld:
    """The wheelhouse has a delta 2.0, as a public index has a package of any name."""
    return EnvironmentWorld(project.path)


def package(project: ProjectFolder, place: str, name: str, **rest: Any) -> ProjectFolder:
    """A local project, version 99.0."""
    folder = ProjectFolder(project.path / place)
    folder.make_package(name, "99.0", **rest)
    return folder


def index(directory: Path, name: str, version: str) -> str:
    """A package index of one wheel, by its URL."""
    wheel = make_wheel(directory / name, name, version)
    (directory / name / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return directory.as_uri()


@pytest.fixture
def server() -> Iterator[LocalIndex]:
    """A server that nobody is told of."""
    with serving() as running:
        yield running


GROUP = '[dependency-groups]\nd = ["delta"]\n'


@pytest.mark.slow
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
@pytest.mark.parametrize("keys", [{"deps": ("delta",)}, {"groups": ("d",)}, {"groups": ("all",)}])
def test_a_path_source_is_installed_from_the_path(
    world: EnvironmentWorld, project: ProjectFolder, keys: dict[str, Any], installer: str
) -> None:
    library = package(project, "a lib", "delta")
    project.write(
        "pyproject.toml",
        GROUP + 'all = [{ include-group = "d" }]\n[tool.uv.sources]\nDelta = { path = "a lib" }\n',
    )
    world.run(**keys, installer=installer)
    assert project.installed("lint")["delta"] == "99.0"
    assert world.run(**keys, installer=installer).action == "reused"
    library.make_package("delta", "100.0")
    world.run(**keys, installer=installer)
    assert project.installed("lint")["delta"] == "100.0"


@pytest.mark.slow
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_what_an_extra_requires_comes_from_its_source(
    world: EnvironmentWorld, project: ProjectFolder, installer: str
) -> None:
    package(project, "lib", "delta")
    project.make_package(extras={"x": ["delta"]}, sessions='[tool.uv.sources]\ndelta = { path = "lib", extra = "x" }\n')
    world.run(project="editable", extras=("x",), installer=installer)
    assert project.installed("lint")["delta"] == "99.0"


@pytest.mark.slow
def test_sources_of_other_kinds_are_taken(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path, server: LocalIndex
) -> None:
    repository = ProjectFolder(tmp_path / "repository")
    repository.make_package("alpha", "99.0")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=repository.path, check=True)
    package(project, "members/beta", "beta")
    wheel = make_wheel(tmp_path / "wheels", "gamma", "99.0")
    server.add(wheel)
    url = server.url.replace("/simple/", f"/files/{wheel.name}")
    project.write(
        "pyproject.toml",
        f"""
        [dependency-groups]
        d = ["alpha", "beta", "gamma"]
        [tool.uv.workspace]
        members = ["members/*"]
        [tool.uv.sources]
        alpha = {{ git = "{repository.path.as_uri()}", tag = "v1" }}
        beta = {{ workspace = true }}
        gamma = {{ url = "{url}" }}
        """,
    )
    for keys in ({"groups": ("d",)}, {"deps": ("alpha", "beta", "gamma")}):
        world.run(**keys)
        assert project.installed("lint") == {"alpha": "99.0", "beta": "99.0", "gamma": "99.0"}
        assert world.run(**keys).action == "reused"


@pytest.mark.slow
def test_a_member_has_the_sources_of_its_workspace(project: ProjectFolder, wheelhouse: Path) -> None:
    package(project, "lib", "delta")
    project.write(
        "pyproject.toml",
        '[tool.uv.workspace]\nmembers = ["app"]\n[tool.uv.sources]\ndelta = { path = "lib" }\n',
    )
    app = ProjectFolder(project.path / "app")
    app.write("pyproject.toml", GROUP)
    EnvironmentWorld(app.path).run(groups=("d",))
    assert app.installed("lint")["delta"] == "99.0"


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"deps": ("delta",)}, {"groups": ("d",)}])
def test_no_other_index_is_asked_for_what_has_one(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path, keys: dict[str, Any]
) -> None:
    url = index(tmp_path / "private", "delta", "0.5")
    project.write(
        "pyproject.toml",
        GROUP + "[tool.uv.sources]\ndelta = { index = 'private' }\n"
        f"[[tool.uv.index]]\nname = 'private'\nurl = '{url}'\nexplicit = true\n",
    )
    world.run(**keys)
    assert project.installed("lint") == {"delta": "0.5"}
    assert world.run(**keys, recreate=True).action == "recreated"
    with pytest.raises(ConfigurationError, match="pip can't take a package from one index only"):
        world.run(**keys, installer="pip")


@pytest.mark.slow
def test_locks_hold_what_sources_say(project: ProjectFolder, wheelhouse: Path, tmp_path: Path) -> None:
    package(project, "lib", "delta", dependencies=["tool"])
    url = index(tmp_path / "private", "gamma", "0.5")
    project.write(
        "pyproject.toml",
        f"""
        [dependency-groups]
        d = ["delta", "gamma"]
        [tool.uv.sources]
        delta = {{ path = "lib" }}
        gamma = {{ index = "private" }}
        [[tool.uv.index]]
        name = "private"
        url = "{url}"
        explicit = true
        [tool.setlist.session.lint]
        groups = ["d"]
        run = ["python -V"]
        """,
    )
    project.setlist_inside("lock", check=True)
    lines = (project.path / "sessions/locks/lint.txt").read_text().splitlines()
    assert "./lib" in lines
    assert any(line.startswith("gamma==0.5") for line in lines)
    project.run_inside("--locked", check=True)
    assert project.installed("lint") == {"delta": "99.0", "gamma": "0.5", "tool": "2.0"}


@pytest.mark.slow
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
@pytest.mark.parametrize("line", ["./libs/one", "-e ./libs/one"])
def test_a_local_package_takes_what_lies_beside_it(
    world: EnvironmentWorld, project: ProjectFolder, line: str, installer: str
) -> None:
    other = package(project, "other", "delta")
    package(
        project,
        "libs/one",
        "one",
        dependencies=["delta"],
        sessions='[tool.uv.sources]\ndelta = { path = "../../other" }\n',
    )
    world.run(deps=(line,), installer=installer)
    assert {"delta": "99.0", "one": "99.0"}.items() <= project.installed("lint").items()
    assert world.run(deps=(line,), installer=installer).action == "reused"
    other.write("src/delta/__init__.py", "new = True\n")
    world.run(deps=(line,), installer=installer)
    (module,) = project.environment("lint").rglob("site-packages/delta/__init__.py")
    assert module.read_text() == "new = True\n"
    other.make_package("delta", "100.0")
    world.run(deps=(line,), installer=installer)
    assert project.installed("lint")["delta"] == "100.0"


@pytest.mark.slow
def test_a_local_package_with_neighbours_is_locked(project: ProjectFolder, wheelhouse: Path) -> None:
    package(project, "other", "delta")
    package(
        project,
        "libs/one",
        "one",
        dependencies=["delta"],
        sessions='[tool.uv.sources]\ndelta = { path = "../../other" }\n',
    )
    project.sessions('[tool.setlist.session.lint]\ndeps = ["./libs/one"]\nrun = ["python -V"]\n')
    project.setlist_inside("lock", check=True)
    lines = (project.path / "sessions/locks/lint.txt").read_text().splitlines()
    assert {"./libs/one", "./other"} <= set(lines)
    project.run_inside("--locked", check=True)
    assert project.installed("lint")["delta"] == "99.0"


def test_conditions_decide_which_sources_apply(project: ProjectFolder) -> None:
    path = project.write(
        "pyproject.toml",
        """
        [tool.uv.sources]
        a = [
            { path = "one", group = "G-1" },
            { path = "two", extra = "x" },
            { path = "three", marker = "os_name == 'nt'" },
        ]
        """,
    )
    sources = read_sources(path.parent)

    def paths(applying: Sources) -> list[str]:
        return [Path(entry["path"]).name for entries in applying.entries.values() for entry in entries]

    assert paths(sources.applying()) == ["three"]
    assert paths(sources.applying(group="g_1")) == ["one", "three"]
    assert paths(sources.applying(extras=("X",))) == ["two", "three"]
    plain, sourced = sources.applying().divided(["a[z]>=1 ; os_name == 'nt'", "ab", "a @ file:///x", "./a", "-e ./a"])
    assert plain == ["ab", "a @ file:///x", "./a", "-e ./a"]
    assert sourced is not None
    assert sourced.lines == ("a[z]>=1 ; os_name == 'nt'",)


def test_what_is_written_for_uv_is_toml(project: ProjectFolder) -> None:
    path = project.write(
        "pyproject.toml",
        """
        [tool.uv.sources]
        a = { index = "i", marker = 'os_name == "nt"' }
        [[tool.uv.index]]
        name = "i"
        url = "wheels"
        explicit = true
        [[tool.uv.index]]
        name = "another"
        url = "https://example.invalid/simple"
        """,
    )
    _, sourced = read_sources(path.parent).divided(["a"])
    assert sourced is not None
    options = write_for_uv(project.path / "scratch", sourced)
    data = parse_toml((project.path / "scratch/pyproject.toml").read_text())
    assert options == ["--group", f"{project.path / 'scratch/pyproject.toml'}:sourced"]
    assert data["dependency-groups"] == {"sourced": ["a"]}
    assert data["tool"]["uv"]["sources"] == {"a": [{"index": "i", "marker": 'os_name == "nt"'}]}
    assert [index["url"] for index in data["tool"]["uv"]["index"]] == [str(project.path / "wheels")]


def test_pins_keep_their_markers_and_their_index() -> None:
    entries = {"a": ({"index": "i"},), "b": ({"path": "/b"},)}
    text = "a==1 ; os_name == 'nt' \\\n    --hash=sha256:00\na==2\nb==1\nc==1\n"
    found = pins_with_indexes(text, entries, ())
    assert found is not None
    assert found.lines == ("a ; os_name == 'nt'", "a")
    assert pins_with_indexes("c==1\n", entries, ()) is None


def test_pip_is_told_by_direct_references() -> None:
    entries = {
        "a": ({"git": "https://example.invalid/a.git", "rev": "abc", "subdirectory": "x"},),
        "b": ({"url": "https://example.invalid/b.zip", "marker": "os_name == 'nt'"},),
    }
    assert as_constraints(entries) == [
        "a @ git+https://example.invalid/a.git@abc#subdirectory=x",
        "b @ https://example.invalid/b.zip ; os_name == 'nt'",
    ]


def test_a_member_that_isnt_there_is_named(project: ProjectFolder) -> None:
    path = project.write(
        "pyproject.toml", "[tool.uv.workspace]\nmembers = []\n[tool.uv.sources]\na = { workspace = true }\n"
    )
    with pytest.raises(ConfigurationError, match="the workspace has no member 'a'"):
        read_sources(path.parent)


def test_paths_of_a_resolution_become_urls_with_their_markers(tmp_path: Path) -> None:
    text = (
        "-e ../linked\n../copied ; os_name == 'nt'\ncopied==1.0 ; os_name != 'nt' \\\n    --hash=sha256:00\n"
        f"there @ {(tmp_path / 'there').as_uri()}\n"
    )
    standard = """
        [[packages]]
        name = "copied"
        version = "1.0"
        marker = "os_name != 'nt'"
        [[packages]]
        name = "copied"
        marker = "os_name == 'nt'"
        directory = { path = "../copied" }
        [[packages]]
        name = "linked"
        directory = { path = "../linked", editable = true }
        [[packages]]
        name = "there"
        directory = { path = "../there" }
    """
    assert with_absolute_urls(text, standard, tmp_path / "scratch").splitlines() == [
        "copied==1.0 ; os_name != 'nt' \\",
        "    --hash=sha256:00",
        f"there @ {(tmp_path / 'there').as_uri()}",
        f"copied @ {(tmp_path / 'copied').as_uri()} ; os_name == 'nt'",
        f"-e {(tmp_path / 'linked').as_uri()}",
    ]


@pytest.mark.slow
def test_a_lock_keeps_the_commit_of_a_source(project: ProjectFolder, wheelhouse: Path, tmp_path: Path) -> None:
    repository = ProjectFolder(tmp_path / "repository")
    repository.make_package("alpha", "99.0")

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=repository.path, check=True)

    def locked() -> list[str]:
        project.setlist_inside("lock", check=True)
        lines = (project.path / "sessions/locks/lint.txt").read_text().splitlines()
        return [line for line in lines if line.startswith("alpha @ git+")]

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    sources = f'[tool.uv.sources]\nalpha = {{ git = "{repository.path.as_uri()}" }}\n'
    project.sessions(sources + '[tool.setlist.session.lint]\ndeps = ["alpha"]\nrun = ["python -V"]\n')
    first = locked()
    git("commit", "-qm", "second", "--allow-empty")
    project.sessions(sources + '[tool.setlist.session.lint]\ndeps = ["alpha", "delta"]\nrun = ["python -V"]\n')
    assert locked() == first
    assert len(first) == 1


@pytest.mark.slow
def test_what_is_written_for_uv_is_removed(world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path) -> None:
    url = index(tmp_path / "private", "delta", "0.5")
    project.write(
        "pyproject.toml",
        f"[tool.uv.sources]\ndelta = {{ index = 'private' }}\n[[tool.uv.index]]\nname = 'private'\nurl = '{url}'\n",
    )
    world.run(deps=("delta",))
    assert [path.name for path in world.project.state.glob(".scratch*")] == []
