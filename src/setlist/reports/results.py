"""What came of a run and of each of its sessions, gathered from its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

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
    SessionsAdded,
    SessionStarted,
)
from setlist.core.model import SessionStatus
from setlist.core.records import dataclass, field

ALLOWED = "failed (allowed)"
"""How a session ended that failed and may."""


def is_allowed(finished: SessionFinished) -> bool:
    """Whether a session failed and the run may pass all the same (``allow-failure``)."""
    return finished.status == "failed" and finished.exit_code == 0


def counted(words: Sequence[str], order: Iterable[SessionStatus] = get_args(SessionStatus)) -> str:
    """How many sessions ended in which way: ``3 ok, 1 failed``.

    Args:
        words: how each ended (:attr:`SessionOutcome.word`).
        order: in which they are told.
    """
    told = [word for status in order for word in ((status, ALLOWED) if status == "failed" else (status,))]
    told = [word.replace("-", " ") for word in told]
    return ", ".join(f"{words.count(word)} {word}" for word in told if word in words)


@dataclass(slots=True, kw_only=True)
class CommandOutcome:
    """A command of a session. ``attempt`` is the session's try that it belongs to, from 1.

    ``code`` and ``duration`` are None where its end wasn't told: it was interrupted.
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
    """A session, as far as it came."""

    name: str
    started: SessionStarted | None = None
    ready: EnvironmentReady | None = None
    commands: list[CommandOutcome] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    retries: list[SessionRetried] = field(default_factory=list)
    finished: SessionFinished | None = None

    @property
    def status(self) -> SessionStatus:
        """How it ended. One that was started and has no end was interrupted, by whatever ended the run."""
        if self.finished is not None:
            return self.finished.status
        return "not-run" if self.started is None else "interrupted"

    @property
    def reason(self) -> str | None:
        """One line for anything but a plain ok."""
        return self.finished.reason if self.finished is not None else None

    @property
    def duration(self) -> float:
        return self.finished.duration if self.finished is not None else 0.0

    @property
    def allowed(self) -> bool:
        """Whether it failed and the run may pass all the same."""
        return self.finished is not None and is_allowed(self.finished)

    @property
    def word(self) -> str:
        """How it ended, in a word or two, as it is counted."""
        return ALLOWED if self.allowed else self.status.replace("-", " ")

    @property
    def captured(self) -> bool:
        """Whether what its commands wrote went to its log."""
        return self.started is not None and self.started.captured


class RunOutcome:
    """A reader of events that keeps what came of them. What commands write isn't kept.

    Attributes:
        started: how the run began.
        finished: how it ended; None where that wasn't told, since it was killed or is still under way.
        sessions: its sessions by name, in the order of the plan.
        messages: what was said of no session in particular.
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
    # a function may run several at once: the latest of these words that has no end
    for command in reversed(session.commands):
        if command.command == event.command and command.code is None:
            command.code, command.ok, command.timed_out = event.code, event.ok, event.timed_out
            command.duration = event.duration
            return
