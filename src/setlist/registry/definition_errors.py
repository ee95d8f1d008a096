"""Errors in definitions, and the lines that definitions and their keys are on.

tomllib tells no lines, and a second TOML scanner could disagree with it. So the parser is the oracle: the fewest first
lines of a file that hold the key are searched for. That happens only for an error, for a report and for a listing in
JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import ConfigurationError, RequiresCycle
from setlist.core.files import read_text
from setlist.core.model import SessionSpec
from setlist.core.records import dataclass
from setlist.core.toml import parse_toml

if TYPE_CHECKING:
    from setlist.registry.validators import ValidationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table of keys was written: its ``path`` in a TOML file, or the ``line`` of a decorator.

    ``file`` is relative to the project's root. The line of a TOML key is looked up only for an error.
    """

    file: str
    path: tuple[str, ...] = ()
    line: int | None = None


class DefinitionProblem(Exception):
    """An error at a place. :func:`located` makes it a ConfigurationError with its line.

    Args:
        message: what is wrong, one line.
        place: the table that it is wrong in.
        key: the path of the key from there.
        hint: what to write instead.
        other: a second place that the error is about.
        cycle: the names of sessions that require each other.
    """

    def __init__(
        self,
        message: str,
        place: Place,
        key: tuple[str, ...] = (),
        *,
        hint: str | None = None,
        other: Place | None = None,
        cycle: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.key = key
        self.hint = hint
        self.other = other
        self.cycle = cycle

    @classmethod
    def of(cls, bad: ValidationError, place: Place, key: tuple[str, ...] = ()) -> DefinitionProblem:
        """An invalid value, at its place."""
        return cls(bad.message, place, (*key, *bad.path), hint=bad.hint)


def definition_error(
    root: Path, session: SessionSpec, key: str, message: str, hint: str | None = None
) -> ConfigurationError:
    """The error for a key whose value turns out to be wrong when it is used: a group or a file that doesn't exist.

    Args:
        root: the project's.
        session: one that the definition expanded to.
        key: as written in TOML (``requirements``).
        message: what is wrong.
        hint: what to do.
    """
    line = line_of_session(session, root, (key,))
    return ConfigurationError(message, file=session.origin.file, line=line, key=f"{session.family}.{key}", hint=hint)


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, counted from 1, on which the statement begins that first writes a key.

    Args:
        text: a TOML document.
        path: the key's path; where it isn't there, the line is that of the longest part that is.

    Returns:
        None where not even the first part is there, or the text doesn't parse.
    """
    lines = text.replace("\r\n", "\n").split("\n")

    @cache
    def parsed(count: int) -> Mapping[str, object] | None:
        try:
            return parse_toml("\n".join(lines[:count]) + "\n")
        except ValueError:
            return None

    whole = parsed(len(lines))
    if whole is None:
        return None
    existing = tuple(path)
    while existing and not _has(whole, existing):
        existing = existing[:-1]
    if not existing:
        return None

    def in_first(count: int) -> bool:
        # Lines that end within a statement don't parse: take the whole statement.
        while (document := parsed(count)) is None:
            count += 1
        return _has(document, existing)

    without, within = 0, len(lines)
    while within - without > 1:
        middle = (without + within) // 2
        if in_first(middle):
            within = middle
        else:
            without = middle
    # The first line that makes the difference is where the statement begins.
    return within


def _has(document: Mapping[str, object], path: Sequence[str]) -> bool:
    value: object = document
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def dotted(path: Sequence[str]) -> str:
    """A key's path as TOML writes it."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in path)


def located(problem: DefinitionProblem, root: Path) -> ConfigurationError:
    """The error that a user sees: the problem, with its file, line and key."""
    place = problem.place
    line = line_at(place, problem.key, root)
    if problem.cycle:
        return RequiresCycle(problem.cycle, file=place.file, line=line)
    message = problem.message
    if problem.other is not None:
        other = line_at(problem.other, (), root)
        message += f" (the other: {problem.other.file}" + (f":{other})" if other is not None else ")")
    key = dotted((*place.path, *problem.key))
    if place.line is not None:
        key = key.replace("-", "_")  # a decorator's
    return ConfigurationError(message, file=place.file, line=line, key=key or None, hint=problem.hint)


def line_at(place: Place, key: Sequence[str], root: Path) -> int | None:
    if place.line is not None:
        return place.line
    try:
        text = read_text(root / place.file)
    except (OSError, ValueError):
        return None  # it was readable a moment ago; the error has no line then
    return line_of(text, (*place.path, *key))


def lines_of_sessions(sessions: Iterable[SessionSpec], root: Path) -> dict[str, int]:
    """The lines that sessions are defined on, by name. Sessions without a line are left out.

    Each file is read once, however many sessions it defines.
    """
    tables: dict[str, Mapping[tuple[str, ...], int]] = {}
    lines: dict[str, int] = {}
    for session in sessions:
        origin = session.origin
        line = origin.line
        if line is None and origin.file.endswith(".toml"):
            if origin.file not in tables:
                tables[origin.file] = _tables_in(root / origin.file)
            line = tables[origin.file].get((*_prefix_of(origin.file), "session", session.family))
            if line is None:  # written without a table of its own
                line = line_of_session(session, root)
        if line is not None:
            lines[session.name] = line
    return lines


def _tables_in(path: Path) -> Mapping[tuple[str, ...], int]:
    """The first line of each table that has a header, or contains a table that has one.

    One parse finds them all: after each line that looks like a header comes a key whose value is the line's number.
    Within a multi-line string this adds no key.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    lines: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        lines.append(line)
        if re.fullmatch(_HEADER, line):
            lines.append(f'"{_MARK}" = {number}')
    marked = "\n".join(lines)
    try:
        document = parse_toml(marked)
    except ValueError:
        return {}
    tables: dict[tuple[str, ...], int] = {}

    def look(value: object, at: tuple[str, ...]) -> int | None:
        if isinstance(value, list):
            inside = [look(item, at) for item in value]
        elif isinstance(value, Mapping):
            mark = value.get(_MARK)
            inside = [mark if isinstance(mark, int) else None]
            inside += [look(inner, (*at, name)) for name, inner in value.items()]
        else:
            return None
        first = min((line for line in inside if line is not None), default=None)
        if first is not None and isinstance(value, Mapping):
            tables[at] = first
        return first

    look(document, ())
    return tables


_HEADER = r"[ \t]*\[.*\][ \t]*(?:#.*)?"
_MARK = "line, as setlist marks it"


def _prefix_of(file: str) -> tuple[str, ...]:
    return ("tool", "setlist") if Path(file).name == "pyproject.toml" else ()


def line_of_session(session: SessionSpec, root: Path, key: Sequence[str] = ()) -> int | None:
    """The line on which a session is defined, or a key of its definition.

    Args:
        session: one that the definition expanded to.
        root: the project's.
        key: as written in TOML (``requirements``); a function's keys have no lines of their own.
    """
    origin = session.origin
    if origin.line is not None or not origin.file.endswith(".toml"):
        return origin.line
    return line_at(Place(origin.file, (*_prefix_of(origin.file), "session", session.family)), key, root)
