"""Start a process by :mod:`subprocess`: with pipes, a time limit, beside threads, and everything on Windows.

:func:`setlist.process.spawn.run_process` is the door, and says what is guaranteed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from setlist.core import system
from setlist.core.errors import SessionError
from setlist.process import guardian
from setlist.process.completed import Capture, Completed, Grace, flush_our_own, refusal
from setlist.process.guardian import MARK
from setlist.process.process_io import Child, Service
from setlist.process.signals import guarded, signals_here
from setlist.process.tree import ProcessTree

if TYPE_CHECKING:
    from setlist.process.prestart import Prestarted


def run_by_popen(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str],
    stdin: bytes | None = None,
    capture: bool | Capture = False,
    stdout: str | os.PathLike[str] | int | None = None,
    stderr: int | None = None,
    timeout: float | None = None,
    grace: Grace | None = None,
    keep_open: Sequence[int] = (),
    service: Service | None = None,
    prestarted: Prestarted | None = None,
) -> Completed:
    """Run a process to its end: see :func:`setlist.process.spawn.run_process`."""
    signals = signals_here()
    if signals is not None and prestarted is None:  # a process that runs is ended below
        signals.check()
    grace = grace or Grace()
    mark = os.urandom(8).hex() if prestarted is None else prestarted.mark
    outer = env.get(MARK)
    environment = {**env, MARK: f"{outer}/{mark}" if outer else mark}
    live = isinstance(capture, Capture) and not capture.attached
    own_group = live or not system.has_controlling_terminal() if prestarted is None else prestarted.own_group
    terminal = None if live else system.terminal_state()
    if not live:
        flush_our_own()
    began = time.perf_counter()
    with guarded():
        passed = system.pass_options(keep_open, () if service is None else service.inherited)
        sink = capture.sink if isinstance(capture, Capture) else None
        tree = ProcessTree(None, mark, own_group=False)  # known by its mark alone until it is started
        popen: subprocess.Popen[bytes] | Prestarted | None = prestarted
        finished = False
        if popen is None:
            guardian.note_starting(mark)
        try:
            if popen is None:
                popen = _start(argv, environment, cwd, stdin, capture, stdout, stderr, own_group, passed)
            tree = ProcessTree(popen.pid, mark, own_group=own_group)
            guardian.note_started(mark, popen.pid, own_group=own_group)
            child = Child(popen, tree, signals, stdin or b"", sink, service)
        except SessionError:  # nothing was started
            guardian.note_ended(mark)
            raise
        except BaseException:
            # most likely no more descriptors, without which there is no good way to wait; or a KeyboardInterrupt in a
            # program without handlers, which can come when the process runs and Popen doesn't know it yet
            tree.find()
            tree.kill()
            if popen is not None:
                popen.wait()
            guardian.note_ended(mark)
            raise
        try:
            if service is not None:
                service.started()
            timed_out = child.wait(None if timeout is None else time.monotonic() + timeout)
            if timed_out:
                if service is not None:
                    child.ask(signal.SIGTERM, grace.whole)
                child.stop(system.ways_to_stop(signal.SIGTERM, grace.interrupt, grace.terminate))
            elif signals is not None and signals.first is not None:
                ways = ways_after(signals.first, grace, own_group)
                if service is not None:
                    child.ask(ways[0][0], grace.whole)
                    ways = ()
                child.stop(ways)
                child.drain()
                signals.check()
            elif tree.left_in_group():
                child.stop(system.ways_to_stop(signal.SIGTERM, 0, grace.terminate), group_only=True)
            child.drain()
            finished = True
        finally:
            if not finished and child.code is None:
                # interrupted in a thread without handlers, or a bug: leave nothing behind either way
                child.stop(())
            child.close()
            guardian.note_ended(mark)
            if child.code != 0:
                system.restore_terminal(terminal)
        if signals is not None:
            signals.check()
    assert child.code is not None
    return Completed(child.code, bytes(child.stdout), bytes(child.stderr), timed_out, time.perf_counter() - began)


def ways_after(signum: int, grace: Grace, own_group: bool) -> tuple[tuple[int, float], ...]:
    ways = system.ways_to_stop(signum, grace.interrupt, grace.terminate)
    if signum == signal.SIGINT and not own_group and system.in_foreground():
        # the terminal has sent it to the child too; a second signal would cut its clean-up short
        return ((0, grace.interrupt), *ways[1:])
    return ways


def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | os.PathLike[str],
    stdin: bytes | None,
    capture: bool | Capture,
    stdout: str | os.PathLike[str] | int | None,
    stderr: int | None,
    own_group: bool,
    passed: Mapping[str, Any],
) -> subprocess.Popen[bytes]:
    output: IO[bytes] | int | None = subprocess.PIPE if capture else None
    if isinstance(stdout, int):
        output = stdout
    elif stdout is not None:
        try:
            os.makedirs(os.path.dirname(stdout), exist_ok=True)
            output = open(stdout, "wb")  # noqa: SIM115
        except OSError as error:
            raise SessionError(f"can't write {stdout}: {error.strerror or error}") from error
    live = isinstance(capture, Capture) and not capture.attached
    merged = isinstance(capture, Capture) and capture.merged and stdout is None
    if stderr is None and (merged or capture):
        stderr = subprocess.STDOUT if merged else subprocess.PIPE
    if live and stdin is None:
        stdin = b""
    try:
        return subprocess.Popen(
            argv if isinstance(argv, str) else list(argv),
            env=env,
            cwd=cwd,
            stdin=None if stdin is None else subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=stderr,
            bufsize=0,
            **passed,
            **system.group_options(own_group=own_group, own_session=live),
        )
    except (OSError, ValueError) as error:
        raise refusal(argv if isinstance(argv, str) else argv[0], cwd, error) from error
    finally:
        if output is not None and not isinstance(output, int):
            output.close()


class _Spawned:
    """A process that was started without :class:`subprocess.Popen`: the part of it that :class:`Child` uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, code: int | None = None) -> None:
        self.pid = pid
        self.code = code

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.code is None and sys.platform != "win32":
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self) -> int:
        """Wait until it ends, and return the exit code."""
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code


def stop_spawned(pid: int, mark: str, own_group: bool, grace: Grace) -> int | None:
    """End a process and its tree after a signal. Returns its exit code; None if it can't be ended."""
    signals = signals_here()
    assert signals is not None
    assert signals.first is not None
    child = Child(_Spawned(pid), ProcessTree(pid, mark, own_group=own_group), signals, b"")  # type: ignore[arg-type]
    try:
        child.stop(ways_after(signals.first, grace, own_group))
    finally:
        child.close()
    return child.code


def end_left_in_group(pid: int, mark: str, own_group: bool, code: int, grace: Grace) -> None:
    """End the processes that an ended process left in its group.

    Args:
        pid: its number; it was reaped.
        mark: its mark.
        own_group: whether it led a group of its own.
        code: its exit code.
        grace: how long to wait for them.
    """
    tree = ProcessTree(pid, mark, own_group=own_group)
    if not tree.left_in_group():
        return
    child = Child(_Spawned(pid, code), tree, signals_here(), b"")  # type: ignore[arg-type]
    try:
        child.stop(system.ways_to_stop(signal.SIGTERM, 0, grace.terminate), group_only=True)
    finally:
        child.close()
