"""Check this set-up: what is wrong, and what to do about it.

Ends with 1 when something fails; warnings don't count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from setlist.cli.doctor_checks import Check, all_checks
from setlist.cli.options import COMMON, JSON, QUIET, Arguments
from setlist.core.errors import UsageError
from setlist.core.records import as_mapping

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.reports.terminal import Style

USAGE = "doctor [--json]"
OPTIONS = (JSON, QUIET, *COMMON)

FORMAT = 1

_MARKS: dict[str, tuple[str, Style]] = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


def run(arguments: Arguments, context: Context) -> int:
    """Print the checks as they are made."""
    if arguments.words:
        raise UsageError("'setlist doctor' takes no words")
    if arguments.flag("json"):
        import json

        checks = list(all_checks(context))
        data = {"format": FORMAT, "checks": [as_mapping(check) for check in checks]}
        context.out.lines(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        checks = _print(context, all_checks(context))
    return 1 if any(check.status == "fail" for check in checks) else 0


def _print(context: Context, checks: Iterable[Check]) -> list[Check]:
    out = context.out
    made: list[Check] = []
    for check in checks:
        made.append(check)
        if check.status == "ok" and context.verbosity < 0:
            continue
        mark, style = _MARKS[check.status]
        out.line(f"{out.styled(mark, style)}  {check.name}: {check.message}")
        if check.remedy:
            out.line(f"      {out.styled('→', 'cyan')} {check.remedy}")
    return made
