"""The committed file of session durations, by which all CI jobs split their work.

``sessions/durations.json`` holds seconds by session. They are rounded, and a duration that moved by a fifth or less is
kept, so that the file changes only if a duration really did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from setlist.core.errors import ConfigurationError, StorageError
from setlist.core.files import parse_json, read_definition
from setlist.core.limits import LARGEST_NUMBER
from setlist.core.project import Project, sessions_folder

NAME = "durations.json"
FORMAT = 1

MOVED = 0.2
"""The relative difference beyond which a duration in the file is replaced."""


def durations_file(project: Project) -> Path:
    """The path of the file, which may not exist."""
    return project.root / sessions_folder(project.root) / NAME


def read_durations(project: Project) -> dict[str, float] | None:
    """Read seconds by session from the file; None if it doesn't exist.

    Raises:
        ConfigurationError: the file is invalid.
    """
    path = durations_file(project)
    relative = project.relative(path)
    try:
        text = read_definition(path, relative)
    except FileNotFoundError:
        return None
    try:
        data = parse_json(text)
    except ValueError as error:
        raise _damaged(relative, "isn't JSON", line=getattr(error, "lineno", None)) from error
    seconds = data.get("seconds") if isinstance(data, dict) else None
    if not isinstance(seconds, dict) or data.get("format") != FORMAT:
        raise _damaged(relative, f'isn\'t {{"format": {FORMAT}, "seconds": {{SESSION: SECONDS, …}}}}')
    for name, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST_NUMBER:
            raise _damaged(relative, f"{name}: {json.dumps(value)} is no number of seconds")
    return {name: float(value) for name, value in seconds.items()}


def _damaged(file: str, problem: str, line: int | None = None) -> ConfigurationError:
    return ConfigurationError(
        f"the file of durations {problem}",
        file=file,
        line=line,
        hint="remove it; 'setlist history --save' writes it anew",
    )


def write_durations(
    project: Project, durations: Mapping[str, float], *, sessions: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Update the file. Sessions that aren't in ``durations`` keep their entries.

    Args:
        project: the project.
        durations: measured seconds by session.
        sessions: the names of all sessions, to remove the entries of others.

    Returns:
        the names of sessions whose entry was added, changed or removed. If there are none, the file isn't written.

    Raises:
        StorageError: the file can't be written.
    """
    try:
        before = read_durations(project) or {}
    except ConfigurationError:
        before = {}
    after = dict(before)
    for name, seconds in durations.items():
        rounded = _rounded(seconds)
        if name not in before or abs(rounded - before[name]) > MOVED * before[name]:
            after[name] = rounded
    if sessions is not None:
        existing = frozenset(sessions)
        after = {name: seconds for name, seconds in after.items() if name in existing}
    changed = tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
    if changed:
        _write(project, after)
    return changed


def _rounded(seconds: float) -> float:
    """Round to tenths below ten seconds, to whole seconds above; never to 0, relative to which any change is large."""
    return max(0.1, round(seconds, 1)) if seconds < 10 else float(round(seconds))


def _write(project: Project, durations: Mapping[str, float]) -> None:
    from setlist.core.files import write_atomically

    seconds = {name: int(value) if value == int(value) else value for name, value in sorted(durations.items())}
    text = json.dumps({"format": FORMAT, "seconds": seconds}, indent=2, ensure_ascii=False) + "\n"
    path = durations_file(project)
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise StorageError(f"can't write {project.relative(path)}: {error.strerror or error}") from error


def median(values: Sequence[float]) -> float:
    """The median of at least one value."""
    # statistics.median would do, but the module imports fractions and decimal
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
