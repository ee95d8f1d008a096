"""The command ``run``, from its very first moment: a warm run if it can be one, else the whole program."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.warm import Trouble


def main() -> int:
    """The command ``run``. Returns the exit code."""
    try:
        from setlist import warm

        argv = sys.argv[1:]
        if argv and os.name == "posix" and not warm.has_options(argv):
            code = warm.again(argv, _trouble)
            if code is not None:
                return code
        import gc

        gc.disable()  # among what is imported there is no garbage
        from setlist.cli.run import main as whole

        gc.enable()
        code = whole(argv)
        gc.freeze()  # nor does it matter any more
        return code
    except KeyboardInterrupt:
        # before anybody listens to signals, or after
        sys.stderr.write("interrupted\n")
        return 130


def _trouble() -> Trouble:
    from setlist.cli import aftermath

    return aftermath
