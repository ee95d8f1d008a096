"""What a person reads while a run goes on, line by line."""

from __future__ import annotations

import io
import signal
import sys
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.events import (
    CommandFinished,
    CommandStarted,
    EnvironmentReady,
    Event,
    Message,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionStarted,
)
from setlist.core.model import Change, EnvironmentAction, SessionStatus
from setlist.reports.console import Console, command_text, duration_text, end_text, one_line, size_text
from setlist.reports.progress import show_progress
from setlist.reports.terminal import Terminal

ADDED = tuple(Change(f"package{number}", None, "1.0") for number in range(20))


def shown(*events: Event, verbosity: int = 0, color: bool = False) -> str:
    stream = io.StringIO()
    console = Console(Terminal(stream, color=color), verbosity=verbosity)
    for event in events:
        console(event)
    return stream.getvalue()


def started(*sessions: str) -> RunStarted:
    return RunStarted(time=0, run="1", sessions=sessions, argv=())


def ready(
    session: str = "lint", action: EnvironmentAction = "reused", *, reasons: tuple[str, ...] = (), changes: Any = ()
) -> EnvironmentReady:
    return EnvironmentReady(
        time=0,
        session=session,
        interpreter="python 3.11.7",
        action=action,
        reasons=reasons,
        changes=tuple(changes),
        duration=1.5,
    )


def command(*words: str) -> CommandStarted:
    return CommandStarted(time=0, session="lint", command=words)


def ended(code: int, *, ok: bool = False, timed_out: bool = False) -> CommandFinished:
    return CommandFinished(
        time=0, session="lint", command=("ruff",), code=code, ok=ok, timed_out=timed_out, duration=10
    )


def finished(session: str, status: SessionStatus = "ok", reason: str | None = None) -> SessionFinished:
    return SessionFinished(
        time=0,
        session=session,
        status=status,
        reason=reason,
        exit_code=int(status == "failed"),
        duration=0.42,
        frozen=None,
    )


END = RunFinished(time=0, exit_code=0, duration=3.0)


def test_the_sample_of_the_design() -> None:
    changes = [Change("pytest-cov", None, "6.0.0"), Change("pytest", "8.3.4", "8.4.1")]
    text = shown(
        started("lint", "test-py310", "test-py311"),
        SessionStarted(time=0, session="lint"),
        ready("lint"),
        command("ruff", "check", "."),
        ended(0, ok=True),
        finished("lint"),
        finished("test-py310", "skipped", "python 3.10 not found (looked on PATH)"),
        ready("test-py311", "synced", reasons=("deps changed",), changes=changes),
        command("pytest"),
        ended(0, ok=True),
        finished("test-py311"),
        END,
    )
    assert text == (
        "lint        python 3.11.7 · reused\n"
        "  $ ruff check .\n"
        "test-py311  python 3.11.7 · synced: + pytest-cov 6.0.0, ~ pytest 8.3.4 → 8.4.1\n"
        "  $ pytest\n"
        "lint        ok       0.4s\n"
        "test-py310  skipped  python 3.10 not found (looked on PATH)\n"
        "test-py311  ok       0.4s\n"
    )


def test_a_single_session_has_a_summary_of_one_line() -> None:
    assert shown(started("lint"), finished("lint"), END) == "lint  ok  0.4s\n"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ready(action="created", changes=ADDED[:12]), "created: 12 packages"),
        (ready(action="created", changes=ADDED[:1]), "created: 1 package"),
        (ready(action="created"), "created"),
        (
            ready(action="recreated", reasons=("interpreter changed: 3.11.6 → 3.11.7",), changes=ADDED),
            "recreated (interpreter changed: 3.11.6 → 3.11.7): 20 packages",
        ),
        (ready(action="repaired", reasons=("it was unfinished",)), "repaired (it was unfinished)"),
        (ready(action="synced", reasons=("deps changed",)), "synced (deps changed)"),
        (ready(action="synced", changes=[Change("x", "1", None)]), "synced: - x 1"),
        (ready(action="synced", changes=[Change("x", "1", "1")]), "synced: ~ x 1 (reinstalled)"),
        (ready(action="none"), "no environment of its own"),
        (
            ready(action="synced", changes=ADDED),
            "synced: " + ", ".join(f"+ package{n} 1.0" for n in range(6)) + " and 14 more",
        ),
        (ready(action="synced", changes=ADDED[:7]), "synced: " + ", ".join(f"+ package{n} 1.0" for n in range(7))),
    ],
)
def test_what_was_done_to_an_environment_is_one_line(event: EnvironmentReady, text: str) -> None:
    assert shown(started("lint"), event) == f"lint  python 3.11.7 · {text}\n"


