"""Where setlist keeps things in a project, and what becomes of what an older setlist kept elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.project import (
    Project,
    has_session_files,
    is_session_file,
    sessions_folder,
    setuptools_packages,
)
from support.project import ProjectFolder

SESSIONS = """
[tool.setlist.session.lint]
run = ["python -c pass"]
"""
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory holds what setlist can make again.\n"


@pytest.mark.parametrize("place", [".setlist", ".nox/setlist"])
def test_state_of_an_older_setlist_is_replaced_by_the_first_run(project: ProjectFolder, place: str) -> None:
    project.sessions(SESSIONS)
    for name in ("envs/lint/bin/python", "guards/lint.lock", "registry.json", "registry-0.json", ".gitignore"):
        project.write(f"{place}/{name}", "")
    project.write(f"{place}/CACHEDIR.TAG", TAG)
    project.write(f"{place}/cache/kept", "by a function")
    project.write(f"{place}/of-a-user", "")

    project.run_inside("lint", check=True)

    left = [path.name for path in (project.path / place).iterdir() if path.name != ".tox"]
    assert left == ["of-a-user"]
    assert project.read(f"{STATE_DIRECTORY}/cache/kept") == "by a function"
    assert project.environment("lint").is_dir()


def test_nothing_is_left_beside_nox_s_environments(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    project.write(".nox/setlist/CACHEDIR.TAG", TAG)
    project.write(".nox/setlist/envs/lint/bin/python", "")

    project.run_inside("lint", check=True)

    assert not (project.path / ".nox").exists()


@pytest.mark.parametrize("place", [".setlist", ".nox/setlist"])
def test_directory_that_setlist_did_not_make_stays(project: ProjectFolder, place: str) -> None:
    project.sessions(SESSIONS)
    project.write(f"{place}/envs/kept", "")
    project.write(f"{place}/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# by virtualenv\n")

    project.run_inside("lint", check=True)

    assert (project.path / place / "envs" / "kept").is_file()


def test_state_is_invisible_to_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    Project(tmp_path).prepare()

    shown = subprocess.run(["git", "status", "--short", "-uall"], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert shown.stdout == b""


FOREIGN = 'raise SystemExit("foreign code was executed")\n'


def foreign_package(project: ProjectFolder, folder: str) -> None:
    """A package of the user's own that is called ``sessions``."""
    project.write(f"{folder}/__init__.py", FOREIGN)
    project.write(
        f"{folder}/models.py", '"""Not one that says: import setlist."""\nfrom setlist.models import x\n' + FOREIGN
    )
    project.write(f"{folder}/more.toml", "[database]\nsession = 1\n")


def test_package_called_sessions_is_no_project(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    foreign_package(project, "app/sessions")

    result = project.run_inside("lint", cwd=project.path / "app", check=True)

    assert "lint" in result.err
    assert not (project.path / "app" / ".setlist").exists()


def test_package_called_sessions_at_the_root_is_never_executed(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    foreign_package(project, "sessions")

    assert "lint" in project.run_inside("-l", check=True).out


def test_session_file_may_import_a_helper_that_is_no_session_file(project: ProjectFolder) -> None:
    project.write("sessions/helper.py", "NAME = 'works'\n")
    project.write(
        "sessions/jobs.py",
        """
        import helper
        from setlist import session, Session

        @session(backend="none", name=helper.NAME)
        def works(s: Session) -> None: ...
        """,
    )

    assert "works" in project.run_inside("works", check=True).err


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("a.py", "import setlist", True),
        ("a.py", "import os, setlist as s  # x", True),
        ("a.py", "if True:\n    from setlist import session", True),
        ("a.py", "import os; from setlist import(session)", True),
        ("a.py", "import setlists", False),
        ("a.py", "from .setlist import x", False),
        ("a.py", "from setlist.views import x", False),
        ("a.py", "x = 'setlist'", False),
        ("a.py", "import os  # import setlist", False),
        ("a.py", '"""Run::\n\nimport setlist\n"""', False),
        ("a.py", "import setlist\nif", True),  # a syntax error that somebody is told of
        ("a.toml", "[session.lint]", True),
        ("a.toml", '\ufeff[ "session" . lint]', True),
        ("a.toml", "session.lint.run = []", True),
        ("a.toml", "[defaults]", True),
        ("a.toml", "[database]\nsession = 1", False),
        ("a.toml", "[sessions]\nx = 1", False),
    ],
)
def test_session_file_is_told_from_a_foreign_one(tmp_path: Path, name: str, text: str, *, ours: bool) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_session_file(tmp_path / name) is ours
    assert has_session_files(tmp_path) is ours


