"""``run lint`` where nothing has changed: most runs begin and end here.

A run that passed leaves a record of all that it came to (:mod:`setlist.cli.warming`): which files it went by, with
their signatures, which commands it started and how, what it said and what it told the history. When the same words are
typed in the same place, with the same environment variables, and not one of those files was touched, the same is
done again, without asking anybody. Everything else is the whole program's: an option, a changed file, an environment
that is being changed at this moment, a record that can't be read. So is all that follows a command that failed, or a
signal (:mod:`setlist.cli.aftermath`).

Every import costs a good part of what a warm run takes, so there are next to none; ``os`` and ``sys`` are there in any
case. What is done here in a few words is told at length where the whole program does it.
"""

from __future__ import annotations

import os
import sys

from setlist import STATE_DIRECTORY

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from setlist.engine.anew import Made
else:
    Protocol = object

FORMAT = 3

VOLATILE = ("_", "OLDPWD", "SHLVL")
"""Variables that say nothing of what a command does, and are others at each start."""

FOLDER = "warm"
"""Where records are kept in the project's state directory."""

_KEYS = (0x5E711157, 0x57A27)
"""Two, so that a digest has 128 bits."""


RECREATING = ("-r", "--recreate")

OPTIONS = (*RECREATING, "--offline", "--locked")
"""Those that may stand on the command line: what they mean for a run that is just like another is known."""


def options_of(argv: Sequence[str]) -> Sequence[str]:
    """What isn't a name before ``--``."""
    words = argv[: argv.index("--")] if "--" in argv else argv
    return [word for word in words if word.startswith("-")]


def digest(data: bytes) -> str:
    """A name for some data, by what the import system checks sources with: it needs no import."""
    from _imp import source_hash

    return "".join(source_hash(key, data).hex() for key in _KEYS)


