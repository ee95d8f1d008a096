"""The output of each session as one block: written at once, or held back until its turn comes.

A :class:`Block` takes a session's events. Their text goes to a :class:`Sink` while the block is *live*; until then a
:class:`Spool` holds it, on the disk if it is large. :class:`BlockReader` is the base of the board and of group mode.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, cast

from setlist.core.events import Event, Output, SessionFinished
from setlist.reports.ansi import RESET, Colours, Filter, ends_line
from setlist.reports.console import Console
from setlist.reports.terminal import Terminal, same_file

Kind = Literal["words", "stdout", "stderr"]

_KINDS: tuple[Kind, ...] = ("words", "stdout", "stderr")
_FRAME = struct.Struct(">BI")

IN_MEMORY = 256 * 1024
"""Bytes of a session's output that are kept in memory before they go to the disk."""

LONGEST_PIECE = 256 * 1024
"""Characters that are read back at once."""


class WordStream(io.StringIO):
    """Stands in for a stream: what a Console writes is handed on."""

    def __init__(self, put: Callable[[str], None]) -> None:
        super().__init__()
        self._put = put

    def write(self, text: str) -> int:
        self._put(text)
        return len(text)


class _Place:
    """A terminal, a pipe or a file, and what state the last of our writing left it in."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.at_start = True
        self.colours = Colours()
        self._filters: list[Filter] = []

    def filter(self) -> Filter:
        """For one more stream that goes here."""
        made = Filter(self.colours, keep="line" if self.terminal.interactive else "all")
        self._filters.append(made)
        return made

    def write(self, text: str) -> None:
        if text:
            self.terminal.pass_on(text)
            self.at_start = ends_line(text, self.at_start)

    def rest(self) -> None:
        """End what is unfinished: a sequence, a colour, a line."""
        for one in self._filters:
            self.write(one.close())
        if self.colours:
            self.colours.reset()
            self.terminal.pass_on(RESET)
        if not self.at_start:
            self.terminal.pass_on("\n")
            self.at_start = True


class Sink:
    """Our two standard streams, as blocks are written to them.

    Where both lead to the same place, what is written comes in the order in which it came. Where they don't, what
    commands print to their standard output goes to ours, and all else to standard error.
    """

    def __init__(self, out: Terminal, err: Terminal) -> None:
        self._err = _Place(err)
        self._out = self._err if same_file(out, err) else _Place(out)
        self._filters = {"stdout": self._out.filter(), "stderr": self._err.filter()}
        self.color = err.color

    def terminal(self) -> Terminal:
        """For a Console: what it writes are words of ours."""
        return Terminal(WordStream(lambda text: self.put("words", text)), color=self.color)

    def put(self, kind: Kind, text: str) -> None:
        """Write what commands printed, or words of ours that are safe, which begin on a line of their own."""
        if kind == "words":
            self.rest()
            with suppress(OSError, ValueError):  # nobody reads it any more
                self._err.terminal.put(text)
            self._err.at_start = text.endswith("\n")
        else:
            place = self._out if kind == "stdout" else self._err
            place.write(self._filters[kind].feed(text))

    def rest(self) -> None:
        """End what is unfinished: no line, no colour goes on into what others write."""
        self._out.rest()
        if self._out is not self._err:
            self._err.rest()


class Spool:
    """What has to wait, in order. Nothing of it is left when we are gone, however that comes about.

    Args:
        directory: where it is kept. Where nothing can be written there, the system's directory for temporary files
            serves.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._file: BinaryIO = io.BytesIO()
        self._size = 0
        self._lost: OSError | None = None

    def put(self, kind: Kind, text: str) -> None:
        for start in range(0, len(text), LONGEST_PIECE):
            data = text[start : start + LONGEST_PIECE].encode("utf-8", "surrogatepass")
            self._add(_FRAME.pack(_KINDS.index(kind), len(data)) + data)

    def _add(self, frame: bytes) -> None:
        if self._lost is not None:
            return
        try:
            if isinstance(self._file, io.BytesIO) and self._size + len(frame) > IN_MEMORY:
                disk = self._on_disk()
                _write(disk, self._file.getvalue())
                self._file = disk
            _write(self._file, frame)
            self._size += len(frame)
        except OSError as error:
            self._lost = error

    def _on_disk(self) -> BinaryIO:
        from tempfile import TemporaryFile

        # unbuffered: a full disk is met by the write that it concerns, and what was written before can be read
        try:
            return cast("BinaryIO", TemporaryFile(buffering=0, dir=self._directory))
        except OSError:
            return cast("BinaryIO", TemporaryFile(buffering=0))

    def __iter__(self) -> Iterator[tuple[Kind, str]]:
        """All of it, piece by piece."""
        left = self._size
        try:
            self._file.seek(0)
            while left > 0:
                kind, length = _FRAME.unpack(self._file.read(_FRAME.size))
                yield _KINDS[kind], self._file.read(length).decode("utf-8", "surrogatepass")
                left -= _FRAME.size + length
        except (OSError, struct.error) as error:
            self._lost = self._lost or OSError(str(error))
        if self._lost is not None:
            yield "words", f"  the rest of its output couldn't be kept: {self._lost.strerror or self._lost}\n"

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:
            return


