"""Write the output of each session as one block when the session ends: for log files and CI systems.

A line announces the start of each session, and every ten seconds one names those that still run. If sessions run one
after another, the block of the running session is written as it comes. On GitHub Actions blocks are folded
(``::group::``), and a line below has the result. Nothing is written into the fold of a session but its own output.

In the order of the plan, which has to be asked for, the block of the first session that hasn't ended is written as it
comes, and those of later ones are held back. Nothing tells of these meanwhile.

Workflow commands in the output of a session reach GitHub: linters and test runners annotate pull requests with them,
and a session may do what any program of the same step may do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from setlist.core.events import Event, RunFinished, RunStarted, SessionFinished, SessionsAdded, SessionStarted
from setlist.reports.output_buffer import BlockReader
from setlist.reports.progress import Heartbeat
from setlist.reports.terminal import Terminal


class Group(BlockReader):
    """Writes blocks.

    ``folded``: whether this is GitHub Actions; ``ordered``: whether blocks are in the order of the plan; the other
    arguments as for :class:`BlockReader`.
    """

    def __init__(
        self,
        out: Terminal,
        err: Terminal,
        *,
        directory: Path | None = None,
        verbosity: int = 0,
        folded: bool = False,
        ordered: bool = False,
        log_of: Callable[[str], str | None] | None = None,
    ) -> None:
        super().__init__(out, err, directory=directory, verbosity=verbosity, log_of=log_of)
        self._folded = folded
        self._ordered = ordered
        self._sessions: tuple[str, ...] = ()
        self._one_at_a_time = False
        self._started: set[str] = set()
        self._ended: dict[str, SessionFinished] = {}
        self._alone: str | None = None
        self._heartbeat: Heartbeat | None = None
        # The heartbeat writes too, and mustn't do so in the middle of a block
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._read(event)
            if self._heartbeat is not None:
                self._heartbeat(event)

    def _read(self, event: Event) -> None:
        session: str | None = getattr(event, "session", None)
        if session is not None:
            self._take(session, event)
            return
        if isinstance(event, RunStarted):
            self._sessions = event.sessions
            self._one_at_a_time = event.jobs == 1 or len(event.sessions) == 1
            if self._verbosity >= 0 and (self._one_at_a_time or not self._ordered):
                self._heartbeat = Heartbeat(self._say, self._lock, several=not self._one_at_a_time)
        elif isinstance(event, SessionsAdded):
            self._sessions += event.sessions
        elif isinstance(event, RunFinished):
            self._show_all()
        self._console(event)

    def close(self) -> None:
        """Write the blocks of sessions without an end, when a run is aborted."""
        if self._heartbeat is not None:
            self._heartbeat.close()
        with self._lock:
            self._show_all()
            self._sink.rest()

    def _say(self, text: str) -> None:
        if self._alone is None:
            self._sink.put("words", text + "\n")

    def _take(self, session: str, event: Event) -> None:
        block = self._blocks.get(session)
        if block is None and not isinstance(event, SessionFinished):
            opening = f"::group::{session}\n" if self._folded else ""
            block = self._block(session, opening)
            if self._one_at_a_time or (self._ordered and session == self._next()):
                block.show()
        if isinstance(event, SessionStarted) and block is not None:
            if not event.captured:
                self._alone = session
                block.show()  # it uses our streams directly, and no other session runs
            elif not (block.live or self._ordered) and self._verbosity >= 0:
                self._started.add(session)
                self._sink.put("words", self._console.start_text(session) + "\n")
        if block is not None:
            block.take(event)
        if isinstance(event, SessionFinished):
            self._console(event)
            self._alone = None if self._alone == session else self._alone
            self._ended[session] = event
            if self._ordered and not self._one_at_a_time:
                self._end_in_order()
            else:
                self._end(session, event)

    def _next(self) -> str | None:
        """The first session of the plan that hasn't ended."""
        return next((name for name in self._sessions if name not in self._ended), None)

    def _end_in_order(self) -> None:
        """Write the blocks of ended sessions up to the first that hasn't ended, and what that has written so far."""
        for name in self._sessions:
            if name not in self._ended:
                if name in self._blocks and not self._blocks[name].live:
                    self._blocks[name].show()
                return
            if name in self._blocks:
                self._end(name, self._ended[name])

    def _end(self, session: str, finished: SessionFinished | None) -> None:
        block = self._blocks.pop(session, None)
        if block is not None:
            block.show()
        written = block is not None and block.begun
        if written:
            self._sink.rest()
            if self._folded:
                self._sink.put("words", "::endgroup::\n")
        if finished is None or not (written or session in self._started) or len(self._sessions) == 1:
            return
        if self._verbosity >= 0 or finished.status != "ok":
            self._put_ending(finished)

    def _show_all(self) -> None:
        for session in sorted(self._blocks, key=self._place) if self._ordered else tuple(self._blocks):
            self._end(session, self._ended.get(session))

    def _place(self, session: str) -> int:
        return self._sessions.index(session) if session in self._sessions else len(self._sessions)
