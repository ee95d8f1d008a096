"""Events as a run tells them, in a few words; and streams to see what readers make of them.

::

    for event in run("lint", "test")(began("lint"), wrote("lint", "hello\\n"), ended("lint")): reader(event)
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal

from setlist.core.events import (
    CommandFinished,
    CommandStarted,
    EnvironmentProgress,
    EnvironmentReady,
    Event,
    Output,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRunning,
    SessionStarted,
)


def run(*sessions: str, jobs: int = 2) -> Callable[..., list[Event]]:
    """What happens in a run of these sessions, between its beginning and its end."""

    def around(*events: Event) -> list[Event]:
        begin = RunStarted(time=0, run="1", sessions=sessions, argv=(), jobs=jobs)
        return [begin, *events, RunFinished(time=0, exit_code=0, duration=3.0)]

    return around


def began(session: str, *, captured: bool = True) -> Event:
    return SessionStarted(time=0, session=session, captured=captured)


def ready(session: str, **other: Any) -> Event:
    given = {"interpreter": "python 3.11.7", "action": "reused", "reasons": (), "changes": (), "duration": 0.0}
    return EnvironmentReady(time=0, session=session, **{**given, **other})


def installing(session: str, step: Any = "resolving", **other: Any) -> EnvironmentProgress:
    return EnvironmentProgress(time=0, session=session, step=step, **other)


def running(session: str) -> Event:
    return SessionRunning(time=0, session=session)


def typed(session: str, *words: str) -> Event:
    return CommandStarted(time=0, session=session, command=words or ("tool",))


def wrote(session: str, data: str, stream: Literal["stdout", "stderr"] = "stdout") -> Event:
    return Output(time=0, session=session, stream=stream, data=data)


def done(session: str, code: int = 0) -> Event:
    return CommandFinished(
        time=0, session=session, command=("tool",), code=code, ok=code == 0, timed_out=False, duration=1.0
    )


def ended(session: str, status: Any = "ok", reason: str | None = None, **other: Any) -> Event:
    given = {"exit_code": int(status == "failed"), "duration": 0.42, "frozen": None}
    return SessionFinished(time=0, session=session, status=status, reason=reason, **{**given, **other})


class Pipe(io.TextIOWrapper):
    """A stream that keeps the bytes that are written to it. Two of them are two files; one twice is one."""

    def __init__(self, *, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)

    @property
    def written(self) -> bytes:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()

    @property
    def text(self) -> str:
        return self.written.decode("utf-8", "surrogateescape")


class Tty(Pipe):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True
