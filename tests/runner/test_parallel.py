"""Several sessions at once: what runs beside what, how the run ends, and what is told of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from setlist.core.events import (
    CommandStarted,
    EnvironmentReady,
    Event,
    Output,
    RunStarted,
    SessionFinished,
    SessionRunning,
    SessionStarted,
)
from setlist.process.spawn import handling_signals

from .conftest import World

NAP = "import time; time.sleep(0.3)"
LONG = "import time; time.sleep(60)"


def spans(world: World) -> dict[str, tuple[float, float]]:
    """From when until when each session ran."""
    began = {event.session: event.time for event in world.told(SessionRunning)}
    return {event.session: (began[event.session], event.time) for event in world.told(SessionFinished)}


def overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def test_two_run_at_once_and_no_third(world: World) -> None:
    for name in "abcd":
        world.add(name, NAP)
    assert world.run(jobs=2) == 0
    ran = spans(world)
    assert world.told(RunStarted)[0].jobs == 2
    at_once = [sum(overlap(span, other) for other in ran.values()) for span in ran.values()]
    assert max(at_once) >= 2
    for name in "abcd":
        began = ran[name][0]
        assert sum(start <= began < end for start, end in ran.values()) <= 2


def test_a_session_begins_after_what_it_requires(world: World) -> None:
    world.add("a", NAP)
    world.add("b", "pass")
    world.add("c", "pass", requires=("a",))
    assert world.run(jobs=3) == 0
    ran = spans(world)
    assert ran["c"][0] >= ran["a"][1]


def test_an_exclusive_one_runs_alone(world: World) -> None:
    world.add("a", NAP)
    world.add("b", NAP, exclusive=True)
    world.add("c", NAP)
    assert world.run(jobs=3) == 0
    ran = spans(world)
    assert not overlap(ran["b"], ran["a"])
    assert not overlap(ran["b"], ran["c"])
    assert overlap(ran["a"], ran["c"])


def test_two_with_one_mutex_take_turns(world: World) -> None:
    world.add("a", NAP, mutex=("database",))
    world.add("b", NAP, mutex=("database",))
    world.add("c", NAP)
    assert world.run(jobs=3) == 0
    ran = spans(world)
    assert not overlap(ran["a"], ran["b"])


def test_of_a_resource_no_more_is_taken_than_there_is(world: World) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, resources=(("slots", 3),))
    for name in "abc":
        world.add(name, NAP, resources=(("slots", 2),))
    world.add("d", NAP, resources=(("slots", 1),))
    assert world.run(jobs=4) == 0
    ran = spans(world)
    assert not any(overlap(ran[one], ran[other]) for one, other in ("ab", "bc", "ac"))


def test_one_that_requires_a_failed_one_is_skipped(world: World) -> None:
    world.add("a", "raise SystemExit(3)")
    world.add("b", "pass", requires=("a",))
    world.add("c", "pass", requires=("b",))
    world.add("d", "pass")
    assert world.run(jobs=2) == 1
    assert world.ends()["b"] == "skipped: requires a, which failed"
    assert world.ends()["c"] == "skipped: requires b, which was skipped"
    assert world.ends()["d"] == "ok"


def test_nobody_waits_for_one_that_would_run_alone_and_is_skipped(world: World) -> None:
    world.add("a", "raise SystemExit(3)")
    world.add("bench", "pass", requires=("a",), exclusive=True)
    world.add("b", "import time; time.sleep(0.8)")
    world.add("c", NAP)
    assert world.run(jobs=2) == 1
    assert world.ends()["bench"] == "skipped: requires a, which failed"
    began = {event.session: event.time for event in world.told(SessionRunning)}
    ended = {event.session: event.time for event in world.told(SessionFinished)}
    assert began["c"] < ended["b"]


def test_fail_fast_ends_what_runs_and_begins_nothing_more(world: World) -> None:
    world.add("a", "import time; time.sleep(0.4); raise SystemExit(3)")
    world.add("b", LONG)
    world.add("c", "pass", requires=("b",))
    began = time.monotonic()
    with handling_signals():
        assert world.run(jobs=2, fail_fast=True) == 1
    assert time.monotonic() - began < 20
    assert world.ends()["b"] == "interrupted: stopped: an earlier one failed"
    assert world.ends()["c"] == "not-run: an earlier one failed"


def unnoticed(signum: int) -> None:
    """Send a signal to this thread: as one that comes right before a wait, it ends none of the main thread's waits."""
    signal.pthread_kill(threading.get_ident(), signum)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("send", [partial(os.kill, os.getpid()), unnoticed], ids=["in-a-wait", "before-a-wait"])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_that_run(world: World, signum: int, code: int, send: Callable[[int], None]) -> None:
    world.add("a", LONG)
    world.add("b", LONG)
    world.add("c", LONG)
    running = []

    def interrupt(event: Event) -> None:
        if isinstance(event, CommandStarted):
            running.append(event)
            if len(running) == 2:
                threading.Timer(0.2, send, (signum,)).start()

    world.also = interrupt
    began = time.monotonic()
    with handling_signals():
        assert world.run(jobs=2) == code
    assert time.monotonic() - began < 20
    name = signal.Signals(signum).name
    assert sorted(world.ends().values()) == [f"interrupted: interrupted by {name}"] * 2 + [
        "not-run: the run was interrupted"
    ]


