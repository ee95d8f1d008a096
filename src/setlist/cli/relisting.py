"""Fast path of ``run --list``: print the cached listing if none of its inputs changed.

A listing depends on the definitions and on which environments exist. Its output is an entry of the trace store. If all
that was looked at and the width of the terminal are unchanged, it is printed before the whole program is imported. For
thousands of sessions this takes a few milliseconds instead of more than a hundred.
"""

from __future__ import annotations

import os
import sys

from setlist.engine import warm
from setlist.engine.trace import Found, Store
from setlist.engine.world import KIND, World

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from setlist.cli.context import Context

LONGEST = 2**20
"""The maximum number of characters of a cached listing."""


def is_listing(words: Sequence[str]) -> bool:
    """Whether a command line, beginning with ``run`` or the verb, asks for a listing."""
    if words[0] == "run":
        options = words[: words.index("--")] if "--" in words else words
        return "-l" in options or "--list" in options
    return words[0] == "list"


def again(words: Sequence[str]) -> int | None:
    """Print the cached listing.

    Args:
        words: the command line, as for :func:`is_listing`.

    Returns:
        the exit code. None: the listing may have changed, and nothing was printed.
    """
    try:
        cwd = os.getcwd()
        found = Store(f"{cwd}/{warm.STORE}", cwd, os.environ).get(_key(words, cwd))
    except OSError:
        return None
    if not isinstance(found, Found):
        return None
    out, err = found.value
    try:
        sys.stdout.write(out)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return _refused(out, words)
    if err:
        from setlist.reports.terminal import Terminal

        Terminal.of(sys.stderr, os.environ, lossy=True).put(err)
    return 0


def keep(words: Sequence[str], context: Context, world: World, out: str, err: str) -> None:
    """Write the record of a listing that has just been printed. Errors are ignored.

    Args:
        words: the command line, as for :func:`is_listing`.
        context: its context.
        world: what was looked at for it beside the definitions, see :func:`finished_environments`.
        out: what was written to standard output.
        err: what was written to standard error.
    """
    from setlist.core.errors import StorageError
    from setlist.core.project import ENV_DIR

    loaded = context.loaded
    if loaded.trace is None or not _can_be_kept(context, out):
        return
    world.include_trace(loaded.trace)
    world.variable(ENV_DIR)
    try:
        context.project.prepare()
        context.store.put(_key(words, world.root), world, (out, err))
    except (OSError, StorageError):
        pass


def _can_be_kept(context: Context, out: str) -> bool:
    """Whether the output depends only on what the trace and the key hold."""
    root = context.project.root
    return (
        context.verbosity <= 0
        and len(out) <= LONGEST
        and context.caller.cwd == root
        and os.getcwd() == str(root)
        and dict(os.environ) == context.caller.environ
        and (context.out.stream, context.err.stream) == (sys.stdout, sys.stderr)
    )


def finished_environments(directory: str, record: str, world: World) -> tuple[str, ...]:
    """The names of the environments in a directory that have the record of a finished one, in order."""
    names = [name.rstrip("/") for name in world.names(directory) or () if name.endswith("/") and name[0] != "."]
    return tuple(name for name in names if world.look(KIND, f"{directory}/{name}/{record}") == "file")


def _key(words: Sequence[str], cwd: str) -> str:
    # variables determine the colours and the width of a terminal, and don't matter for a pipe
    return warm.key_of("listing", [*words, repr(_streams())], cwd, dict(os.environ) if os.isatty(1) else {})


def _streams() -> tuple[Any, ...]:
    """The encodings of the streams, and the sizes of their terminals: any of them determines the width of the table."""
    encodings = tuple(getattr(stream, "encoding", None) for stream in (sys.stdout, sys.stderr))
    return encodings, tuple(map(_size, (0, 1, 2))) if os.isatty(1) else ()


def _size(descriptor: int) -> tuple[int, ...] | None:
    try:
        return tuple(os.get_terminal_size(descriptor))
    except OSError:
        return None


def _refused(text: str, words: Sequence[str]) -> int:
    """Report a closed pipe, a full disk or a closed stream as the whole program does."""
    from setlist.cli.context import Context
    from setlist.cli.error_handler import run_cli

    def show(_: Sequence[str], context: Context) -> int:
        context.out.put(text)
        return 0

    return run_cli(show, words, Context.current())
