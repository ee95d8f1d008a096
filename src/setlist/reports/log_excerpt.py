"""A session's log, as much of it as a report can hold."""

from __future__ import annotations

import os
from pathlib import Path

from setlist.reports.console import size_text
from setlist.reports.sanitize import xml_text

HEAD = 64 * 1024
TAIL = 512 * 1024
"""Bytes of a log's beginning and end that a report holds."""


def excerpt(log: Path, name: str, *, head: int = HEAD, tail: int = TAIL) -> str:
    """The log as plain text: whole, or its beginning and its end with a line between them that says so.

    Args:
        log: the file.
        name: what it is called in that line.
        head: bytes of its beginning.
        tail: bytes of its end.

    Raises:
        OSError: it can't be read.
    """
    with log.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= head + tail:
            return xml_text(_decoded(stream.read(head + tail)))
        begin = stream.read(head)
        stream.seek(size - tail)
        end = stream.read(tail)
    # at the ends of lines, where there are any: nothing is cut within a character or an escape sequence
    begin = begin[: begin.rfind(b"\n") + 1] or begin
    end = end[end.find(b"\n", 0, tail // 2) + 1 :]
    left_out = f"[{size_text(size - len(begin) - len(end))} left out; all of it is in {name}]"
    between = "" if begin.endswith(b"\n") or not begin else "\n"
    return f"{xml_text(_decoded(begin))}{between}{left_out}\n{xml_text(_decoded(end))}"


def last_lines(log: Path, *, lines: int = 40, limit: int = 8 * 1024) -> str:
    """The last lines of a log as plain text, not more than ``limit`` bytes of it; empty if it can't be read."""
    try:
        with log.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - limit))
            end = stream.read(limit)
    except OSError:
        return ""
    if size > limit:
        end = end[end.find(b"\n", 0, limit // 2) + 1 :]
    return "\n".join(xml_text(_decoded(end)).splitlines()[-lines:])


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
