"""Write each line of output as it comes, prefixed by its session.

Only whole lines are written: a line without a newline waits for it, for the end of its command, or until it is too
long. Of a line that is redrawn (a progress bar, ``\\r``) the last state is written. Colours are kept, closed at the
end of a line and resumed on the session's next one. Sequences that move the cursor are removed. After ten seconds
without output a line names the sessions that still run.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from setlist.core.events import CommandFinished, Event, Output, RunStarted, SessionFinished, SessionsAdded
from setlist.reports.ansi import RESET, Colours, Filter
from setlist.reports.console import Console, column_of
from setlist.reports.output_buffer import WordStream
from setlist.reports.progress import Heartbeat
from setlist.reports.terminal import Style, Terminal, as_written, same_file

LONGEST_LINE = 1 << 20
"""Characters of a line. The rest goes on the next line."""

_COLORS: tuple[Style, ...] = ("cyan", "magenta", "yellow", "blue", "green")
_SEPARATOR = " │ "
_COLOR = re.compile(r"\x1b\[[0-9;:]*m")

# In lines without colours, everything before the last state: up to the last return that is followed by text
_BEFORE_REDRAWING = re.compile(r"^[^\n]*\r(?=[^\r\n])|\r+$", re.MULTILINE)

Channel = Literal["stdout", "stderr"]


def prefix_width(session: str, sessions: Sequence[str]) -> int:
    """The columns of the prefix of a session's lines.

    Args:
        session: its name.
        sessions: the names of all sessions of the run.
    """
    return max(len(session), column_of(sessions)) + len(_SEPARATOR)


class Stream:
    """Writes lines.

    Args:
        out: our standard output: what commands print there.
        err: our standard error: setlist's own lines, and what commands print there.
        verbosity: as the console's.
        log_of: gives the name of a session's log.
    """

    def __init__(
        self,
        out: Terminal,
        err: Terminal,
        *,
        verbosity: int = 0,
        log_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._terminals: dict[Channel, Terminal] = {"stdout": err if same_file(out, err) else out, "stderr": err}
        self._console = Console(err, verbosity=verbosity, log_of=log_of)
        self._verbosity = verbosity
        self._names: tuple[str, ...] = ()
        self._sources: dict[str, _Source] = {}
        self._heartbeat: Heartbeat | None = None
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._read(event)
            if self._heartbeat is not None:
                self._heartbeat(event)

    def _read(self, event: Event) -> None:
        session: str | None = getattr(event, "session", None)
        if session is None:
            if isinstance(event, RunStarted):
                self._names = event.sessions
                if self._verbosity >= 0:
                    several = event.jobs > 1 and len(event.sessions) > 1
                    self._heartbeat = Heartbeat(self._say, self._lock, several=several, after_silence=True)
            elif isinstance(event, SessionsAdded):
                self._names += event.sessions
            self._console(event)
            return
        if isinstance(event, SessionFinished):
            self._console(event)
            source = self._sources.pop(session, None)
            if source is not None:
                source.finish(event, summary=len(self._names) > 1 and (self._verbosity >= 0 or event.status != "ok"))
            return
        if session not in self._sources:
            self._sources[session] = self._source(session)
        self._sources[session].take(event)

    def close(self) -> None:
        """Write the unfinished lines."""
        if self._heartbeat is not None:
            self._heartbeat.close()
        with self._lock:
            while self._sources:
                self._sources.popitem()[1].flush()

    def _say(self, text: str) -> None:
        self._terminals["stderr"].line(text)

    def _source(self, session: str) -> _Source:
        names = self._names
        style = _COLORS[(names.index(session) if session in names else 0) % len(_COLORS)]
        padding = " " * (prefix_width(session, names) - len(_SEPARATOR) - len(session))
        prefixes = {
            channel: as_written(
                terminal.plain(terminal.styled(session, style) + padding + terminal.styled(_SEPARATOR, "dim"))
            )
            for channel, terminal in self._terminals.items()
        }
        return _Source(self._terminals, prefixes, self._verbosity)


class _Source:
    """One session's lines."""

    def __init__(self, terminals: dict[Channel, Terminal], prefixes: dict[Channel, bytes], verbosity: int) -> None:
        self._terminals = terminals
        self._prefixes = prefixes
        self._lines = {channel: _Lines(terminal.plain("…")) for channel, terminal in terminals.items()}
        words = Terminal(WordStream(self._words), color=terminals["stderr"].color)
        self._console = Console(words, verbosity=verbosity, named=False)

    def take(self, event: Event) -> None:
        if isinstance(event, Output):
            self._write(event.stream, self._lines[event.stream].feed(event.data))
            return
        if isinstance(event, CommandFinished):
            self.flush()
        self._console(event)

    def finish(self, event: SessionFinished, *, summary: bool) -> None:
        self.flush()
        if summary:
            self._words(self._console.ending(event))

    def flush(self) -> None:
        """Write unfinished lines with a newline."""
        for channel, lines in self._lines.items():
            self._write(channel, lines.end())

    def _words(self, text: str) -> None:
        self.flush()
        terminal = self._terminals["stderr"]
        lines = as_written(terminal.plain(text).removesuffix("\n") + "\n")
        with suppress(OSError, ValueError):  # the reader is gone
            terminal.put(self._prefixed("stderr", lines).decode("utf-8", "surrogateescape"))

    def _write(self, channel: Channel, lines: str) -> None:
        if lines:
            self._terminals[channel].pass_on(self._prefixed(channel, as_written(lines)))

    def _prefixed(self, channel: Channel, lines: bytes) -> bytes:
        """The lines, each with the prefix. Empty lines have no trailing blank.

        All at once and as bytes, since there may be millions of lines, and searching bytes is faster.
        """
        prefix = self._prefixes[channel]
        data = b"\n" + prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
        empty, bare = b"\n" + prefix + b"\n", b"\n" + prefix.rstrip(b" ") + b"\n"
        while bare != empty and empty in data:  # one pass replaces every second one in a row
            data = data.replace(empty, bare)
        return data[1:]


