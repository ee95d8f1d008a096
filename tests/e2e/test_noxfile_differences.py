"""The same noxfile run by nox and by setlist: the same commands in the same order, the same ends and packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder, installed_in
from support.wheels import make_wheel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="nox's shapes of an environment are told for POSIX"),
]

PROBE = '''
"""Writes down how it was called; 'probe --exit N' exits with N."""
import json, os, sys

SHOWN = ("NOX_CURRENT_SESSION", "GIVEN", "TMPDIR", "PIP_REQUIRE_VIRTUALENV", "OUTER", "PYTHONHOME", "UV_PYTHON")

def main():
    prefix, cwd = os.path.realpath(sys.prefix), os.path.realpath(os.getcwd())
    shown = {name: os.environ.get(name) for name in SHOWN}
    shown = {name: value.replace(prefix, "ENV") if value else value for name, value in shown.items()}
    if shown["TMPDIR"]:
        shown["TMPDIR"] = os.path.relpath(os.environ["TMPDIR"], os.environ["PROBE_ROOT"])
    told = {
        "argv": sys.argv[1:],
        "cwd": os.path.relpath(cwd, os.environ["PROBE_ROOT"]),
        "env": shown,
        "active": os.path.realpath(os.environ.get("VIRTUAL_ENV", "")) == prefix,
        "first on PATH": os.path.realpath(os.environ["PATH"].split(os.pathsep)[0]) == os.path.join(prefix, "bin"),
    }
    with open(os.environ["PROBE_LOG"], "a") as log:
        log.write(json.dumps(told) + "\\n")
    print("probe", *sys.argv[1:], flush=True)
    if sys.argv[1:2] == ["--exit"]:
        return int(sys.argv[2])
'''

NOXFILE = """
import os
import pathlib
import subprocess

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["plain"]


@nox.session
def plain(session):
    session.install("probe", "alpha==1.0")
    session.run("probe", "first", *session.posargs)
    session.run("probe", pathlib.Path("a") / "path", env={"GIVEN": "yes"})
    session.notify("notified", posargs=["told"])
    session.notify("notified")


@nox.session(default=False)
def notified(session):
    session.install("probe")
    session.run("probe", "notified", *session.posargs)


@nox.session(requires=["plain"])
def after(session):
    session.install("probe")
    session.run("probe", "after", *session.posargs)


@nox.session
@nox.parametrize("delta", ["1.0", "2.0"])
def matrix(session, delta):
    session.install("probe", f"delta=={delta}")
    session.run("probe", session.name, delta)


@nox.session
def directories(session):
    session.install("probe")
    with session.chdir("sub"):
        session.run("probe", "inside")
    session.run("probe", "outside")
    session.cd("sub")
    session.install("-r", "more.txt")
    session.run("probe", "stays", os.path.basename(os.getcwd()))


@nox.session
def temporary(session):
    session.install("probe")
    first = pathlib.Path(session.create_tmp())
    session.run("probe", "tmp", str(list(first.iterdir())))
    (first / "left").write_text("x")
    assert session.cache_dir.is_dir()
    assert pathlib.Path(session.bin).is_dir() and session.bin == session.bin_paths[0]
    assert pathlib.Path(session.virtualenv.location) == pathlib.Path(session.bin).parent
    assert session.env_dir.resolve() == pathlib.Path(session.virtualenv.location).resolve()
    session.run("probe", session.virtualenv.venv_backend, session.venv_backend, str(session.python))
    session.run("probe", str(session.interactive), os.path.relpath(session.invoked_from))


@nox.session
def variables(session):
    session.install("probe")
    session.env["GIVEN"] = "by session.env"
    session.run("probe", "1")
    session.run("probe", "2", env={"GIVEN": None})
    session.run("probe", "3", include_outer_env=False, env={
        name: os.environ[name] for name in ("PROBE_LOG", "PROBE_ROOT", "PATH")})
    session.run("probe", "4", env={"OUTER": "changed"})


@nox.session
def outcomes(session):
    session.install("probe")
    session.run("probe", "--exit", "3", success_codes=[0, 3])
    text = session.run("probe", "silent", silent=True)
    session.run("probe", "got", text.strip())
    try:
        session.run("probe", "--exit", "2")
    except CommandFailed as failed:
        session.run("probe", "caught", str(failed.return_code), str(failed.reason))
    with open("stdout.txt", "w") as stream:
        session.run("probe", "to a file", stdout=stream, stderr=subprocess.DEVNULL)
    session.run("probe", "file", pathlib.Path("stdout.txt").read_text().strip())
    session.run("probe", "quiet", log=False)
    session.run("python", "-c", "pass", silent=True, interrupt_timeout=None, terminate_timeout=5)
    session.run(lambda words: pathlib.Path("called").write_text(words), "from a function")
    session.log("a log")
    session.warn("a warning")
    session.debug("of no interest")
    if session.run("true", external=True):
        session.run("probe", "external")


@nox.session
def fails(session):
    session.install("probe")
    session.run("probe", "--exit", "4")
    session.run("probe", "never")


@nox.session
def raises(session):
    session.install("probe")
    session.run("probe", "before")
    raise ZeroDivisionError("on purpose")


@nox.session
def skipped(session):
    session.skip("not today")


@nox.session
def aborted(session):
    session.error("no good")


@nox.session
def absent(session):
    session.run("no-such-program-anywhere")


@nox.session(python="3.77")
def missing(session):
    session.run("probe")


