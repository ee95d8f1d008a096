"""Continue a warm run (:mod:`setlist.engine.warm`) that differs from the recorded one: a failed command, a signal.

Speed doesn't matter any more, so this uses the modules of an ordinary run.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core import system
from setlist.core.events import (
    CommandFinished,
    Event,
    Message,
    RunFinished,
    SessionFinished,
    from_json,
    to_json,
)
from setlist.core.model import SessionStatus
from setlist.engine import warm
from setlist.environment.bytecode import remove_cut_off, text_about
from setlist.process.process_io import Child
from setlist.process.signals import Interrupted, handling_signals, signals_here
from setlist.process.spawn import Completed, Grace, refusal, ways_after
from setlist.process.tree import ProcessTree
from setlist.reports.console import Console, duration_text
from setlist.reports.terminal import Terminal
from setlist.runner.error_text import failure_text, message_of

__all__ = ["duration_text", "end_what_is_left", "ended", "interrupted", "refused"]


def ended(run: warm.Again, command: Mapping[str, Any], code: int, took: float, terminal: list[Any] | None) -> int:
    """Finish a run after a command that failed or was ended by a signal. Returns the run's exit code."""
    system.restore_terminal(terminal)
    name: str = run.record["session"]
    words: Sequence[str] = tuple(command["words"])
    if run.signalled:
        return _interrupted(run)
    finished = CommandFinished(
        time=time.time(), session=name, command=tuple(words), code=code, ok=False, timed_out=False, duration=took
    )
    reason = failure_text(words, Completed(code, b"", b"", False, took))
    events: list[Event] = [finished]
    removed = remove_cut_off(Path(run.record["directory"]), os.environ)
    if removed:
        events.append(Message(time=time.time(), session=name, level="error", text=text_about(removed)))
    _finish(run, events, "failed", reason, session_code=1, code=1, frozen=run.record["frozen"])
    return 1


def refused(run: warm.Again, command: Mapping[str, Any], error: OSError) -> int:
    """Finish a run after a command that can't be started. Returns the run's exit code."""
    problem = refusal(command["program"], Path(command["cwd"]), error)
    name: str = run.record["session"]
    message = Message(time=time.time(), session=name, level="error", text=message_of(problem))
    _finish(run, [message], "failed", str(problem), session_code=1, code=1, frozen=None)
    return 1


def interrupted(run: warm.Again, process: warm.Process) -> int:
    """End a command after a signal. Returns the run's exit code."""
    terminal = system.terminal_state()
    with handling_signals():
        signals = signals_here()
        assert signals is not None
        with signals.guarded():
            # so that the same signal, forwarded by a wrapper, doesn't count as a second one
            signals.handle(run.signalled, None)
            interrupt, terminate = run.record["grace"]
            child = Child(_Started(process), _tree(process), signals, b"")  # type: ignore[arg-type]
            try:
                child.stop(ways_after(run.signalled, Grace(interrupt, terminate), process.own_group))
            finally:
                child.close()
            run.note_ended(process)
            system.restore_terminal(terminal)
    return _interrupted(run)


def end_what_is_left(run: warm.Again, process: warm.Process) -> None:
    """End the processes that an ended command left in its process group."""
    tree = _tree(process)
    if not tree.left_in_group():
        return
    child = Child(_Started(process, 0), tree, None, b"")  # type: ignore[arg-type]
    try:
        child.stop(system.ways_to_stop(signal.SIGTERM, 0, run.record["grace"][1]), group_only=True)
    finally:
        child.close()


def _interrupted(run: warm.Again) -> int:
    signalled = Interrupted(run.signalled)
    reason = f"interrupted by {signalled}"
    code = signalled.exit_code
    _finish(run, [], "interrupted", reason, session_code=code, code=code, frozen=None)
    return code


def _tree(process: warm.Process) -> ProcessTree:
    return ProcessTree(process.pid, process.mark, own_group=process.own_group)


class _Started:
    """The part of :class:`subprocess.Popen` that :class:`Child` uses, for a process started without it."""

    stdin = stdout = stderr = None

    def __init__(self, process: warm.Process, code: int | None = None) -> None:
        self.pid = process.pid
        self.code = code

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.code is None and sys.platform != "win32":
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self) -> int:
        """Wait until it ends, and return the exit code."""
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code


def _finish(
    run: warm.Again,
    events: Sequence[Event],
    status: SessionStatus,
    reason: str,
    *,
    session_code: int,
    code: int,
    frozen: str | None,
) -> None:
    """Write the last events to the history, and print them with a console that has seen the earlier ones."""
    shown = Terminal.of(sys.stderr, os.environ, lossy=True)
    stream, shown.stream = shown.stream, io.StringIO()
    console = Console(shown)
    # not splitlines(): JSON may hold separators that it takes for the end of a line
    for line in run.history.removesuffix("\n").split("\n"):
        console(from_json(json.loads(line)))
    shown.stream = stream
    took = run.elapsed()
    session = SessionFinished(
        time=time.time(),
        session=run.record["session"],
        status=status,
        reason=reason,
        exit_code=session_code,
        duration=took,
        frozen=frozen,
    )
    for event in (*events, session, RunFinished(time=time.time(), exit_code=code, duration=took)):
        console(event)
        run.write_history(json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")) + "\n")
