"""``setlist import nox``: a noxfile as [tool.setlist], as far as it can be said as data."""

from __future__ import annotations

from typing import Any

import pytest

from setlist.core.toml import parse_toml
from support.project import ProjectFolder

pytestmark = pytest.mark.slow

NOXFILE = """
    import os, pathlib, shutil, subprocess
    import nox

    nox.options.sessions = ["lint", "tests", "web"]
    HERE = pathlib.Path(__file__).parent

    @nox.session(tags=["ci"])
    def lint(session):
        "Style."
        session.install("ruff==0.12.*", "mypy")
        session.run("ruff", "check", *(session.posargs or ["."]))
        session.run("mypy", "src", env={"MYPYPATH": "stubs"}, success_codes=[0, 1])

    @nox.session(python=["3.11", "3.12"], requires=["lint"])
    def tests(session):
        session.install("-e", ".[fast]", "-r", HERE / "requirements.txt", "-c", "constraints.txt", "--group", "test")
        session.env["COVERAGE_FILE"] = ".coverage"
        with session.chdir("sub"):
            session.run("pytest", f"--basetemp={session.create_tmp()}", *session.posargs, "-x")
        session.notify("lint")

    @nox.session
    @nox.parametrize("django", ["3.2", "4.0"])
    def web(session, django):
        session.install(f"django=={django}.*")
        session.run("python", "-m", "django", "--version")
        session.run("git", "status", external=True)
        session.run("sh", "-c", "echo '{}'", external=True)

    @nox.session(python=["3.11", "3.12"], default=False)
    def differs(session):
        session.install("new" if session.python == "3.12" else "old")
        session.run("python", "-V")

    @nox.session(venv_backend="none", requires=["deletes"])
    def without(session):
        session.run("echo", "a b")

    @nox.session
    def deletes(session):
        shutil.rmtree("precious")

    @nox.session
    def starts(session):
        subprocess.run(["touch", "made"])

    @nox.session
    def writes(session):
        (HERE / "made").write_text("x")

    @nox.session
    def asks(session):
        if session.posargs:
            session.run("python", "-V")

    @nox.session
    def skips(session):
        session.skip("not here")

    @nox.session
    def options(session):
        session.install("--no-deps", "x")

    @nox.session
    def by_conda(session):
        session.conda_install("x")

    @nox.session
    def redirects(session):
        with open(os.devnull, "w") as out:
            session.run("python", "-V", stdout=out)
"""


def imported(project: ProjectFolder) -> tuple[dict[str, Any], str]:
    result = project.setlist_inside("import", "nox", check=True)
    return parse_toml(result.out)["tool"]["setlist"], result.err


def test_what_can_be_said_as_data_is_and_the_rest_is_listed(project: ProjectFolder) -> None:
    project.write("noxfile.py", NOXFILE)
    project.write("precious/file", "")
    project.write("sub/file", "")
    project.write("requirements.txt", "")
    before = project.read("noxfile.py")
    said, told = imported(project)
    sessions = said["session"]
    assert said["default"] == ["lint", "tests", "web"]
    assert sessions["lint"] == {
        "description": "Style.",
        "tags": ["ci"],
        "deps": ["ruff==0.12.*", "mypy"],
        "run": ["ruff check {posargs:.}", {"cmd": "mypy src", "env": {"MYPYPATH": "stubs"}, "ok-codes": [0, 1]}],
    }
    assert sessions["tests"] == {
        "python": ["3.11", "3.12"],
        "requires": ["lint"],
        "project": "editable",
        "extras": ["fast"],
        "requirements": ["requirements.txt"],
        "constraints": ["constraints.txt"],
        "groups": ["test"],
        "run": [{"cmd": "pytest --basetemp={tmp} {posargs} -x", "cwd": "sub"}],
        "env": {"COVERAGE_FILE": ".coverage"},
    }
    assert sessions["web"] == {
        "matrix": {"django": ["3.2", "4.0"]},
        "deps": ["django=={django}.*"],
        "run": ["python -m django --version", "git status", ["sh", "-c", "echo '{{}}'"]],
        "external": ["git", "sh"],
    }
    assert {name: sessions[name]["deps"] for name in sessions if name.startswith("differs")} == {
        "differs-py311": ["old"],
        "differs-py312": ["new"],
    }
    assert sessions["without"]["backend"] == "none"
    assert "tests: noxfile.py:20: it notifies lint" in told
    for name, why in {
        "deletes": "shutil.rmtree",
        "starts": "subprocess.Popen",
        "writes": "made",
        "asks": "words after '--'",
        "skips": "skips: not here",
        "options": "--no-deps",
        "by_conda": "conda",
        "redirects": "prints to",
    }.items():
        assert name not in sessions
        line = next(line for line in told.splitlines() if line.startswith(f"left out {name}"))
        assert why in line
    assert (project.path / "precious" / "file").is_file()
    assert not (project.path / "made").exists()
    assert project.read("noxfile.py") == before


