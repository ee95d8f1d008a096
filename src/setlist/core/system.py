"""What differs per platform, in one place. The rest of setlist asks here and never looks itself.

The decisions are functions that take the platform as an argument, so that those for a platform that
isn't at hand are tested all the same.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, TextIO

WINDOWS = sys.platform == "win32"


def occupy_standard_descriptors() -> None:
    """Open the null device in place of standard streams that were closed before we were started.

    The next file that is opened would get such a stream's number, and what commands print would be written into it.
    """
    for descriptor in range(3):
        if not _is_open(descriptor):
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)


def widen_pipe(descriptor: int, size: int) -> None:
    """Let a pipe hold so many bytes, where the system can be told so: Linux, up to what an administrator allows."""
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)
        except (OSError, AttributeError):  # no more than that for this user; a kernel or a Python without it
            return


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def forget_unwritten(stream: TextIO | None) -> None:
    """Let what a stream still holds go nowhere, so that Python doesn't fail to write it once more when it ends.

    It would say so, and make the exit code 120.
    """
    try:
        if stream is not None:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
    except (OSError, ValueError, AttributeError):  # no real stream: nothing will be written at the end
        return


def bin_directory(environment: Path, *, windows: bool = WINDOWS) -> Path:
    """Where a virtual environment keeps its programs."""
    return environment / ("Scripts" if windows else "bin")


def python_of(environment: Path, *, windows: bool = WINDOWS) -> Path:
    """The interpreter of a virtual environment."""
    return bin_directory(environment, windows=windows) / ("python.exe" if windows else "python")


def lock_shared(descriptor: int) -> bool:
    """Try to take the reader's side of the lock on an open file, without waiting.

    On POSIX this is ``flock``, one system call; it is what filelock does there too, and importing filelock
    takes longer than all the rest of a warm run. Windows has no shared lock in the standard library:
    readers there take turns by the exclusive one.

    Returns:
        True once it is held; it is given back by closing the descriptor.
    """
    return _locked_by_filelock(descriptor) if sys.platform == "win32" else _flock(descriptor, shared=True)


def lock_exclusive(descriptor: int) -> bool:
    """Try to take the writer's side of the lock on an open file, without waiting."""
    return _locked_by_filelock(descriptor) if sys.platform == "win32" else _flock(descriptor, shared=False)


def _flock(descriptor: int, *, shared: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        import errno

        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _locked_by_filelock(descriptor: int) -> bool:
    from filelock import lock_descriptor

    return lock_descriptor(descriptor, blocking=False)


def user_cache(environ: Mapping[str, str]) -> Path:
    """Where setlist keeps what all projects of a user share: templates and found interpreters.

    ``SETLIST_CACHE_DIR`` names another place. Where there is no home directory, or it isn't the user's to write in (a
    container that runs as any user id), the cache lies in the temporary directory, by user.
    """
    from pathlib import Path

    named = environ.get("SETLIST_CACHE_DIR")
    if named:
        return Path(named).absolute()
    own = _own_cache(environ, "setlist")
    return own if own is not None and _can_be_written(own) else _temporary_cache()


def cache_of(program: str, environ: Mapping[str, str]) -> Path | None:
    """Where a program is to keep its cache; None where it can at the usual place, under the user's home directory."""
    own = _own_cache(environ, program)
    return None if own is not None and _can_be_written(own) else user_cache(environ) / program


def _own_cache(environ: Mapping[str, str], program: str) -> Path | None:
    """A program's cache under the user's home directory, None where there is no home."""
    if sys.platform == "linux" and "ANDROID_DATA" not in environ:
        # platformdirs says the same, and takes longer to be imported than an environment takes to be looked through
        base = environ.get("XDG_CACHE_HOME", "")
        home = environ.get("HOME", "")
        if os.path.isabs(base) or os.path.isabs(home):
            from pathlib import Path

            return Path(base if os.path.isabs(base) else os.path.join(home, ".cache"), program)
    from platformdirs import user_cache_path

    try:
        path = user_cache_path(program, appauthor=False)
    except RuntimeError:  # a user id without a name, and no HOME
        return None
    return path if path.is_absolute() and not str(path).startswith("~") else None


def _can_be_written(path: Path) -> bool:
    """Whether a directory can be written into, or made."""
    for place in (path, *path.parents):
        if os.path.lexists(place):
            return os.access(place, os.W_OK | os.X_OK)
    return False


def _temporary_cache() -> Path:
    """The user's own directory in the temporary one, which is everybody's: what another user made isn't taken."""
    import stat
    import tempfile
    from itertools import count
    from pathlib import Path

    user = os.getuid() if hasattr(os, "getuid") else None
    for number in count(1):
        path = Path(tempfile.gettempdir(), f"cache-of-setlist-{'user' if user is None else user}-{number}")
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode) and (user is None or (found.st_uid == user and not found.st_mode & 0o022)):
                return path
        except OSError:
            return path  # whoever writes there says why it can't be
        else:
            return path
    raise AssertionError


def machine() -> tuple[str, ...]:
    """What kind of machine this is, as far as it may decide which wheels fit, and what markers say (PEP 508)."""
    if sys.platform == "win32":
        import platform

        return platform.system(), platform.version(), platform.machine()
    uname = os.uname()
    return uname.sysname, uname.release, uname.machine


