"""Read past runs, for statistics and for what failed last (:mod:`setlist.reports.history` writes them)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from setlist.core.events import (
    UNSUCCESSFUL,
    EnvironmentReady,
    Event,
    RunFinished,
    SessionFinished,
    SessionRunning,
    SessionStarted,
    from_json,
)
from setlist.core.files import parse_json
from setlist.core.model import SessionStatus
from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.reports.history import files_in
from setlist.scheduling.durations import median

TYPICAL = 5
"""The number of a session's latest runs for its median duration: enough that an outlier doesn't matter."""

UP_TO_DATE = "up to date"
"""The reason of a session that passes without being run."""


def past_runs(project: Project) -> Iterator[tuple[Event, ...]]:
    """The events of the past runs, the latest first. Malformed lines are left out."""
    for name in reversed(files_in(project.history)):
        try:
            lines = (project.history / name).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
        yield tuple(event for line in lines if (event := _event(line)) is not None)


def last_failed(project: Project) -> tuple[str, ...]:
    """The sessions whose latest result isn't a pass: failed, interrupted, or blocked by such a session.

    A run that didn't reach a session doesn't count for it.

    Returns:
        their names, those of the latest run first.
    """
    latest: dict[str, bool] = {}
    for events in past_runs(project):
        started = {event.session for event in events if isinstance(event, SessionStarted)}
        ended = [event for event in events if isinstance(event, SessionFinished)]
        for event in ended:
            if event.status != "not-run":
                # Skipped before it started: a session that it requires failed
                blocked = event.status == "skipped" and event.session not in started
                latest.setdefault(event.session, blocked or event.status in UNSUCCESSFUL)
        if not any(isinstance(event, RunFinished) for event in events):
            # Killed, or still in progress: the running session has no end
            for name in started - {event.session for event in ended}:
                latest.setdefault(name, True)
    return tuple(name for name, again in latest.items() if again)


def durations(project: Project, sessions: Collection[str] | None = None) -> dict[str, float]:
    """The median duration of sessions, in seconds, without the making of their environments.

    Of each session the latest ``TYPICAL`` runs count in which it passed or failed, and was neither skipped nor up to
    date.

    Args:
        project: the project of the runs.
        sessions: the sessions; no more runs are read than these need. None: all sessions.

    Returns:
        the durations by session, without sessions that have no such run.
    """
    samples: dict[str, list[float]] = {}
    incomplete = None if sessions is None else set(sessions)
    for name in reversed(files_in(project.history)):
        if incomplete is not None and not incomplete:
            break
        for session, seconds in _run_durations(project.history / name).items():
            values = samples.setdefault(session, [])
            if len(values) < TYPICAL:
                values.append(seconds)
            if incomplete is not None and len(values) == TYPICAL:
                incomplete.discard(session)
    return {session: median(values) for session, values in samples.items() if sessions is None or session in sessions}


_DURATION_EVENTS = tuple(f'{{"event":"{cls.kind}"' for cls in (EnvironmentReady, SessionRunning, SessionFinished))


def _run_durations(path: Path) -> dict[str, float]:
    """The durations of the sessions of one run.

    Only the lines with durations are parsed, and not into events, which would take most of the time.
    """
    started: dict[str, float] = {}
    durations: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.startswith(_DURATION_EVENTS):
                    continue
                try:
                    event = parse_json(line)
                    session: str = event["session"]
                    if event["event"] != SessionFinished.kind:
                        started[session] = event["time"]
                    elif has_run(event["status"], event["reason"]):
                        if session in started:
                            durations[session] = max(0.0, event["time"] - started[session])
                        elif event["status"] == "ok":  # it groups other sessions, and has no environment
                            durations[session] = event["duration"]
                except (ValueError, KeyError, TypeError):
                    continue
    except OSError:
        return {}
    return durations


def has_run(status: SessionStatus, reason: str | None) -> bool:
    """Whether a session with this result ran to its own end, so that its duration counts."""
    return status in ("ok", "flaky", "failed") and reason != UP_TO_DATE


@dataclass(frozen=True, slots=True)
class Durations:
    """The durations of a session, in seconds, with the making of its environment."""

    last: float
    median: float
    shortest: float
    longest: float


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """The past runs of a session, without those in which it was skipped, interrupted, up to date or not reached.

    ``flaky`` counts the runs in which it passed at a later attempt.
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
    """The statistics of each session.

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
    return {name: _statistics(name, events) for name, events in ends.items()}


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


def _event(line: str) -> Event | None:
    try:
        return from_json(parse_json(line))
    except ValueError:
        return None
