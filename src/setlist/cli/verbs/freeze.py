"""Print the installed versions of sessions as requirements files.

Any pip can install them elsewhere: pip install -r NAME.txt. Without a SESSION, the default sessions are used. Several
sessions are printed one after the other, or with -o written to one file each.

With --to-lock the installed versions, with their hashes, become the sessions' lock files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.lock.from_environment import FrozenLock

USAGE = "freeze [SESSION…] [-o DIR | --to-lock]"
OPTIONS = (
    Option("output", "write DIR/SESSION.txt for each session", "o", "DIR"),
    Option("to-lock", "write the sessions' lock files"),
    *COMMON,
)


def run(arguments: Arguments, context: Context) -> int:
    """Print or write the frozen requirements."""
    sessions = [session for session in context.select(arguments.words) if session.environment.backend != "none"]
    if not sessions:
        raise UsageError("none of these sessions has an environment of its own")
    if arguments.flag("to-lock"):
        if arguments.value("output") is not None:
            raise UsageError("--to-lock and --output exclude each other", hint="lock files lie in the lock directory")
        return _lock(context, sessions)
    # read all before writing the first: if one fails, nothing is written
    frozen = [(session.name, context.environments.frozen(session)) for session in sessions]
    directory = arguments.value("output")
    if directory is not None:
        target = context.caller.cwd / directory
        for name, text in frozen:
            _write(context, target / f"{name}.txt", text)
    elif len(frozen) == 1:
        context.out.write(frozen[0][1])
    else:
        for index, (name, text) in enumerate(frozen):
            context.out.write(f"{chr(10) if index else ''}# session: {name}\n{text}")
    return 0


def _write(context: Context, path: Path, text: str) -> None:
    from setlist.core.files import write_atomically

    try:
        write_atomically(path, text)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    context.err.line(f"wrote {path}")


def _lock(context: Context, sessions: Sequence[SessionSpec]) -> int:
    from setlist.environment.environ import clean
    from setlist.environment.installers import InstallerSettings
    from setlist.environment.prepare import Environments
    from setlist.lock.from_environment import lock_environments
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals

    context.project.prepare()
    environments = Environments(context.project, context.caller, offline=True)
    installer = InstallerSettings(environ=clean(context.caller.environ), project=context.project, offline=False)
    with (
        guarding(Grace().terminate),
        handling_signals(),
        context.progress("resolving") as progress,
    ):
        locks = lock_environments(
            context.project, context.registry.settings, environments, sessions, installer, progress
        )
    _print_locks(context, locks)
    return 1 if any(lock.result.outcome == "failed" for lock in locks) else 0


def _print_locks(context: Context, locks: Sequence[FrozenLock]) -> None:
    from setlist.lock.document import change_rows

    table = change_rows(move for lock in locks if lock.result.outcome == "written" for move in lock.result.moves)
    package_width = max((len(package) for package, _, _ in table), default=0)
    change_width = max((len(change) for _, change, _ in table), default=0)
    for package, change, names in table:
        context.out.line(f"{package.ljust(package_width)}  {change.ljust(change_width)}  {', '.join(names)}")
    for lock in locks:
        for line in (*lock.differences, *(f"{name}: without a hash" for name in lock.result.unhashed)):
            context.err.line(f"{lock.result.session}: {line}")
        if lock.result.error is not None:
            lock.result.error.where = lock.result.error.where or lock.result.session
            context.print_error(lock.result.error)
    outcomes = [lock.result.outcome for lock in locks]
    counts = {kind: outcomes.count(kind) for kind in ("written", "current", "failed")}
    context.err.line(f"locks: {', '.join(f'{count} {kind}' for kind, count in counts.items() if count)}")
