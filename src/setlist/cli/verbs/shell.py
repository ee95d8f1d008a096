"""Open a subshell with a session's environment activated; 'exit' leaves it.

It is the current shell, or the one that --shell names, and reads your start-up files first. The exit code is
the shell's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, OFFLINE, Arguments, Option
from setlist.core.errors import SessionError

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec

USAGE = "shell SESSION [--shell PROGRAM]"
OPTIONS = (Option("shell", "the shell to start", None, "PROGRAM"), OFFLINE, *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Run the shell and return its exit code."""
    from setlist.cli.verbs.exec import session_environment, start
    from setlist.core.files import write_atomically
    from setlist.environment.activation import calling_shell, default_shell, kind_of_shell, subshell

    session = context.select_one(arguments.words, verb="shell")
    if session.environment.backend == "none":
        raise SessionError(f"{session.name} has no environment of its own", hint='its backend is "none"')
    program = arguments.value("shell") or calling_shell() or default_shell(context.caller.environ)
    with session_environment(context, session) as (environment, variables, keep_open, temporary):
        assert environment.directory is not None
        variables = _unactivated(session, environment.directory, variables)
        kind = kind_of_shell(program) or "sh"
        plan = subshell(environment.directory, program, kind, variables, temporary.path, prompt=session.name)
        for path, text in plan.files:
            write_atomically(path, text)
        context.err.line(f"{session.name}  {environment.interpreter.label} · 'exit' leaves it")
        return start(context, plan.argv, {**variables, **plan.environ}, keep_open)


def _unactivated(session: SessionSpec, directory: Path, variables: dict[str, str]) -> dict[str, str]:
    """The session's variables without those that the shell's activation script sets.

    If they were set twice, ``deactivate`` would leave the environment's programs on PATH.
    """
    from setlist.core.system import bin_directory

    programs = str(bin_directory(directory))
    declared = {name for name, _ in session.env}
    for name in list(variables):
        if name in declared:
            continue
        if name.upper() == "PATH":
            first, _, others = variables[name].partition(os.pathsep)
            variables[name] = others if first == programs else variables[name]
        elif name.upper() in ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"):
            del variables[name]
    return variables
