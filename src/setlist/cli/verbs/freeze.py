"""Print print the installed versions of sessions as requirements files.

Any pip installs them elsewhere: pip install -r NAME.txt. Without a SESSION, those of a bare 'run'. One
session is printed as it is; several one after the other, or with -o each into its own file.

With --to-lock they become the sessions' lock files: the versions that are installed now, with their hashes.
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
    # All are read before the first is written: either the directory holds what was asked for, or nothing new
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
        found = lock_environments(
            context.project, context.registry.settings, environments, sessions, installer, progress
        )
    _tell_locks(context, found)
    return 1 if any(one.result.outcome == "failed" for one in found) else 0


def _tell_locks(context: Context, found: Sequence[FrozenLock]) -> None:
    from setlist.lock.document import change_rows

    table = change_rows(move for one in found if one.result.outcome == "written" for move in one.result.moves)
    package_width = max((len(package) for package, _, _ in table), default=0)
    what_width = max((len(what) for _, what, _ in table), default=0)
    for package, what, names in table:
        context.out.line(f"{package.ljust(package_width)}  {what.ljust(what_width)}  {', '.join(names)}")
    for one in found:
        for line in (*one.differences, *(f"{name}: without a hash" for name in one.result.unhashed)):
            context.err.line(f"{one.result.session}: {line}")
        if one.result.error is not None:
            one.result.error.where = one.result.error.where or one.result.session
            context.print_error(one.result.error)
    outcomes = [one.result.outcome for one in found]
    counts = {kind: outcomes.count(kind) for kind in ("written", "current", "failed")}
    context.err.line(f"locks: {', '.join(f'{count} {kind}' for kind, count in counts.items() if count)}")