def test_what_is_written_is_right_and_takes_the_noxfiles_place(project: ProjectFolder) -> None:
    project.write("noxfile.py", NOXFILE)
    project.write("sub/file", "")
    project.write("pyproject.toml", "[project]\nname = 'demo'\nversion = '1.0'\n")
    project.setlist_inside("import", "nox", "--write", check=True)
    assert project.read("pyproject.toml").startswith("[project]\n")
    listed = project.setlist_inside("list", "--json", check=True).json["sessions"]
    assert [session["name"] for session in listed][:3] == ["lint", "tests-py311", "tests-py312"]
    assert all(session["nox"] is None for session in listed)
    assert project.setlist_inside("import", "nox", "--write").code == 2


def test_only_a_noxfile_can_be_imported(project: ProjectFolder) -> None:
    assert project.setlist_inside("import", "tox").code == 2
    project.write("pyproject.toml", "")
    assert "noxfile.py" in project.setlist_inside("import", "nox").err


OF_TODAY = """\
import datetime, glob, os, pathlib, random, sys, tempfile
import nox

@nox.session(venv_backend="none")
def release(session):
    today = datetime.date.today().isoformat()
    session.run("towncrier", "--date", today, external=True)

@nox.session(venv_backend="none")
def upload(session):
    session.run("twine", "check", *glob.glob("dist/*"), external=True)

@nox.session(venv_backend="none")
def chooses(session):
    if os.environ.get("FAST"):
        session.log("fast")
    session.run("pytest", external=True)

@nox.session(venv_backend="none")
def seeds(session):
    session.run("pytest", f"--seed={random.random()}", external=True)

@nox.session(venv_backend="none")
def keeps(session):
    tmp = pathlib.Path(session.create_tmp())
    (tmp / "answers").write_text("x")
    session.run("tool", str(tmp / "answers"), external=True)

@nox.session
def installs(session):
    path = os.path.join(session.create_tmp(), "r.txt")
    session.install("-r", path)

@nox.session(venv_backend="none")
def own(session):
    made = tempfile.mkdtemp(prefix="mine-")
    session.run(os.path.join(made, "tool"), external=True)

@nox.session
def says(session):
    session.install("six")
    session.run("python", "-V")
"""


def test_what_cant_be_said_as_data_is_named_by_its_line(project: ProjectFolder) -> None:
    project.write("noxfile.py", OF_TODAY)

    result = project.setlist_inside("import", "nox", check=True)

    named = {
        "release": "noxfile.py:6: it goes by the time",
        "upload": "noxfile.py:11: it goes by which files there are",
        "chooses": "noxfile.py:15: it goes by the variable FAST",
        "seeds": "noxfile.py:21: what it runs isn't the same each time: it goes by a random value",
        "keeps": "noxfile.py:26: it writes files into a temporary directory",
        "installs": "noxfile.py:32: it installs with -r '{tmp}/r.txt'",
        "own": "noxfile.py:36: it writes files into a temporary directory",
    }
    for name, note in named.items():
        line = next(line for line in result.err.splitlines() if f"{name}: {note}" in line)
        assert "<setlist-" not in line
    assert not [line for line in result.err.splitlines() if line.startswith("says:")]
    # and as comments, where they belong
    assert "[tool.setlist.session.release]\n# noxfile.py:6: it goes by the time" in result.out
    assert "# left out installs: noxfile.py:32:" in result.out
    assert "<setlist-" not in result.out
    parse_toml(result.out)
