"""Read the ``.env`` files that a session names with ``env-file``.

python-dotenv parses them, which the extra ``dotenv`` installs. Their values are secrets: they are masked in what is
shown, and no file of setlist's holds them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from setlist.core.errors import SessionError
from setlist.core.files import NotText, read_text
from setlist.core.model import SessionSpec


def read_env_files(session: SessionSpec, root: Path) -> dict[str, str]:
    """The variables of the session's files. A later file overrides an earlier one; a missing file has none.

    Args:
        session: the session.
        root: the project's root, which the paths are relative to.

    Raises:
        SessionError: a file can't be read or isn't in the form of ``.env``, or python-dotenv isn't installed.
    """
    found: dict[str, str] = {}
    for name in session.env_file:
        if os.path.exists(root / name):
            found.update(_parse(_text(root / name, name, session), name, session))
    return found


def missing_env_files(session: SessionSpec, root: Path) -> Sequence[str]:
    """The session's files that don't exist."""
    return [name for name in session.env_file if not os.path.exists(root / name)]


def _text(path: Path, name: str, session: SessionSpec) -> str:
    try:
        return read_text(path)
    except (OSError, NotText) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SessionError(
            f"{name} can't be read: {reason}", where=str(session.origin), hint="it was named as env-file"
        ) from None


def _parse(text: str, name: str, session: SessionSpec) -> dict[str, str]:
    try:
        from dotenv import dotenv_values
        from dotenv.parser import parse_stream
    except ImportError:
        raise SessionError(
            "env-file needs python-dotenv, which isn't installed for setlist's own Python",
            where=str(session.origin),
            hint="pip install 'setlist[dotenv]'",
        ) from None
    # dotenv_values would leave out such lines
    wrong = next((binding.original.line for binding in parse_stream(StringIO(text)) if binding.error), None)
    if wrong is not None:
        raise SessionError(
            "this line can't be read as NAME=value",
            where=f"{name}:{wrong}",
            hint="a value with quotes ends with the same",
        )
    values = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}
