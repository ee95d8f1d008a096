"""Run a command in a session's environment, which is created or updated first.

The command sees the environment variables of the session's commands, and starts in the current directory. Like
those, it is a program of the environment or one that 'external' names; others are started by their path. The exit
code is the command's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, OFFLINE, Arguments
from setlist.core.errors import UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.core.project import Caller
    from setlist.environment.prepare import PreparedEnvironment
    from setlist.runner.tempdir import Temporary

USAGE = "exec SESSION -- COMMAND…"
OPTIONS = (OFFLINE, *COMMON)
WORDS_BEFORE_REST = 1


def run(arguments: Arguments, context: Context) -> int:
    """Run the command and return its exit code.

    Raises:
        CommandRefused: it is neither in the environment nor named in ``external``.
    """
    from setlist.runner.command import find_program

    session = context.select_one(arguments.words, verb="exec")
    argv = arguments.rest
    if not argv:
        raise UsageError("no command is given", hint=f"write: setlist exec {session.name} -- COMMAND")
    with session_environment(context, session) as (environment, variables, keep_open, _):
        program = find_program(argv, session, environment.bin, context.caller.cwd, variables)
        return start(context, [program, *argv[1:]], variables, keep_open)


@contextmanager
def session_environment(
    context: Context, session: SessionSpec
) -> Iterator[tuple[PreparedEnvironment, dict[str, str], tuple[int, ...], Temporary]]:
    """Create or update the session's environment, and hold it. Anything but plain reuse is printed.

    Yields:
        the environment, the variables that the session's own commands see, the descriptors that they inherit, and the
        session's temporary directory.

    Raises:
        SessionError: the environment can't be created or updated.
        SubstitutionError: a variable that the session's ``env`` needs isn't set.
    """
    from setlist.core.events import EnvironmentReady
    from setlist.process.guardian import guarding
    from setlist.process.spawn import handling_signals
    from setlist.reports.console import action_text
    from setlist.runner.command import session_variables
    from setlist.runner.env_file import read_env_files
    from setlist.runner.tempdir import Temporary

    caller, project = context.caller, context.project
    temporary = Temporary.of(project, session.name)
    grace = context.registry.settings.terminate_grace
    try:
        with (
            guarding(grace),
            handling_signals(),
            context.environments.prepared(session) as environment,
            _jobserver(session, caller) as (assigned, keep_open),
        ):
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
            from_files = read_env_files(session, project.root) if session.env_file else {}
            variables, _ = session_variables(
                caller.environ,
                project,
                session,
                environment,
                temporary=temporary,
                assigned=assigned,
                from_files=from_files,
            )
            yield environment, variables, keep_open, temporary
    finally:
        temporary.remove()


@contextmanager
def _jobserver(session: SessionSpec, caller: Caller) -> Iterator[tuple[Mapping[str, str], tuple[int, ...]]]:
    """The variables and the descriptors of a jobserver, if the session uses one."""
    if not session.jobserver:
        yield {}, ()
        return
    from setlist.runner.cpus import available_cpus
    from setlist.runner.jobserver import Jobserver

    with closing(Jobserver(available_cpus(caller.environ), 1)) as jobserver, jobserver.used_by(session):
        yield jobserver.environ(caller.environ), jobserver.descriptors


def start(context: Context, argv: Sequence[str], environ: Mapping[str, str], keep_open: Sequence[int]) -> int:
    """Run a program to its end. Returns its exit code, or 128 + N if signal N ended it, as shells do."""
    from setlist.core.system import WINDOWS
    from setlist.process.spawn import run_process

    program = argv[0]
    if WINDOWS:
        # CreateProcess searches our PATH and not the child's, and doesn't use PATHEXT
        from shutil import which

        program = which(program, path=environ.get("PATH", environ.get("Path"))) or program
    with _keyboard_left_to_child():
        done = run_process([program, *argv[1:]], env=environ, cwd=context.caller.cwd, keep_open=keep_open)
    return done.code if done.code >= 0 else 128 - done.code


@contextmanager
def _keyboard_left_to_child() -> Iterator[None]:
    """At a terminal, ignore SIGINT while the child runs: a shell or a REPL handles Ctrl-C and goes on.

    The handler does nothing; SIG_IGN would be inherited by the child. Without a terminal, setlist is the only one to
    pass the signal on, so SIGINT keeps its meaning.
    """
    from setlist.core.system import has_controlling_terminal

    if not has_controlling_terminal():
        yield
        return

    def ignore(signum: int, frame: FrameType | None) -> None:
        del signum, frame

    before = signal.signal(signal.SIGINT, ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