@pytest.mark.parametrize("name", ["jobs.toml", "jobs.py"])
def test_session_files_may_lie_in_a_hidden_directory(project: ProjectFolder, name: str) -> None:
    text = '[session.lint]\nbackend = "none"\n'
    if name == "jobs.py":
        text = 'from setlist import session\n\n@session(backend="none")\ndef lint(s): ...\n'
    project.write(f".sessions/{name}", text)
    (project.path / "below").mkdir()

    assert "lint" in project.run_inside("-l", cwd=project.path / "below", check=True).out
    project.write(".sessions/more.toml", "[session.more]\n")
    assert "more" in project.run_inside("-l", check=True).out


FLAT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "demo"
version = "1"
"""


@pytest.mark.parametrize(
    ("files", "packaged"),
    [
        ({"pyproject.toml": FLAT}, True),
        ({"pyproject.toml": "[project]\nname = 'demo'"}, True),
        ({"setup.py": "from setuptools import setup\nsetup()"}, True),
        ({"setup.cfg": "[metadata]\nname = demo"}, True),
        ({"pyproject.toml": FLAT + "[tool.setuptools.packages.find]\n"}, True),
        ({"pyproject.toml": FLAT + "[tool.setuptools.packages.find]\nnamespaces = false\n"}, False),
        ({"pyproject.toml": FLAT + "[tool.setuptools.packages.find]\ninclude = ['demo*']\n"}, False),
        ({"pyproject.toml": FLAT + "[tool.setuptools.packages.find]\nexclude = ['sess*']\n"}, False),
        ({"pyproject.toml": FLAT + "[tool.setuptools.packages.find]\nwhere = ['lib']\n"}, False),
        ({"pyproject.toml": FLAT + "[tool.setuptools]\npackages = ['demo']\n"}, False),
        ({"pyproject.toml": FLAT + "[tool.setuptools]\npy-modules = ['demo']\n"}, False),
        ({"pyproject.toml": FLAT, "src/demo/__init__.py": ""}, False),
        ({"pyproject.toml": FLAT, "setup.cfg": "[options]\npackages = find:"}, False),
        ({"pyproject.toml": FLAT.replace("setuptools.build_meta", "hatchling.build")}, False),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"pyproject.toml": FLAT + "["}, False),
        ({}, False),
    ],
)
def test_setuptools_flat_layout_is_recognised(project: ProjectFolder, files: dict[str, str], *, packaged: bool) -> None:
    for name, text in files.items():
        project.write(name, text)
    assert setuptools_packages(project.path, "sessions") is packaged
    assert sessions_folder(project.path) == (".sessions" if packaged else "sessions")


@pytest.mark.parametrize("existing", ["sessions/locks/lint.txt", "sessions/durations.json", "sessions/jobs.toml"])
def test_locks_stay_in_the_directory_that_there_is(project: ProjectFolder, existing: str) -> None:
    project.write("pyproject.toml", FLAT)
    project.write(existing, "[session.lint]\n")
    assert sessions_folder(project.path) == "sessions"


def test_locks_are_not_put_into_a_foreign_package(project: ProjectFolder) -> None:
    foreign_package(project, "sessions")
    assert sessions_folder(project.path) == ".sessions"


def test_lock_of_a_flat_layout_lies_where_setuptools_does_not_look(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write("pyproject.toml", FLAT + '[tool.setlist.session.lint]\ndeps = ["alpha"]\n')

    project.setlist_inside("lock", check=True)

    assert "alpha" in project.read(".sessions/locks/lint.txt")
    assert not (project.path / "sessions").exists()
    project.run_inside("--locked", "lint", check=True)
    lock = project.path / ".sessions" / "locks"
    lock.rename(project.path / "locks")
    assert project.run_inside("--locked", "lint").code == 3
    (project.path / "sessions").mkdir()
    (project.path / "locks").rename(project.path / "sessions" / "locks")
    project.run_inside("--locked", "lint", check=True)


def test_doctor_names_a_directory_that_setuptools_packages(project: ProjectFolder) -> None:
    project.write("pyproject.toml", FLAT)
    project.write("sessions/jobs.toml", "[session.lint]\n")
    assert "rename sessions/ to .sessions/" in project.setlist_inside("doctor").out
    (project.path / "sessions").rename(project.path / ".sessions")
    assert ".sessions/" not in project.setlist_inside("doctor").out


def test_session_files_that_setuptools_would_package_are_warned_of_when_they_are_read(project: ProjectFolder) -> None:
    project.write("pyproject.toml", FLAT)
    project.write("mypkg/__init__.py", "")
    project.write("sessions/jobs.toml", '[session.lint]\nrun = ["python -c pass"]\n')

    read, kept = (project.run_inside("--list", check=True) for _ in range(2))

    assert "warning: setuptools takes sessions/ for a package of the project" in read.err
    assert "rename sessions/ to .sessions/" in read.err
    assert read.err.count("warning:") == 1
    assert kept.err == ""
