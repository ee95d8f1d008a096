"""Each run, kept as JSON lines under ``.setlist/.tox/history/``, and what the kept runs say.

A run's file is ``<UTC time>-<run id>.jsonl``, one event a line, written as they come: a run that is
killed leaves what it got to. What sessions print isn't kept here: it is in their logs. Where nothing can be written
there is no history, and the run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from setlist.core.events import (
    EnvironmentReady,
    Event,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRunning,
    SessionStarted,
    from_json,
    to_json,
)
from setlist.core.files import parse_json
from setlist.core.model import UNSUCCESSFUL, SessionStatus
from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.scheduling.durations import median

KEPT = 50
"""How many runs are kept."""

TYPICAL = 5
"""How many of a session's latest runs say how long it takes: enough that one odd one doesn't count."""

UP_TO_DATE = "up to date"
"""The reason that a session gives which passes without being run."""


class History:
    """Writes the events of one run.

    Args:
        project: whose run it is.
    """

    def __init__(self, project: Project) -> None:
        self._directory = project.history
        self._stream: IO[str] | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Output):
            return
        try:
            if isinstance(event, RunStarted):
                self._begin(event)
            if self._stream is not None:
                self._stream.write(json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")) + "\n")
                # what is written is there, whatever becomes of us
                self._stream.flush()
        except OSError as error:
            self._give_up(error)
        if isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Be done with the run's file."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except OSError as error:
                self._give_up(error)

    def _begin(self, event: RunStarted) -> None:
        from time import gmtime, strftime

        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        stamp = strftime("%Y%m%dT%H%M%S", gmtime(event.time))
        # microseconds: runs that follow one another at once sort as they came
        path = self._directory / f"{stamp}.{int(event.time % 1 * 1e6):06d}Z-{event.run}.jsonl"
        self._stream = path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        for old in _names(self._directory)[:-KEPT]:
            (self._directory / old).unlink(missing_ok=True)

    def _give_up(self, error: OSError) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError):  # it tries to write what it still holds, and fails of the same
                stream.close()
        import logging

        logging.getLogger(__name__).debug("no history is kept of this run: %s", error)


def past_runs(project: Project) -> Iterator[tuple[Event, ...]]:
    """The events of the kept runs, the latest first. Lines that can't be understood are left out."""
    for name in reversed(_names(project.history)):
        try:
            lines = (project.history / name).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
        yield tuple(event for line in lines if (event := _event(line)) is not None)


def last_failed(project: Project) -> tuple[str, ...]:
    """The sessions that didn't pass when they last came to an end: failed, interrupted, or held back by one
    that was. One that wasn't reached says nothing of itself, and its earlier end counts.

    Returns:
        their names, those of the latest run first.
    """
    latest: dict[str, bool] = {}
    for events in past_runs(project):
        started = {event.session for event in events if isinstance(event, SessionStarted)}
        ended = [event for event in events if isinstance(event, SessionFinished)]
        for event in ended:
            if event.status != "not-run":
                # skipped without having been started: what it requires failed
                blocked = event.status == "skipped" and event.session not in started
                latest.setdefault(event.session, blocked or event.status in UNSUCCESSFUL)
        if not any(isinstance(event, RunFinished) for event in events):
            # killed (or still under way): the session that was running then has no end
            for name in started - {event.session for event in ended}:
                latest.setdefault(name, True)
    return tuple(name for name, again in latest.items() if again)


def durations(project: Project, sessions: Collection[str] | None = None) -> dict[str, float]:
    """How long sessions take once their environments are right and their turn has come, in seconds.

    The median of a session's latest runs, ``TYPICAL`` at most, of those that came to an end of its own: passed or
    failed, neither skipped nor found up to date.

    Args:
        project: whose runs they are.
        sessions: those that are asked for: no more runs are read than say all of them. None: all there are.

    Returns:
        what is known: a session that has no such run isn't in it.
    """
    found: dict[str, list[float]] = {}
    wanted = None if sessions is None else set(sessions)
    for name in reversed(_names(project.history)):
        if wanted is not None and not wanted:
            break
        for session, seconds in _run_durations(project.history / name).items():
            known = found.setdefault(session, [])
            if len(known) < TYPICAL:
                known.append(seconds)
            if wanted is not None and len(known) == TYPICAL:
                wanted.discard(session)
    return {session: median(seconds) for session, seconds in found.items() if sessions is None or session in sessions}


_TELLS_DURATION = tuple(f'{{"event":"{cls.kind}"' for cls in (EnvironmentReady, SessionRunning, SessionFinished))


def _run_durations(path: Path) -> dict[str, float]:
    """How long the sessions of one run took.

    Of its lines only those that say so are read, and as they are: making events of them would take most of the time.
    """
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.startswith(_TELLS_DURATION):
                    continue
                try:
                    event = parse_json(line)
                    session: str = event["session"]
                    if event["event"] != SessionFinished.kind:
                        began[session] = event["time"]
                    elif has_run(event["status"], event["reason"]):
                        if session in began:
                            took[session] = max(0.0, event["time"] - began[session])
                        elif event["status"] == "ok":  # it only gathers others, and has no environment
                            took[session] = event["duration"]
                except (ValueError, KeyError, TypeError):
                    continue
    except OSError:
        return {}
    return took


def has_run(status: SessionStatus, reason: str | None) -> bool:
    """Whether a session that ended like this came to an end of its own, and took the time that it takes."""
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


def _names(directory: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))
    except OSError:
        return []


def _event(line: str) -> Event | None:
    try:
        return from_json(parse_json(line))
    except ValueError:
        return None
