"""The pipes between a worker process and its host, which started it: the end of each."""

from __future__ import annotations

import json
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from setlist.core import system
from setlist.core.events import CommandFinished, CommandStarted, Event, to_json

READ_AT_ONCE = 1 << 16


class Host:
    """The worker's end: sends lines to the host, which answers each. Threads may share it."""

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


class Link(ABC):
    """The host's end: starts a worker's work, and answers each line of it. Used in one thread.

    Args:
        job: the first line that the worker is sent; None if it is sent later.
        pipes: the descriptors to read from and to write to, if the worker was started already.
    """

    def __init__(self, job: Mapping[str, Any] | None, pipes: tuple[int, int] | None = None) -> None:
        self._received = b""
        self.finished = False
        self.inherited: tuple[int, ...] = ()
        if pipes is not None:
            self.reader, self._writer = pipes
        else:
            self.reader, far_writer = os.pipe()
            far_reader, self._writer = os.pipe()
            self.inherited = (far_reader, far_writer)
        self.named = [str(system.inheritable(descriptor)) for descriptor in self.inherited]
        self._job = job

    def started(self) -> None:
        """The worker has its ends: it is told what to do."""
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = ()
        if self._job is not None:
            self.say(self._job)
            self._job = None

    def ready(self) -> bool:
        """Read what the worker said, and answer each line."""
        try:
            data = os.read(self.reader, READ_AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.finished = True
            return False
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self.say(self.answer(json.loads(line)))
        return True

    def close(self) -> None:
        """Be done with the pipes."""
        for descriptor in (self.reader, self._writer, *self.inherited):
            with suppress(OSError):
                os.close(descriptor)
        self.inherited = ()

    @abstractmethod
    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a line of the worker."""

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a line to the worker."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._writer, data) :]
        except OSError:  # the worker is gone; how it ended is seen elsewhere
            self.finished = True
