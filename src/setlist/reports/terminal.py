"""Write text to a terminal or a file: colour, encoding, control characters.

This is the only way to print, and the place where setlist's own text is escaped (:func:`escaped`): descriptions, keys,
file names and the output of tools come from files that somebody else may have written. ``NO_COLOR``
(https://no-color.org) and ``FORCE_COLOR`` (https://force-color.org) count when they are set to anything but the empty
string; where both are, ``NO_COLOR`` wins, as it does in Python itself.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import errno
import io
import os

TYPE_CHECKING = False

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from typing import Literal, TextIO, TypeAlias

Style: TypeAlias = 'Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan"]'

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
"""Replacements for characters that a stream can't encode."""


# C0 except tab and newline, DEL, C1, line and paragraph separators, and bidirectional controls
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"

# Commands of CI systems in a log: GitHub's ``::name::`` at the beginning of a line, and anywhere in a line
# its older ``##[name]``, Azure's ``##vso[`` and TeamCity's ``##teamcity[``
_CI_COMMAND = r"^(?P<blank>[ \t]*):(?=:[A-Za-z][^\n]*::)|#(?=#(?:vso|teamcity)?\[)"

_UNSAFE = f"[{_CONTROLS}]|{_CI_COMMAND}"
_UNSAFE_BUT_COLOURS = rf"(?!\x1b\[[0-9;]*m)[{_CONTROLS}]|{_CI_COMMAND}"

_SHORT = {"\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def escaped(text: str, *, colours: bool = False) -> str:
    """Escape what a terminal or a CI system would interpret, as in JSON (``\\u001b``).

    These are control characters except tabs and newlines, bidirectional controls, and the beginnings of workflow
    commands. JSON text stays the same JSON.

    Args:
        text: the text to show.
        colours: whether to keep colour sequences.
    """
    # Many times as fast as the pattern, and nearly all texts are harmless
    if text.replace("\n", "").replace("\t", "").isprintable() and "::" not in text and "##" not in text:
        return text
    import re

    return re.sub(_UNSAFE_BUT_COLOURS if colours else _UNSAFE, _escape, text, flags=re.MULTILINE)


def escaped_line(text: str) -> str:
    """The text on one line: as :func:`escaped`, and newlines as well."""
    return escaped(text).replace("\n", "\\n")


def _escape(found: re.Match[str]) -> str:
    blank, character = found["blank"] or "", found[0][-1]
    return blank + (_SHORT.get(character) or f"\\u{ord(character):04x}")


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):  # closed, or not a real stream
        return False


GITHUB = "GITHUB_ACTIONS"
"""The variable by which a job of GitHub Actions is recognised."""


def on_github(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of GitHub Actions."""
    return environ.get(GITHUB) == "true"


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether output to the stream should be coloured."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and is_terminal(stream)


def printable(text: str, encoding: str | None) -> str:
    """The text in the characters of ``encoding``, with replacements for others."""
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
    """The bytes that a command wrote, from the text of an :class:`~setlist.core.events.Output`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that represents no byte: a session's function printed it
        return text.encode("utf-8", "surrogatepass")


def same_file(one: Terminal, other: Terminal) -> bool:
    """Whether two streams are the same terminal, pipe or file."""
    if one.stream is other.stream:
        return True
    try:
        return os.path.sameopenfile(one.stream.fileno(), other.stream.fileno())
    except (OSError, ValueError, AttributeError):  # one has no descriptor
        return False


def size_of(*terminals: Terminal) -> os.terminal_size | None:
    """The size of the first of these that is a terminal with a size; None if there is none."""
    for terminal in terminals:
        if terminal.interactive:
            try:
                size = os.get_terminal_size(terminal.stream.fileno())
            except (OSError, ValueError, AttributeError):
                continue
            if size.columns > 0 and size.lines > 0:
                return size
    return None


def _closed() -> OSError:
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


class _Closed(io.StringIO):
    """Replaces a standard stream that was closed before the start."""

    def write(self, _: str) -> int:
        raise _closed()


class Terminal:
    """Writes to one of the two standard streams.

    Args:
        stream: the stream. None: it was closed before the start.
        color: whether to use colours.
        lossy: whether text that can't be written (a closed pipe, a full disk) is dropped: for messages. Otherwise it
            raises OSError: for results.

    Attributes:
        lost: why a result, or the output of a command, couldn't be written.
        broken: whether any write failed.
    """

    def __init__(self, stream: TextIO | None, *, color: bool = False, lossy: bool = False) -> None:
        self.stream: TextIO = _Closed() if stream is None else stream
        self.color = color
        self.lost: OSError | None = None
        self.broken = False
        self._lossy = lossy
        self._encoding: str | None = getattr(stream, "encoding", None)

    @classmethod
    def of(cls, stream: TextIO | None, environ: Mapping[str, str], *, lossy: bool = False) -> Terminal:
        """The terminal for a standard stream, which is None if it is closed, and under pythonw."""
        color = stream is not None and wants_color(stream, environ)
        if stream is not None and color and is_terminal(stream):
            from setlist.core.system import understands_ansi

            color = understands_ansi(stream.fileno())
        return cls(stream, color=color, lossy=lossy)

    @property
    def interactive(self) -> bool:
        return is_terminal(self.stream)

    def styled(self, text: str, *styles: Style) -> str:
        """The text in these styles; unchanged without colour."""
        if not self.color or not styles or not text:
            return text
        return "".join(_CODES[style] for style in styles) + escaped(text) + _RESET

    def line(self, text: str = "") -> None:
        """Write a line in one write, so that a child process with the same stream can't write into it.

        Newlines in the text are escaped.
        """
        self.put(escaped(text, colours=self.color).replace("\n", "\\n") + "\n")

    def lines(self, text: str) -> None:
        """Write text of several lines, escaped."""
        self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write text, escaped, without a newline at the end."""
        self.put(escaped(text, colours=self.color))

    def put(self, text: str) -> None:
        """Write text that is escaped, or meant to be interpreted: cursor sequences, workflow commands."""
        try:
            self.stream.write(printable(text, self._encoding))
            self.stream.flush()
        except (OSError, ValueError) as error:
            self.broken = True
            if not self._lossy:
                raise self._lose(error) from error

    def pass_on(self, text: str | bytes) -> None:
        """Write the output of a command, as bytes if the stream accepts them.

        Output that can't be written is dropped, and ``lost`` says so: the session continues, and its log is written.
        """
        data = as_written(text) if isinstance(text, str) else text
        buffer = getattr(self.stream, "buffer", None)
        try:
            if buffer is None:
                self.stream.write(data.decode("utf-8", "replace"))
                self.stream.flush()
                return
            self.stream.flush()
            buffer.write(data)
            buffer.flush()
        except (OSError, ValueError) as error:
            self.broken = True
            # Nobody reads a stream that was closed before the start
            if not isinstance(self.stream, _Closed):
                self._lose(error)

    def _lose(self, error: OSError | ValueError) -> OSError:
        if self.lost is None:
            self.lost = error if isinstance(error, OSError) else _closed()
        return self.lost

    def plain(self, text: str) -> str:
        """The text, escaped, in characters that the stream can encode."""
        return printable(escaped(text, colours=self.color), self._encoding)
