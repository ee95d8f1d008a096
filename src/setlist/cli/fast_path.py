"""The fast path: what is kept of a command line is used again if nothing that it was made from has changed.

Of a run that passed, the plan is kept (:mod:`setlist.cli.keep`), and carried out again by the executor that carries out
every run; of a listing, its text. Both are entries of the trace store: the key is the command line and the place, and
the trace is all that was looked at to make the plan, the environment's entry among it. In all other cases the whole
program runs: for another option, a changed file, an environment that is being changed now, an unreadable entry.

Imports take a good part of the time of a warm run, so this module and all that it imports import next to nothing else;
``os`` and ``sys`` are always loaded.
"""

from __future__ import annotations

import os
import sys

from setlist import STATE_DIRECTORY
from setlist.core.fingerprint import checksum
from setlist.engine.trace import Found, Store

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from setlist.cli.context import Context
    from setlist.engine.execute import SessionOutput, SessionResult
    from setlist.engine.plan import SessionPlan

STORE = f"{STATE_DIRECTORY}/store"
"""The trace store of a project, relative to its root."""

OPTIONS = ("--offline", "--locked")
"""The options of runs whose plans are kept."""


def options_of(argv: Sequence[str]) -> Sequence[str]:
    """The options before ``--``."""
    words = argv[: argv.index("--")] if "--" in argv else argv
    return [word for word in words if word.startswith("-")]


def is_listing(words: Sequence[str]) -> bool:
    """Whether a command line, beginning with ``run`` or the verb, asks for a listing."""
    if words[0] == "run":
        options = words[: words.index("--")] if "--" in words else words
        return "-l" in options or "--list" in options
    return words[0] == "list"


def key_of_run(argv: Sequence[str], cwd: str) -> str:
    """The key of a run's plan."""
    return _key("run", (tuple(argv), cwd, _interpreter(), tuple(map(os.isatty, (0, 1, 2)))))


def key_of_listing(words: Sequence[str], cwd: str) -> str:
    """The key of a listing's text. Variables determine the colours and the width of a terminal, not of a pipe."""
    on_terminal = os.isatty(1)
    encodings = tuple(getattr(stream, "encoding", None) for stream in (sys.stdout, sys.stderr))
    sizes = tuple(map(_size, (0, 1, 2))) if on_terminal else ()
    variables = tuple(sorted(os.environ.items())) if on_terminal else ()
    return _key("listing", (tuple(words), cwd, _interpreter(), os.isatty(2), encodings, sizes, variables))


def key_of_completion(cwd: str) -> str:
    """The key of what can be completed in a project."""
    return _key("completion", (cwd, _interpreter()))


def _key(kind: str, inputs: tuple[Any, ...]) -> str:
    from marshal import dumps

    # format 2 has no references, which would give different bytes for equal values
    return f"{kind}/{checksum(dumps(inputs, 2))}"


def _interpreter() -> tuple[str, str]:
    return sys.executable, sys.version


def _size(descriptor: int) -> tuple[int, ...] | None:
    try:
        return tuple(os.get_terminal_size(descriptor))
    except OSError:
        return None


def run_again(argv: Sequence[str]) -> int | None:
    """Carry out the plan that is kept of a run.

    Args:
        argv: the command line.

    Returns:
        the exit code. None if no plan is kept, or an input of it changed: nothing was done.
    """
    guard = -1
    plan: SessionPlan | None = None
    environ = dict(os.environ)
    try:
        cwd = os.getcwd()
        store = Store(f"{cwd}/{STORE}", cwd, environ)
        key = key_of_run(argv, cwd)
        kept = store.last(key)
        if kept is None:
            return None
        guard = os.open(kept.value["guard"], os.O_RDWR)
        import fcntl

        # held until the process ends, so that nobody changes the environment while it is looked at or used
        fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if (
            isinstance(store.check(key, kept), Found)
            # somebody who had the lock may have removed its file
            and os.path.samestat(os.fstat(guard), os.stat(kept.value["guard"]))
        ):
            from setlist.engine.plan import SessionPlan

            plan = SessionPlan.of(kept.value)
            _clear(plan.directory)
    except OSError:
        plan = None
    finally:
        if guard >= 0 and plan is None:
            os.close(guard)
    return None if plan is None else _carry_out(plan, tuple(argv), environ)


