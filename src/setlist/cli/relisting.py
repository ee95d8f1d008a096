"""Fast path of ``run --list``: print the cached listing if none of its inputs changed.

A listing depends on the definitions and on which environments exist. Its output is stored with the signatures of the
definition files and of the places where more of them could appear, and with the names of the environments. If all of
these and the width of the terminal are unchanged, the output is printed before the rest of the program is imported.
For thousands of sessions this takes a few milliseconds instead of more than a hundred.
"""

from __future__ import annotations

import os
import sys

from setlist.engine import warm

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from setlist.cli.context import Context

FORMAT = 1

FOLDER = "listed"
"""The directory of records in the state directory."""

MOST = 16
"""The maximum number of records."""

LONGEST = 2**20
"""The maximum number of characters of a cached listing."""

_SEAL = 32
"""Characters of the digest at the beginning of a record, of all that follows it."""


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
        data = warm.read_record(FOLDER, _key(words, cwd), cwd)
    except OSError:
        return None
    seal, content = data[:_SEAL], data[_SEAL:]
    # marshal must only read what it wrote: it doesn't validate its input
    if seal != warm.digest(content).encode():
        return None
    from marshal import loads

    record = loads(content)  # noqa: S302 - as trusted as compiled Python is
    if not (
        record["by"] == _written_by()
        and record["streams"] == _streams()
        and all(_signed(os.environ.get(name)) == value for name, value in record["variables"])
        and all(warm.signature(path) == value for path, value in record["files"])
        and finished_environments(record["environments"], record["state"]) == record["finished"]
    ):
        return None
    try:
        sys.stdout.write(record["out"])
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return _refused(record["out"], words)
    if record["err"]:
        from setlist.reports.terminal import Terminal

        Terminal.of(sys.stderr, os.environ, lossy=True).put(record["err"])
    return 0


def keep(words: Sequence[str], context: Context, finished: Iterable[str], out: str, err: str) -> None:
    """Write the record of a listing that has just been printed. Errors are ignored.

    Args:
        words: the command line, as for :func:`is_listing`.
        context: its context.
        finished: the names of the finished environments, see :func:`finished_environments`.
        out: what was written to standard output.
        err: what was written to standard error.
    """
    from setlist.core.errors import StorageError

    try:
        if _can_be_kept(context, out):
            _write(words, context, finished, out, err)
    except (OSError, StorageError):
        pass


def _can_be_kept(context: Context, out: str) -> bool:
    """Whether the output depends only on what a record holds."""
    from setlist.registry.registry_cache import WHOLE

    root, loaded = context.project.root, context.loaded
    return (
        loaded.signatures is not None
        and bool(loaded.registry.sessions)
        # the definitions read all variables at once
        and WHOLE not in loaded.variables
        and context.verbosity <= 0
        and len(out) <= LONGEST
        and context.caller.cwd == root
        and os.getcwd() == str(root)
        and dict(os.environ) == context.caller.environ
        and (context.out.stream, context.err.stream) == (sys.stdout, sys.stderr)
    )


def _write(words: Sequence[str], context: Context, finished: Iterable[str], out: str, err: str) -> None:
    from marshal import dumps

    from setlist.core.files import write_atomically
    from setlist.core.logins import holds_login
    from setlist.core.project import ENV_DIR
    from setlist.environment.state import NAME

    project, loaded = context.project, context.loaded
    assert loaded.signatures is not None
    record = {
        "by": _written_by(),
        "streams": _streams(),
        "variables": tuple((name, _signed(context.caller.environ.get(name))) for name in (*loaded.variables, ENV_DIR)),
        "files": tuple((str(project.root / file), value) for file, value in loaded.signatures.items()),
        "environments": str(project.environments),
        "state": NAME,
        "finished": tuple(finished),
        "out": out,
        "err": err,
    }
    if holds_login(record):
        return
    content = dumps(record)
    project.prepare()
    place = project.state / FOLDER
    write_atomically(place / _key(words, str(project.root)), (warm.digest(content).encode(), content))
    for old in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST]:
        old.unlink(missing_ok=True)


def finished_environments(directory: str, record: str) -> tuple[str, ...]:
    """The names of the environments in a directory that have the record of a finished one, in order."""
    try:
        with os.scandir(directory) as entries:
            return tuple(sorted(entry.name for entry in entries if os.path.isfile(f"{entry.path}/{record}")))
    except OSError:
        return ()


def _key(words: Sequence[str], cwd: str) -> str:
    # variables determine the colours and the width of a terminal, and don't matter for a pipe
    return warm.key_of(words, cwd, dict(os.environ) if os.isatty(1) else {})


def _written_by() -> tuple[Any, ...]:
    """The version of the code that wrote a record and laid out its table."""
    return FORMAT, warm.signature(__file__), warm.signature(f"{os.path.dirname(__file__)}/listing.py")


def _streams() -> tuple[Any, ...]:
    """The encodings of the streams, and the sizes of their terminals: any of them determines the width of the table."""
    encodings = tuple(getattr(stream, "encoding", None) for stream in (sys.stdout, sys.stderr))
    return encodings, tuple(map(_size, (0, 1, 2))) if os.isatty(1) else ()


def _size(descriptor: int) -> tuple[int, ...] | None:
    try:
        return tuple(os.get_terminal_size(descriptor))
    except OSError:
        return None


def _signed(value: str | None) -> str | None:
    """The digest of a variable's value, which may be a secret."""
    return None if value is None else warm.digest(value.encode("utf-8", "surrogateescape"))


def _refused(text: str, words: Sequence[str]) -> int:
    """Report a closed pipe, a full disk or a closed stream as the whole program does."""
    from setlist.cli.context import Context
    from setlist.cli.error_handler import run_cli

    def show(_: Sequence[str], context: Context) -> int:
        context.out.put(text)
        return 0

    return run_cli(show, words, Context.current())
