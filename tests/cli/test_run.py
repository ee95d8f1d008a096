"""``run``: what its command line means, before and without anything being installed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder

# in the caller's own environment: nothing to install, nothing to wait for
QUICK = """
    [tool.setlist]
    default = ["good"]
    [tool.setlist.defaults]
    backend = "none"
    [tool.setlist.session.good]
    tags = ["fine"]
    run = ["python -c 'import sys; print(sys.argv[1:])' {posargs:nothing}"]
    [tool.setlist.session.bad]
    run = ["python -c 'import sys; sys.exit(3)'"]
    [tool.setlist.session.after]
    requires = ["good"]
    run = ["python -c 'print(1)'"]
    [tool.setlist.session.last]
    run = ["python -c 'print(2)'"]
"""


@pytest.fixture
def quick(project: ProjectFolder) -> ProjectFolder:
    project.sessions(QUICK)
    return project


def ran(project: ProjectFolder) -> list[str]:
    return [event["session"] for event in project.history() if event["event"] == "command-started"]


def test_bare_run_runs_the_default_sessions(quick: ProjectFolder) -> None:
    result = quick.run_inside(check=True)
    assert "['nothing']" in result.out
    assert ran(quick) == ["good"]
    assert re.search(r"^good  ok  \d\.\ds$", result.err, re.MULTILINE)


def test_posargs_are_everything_after_the_dashes(quick: ProjectFolder) -> None:
    result = quick.run_inside("good", "-v", "--", "-x", "--", "a b", check=True)
    assert "['-x', '--', 'a b']" in result.out


def test_setlist_run_is_run(quick: ProjectFolder) -> None:
    assert "['y']" in quick.setlist_inside("run", "good", "--", "y", check=True).out


def test_a_failing_command_is_shown_and_ends_in_1(quick: ProjectFolder) -> None:
    result = quick.run_inside("bad", "good")
    assert result.code == 1
    assert "  ✗ exit code 3\n" in result.err
    assert re.search(r"^bad   failed ", result.err, re.MULTILINE)
    assert ran(quick) == ["bad", "good"]


def test_fail_fast_stops_at_the_first(quick: ProjectFolder) -> None:
    assert quick.run_inside("-x", "bad", "good").code == 1
    assert ran(quick) == ["bad"]


def test_requires_are_run_first_unless_only(quick: ProjectFolder) -> None:
    quick.run_inside("after", check=True)
    assert ran(quick) == ["good", "after"]
    quick.run_inside("--only", "after", check=True)
    assert ran(quick) == ["after"]


def test_tags_and_keywords_narrow(quick: ProjectFolder) -> None:
    quick.run_inside("-t", "fine", "*", check=True)
    assert ran(quick) == ["good"]
    quick.run_inside("-k", "good or last", "*", check=True)
    assert ran(quick) == ["good", "last"]


def test_failed_runs_those_that_failed_last_time(quick: ProjectFolder) -> None:
    result = quick.run_inside("--failed")
    assert (result.code, result.err) == (0, "nothing failed last time\n")
    quick.run_inside("bad", "good")
    assert quick.run_inside("--failed").code == 1
    assert ran(quick) == ["bad"]
    result = quick.run_inside("--failed", "good")
    assert (result.code, result.err) == (0, "none of these failed last time\n")


def test_quiet_says_nothing_of_what_is_well(quick: ProjectFolder) -> None:
    assert quick.run_inside("-q", check=True).err == ""
    result = quick.run_inside("-q", "bad", "good")
    assert result.err.splitlines()[0] == "bad"
    assert "  ✗ exit code 3" in result.err
    assert "good" not in result.err


def test_verbose_shows_diagnostics(quick: ProjectFolder) -> None:
    assert quick.run_inside("-vvv", check=True).code == 0


def test_list_is_the_table(quick: ProjectFolder) -> None:
    result = quick.run_inside("--list", check=True)
    assert result.out.splitlines()[0].split() == ["session", "environment", "tags"]
    assert result.out.splitlines()[1].split() == ["*", "good", "none", "fine"]
    assert [line.split()[0] for line in quick.run_inside("-l", "bad", "-k", "bad", check=True).out.splitlines()][
        -1
    ] == "bad"
    assert not (quick.path / STATE_DIRECTORY / "history").exists()


@pytest.mark.parametrize(
    ("argv", "code", "message", "hint"),
    [
        (["goood"], 2, "no session matches 'goood'", "did you mean 'good'?"),
        (["list"], 2, "no session matches 'list'", "'run' only runs sessions: write 'setlist list'"),
        (
            ["good", "tests/test_x.py"],
            2,
            "no session matches 'tests/test_x.py'",
            "arguments for the session's commands come after '--': run good -- tests/test_x.py",
        ),
        (["--recreat"], 2, "unknown option '--recreat'", "did you mean '--recreate'? 'run --help' lists the options"),
        (["-z", "4"], 2, "unknown option '-z'", "'run --help' lists the options"),
        (["--locked", "--no-lock"], 2, "--locked and --no-lock exclude each other", None),
        (
            ["--find-links", "nowhere"],
            2,
            "--find-links: nowhere is not a directory",
            "'setlist fetch --to DIR' fills one",
        ),
        (["-C", "nowhere"], 2, "nowhere: no such directory", None),
        (["-f", "nowhere.toml"], 2, None, None),
        (["-k"], 2, "option '-k' needs a value: -k EXPR", None),
    ],
)
def test_a_slip_is_one_message_with_a_hint(
    quick: ProjectFolder, argv: list[str], code: int, message: str | None, hint: str | None
) -> None:
    result = quick.run_inside(*argv)
    assert result.code == code
    assert result.out == ""
    assert "Traceback" not in result.err
    assert result.err.count("error: ") == 1
    if message is not None:
        assert result.err.splitlines()[0] == f"error: {message}"
    if hint is not None:
        assert result.err.splitlines()[1] == f"hint: {hint}"


def test_a_project_without_sessions_says_what_to_write(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist]\n")
    result = project.run_inside()
    assert result.code == 2
    assert "no sessions are defined" in result.err
    assert "setlist init" in result.err
    assert project.run_inside("--list").err == "no sessions\n"


def test_no_project_at_all_says_so(project: ProjectFolder) -> None:
    result = project.run_inside("lint")
    assert result.code == 2
    assert "no project found" in result.err


def test_another_directory_and_another_file(quick: ProjectFolder, tmp_path: Path) -> None:
    assert "['nothing']" in quick.run_inside("-C", "project", cwd=tmp_path, check=True).out
    assert "['nothing']" in quick.run_inside("-f", "project/pyproject.toml", cwd=tmp_path, check=True).out


def test_the_project_is_found_from_below(quick: ProjectFolder) -> None:
    below = quick.path / "src" / "deep"
    below.mkdir(parents=True)
    assert "['nothing']" in quick.run_inside(cwd=below, check=True).out
    assert (quick.path / ".setlist").is_dir()


def test_dry_run_shows_the_plan_and_changes_nothing(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions("""
        [tool.setlist.session.lint]
        deps = ["alpha==1.0"]
        run = ["python -m alpha {posargs:.}", { cmd = "echo $X | cat", shell = true }]
        [tool.setlist.session.docs]
        requires = ["lint"]
        backend = "none"
        run = ["python -c 'print(1)'"]
        [tool.setlist.session.none]
        python = "3.1"
    """)
    result = project.run_inside("-n", "docs", "none", "--", "x y", check=True)
    version = ".".join(map(str, sys.version_info[:3]))
    lines = result.out.splitlines()
    assert lines[0] == f"lint  python {version} · would be created (required by docs)"
    assert lines[1:3] == ["  $ python -m alpha {posargs:.}", "  $ echo $X | cat"]
    assert lines[3] == "docs  python · no environment of its own"
    assert lines[4] == "  $ python -c 'print(1)'"
    assert lines[5].startswith("none  python 3.1 · can't be prepared: python 3.1 not found")
    assert lines[6] == "posargs: 'x y'"
    assert not (project.path / STATE_DIRECTORY / "envs").exists()
    assert not (project.path / STATE_DIRECTORY / "history").exists()


def test_dry_run_tells_what_would_become_of_an_environment(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["beta"]\nrun = []\n')
    project.run_inside(check=True)

    def would(*argv: str) -> str:
        return project.run_inside("-n", *argv, check=True).out.splitlines()[0].split(" · ")[1]

    assert would() == "would be reused"
    assert would("-r") == "would be recreated (--recreate)"
    assert would("--upgrade") == "would be resolved again (--upgrade)"
    project.sessions('[tool.setlist.session.lint]\ndeps = ["beta", "delta"]\nrun = []\n')
    assert would().startswith("would be brought up to date (")
    (project.environment("lint") / "state").unlink()
    assert would() == "would be repaired"


SECRETS = """
    [tool.setlist.defaults]
    backend = "none"
    secrets = ["TOKEN"]
    [tool.setlist.session.template]
    env = { TOKEN = "{env:OUTER}" }
    run = ["python -c 'import os; print(os.environ[\\"TOKEN\\"])'"]
    [tool.setlist.session.command]
    run = [{ cmd = "python -c 'import os; print(os.environ[\\"TOKEN\\"])'", env = { TOKEN = "{env:OUTER}" } }]
    [tool.setlist.session.posargs]
    env = { TOKEN = "{env:OUTER}" }
    run = ["python -c 'import sys; print(sys.argv)' {posargs}"]