def test_each_event_comes_in_its_sessions_order(world: World) -> None:
    for name in "abcdef":
        world.add(name, "print('x')")
    assert world.run(jobs=3, capturing="merged") == 0
    for name in "abcdef":
        kinds = [event.kind for event in world.events if getattr(event, "session", None) == name]
        assert kinds == [
            "session-started",
            "environment-ready",
            "session-running",
            "command-started",
            "output",
            "command-finished",
            "session-finished",
        ]


def test_what_is_captured_comes_with_its_stream(world: World) -> None:
    world.add("a", "import sys; print('one'); print('two', file=sys.stderr)")
    assert world.run(capturing="apart") == 0
    assert world.told(SessionStarted)[0].captured
    assert {(event.stream, event.data.strip()) for event in world.told(Output)} == {
        ("stdout", "one"),
        ("stderr", "two"),
    }


def test_merged_streams_come_in_their_order(world: World) -> None:
    world.add("a", "import os\nfor n in range(50): os.write(1 + n % 2, b'%d ' % n)")
    assert world.run(capturing="merged") == 0
    assert "".join(event.data for event in world.told(Output)).split() == [str(n) for n in range(50)]


def test_bytes_that_are_no_text_can_be_had_back(world: World) -> None:
    world.add("a", r"import os; os.write(1, b'\xff\xfe caf\xc3'); os.write(1, b'\xa9 end')")
    assert world.run(capturing="merged") == 0
    data = "".join(event.data for event in world.told(Output))
    assert data.encode("utf-8", "surrogateescape") == b"\xff\xfe caf\xc3\xa9 end"


def test_a_captured_command_has_no_terminal_and_no_input(world: World) -> None:
    world.add(
        "a",
        """
        import os, sys
        assert not sys.stdin.read()
        try:
            os.open("/dev/tty", os.O_RDWR)
        except OSError:
            print("none")
        """,
    )
    assert world.run(capturing="merged") == 0
    assert world.told(Output)[0].data.strip() == "none"


def test_secrets_are_shown_to_nobody(world: World) -> None:
    world.caller.environ["DEPLOY_TOKEN"] = "hunter2-hunter2"  # type: ignore[index]
    world.add(
        "a",
        """
        import os, time
        token = os.environ["DEPLOY_TOKEN"]
        os.write(1, token[:5].encode()); time.sleep(0.1); os.write(1, token[5:].encode() + b" done")
        """,
        ["{env:DEPLOY_TOKEN}"],
        secrets=("DEPLOY_*",),
    )
    assert world.run(capturing="merged") == 1
    assert "".join(event.data for event in world.told(Output)) == "*** done"
    assert not any("hunter2" in str(event) for event in world.events)


SHOWS_TOKEN = ("-c", "import os; print(os.environ['TOKEN'])")


def nowhere_in(world: World, secret: str) -> bool:
    """Whether a secret is in no event, and in no file of ours."""
    kept = [path.read_text(errors="replace") for path in world.project.state.rglob("*") if path.is_file()]
    return not any(secret in str(told) for told in (*world.events, *kept))


