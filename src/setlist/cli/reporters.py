"""Choose the readers of a run's events: console or board, history, logs, and report files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from setlist.core.events import Message
from setlist.reports.history import History
from setlist.reports.terminal import on_github
from setlist.runner.output import Sink

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.options import Arguments
    from setlist.core.events import Emit, Event, SessionStarted
    from setlist.core.model import OutputMode
    from setlist.engine.plan import Plan, PlannedCommand
    from setlist.reports.console import ProgressDisplay
    from setlist.reports.terminal import Terminal
    from setlist.runner.secrets import Masker


class _ReportReader(Protocol):
    problem: str | None

    def __call__(self, event: Event) -> None: ...


class RunNotes:
    """Notes what decides whether the plan of a run is kept. A reader of its events.

    Attributes:
        commands: the commands that were started, in order.
        warned: whether something was said of an environment, such as that its lock is out of date: it is to be said in
            each run.
    """

    def __init__(self) -> None:
        self.commands: list[PlannedCommand] = []
        self.warned = False

    def __call__(self, event: Event) -> None:
        self.warned = self.warned or (isinstance(event, Message) and not self.commands)


def choose_reporters(
    arguments: Arguments,
    context: Context,
    plan: Plan,
    *,
    at_once: int,
    durations: Callable[[], Mapping[str, float]],
    noted: RunNotes,
) -> Sink:
    """Choose the readers by the command line, the terminal and the CI system.

    Args:
        arguments: the command line.
        context: its context.
        plan: the sessions to run.
        at_once: the number of sessions that run at once at most.
        durations: returns seconds by session; called only if a reader needs them.
        noted: notes what decides whether the plan is kept.

    Raises:
        UsageError: the output mode is unknown, or a report can't be written.
    """
    out, err, environ = context.out, context.err, context.caller.environ
    reports = arguments.values("report")
    github = on_github(environ)
    requested = arguments.value("output")
    masker = _masker(context, plan)
    must_capture = bool(reports) or github or masker is not None or (context.caller.ci and not err.interactive)
    mode: OutputMode = "direct"
    if requested is not None or at_once > 1 or must_capture:
        from setlist.reports.output_mode import choose_mode

        mode = choose_mode(
            requested, at_once, out, err, environ, must_capture=must_capture, where=arguments.where("output")
        )
    report_readers: list[_ReportReader] = []
    sessions = {session.name: session for session in plan.sessions}
    if reports:
        from setlist.reports.report import report_to

        mask = masker.text if masker is not None else str
        report_readers += [report_to(context.path(name), context.project, sessions, mask) for name in reports]
    if github:
        from setlist.reports.github import GitHub

        report_readers.append(GitHub(environ, out, context.project.root, sessions))
    readers: tuple[Emit, ...] = (noted, *context.readers, *report_readers)
    if not arguments.flag("prepare"):  # such a run says nothing of how sessions end, and how long they take
        readers = (History(context.project.history), *readers)
    print_problems = partial(_print_problems, context, report_readers)
    if mode == "direct":
        from setlist.reports.console import Console

        console = Console(err, verbosity=context.verbosity, progress=_show_progress)

        def end() -> None:
            console.close()
            print_problems()

        return Sink(console, *readers, masker=masker, notice=noted.commands.append, close=end)

    from setlist.reports.logs import Logs
    from setlist.reports.output_mode import child_environ, reader_for

    logs = Logs(context.project)
    display = reader_for(
        mode,
        out,
        err,
        environ,
        verbosity=context.verbosity,
        directory=context.project.state,
        durations=durations(),
        log_of=logs.named,
    )

    def close() -> None:
        display.close()
        logs.close()
        print_problems()

    # the log comes first: it is complete when the others learn that its session has ended
    return Sink(
        logs,
        display,
        *readers,
        capturing="merged" if _same_stream(context) else "apart",
        captured_environ=lambda session: child_environ(
            mode, out, err, environ, session=session, sessions=list(sessions)
        ),
        masker=masker,
        notice=noted.commands.append,
        close=close,
    )


def _show_progress(terminal: Terminal, name: str, began: SessionStarted) -> ProgressDisplay:
    from setlist.reports.progress import show_progress

    return show_progress(terminal, name, began)


def _same_stream(context: Context) -> bool:
    """Whether standard output and error are the same file or terminal: then the order of their lines is preserved."""
    import os

    try:
        stdout, stderr = (os.fstat(terminal.stream.fileno()) for terminal in (context.out, context.err))
    except (OSError, ValueError):
        return False
    return os.path.samestat(stdout, stderr)


def _masker(context: Context, plan: Plan) -> Masker | None:
    if not any(session.secrets or session.env_file for session in plan.sessions):
        return None
    from setlist.runner.secrets import SHORTEST, masker_of

    masker, unmasked = masker_of(plan.sessions, context.caller.environ, context.project.root)
    for name in unmasked:
        _warn(context, f"{name} is shorter than {SHORTEST} characters: it isn't masked")
    return masker


def _print_problems(context: Context, report_readers: Sequence[_ReportReader]) -> None:
    for reader in report_readers:
        if reader.problem is not None:
            _warn(context, reader.problem)


def _warn(context: Context, text: str) -> None:
    context.err.line(f"{context.err.styled('warning:', 'yellow')} {text}")