@nox.session(venv_backend="none")
def bare(session):
    session.run("true")
    assert session.bin_paths is None


@nox.session(python=False)
def bare_install(session):
    session.install("probe")


@nox.session(tags=["installs"])
def by_commands(session):
    session.run_install("uv", "pip", "install", "probe", external=True, silent=True)
    session.run_always("probe", "always")
    session.install("-e", ".[more]")
    session.install("--group", "dev")
    session.run("probe", "last")


@nox.session(tags=["installs"])
def script(session):
    session.install_and_run_script("script.py", "word")


@nox.session(venv_backend="virtualenv", tags=["installs"])
def with_pip(session):
    session.install("--no-build-isolation", ".", "probe")
    session.run("python", "-m", "pip", "install", "-q", "delta==1.0")
    session.run("pip", "list", silent=True)
    session.run("probe", "pip")


@nox.session(venv_backend="venv", venv_params=["--without-pip"])
def params(session):
    session.run("python", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)")
"""


class Both:
    """A project twice: one for nox, one for setlist."""

    def __init__(self, directory: Path) -> None:
        self.theirs = ProjectFolder(directory / "theirs" / "project")
        self.ours = ProjectFolder(directory / "ours" / "project")
        for project in (self.theirs, self.ours):
            (project.path / "noxfile.py").write_text(NOXFILE, encoding="utf-8")
            project.make_package(extras={"more": ["beta"]}, groups={"dev": ["gamma[fast]"]})
            project.write("sub/more.txt", "-c limits.txt\ndelta\n")
            project.write("sub/limits.txt", "delta<2\n")
            project.write(
                "script.py",
                """
                # /// script
                # dependencies = ["probe", "delta==1.1"]
                # ///
                import probe, sys
                sys.exit(probe.main())
                """,
            )

    def by_nox(self, names: tuple[str, ...], posargs: tuple[str, ...]) -> dict[str, Any]:
        """What comes of sessions, by nox."""
        report = self.theirs.path.parent / "report.json"
        words = [sys.executable, "-m", "nox", "--report", str(report), *(["-s", *names] if names else [])]
        code, told = self._told(self.theirs, [*words, *(["--", *posargs] if posargs else [])])
        sessions = json.loads(report.read_text())["sessions"]
        statuses = {session["signatures"][0]: _STATUS[session["result"]] for session in sessions}
        return {"code": code, "commands": told, "statuses": statuses, "installed": _held(self.theirs.path / ".nox")}

    def by_us(self, names: tuple[str, ...], posargs: tuple[str, ...]) -> dict[str, Any]:
        """What comes of them, by us."""
        words = [sys.executable, "-m", "setlist", "run", *names, *(["--", *posargs] if posargs else [])]
        code, told = self._told(self.ours, words)
        listed = {
            item["name"]: item["nox"]["name"] for item in self.ours.setlist_inside("list", "--json").json["sessions"]
        }
        statuses = {
            listed[event["session"]]: event["status"]
            for event in self.ours.history()
            if event["event"] == "session-finished"
        }
        return {
            "code": code,
            "commands": told,
            "statuses": statuses,
            "installed": _held(self.ours.path / STATE_DIRECTORY / "envs"),
        }

    def _told(self, project: ProjectFolder, words: list[str]) -> tuple[int, list[Any]]:
        log = project.path.parent / "probe.jsonl"
        log.unlink(missing_ok=True)
        environ = {**os.environ, "PROBE_LOG": str(log), "PROBE_ROOT": os.path.realpath(project.path), "OUTER": "world"}
        done = subprocess.run(
            words, cwd=project.path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        print(done.stdout, done.stderr)
        commands = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        for command in commands:
            if (command["env"].get("TMPDIR") or "").endswith("temporary/tmp"):
                command["env"]["TMPDIR"] = "what create_tmp() made"
        return done.returncode, commands


_STATUS = {"success": "ok", "skipped": "skipped", "failed": "failed", "aborted": "aborted"}


def _held(directory: Path) -> dict[str, dict[str, str]]:
    """What each environment holds, but for pip and what it comes with: by another version's wheel."""
    found = {}
    for environment in directory.iterdir() if directory.is_dir() else ():
        if (environment / "pyvenv.cfg").is_file():
            held = installed_in(environment)
            found["".join(filter(str.isalnum, environment.name))] = {
                name: version for name, version in held.items() if name not in ("pip", "setuptools", "wheel")
            }
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, wheelhouse_directory: Path) -> Path:
    directory = tmp_path_factory.mktemp("wheels")
    for wheel in wheelhouse_directory.iterdir():
        shutil.copy(wheel, directory)
    make_wheel(directory, "probe", "1.0", modules={"probe.py": PROBE}, entry_points={"probe": "probe:main"})
    return directory


@pytest.fixture
def both(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return Both(tmp_path)


PASS = ("plain", "after", "matrix", "directories", "temporary", "variables", "outcomes", "skipped", "missing", "bare")
INSTALL = ("params", "by_commands", "script", "with_pip")
FAIL = ("fails", "raises", "aborted", "absent", "bare_install", "plain")


@pytest.mark.parametrize("names", [(), PASS, INSTALL, FAIL], ids=["default", "pass", "install", "fail"])
def test_nox_and_setlist_do_the_same(both: Both, names: tuple[str, ...]) -> None:
    theirs = both.by_nox(names, ("some", "words"))
    assert both.by_us(names, ("some", "words")) == theirs
    # and once more, where everything is there
    assert both.by_us(names, ("some", "words")) == theirs
