"""How long sessions take, in a file that is committed: what all jobs of a CI share, and so split their work by.

``sessions/durations.json`` holds seconds by session. They are rounded, and one that moved by a fifth or less stays
as it is, so that the file changes only where there is something to see.
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
"""A duration is written anew where it differs from the one in the file by more than this part of it."""


def durations_file(project: Project) -> Path:
    """The file, there or not."""
    return project.root / sessions_folder(project.root) / NAME


def read_durations(project: Project) -> dict[str, float] | None:
    """Seconds by session, as they are committed; None where there is no such file.

    Raises:
        ConfigurationError: it can't be understood.
    """
    path = durations_file(project)
    shown = project.relative(path)
    try:
        text = read_definition(path, shown)
    except FileNotFoundError:
        return None
    try:
        data = parse_json(text)
    except ValueError as error:
        raise _damaged(shown, "isn't JSON", line=getattr(error, "lineno", None)) from error
    seconds = data.get("seconds") if isinstance(data, dict) else None
    if not isinstance(seconds, dict) or data.get("format") != FORMAT:
        raise _damaged(shown, f'isn\'t {{"format": {FORMAT}, "seconds": {{SESSION: SECONDS, …}}}}')
    for name, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST_NUMBER:
            raise _damaged(shown, f"{name}: {json.dumps(value)} is no number of seconds")
    return {name: float(value) for name, value in seconds.items()}


def _damaged(file: str, what: str, line: int | None = None) -> ConfigurationError:
    return ConfigurationError(
        f"the file of durations {what}", file=file, line=line, hint="remove it; 'setlist history --save' writes it anew"
    )


def write_durations(
    project: Project, durations: Mapping[str, float], *, sessions: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Bring the file up to date. Sessions that ``durations`` says nothing of keep what the file says.

    Args:
        project: whose file it is.
        durations: seconds by session, as measured.
        sessions: the names of all sessions that there are: those of others are taken out of the file.

    Returns:
        the sessions whose entry changed, came or went, by name. None: the file is left as it is.

    Raises:
        StorageError: it can't be written.
    """
    try:
        before = read_durations(project) or {}
    except ConfigurationError:
        before = {}
    after = dict(before)
    for name, seconds in durations.items():
        told = _rounded(seconds)
        if name not in before or abs(told - before[name]) > MOVED * before[name]:
            after[name] = told
    if sessions is not None:
        known = frozenset(sessions)
        after = {name: seconds for name, seconds in after.items() if name in known}
    changed = tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
    if changed:
        _write(project, after)
    return changed


def _rounded(seconds: float) -> float:
    """To a tenth below ten seconds, to whole ones above; never 0, of which any change would be a big one."""
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
