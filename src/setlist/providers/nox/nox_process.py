"""A process that has loaded a noxfile: it reads nox's command line, and runs sessions one after the other.

The host's side of what :mod:`setlist.providers.nox.nox_worker` describes. Loading nox and a noxfile takes most of the
time of a session that does little, so sessions that follow one another share a process, as they do under nox. A session
whose output is captured, or that has variables of its own (one of several that run side by side), has a process of its
own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from setlist.core.records import dataclass
from setlist.process.bootstrap import program
from setlist.process.prestart import Prestarted, adopt
from setlist.process.signals import guarded
from setlist.process.spawn import Capture, Completed, Grace, run_process
from setlist.process.threads import following, join, take
from setlist.providers import WORKERS
from setlist.providers.nox.backends import PROVIDER
from setlist.runner.error_text import how_it_went
from setlist.runner.worker_rpc import Link

MODULE = WORKERS[PROVIDER]

Key = tuple[str, str, tuple[str, ...]]
"""A loaded noxfile: its directory, its name there, and the words of nox's command line that count."""


class Answers(Protocol):
    """What a session needs while it runs."""

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is answered to a line of the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How such a process is started; ``capture`` and ``keep_open`` are those of :func:`.run_process`."""

    python: Path
    environ: Mapping[str, str]
    cwd: Path
    grace: Grace
    capture: bool | Capture = False
    keep_open: tuple[int, ...] = ()


class NoxProcess:
    """One such process, from its start to its end.

    A thread of its own waits for it and answers it, while others say what is to be done, and wait for what comes of it.

    Attributes:
        loaded: the noxfile that it has loaded, or is loading; None: none yet.
        held: what is given back when it has ended.
    """

    def __init__(self, launch: Launch) -> None:
        self.loaded: Key | None = None
        self.held = ExitStack()
        self._launch = launch
        self._ends: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        started = self._prestarted = _prestarted(launch)
        self._link = _NoxLink(self._ends.put, None if started is None else (started.reader, started.writer))
        self._completed: Completed | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="noxfile")
        self._thread.start()
        self._link.is_started.wait()

    def _run(self) -> None:
        launch = self._launch
        try:
            with following():
                self._completed = run_process(
                    [str(launch.python), "-c", program(MODULE), *self._link.named],
                    env=launch.environ,
                    cwd=launch.cwd,
                    capture=launch.capture,
                    grace=launch.grace,
                    keep_open=(*self._link.inherited, *launch.keep_open),
                    service=self._link,
                    prestarted=self._prestarted,
                )
        except BaseException as error:
            self._error = error
        finally:
            self._link.is_started.set()
            self._ends.put(None)

    @property
    def is_alive(self) -> bool:
        """Whether it can do one thing more."""
        return self._completed is None and self._error is None

    def say(self, message: Mapping[str, Any], answers: Answers | None = None) -> None:
        """Tell it what to do, and who answers what it asks meanwhile."""
        self._link.answers = answers or self._link.answers
        self._link.say(message)

    def result(self) -> Mapping[str, Any]:
        """Wait until it has done what it was told, and return what came of it.

        Raises:
            CommandRefused: the process couldn't be started.
            Interrupted: a signal reached us, and it is gone.
        """
        with guarded():
            result = take(self._ends)
        self._link.answers = None
        if result is not None:
            return result
        if self._error is not None:
            raise self._error
        assert self._completed is not None
        return {"status": "gone", "code": self._completed.code, "reason": how_it_went(self._completed)}

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._link.hang_up()
        with guarded():
            join(self._thread)
        self._link.close()
        self.held.close()


class NoxProcesses:
    """The processes of one run that wait for the next session. For the use of several threads.

    They are started with the caller's variables, and write straight to our own streams.
    """

    def __init__(self) -> None:
        self._idle: list[NoxProcess] = []

    def take(self, loaded: Key) -> NoxProcess | None:
        """One that has loaded this noxfile; None where there is none."""
        for process in self._idle:
            if process.loaded == loaded and process.is_alive:
                self._idle.remove(process)
                return process
        return None

    def keep(self, process: NoxProcess) -> None:
        """Let it wait for the next session."""
        self._idle.append(process)

    def close(self) -> None:
        """End them all."""
        while self._idle:
            self._idle.pop().close()


def _prestarted(launch: Launch) -> Prestarted | None:
    """The worker that the entry point has started, if it is what would be started now."""
    if launch.capture or launch.keep_open or launch.python != Path(sys.executable):
        return None
    return adopt(MODULE, launch.environ)


class _NoxLink(Link):
    """Two pipes to such a process, for as long as it lives."""

    def __init__(self, ended: Callable[[Mapping[str, Any]], None], pipes: tuple[int, int] | None) -> None:
        super().__init__(None, pipes)
        self._ended = ended
        self._result: Mapping[str, Any] | None = None
        self.is_started = threading.Event()
        self.answers: Answers | None = None

    def started(self) -> None:
        super().started()
        self.is_started.set()

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if "result" in message:
            self._result = message["result"]
            return {}
        return {} if self.answers is None else self.answers.answer(message)

    def say(self, message: Mapping[str, Any]) -> None:
        super().say(message)
        # whoever waits for it may say something at once, which is to come after the answer
        if self._result is not None:
            result, self._result = self._result, None
            self._ended(result)

    def hang_up(self) -> None:
        """Let it see that nothing more will come."""
        with suppress(OSError):
            os.close(self._writer)
        self._writer = -1
