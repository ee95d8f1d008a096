"""``setlist nox -- …``: nox's own command line, and nox's exit codes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.noxes import copied
from support.project import ProjectFolder, Result, installed

pytestmark = pytest.mark.slow

NOXFILE = """
    import nox

    nox.options.sessions = ["good"]

    @nox.session(venv_backend="none", tags=["ci"])
    def good(session):
        "All is well."
        session.run("python", "-c", "print('posargs', *%r)" % session.posargs)

    @nox.session(venv_backend="none", requires=["good"])
    @nox.parametrize("way", ["one", "other"])
    def bad(session, way):
        session.run("python", "-c", "raise SystemExit(1)")

    @nox.session(python="3.99")
    def missing(session):
        session.run("python", "-V")
"""


@pytest.fixture
def project(project: ProjectFolder) -> ProjectFolder:
    project.write("noxfile.py", NOXFILE)
    return project


def nox(project: ProjectFolder, *argv: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "nox", *argv],
        cwd=project.path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def ran(project: ProjectFolder) -> list[str]:
    return [event["session"] for event in project.history() if event["event"] == "session-finished"]


@pytest.mark.parametrize(
    "argv",
    [
        ("-l",),
        ("-l", "--json", "-s", "bad"),
        ("-s", "nowhere"),
        ("--json",),
        ("--usage", "good"),
        (
            "-k",
            "((",
        ),
        ("--version",),
    ],
)
def test_what_nox_answers_by_itself_is_the_same(project: ProjectFolder, argv: tuple[str, ...]) -> None:
    theirs = nox(project, *argv)
    ours = project.setlist("nox", "--", *argv)
    assert (ours.code, ours.out) == (theirs.code, theirs.out)
    assert ours.err == theirs.err


def test_sessions_run_in_noxs_order_with_noxs_posargs(project: ProjectFolder) -> None:
    result = project.setlist("nox", "--", "-s", "bad(way='one')", "--report", "report.json", "--", "-x", "y")
    assert result.code == 1
    assert ran(project) == ["good", "bad-way-one"]
    assert "posargs -x y" in result.out  # what is required gets them too, as in nox
    report = json.loads(project.read("report.json"))
    assert report["result"] == 0
    assert [(item["name"], item["result"], item["result_code"]) for item in report["sessions"]] == [
        ("good", "success", 1),
        ("bad", "failed", 0),
    ]
    assert report["sessions"][1]["args"] == {"way": "one"}
    assert report["sessions"][1]["signatures"] == ["bad(way='one')"]
    assert set(report["sessions"][0]) == {"args", "name", "reason", "result", "result_code", "signatures", "duration"}


def test_exit_codes_are_noxs(project: ProjectFolder) -> None:
    assert project.setlist_inside("nox").code == 0
    assert ran(project) == ["good"]
    assert project.setlist_inside("nox", "--", "-e", "missing").code == 0  # skipped
    missing = project.setlist_inside("nox", "--", "-e", "missing", "--error-on-missing-interpreters")
    assert missing.code == 1
    assert project.setlist_inside("nox", "--", "-t", "ci").code == 0
    assert project.setlist_inside("nox", "--", "--no-dependencies", "-x", "-s", "bad").code == 1
    finished = [event for event in project.history() if event["event"] == "session-finished"]
    assert [event["status"] for event in finished] == ["failed", "not-run"]


def test_variables_of_nox_select_too(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOXSESSION", "missing")
    assert project.setlist_inside("nox").code == 0
    assert ran(project) == ["missing"]


def test_other_pythons_make_other_sessions(tmp_path: Path) -> None:
    project = ProjectFolder(copied("names", tmp_path))
    listed = project.setlist("nox", "--", "-l", "--force-python", "3.13", "-k", "bare", check=True)
    assert "* bare-3.13" in listed.out


def test_what_cant_be_done_is_refused(project: ProjectFolder) -> None:
    for argv, text in (
        (("--download-python", "always"), "--download-python"),
        (("--script-mode", "fresh"), "--script-mode"),
        (("--script-venv-backend", "venv"), "--script-venv-backend"),
        (("--no-such-option",), "--no-such-option"),
        (("-s", "good", "--forcecolor", "--nocolor"), "--no-color"),
    ):
        result = project.setlist_inside("nox", "--", *argv)
        assert result.code == 2, argv
        assert text in result.err
    result = project.setlist_inside("nox", "good")
    assert (result.code, "setlist nox -- -s good" in result.err) == (2, True)


def test_a_noxfile_elsewhere_is_run_where_it_lies(project: ProjectFolder, tmp_path: Path) -> None:
    project.write("sub/jobs.py", NOXFILE)
    project.write("pyproject.toml", "[tool.setlist.session.good]\nrun = ['python -c 1/0']\n")
    assert project.setlist_inside("nox", "--", "-f", "sub/jobs.py").code == 0
    assert (project.path / "sub" / ".setlist").is_dir()
    assert project.setlist_inside("nox", "--", "-s", "good").code == 0  # the noxfile's, and not ours
    assert project.setlist_inside("nox", "--", "-f", "nowhere.py").code == 2


def test_environments_can_be_kept_elsewhere_and_made_anew(project: ProjectFolder) -> None:
    project.write(
        "noxfile.py", "import nox\n\n@nox.session\ndef one(session):\n    session.run('python', '-V', silent=True)\n"
    )
    project.setlist_inside("nox", "--", "--envdir", "envs", check=True)
    assert (project.path / "envs" / "one" / "pyvenv.cfg").is_file()

    def action(*argv: str) -> str:
        project.setlist_inside("nox", "--", "--envdir", "envs", *argv, check=True)
        return str(next(event["action"] for event in project.history() if event["event"] == "environment-ready"))

    assert action() == "reused"
    assert action("-R") == "reused"
    assert action("-N") == "recreated"


ENDS = """
    import sys

    import nox
    from nox.command import CommandFailed

    plain = nox.session(venv_backend="none")


    @plain
    def error(session):
        session.error("no", 1)

    @plain
    def error_without_words(session):
        session.error()

    @plain
    def skip(session):
        session.skip("not today")

    @plain
    def skip_without_words(session):
        session.skip()

    @plain
    def fails(session):
        session.run("python", "-c", "raise SystemExit(3)")

    @plain
    def command_failed(session):
        raise CommandFailed(reason="because")

    @plain
    def raises(session):
        raise ValueError("x")

    @plain
    def ok(session):
        pass

    @nox.session(venv_backend="none", requires=["error"], default=False)
    def after_error(session):
        session.log("RAN")

    @nox.session(venv_backend="none", requires=["after_error"], default=False)
    def after_after(session):
        session.log("RAN")

    @nox.session(venv_backend="none", requires=["skip"], default=False)
    def after_skip(session):
        pass

    @nox.session(venv_backend="none", requires=["ok"], default=False)
    def after_ok(session):
        pass

    @plain
    def notifies(session):
        session.notify("after_error")
        session.notify("after_ok")

    @plain
    def interrupts(session):
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize(
    "argv",
    [
        ("error", "error_without_words", "skip", "skip_without_words", "fails", "command_failed", "raises", "ok"),
        ("after_after",),
        ("after_skip",),
        ("notifies",),
        ("ok", "notifies"),
        ("error", "notifies"),
        ("error", "ok", "-x"),
        ("notifies", "--no-dependencies"),
        ("ok", "interrupts", "error"),
    ],
    ids=" ".join,
)
def test_report_says_what_noxs_own_report_says(project: ProjectFolder, argv: tuple[str, ...]) -> None:
    project.write("noxfile.py", ENDS)

    def report() -> object:
        path = project.path / "report.json"
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        path.unlink()
        return {**data, "sessions": [{**session, "duration": None} for session in data["sessions"]]}

    theirs = nox(project, "--report", "report.json", "-s", *argv)
    said = report()
    ours = project.setlist("nox", "--", "--report", "report.json", "-s", *argv)
    assert (ours.code, report()) == (theirs.code, said), ours.err
    assert "RAN" not in ours.err


