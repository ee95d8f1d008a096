"""Show the inputs of an environment, and which of them changed.

The changed inputs are listed first, with their old and new values. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, JSON, Arguments
from setlist.core.errors import UsageError
from setlist.reports.console import one_line
from setlist.reports.terminal import escaped_line

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import Look, SessionSpec
    from setlist.environment.prepare import Explanation

USAGE = "why SESSION… [--json]"
OPTIONS = (JSON, *COMMON)

FORMAT = 1

_STATES = {
    "none": 'backend "none"',
    "missing": "no environment yet: it would be created",
    "unfinished": "unfinished: it would be recreated",
    "current": "nothing changed: it would be reused",
    "stale": "out of date: it would be brought up to date",
}


def run(arguments: Arguments, context: Context) -> int:
    """Print the explanations to stdout. The exit code is 0 in any case."""
    if not arguments.words:
        raise UsageError("no session is named", hint="write: setlist why SESSION")
    sessions = context.select(arguments.words)
    explained = [(session, context.environments.explain(session)) for session in sessions]
    if not arguments.flag("json"):
        for index, (session, explanation) in enumerate(explained):
            if index:
                context.out.line()
            _print(context, session, explanation)
        return 0

    import json

    from setlist.registry.load import entry_key

    definitions = context.environments.looks(context.loaded.trace or ())
    locks = context.store.last(entry_key("locks", context.project))
    data = {
        "format": FORMAT,
        "definitions": _looks(definitions),
        "locks": _looks(context.environments.looks(locks.trace if locks is not None else ())),
        "sessions": [_json(session, explanation) for session, explanation in explained],
    }
    context.out.lines(json.dumps(data, indent=2, ensure_ascii=False))
    return 0


def _print(context: Context, session: SessionSpec, explanation: Explanation) -> None:
    out = context.out
    name = out.styled(session.name, "bold")
    interpreter = f"{explanation.interpreter} · " if explanation.interpreter else ""
    out.line(f"{name}  {interpreter}{_STATES[explanation.state]}")
    for note in explanation.notes:
        out.line(f"  {escaped_line(note)}")
    width = max((len(change.name) for change in explanation.inputs), default=0)
    for change in sorted(explanation.inputs, key=lambda change: not change.changed):
        if change.changed:
            mark, moved = out.styled("changed", "yellow"), f"{_value(change.old)} → {_value(change.new)}"
        else:
            mark, moved = out.styled("same   ", "dim"), _value(change.new if change.new is not None else change.old)
        out.line(f"  {mark}  {change.name:<{width}}  {moved}")


def _value(value: str | None) -> str:
    return "–" if value is None or not value.strip() else one_line(value)


def _json(session: SessionSpec, explanation: Explanation) -> dict[str, Any]:
    return {
        "name": session.name,
        "state": explanation.state,
        "interpreter": explanation.interpreter,
        "inputs": [
            {"name": change.name, "changed": change.changed, "old": change.old, "new": change.new}
            for change in explanation.inputs
        ],
        "notes": list(explanation.notes),
        "looks": _looks(explanation.looks),
    }


def _looks(looks: Iterable[Look]) -> list[dict[str, Any]]:
    return [{"kind": look.kind, "name": look.name, "by": look.by, "changed": look.changed} for look in looks]
