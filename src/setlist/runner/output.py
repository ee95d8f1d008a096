"""What a session's commands and function write, on its way from their pipes to the readers of events."""

from __future__ import annotations

import codecs
import time

from setlist.core.events import Emit, Output
from setlist.process.process_io import Stream
from setlist.process.spawn import Capture
from setlist.runner.secrets import MaskedStream, Masker


class SessionOutput:
    """Makes events of what one session writes: secrets masked, characters whole. Used in one thread at a time.

    Args:
        session: its name.
        emit: told of it.
        masker: masks secrets.
        merged: whether both streams go to the same place, and are read as one.
    """

    def __init__(self, session: str, emit: Emit, masker: Masker, *, merged: bool) -> None:
        self._session = session
        self._emit = emit
        self._masker = masker
        self._ways: dict[Stream, tuple[MaskedStream, codecs.IncrementalDecoder]] = {}
        self.capture = Capture(self.write, merged)

    def write(self, stream: Stream, data: bytes) -> None:
        """Take what came from a pipe."""
        masked, decoder = self._way(stream)
        self._tell(stream, decoder.decode(masked.feed(data)))

    def flush(self) -> None:
        """A command has ended: what was held back is all there is."""
        for stream, (masked, decoder) in self._ways.items():
            self._tell(stream, decoder.decode(masked.flush(), final=True))

    def _way(self, stream: Stream) -> tuple[MaskedStream, codecs.IncrementalDecoder]:
        if stream not in self._ways:
            decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
            self._ways[stream] = (self._masker.stream(), decoder)
        return self._ways[stream]

    def _tell(self, stream: Stream, text: str) -> None:
        if text:
            self._emit(Output(time=time.time(), session=self._session, stream=stream, data=text))


class Collected:
    """What a command writes, kept apart for who asked for it (``s.run(..., silent=True)``)."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.capture = Capture(self.write, merged=False)

    def write(self, stream: Stream, data: bytes) -> None:
        """Take what came from a pipe."""
        if stream == "stdout":
            self.stdout += data
        else:
            self.stderr += data