def test_report_is_of_its_own_run_and_not_of_a_later_one(project: ProjectFolder) -> None:
    project.write(
        "noxfile.py",
        f"""
        import nox

        @nox.session(venv_backend="none")
        def outer(session):
            session.run(*{installed("setlist")!r}, "nox", "--", "-s", "inner")

        @nox.session(venv_backend="none")
        def inner(session):
            pass
        """,
    )
    project.setlist("nox", "--", "--report", "report.json", "-s", "outer", check=True)
    report = json.loads(project.read("report.json"))
    assert [session["name"] for session in report["sessions"]] == ["outer"]


@pytest.mark.parametrize("options", [(), ("-j", "2")], ids=["one by one", "side by side"])
def test_notified_session_is_aborted_where_what_it_requires_failed(
    project: ProjectFolder, options: tuple[str, ...]
) -> None:
    project.write("noxfile.py", ENDS)

    result = project.run("error", "notifies", "--report", "r.json", "--report", "r.xml", *options)

    assert result.code == 1
    report = json.loads(project.read("r.json"))
    ends = {session["name"]: (session["status"], session["reason"]) for session in report["sessions"]}
    assert ends == {
        "error": ("aborted", "('no', 1)"),
        "notifies": ("ok", None),
        "after_error": ("aborted", "requires error, which was aborted"),
        "after_ok": ("aborted", "requires ok, which has not run"),
    }
    assert 'tests="4" failures="1" errors="2"' in project.read("r.xml")
    assert "aborted  requires error, which was aborted" in result.err


def test_notified_sessions_are_counted(project: ProjectFolder) -> None:
    project.write("noxfile.py", ENDS)

    project.run_inside("ok", "notifies")

    added = [event["sessions"] for event in project.history() if event["event"] == "sessions-added"]
    assert added == [["after_error", "after_ok"]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full, which refuses every write")
@pytest.mark.parametrize("argv", ["-l", "-l --json", "--usage good", "--help"])
def test_a_full_disk_behind_what_nox_answers_is_one_line(project: ProjectFolder, argv: str) -> None:
    command = f"{shlex.join(installed('setlist'))} nox -- {argv} >/dev/full"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=project.path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 74
    assert done.stderr == "error: standard output can't be written: No space left on device\n"
