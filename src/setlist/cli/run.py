"""``run [OPTIONS] [SESSION…] [-- POSARGS…]``: from the words of a command line to an exit code.

The way of a run is the body of :func:`run`. This is the warm path: what only some options need is
imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from setlist.cli.context import Context
from setlist.cli.error_handler import run_cli
from setlist.cli.options import (
    DIRECTORY,
    FILE,
    HELP,
    OFFLINE,
    QUIET,
    VERBOSE,
    VERBS,
    Arguments,
    Option,
    help_text,
    parse,
)
from setlist.cli.selection import FILTERS, sessions_to_list, sessions_to_run
from setlist.core.errors import UnknownSession, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.core.events import Message
    from setlist.lock.use import LockMode
    from setlist.runner.command import Invocation

USAGE = "run [OPTIONS] [SESSION…] [-- POSARGS…]"

ABOUT = """\
Run sessions: make or reuse the environment of each, then run its commands.

A SESSION is a name (test-py311), a family (test), a glob ('test-*') or a tag (@ci). Without any,
the project's default sessions run. POSARGS are passed to their commands."""

EXIT_CODES = """\
'setlist --help' lists the other commands.

exit codes: 0 success, 1 a session failed, 2 usage or configuration error, 3 a lock is missing or out of date,
4 an interpreter is missing (in CI), 130 interrupted, 143 terminated"""

OPTIONS = (
    Option("list", "show the sessions and stop", "l"),
    Option("dry-run", "show what would be done and stop", "n"),
    *FILTERS,
    Option("failed", "only sessions that failed last time"),
    Option("only", "without the sessions that they require"),
    Option("fail-fast", "stop at the first session that fails", "x"),
    Option("jobs", "run so many sessions at once; 'auto': as many as there are processors", "j", "N|auto"),
    Option("output", "show it directly, or captured: as a board, a stream of lines, or groups of them", None, "MODE"),
    Option("report", "write a report, by its ending: .json, .jsonl, .xml; may be repeated", None, "FILE"),
    Option("shard", "only the K-th of N parts of the sessions, as in 2/5", None, "K/N"),
    Option("recreate", "make the environments anew", "r"),
    Option("upgrade", "resolve anew: unpinned requirements move to their newest versions"),
    Option("locked", "fail unless every session has a current lock, and install from it"),
    Option("no-lock", "look at no lock: resolve"),
    OFFLINE,
    Option("find-links", "install from the wheels in DIR, and from nowhere else", None, "DIR"),
    QUIET,
    VERBOSE,
    FILE,
    DIRECTORY,
    Option("version", "show setlist's version and stop"),
    HELP,
)

_NAMED = "sessions are named without an option: run NAME"
_REUSED = "environments are reused without being asked for"

ELSEWHERE = {
    # nox
    **dict.fromkeys(("-s", "--session", "--sessions"), _NAMED),
    "--list-sessions": "write --list",
    **dict.fromkeys(
        ("--pythons", "--force-python", "--force-pythons", "--extra-python", "--extra-pythons"), "write -p"
    ),
    "--keywords": "write -k",
    "--tags": "write -t",
    **dict.fromkeys(("-R", "--reuse-existing-virtualenvs", "--reuse-venv", "--no-venv", "--no-install"), _REUSED),
    **dict.fromkeys(("-N", "--no-reuse-existing-virtualenvs"), "write -r"),
    "--noxfile": "write -f",
    "--stop-on-first-error": "write -x",
    "--non-interactive": "commands have no terminal where sessions are captured: write --output group",
    **dict.fromkeys(("--force-color", "--forcecolor"), "set FORCE_COLOR=1"),
    **dict.fromkeys(("--no-color", "--nocolor"), "set NO_COLOR=1"),
    # tox
    **dict.fromkeys(("-e", "--env", "--envlist"), _NAMED),
    **dict.fromkeys(("-a", "--listenvs", "--listenvs-all"), "write --list"),
    **dict.fromkeys(("--parallel", "--parallel-live", "-o"), "write -j auto"),
    **dict.fromkeys(("-c", "--conf"), "write -f"),
    **dict.fromkeys(("-m", "--labels"), "write -t"),
    "--result-json": "write --report FILE.json",
    # pytest
    **dict.fromkeys(("--exitfirst", "--maxfail"), "write -x"),
    **dict.fromkeys(("--lf", "--last-failed", "--ff", "--failed-first"), "write --failed"),
    **dict.fromkeys(("--junitxml", "--junit-xml"), "write --report FILE.xml"),
    **dict.fromkeys(("--collect-only", "--co"), "write --list"),
    "--numprocesses": "write -j",
    "--capture": "write --output direct",
    "--durations": "write: setlist history --sessions",
    # make
    "--keep-going": "a run goes on after a failure, without being asked to",
    **dict.fromkeys(("--just-print", "--recon"), "write -n"),
}
"""What to write instead of options of nox, tox, pytest and make that ``run`` doesn't have."""


def main(argv: Sequence[str] | None = None, context: Context | None = None) -> int:
    """The ``run`` command. Returns the exit code."""
    import sys

    return run_cli(run, sys.argv[1:] if argv is None else argv, context or Context.current())


