"""Run a session's function, in a worker process of its own: its directory, its variables and its crashes stay there.

The host's side of what :mod:`setlist.runner.worker` describes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setlist.core.errors import SetlistError
from setlist.core.events import from_json
from setlist.core.model import Change
from setlist.core.project import Caller
from setlist.core.records import dump
from setlist.process.spawn import Interrupted, run_process
from setlist.runner.command import SessionAttempt
from setlist.runner.error_text import how_it_went
from setlist.runner.worker_rpc import Link

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.output import SessionOutput

PROGRAM = "from setlist.runner.worker import main; main()"


def run_in_worker(
    attempt: SessionAttempt, prepared: PreparedEnvironment, posargs: tuple[str, ...], caller: Caller, tmp: str
) -> Mapping[str, Any]:
    """Run the session's function to its end.

    Args:
        attempt: what its commands share.
        prepared: its environment.
        posargs: the words after ``--``.
        caller: the world that setlist was called from: the worker's own Python runs in it.
        tmp: where the session's directory for temporary files would be.

    Returns:
        how it ended: ``status`` is ``ok``, ``skipped``, ``failed``, ``refused`` (an error of setlist's, ``told``
        with its hint), ``raised`` (with a ``traceback``), or ``gone`` (the process ended before the function did).

    Raises:
        CommandRefused: the worker can't be started.
        Interrupted: a signal reached us, and it is gone.
    """
    seconds = None if attempt.deadline is None else max(0.0, attempt.deadline - time.monotonic())
    job = {
        "format": 1,
        "root": str(attempt.project.root),
        "file": None if attempt.project.file is None else str(attempt.project.file),
        "state": str(attempt.project.state),
        "session": dump(attempt.session, defaults=False),
        "environ": dict(attempt.environ),
        "cwd": str(attempt.cwd),
        "python": str(prepared.python),
        "bin": [str(path) for path in attempt.bin],
        "envdir": attempt.values.envdir,
        "interpreter": dump(prepared.interpreter),
        "posargs": posargs,
        "tmp": tmp,
        "seconds": seconds,
        "grace": [attempt.grace.interrupt, attempt.grace.terminate],
        "ci": caller.ci,
        "keep_open": attempt.keep_open,
    }
    link = _FunctionLink(job, prepared, attempt.output)
    try:
        completed = run_process(
            [sys.executable, "-c", PROGRAM, *link.named],
            env=_environ(attempt, caller),
            # a place without modules that could shadow any
            cwd=attempt.project.state,
            capture=attempt.output.capture,
            # it ends itself before, unless it hangs
            timeout=None if seconds is None else seconds + attempt.grace.whole,
            grace=attempt.grace,
            keep_open=(*link.inherited, *attempt.keep_open),
            service=link,
        )
    finally:
        attempt.output.flush()
        link.close()
    return link.result or {"status": "gone", "reason": how_it_went(completed)}


def _environ(attempt: SessionAttempt, caller: Caller) -> dict[str, str]:
    # the session's own variables come with the job: a PYTHONPATH among them is for its commands, not for us
    environ = dict(caller.environ)
    for name in ("SETLIST_PROCESS", "FORCE_COLOR", "COLUMNS", "LINES"):
        if name in attempt.environ:
            environ[name] = attempt.environ[name]
    return environ


class _FunctionLink(Link):
    """Answers what a session's function asks. ``result`` is what it ended with."""

    def __init__(self, job: Mapping[str, Any], prepared: PreparedEnvironment, output: SessionOutput) -> None:
        super().__init__(job)
        self._prepared = prepared
        self._output = output
        self.result: Mapping[str, Any] | None = None

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is answered to a line of the worker."""
        if "event" in message:
            self._output.emit(from_json(message))
        elif "result" in message:
            self.result = message["result"]
        elif "hide" in message:
            self._output.hide(message["hide"])
        elif "ask" in message:
            return self._asked(message)
        return {}

    def _asked(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what only we can do: we hold the environment's lock."""
        prepared = self._prepared
        changes: tuple[Change, ...] = ()
        try:
            if message["ask"] == "install":
                changes = prepared.install(*message["arguments"])
            elif message["ask"] == "settle":
                changes = prepared.settle(message["command"])
            elif message["ask"] == "ran":
                prepared.ran(message["command"])
        except SetlistError as error:
            told = {"message": error.message, "where": error.where, "hint": error.hint, "detail": error.detail}
            return {"error": told}
        except Interrupted:
            # who waits for the worker sees the signal too, and ends it
            return {"error": {"message": "interrupted"}}
        return {"changes": [dump(change) for change in changes]}
