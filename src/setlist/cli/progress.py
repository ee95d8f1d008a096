"""A line that says how far something is, for a person who waits; gone when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from setlist.reports.terminal import Terminal

Progress = Callable[[int, int], None]


@contextmanager
def progress_line(terminal: Terminal, what: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Show ``what`` and a bar while inside; hands out what is told (done, of).

    Nothing is shown in a pipe, or when ``quiet``.
    """
    if quiet or not terminal.interactive:
        yield _nobody_looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(file=terminal.stream, no_color=not terminal.color)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def told(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield told


def _nobody_looks(done: int, of: int) -> None:
    """Progress in a pipe: none."""
