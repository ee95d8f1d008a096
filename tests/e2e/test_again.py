"""A run that is just like the last one: it goes by its record, and nobody can tell but by the clock."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.again import (
    CHEAP,
    by_record,
    forget,
    plain,
    records,
    remove_environment,
    remove_package,
    remove_program,
    remove_state,
    shape,
    sleeping,
    watched,
)
from support.project import ProjectFolder, installed
from support.watching import watched_by

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="a warm run is the whole program's there"),
]


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.write("requirements.txt", "delta==1.0\n")
    project.sessions(
        """
        [tool.setlist]
        interrupt-grace = 0.5
        terminate-grace = 0.5
        [tool.setlist.session.lint]
        deps = ["tool"]
        requirements = ["requirements.txt"]
        env = { PERCENT = "100 %s" }
        run = ["tool {posargs}", { cmd = "cat input; exit $(cat code)", shell = true }]
        """
    )
    project.write("input", "in\n")
    project.write("code", "0\n")
    project.run("lint", check=True)
    return project


def test_it_imports_next_to_nothing(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    seen = watched(lint, "lint")
    assert seen["code"] == 0
    assert set(seen["modules"]) <= CHEAP


@pytest.mark.parametrize("code", ["0", "3"])
def test_it_says_and_keeps_what_the_whole_program_does(lint: ProjectFolder, code: str) -> None:
    argv = ("lint", "--", "one", "two words", "separated\u2028\x85\x1b[31m by \u202e::error::x")
    lint.run(*argv, check=True)
    assert records(lint)
    lint.write("code", code)
    again = lint.run(*argv)
    told = lint.history()
    forget(lint)
    whole = lint.run(*argv)
    assert (again.code, again.out, plain(again.err)) == (whole.code, whole.out, plain(whole.err))
    assert again.code == (1 if code == "3" else 0)
    assert shape(told) == shape(lint.history())


def test_commands_see_the_same_variables(lint: ProjectFolder) -> None:
    lint.sessions('[tool.setlist.session.lint]\nenv = { A = "100 %s" }\nrun = [{ cmd = "env | sort", shell = true }]\n')
    environ: dict[str, str | None] = {"VIRTUAL_ENV": "/elsewhere", "KEPT": "ä"}
    lint.run("lint", check=True, env=environ)
    assert records(lint)
    again = lint.run("lint", check=True, env=environ).out.splitlines()
    forget(lint)
    whole = lint.run("lint", check=True, env=environ).out.splitlines()
    assert [line for line in again if "SETLIST_PROCESS" not in line] == [
        line for line in whole if "SETLIST_PROCESS" not in line
    ]
    assert "KEPT=ä" in again
    assert not any("/elsewhere" in line for line in again)


def touch_requirements(project: ProjectFolder) -> None:
    project.write("requirements.txt", "delta==1.0\n# a note\n")


def add_session_file(project: ProjectFolder) -> None:
    project.write("sessions/more.toml", '[session.more]\nrun = ["tool"]\n')


def edit_definition(project: ProjectFolder) -> None:
    project.write("pyproject.toml", project.read("pyproject.toml").replace("{posargs}", "{posargs:other}"))


def damage_record(project: ProjectFolder) -> None:
    for record in records(project):
        record.write_bytes(b"\x00" + record.read_bytes()[:50])


@pytest.mark.parametrize(
    "change",
    [
        touch_requirements,
        add_session_file,
        edit_definition,
        remove_package,
        remove_program,
        remove_state,
        remove_environment,
        damage_record,
    ],
    ids=lambda change: change.__name__,
)
def test_whatever_changed_is_the_whole_programs(lint: ProjectFolder, change: Callable[[ProjectFolder], None]) -> None:
    watched(lint, "lint")
    assert by_record(lint, "lint")
    change(lint)
    seen = watched(lint, "lint")
    assert "setlist.cli.run" in seen["modules"]
    assert seen["code"] == 0
    assert by_record(lint, "lint")


def settled(project: ProjectFolder) -> None:
    """Let the definitions be read when their times can be trusted."""
    time.sleep(0.05)
    project.write("pyproject.toml", project.read("pyproject.toml") + "\n")
    time.sleep(0.05)


@pytest.mark.parametrize("more", ["# a comment", "[tool.ruff]\nline-length = 90", "[tool.mypy]\nstrict = true\n"])
def test_what_says_nothing_of_sessions_and_installing_matters_to_no_run(lint: ProjectFolder, more: str) -> None:
    settled(lint)
    watched(lint, "lint")
    lint.write("pyproject.toml", f"{lint.read('pyproject.toml')}\n{more}\n")
    assert by_record(lint, "lint")


def test_code_among_the_definitions_may_have_read_all_of_it(lint: ProjectFolder) -> None:
    lint.write("sessions/more.py", "from setlist import session\n\n@session\ndef more(s): ...\n")
    settled(lint)
    watched(lint, "lint")
    lint.write("pyproject.toml", f"{lint.read('pyproject.toml')}\n# a comment\n")
    assert not by_record(lint, "lint")


@pytest.mark.parametrize(
    ("more", "reads_inputs"),
    [
        ('[tool.setlist.session.other]\nrun = ["true"]', False),
        ("[tool.uv]\noffline = false", True),
        ('[dependency-groups]\ntest = ["delta"]', True),
        ('[project]\nname = "p"\nversion = "1"', True),
    ],
)
def test_what_says_something_of_them_does(lint: ProjectFolder, more: str, reads_inputs: bool) -> None:
    settled(lint)
    watched(lint, "lint")
    lint.write("pyproject.toml", f"{lint.read('pyproject.toml')}\n{more}\n")
    seen = watched(lint, "lint")
    assert "setlist.cli.run" in seen["modules"]
    # another session is no input of this one's environment
    assert ("setlist.environment.inputs" in seen["modules"]) is reads_inputs
    assert by_record(lint, "lint")


def test_other_words_other_variables_another_place_are_other_runs(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    assert by_record(lint, "lint", SHLVL="7")
    assert not by_record(lint, "lint", "--", "x")
    assert not by_record(lint, "lint", UV_INDEX_URL="https://example.invalid/simple", UV_OFFLINE="1")
    assert not by_record(lint, "-v", "lint")
    assert not by_record(lint, "lint", CI="true")


def test_a_variable_that_nothing_looked_at_is_handed_on_and_no_input(lint: ProjectFolder) -> None:
    lint.sessions('[tool.setlist.session.show]\nrun = [{ cmd = "echo $TERM_SESSION_ID $PATH", shell = true }]\n')
    lint.run("show", check=True, env={"TERM_SESSION_ID": "1"})
    assert by_record(lint, "show", TERM_SESSION_ID="2", SETLIST_PROCESS="another", SHLVL="7")
    path = f"/of/the/caller:{os.environ['PATH']}"
    shown = lint.run("show", check=True, env={"TERM_SESSION_ID": "3", "PATH": path}).out
    assert shown == f"3 {lint.environment('show') / 'bin'}:{path}\n"


def test_all_variables_that_were_looked_up_by_name_are_inputs_of_the_plan(lint: ProjectFolder) -> None:
    """Looked at are all that the program asks for until the session's commands start."""
    forget(lint)
    seen = watched_by(ASKED, lint, "lint")
    assert records(lint)
    assert set(seen["asked"]) - set(seen["inputs"]) <= NO_INPUTS.keys()
    assert {"CI", "SETLIST_ENV_DIR", "GITHUB_ACTIONS"} <= set(seen["inputs"])


