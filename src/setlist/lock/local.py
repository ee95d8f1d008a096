"""Local directories in a lock: relative to the project's root where it is kept, absolute where it is used."""

from __future__ import annotations

import os
import re
from pathlib import Path

from setlist.environment.requirements import local_path

_LINE = re.compile(
    r"^(?P<before>(?:-e\s+)?(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?)(?P<path>file:\S+|\.{1,2}/\S*|/\S+)(?P<after>.*)$"
)


def relative(body: str, root: Path) -> str:
    """The requirements with local paths relative to ``root``, so that the file means the same elsewhere."""

    def rewritten(line: str) -> str:
        match = _LINE.match(line)
        path = local_path(line) if match is not None else None
        if match is None or path is None or not path.is_absolute():
            return line
        shown = os.path.relpath(path, root).replace(os.sep, "/")
        shown = shown if shown.startswith(".") else f"./{shown}"
        # pip takes no relative path after '@': the name is left to the project itself
        before = "-e " if match["before"].startswith("-e") else ""
        return f"{before}{shown}{match['after']}"

    return "".join(f"{rewritten(line)}\n" for line in body.splitlines())


def absolute(body: str, root: Path) -> str:
    """The requirements with local paths absolute, whatever directory they are read in."""

    def rewritten(line: str) -> str:
        match = _LINE.match(line)
        if match is None or not match["path"].startswith("."):
            return line
        path = Path(os.path.normpath(root / match["path"]))
        return f"{match['before']}{path.as_uri() if match['before'] else path}{match['after']}"

    return "".join(f"{rewritten(line)}\n" for line in body.splitlines())
