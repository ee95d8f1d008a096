"""Write the output of each session as one block when the session ends: for log files and CI systems.

A line announces the start of each session. If sessions run one after another, the block of the running session is
written as it comes. On GitHub Actions blocks are folded (``::group::``), and a line below has the result.

Workflow commands in the output of a session reach GitHub: linters and test runners annotate pull requests with them,
and a session may do what any program of the same step may do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from setlist.core.events import Event, RunFinished, RunStarted, SessionFinished, SessionsAdded, SessionStarted
from setlist.reports.output_buffer import BlockReader
from setlist.reports.terminal import Terminal


class Group(BlockReader):
    """Writes blocks. ``folded``: whether this is GitHub Actions; the other arguments as for :class:`BlockReader`."""

    def __init__(
        self,
        out: Terminal,
        err: Terminal,
        *,
        directory: Path | None = None,
        verbosity: int = 0,
        folded: bool = False,
        log_of: Callable[[str], str | None] | None = None,
    ) -> None:
        super().__init__(out, err, directory=directory, verbosity=verbosity, log_of=log_of)
        self._folded = folded
        self._sessions: tuple[str, ...] = ()
        self._one_at_a_time = False
        self._started: set[str] = set()

    def __call__(self, event: Event) -> None:
        session: str | None = getattr(event, "session", None)
        if session is not None:
            self._take(session, event)
            return
        if isinstance(event, RunStarted):
            self._sessions = event.sessions
            self._one_at_a_time = event.jobs == 1 or len(event.sessions) == 1
        elif isinstance(event, SessionsAdded):
            self._sessions += event.sessions
        elif isinstance(event, RunFinished):
            self._show_all()
        self._console(event)

    def close(self) -> None:
        """Write the blocks of sessions without an end, when a run is aborted."""
        self._show_all()
        self._sink.rest()

    def _take(self, session: str, event: Event) -> None:
        block = self._blocks.get(session)
        if block is None and not isinstance(event, SessionFinished):
            opening = f"::group::{session}\n" if self._folded else ""
            block = self._block(session, opening)
            if self._one_at_a_time:
                block.show()
        if isinstance(event, SessionStarted) and block is not None:
            if not event.captured:
                block.show()  # it uses our streams directly, and no other session runs
            elif not block.live and self._verbosity >= 0:
                self._started.add(session)
                self._sink.put("words", self._console.start_text(session) + "\n")
        if block is not None:
            block.take(event)
        if isinstance(event, SessionFinished):
            self._console(event)
            self._end(session, event)

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
        for session in tuple(self._blocks):
            self._end(session, None)
