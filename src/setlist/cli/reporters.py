"""Choose the readers of a run's events: console or board, history, logs, and report files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from setlist.core.records import dataclass, replace
from setlist.reports.history import History
from setlist.reports.terminal import on_github

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.options import Arguments
    from setlist.core.events import Event
    from setlist.reports.output_mode import Mode
    from setlist.runner.run_policy import Capturing
    from setlist.runner.secrets import Masker
    from setlist.scheduling.order import Plan


class _Reader(Protocol):
    def __call__(self, event: Event) -> None: ...


class _ReportReader(_Reader, Protocol):
    problem: str | None


@dataclass(frozen=True)
class Reporters:
    """The readers of a run's events, and how output is captured for them. ``close`` is called when the run has ended.

    ``masker`` masks the secrets of the sessions; None if they have none.
    """

    readers: tuple[_Reader, ...]
    capturing: Capturing
    captured_environ: Callable[[str], Mapping[str, str]]
    close: Callable[[], None]
    masker: Masker | None = None

    def emit(self, event: Event) -> None:
        """Pass the event to all readers."""
        for reader in self.readers:
            reader(event)


def choose_reporters(
    arguments: Arguments, context: Context, plan: Plan, *, at_once: int, durations: Callable[[], Mapping[str, float]]
) -> Reporters:
    """Choose the readers by the command line, the terminal and the CI system.

    Args:
        arguments: the command line.
        context: its context.
        plan: the sessions to run.
        at_once: the number of sessions that run at once at most.
        durations: returns seconds by session; called only if a reader needs them.

    Raises:
        UsageError: the output mode is unknown, or a report can't be written.
    """
    environ = context.caller.environ
    reports = arguments.values("report")
    github = on_github(environ)
    requested = arguments.value("output")
    masker = _masker(context, plan)
    must_capture = bool(reports) or github or masker is not None or (context.caller.ci and not context.err.interactive)
    if requested is None and at_once == 1 and not must_capture:
        from setlist.reports.console import Console

        console = Console(context.err, verbosity=context.verbosity)
        return Reporters((console, History(context.project)), "no", _nothing, lambda: None)

    from setlist.reports.output_mode import choose_mode

    mode = choose_mode(requested, at_once, context.out, context.err, environ, must_capture=must_capture)
    report_readers: list[_ReportReader] = []
    sessions = {session.name: session for session in plan.sessions}
    if reports:
        from setlist.reports.report import report_to

        mask = masker.text if masker is not None else str
        report_readers += [report_to(context.path(name), context.project, sessions, mask) for name in reports]
    if github:
        from setlist.reports.github import GitHub

        report_readers.append(GitHub(environ, context.out, context.project.root, sessions))
    if mode == "direct":
        return replace(_direct(context, report_readers), masker=masker)
    return replace(_captured(context, plan, mode, report_readers, durations), masker=masker)


def _direct(context: Context, report_readers: Sequence[_ReportReader]) -> Reporters:
    from setlist.reports.console import Console

    console = Console(context.err, verbosity=context.verbosity)
    readers: tuple[_Reader, ...] = (console, History(context.project), *report_readers)
    return Reporters(readers, "no", _nothing, lambda: _print_problems(context, report_readers))


def _captured(
    context: Context,
    plan: Plan,
    mode: Mode,
    report_readers: Sequence[_ReportReader],
    durations: Callable[[], Mapping[str, float]],
) -> Reporters:
    from setlist.reports.logs import Logs
    from setlist.reports.output_mode import child_environ, reader_for

    out, err, environ = context.out, context.err, context.caller.environ
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
    names = [session.name for session in plan.sessions]

    def captured_environ(session: str) -> Mapping[str, str]:
        return child_environ(mode, out, err, environ, session=session, sessions=names)

    def close() -> None:
        display.close()
        logs.close()
        _print_problems(context, report_readers)

    # the log comes first: it is complete when the others learn that its session has ended
    readers: tuple[_Reader, ...] = (logs, display, History(context.project), *report_readers)
    return Reporters(readers, "merged" if _same_stream(context) else "apart", captured_environ, close)


def _same_stream(context: Context) -> bool:
    """Whether standard output and error are the same file or terminal: then the order of their lines is preserved."""
    import os

    try:
        stdout, stderr = (os.fstat(terminal.stream.fileno()) for terminal in (context.out, context.err))
    except (OSError, ValueError):
        return False
    return os.path.samestat(stdout, stderr)


def _masker(context: Context, plan: Plan) -> Masker | None:
    if not any(session.secrets for session in plan.sessions):
        return None
    from setlist.runner.secrets import SHORTEST, masker_of

    masker, unmasked = masker_of(plan.sessions, context.caller.environ)
    for name in unmasked:
        _warn(context, f"{name} is shorter than {SHORTEST} characters: it isn't masked")
    return masker


def _print_problems(context: Context, report_readers: Sequence[_ReportReader]) -> None:
    for reader in report_readers:
        if reader.problem is not None:
            _warn(context, reader.problem)


def _warn(context: Context, text: str) -> None:
    context.err.line(f"{context.err.styled('warning:', 'yellow')} {text}")


def _nothing(_: str) -> Mapping[str, str]:
    return {}
