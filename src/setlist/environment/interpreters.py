"""Which interpreter answers a request, and is the one that was found before still the same.

The interpreter that setlist itself runs on is taken where it answers; else the first place (see
:mod:`setlist.environment.interpreter_locations`) that has one, and in it the highest version, final releases before
others. It is always a base installation, never a virtual environment. What was found is kept in
the user's cache by request and surroundings, with the stat signature of the binary: a warm
:meth:`Interpreters.find` reads one small file and starts nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from setlist.core.errors import InterpreterNotFound
from setlist.core.files import parse_json, stat_signature, write_atomically
from setlist.core.model import Interpreter
from setlist.core.project import Caller
from setlist.core.records import dataclass, dump, field_names
from setlist.core.system import WINDOWS
from setlist.environment.interpreter_spec import Request, machine_answers, parse_request, satisfies

__all__ = ["Interpreters", "satisfies"]

_FORMAT = 1
_KEPT = 200
OWN = "setlist's own"
FOUND = "interpreters.json"
"""Where it is remembered in the user's cache what was found."""

_ASKING_TIMEOUT = 5.0
"""Seconds that a binary has to say what it is; python-discovery tries twice."""

_SEARCHED = (
    *("PATH", "HOME", "USERPROFILE", "PYENV_ROOT", "PYENV", "PYENV_HOME", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"),
    *("MISE_DATA_DIR", "ASDF_DATA_DIR", "HOMEBREW_PREFIX", "CONDA_PREFIX", "CONDA_ROOT", "CONDA_EXE"),
    *("MAMBA_ROOT_PREFIX", "LOCALAPPDATA", "APPDATA", "PROGRAMDATA"),
)
"""The environment variables that decide where is looked."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a binary said of itself. ``usable`` is False for builds that only a path may ask for."""

    interpreter: Interpreter
    final: bool
    usable: bool


class _DoesNotRun(Exception):
    """A binary that isn't a working Python; the text says how it failed."""


class Interpreters:
    """The interpreters of one caller: looked for where its environment says, remembered in its cache.

    Args:
        caller: whose PATH, home and tools are searched.
        cache_directory: the user's cache (see :func:`setlist.core.system.user_cache`).
        root: what a relative path in a request starts from; the caller's directory if not given.
    """

    def __init__(self, caller: Caller, cache_directory: Path, root: Path | None = None) -> None:
        self._environ = caller.environ
        self._root = root or caller.cwd
        self._cache = _Cache(cache_directory / FOUND)
        # What decides an answer beside the request. An interpreter that is found first on one PATH
        # need not be on another: the answers for both are kept.
        surroundings = [f"{name}={value}" for name in _SEARCHED if (value := self._environ.get(name))]
        running = f"{sys.base_prefix} {'.'.join(map(str, sys.version_info[:3]))}"
        self._surroundings = "\n".join([running, *surroundings])

    def find(self, request: str | None, *, fresh: bool = False) -> Interpreter:
        """The interpreter that answers a request.

        Args:
            request: as written under ``python``; None for the minor version that setlist runs on.
            fresh: search again, whatever was found before.

        Raises:
            InterpreterNotFound: there is none; it says where was looked, or what is wrong with the path.
            ConfigurationError: the request is malformed.
        """
        key = f"{'' if request is None else request}\n{self._surroundings}"
        if not fresh:
            known = self._cache.answer(key)
            if known is not None and self.still_valid(known):
                return known
        if request is None:
            found = self._running().interpreter
        else:
            wanted = parse_request(request)
            if wanted.path is not None:
                # kept by binary, not by request: the path may lead elsewhere tomorrow
                return self._at_path(wanted, wanted.path)
            found = self._search(wanted)
        self._cache.remember_answer(key, found)
        return found

    def still_valid(self, interpreter: Interpreter) -> bool:
        """Whether the binary is the one that was found: there, and not replaced since. One ``stat``."""
        return stat_signature(interpreter.executable) == interpreter.signature

    def _search(self, request: Request) -> Interpreter:
        running = self._running()
        if running.usable and _answers(running, request):
            return running.interpreter
        from setlist.environment.interpreter_locations import candidates, in_words, places

        looked = places(sys.platform, self._environ, self._home())
        notes: list[str] = []
        seen: set[str] = set()
        for place in looked:
            unfinished: Interpreter | None = None
            for candidate in candidates(place, request, windows=WINDOWS):
                if candidate.path in seen:
                    continue
                seen.add(candidate.path)
                try:
                    asked = self._ask(candidate.path, "on PATH" if place.name == "PATH" else f"in {place.name}")
                except _DoesNotRun as error:
                    notes.append(f"{candidate.path} {error}")
                    continue
                if not asked.usable or not _answers(asked, request):
                    continue
                if asked.final:
                    return asked.interpreter
                unfinished = unfinished or asked.interpreter
            if unfinished is not None:
                return unfinished
        from shlex import quote

        raise InterpreterNotFound(
            request.text,
            in_words(looked),
            "\n".join(notes) or None,
            hint=f"install it, for instance: uv python install {quote(request.for_uv)}",
        )

    def _running(self) -> _Asked:
        """The base installation of the interpreter that we run on."""
        from python_discovery import PythonInfo

        # in this process; the property is None where only a search of the prefix can tell
        own = PythonInfo()
        info = own if own.system_executable is not None else PythonInfo.current_system()
        base = info.system_executable or info.executable
        # A virtual environment knows its base by its name, which may be another build's by now: a free-threaded one's,
        # as 'python3' is where that was installed last. Mostly it is a link to it, and the same binary.
        if info is own and os.path.exists(base) and not os.path.samefile(base, sys.executable):
            with suppress(_DoesNotRun):
                return self._ask(base, OWN)
        return _as_asked(info, OWN)

    def _home(self) -> str | None:
        home = self._environ.get("USERPROFILE" if WINDOWS else "HOME")
        return home if home and os.path.isabs(home) else None

    def _at_path(self, request: Request, written: str) -> Interpreter:
        def wrong(reason: str) -> InterpreterNotFound:
            return InterpreterNotFound(
                request.text,
                (),
                reason=reason,
                hint="write the path of an interpreter, or of the directory it is installed in, "
                "absolute or from the project's root",
            )

        home = self._home()
        if home is not None and (written == "~" or written.startswith(("~/", "~\\"))):
            written = home + written[1:]
        path = os.path.normpath(os.path.join(self._root, written))
        if os.path.isdir(path):
            binary = _binary_in(path)
            if binary is None:
                looked_for = "python.exe" if WINDOWS else "bin/python"
                raise wrong(f"the directory {path} holds no interpreter (no {looked_for})")
            path = binary
        problem = _problem(path)
        if problem is not None:
            raise wrong(f"{path} {problem}")
        try:
            return self._ask(path, "by its path").interpreter
        except _DoesNotRun as error:
            raise wrong(f"{path} {error}") from error

    def _ask(self, path: str, found: str) -> _Asked:
        known = self._cache.asked(path)
        if known is not None and self.still_valid(known.interpreter):
            return known
        problem = _problem(path)
        if problem is not None:
            raise _DoesNotRun(problem)
        # None of our caller's settings for Python may reach another one (PYTHONHOME breaks it), and
        # TCL_LIBRARY would have it load Tk.
        environ = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith("PYTHON") and name not in ("TCL_LIBRARY", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
        }
        environ.setdefault("PY_DISCOVERY_TIMEOUT", str(_ASKING_TIMEOUT))
        asked = _asked(path, environ, found)
        self._cache.remember_asked(path, asked)
        return asked


def _problem(path: str) -> str | None:
    """What is wrong with a binary that needn't be started to know it, as the end of a sentence."""
    if not os.path.lexists(path):
        return "doesn't exist"
    if not os.path.exists(path):
        return f"is a broken symbolic link (to {os.readlink(path)})" if os.path.islink(path) else "can't be reached"
    if not os.path.isfile(path):
        return "isn't a file"
    if not os.access(path, os.X_OK):
        return "isn't executable"
    return None


def _binary_in(directory: str) -> str | None:
    """The interpreter of an installation, or of a virtual environment, by its directory."""
    from setlist.environment.interpreter_locations import Hint, binaries_of

    names = ("python.exe", "Scripts/python.exe") if WINDOWS else ("bin/python3", "bin/python", "python3", "python")
    for name in names:
        path = os.path.join(directory, *name.split("/"))
        if os.path.lexists(path) and not os.path.isdir(path):
            return path
    found = list(binaries_of(directory, Hint(), windows=WINDOWS))
    return max(found, key=lambda it: it.hint.release).path if found else None


def _answers(asked: _Asked, request: Request) -> bool:
    interpreter = asked.interpreter
    return (
        interpreter.implementation == request.implementation
        and interpreter.free_threaded == request.free_threaded
        and machine_answers(interpreter.machine, request.machine)
        and request.accepts_release(tuple(int(number) for number in interpreter.version.split(".")))
    )


def _asked(path: str, environ: Mapping[str, str], found: str) -> _Asked:
    """Start a binary and have it say what it is.

    Raises:
        _DoesNotRun: it fails, takes too long, or isn't a Python.
    """
    import contextlib
    import io
    import logging

    from python_discovery import PythonInfo

    # Without a handler of its own, logging writes the library's warnings to stderr. They are in our
    # notes; with -v the handlers installed at the edge still get them.
    logger = logging.getLogger("python_discovery")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    try:
        # what a wrapper prints before Python starts would be passed on to our stdout
        with contextlib.redirect_stdout(io.StringIO()):
            info = PythonInfo.from_exe(path, ignore_cache=True, env=environ)
    except (RuntimeError, OSError, ValueError) as error:
        raise _DoesNotRun(_reason(path, str(error))) from error
    try:
        return _as_asked(info, found)
    except FileNotFoundError as error:
        raise _DoesNotRun(f"names an interpreter that doesn't exist: {error.filename}") from error


def _reason(path: str, text: str) -> str:
    """A failure of python-discovery in fewer words."""
    if "older than the minimum" in text:
        return "is too old: " + text.partition(" is ")[2].partition(",")[0]
    if "timed out" in text or "did not finish" in text or "timeout" in text:
        return "doesn't answer"
    lines = [line for line in text.replace(f"failed to query {path}", "").splitlines() if line.strip()]
    return f"isn't a Python that runs ({lines[0].strip()[:200] if lines else 'no reason given'})"


def _as_asked(info: object, found: str) -> _Asked:
    from python_discovery import PythonInfo

    assert isinstance(info, PythonInfo)
    executable = info.system_executable or info.executable
    signature = stat_signature(executable)
    if signature is None:
        raise FileNotFoundError(2, "no such interpreter", executable)
    interpreter = Interpreter(
        executable=executable,
        version=info.version_str,
        implementation=info.implementation.lower(),
        free_threaded=info.free_threaded,
        machine=info.machine,
        signature=signature,
        found=found,
    )
    return _Asked(interpreter, info.version_info.releaselevel == "final", usable=not info.debug_build)


class _Cache:
    """``interpreters.json``: answers by request, and what each binary said of itself.

    It is a cache and no more: a file that is missing, corrupt, of another format or not writable
    costs a search. Two that write at once may lose each other's entries, never the file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[str, dict[str, dict[str, object]]] | None = None

    def answer(self, key: str) -> Interpreter | None:
        return _interpreter(self._load()["answers"].get(key))

    def remember_answer(self, key: str, interpreter: Interpreter) -> None:
        self._remember("answers", key, dump(interpreter))

    def asked(self, path: str) -> _Asked | None:
        entry = self._load()["binaries"].get(path)
        interpreter = _interpreter(entry)
        # the path may be a wrapper, or a virtual environment's: another file than the interpreter's
        if entry is None or interpreter is None or entry.get("asked") != stat_signature(path):
            return None
        return _Asked(interpreter, entry.get("final") is True, entry.get("usable") is True)

    def remember_asked(self, path: str, asked: _Asked) -> None:
        entry = {"asked": stat_signature(path), "final": asked.final, "usable": asked.usable}
        self._remember("binaries", path, {**dump(asked.interpreter), **entry})

    def _load(self, *, again: bool = False) -> dict[str, dict[str, dict[str, object]]]:
        if self._entries is None or again:
            self._entries = {"answers": {}, "binaries": {}}
            try:
                data = parse_json(self._file.read_bytes())
            except (OSError, ValueError):
                return self._entries
            if isinstance(data, dict) and data.get("format") == _FORMAT:
                for table in self._entries:
                    if isinstance(entries := data.get(table), dict):
                        self._entries[table] = {k: v for k, v in entries.items() if isinstance(v, dict)}
        return self._entries

    def _remember(self, table: str, key: str, entry: dict[str, object]) -> None:
        # as it is now: another process may have written since
        entries = self._load(again=True)
        entries[table].pop(key, None)
        while len(entries[table]) >= _KEPT:
            del entries[table][next(iter(entries[table]))]
        entries[table][key] = entry
        try:
            write_atomically(self._file, json.dumps({"format": _FORMAT, **entries}, indent=1))
        except OSError:
            # in memory it is still of use
            return


def _interpreter(entry: object) -> Interpreter | None:
    """A cached interpreter, if it is whole."""
    if not isinstance(entry, dict):
        return None
    values = {name: entry.get(name) for name in field_names(Interpreter)}
    free_threaded = values.pop("free_threaded")
    if not isinstance(free_threaded, bool) or not all(isinstance(value, str) for value in values.values()):
        return None
    return Interpreter(free_threaded=free_threaded, **{name: str(value) for name, value in values.items()})
