"""List the sessions: all of them, or the named ones.

A bare 'run' runs the ones marked with *. --json prints the complete definitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.listing import show_sessions
from setlist.cli.options import COMMON, JSON, Arguments

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "list [SESSION…] [--json]"
OPTIONS = (JSON, *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Print the sessions on stdout."""
    sessions = context.select(arguments.words) if arguments.words else tuple(context.registry.sessions.values())
    show_sessions(context, sessions, words=("list", *arguments.argv), as_json=arguments.flag("json"))
    return 0
