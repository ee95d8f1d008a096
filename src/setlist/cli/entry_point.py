"""The commands, from their very first moment: the same as last time if it can be that, else the whole program."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setlist.engine.warm import Trouble


def main() -> int:
    """The command ``run``. Returns the exit code."""
    _occupy_closed_streams()
    try:
        from setlist.engine import warm

        argv = sys.argv[1:]
        if argv and os.name == "posix":
            known = set(warm.options_of(argv)).issubset(warm.OPTIONS)
            code = warm.again(argv, _trouble) if known else _listed("run", *argv)
            if code is not None:
                return code
        return _whole("run", argv)
    except KeyboardInterrupt:
        return _interrupted()


def setlist() -> int:
    """The command ``setlist``. Returns the exit code."""
    _occupy_closed_streams()
    try:
        argv = sys.argv[1:]
        code = _listed(*argv) if os.name == "posix" else None
        if code is not None:
            return code
        return _whole("setlist", argv)
    except KeyboardInterrupt:
        return _interrupted()


def _occupy_closed_streams() -> None:
    if os.name == "posix" and None in (sys.stdin, sys.stdout, sys.stderr):
        from setlist.core.system import occupy_standard_descriptors

        occupy_standard_descriptors()


def _whole(program: str, argv: Sequence[str]) -> int:
    import gc

    # what is imported and read is no garbage: to look for some takes a tenth of a short run's own time
    gc.set_threshold(20_000, 20, 20)
    if program == "run":
        from setlist.cli.run import main
    else:
        from setlist.cli.main import main
    code = main(argv)
    gc.freeze()  # nor does it matter any more
    return code


def _listed(*words: str) -> int | None:
    """The exit code of a listing that is the same as last time; None where it is none, or may be another one."""
    if not {"-l", "--list", "list"}.intersection(words):
        return None
    from setlist.cli import relisting

    return relisting.again(words) if relisting.is_listing(words) else None


def _interrupted() -> int:
    # before anybody listens to signals, or after
    from setlist.reports.terminal import Terminal

    Terminal.of(sys.stderr, {}, lossy=True).line("interrupted")
    return 130


def _trouble() -> Trouble:
    from setlist.cli import aftermath

    return aftermath
