"""The process that says what a noxfile's functions would do: ``python -c "… setlist.providers.nox.dry_run.main()"``.

Each function runs with nox's own session, once with posargs and once without, while what would start a command takes
notes instead. Whatever else it does to the world (writing, deleting, starting programs) is refused, and ends it. Job
and answer are as in :mod:`setlist.providers.nox.describe`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from setlist.providers.nox.describe import error_data, write_answer
from setlist.providers.nox.loading import Loaded, LoadFailed, load
from setlist.providers.nox.script import wanted_environment

if TYPE_CHECKING:
    from nox.sessions import SessionRunner

POSARGS = "<setlist-posargs>"
"""Stands for the words after ``--``."""
ENVDIR = "<setlist-envdir>"
TMP = "<setlist-tmp>"
ROOT = "<setlist-project>"

WRITES = "writes files into a temporary directory"
"""What stands among that by which a function goes, and isn't done by commands alone."""

_WRITES = frozenset(
    (
        *("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown"),
        *("os.truncate", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile", "shutil.copytree"),
        *("shutil.unpack_archive", "shutil.make_archive"),
    )
)
_STARTS = frozenset(
    (
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile"),
        *("os.kill", "socket.connect", "urllib.Request"),
    )
)


_ROOT = [""]
"""The project's root, as the noxfile's code objects name it."""


class Refused(BaseException):
    """A function would have done something that can't be undone. No ``except Exception`` of its author stops it."""


_OF_TODAY = {
    "the time": ("time.", "date.today", "datetime.now", "datetime.utcnow", "datetime.today"),
    "a random value": ("Random.", "urandom", "getrandbits", "getpid"),
    "which files there are": ("listdir", "scandir"),
    "whether a file is there, or what it is": ("stat", "lstat", "access", "readlink"),
    "what a file holds": ("open",),
    "the system": ("uname", "cpu_count", "gethostname", "sched_getaffinity"),
}
"""What a function goes by that may be another one the next time, and the C functions by which it asks for it."""


def place_in(root: str, frame: FrameType | None) -> str | None:
    """The line of the project's own code that is being run, as ``noxfile.py:12``; None where nox's own runs in it."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(root) and "site-packages" not in file:
            return f"{file[len(root) :]}:{frame.f_lineno}".replace(os.sep, "/")
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module in ("nox", "setlist"):
            return None
        frame = frame.f_back
    return None


class _Looks:
    """Notes by what a function goes while it runs that isn't written in it, each with its line."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.found: dict[tuple[str, str], None] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._profiled)
        try:
            yield
        finally:
            sys.setprofile(before)

    def note(self, what: str, frame: FrameType | None) -> None:
        place = place_in(self._root, frame)
        if place is not None:
            self.found.setdefault((place, what))

    def _profiled(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            name, module = getattr(called, "__qualname__", ""), getattr(called, "__module__", None)
            name = f"time.{name}" if module == "time" else name
            for what, names in _OF_TODAY.items():
                if any(name == one or (one.endswith(".") and name.startswith(one)) for one in names):
                    self.note(what, frame)
        elif event == "call" and frame.f_code.co_name == "__getitem__" and frame.f_globals.get("__name__") == "os":
            variable = frame.f_locals.get("key")
            if isinstance(variable, str):
                self.note(f"the variable {variable}", frame.f_back)


class _Guard:
    """Refuses what changes the world outside of one directory, while it is on."""

    def __init__(self, scratch: str) -> None:
        self._scratch = os.path.join(os.path.realpath(scratch), "")
        self._on = False
        self.looks: _Looks | None = None
        sys.addaudithook(self._heard)

    @contextmanager
    def on(self) -> Iterator[None]:
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event in _STARTS:
            raise Refused(f"starts a program or a connection by itself ({event})")
        written = event in _WRITES or (event == "open" and _writes(arguments))
        if written and self._is_scratch(arguments[0]) and self.looks is not None:
            self.looks.note(WRITES, sys._getframe(1))  # noqa: SLF001
        elif written and arguments[0] not in (os.devnull, "/dev/tty"):
            raise Refused(f"changes files by itself ({event}: {arguments[0]!r})")

    def _is_scratch(self, path: object) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        return os.path.join(os.path.abspath(os.fsdecode(path)), "").startswith(self._scratch)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def main() -> None:
    """Do the job of the first argument."""
    job = json.loads(sys.argv[1])
    os.dup2(2, 1)
    write_answer(job["result"], answer(job))


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """What each session would do."""
    try:
        if not job["in_environment"]:
            from setlist.providers.nox.loading import parse

            os.chdir(job["root"])
            wanted = wanted_environment(parse(["-f", job["file"]]))
            if wanted is not None:
                return {"script": wanted}
        loaded = load(job["root"], job["file"], job["arguments"])
    except LoadFailed as failed:
        return {"error": error_data(failed)}
    # beside the answer, in a temporary directory that whoever started us removes
    scratch = os.path.join(os.path.dirname(job["result"]), "scratch")
    os.mkdir(scratch)
    return {"sessions": _all(loaded, scratch)}


def _all(loaded: Loaded, scratch: str) -> dict[str, Any]:
    from nox import virtualenv

    _ROOT[0] = os.getcwd()
    virtualenv.UV  # noqa: B018 - nox asks uv for its version once, which isn't the functions' doing
    loaded.config.envdir = tempfile.tempdir = scratch
    guard = _Guard(scratch)
    return {
        runner.friendly_name: {
            "with": _placed(_tried(loaded, runner, guard, [POSARGS]), runner),
            "without": _placed(_tried(loaded, runner, guard, []), runner),
        }
        for runner, _ in loaded.manifest.list_all_sessions()
    }


def _placed(value: Any, runner: SessionRunner) -> Any:
    """Notes in which places of this process are called by what they stand for."""
    if isinstance(value, str):
        envdir = os.path.abspath(runner.envdir)
        places = {
            os.path.join(envdir, "tmp"): TMP,
            os.path.join(runner.envdir, "tmp"): TMP,
            envdir: ENVDIR,
            runner.envdir: ENVDIR,
            os.path.realpath("."): ROOT,
            os.path.abspath("."): ROOT,
        }
        for path, name in places.items():
            value = re.sub(rf"{re.escape(path)}(?=$|[/\\:\[])", name, value)
        # what tempfile makes, too
        return re.sub(rf"{re.escape(tempfile.gettempdir())}([/\\][\w.-]+)?", TMP, value)
    if isinstance(value, list):
        return [_placed(item, runner) for item in value]
    if isinstance(value, dict):
        return {key: _placed(item, runner) for key, item in value.items()}
    return value


def _tried(loaded: Loaded, runner: SessionRunner, guard: _Guard, posargs: Sequence[str]) -> dict[str, Any]:
    """What one session does: its calls in their order, the variables it sets, and how it ended."""
    from nox import command
    from nox.sessions import Session
    from nox.virtualenv import PassthroughEnv, VirtualEnv

    notes: list[dict[str, Any]] = []
    bare = runner.func.python is False or loaded.config.default_venv_backend == "none"
    backend = runner.func.venv_backend or loaded.config.default_venv_backend
    if bare or backend == "none":
        runner.venv = PassthroughEnv()
    else:
        runner.venv = VirtualEnv(os.path.join(runner.envdir))
    runner.posargs = list(posargs)
    before = dict(runner.venv.env)
    session = _noting(Session, notes)(runner)
    root, environ = os.getcwd(), dict(os.environ)
    inside = os.path.join(root, "")
    original, command.run = command.run, _note_taker(notes, root, runner)
    ended: str | None = None
    at: str | None = None
    guard.looks = looks = _Looks(inside)
    try:
        with guard.on(), looks.on():
            runner.func(session)
    except Refused as refused:
        ended, at = str(refused), _raised_at(inside, refused)
    except (Exception, SystemExit) as error:
        ended, at = f"{type(error).__name__.lstrip('_')}: {error}", _raised_at(inside, error)
    finally:
        command.run = original
        os.chdir(root)
        os.environ.clear()
        os.environ.update(environ)
    env = {name: value for name, value in runner.venv.env.items() if before.get(name) != value and name != "TMPDIR"}
    return {
        "calls": notes,
        "env": {name: None if value is None else str(value) for name, value in env.items()},
        "ended": ended,
        "at": at,
        "looks": [list(look) for look in looks.found],
    }


def _raised_at(root: str, error: BaseException) -> str | None:
    """The innermost line of the project that an exception came through."""
    place, traceback = None, error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(root) and "site-packages" not in file:
            place = f"{file[len(root) :]}:{traceback.tb_lineno}".replace(os.sep, "/")
        traceback = traceback.tb_next
    return place


def _called_at() -> str | None:
    """The line of the project's own code that calls, through nox and us."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    root = os.path.join(_ROOT[0], "")
    while frame is not None:
        place = place_in(root, frame)
        if place is not None:
            return place
        frame = frame.f_back
    return None


def _noting(kind: Any, notes: list[dict[str, Any]]) -> Any:
    """nox's session, with notes of what is called by which name."""

    class Noting(kind):  # type: ignore[misc]
        __slots__ = ()

        def install(self, *args: Any, **_: Any) -> None:
            notes.append({"call": "install", "at": _called_at(), "words": _words(args)})

        def conda_install(self, *args: Any, **_: Any) -> None:
            notes.append({"call": "conda_install", "at": _called_at(), "words": _words(args)})

        def run_install(self, *args: Any, **_: Any) -> Any:
            notes.append({"call": "run_install", "at": _called_at(), "words": _words(args)})
            return ""

        def run_always(self, *args: Any, **options: Any) -> Any:
            return self.run_install(*args, **options)

        def notify(self, target: Any, *_: Any, **__: Any) -> None:
            notes.append({"call": "notify", "at": _called_at(), "words": [str(target)]})

        def _run_func(self, func: Any, _: Any) -> Any:
            notes.append({"call": "function", "at": _called_at(), "words": [getattr(func, "__name__", str(func))]})
            return True

    return Noting


def _words(args: Sequence[Any]) -> list[str]:
    return [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in args]


def _note_taker(notes: list[dict[str, Any]], root: str, runner: SessionRunner) -> Any:
    environ = dict(os.environ)

    def run(args: Sequence[Any], *, env: Mapping[str, str | None] | None = None, **options: Any) -> Any:
        own = dict(runner.venv.env) if runner.venv is not None else {}
        given = {
            name: value
            for name, value in (env or {}).items()
            if name != "PATH" and environ.get(name) != value and own.get(name, ...) != value
        }
        stdout = options.get("stdout")
        notes.append(
            {
                "call": "run",
                "at": _called_at(),
                "words": _words(args),
                "env": given,
                "cwd": os.path.relpath(os.getcwd(), root),
                "codes": list(options.get("success_codes") or [0]),
                "external": options.get("external") is True and not _outside(runner),
                "silent": bool(options.get("silent")),
                "stdout": None if stdout is None else getattr(stdout, "name", str(stdout)),
            }
        )
        return "" if options.get("silent") else True

    return run


def _outside(runner: SessionRunner) -> bool:
    return runner.venv is None or not runner.venv.is_sandboxed
