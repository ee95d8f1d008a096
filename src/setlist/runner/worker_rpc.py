"""The other end of a worker's pipes: who started it, and only can do some things for it."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from setlist.core.events import CommandFinished, CommandStarted, Event, to_json


class Host:
    """The other end: takes lines, and answers each. Threads may share it."""

    def __init__(self, reader: int, writer: int) -> None:
        for descriptor in (reader, writer):
            os.set_inheritable(descriptor, False)
        self._reader = os.fdopen(reader, "r", encoding="utf-8")
        self._writer = os.fdopen(writer, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self.commands = 0
        """How many commands are running."""

    def receive(self) -> Any:
        """The next line of the host.

        Raises:
            EOFError: it is gone.
        """
        line = self._reader.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def ask(self, message: Mapping[str, Any]) -> Any:
        """Say something, and wait for what is said to it.

        Raises:
            EOFError: the host is gone.
        """
        # what was printed so far comes before what is told now
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        with self._lock:
            try:
                self._writer.write(json.dumps(message) + "\n")
                self._writer.flush()
            except OSError as error:
                raise EOFError from error
            return self.receive()

    def emit(self, event: Event) -> None:
        """Tell of an event. It has been told on when this returns."""
        if isinstance(event, CommandStarted):
            self.commands += 1
        elif isinstance(event, CommandFinished):
            self.commands -= 1
        self.ask(to_json(event))
