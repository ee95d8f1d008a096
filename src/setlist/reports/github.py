"""GitHub Actions: a table in the step summary, and an annotation for each failed session.

The format: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from setlist.core.events import Event, RunFinished
from setlist.core.model import SessionSpec, SessionStatus
from setlist.reports.ansi import plain_text
from setlist.reports.console import action_text, duration_text, one_line
from setlist.reports.results import RunOutcome, SessionOutcome, counted
from setlist.reports.terminal import Terminal, escaped

_MARKS: dict[SessionStatus, str] = {
    "failed": "❌ failed",
    "aborted": "❌ aborted",
    "interrupted": "❌ interrupted",
    "flaky": "⚠️ flaky",
    "ok": "✅ ok",
    "skipped": "➖ skipped",
    "not-run": "➖ not run",
}
"""The status texts of the table, in the order of its rows."""

_LONGEST_REASON = 300

_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|~#&]")


class GitHub:
    """A reader of events for a job of GitHub Actions. It writes at the end of the run.

    Args:
        environ: the job's variables.
        out: standard output, where GitHub reads annotations.
        root: the project's root.
        sessions: the definitions of the run's sessions, by name.

    Attributes:
        problem: why the summary couldn't be written, in one line. It doesn't change the result of the run.
    """

    def __init__(
        self, environ: Mapping[str, str], out: Terminal, root: Path, sessions: Mapping[str, SessionSpec]
    ) -> None:
        self.problem: str | None = None
        self._out = out
        self._summary = environ.get("GITHUB_STEP_SUMMARY") or None
        self._workspace = environ.get("GITHUB_WORKSPACE") or None
        self._root = root
        self._sessions = sessions
        self._run = RunOutcome()

    def __call__(self, event: Event) -> None:
        self._run(event)
        if not isinstance(event, RunFinished):
            return
        for session in self._run.sessions.values():
            if session.status in ("failed", "aborted"):
                self._annotate(session)
        if self._summary is not None:
            try:
                with open(self._summary, "a", encoding="utf-8", errors="replace", newline="\n") as stream:
                    stream.write(step_summary(self._run))
            except (OSError, ValueError) as error:
                reason = error.strerror or error if isinstance(error, OSError) else error
                self.problem = f"the step summary couldn't be written: {reason}"

    def _annotate(self, session: SessionOutcome) -> None:
        from setlist.registry.definition_errors import line_of_session

        properties = {}
        spec = self._sessions.get(session.name)
        if spec is not None:
            properties["file"] = self._file(spec.origin.file)
            line = line_of_session(spec, self._root)
            if line is not None:
                properties["line"] = str(line)
        allowed = ", which is allowed" if session.allowed else ""
        properties["title"] = f"{session.name} {session.status}{allowed}"
        text = escaped(plain_text(session.reason or ""))
        try:
            self._out.put(workflow_command("warning" if session.allowed else "error", text, properties) + "\n")
        except (OSError, ValueError) as error:
            self.problem = f"an annotation couldn't be written: {error}"

    def _file(self, name: str) -> str:
        """The path relative to the checkout, which the project may be a subdirectory of."""
        path = self._root / name
        if self._workspace is not None and path.is_relative_to(self._workspace):
            return path.relative_to(self._workspace).as_posix()
        return name


def workflow_command(name: str, text: str, properties: Mapping[str, str]) -> str:
    """A workflow command: ``::error file=a.py,title=lint failed::what happened``."""
    listed = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name}{' ' if listed else ''}{listed}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def step_summary(run: RunOutcome) -> str:
    """The sessions of a run as Markdown, failures first."""
    order = list(_MARKS)
    sessions = sorted(run.sessions.values(), key=lambda session: order.index(session.status))
    lines = [f"### setlist: {counted([session.word for session in sessions], _MARKS) or 'nothing to run'}", ""]
    lines += ["| session | status | duration | environment | |", "| --- | --- | ---: | --- | --- |"]
    lines += [_row(session) for session in sessions]
    if run.finished is not None:
        lines += ["", f"{duration_text(run.finished.duration)}, exit code {run.finished.exit_code}"]
    return "\n".join([*lines, "", ""])


def _row(session: SessionOutcome) -> str:
    mark = _MARKS[session.status]
    if session.allowed:
        mark = "⚠️ failed, which is allowed"
    environment = ""
    if session.ready is not None:
        environment = f"{session.ready.interpreter} · {action_text(session.ready)}"
    ran = session.started is not None and session.finished is not None and session.status != "skipped"
    duration = duration_text(session.duration) if ran else ""
    cells = [session.name, mark, duration, environment, session.reason or ""]
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    text = one_line(plain_text(text).replace("\r", "\n"))
    if len(text) > _LONGEST_REASON:
        text = text[: _LONGEST_REASON - 1] + "…"
    return _MARKDOWN.sub(r"\\\g<0>", text)
