"""``--report FILE``: choose the report by the file's suffix. The events themselves are one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from setlist.core.errors import UsageError
from setlist.core.events import Event, RunFinished, RunStarted, to_json
from setlist.core.files import temporary_name
from setlist.core.model import SessionSpec
from setlist.core.project import Project
from setlist.core.records import json_text

SUFFIXES = (".json", ".jsonl", ".xml")


class Report(Protocol):
    """A reader of events that writes a file.

    ``problem`` is, once the run has ended, why the file couldn't be written, in one line.
    """

    problem: str | None

    def __call__(self, event: Event) -> None: ...


def report_to(
    path: Path, project: Project, sessions: Mapping[str, SessionSpec], mask: Callable[[str], str] = str
) -> Report:
    """A reader that writes the report with this file's suffix.

    Args:
        path: the file; missing directories are made.
        project: the project of the run.
        sessions: the definitions of its sessions, by name.
        mask: removes secrets from text that doesn't come from events.

    Raises:
        UsageError: its suffix isn't one of ``SUFFIXES``, or the file can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _unknown(path, suffix)
    _try_to_write(path, in_place=suffix == ".jsonl")
    if suffix == ".jsonl":
        return EventLines(path)
    if suffix == ".json":
        from setlist.reports.summary import Summary

        return Summary(path, project, sessions, mask)
    from setlist.reports.junit import JUnit

    return JUnit(path, project, sessions)


class EventLines:
    """Writes each event as a line of JSON, as it occurs.

    Args:
        path: the file; it is overwritten.
    """

    def __init__(self, path: Path) -> None:
        self.problem: str | None = None
        self._path = path
        self._stream: IO[str] | None = None

    def __call__(self, event: Event) -> None:
        try:
            if isinstance(event, RunStarted):
                # 'replace': arguments that aren't UTF-8 have no representation in JSON
                self._stream = self._path.open("w", encoding="utf-8", errors="replace", newline="\n")
            if self._stream is not None:
                self._stream.write(json_text(to_json(event)) + "\n")
                self._stream.flush()
                if isinstance(event, RunFinished):
                    self._stream.close()
                    self._stream = None
        except OSError as error:
            self.problem = f"the report {self._path} couldn't be written: {error.strerror or error}"
            stream, self._stream = self._stream, None
            if stream is not None:
                with suppress(OSError):  # closing flushes, which fails for the same reason
                    stream.close()


def _unknown(path: Path, suffix: str) -> UsageError:
    if suffix == ".html":
        problem = "there are no HTML reports yet"
    else:
        problem = f"there is no report with the suffix '{suffix}'" if suffix else "its name has no suffix"
    return UsageError(f"--report {path}: {problem}", hint=f"the suffix chooses the report: {', '.join(SUFFIXES)}")


def _try_to_write(path: Path, *, in_place: bool) -> None:
    """Check before the run that the file can be written."""
    try:
        if path.is_dir():
            raise UsageError(f"--report {path}: this is a directory")
        path.parent.mkdir(parents=True, exist_ok=True)
        if in_place:
            path.open("ab").close()
        else:
            # Until it is complete, the report has a temporary name
            trial = temporary_name(path)
            trial.open("xb").close()
            trial.unlink()
    except (OSError, ValueError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise UsageError(f"--report: can't write {path}: {reason}") from error
