"""Show the sessions: all of them, or those that are named.

The ones marked with * are run by a bare 'run'. With --json, everything that their definitions say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.listing import print_table, sessions_json
from setlist.cli.options import COMMON, JSON, Arguments

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "list [SESSION…] [--json]"
OPTIONS = (JSON, *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Print the sessions on stdout."""
    sessions = context.select(arguments.words) if arguments.words else tuple(context.registry.sessions.values())
    if not arguments.flag("json"):
        print_table(context, sessions)
        return 0

    import json

    context.out.line(json.dumps(sessions_json(context, sessions), indent=2, ensure_ascii=False))
    return 0
