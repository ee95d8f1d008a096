"""Find the interpreter that a request names with python-discovery, and remember it.

The interpreter that setlist runs on is preferred if the request accepts it. Otherwise the first location with an
acceptable one wins, and in it the highest version, final releases before others. The result is always a base
installation, never a virtual environment. A trace store in the user's cache keeps it by request and surroundings, as
long as the binary is the same: a warm :meth:`Interpreters.find` reads one small file, and neither starts a process nor
imports python-discovery.

python-discovery queries binaries: what they are, and which installation is behind a virtual environment. It also reads
the Windows registry (PEP 514). Which files to query is decided in :mod:`setlist.environment.interpreter_locations`.
Its own search (``get_interpreter`` of 1.9.6) takes a directory's first match, not the highest version; doesn't say why
a binary failed; follows shims by the current directory; passes over a plain ``python`` if a version is requested; and
doesn't look at conda, Homebrew, or the inactive installations of pyenv, mise and asdf.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from setlist.core.errors import InterpreterNotFound
from setlist.core.fingerprint import stat_signature
from setlist.core.model import Interpreter
from setlist.core.project import Caller
from setlist.core.records import DecodeError, dataclass, dump, load, replace
from setlist.core.system import WINDOWS
from setlist.engine.trace import Found, Store
from setlist.engine.world import IDENTITY, World
from setlist.environment.interpreter_spec import Request, parse_request

if TYPE_CHECKING:
    from python_discovery import PythonInfo

    from setlist.environment.interpreter_locations import Location

T = TypeVar("T")

STORE = "store"
"""The name of the trace store in the user's cache."""

_ANSWER, _DESCRIPTION = "interpreter", "python"
"""Kinds of entries: what was found for a request, and what a binary says of itself."""

_OWN = "setlist's own"
_QUERY_TIMEOUT = 15.0
"""Seconds that a binary has to answer a query; python-discovery tries twice."""

