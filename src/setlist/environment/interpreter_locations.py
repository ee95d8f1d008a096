"""Where interpreters are looked for, and which binaries there may be the requested one.

Binaries are judged by their names and those of their installations. Querying one takes fifty milliseconds: only these
candidates are queried (see :mod:`setlist.environment.interpreters`).
"""

from __future__ import annotations

import glob
import ntpath
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from setlist.core.records import dataclass
from setlist.core.system import WINDOWS
from setlist.environment.interpreter_spec import Release, Request, numbers

REGISTRY = "the registry"
"""The location that isn't a directory: python-discovery reads the Windows registry."""

_Table = tuple[tuple[str, str, str], ...]
"""Tools, their directories, and a glob pattern of the installations in such a directory; ``""``: it is one itself.

A directory begins with a variable, ``~`` or ``/``. Of several, the first is taken whose variable is set.
"""


def _conda(*directories: str) -> _Table:
    directories = ("MAMBA_ROOT_PREFIX", "CONDA_ROOT", "CONDA_EXE/../..", *directories)
    tables = (("conda", directory, pattern) for directory in directories for pattern in ("", "envs/*"))
    return ("conda", "CONDA_PREFIX", ""), *tables, ("conda", "~/.conda", "envs/*")


def _distributions(*parents: str) -> Iterator[str]:
    for parent in parents:
        for name in ("miniforge3", "miniconda3", "mambaforge", "anaconda3", "micromamba"):
            yield f"{parent}/{name}"


_POSIX: _Table = (
    ("pyenv", "PYENV_ROOT|~/.pyenv", "versions/*"),
    ("uv", "UV_PYTHON_INSTALL_DIR|XDG_DATA_HOME/uv/python|~/.local/share/uv/python", "*"),
    *_conda("/opt/conda", *_distributions("~", "/opt")),
    ("mise", "MISE_DATA_DIR|XDG_DATA_HOME/mise|~/.local/share/mise", "installs/python/*"),
    ("asdf", "ASDF_DATA_DIR|~/.asdf", "installs/python/*"),
)
_LINUX: _Table = (*_POSIX, ("Homebrew", "HOMEBREW_PREFIX|/home/linuxbrew/.linuxbrew", ""))
_MACOS: _Table = (
    *_POSIX,
    ("uv", "UV_PYTHON_INSTALL_DIR|~/Library/Application Support/uv/python", "*"),
    ("Homebrew", "HOMEBREW_PREFIX", "opt/py*"),
    ("Homebrew", "HOMEBREW_PREFIX", ""),
    ("Homebrew", "/opt/homebrew", "opt/py*"),
    ("Homebrew", "/opt/homebrew", ""),
    ("Homebrew", "/usr/local", "opt/py*"),
    ("Homebrew", "/usr/local", ""),
    ("python.org's installations", "/Library/Frameworks/Python.framework", "Versions/*"),
    ("python.org's installations", "/Library/Frameworks/PythonT.framework", "Versions/*"),
    ("python.org's installations", "~/Library/Frameworks/Python.framework", "Versions/*"),
    ("python.org's installations", "~/Library/Frameworks/PythonT.framework", "Versions/*"),
)
_WINDOWS: _Table = (
    ("pyenv", "PYENV|PYENV_ROOT|PYENV_HOME|~/.pyenv/pyenv-win", "versions/*"),
    ("uv", "UV_PYTHON_INSTALL_DIR|APPDATA/uv/data/python|~/AppData/Roaming/uv/data/python", "*"),
    ("uv", "UV_PYTHON_INSTALL_DIR|APPDATA/uv/python|~/AppData/Roaming/uv/python", "*"),
    *_conda(*_distributions("~", "LOCALAPPDATA", "PROGRAMDATA")),
    ("mise", "MISE_DATA_DIR|LOCALAPPDATA/mise|~/AppData/Local/mise", "installs/python/*"),
    ("asdf", "ASDF_DATA_DIR|~/.asdf", "installs/python/*"),
)


@dataclass(frozen=True, slots=True)
class Location:
    """A place to look in. Several may share a ``name``, which is what a person calls them.

    ``pattern`` is a glob pattern of installations. For the name ``PATH`` it is a directory of binaries.
    """

    name: str
    pattern: str


def locations(platform: str, environ: Mapping[str, str], home: str | None) -> tuple[Location, ...]:
    """The places to look in, in order.

    Args:
        platform: as ``sys.platform`` has it.
        environ: the caller's environment variables.
        home: the user's home directory, absolute, if there is one.
    """
    path = ntpath if platform == "win32" else posixpath

    def directory(alternatives: str) -> str | None:
        for alternative in alternatives.split("|"):
            first, *rest = alternative.split("/")
            parent = {"": "/", "~": home}.get(first) or environ.get(first)
            # the XDG specification wants a relative one ignored
            if parent and (first != "XDG_DATA_HOME" or path.isabs(parent)):
                return str(path.normpath(path.join(parent, *rest)))
        return None

    tools: list[Location] = []
    shims: list[str] = []
    for name, alternatives, pattern in {"win32": _WINDOWS, "darwin": _MACOS}.get(platform, _LINUX):
        if (root := directory(alternatives)) is not None:
            tools.append(Location(name, path.normpath(path.join(glob.escape(root), *pattern.split("/")))))
            if name in ("pyenv", "mise", "asdf"):
                shims.append(path.normcase(path.join(root, "shims")))
    if home:
        with suppress(OSError), open(path.join(home, ".conda", "environments.txt"), errors="replace") as lines:
            tools += [Location("conda", glob.escape(line.strip())) for line in lines if line.strip()]
    if platform == "win32":
        tools.append(Location(REGISTRY, ""))
    entries = environ.get("PATH", "").split(";" if platform == "win32" else ":")
    on_path = [
        Location("PATH", entry)
        for entry in entries
        # A relative entry is another directory wherever one stands. A shim runs what is active there, or fails: what
        # it may run is found where its tool installed it.
        if path.isabs(entry) and path.normcase(path.normpath(entry)) not in shims
    ]
    return tuple(dict.fromkeys([*on_path, *tools]))


