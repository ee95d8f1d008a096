"""Run a session's function, in a worker process of its own: its directory, its variables and its crashes stay there.

The host's side of what :mod:`setlist.runner.worker` describes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from setlist.core import system
from setlist.core.errors import SetlistError
from setlist.core.events import Emit, from_json
from setlist.core.model import Change
from setlist.core.project import Caller
from setlist.core.records import dump
from setlist.process.spawn import Completed, Interrupted, run_process
from setlist.runner.command import Scope
from setlist.runner.exit_status import failure_text

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment

PROGRAM = "from setlist.runner.worker import main; main()"

READ_AT_ONCE = 1 << 16


def run_in_worker(
    scope: Scope, prepared: PreparedEnvironment, posargs: tuple[str, ...], caller: Caller, tmp: str
) -> Mapping[str, Any]:
    """Run the session's function to its end.

    Args:
        scope: what its commands share.
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
    seconds = None if scope.deadline is None else max(0.0, scope.deadline - time.monotonic())
    job = {
        "format": 1,
        "root": str(scope.project.root),
        "file": None if scope.project.file is None else str(scope.project.file),
        "state": str(scope.project.state),
        "session": dump(scope.session, defaults=False),
        "environ": dict(scope.environ),
        "cwd": str(scope.cwd),
        "python": str(prepared.python),
        "bin": [str(path) for path in scope.bin],
        "envdir": scope.values.envdir,
        "interpreter": dump(prepared.interpreter),
        "posargs": posargs,
        "tmp": tmp,
        "seconds": seconds,
        "grace": [scope.grace.interrupt, scope.grace.terminate],
        "ci": caller.ci,
        "keep_open": scope.keep_open,
    }
    link = Link(job, scope.emit, prepared, scope.hide)
    try:
        completed = run_process(
            [sys.executable, "-c", PROGRAM, *link.named],
            env=_environ(scope, caller),
            # a place without modules that could shadow any
            cwd=scope.project.state,
            capture=scope.output.capture if scope.output is not None else False,
            # it ends itself before, unless it hangs
            timeout=None if seconds is None else seconds + scope.grace.whole,
            grace=scope.grace,
            keep_open=(*link.inherited, *scope.keep_open),
            service=link,
        )
    finally:
        if scope.output is not None:
            scope.output.flush()
        link.close()
    return link.result or {"status": "gone", "reason": how_it_went(completed)}


def _environ(scope: Scope, caller: Caller) -> dict[str, str]:
    # the session's own variables come with the job: a PYTHONPATH among them is for its commands, not for us
    environ = dict(caller.environ)
    for name in ("SETLIST_PROCESS", "FORCE_COLOR", "COLUMNS", "LINES"):
        if name in scope.environ:
            environ[name] = scope.environ[name]
    return environ


def how_it_went(completed: Completed) -> str:
    """How a worker ended that left no result."""
    return failure_text(("its process",), completed) + ", before its function had ended"


class Link:
    """Two pipes to a worker, and the answers to what comes over them."""

    def __init__(
        self,
        job: Mapping[str, Any],
        emit: Emit,
        prepared: PreparedEnvironment | None,
        hide: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self._emit = emit
        self._prepared = prepared
        self._hide = hide
        self._received = b""
        self.result: Mapping[str, Any] | None = None
        self.finished = False
        self.reader, far_writer = os.pipe()
        far_reader, self._writer = os.pipe()
        self.inherited: tuple[int, ...] = (far_reader, far_writer)
        self.named = [str(system.inheritable(descriptor)) for descriptor in self.inherited]
        self._job: Mapping[str, Any] | None = job

    def started(self) -> None:
        """The worker has its ends: it is told what to do."""
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = ()
        if self._job is not None:
            self.say(self._job)
            self._job = None

    def ready(self) -> bool:
        """Read what the worker said, and answer each line."""
        try:
            data = os.read(self.reader, READ_AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.finished = True
            return False
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self.say(self.answer(json.loads(line)))
        return True

    def close(self) -> None:
        """Be done with the pipes."""
        for descriptor in (self.reader, self._writer, *self.inherited):
            with suppress(OSError):
                os.close(descriptor)
        self.inherited = ()

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is answered to a line of the worker."""
        if "event" in message:
            self._emit(from_json(message))
        elif "result" in message:
            self.result = message["result"]
        elif "hide" in message:
            self._hide(message["hide"])
        elif "ask" in message and self._prepared is not None:
            return self._asked(message, self._prepared)
        return {}

    def _asked(self, message: Mapping[str, Any], prepared: PreparedEnvironment) -> Mapping[str, Any]:
        """Do what only we can do: we hold the environment's lock."""
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

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a line to the worker."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._writer, data) :]
        except OSError:  # the worker is gone; how it ended is seen elsewhere
            self.finished = True