def test_verbose_names_every_change_and_every_reason() -> None:
    text = shown(started("lint"), ready(action="synced", reasons=("deps changed",), changes=ADDED), verbosity=1)
    assert "package19" in text
    assert "(deps changed)" in text
    assert text.endswith("[1.5s]\n")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ended(2), "✗ exit code 2"),
        (ended(-signal.SIGTERM), "✗ killed by SIGTERM"),
        (ended(-99), "✗ killed by signal 99"),
        (ended(-15, timed_out=True), "✗ timed out after 10.0s"),
        (ended(3, ok=True), "exit code 3, which is allowed"),
    ],
)
def test_how_a_command_ended_is_said_where_it_matters(event: CommandFinished, text: str) -> None:
    assert shown(event) == f"  {text}\n"


def test_a_command_that_ends_well_says_nothing() -> None:
    assert shown(ended(0, ok=True)) == ""
    assert shown(ended(0, ok=True), verbosity=1) == "  10.0s\n"


def test_quiet_shows_failures_only() -> None:
    text = shown(
        started("lint", "test"),
        ready(),
        command("ruff", "check"),
        ended(0, ok=True),
        Message(time=0, session="lint", level="info", text="hello"),
        Message(time=0, session="lint", level="warning", text="careful"),
        SessionRetried(time=0, session="lint", attempt=2, attempts=3, reason="x"),
        command("mypy"),
        ended(1),
        finished("lint", "failed", "mypy: exit code 1"),
        finished("test"),
        END,
        verbosity=-1,
    )
    assert text == ("lint: warning: careful\nlint\n  $ mypy\n  ✗ exit code 1\nlint  failed  0.4s  mypy: exit code 1\n")


def test_messages_are_indented_under_their_session() -> None:
    message = Message(time=0, session="lint", level="info", text="one\n\ntwo")
    assert shown(ready(), message).endswith("reused\n  one\n\n  two\n")
    assert shown(Message(time=0, session=None, level="error", text="bad")) == "error: bad\n"
    assert shown(Message(time=0, session=None, level="info", text="")) == "\n"


def test_a_session_whose_environment_fails_is_named_above_its_error() -> None:
    message = Message(time=0, session="test", level="error", text="no\nhint: do")
    assert shown(ready("lint"), message, message).splitlines()[1:] == [
        "test",
        "  error: no",
        "  hint: do",
        "  error: no",
        "  hint: do",
    ]


def test_captured_output_is_passed_on_as_it_is() -> None:
    assert shown(Output(time=0, session="lint", stream="stdout", data="no newline")) == "no newline"


def test_a_retry_is_announced() -> None:
    event = SessionRetried(time=0, session="lint", attempt=2, attempts=3, reason="exit code 1\nmore")
    assert shown(event) == "  try 2 of 3: exit code 1 …\n"


def test_statuses_line_up() -> None:
    text = shown(
        finished("a", "failed", "b: exit code 1"),
        finished("longer", "not-run"),
        finished("c", "interrupted"),
        finished("d", "ok", "a command failed, which is allowed"),
        END,
        verbosity=1,
    )
    assert text == (
        "longer  not run\n"
        "d       ok           0.4s  a command failed, which is allowed\n"
        "c       interrupted  0.4s\n"
        "a       failed       0.4s  b: exit code 1\n"
        "4 sessions, 3.0s\n"
    )