"""


@pytest.mark.parametrize("name", ["template", "command", "posargs"])
def test_what_programs_see_of_a_secret_is_masked_wherever_it_is_shown(project: ProjectFolder, name: str) -> None:
    project.sessions(SECRETS)
    value = "hunter2's <key> 12"
    words = ["--", f"--key={value}"] if name == "posargs" else []
    report = ["--report", "r.xml", "--report", "r.json", "--report", "r.jsonl"]
    result = project.run_inside(name, *report, *words, env={"OUTER": value}, check=True)
    assert "***" in result.out
    kept = [path.read_text(errors="replace") for path in project.path.rglob("*") if path.is_file()]
    assert not any("hunter2" in text for text in (result.out, result.err, *kept))
    assert "hunter2" not in project.setlist_inside("history", env={"OUTER": value}).out


def test_dry_run_masks_secrets(project: ProjectFolder) -> None:
    project.sessions(SECRETS)
    result = project.run_inside("-n", "posargs", "--", "hunter2's key", env={"OUTER": "hunter2's key"}, check=True)
    assert "posargs: '***'" in result.out
    assert "hunter2" not in result.out


@pytest.mark.parametrize("environment", ['backend = "none"', 'deps = ["alpha"]'])
def test_dry_run_says_what_is_up_to_date(project: ProjectFolder, wheelhouse: Path, environment: str) -> None:
    project.sessions(f"""
        [tool.setlist.session.lint]
        {environment}
        inputs = ["src"]
        run = ["python -c pass {{posargs}}"]
    """)
    project.write("src/a.txt", "1")

    def planned(*argv: str) -> list[str]:
        before = recorded()
        lines = project.run_inside("-n", "lint", *argv, check=True).out.splitlines()
        assert recorded() == before
        return lines

    def recorded() -> dict[Path, int]:
        environment = project.environment("lint")
        of_session = [*environment.rglob("*"), *environment.parents[1].glob("store/passed/*")]
        return {path: path.stat().st_mtime_ns for path in of_session}

    assert planned()[1:] == ["  $ python -c pass {posargs}"]
    project.run_inside("lint", check=True)
    (line,) = planned()
    assert line.endswith(" · up to date, wouldn't be run")
    os.utime(project.path / "src/a.txt")
    assert planned() == [line], "and doesn't even note that a file was touched"
    assert "up to date" in project.run_inside("lint", check=True).err
    assert planned("--", "x")[1:] == ["  $ python -c pass {posargs}", "posargs: x"]
    assert planned("-r")[1:] == ["  $ python -c pass {posargs}"]
    project.write("src/a.txt", "22")
    assert planned()[1:] == ["  $ python -c pass {posargs}"]


def test_results_go_to_stdout_and_words_to_stderr(quick: ProjectFolder) -> None:
    result = quick.run_inside(check=True)
    assert result.out == "['nothing']\n"
    assert "$ python" in result.err


def test_a_narrow_encoding_is_no_obstacle(quick: ProjectFolder) -> None:
    result = quick.run("bad", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"})
    assert result.code == 1
    assert "  x exit code 3" in result.err


def test_colour_can_be_forced_and_forbidden(quick: ProjectFolder) -> None:
    assert "\x1b[" in quick.run_inside(env={"FORCE_COLOR": "1"}, check=True).err
    assert "\x1b[" not in quick.run_inside(env={"FORCE_COLOR": "1", "NO_COLOR": "1"}, check=True).err


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_went_away_is_no_traceback(quick: ProjectFolder) -> None:
    import subprocess

    from support.project import installed

    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*installed("run"), "--list"], cwd=quick.path, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b"error: standard output can't be written: Broken pipe\n"


COMMAND_LINES = (
    ["run", "--list"],
    ["run", "-n"],
    ["run", "--help"],
    ["run", "good"],
    ["run", "--output", "group", "good"],
    ["run", "--output", "stream", "good"],
    ["setlist", "list", "--json"],
    ["setlist", "why", "good"],
    ["setlist", "history"],
    ["setlist", "last", "good"],
    ["setlist", "doctor"],
)


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("argv", COMMAND_LINES, ids=" ".join)
@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_traceback(quick: ProjectFolder, argv: list[str], streams: str) -> None:
    quick.run_inside("--output", "group", "good", check=True)
    code, err = in_shell(quick, argv, streams)
    results = ">&-" in streams.split() and argv[:2] not in (["run", "good"], ["run", "--output"])
    assert code == (74 if results else 0)
    if results and "2>&-" not in streams:
        assert err == "error: standard output can't be written: Bad file descriptor\n"
    assert "Error" not in err
    assert "Exception" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full, which refuses every write")
@pytest.mark.parametrize("argv", [line for line in COMMAND_LINES if line != ["run", "good"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_one_line(quick: ProjectFolder, argv: list[str]) -> None:
    quick.run_inside("--output", "group", "good", check=True)
    code, err = in_shell(quick, argv, ">/dev/full")
    assert code == 74
    told = [line for line in err.splitlines() if "No space left" in line]
    assert len(told) == 1
    assert told[0].startswith("error: standard output can't be written: No space left on device")
    assert "Exception" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full, which refuses every write")
@pytest.mark.parametrize("argv", COMMAND_LINES, ids=" ".join)
def test_words_that_cannot_be_written_change_nothing(quick: ProjectFolder, argv: list[str]) -> None:
    quick.run_inside("--output", "group", "good", check=True)
    assert in_shell(quick, argv, "2>/dev/full") == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_a_failed_session_counts_more_than_lost_output(quick: ProjectFolder) -> None:
    code, err = in_shell(quick, ["run", "--output", "group", "good", "bad"], "| true; exit ${PIPESTATUS[0]}")
    assert code == 1
    assert "standard output can't be written" in err


def in_shell(project: ProjectFolder, argv: list[str], rest: str) -> tuple[int, str]:
    """The exit code and standard error of a command line that a shell starts with redirections."""
    import shlex
    import subprocess

    from support.project import installed

    line = shlex.join([*installed(argv[0]), *argv[1:]])
    done = subprocess.run(["bash", "-c", f"{line} {rest}"], cwd=project.path, capture_output=True, text=True)
    return done.returncode, done.stderr
