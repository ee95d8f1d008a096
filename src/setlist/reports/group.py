"""Each session's output as a whole block, in the order of the plan: what a log file and a CI system want.

The block of the first session that isn't finished flows as it comes. Those of later sessions are kept until their turn
has come. On GitHub Actions each is folded (``::group::``), and how it ended stands below.

What a session prints may hold workflow commands, and they reach GitHub: linters and test runners mark lines of a pull
request that way, and a session may do what any program of the same step may.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from setlist.events import Event, RunFinished, RunStarted, SessionFinished, SessionsAdded, SessionStarted
from setlist.reports.block import Block, Sink
from setlist.reports.console import Console
from setlist.reports.terminal import Terminal


class Group:
    """Writes blocks.

    Args:
        out: our standard output: what commands print there.
        err: our standard error: the rest, and setlist's own words.
        directory: where blocks are kept that have to wait.
        verbosity: as the console's.
        folded: whether this is GitHub Actions.
        log_of: how the log of a session is called.
    """

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
        self._sink = Sink(out, err)
        self._console = Console(self._sink.terminal(), verbosity=verbosity, log_of=log_of)
        self._directory = directory
        self._verbosity = verbosity
        self._folded = folded
        self._sessions: tuple[str, ...] = ()
        self._waiting: list[str] = []
        self._blocks: dict[str, Block] = {}
        self._finished: dict[str, SessionFinished] = {}

    def __call__(self, event: Event) -> None:
        session: str | None = getattr(event, "session", None)
        if session is not None:
            self._take(session, event)
            return
        if isinstance(event, RunStarted):
            self._sessions = event.sessions
            self._waiting = list(event.sessions)
        elif isinstance(event, SessionsAdded):
            self._sessions += event.sessions
            self._waiting += event.sessions
        elif isinstance(event, RunFinished):
            self._show_all()
        self._console(event)

    def close(self) -> None:
        """Show what has no end yet. For a run that is broken off."""
        self._show_all()
        self._sink.rest()

    def _take(self, session: str, event: Event) -> None:
        block = self._blocks.get(session)
        if block is None and not isinstance(event, SessionFinished):
            opening = f"::group::{session}\n" if self._folded else ""
            block = Block(self._sink, self._directory, verbosity=self._verbosity, opening=opening)
            self._blocks[session] = block
            if self._waiting and self._waiting[0] == session:
                block.show()
        if isinstance(event, SessionStarted) and not event.captured and block is not None:
            # it has our streams for itself: whoever waits, waits longer
            block.show()
        if block is not None:
            block.take(event)
        if isinstance(event, SessionFinished):
            self._finished[session] = event
            self._console(event)
            if block is not None and block.live and session in self._waiting:
                self._waiting.remove(session)
                self._end(session)
            self._go_on()

    def _go_on(self) -> None:
        """Show those whose turn has come."""
        while self._waiting:
            session = self._waiting[0]
            block = self._blocks.get(session)
            if block is not None:
                block.show()
            if session not in self._finished:
                return
            del self._waiting[0]
            self._end(session)

    def _end(self, session: str) -> None:
        block = self._blocks.pop(session, None)
        if block is None or not block.begun:
            return
        self._sink.rest()
        if self._folded:
            self._sink.put("words", "::endgroup::\n")
        ended = self._finished.get(session)
        if ended is not None and len(self._sessions) > 1 and (self._verbosity >= 0 or ended.status != "ok"):
            self._sink.put("words", self._console.ending(ended) + "\n")

    def _show_all(self) -> None:
        for session in [*self._waiting, *self._blocks]:
            block = self._blocks.get(session)
            if block is not None:
                block.show()
                self._end(session)
        self._waiting.clear()
