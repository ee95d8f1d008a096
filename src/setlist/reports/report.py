"""``--report FILE``: which report a file is to hold, by its ending."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from setlist.core.errors import UsageError
from setlist.core.events import Event, RunFinished, RunStarted, to_json
from setlist.core.files import temporary_name
from setlist.core.model import SessionSpec
from setlist.core.project import Project

ENDINGS = (".json", ".jsonl", ".xml")


class Report(Protocol):
    """A reader of events that writes a file.

    ``problem`` is, once the run has ended, what kept the file from being written whole, in one line.
    """

    problem: str | None

    def __call__(self, event: Event) -> None: ...


def report_to(
    path: Path, project: Project, sessions: Mapping[str, SessionSpec], mask: Callable[[str], str] = str
) -> Report:
    """The report that a file is to hold, ready for the events of one run.

    Args:
        path: the file; missing directories are made.
        project: whose run it is.
        sessions: the definitions of its sessions, by name.
        mask: takes secrets out of what is read from elsewhere than events.

    Raises:
        UsageError: its ending isn't one of ``ENDINGS``, or nothing can be written there.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise _unknown(path, ending)
    _try_to_write(path, in_place=ending == ".jsonl")
    if ending == ".jsonl":
        return EventLines(path)
    if ending == ".json":
        from setlist.reports.summary import Summary

        return Summary(path, project, sessions, mask)
    from setlist.reports.junit import JUnit

    return JUnit(path, project, sessions)


class EventLines:
    """Writes the events as they come, a line of JSON each.

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
                # 'replace': words of a command line that are no UTF-8 have no place in JSON
                self._stream = self._path.open("w", encoding="utf-8", errors="replace", newline="\n")
            if self._stream is not None:
                self._stream.write(json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")) + "\n")
                self._stream.flush()
                if isinstance(event, RunFinished):
                    self._stream.close()
                    self._stream = None
        except OSError as error:
            self.problem = f"the report {self._path} couldn't be written: {error.strerror or error}"
            stream, self._stream = self._stream, None
            if stream is not None:
                with suppress(OSError):  # it tries to write what it still holds, and fails of the same
                    stream.close()


def _unknown(path: Path, ending: str) -> UsageError:
    if ending == ".html":
        return UsageError(f"--report {path}: there are no HTML reports yet", hint=_known())
    said = f"'{ending}' says nothing of what it is to hold" if ending else "its name has no ending"
    return UsageError(f"--report {path}: {said}", hint=_known())


def _known() -> str:
    return f"the ending chooses the report: {', '.join(ENDINGS)}"


def _try_to_write(path: Path, *, in_place: bool) -> None:
    """Find out before anything runs whether the file can be written."""
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
        said = error.strerror or error if isinstance(error, OSError) else error
        raise UsageError(f"--report: can't write {path}: {said}") from error
