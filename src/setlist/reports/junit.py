"""``--report FILE.xml``: a run as JUnit XML, which CI systems show as tests. A session is a test case.

There is no single schema. The elements are those that GitLab, Jenkins and the reporters for GitHub read: those of Ant's
JUnit task, ``file`` and ``line`` of a test case as in pytest, ``flakyFailure`` and ``rerunFailure`` as in Maven's
Surefire.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from setlist import __version__
from setlist.registry.definition_errors import lines_of_sessions
from setlist.reports.ansi import xml_text
from setlist.reports.console import command_text, end_text
from setlist.reports.report_file import ReportFile, excerpt, last_lines
from setlist.reports.results import RunOutcome, SessionOutcome

Verdict = Literal["passed", "failure", "error", "skipped"]


class JUnit(ReportFile):
    """Writes the run as JUnit XML, one test case at a time, so that only one log is in memory."""

    def _content(self, run: RunOutcome) -> Iterator[bytes]:
        assert run.started is not None
        assert run.finished is not None
        from time import gmtime, strftime

        verdicts = [verdict_of(session) for session in run.sessions.values()]
        counts = {
            "tests": str(len(verdicts)),
            "failures": str(verdicts.count("failure")),
            "errors": str(verdicts.count("error")),
        }
        duration = _seconds(run.finished.duration)
        suites = ElementTree.Element("testsuites", {"name": "setlist", **counts, "time": duration})
        suite = ElementTree.Element(
            "testsuite",
            {
                "name": "setlist",
                **counts,
                "skipped": str(verdicts.count("skipped")),
                "time": duration,
                "timestamp": strftime("%Y-%m-%dT%H:%M:%S", gmtime(run.started.time)),
            },
        )
        properties = {
            "setlist": __version__,
            "run": run.started.run,
            "argv": command_text(run.started.argv),
            "jobs": str(run.started.jobs),
            "exit_code": str(run.finished.exit_code),
        }
        lines = lines_of_sessions(self._sessions.values(), self._project.root)
        yield b'<?xml version="1.0" encoding="utf-8"?>\n'
        yield _opened(suites) + b"\n" + _opened(suite) + b"\n"
        yield _bytes(_properties(properties))
        for session in run.sessions.values():
            yield _bytes(self._case(session, lines.get(session.name)))
        text = "\n".join(f"{message.level}: {message.text}" for message in run.messages)
        if text:
            system_out = ElementTree.Element("system-out")
            system_out.text = xml_text(text)
            yield _bytes(system_out)
        yield b"</testsuite>\n</testsuites>\n"

    def _case(self, session: SessionOutcome, line: int | None) -> ElementTree.Element:
        spec = self._sessions.get(session.name)
        case = ElementTree.Element(
            "testcase",
            {
                "classname": spec.family if spec is not None else session.name,
                "name": session.name,
                "time": _seconds(session.duration),
            },
        )
        if spec is not None:
            case.set("file", xml_text(spec.origin.file))
            if line is not None:
                case.set("line", str(line))
        case.append(_properties(_facts(session)))
        verdict = verdict_of(session)
        if verdict != "passed":
            end = ElementTree.SubElement(case, verdict, _reason(session))
            if verdict != "skipped":
                end.text = self._failure_text(session)
        again = "flakyFailure" if session.status == "flaky" else "rerunFailure"
        for retry in session.retries:
            attributes = {"message": xml_text(retry.reason), "type": "failed"}
            trace = ElementTree.SubElement(ElementTree.SubElement(case, again, attributes), "stackTrace")
            trace.text = f"try {retry.attempt - 1} of {retry.attempts}: {xml_text(retry.reason)}"
        log = self._log(session)
        if log is not None:
            ElementTree.SubElement(case, "system-out").text = self._output(session, log)
        return case

    def _failure_text(self, session: SessionOutcome) -> str:
        """The body of a failure. GitLab shows it instead of the output."""
        lines = []
        for command in session.commands:
            if not command.ok:
                ended = "interrupted"
                if command.code is not None:
                    ended = end_text(command.code, timed_out=command.timed_out, duration=command.duration or 0.0)
                lines += [f"$ {command_text(command.command)}", f"  {ended}"]
        lines += [message.text for message in session.messages if message.level == "error"]
        log = self._log(session)
        if log is not None and self._log_is_ours(session):
            lines += ["", f"The end of {self._project.relative(log)}:", "", last_lines(log)]
        return xml_text("\n".join(lines or [session.reason or ""])).strip("\n")

    def _output(self, session: SessionOutcome, log: Path) -> str:
        name = self._project.relative(log)
        if not self._log_is_ours(session):
            return f"[another run has written {name} since]"
        try:
            return excerpt(log, name)
        except OSError as error:
            return f"[{name} can't be read: {error.strerror or error}]"


def verdict_of(session: SessionOutcome) -> Verdict:
    """The result of a session in JUnit's terms.

    ``failure``: a command failed, or the function aborted the session. ``error``: it didn't run (its environment
    couldn't be made, a session that it requires failed), or not to its end (it was interrupted). An allowed failure is
    ``skipped``, like an expected failure in pytest: CI systems count every ``failure`` against the whole run.
    """
    if session.status in ("ok", "flaky"):
        return "passed"
    if session.status in ("skipped", "not-run") or session.allowed:
        return "skipped"
    return "failure" if session.status in ("failed", "aborted") and session.ready is not None else "error"


def _reason(session: SessionOutcome) -> dict[str, str]:
    message = session.reason or session.status
    if session.allowed:
        message = f"failed, which is allowed: {message}"
    kind = "preparation" if session.status == "failed" and session.ready is None else session.status
    return {"message": xml_text(message), "type": kind}


def _facts(session: SessionOutcome) -> dict[str, str]:
    """The properties of a test case."""
    facts: dict[str, str] = {"status": session.status}
    if session.ready is not None:
        facts["interpreter"] = session.ready.interpreter
        facts["environment"] = session.ready.action
    if session.retries and session.finished is not None:
        facts["attempts"] = str(session.finished.attempts)
    return facts


def _properties(values: dict[str, str]) -> ElementTree.Element:
    properties = ElementTree.Element("properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": xml_text(value)})
    return properties


def _seconds(duration: float) -> str:
    return f"{max(duration, 0.0):.3f}"


def _bytes(element: ElementTree.Element) -> bytes:
    return ElementTree.tostring(element, encoding="unicode").encode() + b"\n"


def _opened(element: ElementTree.Element) -> bytes:
    """The start tag of an element without content."""
    return _bytes(element).rstrip(b"\n").removesuffix(b" />") + b">"