def run(argv: Sequence[str], context: Context) -> int:
    """Read the command line and do what it says.

    Raises:
        SetlistError: what the user is told instead.
    """
    arguments = parse(argv, OPTIONS, command="run", elsewhere=ELSEWHERE)
    if arguments.flag("help"):
        context.out.write(help_text(USAGE, ABOUT, OPTIONS, end=EXIT_CODES))
        return 0
    if arguments.flag("version"):
        from setlist import __version__

        context.out.line(f"setlist {__version__}")
        return 0
    context.take(arguments)
    try:
        if arguments.flag("list"):
            return _list(argv, arguments, context)
        sessions = sessions_to_run(arguments, context)
    except UnknownSession as error:
        error.hint = _hint(error, arguments.words)
        raise
    if not sessions:
        return 0

    from setlist.scheduling.order import make_plan

    plan = make_plan(context.registry, sessions, follow_requires=not arguments.flag("only"))
    if arguments.flag("dry-run"):
        from setlist.cli.dryrun import print_plan

        recreate, upgrade = arguments.flag("recreate"), arguments.flag("upgrade")
        print_plan(context, plan, posargs=arguments.rest or (), recreate=recreate, upgrade=upgrade)
        return 0
    project = context.project
    project.prepare()

    from setlist.cli.reporters import showing
    from setlist.environment.locking import in_use
    from setlist.process.guardian import guarding
    from setlist.process.signals import signals_here
    from setlist.process.spawn import handling_signals
    from setlist.runner.run import run_plan
    from setlist.runner.run_policy import RunOptions

    cpus, jobs = _jobs(arguments, context)
    at_once = min(jobs, len(plan.steps))
    known = _Durations(context, [session.name for session in plan.sessions])
    shown = showing(arguments, context, plan, at_once=at_once, durations=known)
    noticed: list[Invocation | Message] = []
    options = RunOptions(
        notice=noticed.append,
        posargs=arguments.rest or (),
        fail_fast=arguments.flag("fail-fast") or context.registry.settings.fail_fast,
        recreate=arguments.flag("recreate"),
        upgrade=arguments.flag("upgrade"),
        offline=arguments.flag("offline"),
        locks=_lock_mode(arguments),
        find_links=_wheels(arguments, context),
        argv=tuple(argv),
        jobs=jobs,
        cpus=cpus,
        durations=known() if at_once > 1 else {},
        capturing=shown.capturing,
        captured_environ=shown.captured_environ,
        masker=shown.masker,
        only=arguments.flag("only"),
        shared=context.shared,
    )
    removed = f"waiting for another process that removes {project.relative(project.state)}"
    # the guardian outlasts the handlers: a signal that comes between the two ends us, and then it does its work
    handled = handling_signals() if signals_here() is None else nullcontext()
    with (
        guarding(context.registry.settings.terminate_grace),
        handled,
        in_use(project, lambda: context.err.line(removed)),
    ):
        try:
            code = run_plan(project, context.registry, plan, caller=context.caller, options=options, emit=shown.emit)
        finally:
            shown.close()
    if code == 0 and shown.capturing == "no" and len(plan.steps) == 1 and not context.shared:
        from setlist.cli.warming import can_be_kept, keep

        if can_be_kept(argv, context, plan.sessions[0]):
            keep(argv, context, plan.sessions[0], noticed)
    return code


def _list(argv: Sequence[str], arguments: Arguments, context: Context) -> int:
    from setlist.cli.listing import show_sessions

    if not {"shard", "failed"}.intersection(arguments.given):
        show_sessions(context, sessions_to_list(arguments, context), words=("run", *argv))
    elif sessions := sessions_to_run(arguments, context):
        # these depend on past runs and durations as well, which the record of a listing doesn't hold
        show_sessions(context, sessions, words=None)
    return 0


def _hint(error: UnknownSession, words: Sequence[str]) -> str | None:
    """A hint for a verb after ``run``, an unknown default session, and posargs without ``--``; else the error's own."""
    if error.selector in VERBS:
        return f"'run' only runs sessions: write 'setlist {error.selector}'"
    if error.selector not in words:
        return "it is a default session: 'default' in [tool.setlist], or 'nox.options.sessions', names it"
    if words.index(error.selector) > 0 and "did you mean" not in (error.hint or ""):
        return f"arguments for the session's commands come after '--': run {words[0]} -- {error.selector}"
    return error.hint


class _Durations:
    """How long sessions took, read when it is first asked for."""

    def __init__(self, context: Context, names: Sequence[str]) -> None:
        self._context = context
        self._names = names
        self._known: Mapping[str, float] | None = None

    def __call__(self) -> Mapping[str, float]:
        if self._known is None:
            from setlist.reports.history import durations
            from setlist.scheduling.durations import read_durations

            project = self._context.project
            self._known = {**(read_durations(project) or {}), **durations(project, self._names)}
        return self._known


def _jobs(arguments: Arguments, context: Context) -> tuple[int, int]:
    """How many processors there are, where that matters, and how many sessions may run at once."""
    said = arguments.value("jobs") or context.registry.settings.jobs
    if said is None and not context.registry.outline.jobserver:
        return 1, 1
    from setlist.runner.cpus import available_cpus, jobs_from

    cpus = available_cpus(context.caller.environ)
    return cpus, 1 if said is None else jobs_from(str(said), cpus)


def _lock_mode(arguments: Arguments) -> LockMode:
    locked, ignored = arguments.flag("locked"), arguments.flag("no-lock")
    if locked and ignored:
        raise UsageError("--locked and --no-lock exclude each other")
    return "require" if locked else "ignore" if ignored else "use"


def _wheels(arguments: Arguments, context: Context) -> Path | None:
    named = arguments.value("find-links")
    if named is None:
        return None
    path = context.caller.cwd / named
    if not path.is_dir():
        raise UsageError(f"--find-links: {named} is no directory", hint="'setlist fetch --to DIR' fills one")
    return path
