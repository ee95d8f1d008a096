"""The error for a definition that turns out to be wrong when it is used: a group or a file that isn't there.

A module of its own, since what names the line costs imports that a run without mistakes doesn't need.
"""

from __future__ import annotations

from pathlib import Path

from setlist.core.errors import ConfigurationError
from setlist.core.model import SessionSpec


def definition_error(
    root: Path, session: SessionSpec, key: str, message: str, hint: str | None = None
) -> ConfigurationError:
    """The error for a key of a session's definition that turned out to be wrong later, when it was used.

    Args:
        root: the project's.
        session: one that the definition expanded to.
        key: as written in TOML (``requirements``).
        message: what is wrong.
        hint: what to do.
    """
    from setlist.registry.toml_lines import line_of_session

    line = line_of_session(session, root, (key,))
    return ConfigurationError(message, file=session.origin.file, line=line, key=f"{session.family}.{key}", hint=hint)
