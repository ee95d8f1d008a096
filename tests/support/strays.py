"""Processes that might stay behind, found whatever they have done to be forgotten.

::

    strays = Strays(tmp_path)
    start_something(env={**os.environ, **strays.variables})   # they inherit the variable …
    ["tail", "-f", str(strays.file)]                          # … or, having emptied the environment, name the file
    assert strays.alive() == []
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

PATIENCE = 60.0
"""Seconds until a test gives up waiting; nothing that works comes near it."""


def until(condition: Callable[[], Any], what: object = None) -> Any:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        time.sleep(0.005)
    return value


class Strays:
    """What has a certain variable in its environment, or a certain file among its arguments."""

    def __init__(self, directory: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.file = directory / self.mark
        self.file.touch()
        self.variables = {"STRAY_OF_TEST": self.mark, "STRAY": str(self.file)}

    def alive(self, *, but: Iterable[int] = ()) -> list[psutil.Process]:
        """Those that are there now, a few excepted."""
        others = set(but)
        return [process for process in psutil.process_iter() if process.pid not in others and self._is_one(process)]

    def names(self) -> list[str]:
        """The programs of those that are there now. One may end before it is asked for its name."""
        found = []
        for process in self.alive():
            with suppress(psutil.Error):
                found.append(process.name())
        return found

    def _is_one(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False  # it has ended; that nobody has waited for it is not its fault
            if any(self.mark in word for word in process.cmdline()):
                return True
        with suppress(psutil.Error, OSError):
            return process.environ().get("STRAY_OF_TEST") == self.mark
        return False

    def shown(self) -> list[str]:
        """Those that are there now, as a person wants to see them."""
        found = []
        for process in self.alive():
            with suppress(psutil.Error):
                found.append(f"{process.pid} (of {process.ppid()}): {' '.join(process.cmdline())}")
        return found

    def end(self) -> None:
        """End them all, those included that they start meanwhile."""
        while found := self.alive():
            for process in found:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(found, timeout=1.0)
