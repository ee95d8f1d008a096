"""Runs that never were: their events, for what reads events.

::

    story = run_of(
        session("lint"),
        session("test", "failed", reason="pytest exited with code 1", commands=[(("pytest",), 1)]),
        exit_code=1,
    )
    for event in story:
        reader(event)
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from setlist.core.events import (
    CommandFinished,
    CommandStarted,
    EnvironmentReady,
    Event,
    Message,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionRunning,
    SessionStarted,
)
from setlist.core.model import Change, SessionStatus

NOW = time.time()


def session(
    name: str,
    status: SessionStatus = "ok",
    *,
    reason: str | None = None,
    exit_code: int | None = None,
    duration: float = 2.0,
    preparing: float = 0.5,
    waiting: float | None = None,
    began: float = NOW,
    started: bool = True,
    captured: bool = False,
    prepared: bool = True,
    commands: Sequence[tuple[tuple[str, ...], int | None]] = (),
    said: Sequence[Message] = (),
    retries: Sequence[str] = (),
    frozen: str | None = None,
    changes: Sequence[Change] = (),
) -> list[Event]:
    """The events of one session.

    Args:
        name: its name.
        status: how it ended.
        reason: in one line.
        exit_code: what it makes of the run's: 1 for one that failed, 0 for others.
        duration: seconds it took as a whole.
        preparing: seconds of them until its environment was ready.
        waiting: seconds after that until its turn came; None: it is told of no turn.
        began: when.
        started: whether it came to that.
        captured: whether its output went to its log.
        prepared: whether its environment came to be right.
        commands: each with its exit code; None: it was interrupted.
        said: what it said.
        retries: why the tries before the last one failed.
        frozen: its frozen requirements.
        changes: what moved in its environment.
    """
    events: list[Event] = []
    if started:
        events.append(SessionStarted(time=began, session=name, captured=captured))
    if started and prepared:
        events.append(
            EnvironmentReady(
                time=began + preparing,
                session=name,
                interpreter="python 3.11.7",
                action="synced" if changes else "reused",
                reasons=(),
                changes=tuple(changes),
                duration=preparing,
            )
        )
    if waiting is not None:
        events.append(SessionRunning(time=began + preparing + waiting, session=name))
    for attempt, why in enumerate(retries, 2):
        events.append(
            SessionRetried(time=began + 0.6, session=name, attempt=attempt, attempts=len(retries) + 1, reason=why)
        )
    for words, code in commands:
        events.append(CommandStarted(time=began + 0.7, session=name, command=words))
        if code is not None:
            events.append(
                CommandFinished(
                    time=began + 0.8,
                    session=name,
                    command=words,
                    code=code,
                    ok=code == 0,
                    timed_out=False,
                    duration=0.1,
                )
            )
    events += said
    events.append(
        SessionFinished(
            time=began + duration,
            session=name,
            status=status,
            reason=reason,
            exit_code=int(status == "failed") if exit_code is None else exit_code,
            duration=duration,
            frozen=frozen,
            attempts=len(retries) + 1,
        )
    )
    return events


def run_of(
    *sessions: Sequence[Event],
    exit_code: int = 0,
    argv: Sequence[str] = (),
    planned: Sequence[str] | None = None,
    run: str = "abc123",
    began: float = NOW,
    ended: bool = True,
) -> list[Event]:
    """The events of a run.

    Args:
        sessions: those of its sessions.
        exit_code: its exit code.
        argv: the words after ``run``.
        planned: the names of its sessions, where they aren't those of ``sessions``.
        run: its name.
        began: when.
        ended: whether it came to its end.
    """
    names = [getattr(events[0], "session") for events in sessions] if planned is None else planned  # noqa: B009
    story: list[Event] = [RunStarted(time=began, run=run, sessions=tuple(names), argv=tuple(argv))]
    for events in sessions:
        story += events
    if ended:
        story.append(RunFinished(time=began + 3.0, exit_code=exit_code, duration=3.0))
    return story


def message(text: str, *, of: str | None = None, level: str = "error") -> Message:
    """Something that is said of a session."""
    return Message(time=NOW, session=of, level=level, text=text)  # type: ignore[arg-type]
