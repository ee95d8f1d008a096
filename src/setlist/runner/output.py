"""Where the events and the output of a run go: to the readers of events, with secrets masked.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import time

from setlist.core.events import Emit, Event, Message, Output, with_texts
from setlist.process.spawn import Capture

TYPE_CHECKING = False

if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal, TypeAlias

    from setlist.engine.plan import PlannedCommand, Session
    from setlist.process.completed import Stream
    from setlist.runner.secrets import MaskedStream, Masker

Capturing: TypeAlias = 'Literal["no", "apart", "merged"]'
"""Whether the output of sessions is captured, and whether its two streams are one."""


def _no_variables(_: str) -> Mapping[str, str]:
    return {}


class Sink:
    """Where the events and the output of a run go. Threads may share it.

    Args:
        readers: each is called with every event, one event after the other.
        capturing: whether the output of sessions becomes events; otherwise it goes to this process's own streams.
        captured_environ: returns variables for the commands of a captured session, by the session's name.
        masker: masks secrets. If it is absent, :func:`setlist.runner.run_plan.run` adds one for sessions with secrets.
        notice: called with each declared command before it starts.
        close: called when the run has ended.
    """

    def __init__(
        self,
        *readers: Emit,
        capturing: Capturing = "no",
        captured_environ: Callable[[str], Mapping[str, str]] = _no_variables,
        masker: Masker | None = None,
        notice: Callable[[PlannedCommand], None] | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        from _thread import RLock

        self._readers = readers
        self._lock = RLock()
        self.capturing = capturing
        self.captured_environ = captured_environ
        self.masker = masker
        self.notice = notice
        self.close = close

    def emit(self, event: Event) -> None:
        """Mask secrets and logins in an event, and pass it to the readers."""
        self.emit_masked(event if self.masker is None else self.masker.event(event))

    def emit_masked(self, event: Event) -> None:
        """Pass on an event without secrets. Logins are masked in setlist's own texts, not in what commands print."""
        if not isinstance(event, Output):
            event = with_texts(event, _without_logins)
        with self._lock:
            for reader in self._readers:
                reader(event)


def _without_logins(text: str) -> str:
    if "://" not in text:
        return text
    from setlist.core.logins import masked

    return masked(text)


class SessionOutput:
    """Where the events and the output of one session go. Used in one thread at a time.

    Attributes:
        captured: whether the output becomes events.
        capture: what :func:`setlist.process.spawn.run_process` takes as ``capture``.
        emit: called with each event.
        notice: called with each declared command before it starts.
    """

    def __init__(self, sink: Sink, session: Session) -> None:
        self._sink = sink
        self._session = session
        self._streams: dict[Stream, tuple[MaskedStream | None, IncrementalDecoder]] = {}
        self.captured = sink.capturing != "no" and not session.interactive
        self.capture: Capture | bool = self.captured and Capture(self._write, sink.capturing == "merged")
        self.emit = sink.emit
        self.notice = sink.notice

    def tell(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """Emit a message about the session."""
        self.emit(Message(time=time.time(), session=self._session.name, level=level, text=text))

    def hide(self, environ: Mapping[str, str]) -> None:
        """Mask the secrets among the variables that a command is about to see."""
        if self._session.secrets:
            self.hide_all(environ, self._session.secrets)

    def hide_all(self, environ: Mapping[str, str], patterns: Sequence[str] = ("*",)) -> None:
        """Mask the values of all variables, or of those that ``patterns`` name."""
        if self._sink.masker is not None:
            from setlist.runner.secrets import secret_values

            self._sink.masker.add(secret_values(environ, patterns))

    def masked(self, text: str) -> str:
        """The text without secrets."""
        return text if self._sink.masker is None else self._sink.masker.text(text)

    def flush(self) -> None:
        """Emit what was held back: a command has ended."""
        for stream, (masked, decoder) in self._streams.items():
            self._emit_output(stream, decoder.decode(b"" if masked is None else masked.flush(), final=True))

    def _write(self, stream: Stream, data: bytes) -> None:
        """Take what came from a pipe."""
        if stream not in self._streams:
            from codecs import getincrementaldecoder

            masker = self._sink.masker
            decoder: IncrementalDecoder = getincrementaldecoder("utf-8")("surrogateescape")
            self._streams[stream] = (None if masker is None else masker.stream(), decoder)
        masked, decoder = self._streams[stream]
        self._emit_output(stream, decoder.decode(data if masked is None else masked.feed(data)))

    def _emit_output(self, stream: Stream, text: str) -> None:
        if text:
            self._sink.emit_masked(Output(time=time.time(), session=self._session.name, stream=stream, data=text))
