"""Start a worker process before the rest of the program is imported. A run adopts it if it needs one.

Until it is adopted, the worker runs none of the user's definitions: it imports what it needs and waits for its first
job. If this process ends before that, the worker reads the end of its pipe and ends too.

The entry point imports this module, so it imports next to nothing itself. POSIX only.
"""

from __future__ import annotations

import os
import sys

from setlist.process.bootstrap import program
from setlist.process.guardian import MARK, inheritable

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Lock
    from typing import IO, Any


class Prestarted:
    """A worker that was started, with those members of ``subprocess.Popen`` that :func:`.run_process` uses.

    Attributes:
        pid: its number.
        parent: the number of the process that started it.
        mark: its own part of ``SETLIST_PROCESS``.
        own_group: whether it leads a process group of its own.
        reader: the descriptor that its messages are read from.
        writer: the descriptor that messages to it are written to.
    """

    stdin: IO[bytes] | None = None
    stdout: IO[bytes] | None = None
    stderr: IO[bytes] | None = None

    def __init__(self, pid: int, mark: str, reader: int, writer: int, *, own_group: bool) -> None:
        from _thread import allocate_lock

        self.pid = pid
        self.parent = os.getpid()
        self.mark = mark
        self.reader = reader
        self.writer = writer
        self.own_group = own_group
        self._lock: Lock = allocate_lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, a negative signal number, or None while it runs."""
        return self._reap(wait=False)

    def wait(self) -> int | None:
        """Wait for its end, and return its exit code."""
        return self._reap(wait=True)

    def _reap(self, *, wait: bool) -> int | None:
        if sys.platform != "win32" and self._code is None and self._lock.acquire(wait):
            try:
                if self._code is None:
                    pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
                    if pid:
                        self._code = os.waitstatus_to_exitcode(status)
            finally:
                self._lock.release()
        return self._code

    def send_signal(self, signum: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def discard(self) -> None:
        """Kill it. It has done nothing yet."""
        from _signal import SIGKILL  # type: ignore[import-not-found]

        self.send_signal(SIGKILL)
        self.wait()
        os.close(self.reader)
        os.close(self.writer)


class _Holder:
    """The worker that waits to be adopted. It is global: it is started before there is anything to keep it in."""

    worker: Prestarted | None = None
    module = ""
    environ: Mapping[str, str] = {}


_HOLDER = _Holder()


def start(module: str, *, own_group: bool) -> None:
    """Start a worker in this Python, with this process's variables. If that fails, the run starts one itself.

    Args:
        module: the module of setlist that serves as its program. Its arguments are the descriptors to read from and
            to write to. It unblocks SIGINT when it can handle that.
        own_group: whether it leads a process group of its own.
    """
    if sys.platform == "win32":
        return
    from _signal import SIGINT, SIGPIPE, SIGXFSZ

    reader, far_writer = os.pipe()
    far_reader, writer = os.pipe()
    closed = inheritable()
    group: Any = {"setpgroup": 0} if own_group else {}
    mark = os.urandom(8).hex()
    outer = os.environ.get(MARK)
    _HOLDER.module, _HOLDER.environ = module, dict(os.environ)
    try:
        for descriptor in (far_reader, far_writer):
            os.set_inheritable(descriptor, True)
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", program(module), str(far_reader), str(far_writer)],
            {**os.environ, MARK: f"{outer}/{mark}" if outer else mark},
            file_actions=[(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in closed],
            setsigmask=(SIGINT,),  # so that Ctrl-C doesn't show a traceback of what it imports
            setsigdef=(SIGPIPE, SIGXFSZ),  # which Python ignores for itself
            **group,
        )
    except (OSError, NotImplementedError):  # no more processes or memory; a posix_spawn without setpgroup
        os.close(reader)
        os.close(writer)
    else:
        _HOLDER.worker = Prestarted(pid, mark, reader, writer, own_group=own_group)
    finally:
        os.close(far_reader)
        os.close(far_writer)


def adopt(module: str, environ: Mapping[str, str]) -> Prestarted | None:
    """The worker that was started, if it still runs and is what the caller would start. It is the caller's then."""
    worker = _HOLDER.worker
    if worker is None or worker.parent != os.getpid() or module != _HOLDER.module or environ != _HOLDER.environ:
        return None
    _HOLDER.worker = None
    if worker.poll() is not None:
        worker.discard()
        return None
    return worker


def end() -> None:
    """End the worker, if nobody has adopted it."""
    worker, _HOLDER.worker = _HOLDER.worker, None
    if worker is not None and worker.parent == os.getpid():  # not in a fork of this process, made by a library
        worker.discard()
