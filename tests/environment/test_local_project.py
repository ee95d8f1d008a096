"""What the metadata and the builds of a local project depend on: each is looked at, and nothing else is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from setlist.engine.world import KIND, World
from setlist.environment.local_project import look_at_build, look_at_metadata, read_project

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
STATIC = '[project]\nname = "demo"\nversion = "1"\n'
VERSION = '[project]\nname = "demo"\ndynamic = ["version"]\n'
REQUIRES = '[project]\nname = "demo"\nversion = "1"\ndynamic = ["dependencies", "classifiers"]\n'
SCM = SETUPTOOLS.replace('"setuptools"', '"setuptools", "setuptools-scm>=8"', 1)
VCS = HATCHLING.replace('"hatchling"', '"hatchling", "hatch-vcs"', 1)

Look = Callable[..., str]


def project(root: Path, pyproject: str | None, **files: str) -> Path:
    root.mkdir(exist_ok=True)
    if pyproject is not None:
        (root / "pyproject.toml").write_text(pyproject)
    for name, text in {"src/demo.py": "", "README.md": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def seen(root: Path, look: Look = look_at_metadata, environ: Mapping[str, str] | None = None) -> tuple[str, set[str]]:
    """What was seen, as a digest, and the names of all that was looked at."""
    world = World(str(root), environ or {})
    content = look(world, root, read_project(root))
    return content, {name for kind, name, *_ in world.trace if kind != KIND}


WHOLE = "."
STANDARD = {"pyproject.toml", "setup.py", "setup.cfg", "PKG-INFO"}


def test_setuptools_has_options_in_the_users_home(tmp_path: Path) -> None:
    root = project(tmp_path / "demo", SETUPTOOLS + STATIC)
    home = {"HOME": str(tmp_path)}
    before, names = seen(root, look_at_build, home)
    assert str(tmp_path / ".pydistutils.cfg") in names
    (tmp_path / ".pydistutils.cfg").write_text("[build_ext]\n")
    assert seen(root, look_at_build, home)[0] != before


@pytest.mark.parametrize(
    ("pyproject", "files", "expected"),
    [
        (SETUPTOOLS + STATIC, {}, set()),
        (SETUPTOOLS + STATIC, {"setup.py": ""}, set()),
        (SETUPTOOLS + VERSION, {}, {WHOLE}),
        (SETUPTOOLS + VERSION + '[tool.setuptools.dynamic]\nversion = {file = "VERSION"}\n', {}, {"VERSION"}),
        (SETUPTOOLS + VERSION + '[tool.setuptools.dynamic]\nversion = {attr = "demo.v"}\n', {}, {WHOLE}),
        (SETUPTOOLS + REQUIRES + "[tool.setuptools.dynamic]\ndependencies = {file = ['a', 'b']}\n", {}, {"a", "b"}),
        (
            SETUPTOOLS + REQUIRES + "[tool.setuptools.dynamic]\ndependencies = {file = ['a', 'b']}\n",
            {"setup.py": ""},
            {WHOLE},
        ),
        (
            SETUPTOOLS
            + '[project]\nname = "demo"\nversion = "1"\ndynamic = ["optional-dependencies"]\n'
            + "[tool.setuptools.dynamic.optional-dependencies]\none = {file = ['a']}\ntwo = {file = 'b'}\n",
            {},
            {"a", "b"},
        ),
        (HATCHLING + VERSION + '[tool.hatch.version]\npath = "src/demo.py"\n', {}, {"src/demo.py"}),
        (HATCHLING + VERSION + '[tool.hatch.version]\nsource = "code"\npath = "src/demo.py"\n', {}, {WHOLE}),
        (
            HATCHLING + VERSION + '[tool.hatch.version]\npath = "src/demo.py"\n[tool.hatch.metadata.hooks.custom]\n',
            {},
            {WHOLE},
        ),
        (None, {"setup.py": "setup()"}, {WHOLE}),
        (SETUPTOOLS, {"setup.cfg": "[metadata]"}, {WHOLE}),
        (
            '[build-system]\nrequires = []\nbuild-backend = "own.api"\nbackend-path = ["tools"]\n' + STATIC,
            {},
            {"tools/own.py", "tools/own"},
        ),
        (HATCHLING + VERSION + '[tool.uv]\ncache-keys = ["one.txt", {file = "two.txt"}]\n', {}, {"one.txt", "two.txt"}),
        (HATCHLING + VERSION + '[tool.uv]\ncache-keys = [{file = "data/*.txt"}]\n', {}, {WHOLE}),
        (HATCHLING + VERSION + '[tool.uv]\ncache-keys = [{env = "NAME"}, {dir = "src"}, 3]\n', {}, {"NAME"}),
    ],
)
def test_metadata(tmp_path: Path, pyproject: str | None, files: dict[str, str], expected: set[str]) -> None:
    _, names = seen(project(tmp_path, pyproject, **files))
    assert names == STANDARD | expected


def test_a_directory_that_appears_counts_by_uvs_keys(tmp_path: Path) -> None:
    root = project(tmp_path, HATCHLING + VERSION + '[tool.uv]\ncache-keys = [{dir = "more"}]\n')
    before, _ = seen(root)
    (root / "more").mkdir()
    assert seen(root)[0] != before


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.invalid")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "commit", "-qm", "more", "--allow-empty")


@pytest.fixture(params=["main", "detached", "worktree", "below"])
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A project under version control, and where git is to be called."""
    top = tmp_path / "repository"
    top.mkdir()
    root = top / "sub" if request.param == "below" else top
    root.mkdir(exist_ok=True)
    project(root, SCM + VERSION)
    git(top, "init", "-q", "-b", "main")
    git(top, "add", ".")
    commit(top)
    if request.param == "detached":
        git(top, "checkout", "-q", "--detach")
    if request.param == "worktree":
        git(top, "worktree", "add", "-q", str(tmp_path / "other"))
        return tmp_path / "other", tmp_path / "other"
    return root, top


