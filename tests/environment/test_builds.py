"""A wheel or sdist is built once, shared, and rebuilt when the sources change."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import BuildFailed
from setlist.engine import source_tree
from support.environments import EnvironmentWorld
from support.project import ProjectFolder

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("mode", "hook"), [("wheel", "build_wheel"), ("sdist", "build_sdist")])
def test_sessions_of_one_run_share_one_build(project: ProjectFolder, wheelhouse: Path, mode: str, hook: str) -> None:
    project.make_package(dependencies=["delta"])
    world = EnvironmentWorld(project.path)
    environments = world.environments()
    for name in ("one", "two"):
        with environments.prepared(world.session(name, project=mode)):
            pass
    assert project.builds().count(hook) == 1
    assert project.installed("one") == project.installed("two") == {"delta": "2.0", "demo": "1.0"}


def test_later_runs_take_the_build_that_is_there(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    world = EnvironmentWorld(project.path)
    world.run("one", project="wheel")
    world.run("two", project="wheel")
    assert world.run("one", project="wheel").action == "reused"
    assert project.builds().count("build_wheel") == 1


def test_changed_sources_are_built_again_and_installed(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(dependencies=["delta"])
    world = EnvironmentWorld(project.path)
    world.run(project="wheel")
    project.write("src/demo/__init__.py", "__version__ = 'changed'\n")
    environment = world.run(project="wheel")
    assert environment.action == "synced"
    assert environment.reasons == ("project sources changed",)
    assert [str(change) for change in environment.changes] == ["~ demo 1.0 (reinstalled)"]
    installed = next(project.environment("lint").glob("lib/*/site-packages/demo/__init__.py"))
    assert "changed" in installed.read_text()


def test_touched_sources_are_not(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    world = EnvironmentWorld(project.path)
    world.run(project="wheel")
    (project.path / "src/demo/__init__.py").touch()
    project.write("dist/left-over.txt", "no source")
    project.write("src/demo/__pycache__/x.pyc", "no source")
    assert world.run(project="wheel").action == "reused"
    assert project.builds().count("build_wheel") == 1


@pytest.mark.parametrize("platform", [False, True])
def test_a_pure_wheel_serves_all_interpreters_and_another_only_its_own(
    project: ProjectFolder, wheelhouse: Path, platform: bool
) -> None:
    project.make_package(platform=platform)
    world = EnvironmentWorld(project.path)
    environments = world.environments()
    from setlist.core.errors import InterpreterNotFound

    try:
        for request in ("3.11", "3.12"):
            with environments.prepared(world.session(f"py{request}", python=request, project="wheel")):
                pass
    except InterpreterNotFound:
        pytest.skip("needs Python 3.11 and 3.12")
    assert project.builds().count("build_wheel") == (2 if platform else 1)


def test_a_failing_build_shows_its_words_and_leaves_the_old_environment(
    project: ProjectFolder, wheelhouse: Path
) -> None:
    project.make_package()
    world = EnvironmentWorld(project.path)
    world.run(project="wheel")
    project.make_package(fail="build_wheel")
    with pytest.raises(BuildFailed) as failure:
        world.run(project="wheel")
    assert "build_wheel" in (failure.value.detail or "")
    project.make_package()
    assert world.run(project="wheel").action == "reused"
    assert not list(project.path.glob(f"{STATE_DIRECTORY}/builds/*/.wheel*"))


def test_a_lost_build_is_made_again(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    world = EnvironmentWorld(project.path)
    world.run(project="wheel")
    shutil.rmtree(project.path / STATE_DIRECTORY / "builds")
    world.run(project="wheel", recreate=True)
    assert project.builds().count("build_wheel") == 2


def test_old_builds_are_cleared_away(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    world = EnvironmentWorld(project.path)
    for number in range(6):
        project.write("src/demo/__init__.py", f"__version__ = '{number}'\n")
        world.run(project="wheel")
    assert len(list((project.path / STATE_DIRECTORY / "builds").iterdir())) == 4


def test_sources_are_told_by_content_name_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "pkg" / "build" / "mod.py"
    file.parent.mkdir(parents=True)
    file.write_text("a")
    seen = {source_tree.digest_sources(tmp_path)}
    file.write_text("b")
    seen.add(source_tree.digest_sources(tmp_path))
    file.chmod(0o755)
    seen.add(source_tree.digest_sources(tmp_path))
    file.rename(file.with_name("other.py"))
    seen.add(source_tree.digest_sources(tmp_path))
    assert len(seen) == 4  # 'build' is only ignored at the top: deeper down it may be a package


def test_what_no_build_reads_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("")
    before = source_tree.sign_sources(tmp_path)[0], source_tree.digest_sources(tmp_path)
    for name in (".git/x", "dist/x", "__pycache__/x", "x.egg-info/x", "env/pyvenv.cfg", ".coverage.x", ".setlist/x"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert (source_tree.sign_sources(tmp_path)[0], source_tree.digest_sources(tmp_path)) == before


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a repository that ignores what is called 'ignored', wherever that is said."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "repository"
    rules = '[build-system]\nrequires = ["setuptools"]\n[tool.pytest.ini_options]\naddopts = "ignored.xml"\n'
    for name, text in {
        "pyproject.toml": rules,
        "src/pkg/__init__.py": "",
        "tests/test_it.py": "",
        "data/known.json": "",
        ".gitignore": "ignored.*\nignored/\n",
        "tests/.gitignore": "nested.*\n",
        ".git/info/exclude": "excluded.*\n",
        "../config/git/ignore": "anywhere.*\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    (root / ".git/info/exclude").write_text("excluded.*\n")
    return root


def counts(root: Path, name: str) -> bool:
    """Whether a file of this name is one of the sources."""
    environ = dict(os.environ)
    before = source_tree.digest_sources(root, environ)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("x")
    return source_tree.digest_sources(root, environ) != before


@pytest.mark.parametrize(
    "name",
    ["ignored.xml", "ignored/report.xml", "tests/nested.log", "docs/ignored.html", "excluded.xml", "anywhere.xml"],
)
def test_what_git_ignores_and_no_build_reads_is_no_source(repository: Path, name: str) -> None:
    assert not counts(repository, name)


@pytest.mark.parametrize(
    "name",
    [
        "report.xml",  # isn't ignored
        "nested.log",  # is elsewhere
        "src/pkg/ignored.json",  # part of a package
        "data/ignored.json",
        "ignored.py",
        "ignored/module.py",
    ],
)
def test_what_a_build_may_read_is_a_source(repository: Path, name: str) -> None:
    assert counts(repository, name)


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("MANIFEST.in", "include ignored.xml\n"),
        ("MANIFEST.in", "global-include *.xml\n"),
        ("MANIFEST.in", "graft .\n"),
        ("setup.py", "setup(data_files=['ignored.xml'])\n"),
        ("pyproject.toml", '[build-system]\nrequires = ["setuptools"]\n[tool.setuptools]\ndata-files.x = ["*.xml"]\n'),
    ],
)
def test_ignored_file_that_a_build_is_told_of_is_a_source(repository: Path, file: str, rule: str) -> None:
    (repository / file).write_text(rule)
    assert counts(repository, "ignored.xml")


@pytest.mark.parametrize(
    ("file", "rule", "name"),
    [
        ("MANIFEST.in", "exclude *.xml\n", "ignored.xml"),
        ("MANIFEST.in", "prune ignored\n", "ignored/report.xml"),
        ("MANIFEST.in", "recursive-include tests *.txt\n", "docs/out/index.html"),
        ("pyproject.toml", '[build-system]\nbuild-backend = "setuptools.build_meta"\n', "docs/build/index.html"),
    ],
)
def test_ignored_file_that_rules_leave_out_or_do_not_name_is_no_source(
    repository: Path, file: str, rule: str, name: str
) -> None:
    with open(repository / ".gitignore", "a", encoding="utf-8") as stream:
        stream.write("docs/out/\ndocs/build/\n")
    (repository / "docs").mkdir()
    (repository / "docs" / "conf.py").write_text("")
    git(repository, "add", "-A")
    (repository / file).write_text(rule)
    assert not counts(repository, name)


def test_ignored_file_that_is_tracked_is_a_source(repository: Path) -> None:
    (repository / "ignored.xml").write_text("")
    git(repository, "add", "-f", "ignored.xml")
    assert counts(repository, "ignored.xml")


def test_project_that_another_repository_ignores_is_all_sources(repository: Path) -> None:
    inner = repository / "ignored" / "project"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("")
    assert counts(inner, "module.py")
    assert counts(inner, "data.json")


def test_variables_of_a_hook_don_t_lead_to_another_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert not counts(repository, "ignored.xml")


def test_report_that_git_ignores_is_no_reason_to_build(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    project.write(".gitignore", "report.xml\n")
    git(project.path, "init", "-q")
    world = EnvironmentWorld(project.path)
    world.run(project="wheel")
    project.write("report.xml", "no source")
    assert world.run(project="wheel").action == "reused"
    project.write("src/demo/data.json", "a source")
    assert world.run(project="wheel").action == "synced"


def test_an_sdist_is_built_from_the_sources_and_nothing_else(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(dependencies=["delta"])
    project.write(".git/HEAD", "ref: refs/heads/main\n")
    world = EnvironmentWorld(project.path)
    world.run("other", deps=("delta",))  # an environment lies in .setlist/ by now
    world.run(project="sdist")
    import tarfile

    with tarfile.open(next(project.path.glob(f"{STATE_DIRECTORY}/builds/*/sdist/*.tar.gz"))) as archive:
        names = archive.getnames()
    assert any(name.endswith("src/demo/__init__.py") for name in names)
    assert not any(".setlist" in name for name in names)


def test_a_copy_of_the_sources_has_the_repository_and_no_caches(tmp_path: Path) -> None:
    for name in (
        "src/mod.py",
        ".git/HEAD",
        f"{STATE_DIRECTORY}/envs/x",
        "dist/x",
        "src/__pycache__/x.pyc",
        ".gitignore",
    ):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    source_tree.copy_sources(tmp_path / "root", tmp_path / "copy", dict(os.environ))
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"src", ".git", ".gitignore"}
    assert (tmp_path / "copy" / ".git" / "HEAD").read_text() == "x"
    assert not (tmp_path / "copy" / "src" / "__pycache__").exists()
