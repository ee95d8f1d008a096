"""Show past runs, or with SESSIONs how each of them did in those runs.

The last 50 runs of the project are kept. A SESSION may be one that has been removed. Its line doesn't count runs in
which it was skipped, interrupted, up to date or not reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, JSON, Arguments, Option
from setlist.core.errors import UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.events import Event
    from setlist.reports.past_runs import SessionStatistics
    from setlist.reports.results import RunOutcome

USAGE = "history [SESSION…] [--sessions] [-n N] [--json] | --save"
OPTIONS = (
    Option("sessions", "print a line for each session instead of each run"),
    Option("number", "use the last N runs only", "n", "N"),
    Option("save", "write the durations of sessions to sessions/durations.json, to balance CI shards"),
    JSON,
    *COMMON,
)

FORMAT = 1


def run(arguments: Arguments, context: Context) -> int:
    """Print a table or JSON of the recorded runs."""
    from itertools import islice

    if arguments.flag("save"):
        return _save(arguments, context)

    from setlist.reports.past_runs import past_runs

    runs = list(islice(past_runs(context.project), _number(arguments)))
    if arguments.words or arguments.flag("sessions"):
        return _sessions(arguments, context, runs)
    outcomes = [_outcome(events) for events in runs]
    outcomes = [outcome for outcome in outcomes if outcome.started is not None]
    if arguments.flag("json"):
        _print_json(context, {"runs": [_run_json(outcome) for outcome in outcomes]})
    elif outcomes:
        _print_runs(context, outcomes)
    else:
        context.err.line("no runs yet")
    return 0


def _save(arguments: Arguments, context: Context) -> int:
    if arguments.words or set(arguments.given) & {"sessions", "number", "json"}:
        raise UsageError("--save writes the durations of all sessions: it takes no sessions and no other option")

    from setlist.reports.past_runs import durations
    from setlist.scheduling.durations import durations_file, write_durations

    project, names = context.project, list(context.registry.sessions)
    changed = write_durations(project, durations(project, names), sessions=names)
    file = project.relative(durations_file(project))
    context.err.line(f"{file}: {', '.join(changed)}" if changed else f"{file}: no duration changed")
    return 0


def _number(arguments: Arguments) -> int | None:
    written = arguments.value("number")
    if written is None:
        return None
    if not written.isdecimal() or len(written) > 9 or int(written) == 0:
        raise UsageError(f"-n {written}: not a number of runs", hint="write a number from 1")
    return int(written)


def _outcome(events: Sequence[Event]) -> RunOutcome:
    from setlist.reports.results import RunOutcome

    outcome = RunOutcome()
    for event in events:
        outcome(event)
    return outcome


def _print_runs(context: Context, outcomes: Sequence[RunOutcome]) -> None:
    from setlist.cli.listing import print_columns
    from setlist.reports.console import command_text, duration_text, one_line

    rows = []
    for outcome in outcomes:
        assert outcome.started is not None
        finished = outcome.finished
        rows.append(
            (
                when_text(outcome.started.time),
                one_line(command_text(("run", *outcome.started.argv))),
                counts_text(outcome),
                duration_text(finished.duration) if finished is not None else "–",
                str(finished.exit_code) if finished is not None else "killed, or still running",
            )
        )
    print_columns(context, ("when", "command", "sessions", "duration", "exit code"), rows)


def when_text(time: float) -> str:
    """A time in the local time zone: ``2026-11-22 14:41``."""
    from time import localtime, strftime

    return strftime("%Y-%m-%d %H:%M", localtime(time))


def counts_text(outcome: RunOutcome) -> str:
    """The number of sessions by status: ``3 ok, 1 failed``."""
    from setlist.reports.results import counted

    return counted([session.word for session in outcome.sessions.values()])


def _run_json(outcome: RunOutcome) -> dict[str, Any]:
    assert outcome.started is not None
    finished = outcome.finished
    return {
        "run": outcome.started.run,
        "started": outcome.started.time,
        "argv": list(outcome.started.argv),
        "jobs": outcome.started.jobs,
        "finished": finished is not None,
        "duration": finished.duration if finished is not None else None,
        "exit_code": finished.exit_code if finished is not None else None,
        "sessions": [
            {
                "name": session.name,
                "status": session.status,
                "reason": session.reason,
                "duration": session.duration,
                "attempts": session.finished.attempts if session.finished is not None else len(session.retries) + 1,
            }
            for session in outcome.sessions.values()
        ],
    }


def _sessions(arguments: Arguments, context: Context, runs: Sequence[Sequence[Event]]) -> int:
    from setlist.reports.past_runs import statistics_of

    statistics = statistics_of(runs)
    if arguments.words:
        chosen = [statistics[name] for name in _names(arguments.words, context, statistics) if name in statistics]
    else:
        chosen = list(statistics.values())
    if arguments.flag("json"):
        _print_json(context, {"sessions": [_session_json(session) for session in chosen]})
    elif chosen:
        _print_sessions(context, chosen)
    else:
        context.err.line("no runs of these yet" if arguments.words else "no runs yet")
    return 0


def _names(words: Sequence[str], context: Context, statistics: dict[str, SessionStatistics]) -> list[str]:
    """Names of sessions. A removed session can still be named."""
    names: list[str] = []
    for word in words:
        names += [word] if word in statistics else [session.name for session in context.select([word])]
    return list(dict.fromkeys(names))


def _print_sessions(context: Context, sessions: Sequence[SessionStatistics]) -> None:
    from setlist.cli.listing import print_columns
    from setlist.reports.console import duration_text

    head = ("session", "runs", "passed", "failed", "flaky", "last", "median", "shortest", "longest")
    rows = [
        (
            session.name,
            str(session.runs),
            str(session.passed),
            _share(session.failed, session.failed_rate),
            _share(session.flaky, session.flaky_rate),
            duration_text(session.durations.last),
            duration_text(session.durations.median),
            duration_text(session.durations.shortest),
            duration_text(session.durations.longest),
        )
        for session in sessions
    ]
    print_columns(context, head, rows)


def _share(count: int, rate: float) -> str:
    return f"{count} ({rate:.0%})" if count else "0"


def _session_json(session: SessionStatistics) -> dict[str, Any]:
    from setlist.core.records import dump

    return {
        "name": session.name,
        "runs": session.runs,
        "passed": session.passed,
        "failed": session.failed,
        "failed_rate": session.failed_rate,
        "flaky": session.flaky,
        "flaky_rate": session.flaky_rate,
        "durations": dump(session.durations),
    }


def _print_json(context: Context, data: dict[str, Any]) -> None:
    import json

    context.out.lines(json.dumps({"format": FORMAT, **data}, indent=2, ensure_ascii=False))