def test_the_summary_is_in_the_order_of_the_plan_and_failures_come_last_with_their_logs() -> None:
    stream = io.StringIO()
    logs = {"a": f"{STATE_DIRECTORY}/logs/a.log", "b": f"{STATE_DIRECTORY}/logs/b.log"}
    console = Console(Terminal(stream), log_of=logs.get)
    console(RunStarted(time=0, run="1", sessions=("a", "b", "c", "d"), argv=(), jobs=2))
    for event in (
        finished("d", "failed", "x: exit code 2"),
        finished("c"),
        finished("b", "flaky", "passed at try 2 of 3"),
        finished("a", "failed", "y: exit code 1"),
        END,
    ):
        console(event)
    assert stream.getvalue() == (
        "b  flaky   0.4s  passed at try 2 of 3\n"
        "c  ok      0.4s\n"
        "a  failed  0.4s  y: exit code 1\n"
        f"  log: {STATE_DIRECTORY}/logs/a.log\n"
        "d  failed  0.4s  x: exit code 2\n"
        "1 ok, 1 flaky, 2 failed in 3.0s\n"
    )


def test_a_failure_that_is_allowed_is_told_from_one_that_is_not() -> None:
    stream = io.StringIO()
    console = Console(Terminal(stream, color=True))
    console(RunStarted(time=0, run="1", sessions=("a", "b", "c"), argv=(), jobs=2))
    allowed = SessionFinished(time=0, session="b", status="failed", reason="x", exit_code=0, duration=0.4, frozen=None)
    for event in (finished("a", "failed", "y"), allowed, finished("c"), END):
        console(event)
    assert stream.getvalue().splitlines()[:3] == [
        "b  \x1b[33mfailed (allowed)\x1b[0m  0.4s  x",
        "c  \x1b[32mok\x1b[0m                0.4s",
        "a  \x1b[31m\x1b[1mfailed\x1b[0m            0.4s  y",
    ]
    assert "1 ok, 1 failed, 1 failed (allowed) in 3.0s" in stream.getvalue()


def test_one_long_name_leaves_the_column_of_the_others() -> None:
    text = shown(started("lint", "x" * 80), ready("lint"))
    assert text == "lint  python 3.11.7 · reused\n"


def test_a_command_of_many_lines_is_shown_by_its_first() -> None:
    assert shown(command("python", "-c", "a\nb")) == "  $ python -c 'a …\n"
    assert shown(command("python", "-c", "a\nb"), verbosity=1) == "  $ python -c 'a\nb'\n"


def test_colour_marks_names_and_states() -> None:
    text = shown(started("lint"), ready(), finished("lint"), END, color=True)
    assert "\x1b[1mlint\x1b[0m" in text
    assert "\x1b[32mok\x1b[0m" in text


def test_commands_are_quoted_as_each_platform_does() -> None:
    assert command_text(["a b", "c"], windows=False) == "'a b' c"
    assert command_text(["a b", "c"], windows=True) == '"a b" c'


def test_a_line_for_the_shell_is_shown_as_it_is() -> None:
    assert shown(command("a | b > c")) == "  $ a | b > c\n"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_one_sees_that_something_is_prepared() -> None:
    stream = Tty()
    console = Console(Terminal(stream, color=True), progress=show_progress)
    console(started("lint"))
    console(SessionStarted(time=0, session="lint"))
    assert stream.getvalue() == "lint  preparing…"
    console(ready())
    assert stream.getvalue().startswith("lint  preparing…\r\x1b[K\x1b[1mlint\x1b[0m  python")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0s"), (3.21, "3.2s"), (59.94, "59.9s"), (59.96, "1m 00s"), (64, "1m 04s"), (7380, "2h 03m")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_a_crash_is_named_by_its_signal() -> None:
    assert end_text(-signal.SIGSEGV) == "killed by SIGSEGV"


def test_one_line_marks_that_there_is_more() -> None:
    assert one_line("a\n") == "a"
    assert one_line("a\nb") == "a …"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (80_000, "80 kB"), (2e6, "2.0 MB"), (3e9, "3.0 GB")],
)
def test_sizes_are_short(size: float, text: str) -> None:
    assert size_text(size) == text
