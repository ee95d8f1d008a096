"""Fast path: replay a recorded run when none of its inputs changed.

A run that passed leaves a record in the trace store (:mod:`setlist.cli.warming`): the commands that it started, its
messages and its history events. If the command line, the directory, the environment variables and all that was looked
at are the same, the run is repeated from its record. In all other cases the whole program runs: for another option, a
changed file, an environment that is being changed now, an unreadable record. It also takes over after a failed command
or a signal (:mod:`setlist.cli.aftermath`).

Imports take a good part of the time of a warm run, so there are next to none; ``os`` and ``sys`` are always loaded.
The modules of the whole program explain at length what is done here in short.
"""

from __future__ import annotations

import os
import sys

from setlist import STATE_DIRECTORY
from setlist.core.fingerprint import checksum
from setlist.engine.trace import Found, Store

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

else:
    Protocol = object

VOLATILE = ("_", "OLDPWD", "SHLVL")
"""Variables that don't affect commands and differ at each start."""

STORE = f"{STATE_DIRECTORY}/store"
"""The trace store of a project, relative to its root."""

OPTIONS = ("--offline", "--locked")
"""The options that the fast path supports."""


def options_of(argv: Sequence[str]) -> Sequence[str]:
    """The options before ``--``."""
    words = argv[: argv.index("--")] if "--" in argv else argv
    return [word for word in words if word.startswith("-")]


