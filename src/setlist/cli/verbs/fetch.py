"""Download the packages that locks name into a directory, for machines without a network.

This includes every wheel of the locks, verified by its hash, and what is needed to build the project under test.
Without a SESSION, all sessions with a lock are included. Files that are already there aren't downloaded again.
On the other machine, 'run --offline --find-links DIR' creates the environments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, QUIET, Arguments, Option
from setlist.core.errors import UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.lock.wheelhouse.fetch import FetchResult

USAGE = "fetch [SESSION…] --to DIR [--platform NAME] [--python VERSION]"
OPTIONS = (
    Option("to", "the directory to download to; created if missing", None, "DIR"),
    Option(
        "platform",
        "the platform to download for (linux-x86_64, macos-arm64, …), instead of this one; may be repeated",
        None,
        "NAME",
    ),
    Option("python", "the Python version for sessions that don't name one; may be repeated", "p", "VERSION"),
    QUIET,
    *COMMON,
)


def run(arguments: Arguments, context: Context) -> int:
    """Download, and print the downloaded files."""
    from setlist.environment.context import EnvironmentContext
    from setlist.lock.targets import check_platforms, check_pythons
    from setlist.lock.wheelhouse.fetch import FetchOptions, fetch
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals

    target = arguments.value("to")
    if target is None:
        raise UsageError("--to DIR is missing", hint="write: setlist fetch --to wheels")
    platforms, pythons = arguments.values("platform"), arguments.values("python")
    check_platforms(platforms)
    check_pythons(pythons)
    sessions = context.select(arguments.words or ("*",)) if context.registry.sessions else ()
    options = FetchOptions(directory=context.caller.cwd / target, platforms=platforms, pythons=pythons)

    def notify(session: str, text: str) -> None:
        context.err.lines(f"{session}: {text}")

    context.project.prepare()
    env_context = EnvironmentContext(context.project, context.caller, False, notify)
    with (
        guarding(Grace().terminate),
        handling_signals(),
        context.progress("fetching") as progress,
    ):
        result = fetch(
            env_context, context.registry.settings, sessions, options, progress, all_of_them=bool(arguments.words)
        )
    if context.verbosity >= 0:
        _print_result(context, result, target)
    for line in result.left:
        context.err.line(f"{context.err.styled('not fetched:', 'yellow')} {line}")
    return 1 if result.left else 0


def _print_result(context: Context, result: FetchResult, target: str) -> None:
    for path in result.fetched:
        context.out.line(path.name)
    for name in result.sdists:
        context.err.line(f"{name}: there is no wheel of it: it will be built on the other machine")
    targets = "; ".join(target.label for target in result.targets)
    context.err.line(f"{target}: {len(result.fetched)} fetched, {result.there} already there ({targets})")
