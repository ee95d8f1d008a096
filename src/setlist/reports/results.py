"""Collect the results of a run and its sessions from events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from setlist.core.events import (
    ALLOWED,
    CommandFinished,
    CommandStarted,
    EnvironmentReady,
    Event,
    Message,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionRetried,
    SessionsAdded,
    SessionStarted,
)
from setlist.core.model import SessionStatus
from setlist.core.records import dataclass, field


def counted(words: Sequence[str], order: Iterable[SessionStatus] = get_args(SessionStatus)) -> str:
    """The number of sessions by result: ``3 ok, 1 failed``.

    Args:
        words: the result of each session (:attr:`SessionOutcome.word`).
        order: the order of the results.
    """
    ordered = [word for status in order for word in ((status, ALLOWED) if status == "failed" else (status,))]
    ordered = [word.replace("-", " ") for word in ordered]
    return ", ".join(f"{words.count(word)} {word}" for word in ordered if word in words)


@dataclass(slots=True, kw_only=True)
class CommandOutcome:
    """A command of a session. ``attempt`` is the attempt of the session that it belongs to, from 1.

    ``code`` and ``duration`` are None for a command without an end: it was interrupted.
    """

    command: tuple[str, ...]
    started: float
    attempt: int
    code: int | None = None
    ok: bool = False
    timed_out: bool = False
    duration: float | None = None


@dataclass(slots=True)
class SessionOutcome:
    """The result of a session so far."""

    name: str
    started: SessionStarted | None = None
    ready: EnvironmentReady | None = None
    commands: list[CommandOutcome] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    retries: list[SessionRetried] = field(default_factory=list)
    finished: SessionFinished | None = None

    @property
    def status(self) -> SessionStatus:
        """Its status. A session that started and has no end was interrupted."""
        if self.finished is not None:
            return self.finished.status
        return "not-run" if self.started is None else "interrupted"

    @property
    def reason(self) -> str | None:
        """One line, for any status except a plain ok."""
        return self.finished.reason if self.finished is not None else None

    @property
    def duration(self) -> float:
        return self.finished.duration if self.finished is not None else 0.0

    @property
    def allowed(self) -> bool:
        """Whether it failed, and ``allow-failure`` lets the run pass."""
        return self.finished is not None and self.finished.is_allowed

    @property
    def word(self) -> str:
        """Its result in a word or two, as in :func:`counted`."""
        return ALLOWED if self.allowed else self.status.replace("-", " ")

    @property
    def captured(self) -> bool:
        """Whether its log contains the output of its commands."""
        return self.started is not None and self.started.captured


class RunOutcome:
    """A reader of events that collects the results of a run, without the output of commands.

    Attributes:
        started: the start of the run.
        finished: the end of the run; None if it was killed, or is still in progress.
        sessions: its sessions by name, in the order of the plan.
        messages: the messages that belong to no session.
    """

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.sessions: dict[str, SessionOutcome] = {}
        self.messages: list[Message] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.started = event
            self.sessions = {name: SessionOutcome(name) for name in event.sessions}
        elif isinstance(event, SessionsAdded):
            for name in event.sessions:
                self._session(name)
        elif isinstance(event, RunFinished):
            self.finished = event
        elif isinstance(event, SessionStarted):
            self._session(event.session).started = event
        elif isinstance(event, EnvironmentReady):
            self._session(event.session).ready = event
        elif isinstance(event, CommandStarted):
            session = self._session(event.session)
            attempt = len(session.retries) + 1
            session.commands.append(CommandOutcome(command=event.command, started=event.time, attempt=attempt))
        elif isinstance(event, CommandFinished):
            _end(self._session(event.session), event)
        elif isinstance(event, Message):
            (self.messages if event.session is None else self._session(event.session).messages).append(event)
        elif isinstance(event, SessionRetried):
            self._session(event.session).retries.append(event)
        elif isinstance(event, SessionFinished):
            self._session(event.session).finished = event

    def _session(self, name: str) -> SessionOutcome:
        return self.sessions.setdefault(name, SessionOutcome(name))


def _end(session: SessionOutcome, event: CommandFinished) -> None:
    # A function may run several at once: take the latest one with these arguments and without an end
    for command in reversed(session.commands):
        if command.command == event.command and command.code is None:
            command.code, command.ok, command.timed_out = event.code, event.ok, event.timed_out
            command.duration = event.duration
            return
