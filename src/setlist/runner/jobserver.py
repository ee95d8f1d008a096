"""A GNU make jobserver: sessions with ``jobserver = true`` share the processors, and so do the makes inside of them.

A pipe holds a token for each processor that nobody uses. Whoever speaks the protocol (make, ninja from 1.13 on, cargo,
gcc's link-time optimisation) takes one before it starts a second job and puts it back after; its first job goes on what
the session itself has. So all of them together start no more jobs than there are processors, and one that is left by
itself gets all. The protocol: "POSIX Jobserver Interaction" in GNU make's manual.

POSIX only: on Windows make uses semaphores, which nothing else reads; the key does nothing there.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from setlist.core.errors import StorageError
from setlist.core.model import SessionSpec
from setlist.runner.cpus import share_of

TOKEN = b"+"

MOST = 4096
"""Tokens that fit into any system's pipe."""


class Jobserver:
    """The pipe with the tokens. May be used by several threads.

    Attributes:
        descriptors: what a process has to inherit in order to take part.
    """

    def __init__(self, cpus: int, at_once: int) -> None:
        """Make the pipe.

        Args:
            cpus: processors that the run may use.
            at_once: how many sessions run at once at most.

        Raises:
            StorageError: there is no room for it among the temporary files.
        """
        self._cpus = cpus
        self._at_once = at_once
        self._lock = threading.Lock()
        self._collector: threading.Thread | None = None
        self._closed = False
        self._taken = 0
        self._taking_part = 0
        # tokens that there are: in the pipe, or with those that took them
        self._tokens = 0
        self.descriptors: tuple[int, ...] = ()
        self._own = -1
        if sys.platform != "win32":
            self._own, *theirs = _open_pipe()
            self.descriptors = tuple(theirs)

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """``MAKEFLAGS`` for a session that takes part.

        Args:
            base: what it sees otherwise. Its own flags stay, but not an outer make's jobserver: it isn't within reach.
        """
        if not self.descriptors:
            return {}
        pipe = ",".join(map(str, self.descriptors))
        flags, dashes, variables = f" {base.get('MAKEFLAGS', '')} ".partition(" -- ")
        kept = [word for word in flags.split() if not _is_about_jobs(word)]
        # the older spelling is for make before 4.2, which is what macOS has
        kept += [f"-j{self._cpus}", f"--jobserver-fds={pipe}", f"--jobserver-auth={pipe}"]
        # a first word without a dash would be taken for letters of options
        lead = "" if kept[0][0] != "-" else " "
        return {"MAKEFLAGS": f"{lead}{' '.join(kept)}{dashes}{variables}".rstrip()}

    def started(self, session: SessionSpec) -> None:
        """A session runs from now on, whether it takes part or not: it uses its share, or one processor and tokens."""
        if not self.descriptors:
            return
        with self._lock:
            if session.jobserver:
                if not self._taking_part:
                    self._refill()
                self._taking_part += 1
            self._taken += self._cost(session)
            self._settle()

    def ended(self, session: SessionSpec) -> None:
        """A session that was told to have ``started`` has ended."""
        if not self.descriptors:
            return
        with self._lock:
            self._taking_part -= session.jobserver
            self._taken -= self._cost(session)
            self._settle()

    @contextmanager
    def used_by(self, session: SessionSpec) -> Iterator[None]:
        """A session runs within the block."""
        self.started(session)
        try:
            yield
        finally:
            self.ended(session)

    def close(self) -> None:
        """Give the pipe back."""
        if not self.descriptors:
            return
        with self._lock:
            self._closed = True
            collector = self._collector
            os.write(self.descriptors[1], TOKEN)  # wakes it
        if collector is not None:
            collector.join()
        for descriptor in (self._own, *self.descriptors):
            os.close(descriptor)
        self.descriptors = ()

    def _cost(self, session: SessionSpec) -> int:
        if session.jobserver:
            return 1
        return share_of(self._cpus, self._at_once, alone=session.exclusive or session.interactive)

    def _settle(self) -> None:
        """Put in or take out tokens, so that there are as many as nobody's processors."""
        missing = self._wanted() - self._tokens
        if missing > 0:
            os.write(self.descriptors[1], TOKEN * missing)
            self._tokens += missing
        while self._tokens > self._wanted() and self._take():
            pass
        if self._tokens > self._wanted() and self._collector is None:
            # they are in use, and taken out as they come back
            self._collector = threading.Thread(target=self._collect, name="jobserver", daemon=True)
            self._collector.start()

    def _wanted(self) -> int:
        return min(max(0, self._cpus - self._taken), MOST)

    def _take(self) -> bool:
        try:
            taken = os.read(self._own, 1)
        except BlockingIOError:
            return False
        self._tokens -= len(taken)
        return bool(taken)

    def _refill(self) -> None:
        """Nobody has a token now. One that was killed has taken its own with it."""
        while self._take():
            pass
        self._tokens = 0

    def _collect(self) -> None:
        """Wait for tokens that are too many."""
        import select

        while True:
            select.select([self._own], [], [])
            with self._lock:
                if self._closed or self._tokens <= self._wanted():
                    self._collector = None
                    return
                self._take()


def _is_about_jobs(word: str) -> bool:
    return word.startswith(("--jobserver", "--jobs")) or (word.startswith("-j") and word[2:].isdigit()) or word == "-j"


def _open_pipe() -> tuple[int, int, int]:
    """Our reading end, and theirs for reading and writing.

    Theirs block, or don't, as the first make sets them; ours never does. So they have to be opened apart from each
    other, which takes a pipe with a name.
    """
    import tempfile

    from setlist.core.files import temporary_directory

    if sys.platform == "win32":
        raise AssertionError("make has no pipe there")
    try:
        with temporary_directory() as place:
            path = os.path.join(place, "tokens")
            os.mkfifo(path, 0o600)
            own = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            write = os.open(path, os.O_WRONLY)
            return own, os.open(path, os.O_RDONLY), write
    except OSError as error:
        raise StorageError(
            f"can't make a jobserver in {tempfile.gettempdir()}: {error.strerror or error}",
            hint="TMPDIR names another directory for temporary files",
        ) from error