def test_secrets_that_only_a_run_can_expand_are_masked(world: World) -> None:
    world.add("a", [sys.executable, *SHOWS_TOKEN], env=(("TOKEN", "{session}-{tmp}"),), secrets=("TOKEN",))
    assert world.run(capturing="merged") == 0
    assert "".join(event.data for event in world.told(Output)) == "***\n"


def test_secrets_that_a_function_hands_to_a_command_are_masked(world: World) -> None:
    world.add_function(
        "a",
        f"""
        import sys
        s.run(sys.executable, *{SHOWS_TOKEN!r}, env={{"TOKEN": "swordfish-" + "1"}})
        s.run(sys.executable, "-c", "pass", "swordfish-" + "1")
        s.env["TOKEN"] = "swordfish-" + "2"
        s.log("with " + s.env["TOKEN"])
        s.run(sys.executable, *{SHOWS_TOKEN!r})
        """,
        secrets=("TOKEN",),
    )
    assert world.run(capturing="merged") == 0
    assert "".join(event.data for event in world.told(Output)) == "***\n***\n"
    assert "with ***" in world.messages("info")
    assert nowhere_in(world, "swordfish-1")
    assert nowhere_in(world, "swordfish-2")


def test_a_kept_traceback_holds_no_secret(world: World) -> None:
    world.add_function(
        "a",
        """
        s.env["TOKEN"] = "swordfish-" + "3"
        raise RuntimeError("refused: " + s.env["TOKEN"])
        """,
        secrets=("TOKEN",),
    )
    assert world.run(capturing="merged") == 1
    assert nowhere_in(world, "swordfish-3")
    assert "refused: ***" in (world.project.logs / "a.traceback.log").read_text()


def test_an_interactive_session_gets_the_streams_to_itself(world: World) -> None:
    world.add("a", NAP)
    world.add("b", NAP, interactive=True)
    assert world.run(jobs=2, capturing="merged") == 0
    assert {event.session: event.captured for event in world.told(SessionStarted)} == {"a": True, "b": False}
    ran = spans(world)
    assert not overlap(ran["a"], ran["b"])


def test_environments_are_made_ready_beside_those_that_run(world: World) -> None:
    world.add("a", NAP)
    world.add("b", NAP)
    world.add("c", "pass")
    assert world.run(jobs=2, durations={"a": 3.0, "b": 3.0, "c": 1.0}) == 0
    ready = {event.session: event.time for event in world.told(EnvironmentReady)}
    assert ready["c"] < min(end for name, (_, end) in spans(world).items() if name != "c")


def test_a_function_is_run_in_a_process_of_its_own(world: World) -> None:
    world.add_function("a", "import os; os.chdir('/'); os.environ['X'] = '1'; print(os.getpid()); os._exit(3)")
    world.add_function("b", "import os; print(os.getpid(), os.environ.get('X'))")
    before = os.getcwd()
    assert world.run(jobs=2, capturing="merged") == 1
    assert os.getcwd() == before
    assert world.ends()["a"] == "failed: its process exited with code 3, before its function had ended"
    assert world.ends()["b"] == "ok"
    said = {event.session: event.data.split() for event in world.told(Output)}
    assert said["b"][1] == "None"
    assert len({str(os.getpid()), said["a"][0], said["b"][0]} if "a" in said else {1, 2, 3}) == 3


def test_what_a_function_prints_comes_in_the_order_of_its_commands(world: World) -> None:
    world.add_function(
        "a",
        """
        import sys
        print("before")
        s.run(sys.executable, "-c", "print('within')", external=True)
        s.log("said")
        print("after")
        """,
    )
    assert world.run(jobs=2, capturing="merged") == 0
    seen = [
        event.data.strip() if isinstance(event, Output) else event.kind
        for event in world.events
        if not isinstance(event, EnvironmentReady) and getattr(event, "session", None) == "a"
    ]
    assert seen == [
        "session-started",
        "before",
        "command-started",
        "within",
        "command-finished",
        "message",
        "after",
        "session-finished",
    ]


def test_a_function_that_takes_too_long_is_ended(world: World) -> None:
    world.add_function("a", "import time; time.sleep(60)", timeout=0.5)
    began = time.monotonic()
    assert world.run() == 1
    assert time.monotonic() - began < 10
    assert world.ends()["a"] == "failed: its function took longer than the timeout of 0.5s"
