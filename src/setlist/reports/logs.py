"""The log of each session: ``.setlist/.tox/logs/NAME.log``.

It contains setlist's own lines about the session, as in a verbose run, and every byte that its commands wrote, in
order. If a log can't be written, the run continues without it.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from setlist.core.events import EnvironmentReady, Event, Output, RunFinished, SessionFinished, SessionStarted
from setlist.core.files import open_replacing
from setlist.core.project import Project
from setlist.reports.ansi import ends_line
from setlist.reports.console import Console
from setlist.reports.terminal import Terminal, as_written

UNCAPTURED = "  its output went straight to the terminal, and isn't in this log\n"


class Logs:
    """Writes the logs of one run's sessions.

    A session's log is complete and closed before :class:`SessionFinished` reaches the readers after this one.

    Args:
        project: the project of the run.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._open: dict[str, _Log] = {}
        self._named: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        session: str | None = getattr(event, "session", None)
        if session is None:
            if isinstance(event, RunFinished):
                self.close()
            return
        try:
            if isinstance(event, SessionStarted):
                self._begin(event)
            log = self._open.get(session)
            if log is not None:
                log.take(event)
                if isinstance(event, SessionFinished):
                    self._open.pop(session).close()
        except (OSError, ValueError) as error:
            self._give_up(session, error)

    def named(self, session: str) -> str | None:
        """The name of a session's log; None if this run has written none with its output."""
        return self._named.get(session)

    def close(self) -> None:
        """Close all logs. Those of sessions without an end stay incomplete."""
        while self._open:
            session, log = self._open.popitem()
            try:
                log.close()
            except OSError as error:
                self._give_up(session, error)

    def _begin(self, event: SessionStarted) -> None:
        path = self._project.log(event.session)
        self._open[event.session] = _Log(path, captured=event.captured)
        if event.captured:
            self._named[event.session] = self._project.relative(path)

    def _give_up(self, session: str, error: OSError | ValueError) -> None:
        log = self._open.pop(session, None)
        if log is not None:
            if session in self._named:
                self._named[session] += f" (incomplete: {getattr(error, 'strerror', None) or error})"
            with suppress(OSError):  # closing flushes, which fails for the same reason
                log.close()
        import logging

        logging.getLogger(__name__).debug("the log of %s can't be written: %s", session, error)


class _Log(io.StringIO):
    """One session's log, as a stream for the Console. The lines of the Console begin on lines of their own."""

    def __init__(self, path: Path, *, captured: bool) -> None:
        # first: a stream that was made is closed when it is gone, and this file with it
        self._file = open_replacing(path)
        super().__init__()
        self._at_start = True
        self._captured = captured
        self._console = Console(Terminal(self), verbosity=1)

    def take(self, event: Event) -> None:
        if isinstance(event, Output):
            self._file.write(as_written(event.data))
            self._at_start = ends_line(event.data, self._at_start)
        elif isinstance(event, SessionFinished):
            self.write(self._console.ending(event) + "\n")
        else:
            self._console(event)
            if isinstance(event, EnvironmentReady) and not self._captured:
                self.write(UNCAPTURED)
        # so that the log is complete for whoever follows it, and after a kill
        self._file.flush()

    def write(self, text: str) -> int:
        """Write a line of the Console."""
        if not self._at_start:
            self._file.write(b"\n")
        self._file.write(text.encode("utf-8", "backslashreplace"))
        self._at_start = text.endswith("\n")
        return len(text)

    def close(self) -> None:
        self._file.close()
