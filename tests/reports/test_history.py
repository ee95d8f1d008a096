"""Runs are kept as they go, and say who failed last."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from setlist.core.events import Event, Message, Output, RunFinished, RunStarted, SessionFinished, SessionStarted
from setlist.core.model import SessionStatus
from setlist.core.project import Project
from setlist.reports.history import KEPT, History
from setlist.reports.past_runs import TYPICAL, Durations, durations, last_failed, past_runs, statistics_of
from support.runs import run_of, session


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def started(run: str, time: float = 1e9) -> RunStarted:
    return RunStarted(time=time, run=run, sessions=("a",), argv=("a",))


def finished(session: str, status: SessionStatus, reason: str | None = None) -> SessionFinished:
    return SessionFinished(
        time=1.0, session=session, status=status, reason=reason, exit_code=0, duration=0.1, frozen=None
    )


def record(project: Project, number: int, *ends: SessionFinished, unstarted: tuple[str, ...] = (), **rest: Any) -> None:
    """Keep a run."""
    history = History(project.history)
    history(started(f"run{number}", 1e9 + number))
    for end in ends:
        if end.session not in unstarted:
            history(SessionStarted(time=1.0, session=end.session))
        history(end)
    for name in rest.get("killed", ()):
        history(SessionStarted(time=1.0, session=name))
    if "killed" in rest:
        history.close()
    else:
        history(RunFinished(time=1.0, exit_code=0, duration=0.1))


def files(project: Project) -> list[Path]:
    return sorted(project.history.iterdir())


def test_events_are_there_as_soon_as_they_happen(project: Project) -> None:
    history = History(project.history)
    history(started("abc", 1e9 + 0.25))
    (path,) = files(project)
    assert path.name == "20010909T014640.250000Z-abc.jsonl"
    history(Message(time=2.0, session="ä", level="info", text="line\nline \ud800"))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["run-started", "message"]
    assert json.loads(lines[1])["session"] == "ä"
    history(RunFinished(time=3.0, exit_code=0, duration=1.0))
    history(finished("late", "ok"))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3


def test_events_before_a_run_are_not_kept(project: Project) -> None:
    History(project.history)(finished("a", "ok"))
    assert not project.history.exists()


def test_the_last_ones_are_kept(project: Project) -> None:
    for number in range(KEPT + 3):
        record(project, number)
    names = [path.name for path in files(project)]
    assert len(names) == KEPT
    assert names[0].endswith("-run3.jsonl")
    assert names[-1].endswith(f"-run{KEPT + 2}.jsonl")


def test_past_runs_come_latest_first_without_what_cant_be_understood(project: Project) -> None:
    record(project, 1, finished("a", "ok"))
    record(project, 2)
    (project.history / "20990101T000000.000000Z-odd.jsonl").write_bytes(
        b'{"event":"run-started","run":"odd","time":1.0,"sessions":[],"argv":[]}\n{"event":"unk'
        b'nown"}\n[]\n\xff\n{"event":"session-started","ti'
    )
    (project.history / "20990102T000000.000000Z-directory.jsonl").mkdir()
    (project.history / "notes.txt").write_text("not ours")
    runs = [[event.kind for event in events] for events in past_runs(project)]
    assert runs == [
        ["run-started"],
        ["run-started", "run-finished"],
        ["run-started", "session-started", "session-finished", "run-finished"],
    ]


def test_where_nothing_can_be_written_the_run_goes_on(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.state.parent.write_text("in the way")
    with caplog.at_level(logging.DEBUG):
        record(project, 1, finished("a", "failed"))
    assert len(caplog.records) == 1
    assert "no history" in caplog.text
    assert last_failed(project) == ()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_disk_that_fills_up_ends_the_history_and_nothing_else(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    history = History(project.history)
    history(started("full"))
    stream = history._stream
    assert stream is not None
    stream.close()
    history._stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115
    with caplog.at_level(logging.DEBUG):
        history(finished("a", "ok"))
        history(finished("b", "ok"))
        history(RunFinished(time=1.0, exit_code=0, duration=1.0))
    assert len(caplog.records) == 1


def test_who_failed_last(project: Project) -> None:
    assert last_failed(project) == ()
    record(project, 1, finished("a", "failed"), finished("b", "failed"), finished("c", "ok"))
    assert last_failed(project) == ("a", "b")
    record(project, 2, finished("a", "ok"), finished("d", "interrupted"))
    assert last_failed(project) == ("d", "b")


def test_who_wasnt_reached_keeps_what_it_was(project: Project) -> None:
    record(project, 1, finished("a", "failed"), finished("b", "ok"))
    record(project, 2, finished("a", "not-run"), finished("b", "not-run"), unstarted=("a", "b"))
    assert last_failed(project) == ("a",)


def test_who_was_held_back_counts_and_who_skipped_itself_doesnt(project: Project) -> None:
    record(
        project,
        1,
        finished("a", "failed"),
        finished("b", "skipped", "requires a, which failed"),
        finished("c", "skipped", "requires docker"),
        unstarted=("b",),
    )
    assert last_failed(project) == ("a", "b")


def test_who_was_killed_while_running_counts(project: Project) -> None:
    record(project, 1, finished("a", "ok"), killed=("b",))
    assert last_failed(project) == ("b",)


def test_it_is_a_reader_of_events(project: Project) -> None:
    history = History(project.history)
    events: list[Event] = [started("x"), RunFinished(time=1.0, exit_code=0, duration=1.0)]
    for event in events:
        history(event)
    assert next(past_runs(project)) == tuple(events)


def test_what_sessions_print_is_not_kept(project: Project) -> None:
    history = History(project.history)
    history(started("x"))
    history(Output(time=1.0, session="a", stream="stdout", data="printed"))
    (path,) = files(project)
    assert "printed" not in path.read_text(encoding="utf-8")
    assert len(next(past_runs(project))) == 1


def test_who_was_flaky_passed(project: Project) -> None:
    record(project, 1, finished("a", "failed"))
    record(project, 2, finished("a", "flaky"))
    assert last_failed(project) == ()


# durations


def keep(project: Project, *sessions: list[Event], number: int = 0) -> None:
    history = History(project.history)
    for event in run_of(*sessions, run=f"run{number}", began=1e9 + number):
        history(event)


def test_how_long_a_session_takes_is_counted_from_its_turn(project: Project) -> None:
    keep(
        project,
        session("alone", duration=5.0, preparing=3.0),
        session("beside", duration=9.0, preparing=1.0, waiting=5.5),
        session("failed", "failed", duration=2.0, preparing=0.5),
        session("flaky", "flaky", duration=2.5, preparing=0.5),
        session("gathers", duration=0.25, prepared=False),
    )
    known = durations(project)
    assert {name: round(seconds, 3) for name, seconds in known.items()} == {
        "alone": 2.0,
        "beside": 2.5,
        "failed": 1.5,
        "flaky": 2.0,
        "gathers": 0.25,
    }
    assert list(durations(project, ["flaky", "unknown"])) == ["flaky"]


def test_a_session_that_took_no_time_of_its_own_says_nothing(project: Project) -> None:
    keep(
        project,
        session("skipped", "skipped", reason="by its function"),
        session("current", reason="up to date"),
        session("interrupted", "interrupted"),
        session("unprepared", "failed", prepared=False),
        session("not-run", "not-run", started=False),
    )
    assert durations(project) == {}


def test_the_latest_runs_count_and_an_odd_one_does_not(project: Project) -> None:
    seconds = [900.0, 900.0, 2.0, 3.0, 700.0, 1.0, 2.5]
    assert len(seconds) == TYPICAL + 2
    for number, duration in enumerate(seconds):
        keep(project, session("a", duration=duration, preparing=0.0), number=number)
    assert durations(project)["a"] == pytest.approx(2.5)


def test_no_more_runs_are_read_than_say_what_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(TYPICAL + 5):
        keep(project, session("a"), *([session("b")] if number < 3 else []), number=number)
    read: list[str] = []
    path_open = Path.open

    def counted(path: Path, *args: Any, **rest: Any) -> Any:
        read.append(path.name)
        return path_open(path, *args, **rest)

    monkeypatch.setattr(Path, "open", counted)
    assert list(durations(project, {"a"})) == ["a"]
    assert len(read) == TYPICAL
    read.clear()
    assert set(durations(project, {"a", "b"})) == {"a", "b"}
    assert len(read) == TYPICAL + 5


def test_a_clock_that_was_set_back_makes_no_negative_durations(project: Project) -> None:
    keep(project, session("a", duration=1.0, preparing=5.0))
    assert durations(project) == {"a": 0.0}


def test_separators_within_a_text_end_no_line_of_the_history(project: Project) -> None:
    reason = "one\x85two\u2028three\u2029four\x1dfive"
    history = History(project.history)
    for event in run_of(session("a", "failed", reason=reason), exit_code=1, argv=("a", "--", "x\u2028y")):
        history(event)
    ((*_, ended, _),) = past_runs(project)
    assert isinstance(ended, SessionFinished)
    assert ended.reason == reason


def test_passes_failures_and_flakes_are_counted_with_their_durations() -> None:
    runs = [
        run_of(session("a", duration=4.0), session("b", "skipped", reason="x")),
        run_of(session("a", "flaky", duration=9.0)),
        run_of(session("a", "failed", duration=1.0)),
        run_of(session("a", duration=2.0)),
    ]
    assert list(statistics_of(runs)) == ["a"]
    a = statistics_of(runs)["a"]
    assert (a.runs, a.passed, a.flaky, a.failed) == (4, 2, 1, 1)
    assert (a.flaky_rate, a.failed_rate) == (0.25, 0.25)
    assert a.durations == Durations(last=4.0, median=3.0, shortest=1.0, longest=9.0)


def test_a_session_that_did_not_run_to_its_end_says_nothing() -> None:
    others = ("skipped", "interrupted", "not-run")
    runs = [run_of(session("a", status)) for status in others]  # type: ignore[arg-type]
    assert statistics_of([*runs, run_of(session("a", "ok", reason="up to date"))]) == {}
