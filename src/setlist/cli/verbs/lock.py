"""Write lock files: pinned versions of everything a session installs, with their hashes.

Only locks whose inputs changed are resolved again, and keep their versions if those still satisfy the requirements.
Without a SESSION, all sessions are locked. The table shows the version changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, OFFLINE, Arguments, Option
from setlist.core.errors import LockOutOfDate, UsageError, nearest
from setlist.engine.trace import Found
from setlist.engine.world import World

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.lock.update import LockOptions, LockResult

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
"""The maximum number of sessions or families in one line; JSON has all of them."""


def run(arguments: Arguments, context: Context) -> int:
    """Lock the sessions, and print which versions changed."""
    from setlist.environment.environ import clean
    from setlist.environment.installers import InstallerSettings
    from setlist.lock.update import LockOptions, update_locks
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals

    packages = arguments.values("upgrade-package")
    for package in packages:
        _check_package(package)
    options = LockOptions(
        upgrade=arguments.flag("upgrade"),
        packages=packages,
        check=arguments.flag("check"),
        offline=arguments.flag("offline"),
    )
    if _is_known_to_be_current(context, arguments, options):
        return 0
    registry = context.registry
    sessions = context.select(arguments.words or ("*",)) if registry.sessions else ()
    if not sessions:
        raise UsageError("there are no sessions to lock", hint="'setlist init' writes a first one")
    installer = InstallerSettings(
        environ=clean(context.caller.environ), project=context.project, offline=options.offline
    )
    quiet = arguments.flag("json") or context.verbosity < 0

    sessions = _lockable(context, sessions, quiet=quiet)

    # by name: comparing definitions takes as long as everything else
    locked = {session.name for session in sessions}

    def waiting() -> None:
        context.err.line("waiting for another 'setlist lock' in this project")

    # variables aren't inputs of a lock
    world = World(str(context.project.root), {})

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
            options,
            progress,
            beside=[session for name, session in registry.sessions.items() if name not in locked],
            waiting=waiting,
            world=world,
        )
    if arguments.flag("json"):
        context.out.write(_as_json(context, results))
    elif context.verbosity >= 0:
        _print_changes(context, results)
        if registry.settings.lock_consistent:
            _print_differing(context, results)
    _keep_if_current(context, arguments, options, world, results)
    _warn_of_unknown(context, results, options.names)
    for result in results:
        if result.error is not None:
            result.error.where = result.error.where or result.session
            context.print_error(result.error)
    if any(result.outcome == "failed" for result in results):
        return 1
    if any(result.outcome == "outdated" for result in results):
        outdated = [result.session for result in results if result.outcome == "outdated"]
        names = shortened(context, outdated, many=SHOWN)
        # the hint repeats the options: without them these locks would be current
        moving = ["--upgrade"] * options.upgrade + [f"--upgrade-package {package}" for package in options.packages]
        typed = "".join(f" {word}" for word in (*moving, *(() if len(outdated) > SHOWN else outdated)))
        error = LockOutOfDate(
            f"out of date: {', '.join(names)}", hint=f"'setlist lock{typed}' renews what is out of date"
        )
        if not arguments.flag("json"):
            context.print_error(error)
        return error.exit_code
    return 0


def _is_plain_check(arguments: Arguments, options: LockOptions) -> bool:
    """Whether nothing but the definitions and the files of locks decides about a check."""
    return options.check and not (options.upgrade or options.packages or arguments.words or arguments.flag("json"))


def _is_known_to_be_current(context: Context, arguments: Arguments, options: LockOptions) -> bool:
    """Whether an earlier check found all locks current, and nothing has changed since. It is told then."""
    if not _is_plain_check(arguments, options):
        return False
    found = context.store.get(_entry(context))
    if isinstance(found, Found) and context.verbosity >= 0:
        context.err.line(f"locks: {found.value} current" if found.value else "locks: nothing to lock")
    return isinstance(found, Found)


def _entry(context: Context) -> str:
    """The key of an entry in the trace store: how many locks there were when all of them were current."""
    from setlist.registry.load import entry_key

    return entry_key("locks", context.project)


def _keep_if_current(
    context: Context, arguments: Arguments, options: LockOptions, world: World, results: Sequence[LockResult]
) -> None:
    """Keep the result of a check that had nothing to say."""
    registry = context.registry
    if (
        not _is_plain_check(arguments, options)
        or registry.settings.lock_consistent
        or context.loaded.trace is None
        or context.loaded.warnings
        or any(session.installs_itself for session in registry.sessions.values())
        or any(result.outcome not in ("current", "none") or result.unhashed for result in results)
    ):
        return
    world.include_trace(context.loaded.trace)
    with suppress(OSError):
        if context.project.state.is_dir():
            context.store.put(_entry(context), world, sum(result.outcome == "current" for result in results))


def _lockable(context: Context, sessions: Sequence[SessionSpec], *, quiet: bool) -> tuple[SessionSpec, ...]:
    """The sessions. Those of a provider declare what their functions install."""
    if not any(session.installs_itself for session in sessions):
        return tuple(sessions)
    from setlist.core.plugins import find_provider
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals
    from setlist.runner.run_context import RunOptions
    from setlist.runner.run_plan import context_of

    context.project.prepare()
    run_context = context_of(context.project, context.registry, context.caller, RunOptions(locks="ignore"))
    lockables = []
    for session in sessions:
        if not session.installs_itself or session.environment.backend == "none":
            lockables.append(session)
            continue
        with guarding(Grace().terminate), handling_signals():
            lockable, reason = find_provider(session.provider).lockable(run_context, session)
        lockables.append(lockable)
        if reason and not quiet:
            context.err.line(f"{session.name}: locked from its environment, as it is: {reason}")
    return tuple(lockables)


def shortened(context: Context, names: Sequence[str], *, many: int) -> list[str]:
    """Session names for a message: a complete family by its name, and at most ``many`` names."""
    families = context.registry.index.families
    of_family = Counter(families.values())
    named = Counter(families[name] for name in names)
    shown: dict[str, None] = {}
    for name in names:
        family = families[name]
        shown[family if named[family] == of_family[family] > 1 else name] = None
    labels = list(shown)
    return labels if len(labels) <= many else [*labels[:many], f"and {len(labels) - many} more"]


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


def _print_changes(context: Context, results: tuple[LockResult, ...]) -> None:
    from setlist.lock.document import change_rows

    out = context.out
    moves = [move for result in results for move in result.moves if result.outcome in ("written", "outdated")]
    table = change_rows(moves)
    if table:
        package_width = max(len(package) for package, _, _ in table)
        change_width = max(len(change) for _, change, _ in table)
        for package, change, sessions in table:
            names = ", ".join(shortened(context, sessions, many=SHOWN))
            out.line(f"{package.ljust(package_width)}  {change.ljust(change_width)}  {names}")
    notes: dict[str, list[str]] = {}
    for result in results:
        if result.outcome in ("written", "outdated") and not result.moves:
            state = "written" if result.outcome == "written" else "out of date"
            why = ", ".join(result.reasons) or "as asked"
            notes.setdefault(f"{state}, no version changed ({why})", []).append(result.session)
        if result.unhashed and result.outcome != "failed":
            note = f"no hash for {', '.join(result.unhashed)}: it comes from no index"
            notes.setdefault(note, []).append(result.session)
    for note, noted in notes.items():
        context.err.line(f"{', '.join(shortened(context, noted, many=SHOWN))}: {note}")
    counts = {
        kind: sum(result.outcome == kind for result in results) for kind in ("written", "outdated", "current", "failed")
    }
    totals = [f"{count} {'out of date' if kind == 'outdated' else kind}" for kind, count in counts.items() if count]
    context.err.line(f"locks: {', '.join(totals) or 'nothing to lock'}")


def _print_differing(context: Context, results: tuple[LockResult, ...]) -> None:
    from setlist.lock.document import differing_versions

    bodies = {result.session: result.body for result in results if result.body}
    for name, versions in differing_versions(bodies).items():
        places = "; ".join(
            f"{version} in {', '.join(shortened(context, sessions, many=SHOWN))}"
            for version, sessions in versions.items()
        )
        context.err.line(f"{name} has different versions: {places}")


def _warn_of_unknown(context: Context, results: tuple[LockResult, ...], packages: set[str]) -> None:
    """Warn of packages of ``--upgrade-package`` that no lock holds: they may be misspelled."""
    from setlist.environment.pyproject import read_pyproject
    from setlist.environment.requirement_lines import normalised
    from setlist.lock.document import versions_of

    if not packages or any(result.outcome == "failed" for result in results):
        return  # the content of failed locks is unknown
    held = {name for result in results for name in versions_of(result.body)}
    held |= {move.package for result in results for move in result.moves}
    held.add(normalised(str(read_pyproject(context.project).table("project").get("name", ""))))
    for package in sorted(packages - held):
        near = nearest(package, held)
        suggestion = f": did you mean {near!r}?" if near else ""
        context.err.line(f"--upgrade-package {package}: no lock of these sessions holds it{suggestion}")


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