NO_INPUTS = {
    "NO_COLOR": "how something is shown is decided anew",
    "FORCE_COLOR": "how something is shown is decided anew",
    "TERM": "how something is shown is decided anew",
    "VIRTUAL_ENV": "it decides what a session inherits, by a rule that is applied anew",
    "PATH": "it decides what a session inherits, by a rule that is applied anew",
    "SETLIST_PROCESS": "it marks processes",
}

# A run whose variables are a mapping that notes which of them it is asked for by name
ASKED = """
import json, os, sys
from setlist.engine import trace
from setlist.core import project

asked, inputs, done = set(), set(), []

class Noting(dict):
    def note(self, name):
        if not done:
            asked.add(name)
    def __getitem__(self, name):
        self.note(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        self.note(name)
        return super().get(name, default)
    def __contains__(self, name):
        self.note(name)
        return super().__contains__(name)

current = project.Caller.current
def noting():
    caller = current()
    return project.Caller(Noting(caller.environ), caller.cwd, caller.ci)
project.Caller.current = noting

put = trace.Store.put
def noted(self, key, world, value):
    if key.startswith("run/"):
        looks = [*world.trace]
        while looks:
            kind, name, *_ = looks.pop()
            if kind == "variable":
                inputs.add(name)
            elif kind == "entry":
                looks += trace.Store("", self._root, {}).last(name).trace
    put(self, key, world, value)
trace.Store.put = noted

from setlist.process import spawn
sys.argv = ["run", *sys.argv[1:]]
from setlist.cli.run import main
from setlist.runner import command
started = command.plan_command
def planned(*arguments):
    found = started(*arguments)
    done.append(True)
    return found
from setlist.runner import session
session.plan_command = planned
code = main()
print("seen " + json.dumps({"code": code, "asked": sorted(asked), "inputs": sorted(inputs)}))
"""


