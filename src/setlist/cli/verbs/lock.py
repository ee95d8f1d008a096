"""Write lock files: the exact versions of everything a session installs, with their hashes.

Only locks whose inputs changed are made anew, and what is in them stays as it is where it still fits. Without a
SESSION, those of every session. The table shows what moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, OFFLINE, Arguments, Option
from setlist.core.errors import LockOutOfDate, UsageError, nearest

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.lock.update import LockResult

USAGE = "lock [SESSION…] [--upgrade] [--upgrade-package NAME[==V]] [--check] [--json]"
OPTIONS = (
    Option("upgrade", "upgrade all packages to their newest versions"),
    Option("upgrade-package", "upgrade this package; may be repeated", None, "NAME[==V]"),
    Option("check", "write nothing; exit with 3 if a lock is out of date"),
    Option("json", "print the result as JSON"),
    OFFLINE,
    *COMMON,
)

FORMAT = 1

SHOWN = 8
"""How many sessions, or families, are named in one line; JSON names them all."""


def run(arguments: Arguments, context: Context) -> int:
    """Lock the sessions, and tell what moved."""
    from setlist.environment.environ import clean
    from setlist.environment.installers import InstallerSettings
    from setlist.lock.update import LockOptions, update_locks
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals

    packages = arguments.values("upgrade-package")
    for package in packages:
        _check_package(package)
    registry = context.registry
    sessions = context.select(arguments.words or ("*",)) if registry.sessions else ()
    if not sessions:
        raise UsageError("there are no sessions to lock", hint="'setlist init' writes a first one")
    wish = LockOptions(
        upgrade=arguments.flag("upgrade"),
        packages=packages,
        check=arguments.flag("check"),
        offline=arguments.flag("offline"),
    )
    installer = InstallerSettings(environ=clean(context.caller.environ), project=context.project, offline=wish.offline)
    quiet = arguments.flag("json") or context.verbosity < 0

    sessions = _collected(context, sessions, quiet=quiet)

    # by name: comparing definitions with each other takes as long as all the rest
    locked = {session.name for session in sessions}

    def waiting() -> None:
        context.err.line("waiting for another 'setlist lock' in this project")

    with (
        guarding(Grace().terminate),
        handling_signals(),
        context.progress("resolving", quiet=quiet) as progress,
    ):
        results = update_locks(
            context.project,
            registry.settings,
            sessions,
            installer,
            wish,
            progress,
            beside=[session for name, session in registry.sessions.items() if name not in locked],
            waiting=waiting,
        )
    if arguments.flag("json"):
        context.out.write(_as_json(context, results))
    elif context.verbosity >= 0:
        _tell_moves(context, results)
        if registry.settings.lock_consistent:
            _tell_differing(context, results)
    _tell_unknown(context, results, wish.names)
    for result in results:
        if result.error is not None:
            result.error.where = result.error.where or result.session
            context.print_error(result.error)
    if any(result.outcome == "failed" for result in results):
        return 1
    if any(result.outcome == "outdated" for result in results):
        outdated = [result.session for result in results if result.outcome == "outdated"]
        names = shortened(context, outdated, many=SHOWN)
        # without these they would stay as they are: what is checked is whether anything would move
        moving = ["--upgrade"] * wish.upgrade + [f"--upgrade-package {package}" for package in wish.packages]
        typed = "".join(f" {word}" for word in (*moving, *(() if len(outdated) > SHOWN else outdated)))
        told = LockOutOfDate(
            f"out of date: {', '.join(names)}", hint=f"'setlist lock{typed}' renews what is out of date"
        )
        if not arguments.flag("json"):
            context.print_error(told)
        return told.exit_code
    return 0


def _collected(context: Context, sessions: Sequence[SessionSpec], *, quiet: bool) -> tuple[SessionSpec, ...]:
    """The sessions, those of a provider with an environment that declares what their functions install."""
    if not any(session.installs_itself for session in sessions):
        return tuple(sessions)
    from setlist.core.plugins import find_provider
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals
    from setlist.runner.run import plain_context

    context.project.prepare()
    run_context = plain_context(context.project, context.registry, context.caller)
    found = []
    for session in sessions:
        if not session.installs_itself or session.environment.backend == "none":
            found.append(session)
            continue
        with guarding(Grace().terminate), handling_signals():
            lockable, reason = find_provider(session.provider).lockable(run_context, session)
        found.append(lockable)
        if reason and not quiet:
            context.err.line(f"{session.name}: locked from its environment, as it is: {reason}")
    return tuple(found)


def shortened(context: Context, names: Sequence[str], *, many: int) -> list[str]:
    """Sessions as a person names them: whole families by the family, and not more than ``many``."""
    families = context.registry.outline.families
    of_family = Counter(families.values())
    named = Counter(families[name] for name in names)
    found: dict[str, None] = {}
    for name in names:
        family = families[name]
        found[family if named[family] == of_family[family] > 1 else name] = None
    shown = list(found)
    return shown if len(shown) <= many else [*shown[:many], f"and {len(shown) - many} more"]


def _check_package(package: str) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(package)
    except InvalidRequirement:
        requirement = None
    if requirement is not None and requirement.url is None and requirement.marker is None:
        operators = [specifier.operator for specifier in requirement.specifier]
        if operators in ([], ["=="]):
            return
    raise UsageError(f"--upgrade-package {package}: not a package's name", hint="write NAME or NAME==VERSION")


def _tell_moves(context: Context, results: tuple[LockResult, ...]) -> None:
    from setlist.lock.document import change_rows

    out = context.out
    moves = [move for result in results for move in result.moves if result.outcome in ("written", "outdated")]
    table = change_rows(moves)
    if table:
        package_width = max(len(package) for package, _, _ in table)
        what_width = max(len(what) for _, what, _ in table)
        for package, what, sessions in table:
            names = ", ".join(shortened(context, sessions, many=SHOWN))
            out.line(f"{package.ljust(package_width)}  {what.ljust(what_width)}  {names}")
    notes: dict[str, list[str]] = {}
    for result in results:
        if result.outcome in ("written", "outdated") and not result.moves:
            verb = "written" if result.outcome == "written" else "out of date"
            why = ", ".join(result.reasons) or "as asked"
            notes.setdefault(f"{verb}, no version moved ({why})", []).append(result.session)
        if result.unhashed and result.outcome != "failed":
            said = f"no hash for {', '.join(result.unhashed)}: it comes from no index"
            notes.setdefault(said, []).append(result.session)
    for note, noted in notes.items():
        context.err.line(f"{', '.join(shortened(context, noted, many=SHOWN))}: {note}")
    counts = {
        kind: sum(result.outcome == kind for result in results) for kind in ("written", "outdated", "current", "failed")
    }
    told = [f"{count} {'out of date' if kind == 'outdated' else kind}" for kind, count in counts.items() if count]
    context.err.line(f"locks: {', '.join(told) or 'nothing to lock'}")


def _tell_differing(context: Context, results: tuple[LockResult, ...]) -> None:
    from setlist.lock.document import differing_versions

    bodies = {result.session: result.body for result in results if result.body}
    for name, versions in differing_versions(bodies).items():
        said = "; ".join(
            f"{version} in {', '.join(shortened(context, sessions, many=SHOWN))}"
            for version, sessions in versions.items()
        )
        context.err.line(f"{name} has no one version for all: {said}")


def _tell_unknown(context: Context, results: tuple[LockResult, ...], packages: set[str]) -> None:
    """Say which packages were to move that no lock holds: a slip of the hand would pass unseen."""
    from setlist.environment.names import normalised
    from setlist.environment.pyproject import read_pyproject
    from setlist.lock.document import versions_of

    if not packages or any(result.outcome == "failed" for result in results):
        return  # what those would hold isn't known
    held = {name for result in results for name in versions_of(result.body)}
    held |= {move.package for result in results for move in result.moves}
    held.add(normalised(str(read_pyproject(context.project).table("project").get("name", ""))))
    for package in sorted(packages - held):
        near = nearest(package, held)
        meant = f": did you mean {near!r}?" if near else ""
        context.err.line(f"--upgrade-package {package}: no lock of these sessions holds it{meant}")


def _as_json(context: Context, results: tuple[LockResult, ...]) -> str:
    import json

    data: dict[str, Any] = {
        "format": FORMAT,
        "sessions": [
            {
                "session": result.session,
                "file": context.project.relative(result.path),
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
