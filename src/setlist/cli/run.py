"""``run [OPTIONS] [SESSION…] [-- POSARGS…]``: :func:`run` is the whole way from argv to the exit code.

A run that needs only the common options imports as little as possible, so the rest is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
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
    Arguments,
    Option,
    UnknownOption,
    help_text,
    parse,
)
from setlist.cli.run_defaults import variables_of, with_settings, with_variables
from setlist.cli.selection import FILTERS, sessions_to_list, sessions_to_run
from setlist.core.errors import UnknownSession, UsageError
from setlist.core.records import replace

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.core.model import SessionSpec
    from setlist.core.project import Project
    from setlist.engine.plan import Plan
    from setlist.runner.run_context import RunOptions

USAGE = "run [OPTIONS] [SESSION…] [-- POSARGS…]"

ABOUT = """\
Run sessions: create or reuse the environment of each, then run its commands.

A SESSION is a name (test-py311), a family (test), a glob ('test-*') or a tag (@ci). Without any,
the project's default sessions run. POSARGS are passed to their commands."""

EXIT_CODES = """\
'setlist --help' lists the other commands.

exit codes: 0 success, 1 a session failed, 2 usage or configuration error, 3 a lock is missing or out of date,
4 an interpreter is missing (in CI), 130 interrupted, 143 terminated"""

OPTIONS = (
    Option("list", "list the sessions and exit", "l"),
    Option("dry-run", "show what would be done and exit", "n"),
    *FILTERS,
    Option("failed", "only sessions that failed in the last run"),
    Option("only", "don't run the sessions that they require"),
    Option("prepare", "only create and update the environments"),
    Option("fail-fast", "stop after the first session that fails", "x", variable=True),
    Option(
        "jobs",
        "the number of sessions to run at once; 'auto': the number of processors",
        "j",
        "N|auto",
        ("auto",),
        variable=True,
    ),
    Option(
        "output",
        "how to show output: direct, or captured: board, stream, group, ordered",
        None,
        "MODE",
        ("direct", "board", "stream", "group", "ordered"),
        variable=True,
    ),
    Option(
        "report",
        "write a report; the suffix is its format: .json, .jsonl, .xml; may be repeated",
        None,
        "FILE",
        variable=True,
    ),
    Option("shard", "only the K-th of N parts of the sessions, e.g. 2/5", None, "K/N"),
    Option("recreate", "recreate the environments", "r"),
    Option("upgrade", "resolve again: upgrade unpinned requirements to their newest versions"),
    Option("locked", "install from locks; fail if a session has no current lock", variable=True),
    Option("no-lock", "ignore lock files"),
    replace(OFFLINE, variable=True),
    Option("find-links", "install from the wheels in DIR only", None, "DIR", variable=True),
    QUIET,
    VERBOSE,
    FILE,
    DIRECTORY,
    Option("version", "show setlist's version and exit", "V"),
    HELP,
)


def main(argv: Sequence[str] | None = None, context: Context | None = None) -> int:
    """The ``run`` command. Returns the exit code."""
    import sys

    return run_cli(run, sys.argv[1:] if argv is None else argv, context or Context.current())


def run(argv: Sequence[str], context: Context) -> int:
    """Parse the command line, and run the sessions that it selects. Returns the exit code.

    Each step passes plain data to the next: argv → arguments → project, registry → sessions → plan → exit code.

    Raises:
        SetlistError: a user's mistake, or a problem that ends the whole run.
    """
    arguments = _parse(argv)
    if arguments.flag("help"):
        context.out.write(help_text(USAGE, ABOUT, OPTIONS, end=EXIT_CODES))
        return 0
    if arguments.flag("version"):
        from setlist import __version__

        context.out.line(f"setlist {__version__}")
        return 0
    arguments = with_variables(arguments, OPTIONS, context.caller.environ)
    context.apply_options(arguments)
    project, registry = context.project, context.registry
    sessions = _select(arguments, context)
    if arguments.flag("list"):
        return _list(argv, arguments, context, sessions)
    if not sessions:
        return 0

    from setlist.scheduling.order import make_plan

    plan = make_plan(registry, sessions, follow_requires=not arguments.flag("only"))
    if arguments.flag("dry-run"):
        from setlist.cli.dryrun import print_plan

        recreate, upgrade = arguments.flag("recreate"), arguments.flag("upgrade")
        print_plan(context, plan, posargs=arguments.rest or (), recreate=recreate, upgrade=upgrade)
        return 0
    project.prepare()
    arguments = with_settings(arguments, registry.settings)

    from setlist.cli.reporters import RunNotes, choose_reporters

    durations = _durations(project, [session.name for session in plan.sessions])
    options = _options(argv, arguments, context, plan, durations)
    at_once = min(options.jobs, len(plan.steps))
    noted = RunNotes()
    sink = choose_reporters(arguments, context, plan, at_once=at_once, durations=durations, noted=noted)

    from setlist.runner.run_plan import run as execute

    waiting = f"waiting for another process that removes {project.relative(project.state)}"
    code = execute(
        project,
        registry,
        plan,
        caller=context.caller,
        options=options,
        sink=sink,
        shared=context.shared,
        waiting=lambda: context.err.line(waiting),
    )
    if code == 0 and len(plan.steps) == 1 and sink.capturing == "no" and not (context.shared or noted.warned):
        from setlist.cli.keep import can_be_kept, keep_plan

        if can_be_kept(argv, context, plan.sessions[0]):
            keep_plan(argv, context, plan.sessions[0], noted.commands, variables_of(OPTIONS))
    return code


