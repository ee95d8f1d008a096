"""Keep what :mod:`setlist.cli.fast_path` uses again: the plan of a run that passed, and the text of a listing.

The plan of a run is kept if looking at its trace tells whether it can be carried out again: it is of one session of
commands, typed at the project's root, with posargs and a few options whose meaning is known there. Its trace is that of
the registry, of the variables that decide how a run is shown, and the entry of its environment. No environment
variable's value is written down but those that setlist or the session's definition sets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.fast_path import OPTIONS, key_of_listing, key_of_run, options_of
from setlist.core.project import CI, ENV_DIR
from setlist.core.records import replace
from setlist.engine.plan import SessionPlan
from setlist.engine.world import DEFINITIONS_IN, FILE, IDENTITY, KIND, VARIABLES, World
from setlist.environment.environ import session_environ
from setlist.environment.freeze import NAME as FROZEN
from setlist.environment.installer_config import prefix_of
from setlist.environment.state import key_of
from setlist.reports.terminal import GITHUB
from setlist.runner.command import templates_of

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.engine.plan import PlannedCommand
    from setlist.engine.world import Trace

SHOWING = (CI, GITHUB, ENV_DIR)
"""Variables that decide how a run is shown, and where its environments are. Those of terminals are looked at anew.

A test runs with variables that note who asks for them by name, and fails if one is missing here.
"""

LONGEST = 2**20
"""The maximum number of characters of a listing that is kept."""


def can_be_kept(argv: Sequence[str], context: Context, session: SessionSpec) -> bool:
    """Whether the plan of this command line can be carried out again."""
    # what a function does is known when it is called
    simple = not (session.function or session.provider or session.requires or session.inputs or session.outputs)
    plain = not (session.secrets or session.env_file or session.jobserver)
    # what {env:NAME} and a .env file hold may be secret, and mustn't be written to a file; {tmp} differs in each run
    texts = templates_of(session)
    return (
        os.name == "posix"
        and set(options_of(argv)).issubset(OPTIONS)
        and simple
        and plain
        and not ("{env:" in texts or "{tmp}" in texts)
        and session.environment.backend == "virtualenv"
        and context.caller.cwd == context.project.root
        and _is_this_process(context)
    )


def keep_plan(
    argv: Sequence[str],
    context: Context,
    session: SessionSpec,
    commands: Sequence[PlannedCommand],
    variables: Sequence[str],
) -> None:
    """Keep the plan of a run that has just passed. Errors are ignored.

    Args:
        argv: the command line.
        context: its context.
        session: the one session that ran.
        commands: the started commands, in order.
        variables: the variables that stand for options.
    """
    loaded = context.loaded
    found = None if loaded.trace is None else context.environments.recorded(session)
    # one that was tried several times, or failed and may, isn't a pattern of what it does
    if loaded.trace is None or found is None or len(commands) != len(session.commands):
        return
    directory, state, content = found
    project, settings, environ = context.project, context.registry.settings, context.caller.environ
    inherited = session_environ(environ, directory=directory, name=session.name, inherit_env=session.inherit_env)
    plan = SessionPlan(
        name=session.name,
        directory=str(directory),
        guard=str(project.guard(session.name)),
        interpreter=state.interpreter.label,
        frozen=project.relative(directory / FROZEN),
        history=str(project.history),
        inherit_env=session.inherit_env,
        grace=(settings.interrupt_grace, settings.terminate_grace),
        commands=tuple(
            _without_inherited(command, inherited, {name for name, _ in (*session.env, *written.env)})
            for command, written in zip(commands, session.commands, strict=True)
        ),
        timeout=session.timeout,
        retries=session.retries,
        allow_failure=session.allow_failure,
        interactive=session.interactive,
    )
    world = World(str(project.root), environ)
    world.include_trace(_for_plan(loaded.trace))
    for name in (*SHOWING, *variables):
        world.variable(name)
    world.look(VARIABLES, prefix_of(session.environment.installer))
    for command in commands:
        if os.path.isabs(command.argv[0]):  # otherwise it is looked for when it starts
            world.look(IDENTITY, str(command.argv[0]))
        if (cwd := os.fspath(command.cwd)) != world.root:
            world.is_directory(cwd)
    world.entry(key_of(directory), content)
    with suppress(OSError):
        context.store.put(key_of_run(argv, world.root), world, plan.data)


def _for_plan(trace: Trace) -> Trace:
    """The trace of the registry, for a plan. That names no line of a file, so what a TOML file defines is enough.

    Code that was executed for the registry may have read the same file: then all of it counts.
    """
    read = {name for kind, name, _, content, _ in trace if kind == FILE and content is not None}
    if not all(name.endswith(".toml") for name in read):
        return trace
    defining = {name for kind, name, *_ in trace if kind == DEFINITIONS_IN}
    return tuple(look for look in trace if not (look[0] == FILE and look[1] in defining))


def _without_inherited(
    command: PlannedCommand, inherited: Mapping[str, str], assigned: Collection[str]
) -> PlannedCommand:
    """A command with what it sees besides the variables that it inherits, as plain data.

    Args:
        command: the command.
        inherited: the variables that it inherits in this run.
        assigned: those that its definition sets: they count even where the caller has the same value now.
    """
    own = {name: value for name, value in command.environ.items() if name in assigned or inherited.get(name) != value}
    return replace(
        command,
        argv=tuple(map(str, command.argv)),
        environ=own,
        cwd=os.fspath(command.cwd),
        stdout=None if command.stdout is None else os.fspath(command.stdout),
    )


def keep_listing(words: Sequence[str], context: Context, world: World, out: str, err: str) -> None:
    """Keep the text of a listing that has just been printed. Errors are ignored.

    Args:
        words: the command line, as for :func:`setlist.cli.fast_path.is_listing`.
        context: its context.
        world: what was looked at for it beside the definitions, see :func:`finished_environments`.
        out: what was written to standard output.
        err: what was written to standard error.
    """
    from setlist.core.errors import StorageError

    loaded = context.loaded
    # the output must depend only on what the trace and the key hold
    if loaded.trace is None or not (
        context.verbosity <= 0
        and len(out) <= LONGEST
        and context.caller.cwd == context.project.root
        and _is_this_process(context)
        and (context.out.stream, context.err.stream) == (sys.stdout, sys.stderr)
    ):
        return
    world.include_trace(loaded.trace)
    world.variable(ENV_DIR)
    try:
        context.project.prepare()
        context.store.put(key_of_listing(words, world.root), world, (out, err))
    except (OSError, StorageError):
        pass


def finished_environments(directory: str, record: str, world: World) -> tuple[str, ...]:
    """The names of the environments in a directory that have the record of a finished one, in order."""
    names = [name.rstrip("/") for name in world.names(directory) or () if name.endswith("/") and name[0] != "."]
    return tuple(name for name in names if world.look(KIND, f"{directory}/{name}/{record}") == "file")


def _is_this_process(context: Context) -> bool:
    """Whether the caller's place and variables are this process's: the fast path looks at these."""
    try:
        return Path.cwd() == context.project.root and dict(os.environ) == context.caller.environ
    except FileNotFoundError:  # somebody has removed the directory
        return False