def key_of(argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> str:
    """By which a record is found: all that a run goes by and that isn't in a file. Nothing can be read from it."""
    from marshal import dumps

    variables = sorted(item for item in environ.items() if item[0] not in VOLATILE)
    seen = (os.isatty(0), os.isatty(1), os.isatty(2), getattr(sys.stderr, "encoding", None))
    # format 2 knows no references, by which equal values could become different bytes
    return digest(dumps((list(argv), cwd, sys.executable, sys.version, seen, variables), 2))


def kept(folder: str, key: str, cwd: str) -> bytes:
    """The record of this key in a folder of the project's state directory.

    Raises:
        OSError: there is none, or it can't be read.
    """
    with open(f"{cwd}/{STATE_DIRECTORY}/{folder}/{key}", "rb", 0) as stream:
        return stream.read()


def signature(path: str) -> str | None:
    """As :func:`setlist.core.files.stat_signature` has it."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def written_by() -> tuple[int, str | None]:
    """What must have written a record that we read: this very file."""
    return FORMAT, signature(__file__)


def again(argv: Sequence[str], trouble: Callable[[], Trouble]) -> int | None:
    """Do what was done last time.

    Args:
        argv: the command line.
        trouble: gives what is needed where it doesn't go as last time.

    Returns:
        the exit code. None: it can't be said that it would be the same, and nothing was done.
    """
    try:
        cwd = os.getcwd()
        environ = dict(os.environ)
        data = kept(FOLDER, key_of(argv, cwd, environ), cwd)
    except OSError:
        return None
    from marshal import loads

    try:
        record = loads(data)  # noqa: S302 - as trusted as compiled Python is
        if record["by"] != written_by():
            return None
        guard = os.open(record["guard"], os.O_RDWR)
    except (OSError, ValueError, EOFError, TypeError, KeyError):
        return None
    import fcntl

    made = None
    anew = record["anew"]
    making = recreates(argv) or (anew is not None and not os.path.lexists(anew["directory"]))
    same = _untouched(record["files"]) and all(os.path.isdir(command["cwd"]) for command in record["commands"])
    try:
        if making and same:
            from setlist.engine.anew import make

            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            made = None if anew is None else make(anew, signature)
            same = made is not None
        # held until we end: nobody changes the environment while it is used
        fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # the one lock was given back before the other was taken; and 'setlist clean' may have removed its file
        same = same and os.path.samestat(os.fstat(guard), os.stat(record["guard"]))
        same = same and (_untouched(record["own"]) if made is None else made.is_untouched())
    except OSError:
        same = False
    try:
        if same:
            _clear(record["directory"])
        return Again(record, environ, trouble, made).carry_out() if same else None
    finally:
        if not same:
            os.close(guard)
        if made is not None:
            made.end()


def _clear(directory: str) -> None:
    """Remove what an earlier run has left that was ended while it replaced the environment."""
    folder, name = os.path.split(directory)
    if any(entry.startswith(f".{name}.") for entry in os.listdir(folder)):
        from setlist.core.files import remove_leftovers

        remove_leftovers(directory)


def recreates(argv: Sequence[str]) -> bool:
    """Whether a new environment is asked for."""
    return any(option in RECREATING for option in options_of(argv))


def _untouched(files: Sequence[tuple[str, str | None]]) -> bool:
    return all(signature(path) == signed for path, signed in files)


class Trouble(Protocol):
    """What follows where it doesn't go as last time: :mod:`setlist.cli.aftermath`."""

    def ended(
        self, run: Again, command: Mapping[str, Any], code: int, took: float, terminal: list[Any] | None
    ) -> int: ...

    def refused(self, run: Again, command: Mapping[str, Any], error: OSError) -> int: ...

    def interrupted(self, run: Again, process: Process) -> int: ...

    def end_what_is_left(self, run: Again, process: Process) -> None: ...

    def duration_text(self, seconds: float) -> str: ...


class Signalled(BaseException):
    """A signal has come while a command was waited for."""


class Process:
    """A command that was started: its number, and by what all that it starts is found."""

    def __init__(self, pid: int, mark: str, own_group: bool) -> None:
        self.pid = pid
        self.mark = mark
        self.own_group = own_group

    def may_have_left_some(self) -> bool:
        """Whether, now that it is reaped, anybody of its group may be left."""
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
                # the youngest process there is: nobody was started after it
                return int(stream.read().split()[-1]) != self.pid
        except (OSError, ValueError, IndexError):
            return True


class Again:
    """One run, after its record.

    Attributes:
        record: what the run goes by.
        signalled: the signal that has come, 0 where none has.
        told: the lines of the history so far.
    """

    def __init__(
        self,
        record: Mapping[str, Any],
        environ: Mapping[str, str],
        trouble: Callable[[], Trouble],
        made: Made | None,
    ) -> None:
        import time

        self.record = record
        self.signalled = 0
        self.told = ""
        self._environ = environ
        self._trouble = trouble
        self._begins, self._head = record["ready"]["reused" if made is None else made.action]
        self._wall: Callable[[], float] = time.time
        self._clock: Callable[[], float] = time.perf_counter
        self._began = self._clock()
        self._history = -1
        self._waiting = False
        self._unheard = False

    def carry_out(self) -> int:
        """Start the commands, one after another, and report on them. Returns the exit code."""
        restore = self._hear()
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
            self.say(self._head)
            for command in record["commands"]:
                code = self._command(command)
                if code is not None:
                    return code
            took = self.elapsed()
            now = self._wall()
            self.tell(record["ends"] % (now, took, now, took))
            # as the console has it
            self.say(record["tail"] % (f"{took:.1f}s" if took < 59.95 else self._trouble().duration_text(took)))
            return 0
        finally:
            if self._history >= 0:
                os.close(self._history)
            if self._unheard:
                from setlist.core.system import forget_unwritten

                forget_unwritten(sys.stderr)

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def say(self, text: str) -> None:
        """Write to standard error, at once. A reader that is gone, or a closed stream, is no reason to end."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            self._unheard = True

    def tell(self, lines: str) -> None:
        """Write to the history, if there is one."""
        self.told += lines
        if self._history >= 0:
            try:
                os.write(self._history, lines.encode())
            except OSError:
                pass

    def over(self, process: Process) -> None:
        """A command has ended, with all that it started."""
        from setlist.process.guardian import note_ended

        note_ended(process.mark)

    def _hear(self) -> Callable[[], None]:
        """Take note of signals instead of dying of them. One that our parent made us ignore stays ignored."""
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
            self._history = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            for old in sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))[: -record["kept"]]:
                os.unlink(f"{directory}/{old}")
        except OSError:
            pass
        self.tell(self._begins % (now, run, now, now, self.elapsed()))

    def _command(self, command: Mapping[str, Any]) -> int | None:
        """Run one command. Returns the run's exit code where it ends with it."""
        self.say(command["shown"])
        self.tell(command["begins"] % self._wall())
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
            # not reaped yet: a signal that comes now must find it
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self._waiting = False
        except Signalled:
            return self._trouble().interrupted(self, process)
        code = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
        took = self._clock() - began
        if process.may_have_left_some():
            self._trouble().end_what_is_left(self, process)
        self.over(process)
        if code != 0 or self.signalled:
            return self._trouble().ended(self, command, code, took, terminal)
        self.tell(command["ends"] % (self._wall(), took))
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
        if sys.stdout is not None:  # else it was closed before we were started
            sys.stdout.flush()
        os.chdir(command["cwd"])
        pid = os.posix_spawn(
            command["program"],
            command["argv"],
            environ,
            file_actions=[(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in guardian.inheritable()],
            # what Python ignores for itself
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
    """As :func:`setlist.core.system.has_controlling_terminal` has it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
