"""The rules of a run: which failure blocks which session, what runs after it, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from setlist.core.model import UNSUCCESSFUL, Registry
from setlist.process.spawn import Interrupted
from setlist.runner.run_context import RunOptions, SessionResult
from setlist.scheduling.order import Step


def posargs_of(step: Step, options: RunOptions) -> tuple[str, ...]:
    """The words after ``--``: for a session that was asked for, and for one that takes them in any case."""
    if step.posargs is not None:
        return step.posargs
    return options.posargs if step.requested or step.session.takes_all_posargs else ()


def notified_steps(registry: Registry, endings: Mapping[str, SessionResult]) -> tuple[Step, ...]:
    """What the sessions that have run want to have run after them, each once, and not what has run already."""
    by_alias = {aliases[0]: name for name, aliases in registry.index.aliases.items()}
    steps: dict[str, Step] = {}
    for ending in endings.values():
        for notified, posargs in ending.notified:
            name = by_alias.get(notified)
            if name is not None and name not in endings:
                steps.setdefault(name, Step(registry.sessions[name], requested=True, posargs=posargs))
    return tuple(steps.values())


def not_run_reason(interrupted: Interrupted | None) -> str:
    """Why those that haven't begun don't any more."""
    return "an earlier one failed" if interrupted is None else "the run was interrupted"


def blocked(step: Step, endings: Mapping[str, SessionResult], *, only: bool = False) -> SessionResult | None:
    """How a session ends that can't start, given how the others ended; None if it can start.

    A failed one that is allowed to fail blocks as well: the run may pass without it, its dependents
    may not. One that was skipped for want of an interpreter, or by its own function, doesn't block.

    A session with ``plain_exit`` is aborted then, and a notified one also where a session that it requires has not run:
    notifying a session adds nothing that it requires.

    Args:
        step: the session's.
        endings: those of all sessions that have ended in this run.
        only: what sessions require needn't run.
    """
    session = step.session
    notified = step.posargs is not None
    for name in session.requires:
        ending = endings.get(name)
        if ending is None:
            if not notified or only:
                continue  # not part of this run
            became = "has not run"
        elif ending.status in UNSUCCESSFUL:
            became = "was aborted" if ending.status == "aborted" else "failed"
        elif ending.blocked:
            became = "was skipped"
        else:
            continue
        reason = f"requires {name}, which {became}"
        if session.plain_exit:
            return SessionResult("aborted", reason, 1, blocked=True)
        return SessionResult("skipped", reason, blocked=True)
    return None


def exit_code_of(endings: Iterable[SessionResult]) -> int:
    """The exit code of a run, given how its sessions ended: a failure outweighs a missing interpreter."""
    codes = {ending.exit_code for ending in endings} - {0}
    return 1 if 1 in codes else min(codes, default=0)
