"""Run a command in a session's environment, made right first.

The command sees what the session's own commands see, and starts in the current directory. It is looked for where
theirs are: in the environment, or among what 'external' names; any other is started by its path. The exit code
is the command's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.exec_in_env import inside
from setlist.cli.options import COMMON, OFFLINE, Arguments
from setlist.core.errors import UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "exec SESSION -- COMMAND…"
OPTIONS = (OFFLINE, *COMMON)
WORDS_BEFORE_REST = 1


def run(arguments: Arguments, context: Context) -> int:
    """Run the command and return its exit code."""
    session = context.one(arguments.words, verb="exec")
    if not arguments.rest:
        raise UsageError("no command is given", hint=f"write: setlist exec {session.name} -- COMMAND")
    return inside(context, session, arguments.rest)
