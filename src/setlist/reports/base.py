"""A report that is written when the run ends: whole, or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

from setlist.core.events import Event, RunFinished, SessionFinished
from setlist.core.files import stat_signature, write_atomically
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.reports.results import RunOutcome, SessionOutcome

_CLOCKS_DIFFER = 2.0
"""Seconds by which a file's time may be behind ours: some file systems count in twos, and others' clocks are theirs."""


class WrittenAtEnd(ABC):
    """A reader of events that writes a file from what came of the run.

    Args:
        path: the file.
        project: whose run it is.
        sessions: the definitions of its sessions, by name.

    Attributes:
        problem: what kept it from being written, in one line, once the run has ended.
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
        """What stands in the file."""

    def _session_ended(self, session: SessionOutcome) -> None:
        """Take note of what another run beside this one may have changed by the time this one ends."""
        if session.captured and session.started is not None:
            log = self._project.log(session.name)
            try:
                written = log.stat().st_mtime
            except OSError:
                return
            signature = stat_signature(log)
            if signature is not None and written >= session.started.time - _CLOCKS_DIFFER:
                self._logs[session.name] = signature

    def _log(self, session: SessionOutcome) -> Path | None:
        """The session's log; None where it has none of this run."""
        return self._project.log(session.name) if session.name in self._logs else None

    def _log_is_ours(self, session: SessionOutcome) -> bool:
        """Whether the log is still that of this run, and not one that has begun since."""
        return self._logs.get(session.name) == stat_signature(self._project.log(session.name))
