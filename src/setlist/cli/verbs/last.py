"""Print the output of a session's last run.

Without a SESSION: of those that failed in the last run; if none failed, of the one that ended last. Colours are kept
on a terminal, and with FORCE_COLOR. Output that was written directly to a terminal wasn't recorded: then the session's
commands, messages and result are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import SessionError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.events import Event, SessionStarted

USAGE = "last [SESSION] [--path]"
OPTIONS = (Option("path", "print only the path of the log"), *COMMON)

_AT_ONCE = 64 * 1024
"""Bytes of a log that are read at once: a log may be larger than memory."""


def run(arguments: Arguments, context: Context) -> int:
    """Print logs or summaries to stdout, in the order of the run. Returns 1 if nothing of a session is recorded."""
    names = [_named(arguments.words, context)] if arguments.words else _of_last_run(context)
    recorded = True
    for index, name in enumerate(names):
        events, start = _last_events(name, context)
        log = _log(name, start, context)
        summary = log is None and start is not None and not start.captured
        if log is None and (arguments.flag("path") or not summary):
            context.print_error(_not_recorded(name, start))
            recorded = False
        elif arguments.flag("path"):
            context.out.line(str(log))
        else:
            if len(names) > 1:
                if index:
                    context.out.line()
                context.out.line(context.out.styled(name, "bold"))
            if log is not None:
                _print(log, context)
            else:
                _print_summary(name, events, context, named=len(names) == 1)
            if start is not None and not start.captured:
                hint = context.err.styled("hint:", "cyan")
                context.err.line(
                    f"{hint} the output went directly to the terminal; to record it, write: run --output group {name}"
                )
    return 0 if recorded else SessionError.exit_code


def _not_recorded(name: str, start: SessionStarted | None) -> SessionError:
    if start is None:
        return SessionError(f"no output of {name} is recorded: it hasn't run yet", hint=f"write: run {name}")
    reason = "its log has been removed" if start.captured else "it was written directly to the terminal"
    return SessionError(f"no output of {name} is recorded: {reason}", hint=f"write: run --output group {name}")


def _log(name: str, start: SessionStarted | None, context: Context) -> Path | None:
    """The log of the session's last run. A run that didn't capture it leaves the log of an earlier one."""
    log = context.project.log(name)
    try:
        written = log.stat().st_mtime
    except OSError:
        return None
    return log if start is None or start.captured or written >= start.time else None


def _named(words: Sequence[str], context: Context) -> str:
    """The session's name. A removed session can still be named."""
    if len(words) == 1 and Path(words[0]).name == words[0] and context.project.log(words[0]).is_file():
        return words[0]
    return context.select_one(words, verb="last").name


def _of_last_run(context: Context) -> list[str]:
    """The sessions that failed in the last run that started any; if none failed, the one that ended last."""
    from setlist.core.events import UNSUCCESSFUL, SessionFinished, SessionStarted
    from setlist.reports.past_runs import past_runs

    for events in past_runs(context.project):
        started = [event.session for event in events if isinstance(event, SessionStarted)]
        if not started:
            continue
        ends = {event.session: event.status for event in events if isinstance(event, SessionFinished)}
        failed = [name for name in started if ends.get(name, "interrupted") in UNSUCCESSFUL]
        return failed or [name for name in ends if name in started][-1:]
    raise UsageError("no session has run yet", hint="'run' runs the default sessions")


def _last_events(name: str, context: Context) -> tuple[Sequence[Event], SessionStarted | None]:
    """The events of a session in the last run that started it, and its start."""
    from setlist.core.events import SessionStarted
    from setlist.reports.past_runs import past_runs

    for events in past_runs(context.project):
        own = [event for event in events if getattr(event, "session", None) == name]
        start = next((event for event in own if isinstance(event, SessionStarted)), None)
        if start is not None:
            return own, start
    return (), None


def _print_summary(name: str, events: Sequence[Event], context: Context, *, named: bool) -> None:
    """Print what the run said of a session: its environment, commands, messages, and result."""
    from setlist.core.events import EnvironmentReady, SessionFinished, SessionStarted
    from setlist.reports.console import Console

    console = Console(context.out, named=named)
    ready = any(isinstance(event, EnvironmentReady) for event in events)
    if named and not ready:
        context.out.line(context.out.styled(name, "bold"))
    end = None
    for event in events:
        if isinstance(event, SessionFinished):
            end = event
        elif not isinstance(event, SessionStarted):
            console(event)
    context.out.line(
        console.ending(end) if end is not None else "its end isn't recorded: the run was killed, or goes on"
    )


def _print(log: Path, context: Context) -> None:
    from codecs import getincrementaldecoder

    from setlist.reports.ansi import RESET, Colours, Filter, ends_line

    out = context.out
    decoder = getincrementaldecoder("utf-8")("replace")
    colours = Colours()
    shown = Filter(colours, keep="colour" if out.color else "nothing")
    at_start = True
    with log.open("rb") as stream:
        more = True
        while more:
            data = stream.read(_AT_ONCE)
            more = bool(data)
            text = shown.feed(decoder.decode(data, final=not more))
            out.put(text)
            at_start = ends_line(text, at_start)
    # reset the colour that a program left on, and end its last line
    out.put((RESET if out.color and colours else "") + ("" if at_start else "\n"))
