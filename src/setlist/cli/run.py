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
from setlist.cli.options import DIRECTORY, FILE, HELP, OFFLINE, QUIET, VERBOSE, Arguments, Option, parse
from setlist.core.errors import ConfigurationError, SetlistError, UnknownSession, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.core.events import Message
    from setlist.core.model import SessionSpec
    from setlist.lock.use import LockMode
    from setlist.runner.command import Invocation

OPTIONS = (
    Option("list", "show the sessions and stop", "l"),
    Option("dry-run", "show what would be done and stop", "n"),
    Option("keyword", "only sessions that match, as in 'lint or (test and not py310)'", "k", "EXPR"),
    Option("tag", "only sessions with this tag; may be repeated", "t", "TAG"),
    Option("python", "only sessions on this Python; may be repeated", "p", "VERSION"),
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
        from setlist.cli.help import run_help

        context.out.write(run_help(OPTIONS))
        return 0
    if arguments.flag("version"):
        from setlist import __version__

        context.out.line(f"setlist {__version__}")
        return 0
    context.take(arguments)
    if arguments.flag("list"):
        from setlist.cli.listing import show_sessions

        if not {"shard", "failed"}.intersection(arguments.given):
            show_sessions(context, _listed(arguments, context), words=("run", *argv))
        elif sessions := _chosen(arguments, context):
            # which ones these are goes by more than a record of a listing holds: past runs, and how long they took
            show_sessions(context, sessions, words=None)
        return 0
    sessions = _chosen(arguments, context)
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
        nox_processes=context.nox_processes,
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
    if code == 0 and shown.capturing == "no" and len(plan.steps) == 1 and context.nox_processes is None:
        from setlist.cli.warming import can_be_kept, keep

        if can_be_kept(argv, context, plan.sessions[0]):
            keep(argv, context, plan.sessions[0], noticed)
    return code


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


def _chosen(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    """The sessions that are to be run, of one shard or of all. Empty: there is nothing to do, and that was said."""
    sessions = _selected(arguments, context)
    shard = arguments.value("shard")
    if not sessions or shard is None:
        return sessions
    from setlist.cli.sharding import sharded

    return sharded(context, sessions, shard)


def _selected(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    """The sessions that were asked for. Empty: there is nothing to do, and that was said."""
    if not context.registry.sessions:
        raise ConfigurationError(
            f"no sessions are defined in {context.project.root}",
            hint="write [tool.setlist.session.NAME] into pyproject.toml, or let 'setlist init' write a first one",
        )
    if not arguments.flag("failed"):
        sessions = _select(arguments, context, arguments.words)
        if not sessions:
            first = next(iter(context.registry.sessions))
            raise UsageError("no session runs by default", hint=f"name one: run {first}; 'run --list' shows them all")
        return sessions

    from setlist.reports.history import last_failed

    failed = set(last_failed(context.project))
    among = _select(arguments, context, arguments.words or ("*",))
    sessions = tuple(session for session in among if session.name in failed)
    if not sessions:
        context.err.line("nothing failed last time" if not failed else "none of these failed last time")
    return sessions


def _listed(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    if not context.registry.sessions:
        return ()
    return _select(arguments, context, arguments.words or ("*",))


def _select(arguments: Arguments, context: Context, selectors: Sequence[str]) -> tuple[SessionSpec, ...]:
    from setlist.registry.select import select

    try:
        return select(
            context.registry,
            selectors,
            keyword=arguments.value("keyword"),
            tags=arguments.values("tag"),
            pythons=arguments.values("python"),
        )
    except UnknownSession as error:
        raise _better_hint(error, arguments.words) from error


def _better_hint(error: UnknownSession, words: Sequence[str]) -> SetlistError:
    """The same error, with a hint that fits two frequent slips."""
    from setlist.cli.catalogue import VERBS

    if error.selector in VERBS:
        error.hint = f"'run' only runs sessions: write 'setlist {error.selector}'"
    elif error.selector not in words:
        error.hint = "it is among what a bare 'run' runs: 'default' in [tool.setlist], or 'nox.options.sessions'"
    elif words.index(error.selector) > 0 and "did you mean" not in (error.hint or ""):
        error.hint = f"what is meant for the commands of a session comes after '--': run {words[0]} -- {error.selector}"
    return error