def understands_ansi(descriptor: int) -> bool:
    """Whether the terminal behind ``descriptor`` takes colours, after asking it to.

    Every POSIX terminal does. The Windows console does once ENABLE_VIRTUAL_TERMINAL_PROCESSING is set
    (Windows 10 and newer); Windows Terminal has it set.
    """
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        kernel = ctypes.windll.kernel32
        handle = msvcrt.get_osfhandle(descriptor)
        mode = ctypes.c_ulong()
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))
    return True


def has_controlling_terminal() -> bool:
    """Whether somebody sits at a terminal that can send us signals. On Windows: at a console.

    A child stays in our own process group then: it can read the terminal (a background group that
    tries is stopped, as pdb would be, or a passphrase prompt that opens /dev/tty, even where standard
    input is a pipe), and Ctrl-C and Ctrl-Z reach it by themselves. Without a terminal (CI, cron,
    services) it gets a group of its own, which one system call reaches as a whole.
    """
    if sys.platform == "win32":
        return os.isatty(0)
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def in_foreground() -> bool:
    """Whether the terminal's Ctrl-C goes to our process group."""
    if sys.platform == "win32":
        return True
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(descriptor)


def group_options(*, own_group: bool, own_session: bool = False) -> dict[str, Any]:
    """What ``subprocess.Popen`` is told so that the child leads a process group of its own.

    With ``own_session`` it has no controlling terminal either: one that opens /dev/tty to ask for something
    is refused, and not stopped for ever as a background process that reads a terminal is.
    """
    if not own_group:
        return {}
    if own_session and sys.platform != "win32":
        return {"start_new_session": True}
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    if sys.version_info >= (3, 11):
        return {"process_group": 0}
    return {"preexec_fn": os.setpgrp}


def pass_options(descriptors: Sequence[int], pipes: Sequence[int]) -> dict[str, Any]:
    """What ``subprocess.Popen`` is told so that a child inherits descriptors.

    Args:
        descriptors: those of locks and the like, which only POSIX has.
        pipes: ends of pipes, which the child is told of by :func:`inheritable`.
    """
    if sys.platform == "win32":
        import subprocess

        if not pipes:
            return {}
        handles = [inheritable(pipe) for pipe in pipes]
        return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles})}
    return {"pass_fds": (*descriptors, *pipes)}


def inheritable(descriptor: int) -> int:
    """The number by which a child knows an inherited end of a pipe: a handle on Windows."""
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(descriptor)
        os.set_handle_inheritable(handle, True)
        return handle
    return descriptor


def descriptor_of(number: int, *, reading: bool) -> int:
    """In the child: the descriptor behind what :func:`inheritable` gave."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(number, os.O_RDONLY if reading else os.O_WRONLY)
    return number


def signal_to_one(signum: int) -> int:
    """What to send to a child of ours that handles signals, so that it takes it for ``signum``.

    On Windows only a console's Ctrl-Break can be handled, and be sent to a process group alone.
    """
    if sys.platform == "win32":
        import signal

        return signal.CTRL_BREAK_EVENT
    return signum


def watch_exit(pid: int) -> tuple[int, Callable[[], None]] | None:
    """A descriptor that becomes readable when a child has ended, and what closes it.

    A pidfd on Linux, a kqueue on macOS and the BSDs. None where there is neither (Windows, an old
    kernel, a sandbox that forbids it), or where the child has ended already: a thread waits then.
    """
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except (OSError, AttributeError):
            return None
        return descriptor, lambda: os.close(descriptor)
    if sys.platform != "win32":
        import select

        try:
            queue = select.kqueue()
        except (OSError, AttributeError):
            return None
        try:
            event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            queue.control([event], 0)
        except OSError:
            queue.close()
            return None
        return queue.fileno(), queue.close
    return None


def usable_cpus() -> int:
    """How many processors the system lets this process run on."""
    if sys.platform == "win32":
        import psutil

        return len(psutil.Process().cpu_affinity())
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def terminal_state() -> list[Any] | None:
    """How the terminal on standard input is set; None where it isn't one."""
    if sys.platform == "win32" or not os.isatty(0):
        return None
    import termios

    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def restore_terminal(state: list[Any] | None) -> None:
    """Set the terminal as it was, after a child that was killed left it raw or silent."""
    # in the background, setting it would stop us
    if sys.platform == "win32" or state is None or not in_foreground():
        return
    import termios

    try:
        if termios.tcgetattr(0) != state:
            termios.tcsetattr(0, termios.TCSADRAIN, state)
    except termios.error:
        pass


def ways_to_stop(signum: int, interrupt: float, terminate: float) -> tuple[tuple[int, float], ...]:
    """What is sent to a tree of processes when a signal has reached us, and for how long each is waited.

    What is left after the last one is killed.

    Args:
        signum: the signal that reached us.
        interrupt: seconds to wait after SIGINT.
        terminate: seconds to wait after SIGTERM.
    """
    import signal

    if signum == signal.SIGINT:
        return ((signal.SIGINT, interrupt), (signal.SIGTERM, terminate))
    if signum == getattr(signal, "SIGHUP", None):
        # many ignore SIGHUP (that is what nohup is for); nobody is to outlive us all the same
        return ((signum, 0.0), (signal.SIGTERM, terminate))
    return ((signal.SIGTERM, terminate),)
