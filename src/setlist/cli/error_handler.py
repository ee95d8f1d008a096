"""Turn an exception that a command raised into one message and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import SetlistError

if TYPE_CHECKING:
    from setlist.cli.context import Context

INTERRUPTED = 130
BROKEN_PIPE = 141
"""The exit code of a program that SIGPIPE ended (128 + 13): the reader of our standard output has exited."""
OUTPUT_LOST = 74
"""Standard output can't be written for another reason: a full disk, a closed stream (sysexits.h: ``EX_IOERR``)."""
BUG = 1


def run_cli(command: Callable[[Sequence[str], Context], int], argv: Sequence[str], context: Context) -> int:
    """Run a command and return its exit code. Every exception becomes an exit code."""
    from setlist.process.signals import raising_signals

    try:
        with raising_signals():
            code = command(argv, context)
        # sessions continue when their output can't be written
        lost = _lost(context, " ('setlist last' prints the recorded output of sessions)")
        return code or lost
    except SetlistError as error:
        context.print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        context.err.line("interrupted")
        return INTERRUPTED
    except Exception as error:
        if error is context.out.lost:
            return _lost(context)
        return _unexpected(error, argv, context)
    except BaseException as error:
        from setlist.process.spawn import Interrupted

        if isinstance(error, Interrupted):
            return error.exit_code
        raise
    finally:
        context.restore()
        for terminal in (context.out, context.err):
            if terminal.broken:
                from setlist.core.system import forget_unwritten

                forget_unwritten(terminal.stream)


def _lost(context: Context, more: str = "") -> int:
    """Print that output couldn't be written, and return the exit code for it; 0 if no output was lost."""
    # standard error counts as well: sessions print to it, and both may be the same pipe or file
    name, lost = "standard output", context.out.lost
    if lost is None:
        name, lost = "standard error", context.err.lost
    if lost is None:
        return 0
    context.print_error(SetlistError(f"{name} can't be written: {lost.strerror or lost}{more}"))
    return BROKEN_PIPE if isinstance(lost, BrokenPipeError) else OUTPUT_LOST


def _unexpected(error: Exception, argv: Sequence[str], context: Context) -> int:
    """Print one line for an unexpected exception, and write its traceback to a file. A full disk isn't a bug."""
    import errno

    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.EIO,
    ):
        path = f" ({error.filename})" if error.filename else ""
        context.print_error(SetlistError(f"system error: {error.strerror}{path}"))
        return SetlistError.exit_code
    log = _crash_log(error, argv, context)
    summary = f"{type(error).__name__}: {error}".splitlines()[0]
    context.print_error(
        SetlistError(
            f"this is a bug in setlist: {summary}",
            hint=f"the full traceback is in {log}" if log else "the traceback couldn't be written to a file",
        )
    )
    return BUG


def _crash_log(error: Exception, argv: Sequence[str], context: Context) -> Path | None:
    import os
    import sys
    import tempfile
    import time
    import traceback

    from setlist import __version__
    from setlist.core.files import write_atomically
    from setlist.core.logins import masked

    text = "".join(
        [
            f"setlist {__version__}, Python {sys.version}, {sys.platform}\n",
            f"arguments: {list(argv)!r}\n\n",
            *traceback.format_exception(error),
        ]
    )
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    project = context.known_project
    for directory in ([project.logs] if project else []) + [Path(tempfile.gettempdir())]:
        try:
            if project is not None and directory == project.logs:
                project.prepare()
            write_atomically(directory / name, masked(text).encode("utf-8", "backslashreplace"))
        except (OSError, SetlistError):
            continue
        return directory / name
    return None
