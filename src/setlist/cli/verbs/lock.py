"""Write lock files: the exact versions of everything a session installs, with their hashes.

Only locks whose inputs changed are made anew, and what is in them stays as it is where it still fits. Without a
SESSION, those of every session. The table shows what moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, OFFLINE, Arguments, Option
from setlist.errors import LockOutOfDate, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.lock.update import LockResult

USAGE = "lock [SESSION…] [--upgrade] [--upgrade-package NAME[==V]] [--check] [--json]"
OPTIONS = (
    Option("upgrade", "let everything move to its newest version"),
    Option("upgrade-package", "let this package move; may be repeated", None, "NAME[==V]"),
    Option("check", "change nothing; exit with 3 if a lock is out of date"),
    Option("json", "what happened as JSON, on standard output"),
    OFFLINE,
    *COMMON,
)

FORMAT = 1


def run(arguments: Arguments, context: Context) -> int:
    """Lock the sessions, and tell what moved."""
    from setlist.cli.progress import progress_line
    from setlist.environment.environ import clean
    from setlist.environment.installers import InstallerSettings
    from setlist.lock.update import LockWish, update_locks
    from setlist.process import handling_signals

    packages = arguments.values("upgrade-package")
    for package in packages:
        _check_package(package)
    sessions = context.select(arguments.words or ("*",)) if context.registry.sessions else ()
    if not sessions:
        raise UsageError("there are no sessions to lock", hint="'setlist init' writes a first one")
    wish = LockWish(
        upgrade=arguments.flag("upgrade"),
        packages=packages,
        check=arguments.flag("check"),
        offline=arguments.flag("offline"),
    )
    installer = InstallerSettings(environ=clean(context.caller.environ), cwd=context.project.root, offline=wish.offline)
    quiet = arguments.flag("json") or context.verbosity < 0
    with handling_signals(), progress_line(context.err, "resolving", quiet=quiet) as progress:
        results = update_locks(context.project, context.registry.settings, sessions, installer, wish, progress)
    if arguments.flag("json"):
        context.out.write(_as_json(results))
    elif context.verbosity >= 0:
        _tell_moves(context, results, context.registry.settings.lock_consistent)
    for result in results:
        if result.error is not None:
            result.error.where = result.error.where or result.session
            context.tell(result.error)
    if any(result.outcome == "failed" for result in results):
        return 1
    if any(result.outcome == "outdated" for result in results):
        names = " ".join(result.session for result in results if result.outcome == "outdated")
        told = LockOutOfDate(f"out of date: {names}", hint=f"'setlist lock {names}' renews them")
        if not arguments.flag("json"):
            context.tell(told)
        return told.exit_code
    return 0


def _check_package(package: str) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(package)
    except InvalidRequirement:
        raise UsageError(
            f"--upgrade-package {package}: not a package's name", hint="write NAME or NAME==VERSION"
        ) from None


def _tell_moves(context: Context, results: tuple[LockResult, ...], consistent: bool) -> None:
    from setlist.lock.moves import differing, rows

    out = context.out
    moves = [move for result in results for move in result.moves if result.outcome in ("written", "outdated")]
    table = rows(moves)
    if table:
        package_width = max(len(package) for package, _, _ in table)
        what_width = max(len(what) for _, what, _ in table)
        for package, what, sessions in table:
            out.line(f"{package.ljust(package_width)}  {what.ljust(what_width)}  {', '.join(sessions)}")
    for result in results:
        if result.outcome in ("written", "outdated") and not result.moves:
            verb = "written" if result.outcome == "written" else "out of date"
            context.err.line(f"{result.session}: {verb}, no version moved ({', '.join(result.reasons) or 'as asked'})")
        if result.unhashed and result.outcome != "failed":
            context.err.line(f"{result.session}: no hash for {', '.join(result.unhashed)}: it comes from no index")
    counts = {
        kind: sum(result.outcome == kind for result in results) for kind in ("written", "outdated", "current", "failed")
    }
    told = [f"{count} {'out of date' if kind == 'outdated' else kind}" for kind, count in counts.items() if count]
    context.err.line(f"locks: {', '.join(told) or 'nothing to lock'}")
    if consistent:
        for name, versions in differing({result.session: result.body for result in results if result.body}).items():
            said = "; ".join(f"{version} in {', '.join(sessions)}" for version, sessions in versions.items())
            context.err.line(f"{name} has no one version for all: {said}")


def _as_json(results: tuple[LockResult, ...]) -> str:
    import json

    data: dict[str, Any] = {
        "format": FORMAT,
        "sessions": [
            {
                "session": result.session,
                "file": str(result.path),
                "outcome": result.outcome,
                "reasons": list(result.reasons),
                "moves": [{"package": move.package, "old": move.old, "new": move.new} for move in result.moves],
                "unhashed": list(result.unhashed),
                "error": result.error.message if result.error is not None else None,
            }
            for result in results
        ],
    }
    return json.dumps(data, indent=2) + "\n"
