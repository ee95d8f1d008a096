"""A plan is carried out: order, what blocks what, exit codes, interruptions."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.events import (
    CommandFinished,
    CommandStarted,
    EnvironmentReady,
    Event,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionStarted,
)
from setlist.core.model import Command, EnvironmentSpec, FunctionReference
from setlist.engine.execute import SessionResult, exit_code_of
from setlist.process.spawn import handling_signals
from setlist.runner.tempdir import in_use

World = Any

FAILS = "raise SystemExit(1)"
PASSES = "pass"
MISSING = EnvironmentSpec(python="3.77", backend="none")


def test_a_run_is_told_from_start_to_end(world: World) -> None:
    world.add("lint", PASSES)
    assert world.run(argv=("lint",)) == 0
    kinds = [event.kind for event in world.events]
    assert kinds == [
        "run-started",
        "session-started",
        "environment-ready",
        "command-started",
        "command-finished",
        "session-finished",
        "run-finished",
    ]
    (started,) = world.told(RunStarted)
    assert (started.sessions, started.argv) == (("lint",), ("lint",))
    (ready,) = world.told(EnvironmentReady)
    assert ready.action == "none"
    assert ready.interpreter.startswith("python 3.")
    (finished,) = world.told(SessionFinished)
    assert (finished.status, finished.reason, finished.exit_code, finished.frozen) == ("ok", None, 0, None)
    assert world.told(RunFinished)[0].exit_code == 0


def test_commands_run_in_order_until_one_fails(world: World) -> None:
    world.add("lint", "print(1)", FAILS, "open('third', 'w')")
    assert world.run() == 1
    assert [event.ok for event in world.told(CommandFinished)] == [True, False]
    assert not (world.root / "third").exists()
    assert world.ends()["lint"].endswith("exited with code 1")


def test_the_rest_goes_on_after_a_failure(world: World) -> None:
    world.add("a", FAILS)
    world.add("b", PASSES)
    assert world.run() == 1
    assert world.ends()["b"] == "ok"


def test_fail_fast_leaves_the_rest(world: World) -> None:
    world.add("a", PASSES)
    world.add("b", FAILS)
    world.add("c", PASSES)
    assert world.run(fail_fast=True) == 1
    assert [event.session for event in world.told(SessionStarted)] == ["a", "b"]
    assert world.ends()["c"] == "not-run: an earlier one failed"


def test_a_failed_one_blocks_what_requires_it_and_so_on(world: World) -> None:
    world.add("a", FAILS)
    world.add("b", PASSES, requires=("a",))
    world.add("c", PASSES, requires=("b",))
    world.add("d", PASSES)
    assert world.run() == 1
    ends = world.ends()
    assert ends["b"] == "skipped: requires a, which failed"
    assert ends["c"] == "skipped: requires b, which was skipped"
    assert ends["d"] == "ok"
    assert {event.session: event.exit_code for event in world.told(SessionFinished)} == {"a": 1, "b": 0, "c": 0, "d": 0}


def test_one_that_may_fail_still_blocks_but_the_run_passes(world: World) -> None:
    world.add("a", FAILS, allow_failure=True)
    world.add("b", PASSES, requires=("a",))
    assert world.run() == 0
    assert world.ends()["a"].startswith("failed")
    assert world.ends()["b"].startswith("skipped")


def test_one_that_skips_itself_blocks_nothing(world: World) -> None:
    world.add_function("a", "s.skip('requires docker')")
    world.add("b", PASSES, requires=("a",))
    assert world.run() == 0
    assert world.ends() == {"a": "skipped: requires docker", "b": "ok"}


def test_what_isnt_part_of_the_run_blocks_nothing(world: World) -> None:
    world.add("a", FAILS)
    world.add("b", PASSES, requires=("a",))
    assert world.run("b", follow_requires=False) == 0
    assert world.ends() == {"b": "ok"}


def test_a_session_that_only_gathers_makes_no_environment(world: World) -> None:
    world.add("a", PASSES)
    world.add("all", requires=("a",), environment=EnvironmentSpec())
    assert world.run("all") == 0
    assert world.ends() == {"a": "ok", "all": "ok"}
    assert [event.session for event in world.told(EnvironmentReady)] == ["a"]


def test_a_session_without_commands_prepares_its_environment(world: World) -> None:
    world.add("env", environment=EnvironmentSpec())
    assert world.run() == 0
    assert [event.action for event in world.told(EnvironmentReady)] == ["created"]
    (finished,) = world.told(SessionFinished)
    assert finished.frozen == f"{STATE_DIRECTORY}/envs/env/requirements.txt"
    assert (world.root / finished.frozen).exists()


def test_posargs_go_to_what_was_asked_for(world: World) -> None:
    world.add("a", ("echo", "{posargs:default}"))
    world.add("b", ("echo", "{posargs:default}"), requires=("a",))
    world.run("b", posargs=("x", "y z"))
    assert [event.command for event in world.told(CommandStarted)] == [("echo", "default"), ("echo", "x", "y z")]


def test_a_missing_interpreter_is_a_visible_skip_that_blocks_nothing(world: World) -> None:
    world.add("a", PASSES, environment=MISSING)
    world.add("b", PASSES, requires=("a",))
    assert world.run() == 0
    assert world.ends()["a"].startswith("skipped: python 3.77 not found (looked ")
    assert world.ends()["b"] == "ok"


def test_a_missing_interpreter_is_an_error_in_ci(world: World) -> None:
    world.in_ci()
    world.add("a", PASSES, environment=MISSING)
    world.add("b", PASSES)
    assert world.run() == 4
    assert world.ends()["a"].startswith("failed: python 3.77 not found")
    assert any("uv python install" in text for text in world.messages("error"))
    world.add("c", FAILS)
    assert world.run() == 1


def test_exit_codes_by_weight() -> None:
    def code(*codes: int) -> int:
        return exit_code_of([SessionResult("failed", exit_code=one) for one in codes])

    assert code() == 0
    assert code(0, 0) == 0
    assert code(4, 0) == 4
    assert code(4, 3) == 3
    assert code(3, 4, 1) == 1


def test_an_environment_that_cant_be_made_fails_only_its_session(world: World) -> None:
    world.add("a", PASSES, environment=EnvironmentSpec(requirements=("gone.txt",)))
    world.add("b", PASSES)
    assert world.run() == 1
    assert "gone.txt" in world.ends()["a"]
    assert world.ends()["b"] == "ok"
    assert any("gone.txt" in text for text in world.messages("error"))


def test_what_nobody_foresaw_fails_the_session_and_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError("a bug")

    world.add("a", PASSES)
    world.add("b", PASSES)
    monkeypatch.setattr("setlist.runner.session.plan_command", broken)
    assert world.run() == 1
    assert world.ends() == dict.fromkeys("ab", "failed: ZeroDivisionError: a bug")
    assert "in broken" in world.read(f"{STATE_DIRECTORY}/logs/a.traceback.log")
    assert any(f"{STATE_DIRECTORY}/logs/a.traceback.log" in text for text in world.messages("error"))


def test_a_log_that_cant_be_written_is_said(world: World) -> None:
    world.add_function("a", "1 / 0")
    (world.root / STATE_DIRECTORY / "logs").write_text("in the way")
    assert world.run() == 1
    assert any("its traceback couldn't be kept" in text for text in world.messages("error"))


def test_a_refused_command_is_told_with_its_hint_and_not_tried_again(world: World) -> None:
    world.add("a", ("no-such-tool",), environment=EnvironmentSpec(), retries=3)
    assert world.run() == 1
    assert world.ends()["a"] == "failed: 'no-such-tool' isn't in the environment of a"
    assert any('external = ["no-such-tool"]' in text for text in world.messages("error"))
    assert not world.told(SessionRetried)


# --- what commands see ----------------------------------------------------------------------------


def test_env_cwd_and_substitutions_of_a_session(world: World) -> None:
    (world.root / "docs").mkdir()
    code = "import os; open('seen', 'w').write('|'.join(os.environ[n] for n in ('A', 'B', 'SETLIST_SESSION')))"
    world.add("a", code, cwd="{env:WHERE}", env=(("WHERE", "docs"), ("A", "{session}"), ("B", "{env:A}2")))
    assert world.run() == 0
    assert world.read("docs/seen") == "a|a2|a"


def test_a_directory_that_is_missing_is_told(world: World) -> None:
    world.add("a", PASSES, cwd="gone")
    assert world.run() == 1
    assert world.ends()["a"] == "failed: the directory gone doesn't exist"


def test_a_single_variable_is_let_through_what_holds_the_rest_back(world: World) -> None:
    world.caller.environ["TOKEN"] = "t"
    world.caller.environ["SECRET"] = "s"
    code = "import os; open('seen', 'w').write(os.environ['TOKEN'] + str(os.environ.get('SECRET')))"
    world.add("a", code, inherit_env=False, env=(("TOKEN", "{env:TOKEN}"),))
    assert world.run() == 0
    assert world.read("seen") == "tNone"


def test_tmp_is_fresh_empty_and_gone_afterwards(world: World) -> None:
    code = (
        "import os, sys; d = sys.argv[1]; assert os.listdir(d) == []; "
        "open(d + '/x', 'w'); open('seen', 'a').write(d + '\\n')"
    )
    world.add("a", Command(words=(sys.executable, "-c", code, "{tmp}")))
    assert world.run() == world.run() == 0
    first, second = world.read("seen").splitlines()
    assert first != second
    assert not os.path.exists(first)
    assert not os.path.exists(second)


def test_tmp_of_a_run_that_was_killed_is_removed_by_the_next_and_not_one_in_use(world: World) -> None:
    place = world.root / STATE_DIRECTORY / "tmp" / "a"
    (place / "abcdef" / "deep").mkdir(parents=True)
    with in_use(world.project, "a"):
        assert not place.exists()
        (place / "ghijkl").mkdir(parents=True)
        world.add("a", ("echo", "{tmp}"))
        assert world.run() == 0
        assert os.listdir(place) == ["ghijkl"]
    assert world.run() == 0
    assert not place.exists()


def test_tmp_isnt_made_where_nobody_asks(world: World) -> None:
    world.add("a", PASSES)
    world.run()
    assert not (world.root / STATE_DIRECTORY / "tmp").exists()


def test_a_place_for_tmp_that_cant_be_made_fails_the_session(world: World) -> None:
    (world.root / STATE_DIRECTORY / "tmp").write_text("in the way")
    world.add("a", ("echo", "{tmp}"))
    assert world.run() == 1
    assert "can't make" in world.ends()["a"]


def test_the_environments_programs_are_run_and_its_python_is_first(world: World) -> None:
    code = "import os, sys; open('seen', 'w').write(sys.prefix + '|' + os.environ['VIRTUAL_ENV'])"
    world.add("a", ("python", "-c", code), environment=EnvironmentSpec())
    assert world.run() == 0
    directory = str(world.root / STATE_DIRECTORY / "envs" / "a")
    assert world.read("seen") == f"{directory}|{directory}"
    (finished,) = world.told(SessionFinished)
    assert finished.frozen == f"{STATE_DIRECTORY}/envs/a/requirements.txt"


# --- tries and times ------------------------------------------------------------------------------

COUNTS = """
import os
n = len(os.listdir("tries"))
open(f"tries/{n}", "w").close()
raise SystemExit(0 if n == 2 else 1)
"""


def test_a_failed_session_is_tried_again(world: World) -> None:
    (world.root / "tries").mkdir()
    world.add("a", COUNTS, retries=4)
    assert world.run() == 0
    assert [(event.attempt, event.attempts) for event in world.told(SessionRetried)] == [(2, 5), (3, 5)]
    assert world.told(SessionRetried)[0].reason.endswith("exited with code 1")
    assert world.ends()["a"] == "flaky: passed at try 3 of 5"
    assert world.told(SessionFinished)[0].attempts == 3


def test_tries_come_to_an_end(world: World) -> None:
    (world.root / "tries").mkdir()
    world.add("a", COUNTS, retries=1)
    assert world.run() == 1
    assert len(world.told(CommandFinished)) == 2


def test_a_timeout_is_for_all_commands_of_one_try(world: World) -> None:
    world.add("a", ("echo", "x"), "import time; time.sleep(60)", timeout=0.7, retries=1)
    assert world.run() == 1
    assert [event.timed_out for event in world.told(CommandFinished)] == [False, True] * 2
    assert "timed out after" in world.ends()["a"]


# --- interruptions --------------------------------------------------------------------------------

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def signalled(world: World, signum: int, **options: Any) -> int:
    """Run, and get a signal once a file says that the time has come."""
    flag: Path = world.root / "now"

    def send() -> None:
        while not flag.exists():
            pass
        os.kill(os.getpid(), signum)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    with handling_signals():
        code: int = world.run(**options)
    thread.join()
    return code


@posix
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_run_tells_its_end(world: World, signum: signal.Signals, code: int) -> None:
    world.add("a", PASSES)
    world.add("b", "import time; open('now', 'w').close(); time.sleep(60)", retries=2)
    world.add("c", PASSES)
    assert signalled(world, signum) == code
    assert world.ends() == {
        "a": "ok",
        "b": f"interrupted: interrupted by {signum.name}",
        "c": "not-run: the run was interrupted",
    }
    assert world.told(RunFinished)[0].exit_code == code
    assert world.events[-1] is world.told(RunFinished)[0]


@posix
def test_a_functions_own_code_is_interrupted_too(world: World) -> None:
    world.add_function("a", "import time\n(s.root / 'now').write_text('')\ntime.sleep(60)")
    assert signalled(world, signal.SIGTERM) == 143
    assert world.ends()["a"] == "interrupted: interrupted by SIGTERM"


@posix
def test_a_signal_between_sessions_starts_no_further_one(world: World) -> None:
    world.add("a", PASSES)
    world.add("b", PASSES)

    def signal_after_a(event: Event) -> None:
        if isinstance(event, SessionFinished) and event.session == "a":
            os.kill(os.getpid(), signal.SIGTERM)

    world.also = signal_after_a
    with handling_signals():
        assert world.run() == 143
    assert world.ends() == {"a": "ok", "b": "not-run: the run was interrupted"}


def test_a_keyboard_interrupt_without_handlers_counts_as_one(world: World) -> None:
    world.add("a", "pass")

    def interrupt(event: Event) -> None:
        if isinstance(event, EnvironmentReady):
            raise KeyboardInterrupt

    world.also = interrupt
    assert world.run() == 130
    assert world.ends()["a"] == "interrupted: interrupted by SIGINT"


def test_a_function_that_raises_a_keyboard_interrupt_has_failed(world: World) -> None:
    world.add_function("a", "raise KeyboardInterrupt")
    assert world.run() == 1
    assert world.ends()["a"] == "failed: sessions/a.py:6: KeyboardInterrupt"


def test_a_function_that_isnt_there_any_more(world: World) -> None:
    world.add_function("a", "pass")
    world.add("b", function=FunctionReference("sessions/a.py", "b"))
    assert world.run("b") == 1
    assert "declares no session 'b'" in world.ends()["b"]
