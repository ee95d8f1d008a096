"""Which sessions a command line selects: by name, ``-k``, ``-t``, ``-p``, ``--failed`` and ``--shard``.

Shards are split by durations that are the same in every job of a CI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from setlist.cli.options import Option
from setlist.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.options import Arguments
    from setlist.core.model import SessionSpec

FILTERS = (
    Option("keyword", "only sessions that match, e.g. 'lint or (test and not py310)'", "k", "EXPR"),
    Option("tag", "only sessions with this tag; may be repeated", "t", "TAG"),
    Option("python", "only sessions on this Python; may be repeated", "p", "VERSION"),
)


def sessions_to_run(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    """The sessions that ``run`` runs. If there are none, and that is no error, the reason has been printed.

    Raises:
        UnknownSession: a name matches no session.
        UsageError: no session runs by default, or the shard is malformed.
        ConfigurationError: the project defines no sessions, or its file of durations is malformed.
    """
    registry = context.registry
    if not registry.sessions:
        raise ConfigurationError(
            f"no sessions are defined in {context.project.root}",
            hint="write [tool.setlist.session.NAME] into pyproject.toml, or let 'setlist init' write a first one",
        )
    if arguments.flag("failed"):
        sessions = _failed(arguments, context)
    else:
        sessions = filtered(arguments, context, arguments.words)
        if not sessions:
            first = next(iter(registry.sessions))
            raise UsageError("no session runs by default", hint=f"name one: run {first}; 'run --list' shows them all")
    shard = arguments.value("shard")
    return sharded(context, sessions, shard) if sessions and shard is not None else sessions


def sessions_to_list(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    """The sessions that ``run --list`` shows: all, if none are named.

    Raises:
        UnknownSession: a name matches no session.
    """
    return filtered(arguments, context, arguments.words or ("*",)) if context.registry.sessions else ()


def filtered(arguments: Arguments, context: Context, selectors: Sequence[str]) -> tuple[SessionSpec, ...]:
    """The sessions that selectors name and the :data:`FILTERS` keep. Without selectors, the default sessions.

    Raises:
        UnknownSession: a selector matches no session.
    """
    from setlist.registry.select import select

    return select(
        context.registry,
        selectors,
        keyword=arguments.value("keyword"),
        tags=arguments.values("tag"),
        pythons=arguments.values("python"),
    )


def _failed(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    from setlist.reports.past_runs import last_failed

    failed = set(last_failed(context.project))
    candidates = filtered(arguments, context, arguments.words or ("*",))
    sessions = tuple(session for session in candidates if session.name in failed)
    if not sessions:
        context.err.line("nothing failed last time" if not failed else "none of these failed last time")
    return sessions


def sharded(context: Context, sessions: Sequence[SessionSpec], shard: str) -> tuple[SessionSpec, ...]:
    """The sessions in the shard ``K/N``. If there are none, that has been printed.

    Interactive sessions are in no shard, as they aren't in the matrix of ``setlist ci matrix --shards N``.

    Raises:
        UsageError: the shard is malformed.
        ConfigurationError: the file of durations is malformed.
    """
    from setlist.scheduling.shards import parse_shard, shard_of

    k, n = parse_shard(shard)
    sessions = without_interactive(context, sessions)
    members = shard_of(sessions, context.registry, shared_durations(context), k, n)
    if not members:
        context.err.line(f"nothing in shard {k} of {n}: the sessions can't be split into so many parts")
    return members


def without_interactive(context: Context, sessions: Sequence[SessionSpec]) -> tuple[SessionSpec, ...]:
    """The sessions that need no terminal. The names of the others are printed."""
    interactive = [session.name for session in sessions if session.interactive]
    if interactive:
        context.err.line(f"left out, since they need a terminal: {', '.join(interactive)}")
    return tuple(session for session in sessions if not session.interactive)


def shared_durations(context: Context) -> Mapping[str, float]:
    """Seconds by session, as all jobs of a CI see them: those of the committed file.

    Without that file, those of this machine's history; in CI, none. There each job has another history, and would
    split the sessions differently.

    Raises:
        ConfigurationError: the file of durations is malformed.
    """
    from setlist.scheduling.durations import read_durations

    committed = read_durations(context.project)
    if committed is not None:
        return committed
    if context.caller.ci:
        return {}
    from setlist.reports.past_runs import durations

    return durations(context.project, list(context.registry.sessions))
