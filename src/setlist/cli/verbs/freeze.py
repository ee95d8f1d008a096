"""Print the exact versions that sessions run with, as requirements files.

Any pip installs them elsewhere: pip install -r NAME.txt. Without a SESSION, those of a bare 'run'. One
session is printed as it is; several one after the other, or with -o each into its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.errors import StorageError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "freeze [SESSION…] [-o DIR]"
OPTIONS = (Option("output", "write DIR/SESSION.txt for each session", "o", "DIR"), *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Print or write the frozen requirements."""
    sessions = [session for session in context.select(arguments.words) if session.environment.backend != "none"]
    if not sessions:
        raise UsageError("none of these sessions has an environment of its own")
    # All are read before the first is written: either the directory holds what was asked for, or nothing new
    frozen = [(session.name, context.environments.frozen(session)) for session in sessions]
    directory = arguments.value("output")
    if directory is not None:
        target = context.caller.cwd / directory
        for name, text in frozen:
            _write(context, target / f"{name}.txt", text)
    elif len(frozen) == 1:
        context.out.write(frozen[0][1])
    else:
        for index, (name, text) in enumerate(frozen):
            context.out.write(f"{chr(10) if index else ''}# session: {name}\n{text}")
    return 0


def _write(context: Context, path: Path, text: str) -> None:
    from setlist.files import write_atomically

    try:
        write_atomically(path, text)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    context.err.line(f"wrote {path}")