def _write(file: BinaryIO, data: bytes) -> None:
    """All of it: an unbuffered file may take less at once."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


class Block:
    """One session's part of what is shown.

    Args:
        sink: where it goes in the end.
        directory: where it is kept until then.
        verbosity: of setlist's own words.
        opening: written before all else, if there is anything else.
    """

    def __init__(self, sink: Sink, directory: Path | None, *, verbosity: int = 0, opening: str = "") -> None:
        self.begun = False
        self._sink = sink
        self._opening = opening
        self._spool: Spool | None = Spool(directory)
        words = Terminal(WordStream(lambda text: self.put("words", text)), color=sink.color)
        self._console = Console(words, verbosity=verbosity)

    @property
    def live(self) -> bool:
        """Whether what comes is written at once."""
        return self._spool is None

    def take(self, event: Event) -> None:
        """What comes of an event of this session."""
        if isinstance(event, Output):
            self.put(event.stream, event.data)
        else:
            self._console(event)

    def put(self, kind: Kind, text: str) -> None:
        if not text:
            return
        if self._spool is None:
            self._to_sink(kind, text)
        else:
            self._spool.put(kind, text)

    def show(self) -> None:
        """Write what was kept; from now on it is live."""
        spool, self._spool = self._spool, None
        if spool is not None:
            for kind, text in spool:
                self._to_sink(kind, text)
            spool.close()

    def drop(self) -> None:
        """It isn't to be shown."""
        if self._spool is not None:
            self._spool.close()

    def _to_sink(self, kind: Kind, text: str) -> None:
        if not self.begun:
            self.begun = True
            if self._opening:
                self._sink.put("words", self._opening)
        self._sink.put(kind, text)


class BlockReader:
    """A reader of events that writes a block for each session.

    Args:
        out: our standard output: what commands print there.
        err: our standard error: setlist's own lines, and what commands print there.
        directory: where blocks are held back.
        verbosity: as the console's.
        log_of: gives the name of a session's log.
    """

    def __init__(
        self,
        out: Terminal,
        err: Terminal,
        *,
        directory: Path | None = None,
        verbosity: int = 0,
        log_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._sink = Sink(out, err)
        self._console = Console(self._sink.terminal(), verbosity=verbosity, log_of=log_of)
        self._directory = directory
        self._verbosity = verbosity
        self._blocks: dict[str, Block] = {}

    def _block(self, session: str, opening: str = "") -> Block:
        """The block of a session, which is made if there is none yet."""
        block = self._blocks.get(session)
        if block is None:
            block = Block(self._sink, self._directory, verbosity=self._verbosity, opening=opening)
            self._blocks[session] = block
        return block

    def _put_ending(self, finished: SessionFinished) -> None:
        """Write the line that says how a session ended."""
        self._sink.put("words", self._console.ending(finished) + "\n")
