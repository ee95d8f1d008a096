"""Splitting the selected sessions among CI jobs: by durations that all of the jobs see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec


def shared_durations(context: Context) -> Mapping[str, float]:
    """Seconds by session: those that are committed; where none are, those of this machine, but not in CI.

    There each job has a history of its own, or none, and would split by it in its own way: all sessions
    count the same then.

    Raises:
        ConfigurationError: the file of durations can't be understood.
    """
    from setlist.scheduling.durations import read_durations

    committed = read_durations(context.project)
    if committed is not None:
        return committed
    if context.caller.ci:
        return {}
    from setlist.reports.history import durations

    return durations(context.project, list(context.registry.sessions))


def save_durations(context: Context) -> tuple[str, ...]:
    """Write what this machine's history says of durations where all jobs see it, for someone to commit.

    Returns:
        the sessions whose durations moved.

    Raises:
        StorageError: the file can't be written.
    """
    from setlist.reports.history import durations
    from setlist.scheduling.durations import write_durations

    names = list(context.registry.sessions)
    return write_durations(context.project, durations(context.project, names), sessions=names)


def without_interactive(context: Context, sessions: Sequence[SessionSpec]) -> tuple[SessionSpec, ...]:
    """The sessions but those that need a terminal, which no CI has; that is said."""
    left_out = [session.name for session in sessions if session.interactive]
    if left_out:
        context.err.line(f"left out, for want of a terminal: {', '.join(left_out)}")
    return tuple(session for session in sessions if not session.interactive)


def sharded(context: Context, sessions: Sequence[SessionSpec], shard: str) -> tuple[SessionSpec, ...]:
    """Those of the selected sessions that are in the shard ``K/N``. Empty: there are none, and that was said.

    Interactive ones are in none, as they aren't in the matrix that ``setlist ci matrix --shards N`` prints.

    Raises:
        UsageError: it is no shard.
        ConfigurationError: the file of durations can't be understood.
    """
    from setlist.scheduling.shards import parse_shard, shard_of

    k, n = parse_shard(shard)
    sessions = without_interactive(context, sessions)
    kept = shard_of(sessions, context.registry, shared_durations(context), k, n)
    if not kept:
        context.err.line(f"nothing in shard {k} of {n}: there are fewer sessions that can be parted")
    return kept
