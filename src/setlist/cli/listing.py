"""The sessions of a project, as a table for a person or as JSON for a program.

The JSON is an object of its own: ``format`` (1, raised when a key changes its meaning or goes),
``root``, and ``sessions``, in the order of their definition, each with the keys of a definition
as people write them, after families, defaults and ``extends`` were worked out. See docs/list.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from setlist.reports.terminal import escaped_line

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import Command, SessionSpec

FORMAT = 1

UNUSED_HINT = 'sources = ["pyproject", "sessions", "noxfile"] in [tool.setlist] uses both'


def default_names(context: Context) -> frozenset[str]:
    """The sessions that a bare ``run`` runs."""
    if not context.registry.sessions:
        return frozenset()
    return frozenset(session.name for session in context.select(()))


def show_sessions(
    context: Context, sessions: Sequence[SessionSpec], *, words: Sequence[str] | None, as_json: bool = False
) -> None:
    """Print the sessions: as a table, a line each, or as JSON. The default ones are marked with ``*``.

    Args:
        context: the command's world.
        sessions: what is shown.
        words: the command line, the command itself or the verb being the first of them. None: it could show others the
            next time, though neither the definitions nor the environments have changed.
        as_json: the documented form for programs.
    """
    from setlist.cli.relisting import finished_environments, keep
    from setlist.environment.state import NAME

    # whether they are current is for 'why' to say
    finished = finished_environments(str(context.project.environments), NAME)
    ready = frozenset(finished)
    said = ""
    if as_json:
        import json

        lines = [json.dumps(sessions_json(context, sessions, ready), indent=2, ensure_ascii=False)]
    elif sessions:
        lines = _table(context, sessions, ready)
        unused = context.registry.settings.unused
        if unused:
            names = ", ".join(unused)
            said = f"{names}: not used, since there are definitions of setlist's own; {UNUSED_HINT}\n"
    else:
        lines, said = [], "no sessions\n"
    shown = "".join(f"{line}\n" for line in lines)
    context.out.write(shown)
    if said:
        context.err.write(said)
    if words is not None:
        keep(words, context, finished, context.out.plain(shown), context.err.plain(said))


def _table(context: Context, sessions: Sequence[SessionSpec], ready: Collection[str]) -> list[str]:
    defaults = default_names(context)
    head = (
        "",
        "session",
        context.registry.outline.only_provider or "alias",
        "python",
        "environment",
        "tags",
        "description",
    )
    rows = [
        (
            "*" if session.name in defaults else "",
            session.name,
            _alias(session),
            session.environment.python or "",
            "none" if session.environment.backend == "none" else "ready" if session.name in ready else "–",
            " ".join(session.tags),
            session.description,
        )
        for session in sessions
    ]
    lines = columns(context, head, rows)
    if any(row[0] for row in rows) and context.out.interactive:
        lines.append(context.out.styled("* run by default", "dim"))
    return lines


def _alias(session: SessionSpec) -> str:
    """How its provider spells it, where that is another name."""
    return session.aliases[0] if session.aliases and session.aliases[0] != session.name else ""


def print_columns(context: Context, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout, see :func:`columns`."""
    for line in columns(context, head, rows):
        context.out.line(line)


def columns(context: Context, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: as wide as the terminal, or plain aligned columns in a pipe.

    A column that is empty in every row is left out.
    """
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    head = [head[index] for index in kept]
    rows = [[escaped_line(row[index]) for index in kept] for row in rows]
    out = context.out
    if not out.interactive:
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        return [
            "  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip()
            for row in (head, *rows)
        ]

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
    return [line.rstrip() for line in laid_out.getvalue().splitlines()]


def sessions_json(context: Context, sessions: Sequence[SessionSpec], ready: Collection[str]) -> dict[str, Any]:
    """The sessions as JSON-ready data, the documented and versioned form; ``ready`` have a finished environment."""
    from setlist.registry.toml_lines import lines_of_sessions

    defaults = default_names(context)
    lines = lines_of_sessions(sessions, context.project.root)
    return {
        "format": FORMAT,
        "root": str(context.project.root),
        "sessions": [
            session_json(
                session,
                default=session.name in defaults,
                ready=session.name in ready,
                line=lines.get(session.name),
            )
            for session in sessions
        ],
    }


def session_json(session: SessionSpec, *, default: bool, ready: bool, line: int | None) -> dict[str, Any]:
    """One session as JSON-ready data; ``line`` is where its definition begins.

    ``matrix`` holds this session's value on each axis; ``default`` says whether a bare ``run`` runs
    it; ``ready`` whether a finished environment is there.
    """
    from setlist.core.plugins import find_provider, providers

    environment = session.environment
    return {
        "name": session.name,
        "family": session.family,
        "file": session.origin.file,
        "line": line,
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
        **{name: find_provider(name).details(session) if name == session.provider else None for name in providers()},
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
