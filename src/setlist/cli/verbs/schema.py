"""Print the JSON schema of [tool.setlist] in pyproject.toml, for editors.

With --sessions, that of the files sessions/*.toml, which lack the keys of the whole project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.options import HELP, Arguments, Option
from setlist.core.errors import UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "schema [--sessions]"
OPTIONS = (Option("sessions", "print the schema of sessions/*.toml"), HELP)


def run(arguments: Arguments, context: Context) -> int:
    """Print the schema on stdout."""
    from setlist.registry.json_schema import schema_text

    if arguments.words:
        raise UsageError("'setlist schema' takes no arguments")
    context.out.write(schema_text("sessions" if arguments.flag("sessions") else "pyproject"))
    return 0