CHANGES: dict[str, Callable[[Path], object]] = {
    "commit": commit,
    "tag": lambda top: git(top, "tag", "v1"),
    "tag in a folder": lambda top: git(top, "tag", "release/v1"),
    "annotated tag": lambda top: git(top, "tag", "-m", "one", "v1"),
}


@pytest.mark.parametrize("look", [look_at_metadata, look_at_build])
@pytest.mark.parametrize("change", CHANGES)
def test_a_commit_and_a_tag_are_seen(repository: tuple[Path, Path], change: str, look: Look) -> None:
    root, top = repository
    before, _ = seen(root, look)
    CHANGES[change](top)
    after, _ = seen(root, look)
    assert after != before
    git(top, "pack-refs", "--all")
    assert seen(root, look)[0] == after, "packed, it is the same"


@pytest.mark.parametrize(
    ("pyproject", "expected"),
    [
        (VCS + VERSION + '[tool.hatch.version]\nsource = "vcs"\n', True),
        (SCM + VERSION, True),
        (SETUPTOOLS + VERSION, False),
        (SCM + STATIC, False),
        ('[build-system]\nrequires = ["pdm-backend"]\n' + VERSION + '[tool.pdm.version]\nsource = "scm"\n', True),
    ],
)
def test_only_what_takes_its_version_from_git_is_asked_for_it(tmp_path: Path, pyproject: str, expected: bool) -> None:
    root = project(tmp_path, pyproject)
    git(root, "init", "-q")
    git(root, "add", ".")
    commit(root)
    _, names = seen(root)
    assert (".git/HEAD" in names) == expected
    assert ("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DEMO" in names) == expected


@pytest.mark.parametrize("name", ["SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DEMO"])
def test_a_version_from_outside_is_seen(tmp_path: Path, name: str) -> None:
    root = project(tmp_path, SCM + VERSION)
    assert len({seen(root, environ=environ)[0] for environ in ({}, {name: "1.0"}, {name: "2.0"})}) == 3


@pytest.mark.parametrize("damage", ["", "gitdir: nowhere\n", "\xff"])
def test_a_damaged_repository_is_none(tmp_path: Path, damage: str) -> None:
    root = project(tmp_path, SCM + VERSION)
    (root / ".git").write_text(damage, encoding="latin-1")
    assert seen(root)


@pytest.mark.parametrize(
    "data",
    [
        {"project": 1},
        {"project": {"dynamic": "version"}},
        {"build-system": []},
        {"build-system": {"requires": 1, "backend-path": "x"}, "project": {"name": 1}},
        {"tool": {"uv": {"cache-keys": "x"}}, "project": {}},
        {"tool": {"setuptools": {"dynamic": {"version": {"file": [1]}}}}, "project": {"dynamic": ["version"]}},
    ],
)
def test_what_a_backend_will_complain_of_is_no_error_of_ours(tmp_path: Path, data: dict[str, Any]) -> None:
    world = World(str(tmp_path), {})
    assert look_at_metadata(world, tmp_path, data)
    assert look_at_build(world, tmp_path, data)
