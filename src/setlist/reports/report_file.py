"""A report file that is written whole when the run ends, and the excerpts of session logs in it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

from setlist.core.events import Event, RunFinished, SessionFinished
from setlist.core.files import write_atomically
from setlist.core.fingerprint import stat_signature
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.reports.ansi import xml_text
from setlist.reports.console import size_text
from setlist.reports.results import RunOutcome, SessionOutcome

HEAD = 64 * 1024
TAIL = 512 * 1024
"""Bytes of a log's beginning and end that a report contains."""

_CLOCK_SKEW = 2.0
"""Seconds that a file's time may be behind ours: some file systems count in twos, and servers have their own clocks."""


class ReportFile(ABC):
    """A reader of events that writes a file from the results of the run.

    Args:
        path: the file.
        project: the project of the run.
        sessions: the definitions of its sessions, by name.

    Attributes:
        problem: why the file couldn't be written, in one line, once the run has ended.
    """

    def __init__(self, path: Path, project: Project, sessions: Mapping[str, SessionSpec]) -> None:
        self.problem: str | None = None
        self._path = path
        self._project = project
        self._sessions = sessions
        self._outcome = RunOutcome()
        self._logs: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        self._outcome(event)
        if isinstance(event, SessionFinished):
            self._session_ended(self._outcome.sessions[event.session])
        elif isinstance(event, RunFinished):
            try:
                write_atomically(self._path, self._content(self._outcome))
            except OSError as error:
                self.problem = f"the report {self._path} couldn't be written: {error.strerror or error}"

    @abstractmethod
    def _content(self, run: RunOutcome) -> bytes | Iterable[bytes]:
        """The content of the file."""

    def _session_ended(self, session: SessionOutcome) -> None:
        """Record what a concurrent run may change before this one ends."""
        if session.captured and session.started is not None:
            log = self._project.log(session.name)
            try:
                modified = log.stat().st_mtime
            except OSError:
                return
            signature = stat_signature(log)
            if signature is not None and modified >= session.started.time - _CLOCK_SKEW:
                self._logs[session.name] = signature

    def _log(self, session: SessionOutcome) -> Path | None:
        """The session's log; None if this run wrote none."""
        return self._project.log(session.name) if session.name in self._logs else None

    def _log_is_ours(self, session: SessionOutcome) -> bool:
        """Whether the log is still that of this run, and not one of a later run."""
        return self._logs.get(session.name) == stat_signature(self._project.log(session.name))


def excerpt(log: Path, name: str, *, head: int = HEAD, tail: int = TAIL) -> str:
    """A log as plain text: all of it, or its beginning and its end with a line between them that says so.

    Args:
        log: the file.
        name: its name in that line.
        head: bytes of its beginning.
        tail: bytes of its end.

    Raises:
        OSError: it can't be read.
    """
    with log.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= head + tail:
            return xml_text(_decoded(stream.read(head + tail)))
        begin = stream.read(head)
        stream.seek(size - tail)
        end = stream.read(tail)
    # Cut at the ends of lines, if there are any, so that no character and no escape sequence is cut
    begin = begin[: begin.rfind(b"\n") + 1] or begin
    end = end[end.find(b"\n", 0, tail // 2) + 1 :]
    omission = f"[{size_text(size - len(begin) - len(end))} left out; all of it is in {name}]"
    newline = "" if begin.endswith(b"\n") or not begin else "\n"
    return f"{xml_text(_decoded(begin))}{newline}{omission}\n{xml_text(_decoded(end))}"


def last_lines(log: Path, *, lines: int = 40, limit: int = 8 * 1024) -> str:
    """The last lines of a log as plain text, at most ``limit`` bytes of it; empty if it can't be read."""
    try:
        with log.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - limit))
            end = stream.read(limit)
    except OSError:
        return ""
    if size > limit:
        end = end[end.find(b"\n", 0, limit // 2) + 1 :]
    return "\n".join(xml_text(_decoded(end)).splitlines()[-lines:])


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