def key_of(kind: str, argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> str:
    """The key of an entry in the store: a digest of all inputs of a command that aren't files."""
    from marshal import dumps

    variables = sorted(item for item in environ.items() if item[0] not in VOLATILE)
    terminals = (os.isatty(0), os.isatty(1), os.isatty(2), getattr(sys.stderr, "encoding", None))
    # format 2 has no references, which would give different bytes for equal values
    return f"{kind}/{checksum(dumps((list(argv), cwd, sys.executable, sys.version, terminals, variables), 2))}"


def again(argv: Sequence[str], trouble: Callable[[], Trouble]) -> int | None:
    """Repeat a recorded run.

    Args:
        argv: the command line.
        trouble: imports the functions for a run that differs from the recorded one.

    Returns:
        the exit code. None if there is no record, or an input changed: nothing was done.
    """
    guard = -1
    same = False
    try:
        cwd = os.getcwd()
        environ = dict(os.environ)
        store = Store(f"{cwd}/{STORE}", cwd, environ)
        key = key_of("run", argv, cwd, environ)
        kept = store.last(key)
        if kept is None:
            return None
        record = kept.value
        guard = os.open(record["guard"], os.O_RDWR)
        import fcntl

        # held until the process ends, so that nobody changes the environment while it is looked at or used
        fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        same = (
            isinstance(store.check(key, kept), Found)
            # somebody who had the lock may have removed its file
            and os.path.samestat(os.fstat(guard), os.stat(record["guard"]))
            and all(os.path.isdir(command["cwd"]) for command in record["commands"])
        )
        if same:
            _clear(record["directory"])
    except OSError:
        same = False
    finally:
        if guard >= 0 and not same:
            os.close(guard)
    return Again(record, environ, trouble).carry_out() if same else None


def _clear(directory: str) -> None:
    """Remove what a run left behind that was killed while it replaced the environment."""
    folder, name = os.path.split(directory)
    if any(entry.startswith(f".{name}.") for entry in os.listdir(folder)):
        from setlist.core.files import remove_leftovers

        remove_leftovers(directory)


class Trouble(Protocol):
    """The functions for a run that differs from the recorded one: :mod:`setlist.cli.aftermath`."""

    def ended(
        self, run: Again, command: Mapping[str, Any], code: int, took: float, terminal: list[Any] | None
    ) -> int: ...

    def refused(self, run: Again, command: Mapping[str, Any], error: OSError) -> int: ...

    def interrupted(self, run: Again, process: Process) -> int: ...

    def end_what_is_left(self, run: Again, process: Process) -> None: ...

    def duration_text(self, seconds: float) -> str: ...


class Signalled(BaseException):
    """A signal came during the wait for a command."""


class Process:
    """A running command: its number, and how its descendants are found."""

    def __init__(self, pid: int, mark: str, own_group: bool) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group

    def may_have_left_some(self) -> bool:
        """Whether a process may be left in the group of this command, which was reaped."""
        if self.own_group:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return False
            except PermissionError:
                return True
            return True
        if sys.platform != "linux":
            return False
        try:
            with open("/proc/loadavg", "rb", 0) as stream:
                # the number of the newest process: if it is the command's, none was started since
                return int(stream.read().split()[-1]) != self.pid
        except (OSError, ValueError, IndexError):
            return True


class Again:
    """A repeated run.

    Attributes:
        record: the record.
        signalled: the first signal that came; 0 if none came.
        history: the lines of the history so far.
    """

    def __init__(
        self,
        record: Mapping[str, Any],
        environ: Mapping[str, str],
        trouble: Callable[[], Trouble],
    ) -> None:
        import time

        self.record = record
        self.signalled = 0
        self.history = ""
        self._environ = environ
        self._trouble = trouble
        self._begins, self._head = record["ready"]
        self._wall: Callable[[], float] = time.time
        self._clock: Callable[[], float] = time.perf_counter
        self._began = self._clock()
        self._history_file = -1
        self._waiting = False
        self._stderr_failed = False

    def carry_out(self) -> int:
        """Start the commands, one after another, and report on them. Returns the exit code."""
        restore = self._handle_signals()
        try:
            if not self.record["commands"]:
                return self._carry_out()
            from setlist.process.guardian import guarding

            with guarding(self.record["grace"][1]):
                return self._carry_out()
        finally:
            restore()

    def _carry_out(self) -> int:
        record = self.record
        try:
            self._begin_history()
            self.print_status(self._head)
            for command in record["commands"]:
                code = self._command(command)
                if code is not None:
                    return code
            took = self.elapsed()
            now = self._wall()
            self.write_history(record["ends"] % (now, took, now, took))
            # as the console has it
            self.print_status(
                record["tail"] % (f"{took:.1f}s" if took < 59.95 else self._trouble().duration_text(took))
            )
            return 0
        finally:
            if self._history_file >= 0:
                os.close(self._history_file)
            if self._stderr_failed:
                from setlist.core.system import forget_unwritten

                forget_unwritten(sys.stderr)

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def print_status(self, text: str) -> None:
        """Write to standard error. The run goes on if the reader is gone or the stream is closed."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            self._stderr_failed = True

    def write_history(self, lines: str) -> None:
        """Write to the history, if its file could be created."""
        self.history += lines
        if self._history_file >= 0:
            try:
                os.write(self._history_file, lines.encode())
            except OSError:
                pass

    def note_ended(self, process: Process) -> None:
        """Report to the guardian that a command has ended, with all that it started."""
        from setlist.process.guardian import note_ended

        note_ended(process.mark)

    def _handle_signals(self) -> Callable[[], None]:
        """Record signals instead of dying of them. A signal that the parent process made this one ignore stays ignored.

        Returns a function that restores the handlers.
        """
        from _signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, getsignal  # type: ignore[import-not-found]
        from _signal import signal as handle

        before = [(signum, getsignal(signum)) for signum in (SIGINT, SIGTERM, SIGHUP) if getsignal(signum) != SIG_IGN]
        for signum, _ in before:
            handle(signum, self._signal)

        def restore() -> None:
            for signum, handler in before:
                handle(signum, handler)

        return restore

    def _signal(self, signum: int, frame: object) -> None:  # noqa: ARG002
        self.signalled = self.signalled or signum
        if self._waiting:
            self._waiting = False
            raise Signalled

    def _begin_history(self) -> None:
        from time import gmtime, strftime

        record = self.record
        run = os.urandom(6).hex()
        now = self._wall()
        directory = record["history"]
        stamp = strftime("%Y%m%dT%H%M%S", gmtime(now))
        path = f"{directory}/{stamp}.{int(now % 1 * 1e6):06d}Z-{run}.jsonl"
        try:
            self._history_file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            for old in sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))[: -record["kept"]]:
                os.unlink(f"{directory}/{old}")
        except OSError:
            pass
        self.write_history(self._begins % (now, run, now, now, self.elapsed()))

    def _command(self, command: Mapping[str, Any]) -> int | None:
        """Run one command. Returns the run's exit code where it ends with it."""
        self.print_status(command["shown"])
        self.write_history(command["begins"] % self._wall())
        terminal = self._terminal()
        began = self._clock()
        try:
            process = self._start(command)
        except OSError as error:
            return self._trouble().refused(self, command, error)
        try:
            self._waiting = True
            if self.signalled:
                raise Signalled
            # WNOWAIT: a signal must find the process before it is reaped
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self._waiting = False
        except Signalled:
            return self._trouble().interrupted(self, process)
        code = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
        took = self._clock() - began
        if process.may_have_left_some():
            self._trouble().end_what_is_left(self, process)
        self.note_ended(process)
        if code != 0 or self.signalled:
            return self._trouble().ended(self, command, code, took, terminal)
        self.write_history(command["ends"] % (self._wall(), took))
        return None

    def _start(self, command: Mapping[str, Any]) -> Process:
        from _signal import SIGPIPE, SIGXFSZ

        from setlist.process import guardian

        mark = os.urandom(8).hex()
        outer = self._environ.get("SETLIST_PROCESS")
        environ = {name: value for name, value in self._environ.items() if name not in command["unset"]}
        environ.update(command["set"])
        environ["SETLIST_PROCESS"] = f"{outer}/{mark}" if outer else mark
        own_group = not has_controlling_terminal()
        options: Any = {"setpgroup": 0} if own_group else {}
        guardian.note_starting(mark)
        if sys.stdout is not None:  # None: it was closed when this process started
            sys.stdout.flush()
        os.chdir(command["cwd"])
        pid = os.posix_spawn(
            command["program"],
            command["argv"],
            environ,
            file_actions=[(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in guardian.inheritable()],
            # signals that Python ignores for itself
            setsigdef=(SIGPIPE, SIGXFSZ),
            **options,
        )
        guardian.note_started(mark, pid, own_group=own_group)
        return Process(pid, mark, own_group)

    def _terminal(self) -> list[Any] | None:
        if not os.isatty(0):
            return None
        from setlist.core.system import terminal_state

        return terminal_state()


def has_controlling_terminal() -> bool:
    """The same as :func:`setlist.core.system.has_controlling_terminal`, without the import."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
