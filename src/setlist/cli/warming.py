"""Record a run that passed, so that :mod:`setlist.engine.warm` can replay it.

Kept is only what can be done again by looking at its trace: one session of commands, typed at the project's root by
its name, with posargs and a few options whose meaning is known there. Its trace is that of the registry, and the entry
of its environment. No environment variable's value is written down but those that setlist or the session's definition
sets.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.events import (
    CommandFinished,
    CommandStarted,
    EnvironmentReady,
    Event,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    to_json,
)
from setlist.engine import warm
from setlist.engine.world import IDENTITY, World
from setlist.environment.freeze import NAME as FROZEN
from setlist.environment.state import key_of
from setlist.reports.console import Console
from setlist.reports.history import KEPT
from setlist.reports.terminal import Terminal, printable

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import PlannedCommand, SessionSpec
    from setlist.environment.state import State

TIME, DURATION, RUN = 1111111111.25, 2222222222.25, "@run@"
"""Placeholders in events for values that differ in each run."""

_MARKS = (repr(TIME), repr(DURATION), RUN)
"""The placeholders as text. A run whose own texts contain one isn't recorded."""


def can_be_kept(argv: Sequence[str], context: Context, session: SessionSpec) -> bool:
    """Whether a record can replay this command line."""
    # what a function does is known when it is called
    simple = not (session.function or session.provider or session.requires or session.inputs or session.outputs)
    plain = not (session.timeout or session.retries or session.allow_failure or session.secrets or session.jobserver)
    commands = all(
        command.ok_codes == (0,) and not command.allow_failure and command.stdout is None
        for command in session.commands
    )
    # {env:NAME} may be a secret, which must not be written to a file; {tmp} differs in each run
    texts = [value for _, value in session.env]
    texts += [text for command in session.commands for text in (*command.words, *(value for _, value in command.env))]
    return (
        os.name == "posix"
        and bool(argv)
        and set(warm.options_of(argv)).issubset(warm.OPTIONS)
        and simple
        and plain
        and commands
        and not any("{env:" in text or "{tmp}" in text for text in texts)
        and session.environment.backend == "virtualenv"
        and session.environment.project in (None, "editable")
        and context.caller.cwd == context.project.root
        and Path.cwd() == context.project.root
        and os.environ == context.caller.environ
    )


def keep(argv: Sequence[str], context: Context, session: SessionSpec, commands: Sequence[PlannedCommand]) -> None:
    """Write the record of a run that has just passed. Errors are ignored.

    Args:
        argv: the command line.
        context: its context.
        session: the one session that ran.
        commands: the started commands, in order.
    """
    if any(mark in word for command in commands for word in command.words for mark in _MARKS):
        return
    loaded = context.loaded
    found = None if loaded.trace is None else context.environments.recorded(session)
    if loaded.trace is None or found is None:
        return
    directory, state, content = found
    environ = dict(os.environ)
    world = World(str(context.project.root), environ)
    world.include_trace(loaded.trace)
    for command in commands:
        if not os.path.isabs(command.argv[0]):
            return
        world.look(IDENTITY, str(command.argv[0]))
    world.entry(key_of(directory), content)
    record = {
        "session": session.name,
        "guard": str(context.project.guard(session.name)),
        "directory": str(directory),
        "history": str(context.project.history),
        "kept": KEPT,
        "grace": (context.registry.settings.interrupt_grace, context.registry.settings.terminate_grace),
        "frozen": context.project.relative(directory / FROZEN),
        **_told(argv, context, session, state, commands, environ),
    }
    with suppress(OSError):
        context.store.put(warm.key_of("run", argv, world.root, environ), world, record)


def _told(
    argv: Sequence[str],
    context: Context,
    session: SessionSpec,
    state: State,
    commands: Sequence[PlannedCommand],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """The commands, what is said of them, and what the history is told."""
    name = session.name
    frozen = context.project.relative(context.project.environment(name) / FROZEN)
    stream = io.StringIO()

    def said(console: Console, *events: Event) -> str:
        stream.seek(0)
        stream.truncate()
        for event in events:
            console(event)
        return printable(stream.getvalue(), getattr(sys.stderr, "encoding", None))

    console = Console(Terminal(stream, color=context.err.color))
    begins = (
        RunStarted(time=TIME, run=RUN, sessions=(name,), argv=tuple(argv)),
        SessionStarted(time=TIME, session=name),
        EnvironmentReady(
            time=TIME,
            session=name,
            interpreter=state.interpreter.label,
            action="reused",
            reasons=(),
            changes=(),
            duration=DURATION,
        ),
    )
    ready = "".join(map(_line, begins)), said(console, *begins)
    records = []
    for command in commands:
        started = CommandStarted(time=TIME, session=name, command=command.words)
        finished = CommandFinished(
            time=TIME, session=name, command=command.words, code=0, ok=True, timed_out=False, duration=DURATION
        )
        seen = {name: value for name, value in command.environ.items() if name not in warm.VOLATILE}
        records.append(
            {
                "program": str(command.argv[0]),
                "argv": tuple(map(str, command.argv)),
                "words": command.words,
                "cwd": str(command.cwd),
                "unset": tuple(name for name in environ if name not in command.environ),
                "set": tuple((name, value) for name, value in seen.items() if environ.get(name) != value),
                "shown": said(console, started),
                "begins": _line(started),
                "ends": _line(finished),
            }
        )
        said(console, finished)
    ends = (
        SessionFinished(time=TIME, session=name, status="ok", reason=None, exit_code=0, duration=0.0, frozen=frozen),
        RunFinished(time=TIME, exit_code=0, duration=0.0),
    )
    tail = said(console, *ends).replace("%", "%%")
    head_of_it, took, after = tail.rpartition("0.0s")
    return {
        "ready": ready,
        "commands": tuple(records),
        "tail": f"{head_of_it}{'%s' if took else ''}{after}",
        "ends": "".join(_line(_lasting(event)) for event in ends),
    }


def _lasting(event: Event) -> Event:
    from setlist.core.records import replace

    return replace(event, duration=DURATION)  # type: ignore[call-arg]


def _line(event: Event) -> str:
    """The event as a line of the history, with %r and %s for what differs each time."""
    text = json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")).replace("%", "%%")
    return text.replace(repr(TIME), "%r").replace(repr(DURATION), "%r").replace(RUN, "%s") + "\n"