def _clear(directory: str) -> None:
    """Remove what a run left behind that was killed while it replaced the environment."""
    folder, name = os.path.split(directory)
    if any(entry.startswith(f".{name}.") for entry in os.listdir(folder)):
        from setlist.core.files import remove_leftovers

        remove_leftovers(directory)


def _carry_out(plan: SessionPlan, argv: tuple[str, ...], environ: Mapping[str, str]) -> int:
    """Carry out a plan in direct mode. Returns the exit code."""
    from setlist.engine.execute import execute, run_session
    from setlist.engine.plan import Plan, Step
    from setlist.process.guardian import guarding
    from setlist.process.signals import handling_signals
    from setlist.reports.console import Console
    from setlist.reports.history import History
    from setlist.reports.terminal import Terminal
    from setlist.runner.output import SessionOutput, Sink

    terminal = Terminal.of(sys.stderr, environ, lossy=True)
    sink = Sink(Console(terminal), History(plan.history))
    output = SessionOutput(sink, plan)
    try:
        with guarding(plan.grace[1]), handling_signals():
            return execute(
                # it has all that the executor asks of a session
                Plan((Step(plan, requested=True),)),  # type: ignore[arg-type]
                lambda _: run_session(plan, lambda: _run(plan, output, environ), output),
                sink.emit,
                argv=argv,
            )
    finally:
        if terminal.broken:
            from setlist.core.system import forget_unwritten

            forget_unwritten(sys.stderr)


def _run(plan: SessionPlan, output: SessionOutput, environ: Mapping[str, str]) -> SessionResult:
    """Run the commands of a session whose environment is as it was."""
    import time

    from setlist.core.events import EnvironmentReady
    from setlist.core.records import replace
    from setlist.engine.execute import Attempt, deadline_of, run_attempts, run_commands
    from setlist.environment.environ import session_environ
    from setlist.process.completed import Grace

    output.emit(
        EnvironmentReady(
            time=time.time(),
            session=plan.name,
            interpreter=plan.interpreter,
            action="reused",
            reasons=(),
            changes=(),
            duration=0.0,
        )
    )
    inherited = session_environ(environ, directory=plan.directory, name=plan.name, inherit_env=plan.inherit_env)
    grace = Grace(*plan.grace)

    def once() -> tuple[SessionResult, bool]:
        attempt = Attempt(session=plan, output=output, grace=grace, deadline=deadline_of(plan))
        commands = (replace(command, environ={**inherited, **command.environ}) for command in plan.commands)
        ending = run_commands(commands, attempt)
        return ending, ending.status == "failed"

    ending = run_attempts(plan, once, output)
    if ending.status == "failed":
        from pathlib import Path

        from setlist.environment.bytecode import tell_cut_off

        tell_cut_off(Path(plan.directory), environ, output)
    return replace(ending, frozen=plan.frozen)


def list_again(words: Sequence[str]) -> int | None:
    """Print the text that is kept of a listing.

    Args:
        words: the command line, as for :func:`is_listing`.

    Returns:
        the exit code. None: the listing may have changed, and nothing was printed.
    """
    try:
        cwd = os.getcwd()
        found = Store(f"{cwd}/{STORE}", cwd, os.environ).get(key_of_listing(words, cwd))
    except OSError:
        return None
    if not isinstance(found, Found):
        return None
    out, err = found.value
    try:
        sys.stdout.write(out)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return _refused(out, words)
    if err:
        from setlist.reports.terminal import Terminal

        Terminal.of(sys.stderr, os.environ, lossy=True).put(err)
    return 0


def _refused(text: str, words: Sequence[str]) -> int:
    """Report a closed pipe, a full disk or a closed stream as the whole program does."""
    from setlist.cli.context import Context
    from setlist.cli.error_handler import run_cli

    def show(_: Sequence[str], context: Context) -> int:
        context.out.put(text)
        return 0

    return run_cli(show, words, Context.current())
