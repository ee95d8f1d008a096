"""Local directories in a lock: relative to the project's root where it is kept, absolute where it is used."""

from __future__ import annotations

import os
import re
from pathlib import Path

from setlist.environment.requirements import local_path

# A path may hold spaces: it goes up to a marker, a hash, a continuation, or the end
_LINE = (
    r"^(?P<before>(?:-e\s+)?(?:[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*)?)"
    r"(?P<path>(?:file:|\.{1,2}(?:/|$)|/|[A-Za-z]:[/\\]).*?)"
    r"(?P<extras>\[[^\]]*\])?(?P<after>(?:\s+;.*|\s+--hash.*|\s+\\)?)$"
)


def relative(body: str, root: Path) -> str:
    """The requirements with local paths relative to ``root``, so that the file means the same elsewhere."""

    def rewritten(line: str) -> str:
        match = _matched(line)
        path = local_path(match["path"]) if match is not None else None
        if match is None or path is None:
            return line
        try:
            shown = os.path.relpath(root / path, root).replace(os.sep, "/")
        except ValueError:  # another drive: nowhere else anyway
            return line
        shown = shown if shown.startswith(".") else f"./{shown}"
        # pip takes no relative path after '@': the name, and the extras with it, are left to the project itself
        named = re.search(r"\[[^\]]*\]", match["before"])
        extras = match["extras"] or (named[0] if named is not None else "")
        editable = "-e " if match["before"].startswith("-e") else ""
        return f"{editable}{shown}{extras}{match['after']}"

    return "".join(f"{rewritten(line)}\n" for line in body.splitlines())


def absolute(body: str, root: Path) -> str:
    """The requirements with local paths absolute, whatever directory they are read in."""

    def rewritten(line: str) -> str:
        match = _matched(line)
        if match is None or not match["path"].startswith("."):
            return line
        path = Path(os.path.normpath(root / match["path"]))
        return f"{match['before']}{path.as_uri()}{match['extras'] or ''}{match['after']}"

    return "".join(f"{rewritten(line)}\n" for line in body.splitlines())


def _matched(line: str) -> re.Match[str] | None:
    # hashes, and names with nothing that a path could follow, are told without the pattern
    if line[:1].isspace() or (line[:1].isalnum() and "@" not in line and line[1:2] != ":" and line[:5] != "file:"):
        return None
    return re.match(_LINE, line)
