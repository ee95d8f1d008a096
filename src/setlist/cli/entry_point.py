"""The entry points ``run`` and ``setlist``: try the fast path, then import the rest of the program."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_script() -> int:
    """The command ``run``. Returns the exit code, unless it leaves this process itself."""
    return _leave(main())


def setlist_script() -> int:
    """The command ``setlist``. Returns the exit code, unless it leaves this process itself."""
    return _leave(setlist())


def main() -> int:
    """Run sessions, or list them. Returns the exit code."""
    try:
        import gc

        # imported code isn't garbage: collecting takes a tenth of the time of a short run
        gc.disable()
        _occupy_closed_streams()
        from setlist.cli import fast_path

        argv = sys.argv[1:]
        if os.name == "posix":
            may_be_kept = set(fast_path.options_of(argv)).issubset(fast_path.OPTIONS)
            code = fast_path.run_again(argv) if may_be_kept else _listed("run", *argv)
            if code is not None:
                return code
            if may_be_kept:
                _start_worker_for_files()
        return _whole("run", argv)
    except KeyboardInterrupt:
        return _interrupted()


def setlist() -> int:
    """Carry out a verb. Returns the exit code."""
    _occupy_closed_streams()
    try:
        argv = sys.argv[1:]
        if argv[:1] == ["completion"] and argv[2:3] == ["--"]:
            return _completed(argv[1:])
        code = _listed(*argv) if os.name == "posix" else None
        if code is not None:
            return code
        if argv and os.name == "posix":
            _start_worker(argv[0])  # the verb of a provider is named after it
        return _whole("setlist", argv)
    except KeyboardInterrupt:
        return _interrupted()


def _occupy_closed_streams() -> None:
    if os.name == "posix" and None in (sys.stdin, sys.stdout, sys.stderr):
        from setlist.core.system import occupy_standard_descriptors

        occupy_standard_descriptors()


def _whole(program: str, argv: Sequence[str]) -> int:
    import gc

    gc.set_threshold(100_000, 20, 20)
    gc.enable()
    try:
        if program == "run":
            from setlist.cli.run import main
        else:
            from setlist.cli.main import main
        code = main(argv)
    finally:
        if prestart := sys.modules.get("setlist.process.prestart"):
            prestart.end()
    return code


def _start_worker_for_files() -> None:
    """Start the worker of the provider whose definitions lie here."""
    from setlist.providers import FILES

    for file, provider in FILES.items():
        if os.path.isfile(file):
            _start_worker(provider)
            return


def _start_worker(provider: str) -> None:
    """Start a provider's worker, if it has one: it imports what it needs while this process does."""
    from setlist.providers import WORKERS

    if module := WORKERS.get(provider):
        from setlist.core.system import has_controlling_terminal
        from setlist.process import prestart

        prestart.start(module, own_group=not has_controlling_terminal())


def _listed(*words: str) -> int | None:
    """Print the text that is kept of a listing. Returns the exit code; None: nothing was printed."""
    if not {"-l", "--list", "list"}.intersection(words):
        return None
    from setlist.cli import fast_path

    return fast_path.list_again(words) if fast_path.is_listing(words) else None


def _completed(argv: Sequence[str]) -> int:
    """Answer a shell that completes a command line."""
    import gc

    gc.disable()
    from setlist.cli.completion import answer

    return answer(argv)


def _interrupted() -> int:
    # an interrupt before the signal handlers are installed, or after they are removed
    from setlist.reports.terminal import Terminal

    Terminal.of(sys.stderr, {}, lossy=True).line("interrupted")
    return 130


def _leave(code: int) -> int:
    """End this process without taking apart what was imported, which takes a tenth of the time of a warm run.

    Returns:
        the exit code, if Python has to end the process in its own way.
    """
    if "coverage" in sys.modules:  # it writes what it has seen when Python ends
        return code
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return code  # Python says so
    os._exit(code)
