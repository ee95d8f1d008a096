"""How a run takes a lock: current, stale, missing; ``--locked`` and ``--no-lock``; hashes; the project itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from setlist.core.fingerprint import digest
from setlist.core.system import python_of
from support.index import LocalIndex
from support.project import ProjectFolder
from support.wheels import make_wheel

from .conftest import Starts, pinned

pytestmark = pytest.mark.slow


def deps(*lines: str) -> str:
    return f"[tool.setlist.session.lint]\ndeps = {list(lines)}\nrun = []\n"


def test_a_current_lock_is_installed_from_and_nothing_resolved(lint: ProjectFolder, starts: Starts) -> None:
    # what is resolved today would be 1.1
    lint.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    starts.all.clear()
    lint.run_inside("lint", check=True)
    assert lint.installed("lint") == {"alpha": "1.0", "beta": "2.0"}
    assert starts.resolvers == 0


def test_a_missing_lock_is_resolved_and_refused_only_when_asked_for(lint: ProjectFolder) -> None:
    (lint.path / "sessions/locks/lint.txt").unlink()
    refused = lint.run_inside("--locked", "lint")
    assert refused.code == 3
    assert "lint has no lock (sessions/locks/lint.txt)" in refused.err
    assert "'setlist lock lint' makes it" in refused.err
    assert not lint.environment("lint").exists()
    assert lint.run_inside("lint", env={"CI": "1"}).code == 0
    # and an environment that was made without one isn't good enough either
    assert lint.run_inside("--locked", "lint").code == 3


def test_a_stale_lock_warns_each_time_and_is_refused_in_ci(lint: ProjectFolder, starts: Starts) -> None:
    lint.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    lint.sessions(deps("alpha==1.*", "delta"))
    starts.all.clear()
    for resolved in (1, 0, 0):
        result = lint.run_inside("lint", check=True)
        warning = (
            "the lock of lint is out of date: deps changed; resolved anew for this run ('setlist lock lint' renews it)"
        )
        assert result.err.count(warning) == 1
        assert starts.resolvers == resolved
    # the versions of the lock are kept as far as they fit
    assert lint.installed("lint") == {"alpha": "1.0", "beta": "2.0", "delta": "2.0"}
    for options, environ in ((["--locked"], {}), ([], {"CI": "true"})):
        refused = lint.run_inside(*options, "lint", env=environ)
        assert refused.code == 3
        assert "the lock of lint is out of date: deps changed" in refused.err
        assert "'setlist lock lint' renews it" in refused.err
    lint.setlist_inside("lock", check=True)
    assert "out of date" not in lint.run_inside("lint", check=True).err
    assert lint.run_inside("--locked", "lint", env={"CI": "1"}).code == 0


def test_no_lock_looks_at_none(lint: ProjectFolder) -> None:
    lint.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    lint.write("sessions/locks/lint.txt", "rubbish\n")
    result = lint.run_inside("--no-lock", "lint", env={"CI": "1"}, check=True)
    assert "lock" not in result.err
    assert lint.installed("lint")["alpha"] == "1.1"


@pytest.mark.parametrize(
    "line",
    [
        "-r more.txt",
        "--editable=./evil",
        "./evil # --hash=sha256:00",
        "# more \\\n-r more.txt",
        "delta==2.0 \\\nalpha==1.0",
    ],
)
def test_no_reader_of_a_lock_takes_a_line_that_pins_nothing(lint: ProjectFolder, tmp_path: Path, line: str) -> None:
    lint.write("pyproject.toml", lint.read("pyproject.toml") + "\n[tool.setlist]\nrequire-hashes = true\n")
    lint.write("more.txt", "delta\n")
    lint.setlist_inside("lock", check=True)
    path = lint.path / "sessions/locks/lint.txt"
    header, _, body = path.read_text().partition("\n\n")
    changed = f"{body}{line}\n"
    path.write_text(f"{header.replace(digest(body), digest(changed))}\n\n{changed}")
    number = header.count("\n") + 3 + body.count("\n")
    for result in (
        lint.run_inside("--locked", "lint"),
        lint.setlist_inside("lock", "--check"),
        lint.setlist_inside("export", "--format", "requirements", "lint"),
        lint.setlist_inside("fetch", "--to", str(tmp_path / "wheels"), "lint"),
    ):
        assert result.code == 3, result.err
        assert re.search(rf"sessions/locks/lint.txt:{number}\b|lint.txt:{number + 1}\b", result.err), result.err
    assert not lint.environment("lint").exists()


def test_one_session_with_a_bad_lock_leaves_the_others_be(lint: ProjectFolder) -> None:
    lint.sessions(deps("alpha==1.*") + '[tool.setlist.session.other]\ndeps = ["delta"]\nrun = []\n')
    result = lint.run_inside("--locked", "lint", "other")
    assert result.code == 3
    assert lint.installed("lint")["alpha"] == "1.1"
    assert not lint.environment("other").exists()


def test_why_shows_the_lock_as_an_input(lint: ProjectFolder) -> None:
    lint.run_inside("lint", check=True)
    assert "  same     lock" in lint.setlist_inside("why", "lint", check=True).out
    lint.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    assert "  changed  lock" in lint.setlist_inside("why", "lint", check=True).out
    result = lint.run_inside("lint", check=True)
    assert "~ alpha 1.1 → 1.0" in result.err
    assert "lock changed" in result.err


def test_upgrade_stays_as_locked_and_says_so(lint: ProjectFolder) -> None:
    lint.setlist_inside("lock", "--upgrade-package", "alpha==1.0", check=True)
    result = lint.run_inside("--upgrade", "lint", check=True)
    assert "stays as locked: 'setlist lock --upgrade lint' moves a lock" in result.err
    assert lint.installed("lint")["alpha"] == "1.0"


def test_a_lock_for_all_platforms_installs_what_this_one_needs(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(
        deps("alpha ; sys_platform == 'plan9'", "delta ; sys_platform != 'plan9'").replace(
            "run", 'python = "3.11"\nrun'
        )
    )
    project.setlist_inside("lock", check=True)
    assert set(pinned(project, "lint")) == {"alpha", "beta", "delta"}
    if sys.version_info[:2] == (3, 11):
        project.run_inside("--locked", "lint", check=True)
        assert project.installed("lint") == {"delta": "2.0"}


def test_a_lock_can_be_for_named_platforms(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(
        '[tool.setlist]\nlock-platforms = ["linux", "macos"]\n'
        + deps("alpha ; sys_platform == 'win32'", "delta ; sys_platform != 'win32'")
    )
    project.setlist_inside("lock", check=True)
    assert set(pinned(project, "lint")) == {"delta"}
    assert "# platforms: linux, macos\n" in project.read("sessions/locks/lint.txt")


def test_an_index_that_a_requirements_file_names_is_asked_when_it_is_locked(
    project: ProjectFolder, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(make_wheel(tmp_path, "one", "1.0"))
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    project.write("reqs/a.txt", f"--index-url {index.url}\n--find-links wheels  # beside this file\none\ntwo\n")
    make_wheel(project.path / "reqs/wheels", "two", "1.0")
    project.sessions(
        '[tool.setlist.session.lint]\nrequirements = ["reqs/a.txt"]\nrun = ["python -c \'import one, two\'"]\n'
    )
    project.setlist_inside("lock", check=True)
    assert index.url not in project.read("sessions/locks/lint.txt")
    project.run_inside("--locked", "lint", check=True)


# The project under test


def test_the_projects_requirements_are_locked_and_the_project_isnt(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(
        "demo",
        dependencies=["alpha==1.*"],
        extras={"more": ["gamma[fast]"]},
        groups={"test": ["delta"]},
        sessions="".join(
            f'[tool.setlist.session.{mode}]\nproject = "{mode}"\nextras = ["more"]\ngroups = ["test"]\n'
            f"run = [\"python -c 'import demo'\"]\n"
            for mode in ("editable", "wheel", "sdist")
        ),
    )
    project.setlist_inside("lock", check=True)
    locked = {"alpha": "1.1", "beta": "2.0", "delta": "2.0", "gamma": "1.0"}
    for mode in ("editable", "wheel", "sdist"):
        assert pinned(project, mode) == locked
        project.run_inside("--locked", mode, check=True)
        assert project.installed(mode) == {**locked, "demo": "1.0"}


def test_in_the_standard_form_too(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(
        "demo",
        dependencies=["alpha==1.*"],
        sessions='[tool.setlist]\nlock-format = "pylock"\n'
        '[tool.setlist.session.lint]\nproject = "editable"\nrun = ["python -c \'import demo\'"]\n',
    )
    project.setlist_inside("lock", check=True)
    assert 'name = "demo"' not in project.read("sessions/locks/pylock.lint.toml")
    project.run_inside("--locked", "lint", check=True)
    assert project.installed("lint") == {"alpha": "1.1", "beta": "2.0", "demo": "1.0"}


def test_what_the_project_has_come_to_require_is_noticed(project: ProjectFolder, wheelhouse: Path) -> None:
    sessions = '[tool.setlist.session.lint]\nproject = "wheel"\nrun = ["python -c \'import demo\'"]\n'
    project.make_package("demo", dependencies=["alpha==1.*"], dynamic=True, sessions=sessions)
    project.setlist_inside("lock", check=True)
    project.run_inside("--locked", "lint", check=True)
    # the backend reads it from a file that it doesn't tell of
    project.write(
        "dependencies.txt", "alpha==1.*\nbeta<2\ndelta ; python_version >= '3'\ntool ; python_version < '3'\n"
    )
    result = project.run_inside("--locked", "lint")
    assert result.code == 3
    assert (
        "sessions/locks/lint.txt: the project requires beta<2, and there is beta 2.0; delta, and there is no delta"
        in result.err
    )
    assert "'setlist lock --upgrade-package demo lint' locks what it requires now" in result.err
    project.setlist_inside("lock", "--upgrade-package", "demo", "lint", check=True)
    project.run_inside("--locked", "lint", check=True)
    assert project.installed("lint") == {"alpha": "1.1", "beta": "1.0", "delta": "2.0", "demo": "1.0"}


# Hashes


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_wheel_that_isnt_what_was_locked_is_refused_and_the_old_environment_still_runs(
    project: ProjectFolder, index: LocalIndex, tmp_path: Path, installer: str, starts: Starts
) -> None:
    for name in ("one", "two", "three"):
        index.add(make_wheel(tmp_path, name, "1.0"))

    def sessions(*names: str) -> None:
        # with the project, whose own line can carry no hash
        project.make_package(
            "demo",
            sessions=f'[tool.setlist.session.lint]\ninstaller = "{installer}"\nproject = "editable"\n'
            f"deps = {list(names)}\nrun = [\"python -c 'import demo, one'\"]\n",
        )

    sessions("one", "three")
    project.setlist_inside("lock", check=True)
    starts.all.clear()
    project.run_inside("--locked", "lint", check=True)
    if installer == "pip":  # which takes a file only where every line has a hash, or none
        installs = [words for words in starts.all if "install" in words]
        assert ["--require-hashes" in words for words in installs] == [True, False]
        assert all("--no-deps" in words for words in installs)
    sessions("one", "two")
    project.setlist_inside("lock", check=True)
    right = index._files["two-1.0-py3-none-any.whl"].sha256
    index.add(make_wheel(tmp_path, "two", "1.0", modules={"two.py": "evil = True\n"}))
    wrong = index._files["two-1.0-py3-none-any.whl"].sha256
    before = project.installed("lint")
    result = project.run_inside(
        "--locked", "lint", env={"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_NO_CACHE_DIR": "1"}
    )
    assert result.code == 1
    assert "two" in result.err
    assert right in result.err
    assert wrong in result.err
    assert project.installed("lint") == before
    subprocess.run([project.python("lint"), "-c", "import demo, one, three"], check=True)
    # and it isn't taken for one that was cut off
    assert (project.environment("lint") / "state").is_file()


# What others make of it


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_any_installer_takes_a_lock(lint: ProjectFolder, tmp_path: Path, tool: str, wheelhouse: Path) -> None:
    from uv import find_uv_bin

    lock = str(lint.path / "sessions/locks/lint.txt")
    environment = tmp_path / "venv"
    uv = str(find_uv_bin())
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    python = str(python_of(environment))
    words = {
        "pip": [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--require-hashes", "-r", lock],
        "uv": [uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock],
    }[tool]
    subprocess.run(words, check=True)
    from support.project import installed_in

    assert installed_in(environment) == {"alpha": "1.1", "beta": "2.0"}


def test_uv_takes_the_standard_form(lint: ProjectFolder, tmp_path: Path) -> None:
    from uv import find_uv_bin

    from support.project import installed_in

    lint.sessions('[tool.setlist]\nlock-format = "pylock"\n' + deps("alpha==1.*"))
    lint.setlist_inside("lock", check=True)
    uv, environment = str(find_uv_bin()), tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    python = str(python_of(environment))
    lock = str(lint.path / "sessions/locks/pylock.lint.toml")
    subprocess.run([uv, "pip", "sync", "-q", "--preview", "--python", python, lock], check=True)
    assert installed_in(environment) == {"alpha": "1.1", "beta": "2.0"}
