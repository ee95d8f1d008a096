"""``--report FILE.json``: a run as one object, for programs. Its schema is report.schema.json, beside this file."""

from __future__ import annotations

import json
import platform
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from setlist import __version__
from setlist.core.events import Message
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.reports.report_file import ReportFile
from setlist.reports.results import RunOutcome, SessionOutcome

FORMAT = 1
"""Incremented when a key is removed or changes its meaning; keys may be added."""


class Summary(ReportFile):
    """Writes the run as JSON. ``mask`` removes secrets from the frozen requirements, which may contain URLs."""

    def __init__(
        self, path: Path, project: Project, sessions: Mapping[str, SessionSpec], mask: Callable[[str], str] = str
    ) -> None:
        super().__init__(path, project, sessions)
        self._mask = mask
        self._frozen: dict[str, dict[str, Any]] = {}

    def _session_ended(self, session: SessionOutcome) -> None:
        super()._session_ended(session)
        if session.finished is None or session.finished.frozen is None:
            return
        file = session.finished.frozen
        try:
            text = (self._project.root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        lines = [line for line in map(str.strip, self._mask(text).splitlines()) if line and not line.startswith("#")]
        self._frozen[session.name] = {"file": file, "requirements": lines}

    def _content(self, run: RunOutcome) -> bytes:
        assert run.started is not None
        assert run.finished is not None
        data = {
            "format": FORMAT,
            "setlist": __version__,
            "run": run.started.run,
            "argv": list(run.started.argv),
            "root": str(self._project.root),
            "python": platform.python_version(),
            "platform": sysconfig.get_platform(),
            "jobs": run.started.jobs,
            "started": run.started.time,
            "ended": run.finished.time,
            "duration": run.finished.duration,
            "exit_code": run.finished.exit_code,
            "messages": [_message(message) for message in run.messages],
            "sessions": [self._session(session) for session in run.sessions.values()],
        }
        # 'replace': arguments that aren't UTF-8 have no representation in JSON
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")

    def _session(self, session: SessionOutcome) -> dict[str, Any]:
        spec, finished, log = self._sessions.get(session.name), session.finished, self._log(session)
        return {
            "name": session.name,
            "family": spec.family if spec is not None else session.name,
            "status": session.status,
            "reason": session.reason,
            "exit_code": finished.exit_code if finished is not None else 0,
            "attempts": finished.attempts if finished is not None else len(session.retries) + 1,
            "started": session.started.time if session.started is not None else None,
            "duration": session.duration,
            "environment": _environment(session),
            "commands": [
                {
                    "command": list(command.command),
                    "code": command.code,
                    "ok": command.ok,
                    "timed_out": command.timed_out,
                    "started": command.started,
                    "duration": command.duration,
                    "attempt": command.attempt,
                }
                for command in session.commands
            ],
            "messages": [_message(message) for message in session.messages],
            "frozen": self._frozen.get(session.name),
            "log": self._project.relative(log) if log is not None else None,
        }


def _environment(session: SessionOutcome) -> dict[str, Any] | None:
    ready = session.ready
    if ready is None:
        return None
    return {
        "interpreter": ready.interpreter,
        "action": ready.action,
        "reasons": list(ready.reasons),
        "changes": [{"package": change.package, "old": change.old, "new": change.new} for change in ready.changes],
        "duration": ready.duration,
    }


def _message(message: Message) -> dict[str, Any]:
    return {"time": message.time, "level": message.level, "text": message.text}
