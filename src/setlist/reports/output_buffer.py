"""The output of each session as one block: written at once, or held back until its turn comes.

A :class:`Block` takes a session's events. Their text goes to a :class:`Streams` while the block is *live*; until then a
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
"""Bytes of a session's output that are held in memory; larger output goes to the disk."""

LONGEST_PIECE = 256 * 1024
"""Characters of a frame of the spool."""


class WordStream(io.StringIO):
    """A stream for a Console that passes each write to a function."""

    def __init__(self, put: Callable[[str], None]) -> None:
        super().__init__()
        self._put = put

    def write(self, text: str) -> int:
        self._put(text)
        return len(text)


class _Place:
    """A terminal, a pipe or a file, and its state after the last write."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.at_start = True
        self.colours = Colours()
        self._filters: list[Filter] = []

    def filter(self) -> Filter:
        """A filter for another stream that is written here."""
        new = Filter(self.colours, keep="line" if self.terminal.interactive else "all")
        self._filters.append(new)
        return new

    def write(self, text: str) -> None:
        if text:
            self.terminal.pass_on(text)
            self.at_start = ends_line(text, self.at_start)

    def rest(self) -> None:
        """End an unfinished sequence, colour or line."""
        for one in self._filters:
            self.write(one.close())
        if self.colours:
            self.colours.reset()
            self.terminal.pass_on(RESET)
        if not self.at_start:
            self.terminal.pass_on("\n")
            self.at_start = True


class Streams:
    """The two standard streams that blocks are written to.

    If both are the same file, the output keeps its order. Otherwise the standard output of commands goes to ours, and
    everything else to standard error.
    """

    def __init__(self, out: Terminal, err: Terminal) -> None:
        self._err = _Place(err)
        self._out = self._err if same_file(out, err) else _Place(out)
        self._filters = {"stdout": self._out.filter(), "stderr": self._err.filter()}
        self.color = err.color

    def terminal(self) -> Terminal:
        """A terminal for a Console."""
        return Terminal(WordStream(lambda text: self.put("words", text)), color=self.color)

    def put(self, kind: Kind, text: str) -> None:
        """Write the output of commands, or setlist's own lines (escaped), which begin on a line of their own."""
        if kind == "words":
            self.rest()
            with suppress(OSError, ValueError):  # the reader is gone
                self._err.terminal.put(text)
            self._err.at_start = text.endswith("\n")
        else:
            place = self._out if kind == "stdout" else self._err
            place.write(self._filters[kind].feed(text))

    def rest(self) -> None:
        """End unfinished lines and colours, before something else is written."""
        self._out.rest()
        if self._out is not self._err:
            self._err.rest()


class Spool:
    """Output that is held back, in order. It leaves no file behind, even if the process is killed.

    Args:
        directory: the directory of the file; the system's temporary directory if it isn't writable.
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

        # Unbuffered: a full disk fails the write that it concerns, and earlier output stays readable
        try:
            return cast("BinaryIO", TemporaryFile(buffering=0, dir=self._directory))
        except OSError:
            return cast("BinaryIO", TemporaryFile(buffering=0))

    def __iter__(self) -> Iterator[tuple[Kind, str]]:
        """The frames, one by one."""
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
    """Write all data: one write to an unbuffered file may write less."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


class Block:
    """The output of one session.

    Args:
        sink: its destination.
        directory: where it is held back.
        verbosity: as the console's.
        opening: written before the output, if there is any.
    """

    def __init__(self, sink: Streams, directory: Path | None, *, verbosity: int = 0, opening: str = "") -> None:
        self.begun = False
        self._sink = sink
        self._opening = opening
        self._spool: Spool | None = Spool(directory)
        words = Terminal(WordStream(lambda text: self.put("words", text)), color=sink.color)
        self._console = Console(words, verbosity=verbosity)

    @property
    def live(self) -> bool:
        """Whether output is written at once."""
        return self._spool is None

    def take(self, event: Event) -> None:
        """Add an event of this session."""
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
        """Write what was held back. From now on the block is live."""
        spool, self._spool = self._spool, None
        if spool is not None:
            for kind, text in spool:
                self._to_sink(kind, text)
            spool.close()

    def drop(self) -> None:
        """Discard the block."""
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
        self._sink = Streams(out, err)
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
