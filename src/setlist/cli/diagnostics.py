"""Where log records go: to stderr, coloured by colorlog, from ``-v`` on.

Nothing here is imported before ``-v`` is given: a warning that is logged without it is printed by
``logging``'s own last resort, plainly, and costs nothing as long as there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setlist.reports.terminal import Terminal


class _TerminalHandler(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self.terminal.lines(self.format(record))


def show_diagnostics(terminal: Terminal, verbosity: int) -> Callable[[], None]:
    """Print setlist's log records: informative ones with ``-v``, all with ``-vv``.

    With ``-vvv`` those of the libraries too.

    Returns:
        What undoes it: loggers are the process's own, and a command leaves them as they were.
    """
    from colorlog import ColoredFormatter

    logger = logging.getLogger() if verbosity > 2 else logging.getLogger("setlist")
    level = logger.level
    handler = _TerminalHandler(terminal)
    handler.setFormatter(
        ColoredFormatter("%(log_color)s%(levelname)s%(reset)s %(name)s: %(message)s", no_color=not terminal.color)
    )
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)

    def undo() -> None:
        logger.removeHandler(handler)
        logger.setLevel(level)

    return undo
