"""Which environment variables a session's programs see, and which of the caller's must not leak into it.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os

from setlist.core import system

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAKS = (
    # which environment is active, and what its activation remembers in order to be undone
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "_OLD_VIRTUAL_*",
    "CONDA_*",
    "PIPENV_ACTIVE",
    "POETRY_ACTIVE",
    # where Python looks for its library and for modules
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONEXECUTABLE",
    "__PYVENV_LAUNCHER__",
    # where installers put things
    "UV_PROJECT_ENVIRONMENT",
    "UV_PROJECT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_RUN_RECURSION_DEPTH",
    "PIP_PYTHON",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    # what an outer run says of its own session; SETLIST_PROCESS stays, so that it finds what we start
    "SETLIST_SESSION",
)
"""Variables, as globs, that say something about another environment than the session's.

PYTHONSTARTUP isn't one: it is about the person at an interactive prompt. Nor is PIP_REQUIRE_VIRTUALENV:
a session is in one.
"""

ESSENTIAL = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TERM",
    "TERMINFO",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "PY_COLORS",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_*",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "CI",
    "SOURCE_DATE_EPOCH",
    "SETLIST_PROCESS",
    # the loader's, without which some pythons don't start at all
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    # Windows: nothing starts without these
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "COMMONPROGRAMFILES",
    "USERPROFILE",
    "USERNAME",
    "HOMEDRIVE",
    "HOMEPATH",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
)
"""Variables, as globs, that programs need to live: all that ``inherit-env = false`` leaves."""


def clean(environ: Mapping[str, str], *, windows: bool = system.WINDOWS) -> dict[str, str]:
    """The caller's variables without those of whatever environment is active around us.

    The programs of that environment leave PATH as well: a session that lacks a tool must not find
    it by accident of the caller's activation. Those of a conda environment stay: it is as often where
    compilers and git come from as where Python does.
    """
    leaks = _matching(LEAKS, windows)
    cleaned = {name: value for name, value in environ.items() if not leaks(name)}
    active = environ.get("VIRTUAL_ENV")
    path = _find(cleaned, "PATH", windows)
    if active and path is not None:
        foreign = _normal(_programs(active, windows), windows)
        separator = _separator(windows)
        cleaned[path] = separator.join(
            entry for entry in cleaned[path].split(separator) if _normal(entry, windows) != foreign
        )
    return cleaned


def session_environ(
    environ: Mapping[str, str],
    *,
    directory: str | os.PathLike[str] | None,
    name: str,
    inherit_env: bool | tuple[str, ...],
    windows: bool = system.WINDOWS,
) -> dict[str, str]:
    """What a session's programs see, before the session's own ``env``.

    Args:
        environ: the caller's variables.
        directory: the session's virtual environment: active, and its programs first on PATH. None
            for ``backend = "none"``, which is the caller's own environment: nothing is cleaned then.
        name: the session's name.
        inherit_env: what is passed on: all, the essential, or the essential and these.
    """
    found = dict(environ) if directory is None else clean(environ, windows=windows)
    if inherit_env is not True:
        wanted = _matching(ESSENTIAL + (inherit_env or ()), windows)
        found = {name: value for name, value in found.items() if wanted(name)}
    found["SETLIST_SESSION"] = name
    if directory is None:
        return found
    found["VIRTUAL_ENV"] = os.fspath(directory)
    found["VIRTUAL_ENV_PROMPT"] = name
    programs = _programs(os.fspath(directory), windows)
    path = _find(found, "PATH", windows)
    others = found[path] if path is not None else os.defpath
    found[path or "PATH"] = _separator(windows).join(filter(None, (programs, others)))
    return found


def _programs(directory: str, windows: bool) -> str:
    """Where a virtual environment keeps its programs (:func:`setlist.core.system.bin_directory`)."""
    return os.path.join(directory, "Scripts" if windows else "bin")


def _matching(patterns: tuple[str, ...], windows: bool) -> Callable[[str], bool]:
    """What tells whether a variable's name is among these globs."""
    if windows:  # where names of variables ignore case
        patterns = tuple(pattern.upper() for pattern in patterns)
    # fnmatch makes a regular expression of each, which takes longer than all else that is done with variables
    names = frozenset(filter(_is_plain, patterns))
    beginnings = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*") and _is_plain(pattern[:-1]))
    globs = tuple(pattern for pattern in patterns if not _is_plain(pattern) and pattern[:-1] not in beginnings)

    def matches(name: str) -> bool:
        name = name.upper() if windows else name
        return name in names or name.startswith(beginnings) or (bool(globs) and _fits(name, globs))

    return matches


def _fits(name: str, globs: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, pattern) for pattern in globs)


def _is_plain(pattern: str) -> bool:
    return not any(letter in pattern for letter in "*?[")


def _find(environ: Mapping[str, str], name: str, windows: bool) -> str | None:
    """How a variable is spelled there: ``Path`` on Windows, more often than not."""
    if name in environ:
        return name
    return next((other for other in environ if windows and other.upper() == name), None)


def _separator(windows: bool) -> str:
    return ";" if windows else ":"


def _normal(path: str, windows: bool) -> str:
    return path.replace("/", "\\").rstrip("\\").casefold() if windows else os.path.normpath(path) if path else ""
