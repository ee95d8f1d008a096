"""Who reads a run's events: what shows it, the history, the logs, and the reports that were asked for."""

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


class _Problematic(_Reader, Protocol):
    problem: str | None


@dataclass(frozen=True)
class Reporters:
    """How a run is shown and kept. ``close`` is called when it is over, however that came.

    ``masker`` masks the secrets of its sessions; None where there are none.
    """

    readers: tuple[_Reader, ...]
    capturing: Capturing
    captured_environ: Callable[[str], Mapping[str, str]]
    close: Callable[[], None]
    masker: Masker | None = None

    def emit(self, event: Event) -> None:
        """Tell all readers."""
        for reader in self.readers:
            reader(event)


def choose_reporters(
    arguments: Arguments, context: Context, plan: Plan, *, at_once: int, durations: Callable[[], Mapping[str, float]]
) -> Reporters:
    """How the run is shown, by what was asked for and where we are.

    Args:
        arguments: the command line.
        context: its world.
        plan: what is run.
        at_once: how many sessions at most.
        durations: seconds by session, asked for where something is made of them.

    Raises:
        UsageError: an unknown way to show it, or a report that can't be written.
    """
    environ = context.caller.environ
    reports = arguments.values("report")
    github = on_github(environ)
    asked = arguments.value("output")
    masker = _masker(context, plan)
    must = bool(reports) or github or masker is not None or (context.caller.ci and not context.err.interactive)
    if asked is None and at_once == 1 and not must:
        from setlist.reports.console import Console

        console = Console(context.err, verbosity=context.verbosity)
        return Reporters((console, History(context.project)), "no", _nothing, lambda: None)

    from setlist.reports.output_mode import choose_mode

    mode = choose_mode(asked, at_once, context.out, context.err, environ, must_capture=must)
    kept: list[_Problematic] = []
    sessions = {session.name: session for session in plan.sessions}
    if reports:
        from setlist.reports.report import report_to

        mask = masker.text if masker is not None else str
        kept += [report_to(context.path(name), context.project, sessions, mask) for name in reports]
    if github:
        from setlist.reports.github import GitHub

        kept.append(GitHub(environ, context.out, context.project.root, sessions))
    if mode == "direct":
        return replace(_direct(context, kept), masker=masker)
    return replace(_captured(context, plan, mode, kept, durations), masker=masker)


def _direct(context: Context, kept: Sequence[_Problematic]) -> Reporters:
    from setlist.reports.console import Console

    console = Console(context.err, verbosity=context.verbosity)
    readers: tuple[_Reader, ...] = (console, History(context.project), *kept)
    return Reporters(readers, "no", _nothing, lambda: _tell_problems(context, kept))


def _captured(
    context: Context,
    plan: Plan,
    mode: Mode,
    kept: Sequence[_Problematic],
    durations: Callable[[], Mapping[str, float]],
) -> Reporters:
    from setlist.reports.logs import Logs
    from setlist.reports.output_mode import child_environ, reader_for

    out, err, environ = context.out, context.err, context.caller.environ
    logs = Logs(context.project)
    shown = reader_for(
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
        shown.close()
        logs.close()
        _tell_problems(context, kept)

    # the log is whole before anybody else hears that its session has ended
    readers: tuple[_Reader, ...] = (logs, shown, History(context.project), *kept)
    return Reporters(readers, "merged" if _one_place(context) else "apart", captured_environ, close)


def _one_place(context: Context) -> bool:
    """Whether our two streams go to the same file or terminal: then what is written to them is kept in its order."""
    import os

    try:
        one, other = (os.fstat(terminal.stream.fileno()) for terminal in (context.out, context.err))
    except (OSError, ValueError):
        return False
    return os.path.samestat(one, other)


def _masker(context: Context, plan: Plan) -> Masker | None:
    if not any(session.secrets for session in plan.sessions):
        return None
    from setlist.runner.secrets import SHORTEST, masker_of

    masker, unmasked = masker_of(plan.sessions, context.caller.environ)
    for name in unmasked:
        _warn(context, f"{name} is shorter than {SHORTEST} characters, and isn't masked")
    return masker


def _tell_problems(context: Context, kept: Sequence[_Problematic]) -> None:
    for reader in kept:
        if reader.problem is not None:
            _warn(context, reader.problem)


def _warn(context: Context, text: str) -> None:
    context.err.line(f"{context.err.styled('warning:', 'yellow')} {text}")


def _nothing(_: str) -> Mapping[str, str]:
    return {}
