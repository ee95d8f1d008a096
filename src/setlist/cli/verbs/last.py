"""Print the output of a session's last run.

Without a SESSION: of those that failed in the last run; if none failed, of the one that ended last. Colours are kept
on a terminal, and with FORCE_COLOR. Output that was written directly to a terminal wasn't recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import SessionError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.events import SessionStarted

USAGE = "last [SESSION] [--path]"
OPTIONS = (Option("path", "print only the path of the log"), *COMMON)

_AT_ONCE = 64 * 1024
"""Bytes of a log that are read at once: a log may be larger than memory."""


def run(arguments: Arguments, context: Context) -> int:
    """Print logs to stdout, in the order of the run. Returns 1 if the output of a session wasn't recorded."""
    names = [_named(arguments.words, context)] if arguments.words else _of_last_run(context)
    recorded = True
    for index, name in enumerate(names):
        log = context.project.log(name)
        start = _last_start(name, context)
        if not log.is_file():
            reason = "its log has been removed" if start is not None else "it hasn't run yet"
            context.print_error(SessionError(f"no output of {name} is recorded: {reason}", hint=f"write: run {name}"))
            recorded = False
            continue
        if arguments.flag("path"):
            context.out.line(str(log))
        else:
            if len(names) > 1:
                if index:
                    context.out.line()
                context.out.line(context.out.styled(name, "bold"))
            _print(log, context)
        if start is not None and not start.captured:
            message = f"the output of {name} was written directly to the terminal, and wasn't recorded"
            context.print_error(SessionError(message, hint=f"to record it, write: run --output group {name}"))
            recorded = False
    return 0 if recorded else SessionError.exit_code


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


def _last_start(name: str, context: Context) -> SessionStarted | None:
    from setlist.core.events import SessionStarted
    from setlist.reports.past_runs import past_runs

    for events in past_runs(context.project):
        for event in events:
            if isinstance(event, SessionStarted) and event.session == name:
                return event
    return None


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