def _parse(argv: Sequence[str]) -> Arguments:
    try:
        return parse(argv, OPTIONS, command="run")
    except UnknownOption as error:
        from setlist.cli.usage_hints import hint_for_option

        error.hint = hint_for_option(error, argv, OPTIONS)
        raise


def _select(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    try:
        if arguments.flag("list") and not _depends_on_history(arguments):
            return sessions_to_list(arguments, context)
        return sessions_to_run(arguments, context)
    except UnknownSession as error:
        from setlist.cli.usage_hints import hint_for_session

        error.hint = hint_for_session(error, arguments.argv, arguments.words)
        raise


def _list(argv: Sequence[str], arguments: Arguments, context: Context, sessions: tuple[SessionSpec, ...]) -> int:
    from setlist.cli.listing import show_sessions

    if not _depends_on_history(arguments):
        show_sessions(context, sessions, words=("run", *argv))
    elif sessions:
        show_sessions(context, sessions, words=None)
    return 0


def _depends_on_history(arguments: Arguments) -> bool:
    """Whether past runs and durations are part of the selection. The record of a listing doesn't hold them."""
    return arguments.flag("failed") or arguments.flag("shard")


def _durations(project: Project, names: Sequence[str]) -> Callable[[], Mapping[str, float]]:
    """A function that returns the durations of sessions in seconds, read at its first call."""

    @cache
    def read() -> Mapping[str, float]:
        from setlist.reports.past_runs import durations
        from setlist.scheduling.durations import read_durations

        return {**(read_durations(project) or {}), **durations(project, names)}

    return read


def _jobs(arguments: Arguments, context: Context) -> tuple[int, int]:
    """The number of processors (1 if it makes no difference), and the number of sessions that run at once at most."""
    jobs = arguments.value("jobs")
    if jobs is None and not context.registry.index.jobserver:
        return 1, 1
    from setlist.runner.cpus import available_cpus, jobs_from

    cpus = available_cpus(context.caller.environ)
    return cpus, 1 if jobs is None else jobs_from(jobs, cpus, arguments.where("jobs"))


def _options(
    argv: Sequence[str],
    arguments: Arguments,
    context: Context,
    plan: Plan,
    durations: Callable[[], Mapping[str, float]],
) -> RunOptions:
    from setlist.runner.run_context import RunOptions

    cpus, jobs = _jobs(arguments, context)
    if arguments.flag("locked") and arguments.flag("no-lock"):
        raise UsageError("--locked and --no-lock exclude each other")
    return RunOptions(
        posargs=arguments.rest or (),
        fail_fast=arguments.flag("fail-fast"),
        recreate=arguments.flag("recreate"),
        upgrade=arguments.flag("upgrade"),
        offline=arguments.flag("offline"),
        locks="require" if arguments.flag("locked") else "ignore" if arguments.flag("no-lock") else "use",
        find_links=_find_links(arguments, context),
        argv=tuple(argv),
        jobs=jobs,
        cpus=cpus,
        durations=durations() if min(jobs, len(plan.steps)) > 1 else {},
        only=arguments.flag("only"),
        prepare=arguments.flag("prepare"),
    )


def _find_links(arguments: Arguments, context: Context) -> Path | None:
    name = arguments.value("find-links")
    if name is None:
        return None
    path = context.caller.cwd / name
    if not path.is_dir():
        raise UsageError(
            f"{arguments.where('find-links')}: {name} is not a directory", hint="'setlist fetch --to DIR' fills one"
        )
    return path
