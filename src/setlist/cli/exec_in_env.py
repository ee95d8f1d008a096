"""Start something in a session's environment, on behalf of the person at the terminal.

``exec`` and ``shell`` come here: the environment is made right, held while the program runs, and left.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.environment.prepare import PreparedEnvironment
    from setlist.runner.tempdir import Temporary


@contextmanager
def prepared(context: Context, session: SessionSpec) -> Iterator[PreparedEnvironment]:
    """The session's environment, made right and held. Anything but a plain reuse is said.

    Raises:
        SessionError: it can't be made right.
    """
    from setlist.core.events import EnvironmentReady
    from setlist.reports.console import action_text

    with context.environments.prepared(session) as environment:
        if environment.action not in ("reused", "none"):
            ready = EnvironmentReady(
                time=0.0,
                session=session.name,
                interpreter=environment.interpreter.label,
                action=environment.action,
                reasons=environment.reasons,
                changes=environment.changes,
                duration=environment.duration,
            )
            context.err.line(f"{session.name}  {ready.interpreter} · {action_text(ready)}")
        yield environment


def session_variables(
    context: Context, session: SessionSpec, environment: PreparedEnvironment, temporary: Temporary
) -> dict[str, str]:
    """The environment variables that the session's own commands would see.

    Raises:
        SubstitutionError: one of its ``env`` needs a variable that isn't set.
    """
    from setlist.environment.environ import session_environ
    from setlist.registry.template import Values
    from setlist.runner.command import expand_env

    environ = session_environ(context.caller.environ, directory=environment.directory, session=session)
    wants_tmp = any("{tmp}" in template for _, template in session.env)
    values = Values(
        session=session.name,
        python=".".join(environment.interpreter.version.split(".")[:2]),
        project=str(context.project.root),
        envdir=str(environment.directory or ""),
        tmp=str(temporary.path if wants_tmp else temporary.unmade),
        environ=environ,
        axes=dict(session.axes),
    )
    return {**environ, **expand_env(session.env, values)}


def inside(context: Context, session: SessionSpec, argv: Sequence[str]) -> int:
    """Run a program in the session's environment, where the caller stands, and return its exit code.

    Raises:
        CommandRefused: it is neither in the environment nor named in ``external``.
    """
    from setlist.process.guardian import guarding
    from setlist.process.spawn import handling_signals
    from setlist.runner.command import find_program
    from setlist.runner.tempdir import Temporary

    temporary = Temporary.of(context.project, session.name)
    try:
        grace = context.registry.settings.terminate_grace
        with guarding(grace), handling_signals(), prepared(context, session) as environment:
            variables = session_variables(context, session, environment, temporary)
            program = find_program(argv, session, environment.bin, context.caller.cwd, variables)
            return start(context, [program, *argv[1:]], variables)
    finally:
        temporary.remove()


def start(context: Context, argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program to its end; 128 and the signal's number where a signal ended it, as shells say it."""
    from setlist.core.system import WINDOWS
    from setlist.process.spawn import run_process

    program = argv[0]
    if WINDOWS:
        # CreateProcess searches our PATH and not the child's, and knows nothing of PATHEXT
        from shutil import which

        program = which(program, path=environ.get("PATH", environ.get("Path"))) or program
    with _keyboard_left_to_child():
        done = run_process([program, *argv[1:]], env=environ, cwd=context.caller.cwd)
    return done.code if done.code >= 0 else 128 - done.code


@contextmanager
def _keyboard_left_to_child() -> Iterator[None]:
    """At a terminal, Ctrl-C is the program's own business: a shell or a REPL goes on after it.

    Not SIG_IGN, which the program would inherit. Away from a terminal nobody but us passes a signal
    on, so there it keeps its meaning.
    """
    from setlist.core.system import has_controlling_terminal

    if not has_controlling_terminal():
        yield
        return

    def leave_it(signum: int, frame: FrameType | None) -> None:
        del signum, frame

    before = signal.signal(signal.SIGINT, leave_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
