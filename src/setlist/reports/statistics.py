"""What the kept runs say of each session: how often it ran, how reliably, how long it took."""

from __future__ import annotations

from collections.abc import Iterable

from setlist.core.events import Event, SessionFinished
from setlist.core.records import dataclass
from setlist.reports.history import has_run, median


@dataclass(frozen=True, slots=True)
class Durations:
    """How long a session took as a whole, in seconds."""

    last: float
    median: float
    shortest: float
    longest: float


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """A session's kept runs. Those in which it was skipped, interrupted, up to date or not reached don't count.

    ``flaky`` counts the runs in which it passed at a later try.
    """

    name: str
    passed: int
    flaky: int
    failed: int
    durations: Durations

    @property
    def runs(self) -> int:
        return self.passed + self.flaky + self.failed

    @property
    def flaky_rate(self) -> float:
        """The share of its runs in which it was flaky, from 0 to 1."""
        return self.flaky / self.runs

    @property
    def failed_rate(self) -> float:
        """The share of its runs in which it failed, from 0 to 1."""
        return self.failed / self.runs


def statistics_of(runs: Iterable[Iterable[Event]]) -> dict[str, SessionStatistics]:
    """What runs say of each session.

    Args:
        runs: the events of each run, the latest run first.

    Returns:
        the sessions that ran in any of them, by name.
    """
    ends: dict[str, list[SessionFinished]] = {}
    for events in runs:
        for event in events:
            if isinstance(event, SessionFinished) and has_run(event.status, event.reason):
                ends.setdefault(event.session, []).append(event)
    return {name: _statistics(name, found) for name, found in ends.items()}


def _statistics(name: str, ends: list[SessionFinished]) -> SessionStatistics:
    statuses = [end.status for end in ends]
    seconds = [end.duration for end in ends]
    return SessionStatistics(
        name=name,
        passed=statuses.count("ok"),
        flaky=statuses.count("flaky"),
        failed=statuses.count("failed"),
        durations=Durations(seconds[0], median(seconds), min(seconds), max(seconds)),
    )