def in_words(searched: tuple[Location, ...]) -> tuple[str, ...]:
    """The places for a message: ``("on PATH", "in pyenv", "uv", …)``, each once; Homebrew where it is."""
    names = dict.fromkeys(it.name for it in searched if it.name != "Homebrew" or glob.glob(it.pattern))
    tools = [name for name in names if name != "PATH"]
    return (*(["on PATH"] if "PATH" in names else []), *(f"in {name}" for name in tools[:1]), *tools[1:])


_BINARY = r"(?i)(?:python|pypy|graalpy)(?:\d(?:\.\d+)?t?)?(?:\.exe)?"
_NAME = (
    r"(?i)(?P<implementation>cpython|python|pypy|graalpy)?[-@]?"
    r"(?P<release>\d+(?:\.\d+){0,2})?(?P<pre>(?:a|b|rc)\d+)?(?P<threaded>t(?![a-z])|\+freethreaded)?"
)


def candidates(location: Location, request: Request) -> list[str]:
    """The binaries that may answer, by their names: final releases before others, then the highest version first."""
    ranks: dict[str, tuple[bool, Release]] = {}
    for directory, installation in _directories(location):
        for path, names in _binaries(directory).items():
            hints = [hint for name in (installation, *names) if (hint := _hint(name, request))]
            if len(hints) > len(names):  # none of them speaks against it
                ranks[path] = all(final for final, _ in hints), max(release for _, release in hints)
    # stable: what the names don't tell apart stays in the order it was found in
    return sorted(ranks, key=lambda path: ranks[path], reverse=True)


def _hint(name: str, request: Request) -> tuple[bool, Release] | None:
    """Whether a name is a final release's, and which; None if it is of no interpreter that the request accepts.

    What a name doesn't tell is left open. An installation that is called by a version alone is CPython's. A binary
    called ``python`` may be any implementation's, and ``python3.13`` an alias of ``python3.13t``.
    """
    match = re.match(_NAME, name)
    assert match is not None  # it matches every name's beginning, if only its empty one
    implementation = (match["implementation"] or ("cpython" if match["release"] else "python")).lower()
    # the version in the name of a GraalPy installation is GraalPy's own
    release = () if implementation == "graalpy" else numbers(match["release"] or "")
    accepted = (
        implementation in ("python", request.implementation)
        and (request.free_threaded or not match["threaded"])
        and request.accepts_release(release)
    )
    return (match["pre"] is None and "-dev" not in name, release) if accepted else None


def _directories(location: Location) -> Iterator[tuple[str, str]]:
    """Where a location's binaries are, and what of an installation's name tells about them."""
    if location.name == "PATH":
        yield location.pattern, ""
        return
    for path in sorted(glob.glob(location.pattern)):
        parent, name = os.path.split(path)
        target_parent, target = os.path.split(os.path.realpath(path))
        # '3.12' and 'latest' are links to '3.12.1' in mise, and uv has the like
        alias = target != name and target_parent == os.path.realpath(parent)
        # pyenv-virtualenv keeps virtual environments among the installations they were made of
        if not alias and not os.path.exists(os.path.join(path, "pyvenv.cfg")):
            # a conda environment may be called anything, a version too
            yield _bin_directory(path), "" if location.name == "conda" else name


def binary_of(installation: str) -> str | None:
    """The binary of an installation, or of a virtual environment."""
    return next(iter(_binaries(_bin_directory(installation))), None)


def _bin_directory(installation: str) -> str:
    # on Windows there is no 'bin'; an archive may have been unpacked as 'install/'
    folders = [os.path.join(installation, *folder.split("/")) for folder in ("bin", "", "Scripts", "install/bin")]
    return next((folder for folder in folders if _binaries(folder)), installation)


def _binaries(directory: str) -> dict[str, list[str]]:
    """The binaries of a directory, and what each is called, the most exact name first: its aliases add nothing."""
    try:
        files = os.listdir(directory)
    except OSError:
        return {}
    # on Windows, the name of a library has the version
    versions = [f"python3.{match[1]}" for name in files if (match := re.fullmatch(r"(?i)python3(\d+)t?\.dll", name))]
    binaries: dict[str, tuple[str, list[str]]] = {}
    for name in sorted(files, key=lambda name: (-len(name), name)):
        if re.fullmatch(_BINARY, name) and name.lower().endswith(".exe") == WINDOWS:
            path = os.path.join(directory, name)
            real = os.path.realpath(path)
            target = os.path.basename(real)
            # links to one shim are told apart by their own names
            targets = [target] if re.fullmatch(_BINARY, target) else []
            names = [name, *targets, *(versions if len(versions) == 1 else [])]
            binaries.setdefault(real if targets else path, (path, names))
    return dict(binaries.values())