@pytest.mark.parametrize(
    ("keys", "command", "code"),
    [
        ("timeout = 5", "true", 0),
        ("timeout = 0.5", "test ! -e go || sleep 60", 1),
        ("retries = 1", "test ! -e go || test -e twice || (touch twice; exit 3)", 0),
        ("allow-failure = true", "test ! -e go || exit 3", 0),
        ("interactive = true", "test ! -e go || exit 3", 1),
        ("cwd = 'docs'", "pwd", 0),
    ],
)
def test_what_comes_of_a_session_is_the_same(lint: ProjectFolder, keys: str, command: str, code: int) -> None:
    lint.write("docs/index.md", "")
    lint.sessions(f'[tool.setlist.session.other]\n{keys}\nrun = [{{ cmd = "{command}", shell = true }}]\n')
    forget(lint)
    lint.run("other", check=True)
    assert records(lint)
    lint.write("go", "")
    again, told = lint.run("other"), lint.history()
    forget(lint)
    (lint.path / "twice").unlink(missing_ok=True)
    whole = lint.run("other")
    assert (again.code, again.out, plain(again.err)) == (whole.code, whole.out, plain(whole.err))
    assert again.code == code
    assert shape(told) == shape(lint.history())


@pytest.mark.parametrize("keys", ['inherit-env = ["FOO*"]', "inherit-env = false", "inherit-env = true"])
def test_the_rule_of_what_is_inherited_is_kept(lint: ProjectFolder, keys: str) -> None:
    lint.sessions(f'[tool.setlist.session.other]\n{keys}\nrun = [{{ cmd = "echo $FOO1 $BAR", shell = true }}]\n')
    environ: dict[str, str | None] = {"FOO1": "foo", "BAR": "bar"}
    whole = lint.run("other", check=True, env=environ).out
    assert by_record(lint, "other", FOO1="x")
    assert lint.run("other", check=True, env=environ).out == whole


@pytest.mark.parametrize("table", ["session", "command"])
def test_a_variable_that_a_table_sets_counts_whatever_the_caller_has(lint: ProjectFolder, table: str) -> None:
    own, of_command = ('env = { FOO = "mine" }', "") if table == "session" else ("", ', env = { FOO = "mine" }')
    lint.sessions(f'[tool.setlist.session.other]\n{own}\nrun = [{{ cmd = "echo $FOO", shell = true{of_command} }}]\n')
    forget(lint)
    lint.run("other", check=True, env={"FOO": "mine"})
    assert records(lint)
    for value in ("theirs", None):
        assert lint.run("other", check=True, env={"FOO": value}).out == "mine\n"


