"""Whatever an environment was made from is edited between two runs: it is never what it was."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import ProjectFolder
from support.variants import sampled
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

PRINTS = "run = [\"python -c 'import {0}; print({0}.__version__)'\"]"

Edit = Callable[[], object]


def folder(project: ProjectFolder, name: str) -> ProjectFolder:
    """A folder beside what the project itself is made of, to make a package in."""
    return ProjectFolder(project.path / name)


def edit_in_place(path: Path, text: str) -> None:
    """An edit that leaves size, modification time and inode as they were."""
    before = path.stat()
    assert len(text) == before.st_size
    with open(path, "r+", encoding="utf-8") as stream:
        stream.write(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino


def reused(project: ProjectFolder, *argv: str) -> bool:
    return " · reused" in project.run(*(argv or ("s",)), check=True).err


def seen(project: ProjectFolder, edit: Edit) -> str:
    """What the session prints after an edit. It was reused before, and is reused afterwards."""
    project.run("s", check=True)
    assert reused(project), "nothing has changed yet"
    edit()
    result = project.run("s", check=True)
    assert reused(project), "and nothing has changed since"
    explained = project.setlist("why", "s", check=True)
    assert "nothing changed" in explained.out
    return result.out.strip()


# --- local projects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    sampled(['requirements = ["r.txt"]', 'deps = ["foo"]', 'deps = ["./libs/foo"]', 'deps = ["foo @ {uri}"]'], 2),
    ids=["file", "uv's source", "path", "url"],
)
def test_a_module_of_a_local_library(project: ProjectFolder, spec: str) -> None:
    library = folder(project, "libs/foo")
    library.make_package("foo")
    spec = spec.format(uri=library.path.as_uri())
    sources = '[tool.uv.sources]\nfoo = { path = "libs/foo" }\n' if spec == 'deps = ["foo"]' else ""
    project.write("r.txt", "./libs/foo\n")
    project.write("pyproject.toml", f"{sources}[tool.setlist.session.s]\n{spec}\n{PRINTS.format('foo')}\n")
    assert seen(project, lambda: library.write("src/foo/__init__.py", "__version__ = 'new'\n")) == "new"


def test_a_module_of_a_local_library_of_the_same_size_and_time(project: ProjectFolder) -> None:
    library = folder(project, "libs/foo")
    library.make_package("foo")
    file = library.write("src/foo/__init__.py", "__version__ = 'old'\n")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["./libs/foo"]\n{PRINTS.format("foo")}\n')
    assert seen(project, lambda: edit_in_place(file, "__version__ = 'new'\n")) == "new"


def test_what_a_local_library_takes_from_beside_it(project: ProjectFolder) -> None:
    library, other = folder(project, "libs/foo"), folder(project, "libs/other")
    other.make_package("other")
    file = library.make_package("foo", dependencies=["other"])
    with open(file, "a") as stream:
        stream.write('[tool.uv.sources]\nother = { path = "../other" }\n')
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["./libs/foo"]\n{PRINTS.format("other")}\n')
    assert seen(project, lambda: other.write("src/other/__init__.py", "__version__ = 'new'\n")) == "new"


@pytest.mark.parametrize("mode", sampled(["editable", "wheel", "sdist"], 2))
def test_requirements_that_a_backend_reads_from_a_file(project: ProjectFolder, wheelhouse: Path, mode: str) -> None:
    project.make_package(
        dependencies=["delta==1.0"],
        dynamic=True,
        sessions=f'[tool.setlist.session.s]\nproject = "{mode}"\n{PRINTS.format("delta")}\n',
    )
    assert seen(project, lambda: project.write("dependencies.txt", "delta==2.0\n")) == "2.0"
    edit_in_place(project.path / "dependencies.txt", "delta==1.0\n")
    assert project.run("-r", "s", check=True).out.strip() == "1.0", "made anew, it asks no cache"


def test_requirements_that_the_backend_of_a_library_reads_from_a_file(project: ProjectFolder, wheelhouse: Path) -> None:
    library = folder(project, "libs/foo")
    library.make_package("foo", dependencies=["delta==1.0"], dynamic=True)
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["-e ./libs/foo"]\n{PRINTS.format("delta")}\n')
    assert seen(project, lambda: library.write("dependencies.txt", "delta==2.0\n")) == "2.0"


def test_a_module_of_an_editable_project_whose_description_is_not_computed_is_no_input(
    project: ProjectFolder,
) -> None:
    project.make_package(sessions='[tool.setlist.session.s]\nproject = "editable"\nrun = ["python -c pass"]\n')
    project.run("s", check=True)
    project.write("src/demo/__init__.py", "__version__ = 'edited'\n")
    assert reused(project)


# --- files that settings and files name ------------------------------------------------------------------------


def test_uv_toml_above_the_project(project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["delta"]\n{PRINTS.format("delta")}\n')
    above = project.path.parent / "uv.toml"
    assert seen(project, lambda: above.write_text('constraint-dependencies = ["delta==1.0"]\n')) == "1.0"


def test_uv_toml_in_one_of_the_directories_of_xdg(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["delta"]\n{PRINTS.format("delta")}\n')
    (tmp_path / "two" / "uv").mkdir(parents=True)
    file = tmp_path / "two" / "uv" / "uv.toml"
    assert seen(project, lambda: file.write_text('constraint-dependencies = ["delta==1.0"]\n')) == "1.0"


@pytest.mark.parametrize(
    ("installer", "variable", "place", "text"),
    sampled(
        [
            ("uv", "UV_CONFIG_FILE", "own.toml", 'constraint-dependencies = ["delta==1.0"]'),
            ("pip", "PIP_CONFIG_FILE", "pip.conf", "[install]\nconstraint = {directory}/c.txt"),
            ("uv", "XDG_CONFIG_HOME", "uv/uv.toml", 'constraint-dependencies = ["delta==1.0"]'),
            ("uv", "HOME", ".config/uv/uv.toml", 'constraint-dependencies = ["delta==1.0"]'),
            ("pip", "HOME", ".config/pip/pip.conf", "[install]\nconstraint = {directory}/c.txt"),
        ],
        2,
    ),
)
def test_a_variable_that_says_where_settings_lie(
    project: ProjectFolder,
    wheelhouse: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installer: str,
    variable: str,
    place: str,
    text: str,
) -> None:
    for name in ("UV_NO_CONFIG", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name)
    directory = tmp_path / "settings"
    file = ProjectFolder(directory).write(place, text.format(directory=directory) + "\n")
    (directory / "c.txt").write_text("delta==1.0\n")
    project.write(
        "pyproject.toml",
        f'[tool.setlist.session.s]\ninstaller = "{installer}"\ndeps = ["delta"]\n{PRINTS.format("delta")}\n',
    )
    value = file if variable.endswith("_FILE") else directory
    assert seen(project, lambda: monkeypatch.setenv(variable, str(value))) == "1.0"


@pytest.mark.parametrize(
    ("installer", "variable", "edited"),
    sampled(
        [
            ("uv", "UV_CONSTRAINT", "included.txt"),
            ("pip", "PIP_CONSTRAINT", "included.txt"),
            ("uv", "UV_CONSTRAINT", "c.txt"),
            ("pip", "PIP_CONSTRAINT", "c.txt"),
            ("uv", "UV_OVERRIDE", "c.txt"),
        ],
        2,
    ),
)
def test_the_file_that_a_variable_names(
    project: ProjectFolder,
    wheelhouse: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installer: str,
    variable: str,
    edited: str,
) -> None:
    (tmp_path / "c.txt").write_text("delta==1.0\n" if edited == "c.txt" else "-c included.txt\n")
    (tmp_path / "included.txt").write_text("delta==1.0\n")
    monkeypatch.setenv(variable, str(tmp_path / "c.txt"))
    project.write(
        "pyproject.toml",
        f'[tool.setlist.session.s]\ninstaller = "{installer}"\ndeps = ["delta"]\n{PRINTS.format("delta")}\n',
    )
    assert seen(project, lambda: (tmp_path / edited).write_text("delta==1.1\n")) == "1.1"


def test_a_directory_of_wheels_that_a_variable_names(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "wheels", "thing", "1.0")
    newer = make_wheel(tmp_path / "wheels", "thing", "1.1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    project.write("pyproject.toml", '[tool.setlist.session.s]\ndeps = ["thing"]\nrun = ["python -c pass"]\n')
    seen(project, newer.unlink)
    assert project.installed("s") == {"thing": "1.0"}


@pytest.mark.parametrize("written", ["-r ${WHERE}/x.txt", "-r file://{where}/x.txt", "-r {where}/x.txt"])
def test_every_form_of_an_include(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("WHERE", str(tmp_path))
    (tmp_path / "x.txt").write_text("delta==1.0\n")
    project.write("r.txt", written.replace("{where}", str(tmp_path)) + "\n")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\nrequirements = ["r.txt"]\n{PRINTS.format("delta")}\n')
    assert seen(project, lambda: (tmp_path / "x.txt").write_text("delta==1.1\n")) == "1.1"


@pytest.mark.parametrize("edited", ["pyproject.toml", "r.txt"])
def test_an_edit_of_the_same_size_and_time(project: ProjectFolder, wheelhouse: Path, edited: str) -> None:
    project.write("r.txt", "delta==1.0\n")
    spec = 'deps = ["delta==1.0"]' if edited == "pyproject.toml" else 'requirements = ["r.txt"]'
    project.write("pyproject.toml", f"[tool.setlist.session.s]\n{spec}\n{PRINTS.format('delta')}\n")
    file = project.path / edited
    assert seen(project, lambda: edit_in_place(file, file.read_text().replace("1.0", "1.1"))) == "1.1"


def test_another_login_changes_nothing(
    project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.s]\ndeps = ["delta"]\nrun = ["python -c pass"]\n')
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "one")
    project.run("s", check=True)
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "two")
    assert reused(project)


# --- what is installed -------------------------------------------------------------------------------------------


def installed_file(project: ProjectFolder, name: str) -> Path:
    (found,) = project.environment("s").glob(f"lib/*/site-packages/{name}")
    return found


@pytest.fixture
def deep(project: ProjectFolder) -> ProjectFolder:
    """A session with a package that has a module at its top and one in a subpackage."""
    library = folder(project, "libs/foo")
    library.make_package("foo")
    library.write("src/foo/top.py", "")
    library.write("src/foo/sub/__init__.py", "")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["./libs/foo"]\n{PRINTS.format("foo")}\n')
    project.run("s", check=True)
    assert reused(project)
    return project


@pytest.mark.parametrize("name", sampled(["foo/sub/__init__.py", "foo/top.py", "foo/__init__.py"], 2))
def test_a_module_that_is_deleted_is_installed_again(deep: ProjectFolder, name: str) -> None:
    file = installed_file(deep, name)
    file.unlink()
    result = deep.run("s", check=True)
    assert "synced (changed by hand: foo): ~ foo 1.0 (reinstalled)" in result.err
    assert file.exists()
    assert reused(deep)


def test_a_module_that_is_edited_is_installed_again(deep: ProjectFolder) -> None:
    file = installed_file(deep, "foo/__init__.py")
    text = file.read_text()
    file.unlink()  # it may be a link into uv's cache
    file.write_text("__version__ = 'mine'\n")
    assert deep.run("s", check=True).out.strip() == "1.0"
    assert file.read_text() == text
    assert reused(deep)


def test_a_file_that_a_tool_leaves_in_a_package_is_no_change(deep: ProjectFolder) -> None:
    installed_file(deep, "foo").joinpath("cache.dat").write_text("x")
    assert reused(deep)
    assert reused(deep)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of uv's that the other tests don't share."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("SETLIST_CACHE_DIR", str(tmp_path / "setlist"))
    return tmp_path / "uv"


def test_an_edit_through_a_hard_link_is_undone_in_each_environment(
    project: ProjectFolder, wheelhouse: Path, own_cache: Path
) -> None:
    both = "".join(f'[tool.setlist.session.{name}]\ndeps = ["delta"]\n{PRINTS.format("delta")}\n' for name in "st")
    project.write("pyproject.toml", both)
    project.run("s", "t", check=True)
    file = installed_file(project, "delta.py")
    linked = file.stat().st_nlink > 1  # the rule on Linux, if one file system holds both
    with open(file, "a") as stream:
        stream.write("\n__version__ = 'mine'\n")
    for name in "st":
        result = project.run(name, check=True)
        assert result.out.strip() == "2.0"
        assert ("changed by hand: delta" in result.err) == (linked or name == "s")
    shutil.rmtree(project.environment("s"))
    assert project.run("s", check=True).out.strip() == "2.0", "the cache is sound again as well"


def test_with_copies_an_edit_stays_where_it_was_made(project: ProjectFolder, wheelhouse: Path, own_cache: Path) -> None:
    both = "".join(
        f'[tool.setlist.session.{name}]\ndeps = ["delta"]\nlink-mode = "copy"\n{PRINTS.format("delta")}\n'
        for name in "st"
    )
    project.write("pyproject.toml", both)
    project.run("s", "t", check=True)
    file = installed_file(project, "delta.py")
    assert file.stat().st_nlink == 1
    with open(file, "a") as stream:
        stream.write("\n__version__ = 'mine'\n")
    assert project.run("t", check=True).out.strip() == "2.0"
    assert project.run("s", check=True).out.strip() == "2.0"


# --- real backends ---------------------------------------------------------------------------------------------


def _git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.invalid")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.mark.network
@pytest.mark.parametrize("mode", ["editable", "wheel"])
@pytest.mark.parametrize(
    ("plugin", "backend", "tool"),
    [
        ("hatch-vcs", "hatchling", 'hatch.version.source = "vcs"'),
        ("setuptools-scm", "setuptools", "setuptools_scm = {}"),
    ],
    ids=["hatch-vcs", "setuptools-scm"],
)
def test_a_new_tag(
    project: ProjectFolder, plugin: str, backend: str, tool: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {"hatchling": "hatchling.build", "setuptools": "setuptools.build_meta"}[backend]
    prints = 'import importlib.metadata as m; print(m.version(\\"demo\\"))'
    project.write(
        "pyproject.toml",
        f'[build-system]\nrequires = ["{plugin}", "{backend}"]\nbuild-backend = "{module}"\n[tool]\n{tool}\n'
        f'[project]\nname = "demo"\ndynamic = ["version"]\n'
        f'[tool.setlist.session.s]\nproject = "{mode}"\nrun = ["python -c \'{prints}\'"]\n',
    )
    project.write("src/demo/__init__.py", "")
    project.write(".gitignore", ".setlist\n*.egg-info\n")
    _git(project.path, "init", "-q")
    _git(project.path, "add", ".")
    _git(project.path, "commit", "-qm", "first")
    _git(project.path, "tag", "v1.0")

    def release() -> None:
        _git(project.path, "commit", "-qm", "second", "--allow-empty")
        _git(project.path, "tag", "v2.0")

    assert seen(project, release) == "2.0"
    assert seen(project, lambda: _git(project.path, "pack-refs", "--all")) == "2.0"
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", "3.0")
    assert project.run("s", check=True).out.strip() == "3.0"


@pytest.mark.network
def test_a_file_that_setup_py_reads(project: ProjectFolder) -> None:
    project.write(
        "setup.py",
        "import os\nfrom setuptools import setup\nhere = os.path.dirname(os.path.abspath(__file__))\n"
        "required = open(os.path.join(here, 'data', 'required.txt')).read().split()\n"
        "setup(name='demo', version='1', py_modules=['demo'], install_requires=required)\n",
    )
    project.write("demo.py", "")
    project.write("data/required.txt", "six==1.16.0\n")
    project.write("pyproject.toml", f'[tool.setlist.session.s]\nproject = "editable"\n{PRINTS.format("six")}\n')
    assert seen(project, lambda: project.write("data/required.txt", "six==1.15.0\n")) == "1.15.0"


@pytest.mark.network
def test_a_module_that_setuptools_has_built_before_is_not_in_the_next_wheel(project: ProjectFolder) -> None:
    library = folder(project, "libs/foo")
    library.write(
        "pyproject.toml",
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "foo"\nversion = "1"\n',
    )
    library.write("src/foo/__init__.py", "")
    gone = library.write("src/foo/gone.py", "")
    finds = 'import importlib.util as u; print(u.find_spec(\\"foo.gone\\") is not None)'
    project.write(
        "pyproject.toml", f'[tool.setlist.session.s]\ndeps = ["./libs/foo"]\nrun = ["python -c \'{finds}\'"]\n'
    )
    assert seen(project, gone.unlink) == "False"


def test_a_python_that_was_replaced_is_put_right(project: ProjectFolder, tmp_path: Path) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.s]\nrun = ["python -c pass"]\n')
    project.run("s", check=True)
    python = project.environment("s") / "bin" / "python"
    leads_to = os.readlink(python)
    (tmp_path / "python").symlink_to(os.path.realpath(python))
    python.unlink()
    python.symlink_to(tmp_path / "python")
    assert "repaired (files changed by hand: bin/python)" in project.run("s", check=True).err
    assert os.readlink(python) == leads_to
    assert reused(project)
