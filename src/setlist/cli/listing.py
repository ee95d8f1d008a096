"""List the sessions of a project as a table or as JSON.

The JSON is an object with ``format`` (1, raised when a key changes its meaning or is removed), ``root``, and
``sessions`` in the order of their definition. Each has the keys of a definition, after families, defaults and
``extends`` have been expanded. See docs/list.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from setlist.core.records import dump
from setlist.reports.terminal import escaped_line

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import Command, SessionSpec
    from setlist.registry.keys import Key

FORMAT = 1


def unused_hint() -> str:
    """How definitions of several sources are used together."""
    from setlist.core.plugins import kinds

    sources = ", ".join(f'"{source}"' for source in ("pyproject", "sessions", *kinds()))
    return f"sources = [{sources}] in [tool.setlist] uses both"


def default_names(context: Context) -> frozenset[str]:
    """The names of the default sessions."""
    if not context.registry.sessions:
        return frozenset()
    return frozenset(session.name for session in context.select(()))


def show_sessions(
    context: Context, sessions: Sequence[SessionSpec], *, words: Sequence[str] | None, as_json: bool = False
) -> None:
    """Print the sessions as a table or as JSON. The table marks the default ones with ``*``.

    Args:
        context: the command's context.
        sessions: the sessions to print.
        words: the command line, beginning with the command or the verb. None: the output depends on more than the
            definitions and the environments, and isn't cached.
        as_json: print the documented JSON.
    """
    from setlist.cli.keep import finished_environments, keep_listing
    from setlist.engine.trace import STATE
    from setlist.engine.world import World

    # 'why' tells whether they are current
    world = World(str(context.project.root), context.caller.environ)
    ready = frozenset(finished_environments(str(context.project.environments), STATE, world))
    note = ""
    if as_json:
        import json

        lines = [json.dumps(sessions_json(context, sessions, ready), indent=2, ensure_ascii=False)]
    elif sessions:
        lines = _table(context, sessions, ready)
        unused = context.registry.settings.unused
        if unused:
            names = ", ".join(unused)
            note = f"{names}: not used, since there are definitions of setlist's own; {unused_hint()}\n"
    else:
        lines, note = [], "no sessions\n"
    text = "".join(f"{line}\n" for line in lines)
    context.out.write(text)
    if note:
        context.err.write(note)
    if words is not None:
        keep_listing(words, context, world, context.out.plain(text), context.err.plain(note))


def _table(context: Context, sessions: Sequence[SessionSpec], ready: Collection[str]) -> list[str]:
    defaults = default_names(context)
    head = (
        "",
        "session",
        context.registry.index.only_provider or "alias",
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
    """Print a table to stdout, see :func:`columns`."""
    for line in columns(context, head, rows):
        context.out.line(line)


def columns(context: Context, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: as wide as the terminal, or plain aligned columns in a pipe.

    Columns that are empty in every row are left out.
    """
    used = [index for index in range(len(head)) if any(row[index] for row in rows)]
    head = [head[index] for index in used]
    rows = [[escaped_line(row[index]) for index in used] for row in rows]
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
    # rich only lays out; Terminal prints, since it decides on colour and on characters that the stream can't encode
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
    """The documented JSON of the sessions. ``ready`` are the names of those with a finished environment."""
    from setlist.registry.definition_errors import lines_of_sessions

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
    """The JSON of one session. ``line`` is the line at which its definition begins.

    ``matrix`` has the session's value on each axis. ``default``: a bare ``run`` runs it. ``ready``: its environment is
    finished.
    """
    from setlist.core.plugins import find_provider, providers
    from setlist.registry.keys import KEYS

    keys = {key.name: _key_json(key, session) for key in KEYS.values() if key.part != "definition"}
    return {
        "name": session.name,
        "family": session.family,
        "file": session.origin.file,
        "line": line,
        **keys,
        "default": default,
        "function": None if session.function is None else f"{session.function.file}:{session.function.name}",
        **{name: find_provider(name).details(session) if name == session.provider else None for name in providers()},
        "ready": ready,
    }


def _key_json(key: Key, session: SessionSpec) -> object:
    value = getattr(session.environment if key.part == "environment" else session, key.field)
    if key.name == "run":
        return [_command_json(command) for command in value]
    return dict(value) if key.type.pairs else dump(value)


def _command_json(command: Command) -> dict[str, object]:
    from setlist.registry.keys import COMMAND_KEYS

    values = {key.name: getattr(command, key.field) for key in COMMAND_KEYS.values()}
    return {
        **{name: dict(value) if COMMAND_KEYS[name].type.pairs else dump(value) for name, value in values.items()},
        "cmd": command.words[0] if command.shell else list(command.words),
    }
