"""The sessions of a project, as a table for a person or as JSON for a program.

The JSON is an object of its own: ``format`` (1, raised when a key changes its meaning or goes),
``root``, and ``sessions``, in the order of their definition, each with the keys of a definition
as people write them, after families, defaults and ``extends`` were worked out. See docs/list.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.model import Command, NoxSession, SessionSpec

FORMAT = 1

UNUSED_HINT = 'sources = ["pyproject", "sessions", "noxfile"] in [tool.setlist] uses both'


def default_names(context: Context) -> frozenset[str]:
    """The sessions that a bare ``run`` runs."""
    if not context.registry.sessions:
        return frozenset()
    return frozenset(session.name for session in context.select(()))


def is_ready(context: Context, session: SessionSpec) -> bool:
    """Whether a finished environment is there; whether it is current is ``why``'s to say."""
    import os

    from setlist.environment.state import NAME

    # strings, as thousands of sessions are listed
    return os.path.isfile(f"{context.project.environments}/{session.name}/{NAME}")


def print_table(context: Context, sessions: Sequence[SessionSpec]) -> None:
    """Print the sessions, a line each: the default ones are marked with ``*``."""
    if not sessions:
        context.err.line("no sessions")
        return
    defaults = default_names(context)
    head = ("", "session", "nox", "python", "environment", "tags", "description")
    rows = [
        (
            "*" if session.name in defaults else "",
            session.name,
            _name_in_nox(session),
            session.environment.python or "",
            _environment_word(context, session),
            " ".join(session.tags),
            session.description,
        )
        for session in sessions
    ]
    print_columns(context, head, rows)
    if any(row[0] for row in rows) and context.out.interactive:
        context.out.line(context.out.styled("* run by default", "dim"))
    unused = context.registry.settings.unused
    if unused:
        context.err.line(f"{', '.join(unused)}: not used, since there are definitions of setlist's own; {UNUSED_HINT}")


def _name_in_nox(session: SessionSpec) -> str:
    """How nox spells it, where that is another name."""
    return session.nox.name if session.nox is not None and session.nox.name != session.name else ""


def _environment_word(context: Context, session: SessionSpec) -> str:
    if session.environment.backend == "none":
        return "none"
    return "ready" if is_ready(context, session) else "–"


def print_columns(context: Context, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout: as wide as the terminal, or plain aligned columns in a pipe.

    A column that is empty in every row is left out.
    """
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    head = [head[index] for index in kept]
    rows = [[row[index] for index in kept] for row in rows]
    out = context.out
    if not out.interactive:
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        for row in (head, *rows):
            out.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return

    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        table.add_column(title, no_wrap=title in ("", "session"), style="bold" if title == "session" else "")
    for row in rows:
        table.add_row(*map(Text, row))
    # rich lays out, we print: what a stream can't encode and when to colour is decided in one place
    laid_out = io.StringIO()
    width = Console(file=out.stream).width
    console = Console(
        file=laid_out,
        width=width,
        force_terminal=out.color,
        color_system="standard" if out.color else None,
        legacy_windows=False,
        highlight=False,
    )
    console.print(table)
    for line in laid_out.getvalue().splitlines():
        out.line(line.rstrip())


def sessions_json(context: Context, sessions: Sequence[SessionSpec]) -> dict[str, Any]:
    """The sessions as JSON-ready data, the documented and versioned form."""
    defaults = default_names(context)
    return {
        "format": FORMAT,
        "root": str(context.project.root),
        "sessions": [
            session_json(session, default=session.name in defaults, ready=is_ready(context, session))
            for session in sessions
        ],
    }


def session_json(session: SessionSpec, *, default: bool, ready: bool) -> dict[str, Any]:
    """One session as JSON-ready data.

    ``matrix`` holds this session's value on each axis; ``default`` says whether a bare ``run`` runs
    it; ``ready`` whether a finished environment is there.
    """
    environment = session.environment
    return {
        "name": session.name,
        "family": session.family,
        "file": session.origin.file,
        "line": session.origin.line,
        "description": session.description,
        "python": environment.python,
        "matrix": dict(session.axes),
        "deps": list(environment.deps),
        "groups": list(environment.groups),
        "extras": list(environment.extras),
        "requirements": list(environment.requirements),
        "constraints": list(environment.constraints),
        "project": environment.project,
        "run": [_command_json(command) for command in session.commands],
        "function": None if session.function is None else f"{session.function.file}:{session.function.name}",
        "nox": None if session.nox is None else _nox_json(session.nox),
        "env": dict(session.env),
        "inherit-env": session.inherit_env if isinstance(session.inherit_env, bool) else list(session.inherit_env),
        "cwd": session.cwd,
        "external": list(session.external),
        "requires": list(session.requires),
        "tags": list(session.tags),
        "default": default,
        "timeout": session.timeout,
        "retries": session.retries,
        "allow-failure": session.allow_failure,
        "exclusive": session.exclusive,
        "mutex": list(session.mutex),
        "resources": dict(session.resources),
        "jobserver": session.jobserver,
        "interactive": session.interactive,
        "secrets": list(session.secrets),
        "resolution": environment.resolution,
        "exclude-newer": environment.exclude_newer,
        "index-url": environment.index_url,
        "installer": environment.installer,
        "backend": environment.backend,
        "inputs": list(session.inputs),
        "outputs": list(session.outputs),
        "ready": ready,
    }


def _nox_json(nox: NoxSession) -> dict[str, Any]:
    return {
        "file": nox.file,
        "name": nox.name,
        "names": list(nox.names),
        "venv-backend": nox.backend,
        "venv-params": list(nox.venv_params),
    }


def _command_json(command: Command) -> dict[str, Any]:
    return {
        "cmd": command.words[0] if command.shell else list(command.words),
        "env": dict(command.env),
        "cwd": command.cwd,
        "ok-codes": list(command.ok_codes),
        "allow-failure": command.allow_failure,
        "shell": command.shell,
        "stdout": command.stdout,
    }