class _Lines:
    """Joins pieces to whole lines, each with its own colour sequences.

    Args:
        mark: ends a line that was cut because of its length.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._filter = Filter(Colours(), keep="colour")
        self._colours = Colours()
        self._parts: list[str] = []
        self._length = 0

    def feed(self, text: str) -> str:
        """The lines that the next piece of output completes, each with its newline."""
        text = self._filter.feed(text)
        if "\n" not in text:
            ended, rest = "", text
        else:
            text = self._taken() + text
            end = text.rindex("\n") + 1
            ended, rest = self._whole(text[:end]), text[end:]
        self._hold(rest)
        while self._length > LONGEST_LINE:
            text = self._after_redrawing(self._taken())
            if len(text) > LONGEST_LINE:
                cut = _uncut(text, LONGEST_LINE)
                ended += f"{self._line(text[:cut])}{self._mark}\n"
                text = text[cut:]
            self._hold(text)
        return ended

    def end(self) -> str:
        """The last line, if it had no newline."""
        self._hold(self._filter.close())
        line = self._line(self._taken())
        return f"{line}\n" if _COLOR.sub("", line) else ""

    def _whole(self, lines: str) -> str:
        # Most output has no colours that the next line would have to resume
        if self._colours or "\x1b" in lines:
            return "".join(f"{self._line(line)}\n" for line in lines[:-1].split("\n"))
        lines = lines.replace("\r\n", "\n")
        return _BEFORE_REDRAWING.sub("", lines) if "\r" in lines else lines

    def _hold(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._length += len(text)

    def _taken(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        self._length = 0
        return text

    def _after_redrawing(self, line: str) -> str:
        """The last state of a line with carriage returns."""
        before, returned, last = line.rpartition("\r")
        if not returned:
            return line
        while before and not _COLOR.sub("", last):
            before, _, shown = before.rpartition("\r")
            last = shown + last
        self._colours.take(before)
        return last

    def _line(self, text: str) -> str:
        if "\r" in text:
            text = self._after_redrawing(text)
        begin = self._colours.sequence
        if text.endswith(RESET):
            self._colours.reset()
            return begin + text
        if "\x1b" in text:
            self._colours.take(text)
        elif not begin:
            return text
        return begin + text + (RESET if self._colours else "")


def _uncut(text: str, position: int) -> int:
    """The last place up to ``position`` that isn't inside a colour sequence."""
    begin = text.rfind("\x1b", max(1, position - 80), position)
    return begin if begin > 0 and "m" not in text[begin:position] else position
