"""The events of a run. The console, the history and every report read this one stream.

Times are seconds since the epoch, durations are seconds. The JSON form (:func:`to_json`) is
versioned by ``FORMAT`` and documented in docs/events.md; only this form crosses a process
boundary.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

from setlist.core.records import DecodeError, dataclass, dump, field_names, load, replace

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Literal, TypeAlias

    from setlist.core.model import Change, EnvironmentAction, EnvironmentStep, SessionStatus

FORMAT = 1

Emit: TypeAlias = "Callable[[Event], None]"
"""A reader of events. It is called in order and must not raise."""

UNSUCCESSFUL: tuple[SessionStatus, ...] = ("failed", "aborted", "interrupted")
"""Statuses of sessions that started and did not succeed."""

ALLOWED = "failed (allowed)"
"""What is said of a session that failed where ``allow-failure`` lets the run pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened at ``time``."""

    kind: ClassVar[str]
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins. ``sessions`` are in the order of the plan; at most ``jobs`` of them run at once.

    ``format`` is the version of the JSON form of all events of the run.
    """

    kind: ClassVar[str] = "run-started"
    run: str
    sessions: tuple[str, ...]
    argv: tuple[str, ...]
    jobs: int = 1
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsAdded(Event):
    """Other sessions have notified ``sessions``: they are appended to the run, in this order."""

    kind: ClassVar[str] = "sessions-added"
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """A session begins, before its environment is checked.

    If it isn't ``captured``, its commands write directly to our own streams, and nothing else runs meanwhile.
    """

    kind: ClassVar[str] = "session-started"
    session: str
    captured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentProgress(Event):
    """What the installer does to the session's environment now.

    ``packages`` are those that it is downloading or building, as far as it names them. ``size`` is what it downloads,
    in bytes, 0 if it doesn't say so. ``count`` is the number of all packages that it works on, None if it isn't known.
    """

    kind: ClassVar[str] = "environment-progress"
    session: str
    step: EnvironmentStep
    packages: tuple[str, ...] = ()
    size: int = 0
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReady(Event):
    """The session's environment is up to date.

    ``interpreter`` is its label (``python 3.12.1``), ``reasons`` are the inputs that made a change necessary, in words,
    ``changes`` the packages that changed.
    """

    kind: ClassVar[str] = "environment-ready"
    session: str
    interpreter: str
    action: EnvironmentAction
    reasons: tuple[str, ...]
    changes: tuple[Change, ...]
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRunning(Event):
    """The session's environment is ready and its turn has come. Emitted if several sessions may run at once."""

    kind: ClassVar[str] = "session-running"
    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted(Event):
    """A command is about to start: its words after substitution."""

    kind: ClassVar[str] = "command-started"
    session: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """Captured output of a session's commands and function.

    ``data`` is decoded from UTF-8, and never split within a character. Invalid bytes are decoded with
    ``surrogateescape``, so that a log can hold exactly what was written; the JSON form replaces them. Secrets are
    masked.
    """

    kind: ClassVar[str] = "output"
    session: str
    stream: Literal["stdout", "stderr"]
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFinished(Event):
    """A command ended. A negative ``code`` is the number of the signal that ended it."""

    kind: ClassVar[str] = "command-finished"
    session: str
    command: tuple[str, ...]
    code: int
    ok: bool
    timed_out: bool
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """A message of setlist or of a session's function to the user."""

    kind: ClassVar[str] = "message"
    session: str | None
    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRetried(Event):
    """A try failed and another follows. ``attempt`` is the number of the next one, from 2."""

    kind: ClassVar[str] = "session-retried"
    session: str
    attempt: int
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFinished(Event):
    """A session ended.

    ``reason`` is one line, None for an ordinary ok. ``exit_code`` is what this session contributes to the run's exit
    code (0 for nothing). ``frozen`` is the path of its frozen requirements, relative to the project's root.
    ``attempts`` is the number of tries.
    """

    kind: ClassVar[str] = "session-finished"
    session: str
    status: SessionStatus
    reason: str | None
    exit_code: int
    duration: float
    frozen: str | None
    attempts: int = 1

    @property
    def is_allowed(self) -> bool:
        """Whether the session failed, and ``allow-failure`` lets the run pass."""
        return self.status == "failed" and self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run ended with ``exit_code``."""

    kind: ClassVar[str] = "run-finished"
    exit_code: int
    duration: float


KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        RunStarted,
        SessionsAdded,
        SessionStarted,
        EnvironmentProgress,
        EnvironmentReady,
        SessionRunning,
        CommandStarted,
        Output,
        CommandFinished,
        Message,
        SessionRetried,
        SessionFinished,
        RunFinished,
    )
}


_IDENTITIES = ("session", "sessions", "run", "stream", "level", "action", "step", "status", "frozen")
"""Fields that identify what an event is about. They hold no secrets, and masking a secret such as ``test`` in them
would make two sessions one."""


def with_texts(event: Event, change: Callable[[str], str]) -> Event:
    """The event with ``change`` applied to its texts, also in tuples and package changes.

    Names of sessions and setlist's own words (a status, an action) aren't changed.
    """
    changes: dict[str, Any] = {}
    for name in field_names(event):
        if name not in _IDENTITIES:
            value = getattr(event, name)
            changed = _with_texts(value, change)
            if changed is not value:
                changes[name] = changed
    return replace(event, **changes) if changes else event


def _with_texts(value: object, change: Callable[[str], str]) -> object:
    """The value with its texts changed; the same object if nothing changes."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        items = tuple(_with_texts(item, change) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if hasattr(value, "__record__"):
        values = {name: getattr(value, name) for name in field_names(value)}
        texts = {name: _with_texts(item, change) for name, item in values.items()}
        return value if texts == values else replace(value, **texts)  # type: ignore[type-var]
    return value


def to_json(event: Event) -> dict[str, Any]:
    """The event as JSON data: its fields, and ``event`` for its kind."""
    data: dict[str, Any] = {"event": event.kind, **dump(event)}
    if isinstance(event, Output):
        # many JSON readers reject lone surrogates
        data["data"] = event.data.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return data


def from_json(data: object) -> Event:
    """The event that :func:`to_json` wrote; unknown fields are ignored, later ones have their defaults.

    Raises:
        DecodeError: the kind is unknown, a field is missing, or one has another type.
    """
    name = data.get("event") if isinstance(data, dict) else None
    if not isinstance(name, str) or name not in KINDS:
        raise DecodeError(f"not an event: {data!r}")
    from setlist.core import model

    return load(KINDS[name], data, vars(model))