def test_a_variable_that_the_table_of_another_command_sets_is_inherited(lint: ProjectFolder) -> None:
    shows = '{ cmd = "echo $FOO", shell = true'
    lint.sessions(f'[tool.setlist.session.other]\nrun = [{shows} }}, {shows}, env = {{ FOO = "mine" }} }}]\n')
    forget(lint)
    lint.run("other", check=True, env={"FOO": "once"})
    assert records(lint)
    assert not any(b"once" in record.read_bytes() for record in records(lint))
    assert lint.run("other", check=True, env={"FOO": "now"}).out == "now\nmine\n"


def test_a_lock_that_is_out_of_date_is_told_in_each_run(lint: ProjectFolder) -> None:
    lint.setlist("lock", "lint", check=True)
    lint.write("requirements.txt", "delta==1.1\n")
    for _ in range(3):
        assert "the lock of lint is out of date" in lint.run("lint", check=True, env={"CI": None}).err


def test_a_directory_that_a_command_removes(lint: ProjectFolder) -> None:
    lint.sessions(
        """
        [tool.setlist.session.other]
        run = [{ cmd = "test ! -e go || rm -r ../project", shell = true }, "python -c pass"]
        """
    )
    lint.run("other", check=True)
    assert records(lint)
    lint.write("go", "")
    gone = lint.run("other")
    assert gone.code == 1
    assert "Traceback" not in gone.err
    assert "other  failed" in gone.err


@pytest.mark.parametrize("code", ["0", "3"])
def test_with_sigchld_ignored_the_end_of_a_command_is_known(lint: ProjectFolder, code: str) -> None:
    lint.run("lint", check=True)
    lint.write("code", code)
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    for more in ((), ("--no-lock",)):  # by the kept plan, and by the whole program
        argv = [sys.executable, "-c", ignoring, *installed("run"), *more, "lint"]
        done = subprocess.run(argv, cwd=lint.path, capture_output=True, text=True)
        assert (done.returncode, "Traceback" in done.stderr) == (1 if code == "3" else 0, False)


