"""The outermost edge: what a command raised becomes one message and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.errors import SetlistError

if TYPE_CHECKING:
    from setlist.cli.context import Context

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended (128 + 13)."""
BUG = 1


def at_the_edge(command: Callable[[Sequence[str], Context], int], argv: Sequence[str], context: Context) -> int:
    """Run a command and return its exit code, whatever it raises."""
    try:
        code = command(argv, context)
        context.out.stream.flush()
        return code
    except SetlistError as error:
        context.tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        context.err.line("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except Exception as error:
        return _unexpected(error, argv, context)
    except BaseException as error:
        from setlist.process import Interrupted

        if isinstance(error, Interrupted):
            return error.exit_code
        raise
    finally:
        context.leave()


def _forget_stdout() -> None:
    """Keep Python from flushing into the closed pipe when it ends, and from telling that it failed."""
    import os
    import sys
    from contextlib import suppress

    with suppress(OSError, ValueError, AttributeError):  # not a real stream: nothing will be flushed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception, argv: Sequence[str], context: Context) -> int:
    """What nobody foresaw: one line, and the traceback in a file. The machine's fault isn't a bug."""
    import errno

    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.EIO,
    ):
        path = f" ({error.filename})" if error.filename else ""
        context.tell(SetlistError(f"the system says: {error.strerror}{path}"))
        return SetlistError.exit_code
    log = _crash_log(error, argv, context)
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    context.tell(
        SetlistError(
            f"this is a bug in setlist: {told}",
            hint=f"the full traceback is in {log}" if log else "the full traceback couldn't be written anywhere",
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
    from setlist.files import write_atomically

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
            write_atomically(directory / name, text.encode("utf-8", "backslashreplace"))
        except (OSError, SetlistError):
            continue
        return directory / name
    return None