_VARIABLES = (
    *("PATH", "HOME", "USERPROFILE", "PYENV_ROOT", "PYENV", "PYENV_HOME", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"),
    *("MISE_DATA_DIR", "ASDF_DATA_DIR", "HOMEBREW_PREFIX", "CONDA_PREFIX", "CONDA_ROOT", "CONDA_EXE"),
    *("MAMBA_ROOT_PREFIX", "LOCALAPPDATA", "APPDATA", "PROGRAMDATA"),
)
"""The environment variables that decide where interpreters are looked for."""


class Interpreters:
    """Finds interpreters where the environment of a caller says, and keeps them in a cache.

    Args:
        caller: whose PATH, home and tools are searched.
        cache_directory: the user's cache (see :func:`setlist.core.system.user_cache`).
        root: what a relative path in a request starts from; the caller's directory if not given.
    """

    def __init__(self, caller: Caller, cache_directory: Path, root: Path | None = None) -> None:
        self._environ = caller.environ
        self._root = root or caller.cwd
        self._store = Store(str(cache_directory / STORE), "", {})
        self._found: dict[str, tuple[str, str | None, object]] = {}
        # What decides a result beside the request. An interpreter that is first on one PATH need not be on
        # another: the results of both are kept.
        variables = [f"{name}={value}" for name in _VARIABLES if (value := self._environ.get(name))]
        running = f"{sys.base_prefix} {'.'.join(map(str, sys.version_info[:3]))}"
        self._surroundings = "\n".join([running, *variables])

    def find(self, request: str | None) -> Interpreter:
        """Find the interpreter that a request names.

        Args:
            request: as written under ``python``; None for the minor version that setlist runs on.

        Raises:
            InterpreterNotFound: there is none; it says where was looked, or what is wrong with the path.
            ConfigurationError: the request is malformed.
        """
        key = f"{'' if request is None else request}\n{self._surroundings}"
        cached = self._kept(Interpreter, f"{_ANSWER}/{key}")
        if cached is not None and self.still_valid(cached):
            return cached
        if request is None:
            interpreter = self._own().interpreter
        else:
            parsed = parse_request(request)
            if parsed.path is not None:
                # kept by binary, not by request: the path may lead elsewhere tomorrow
                return self._at_path(parsed, parsed.path)
            interpreter = self._search(parsed)
        self._keep(f"{_ANSWER}/{key}", interpreter.executable, interpreter)
        return interpreter

    def still_valid(self, interpreter: Interpreter) -> bool:
        """Whether the binary is the one that was found: there, and not replaced since. One ``stat``."""
        return stat_signature(interpreter.executable) == interpreter.signature

    def _search(self, request: Request) -> Interpreter:
        own = self._own()
        if own.answers(request):
            return own.interpreter
        from shlex import quote

        from setlist.environment.interpreter_locations import in_words, locations

        searched = locations(sys.platform, self._environ, self._home())
        queried: dict[str, str | None] = {}
        for location in searched:
            pre_release: Interpreter | None = None
            for description in self._descriptions(location, request, queried):
                if description.answers(request):
                    if description.final:
                        return description.interpreter
                    pre_release = pre_release or description.interpreter
            if pre_release is not None:
                return pre_release
        raise InterpreterNotFound(
            request.text,
            in_words(searched),
            "\n".join(failure for failure in queried.values() if failure) or None,
            hint=f"install it, for instance: uv python install {quote(request.for_uv)}",
        )

    def _descriptions(
        self, location: Location, request: Request, queried: dict[str, str | None]
    ) -> Iterator[_Description]:
        """Query the binaries of a location that may answer, the most promising first.

        Args:
            queried: the binaries of all locations that were queried so far, and why one failed.
        """
        from setlist.environment.interpreter_locations import REGISTRY, candidates

        if location.name == REGISTRY:
            yield from _registered(request, self._query_environ())
            return
        for path in candidates(location, request):
            if path in queried:
                continue
            queried[path] = None
            try:
                description = self._query(path, "on PATH" if location.name == "PATH" else f"in {location.name}")
            except _QueryFailed as failure:
                queried[path] = str(failure)
            else:
                yield description

    def _own(self) -> _Description:
        """The base installation of the interpreter that setlist runs on."""
        from python_discovery import PythonInfo

        own = PythonInfo()
        base = own.system_executable or sys.executable
        # A virtual environment knows its base by name. Another build may have that name by now: 'python3' is the
        # free-threaded one where that was installed last. Mostly the two are links to one binary.
        if own.system_executable is None or (os.path.exists(base) and not os.path.samefile(base, sys.executable)):
            with suppress(_QueryFailed):
                return self._query(base, _OWN)
        return _described(own, own.executable, _OWN)

    def _home(self) -> str | None:
        home = self._environ.get("USERPROFILE" if WINDOWS else "HOME")
        return home if home and os.path.isabs(home) else None

    def _at_path(self, request: Request, written: str) -> Interpreter:
        home = self._home()
        if home is not None and (written == "~" or written.startswith(("~/", "~\\"))):
            written = home + written[1:]
        path = os.path.normpath(os.path.join(self._root, written))
        try:
            return self._query(_binary_in(path) if os.path.isdir(path) else path, "by its path").interpreter
        except _QueryFailed as failure:
            raise InterpreterNotFound(
                request.text,
                (),
                reason=str(failure),
                hint="write the path of an interpreter, or of the directory it is installed in, "
                "absolute or from the project's root",
            ) from failure

    def _query(self, path: str, source: str) -> _Description:
        cached = self._kept(_Description, f"{_DESCRIPTION}/{path}")
        if cached is not None and self.still_valid(cached.interpreter):
            return replace(cached, interpreter=replace(cached.interpreter, found=source))
        description = _query(path, self._query_environ(), source)
        self._keep(f"{_DESCRIPTION}/{path}", path, description)
        return description

    def _kept(self, type_: type[T], key: str) -> T | None:
        """What is kept under a key and holds; else what this run has found."""
        found = self._store.get(key)
        if isinstance(found, Found):
            with suppress(DecodeError):
                return load(type_, found.value)
        binary, signature, known = self._found.get(key, ("", None, None))
        return known if isinstance(known, type_) and stat_signature(binary) == signature else None

    def _keep(self, key: str, binary: str, value: object) -> None:
        """Keep what a binary says for as long as it is the same."""
        self._found[key] = (binary, stat_signature(binary), value)
        world = World("", {})
        world.look(IDENTITY, binary)
        with suppress(OSError):  # in memory it is still of use
            self._store.put(key, world, dump(value))

    def _query_environ(self) -> dict[str, str]:
        """The environment variables of a query: our caller's settings for Python would break another one."""
        environ = {
            name: value
            for name, value in self._environ.items()
            # with TCL_LIBRARY it loads Tk
            if not name.startswith("PYTHON") and name not in ("TCL_LIBRARY", "VIRTUAL_ENV")
        }
        return {"PY_DISCOVERY_TIMEOUT": str(_QUERY_TIMEOUT), **environ}


@dataclass(frozen=True, slots=True)
class _Description:
    """What a binary says of itself. A debug build isn't ``usable`` unless its path is requested."""

    interpreter: Interpreter
    final: bool
    usable: bool

    def answers(self, request: Request) -> bool:
        return self.usable and request.accepts(self.interpreter)


class _QueryFailed(Exception):
    """A binary isn't a working Python."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")


def _query(path: str, environ: Mapping[str, str], source: str) -> _Description:
    """Start a binary and have it say what it is.

    Raises:
        _QueryFailed: it can't be started, fails, takes too long, or isn't a Python.
    """
    _check_executable(path)
    from contextlib import redirect_stdout
    from io import StringIO

    from python_discovery import PythonInfo

    _silence_discovery()
    try:
        # python-discovery passes on what a wrapper prints before it starts Python
        with redirect_stdout(StringIO()):
            info = PythonInfo.from_exe(path, ignore_cache=True, env=environ)
    except (RuntimeError, OSError, ValueError) as error:
        raise _QueryFailed(path, _reason(str(error).replace(f"failed to query {path}", ""))) from error
    assert info is not None  # with raise_on_error, the default
    return _described(info, path, source)


def _check_executable(path: str) -> None:
    """Find what is wrong with a binary that needn't be started to know it."""
    if not os.path.lexists(path):
        raise _QueryFailed(path, "doesn't exist")
    if not os.path.exists(path):
        link = os.path.islink(path)
        raise _QueryFailed(path, f"is a broken symbolic link (to {os.readlink(path)})" if link else "can't be reached")
    if not os.path.isfile(path):
        raise _QueryFailed(path, "isn't a file")
    if not os.access(path, os.X_OK):
        raise _QueryFailed(path, "isn't executable")


def _reason(text: str) -> str:
    """A failure of python-discovery in fewer words."""
    if "older than the minimum" in text:
        return "is too old: " + text.partition(" is ")[2].partition(",")[0]
    if "timed out" in text or "did not finish" in text or "timeout" in text:
        return "doesn't answer"
    lines = [line for line in text.splitlines() if line.strip()]
    return f"isn't a Python that runs ({lines[0].strip()[:200] if lines else 'no reason given'})"


def _binary_in(directory: str) -> str:
    from setlist.environment.interpreter_locations import binary_of

    binary = binary_of(directory)
    if binary is None:
        expected = "python.exe" if WINDOWS else "bin/python"
        raise _QueryFailed(directory, f"is a directory without an interpreter (no {expected})")
    return binary


def _described(info: PythonInfo, path: str, source: str) -> _Description:
    executable = info.system_executable or info.executable
    signature = stat_signature(executable)
    if signature is None:
        raise _QueryFailed(path, f"names an interpreter that doesn't exist: {executable}")
    interpreter = Interpreter(
        executable=executable,
        version=info.version_str,
        implementation=info.implementation.lower(),
        free_threaded=info.free_threaded,
        machine=info.machine,
        signature=signature,
        found=source,
    )
    final = info.version_info.releaselevel == "final"
    return _Description(interpreter, final, not info.debug_build)


def _registered(request: Request, environ: Mapping[str, str]) -> Iterator[_Description]:
    """What the Windows registry names (PEP 514)."""
    from python_discovery import iter_interpreters

    _silence_discovery()
    # its ranges aren't PEP 440's: it is given none
    specification = request.implementation if request.specifier else request.for_uv
    for info in iter_interpreters(specification, env={**environ, "PATH": ""}):
        with suppress(_QueryFailed):
            yield _described(info, info.executable, "in the registry")


def _silence_discovery() -> None:
    """Give python-discovery's log a handler: without one, its warnings go to stderr. ``-v`` shows them."""
    import logging

    logger = logging.getLogger("python_discovery")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
