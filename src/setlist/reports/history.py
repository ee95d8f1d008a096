"""Past runs: write the events of a run as JSON lines under ``.setlist/.tox/history/``.

The file of a run is ``<UTC time>-<run id>.jsonl``, one event a line, written as events occur: a killed run leaves its
events so far. The output of sessions isn't in it, but in their logs, and the progress of installers isn't either. If
the file can't be written, the run continues without history. :mod:`setlist.reports.past_runs` reads the files. A warm
run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os

from setlist.core.events import EnvironmentProgress, Event, Output, RunFinished, RunStarted, to_json
from setlist.core.records import json_text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import IO

KEPT = 50
"""The number of runs that are kept."""


class History:
    """Writes the events of one run.

    Args:
        directory: where the project's history lies. It is made when a run begins.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = os.fspath(directory)
        self._stream: IO[str] | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, (Output, EnvironmentProgress)):
            return
        try:
            if isinstance(event, RunStarted):
                self._begin(event)
            if self._stream is not None:
                self._stream.write(json_text(to_json(event)) + "\n")
                # so that a killed run leaves its events
                self._stream.flush()
        except OSError as error:
            self._give_up(error)
        if isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Close the file of the run."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except OSError as error:
                self._give_up(error)

    def _begin(self, event: RunStarted) -> None:
        from time import gmtime, strftime

        self.close()
        os.makedirs(self._directory, exist_ok=True)
        stamp = strftime("%Y%m%dT%H%M%S", gmtime(event.time))
        # With microseconds, so that names sort by time
        path = f"{self._directory}/{stamp}.{int(event.time % 1 * 1e6):06d}Z-{event.run}.jsonl"
        self._stream = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115
        for old in files_in(self._directory)[:-KEPT]:
            _remove(f"{self._directory}/{old}")

    def _give_up(self, error: OSError) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            from contextlib import suppress

            with suppress(OSError):  # closing flushes, which fails for the same reason
                stream.close()
        import logging

        logging.getLogger(__name__).debug("no history is kept of this run: %s", error)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:  # another run was faster
        return


def files_in(directory: str | os.PathLike[str]) -> list[str]:
    """The names of the files of past runs, the oldest first."""
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))
    except OSError:
        return []
