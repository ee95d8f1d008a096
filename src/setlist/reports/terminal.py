"""How text gets to a person: colour where it is wanted, characters the stream can write, nothing raised.

The one way to print. ``NO_COLOR`` (https://no-color.org) and ``FORCE_COLOR``
(https://force-color.org) count when they are set to anything but the empty string; where both are,
``NO_COLOR`` wins, as it does in Python itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, TextIO

Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan"]

_CODES: dict[Style, str] = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "blue": "\x1b[34m",
    "magenta": "\x1b[35m",
    "cyan": "\x1b[36m",
}
_RESET = "\x1b[0m"

_PLAINER = {"→": "->", "…": "...", "·": "-", "✗": "x", "–": "-", "‘": "'", "’": "'", "×": "x", "✓": "ok", "│": "|"}
"""What stands for a character of ours on a stream that can't write it."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream directly."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):  # closed, or not quite a stream
        return False


def on_github(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written to the stream should be coloured."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def printable(text: str, encoding: str | None) -> str:
    """The text in characters that ``encoding`` has, plainer ones standing in for the rest."""
    if encoding is None or text.isascii():
        return text
    try:
        text.encode(encoding)
        return text
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
    except UnicodeEncodeError:
        for fancy, plain in _PLAINER.items():
            text = text.replace(fancy, plain)
        return text.encode(encoding, "backslashreplace").decode(encoding)


def as_written(text: str) -> bytes:
    """What a command wrote, byte by byte, from the text of an :class:`~setlist.events.Output`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: a session's function printed it
        return text.encode("utf-8", "surrogatepass")


def same_file(one: Terminal, other: Terminal) -> bool:
    """Whether two streams lead to the same terminal, pipe or file."""
    if one.stream is other.stream:
        return True
    try:
        return os.path.sameopenfile(one.stream.fileno(), other.stream.fileno())
    except (OSError, ValueError, AttributeError):  # one of them has no descriptor
        return False


def size_of(*terminals: Terminal) -> os.terminal_size | None:
    """Columns and lines of the first of these that is a terminal and knows; None where none does."""
    for terminal in terminals:
        if terminal.interactive:
            try:
                size = os.get_terminal_size(terminal.stream.fileno())
            except (OSError, ValueError, AttributeError):
                continue
            if size.columns > 0 and size.lines > 0:
                return size
    return None


class Terminal:
    """One of the two standard streams, as setlist writes to it.

    Args:
        stream: where text goes.
        color: whether it may be coloured.
        lossy: whether what can't be written (a closed pipe, a full disk) is dropped. So it is for what is
            said beside the work; results raise BrokenPipeError, and the edge ends quietly.
    """

    def __init__(self, stream: TextIO, *, color: bool = False, lossy: bool = False) -> None:
        self.stream = stream
        self.color = color
        self._lossy = lossy
        self._encoding: str | None = getattr(stream, "encoding", None)

    @classmethod
    def of(cls, stream: TextIO | None, environ: Mapping[str, str], *, lossy: bool = False) -> Terminal:
        """The terminal for a standard stream, which is None under pythonw and the like."""
        if stream is None:
            import io

            return cls(io.StringIO(), lossy=lossy)
        color = wants_color(stream, environ)
        if color and is_terminal(stream):
            from setlist.system import understands_ansi

            color = understands_ansi(stream.fileno())
        return cls(stream, color=color, lossy=lossy)

    @property
    def interactive(self) -> bool:
        return is_terminal(self.stream)

    def styled(self, text: str, *styles: Style) -> str:
        """The text in these styles, or as it is where there is no colour."""
        if not self.color or not styles or not text:
            return text
        return "".join(_CODES[style] for style in styles) + text + _RESET

    def line(self, text: str = "") -> None:
        """Write a line, at once: a child that shares the stream writes after it, never into it."""
        self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write text as it is."""
        try:
            self.stream.write(printable(text, self._encoding))
            self.stream.flush()
        except (OSError, ValueError):
            if not self._lossy:
                raise

    def pass_on(self, text: str) -> None:
        """Write what a command wrote: byte by byte, where the stream takes bytes. What can't be written is dropped."""
        buffer = getattr(self.stream, "buffer", None)
        try:
            if buffer is None:
                self.stream.write(as_written(text).decode("utf-8", "replace"))
                self.stream.flush()
                return
            self.stream.flush()
            buffer.write(as_written(text))
            buffer.flush()
        except (OSError, ValueError):
            return

    def plain(self, text: str) -> str:
        """The text in characters that the stream can write."""
        return printable(text, self._encoding)