def test_a_descriptor_beyond_the_limit_of_open_files(lint: ProjectFolder) -> None:
    lint.run("lint", check=True)
    command = f"exec 300>/dev/null; ulimit -S -n 256; exec {installed('run')[0]} lint"
    done = subprocess.run(["bash", "-c", command], cwd=lint.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_command_writes_to_a_file_is_written_again(lint: ProjectFolder) -> None:
    lint.sessions(
        """
        [tool.setlist.session.other]
        run = [
            { cmd = ["tool"], stdout = "out/one.txt" },
            { cmd = "exit 3", shell = true, ok-codes = [0, 3] },
            { cmd = "exit 4", shell = true, allow-failure = true },
        ]
        deps = ["tool"]
        """
    )
    forget(lint)
    whole = lint.run("other", check=True)
    written = lint.read("out/one.txt")
    (lint.path / "out" / "one.txt").unlink()
    assert by_record(lint, "other")
    again = lint.run("other", check=True)
    assert plain(again.err) == plain(whole.err).replace(whole.err.splitlines()[0], again.err.splitlines()[0])
    assert lint.read("out/one.txt") == written


def test_a_lock_that_comes_is_seen(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    lint.setlist("lock", "lint", check=True)
    assert not by_record(lint, "lint")


def test_an_environment_that_is_being_changed_is_waited_for(lint: ProjectFolder) -> None:
    watched(lint, "lint")
    guard = os.open(lint.path / STATE_DIRECTORY / "guards" / "lint.lock", os.O_RDWR)
    fcntl.flock(guard, fcntl.LOCK_EX)
    run = subprocess.Popen([*installed("run"), "lint"], cwd=lint.path, stdout=subprocess.DEVNULL)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(1.0)
        os.close(guard)
        assert run.wait(30) == 0
    finally:
        run.kill()
        run.wait()


def test_the_environment_is_held_while_it_is_used(lint: ProjectFolder) -> None:
    lint.sessions("[tool.setlist.session.nap]\nrun = [\"python -c 'import time; time.sleep(1.5)'\"]\n")
    lint.run("nap", check=True)
    assert records(lint)
    run = subprocess.Popen([*installed("run"), "nap"], cwd=lint.path, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    try:
        while "$" not in run.stderr.readline():
            pass
        guard = os.open(lint.path / STATE_DIRECTORY / "guards" / "nap.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(guard)
        assert run.wait(30) == 0
    finally:
        run.kill()
        run.wait()
        run.stderr.close()


STUBBORN = """
[tool.setlist]
interrupt-grace = 0.4
terminate-grace = 0.4
[tool.setlist.session.stubborn]
run = [{ cmd = "test -e go || exit 0; trap '' INT TERM; (sleep 61 &); echo on; sleep 61; sleep 61", shell = true }]
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_tree_as_ever(lint: ProjectFolder, signum: int, code: int) -> None:
    lint.sessions(STUBBORN)
    lint.run("stubborn", check=True)
    assert records(lint)
    lint.write("go", "")
    run = subprocess.Popen(
        [*installed("run"), "stubborn"], cwd=lint.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "on\n"
    run.send_signal(signum)
    _, said = run.communicate(timeout=30)
    assert run.returncode == code
    assert f"interrupted by {signal.Signals(signum).name}" in said
    ended = lint.history()[-2:]
    assert [event.get("status", event.get("exit_code")) for event in ended] == ["interrupted", code]
    assert not sleeping(lint)


def test_sigkill_is_seen_by_the_guardian(lint: ProjectFolder) -> None:
    lint.sessions(STUBBORN)
    lint.run("stubborn", check=True)
    lint.write("go", "")
    run = subprocess.Popen([*installed("run"), "stubborn"], cwd=lint.path, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "on\n"
    run.kill()
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 20
    while sleeping(lint) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not sleeping(lint)


def test_what_a_command_leaves_in_its_group_is_ended(lint: ProjectFolder) -> None:
    lint.sessions('[tool.setlist.session.leaves]\nrun = [{ cmd = "(sleep 61 &) ; echo on", shell = true }]\n')
    for _ in range(2):
        lint.run("leaves", check=True)
        assert not sleeping(lint)


def test_a_program_that_went_between_two_commands_is_refused(lint: ProjectFolder) -> None:
    lint.sessions(
        """
        [tool.setlist.session.gone]
        deps = ["tool"]
        run = [{ cmd = "test ! -e go || rm {envdir}/bin/tool", shell = true }, "tool"]
        """
    )
    lint.run("gone", check=True)
    assert records(lint)
    lint.write("go", "")
    result = lint.run("gone")
    assert result.code == 1
    assert "no such program" in result.err or "can't run" in result.err
    assert "gone  failed" in result.err


@pytest.mark.parametrize(
    "keys",
    [
        'env = { A = "{env:HOME}" }',
        'cwd = "{env:PWD}"',
        'cwd = "{tmp}"',
        'secrets = ["TOKEN"]',
        'env-file = ".env"',
        'inputs = ["input"]',
        'backend = "none"',
    ],
)
def test_what_more_than_signatures_decides_leaves_no_record(lint: ProjectFolder, keys: str) -> None:
    forget(lint)
    lint.sessions(f'[tool.setlist.session.other]\n{keys}\nrun = ["python -c pass"]\n')
    lint.run("other", check=True)
    assert not records(lint)


def test_no_secret_of_the_caller_is_written_down(lint: ProjectFolder) -> None:
    environ: dict[str, str | None] = {"DEPLOY_TOKEN": "hunter2-hunter2"}
    lint.run("lint", check=True, env=environ)
    kept = records(lint)
    assert kept
    assert not any(b"hunter2" in record.read_bytes() for record in kept)
