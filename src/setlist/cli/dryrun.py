"""``run -n``: print the sessions in order, why each is included, its environment and its commands.

Nothing is changed. Placeholders aren't substituted, since ``{envdir}`` may not exist yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from setlist.core.errors import SessionError
from setlist.core.plugins import find_provider
from setlist.reports.console import command_text

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import Command, SessionSpec
    from setlist.engine.plan import Plan


def print_plan(context: Context, plan: Plan, *, posargs: tuple[str, ...], recreate: bool, upgrade: bool) -> None:
    """Print the plan to stdout.

    Raises:
        SetlistError: an environment can't be examined for a reason that doesn't concern its session.
    """
    from setlist.runner.run_context import RunOptions
    from setlist.runner.secrets import masker_of
    from setlist.runner.session import posargs_of

    out = context.out
    masker = masker_of(plan.sessions, context.caller.environ, context.project.root)[0]
    masked = str if masker is None else masker.text
    width = max((len(step.session.name) for step in plan.steps), default=0)
    parents: dict[str, list[str]] = {}
    for step in plan.steps:
        for name in step.session.requires:
            parents.setdefault(name, []).append(step.session.name)
    for step in plan.steps:
        session = step.session
        interpreter, would = _environment_text(context, session, recreate=recreate, upgrade=upgrade)
        why = "" if step.requested else f" ({_required_by(parents.get(session.name, ()))})"
        name = out.styled(session.name, "bold") + " " * (width - len(session.name))
        if not (recreate or upgrade) and _is_up_to_date(
            context, session, posargs_of(step, RunOptions(posargs=posargs))
        ):
            out.line(f"{name}  {interpreter} · up to date, wouldn't be run{why}")
            continue
        out.line(f"{name}  {interpreter} · {masked(would)}{why}")
        if session.function is not None:
            out.line(f"  {session.function.name}() in {session.function.file}")
        if session.provider:
            details = find_provider(session.provider).details(session)
            out.line(f"  {details['name']} in {details['file']}")
        for command in session.commands:
            out.lines(f"  {out.styled('$', 'dim')} {masked(_template_text(command))}")
    if posargs:
        # masked word by word: quoting could change a secret
        out.line(f"posargs: {command_text([masked(word) for word in posargs])}")


def _is_up_to_date(context: Context, session: SessionSpec, posargs: tuple[str, ...]) -> bool:
    if not session.inputs:
        return False
    from setlist.runner.run_context import RunOptions
    from setlist.runner.run_plan import context_of
    from setlist.runner.session import would_be_up_to_date

    run_context = context_of(context.project, context.registry, context.caller, RunOptions(locks="ignore"))
    try:
        with context.environments.as_it_is(session) as prepared:
            return prepared is not None and would_be_up_to_date(run_context, session, prepared, posargs)
    except SessionError:
        return False


def _required_by(parents: Sequence[str]) -> str:
    return f"required by {', '.join(parents)}" if parents else "required"


def _environment_text(context: Context, session: SessionSpec, *, recreate: bool, upgrade: bool) -> tuple[str, str]:
    """The interpreter, and what a run would do to the environment."""
    request = f"python {session.environment.python}" if session.environment.python else "python"
    try:
        explanation = context.environments.explain(session)
    except SessionError as error:
        return request, f"can't be prepared: {error.message}"
    if explanation.state == "none":
        return request, "no environment of its own"
    if explanation.interpreter is None:
        return request, f"can't be prepared: {'; '.join(explanation.notes)}"
    interpreter = explanation.interpreter
    if explanation.state == "missing":
        return interpreter, "would be created"
    if explanation.state == "unfinished":
        return interpreter, "would be repaired"
    if recreate:
        return interpreter, "would be recreated (--recreate)"
    changed = [change.name for change in explanation.inputs if change.changed]
    if explanation.state == "stale":
        return interpreter, f"would be brought up to date ({', '.join([*changed, *explanation.notes])})"
    if upgrade:
        return interpreter, "would be resolved again (--upgrade)"
    return interpreter, "would be reused"


def _template_text(command: Command) -> str:
    """A command before substitution. ``{posargs:.}`` isn't quoted, for readability."""
    if command.shell:
        return command.words[0]
    return " ".join(word if "{" in word and " " not in word else command_text([word]) for word in command.words)
