"""What the kept runs say of each session."""

from __future__ import annotations

from setlist.reports.statistics import Durations, statistics_of
from support.runs import run_of, session


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
