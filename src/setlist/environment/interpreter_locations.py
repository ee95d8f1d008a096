"""Where interpreters are looked for, and which binaries in such a place might be one that is asked for.

:func:`places` is a pure function of the platform, the environment variables and the home directory.
What a place holds is read from the names of its files and directories, since starting a binary to
ask it costs fifty milliseconds: only candidates are asked (see :mod:`setlist.environment.interpreters`).
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from setlist.core.records import dataclass, replace
from setlist.environment.interpreter_spec import Release, Request

PlaceKind = Literal["binaries", "installations", "installation", "listed", "registry"]
"""What ``Place.directory`` is: a directory of programs; a directory of installations, one a folder;
an installation itself; a file that lists installations, one a line; a key of the Windows registry."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place to look in.

    ``name`` is what a person calls it; several places may share one. ``pattern`` chooses among the
    folders of a place that holds installations. ``rare`` places are told of only where they are there.
    """

    name: str
    kind: PlaceKind
    directory: str
    pattern: str = "*"
    rare: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """What a name tells of an interpreter before it is asked. None and ``()`` mean: it doesn't tell."""

    implementation: str | None = None
    release: Release = ()
    free_threaded: bool | None = None
    final: bool = True

    def may_answer(self, request: Request) -> bool:
        return (
            self.implementation in (None, request.implementation)
            and self.free_threaded in (None, request.free_threaded)
            and request.accepts_release(self.release)
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A binary that might be what is asked for."""

    path: str
    hint: Hint


def places(platform: str, environ: Mapping[str, str], home: str | None) -> tuple[Place, ...]:
    """The places to look in, the first first.

    Args:
        platform: as ``sys.platform`` has it.
        environ: the caller's environment variables.
        home: the user's home directory, absolute, if there is one.
    """
    windows = platform == "win32"
    join = ntpath.join if windows else posixpath.join
    absolute = ntpath.isabs if windows else posixpath.isabs

    def at_home(*parts: str) -> list[str]:
        return [join(home, *parts)] if home else []

    def named(*variables: str) -> list[str]:
        """The first of some variables that is set, as a list of none or one."""
        return [environ[name] for name in variables if environ.get(name)][:1]

    local = named("LOCALAPPDATA") or at_home("AppData", "Local")
    roaming = named("APPDATA") or at_home("AppData", "Roaming")
    # The XDG specification wants relative ones ignored.
    data = [path for path in named("XDG_DATA_HOME") if absolute(path)] or at_home(".local", "share")

    if windows:
        pyenv = named("PYENV", "PYENV_ROOT", "PYENV_HOME") or at_home(".pyenv", "pyenv-win")
        mise = named("MISE_DATA_DIR") or [join(path, "mise") for path in local]
        uv = named("UV_PYTHON_INSTALL_DIR") or [
            join(path, "uv", *rest) for path in roaming for rest in (("data", "python"), ("python",))
        ]
    else:
        pyenv = named("PYENV_ROOT") or at_home(".pyenv")
        mise = named("MISE_DATA_DIR") or [join(path, "mise") for path in data]
        uv = named("UV_PYTHON_INSTALL_DIR") or [join(path, "uv", "python") for path in data]
        if platform == "darwin" and not named("UV_PYTHON_INSTALL_DIR"):
            uv += at_home("Library", "Application Support", "uv", "python")
    asdf = named("ASDF_DATA_DIR") or at_home(".asdf")

    # A shim answers with whatever is active where it is started, or with an error: what is behind
    # these is found in the place they belong to, and is the same from every directory.
    shims = {_normal(join(root, "shims"), windows) for root in (*pyenv, *mise, *asdf)}
    found = [
        Place("PATH", "binaries", entry)
        for entry in dict.fromkeys(environ.get("PATH", "").split(";" if windows else ":"))
        # a relative entry means another directory wherever one stands
        if absolute(entry) and _normal(entry, windows) not in shims
    ]
    found += [Place("pyenv", "installations", join(root, "versions")) for root in pyenv]
    found += [Place("uv", "installations", root) for root in uv]
    found += _conda(environ, home, windows=windows)
    found += [Place("mise", "installations", join(root, "installs", "python")) for root in mise]
    found += [Place("asdf", "installations", join(root, "installs", "python")) for root in asdf]
    if platform == "darwin":
        for prefix in dict.fromkeys((*named("HOMEBREW_PREFIX"), "/opt/homebrew", "/usr/local")):
            found.append(Place("Homebrew", "installations", join(prefix, "opt"), "py*"))
            found.append(Place("Homebrew", "binaries", join(prefix, "bin")))
        for base in ("", *([home] if home else [])):
            for framework in ("Python", "PythonT"):
                versions = f"{base}/Library/Frameworks/{framework}.framework/Versions"
                found.append(Place("python.org's installations", "installations", versions))
    elif windows:
        found.append(Place("the registry", "registry", r"Software\Python"))
    else:
        brew = (named("HOMEBREW_PREFIX") or ["/home/linuxbrew/.linuxbrew"])[0]
        found.append(Place("Homebrew", "binaries", join(brew, "bin"), rare=True))
    return tuple(dict.fromkeys(found))


def _conda(environ: Mapping[str, str], home: str | None, *, windows: bool) -> list[Place]:
    join = ntpath.join if windows else posixpath.join
    dirname = ntpath.dirname if windows else posixpath.dirname
    distributions = ("miniforge3", "miniconda3", "mambaforge", "anaconda3", "micromamba")
    roots = [environ[name] for name in ("MAMBA_ROOT_PREFIX", "CONDA_ROOT") if environ.get(name)]
    # ROOT/bin/conda, or ROOT\Scripts\conda.exe
    roots += [dirname(dirname(environ[name])) for name in ("CONDA_EXE",) if environ.get(name)]
    parents = [home] if home else []
    if windows:
        parents += [environ[name] for name in ("LOCALAPPDATA", "PROGRAMDATA") if environ.get(name)]
    else:
        parents.append("/opt")
        roots.append("/opt/conda")
    roots += [join(parent, distribution) for parent in parents for distribution in distributions]
    active = environ.get("CONDA_PREFIX")
    found = [Place("conda", "installation", active)] if active else []
    for root in dict.fromkeys(roots):
        found.append(Place("conda", "installation", root))
        found.append(Place("conda", "installations", join(root, "envs")))
    if home:
        found.append(Place("conda", "installations", join(home, ".conda", "envs")))
        found.append(Place("conda", "listed", join(home, ".conda", "environments.txt")))
    return found


def _normal(path: str, windows: bool) -> str:
    return ntpath.normcase(ntpath.normpath(path)) if windows else posixpath.normpath(path)


def in_words(looked: tuple[Place, ...]) -> tuple[str, ...]:
    """The places as they are told of: ``("on PATH", "in pyenv", "uv", …)``, each once."""
    names = dict.fromkeys(place.name for place in looked if not place.rare or os.path.exists(place.directory))
    managers = [name for name in names if name != "PATH"]
    words = ["on PATH"] if "PATH" in names else []
    words += [f"in {name}" for name in managers[:1]]
    return (*words, *managers[1:])


_NAME = re.compile(
    r"(?P<implementation>python|pypy|graalpy)(?P<release>\d(?:\.\d+)?)?(?P<threaded>t)?(?:\.exe)?", re.IGNORECASE
)
_FOLDER = re.compile(
    r"(?:(?P<implementation>cpython|python|pypy|graalpy)[-@]?)?"
    r"(?P<release>\d+(?:\.\d+){0,2})(?P<pre>a\d+|b\d+|rc\d+|[.-]dev\d*)?(?P<threaded>t(?![a-z]))?(?P<rest>(?:[^.\d].*)?)",
    re.IGNORECASE,
)
_LIBRARY = re.compile(r"python3(?P<minor>\d+)t?\.dll", re.IGNORECASE)


def hint_of_binary(name: str) -> Hint | None:
    """What a program's name tells (``python3.12``, ``pypy3``, ``python3.13t.exe``); None: it is no Python."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    implementation = match["implementation"].lower()
    release = tuple(int(number) for number in (match["release"] or "").split(".") if number)
    return Hint(
        # 'python' is what every implementation calls itself
        None if implementation == "python" else implementation,
        release,
        # 'python3' of a free-threaded build has no 't' in it; 'python3.13' is kept for the default build
        # where both are installed, but is an alias of 'python3.13t' where only that one is
        True if match["threaded"] else None,
    )


def hint_of_folder(name: str) -> Hint:
    """What an installation's folder tells: ``3.12.1``, ``pypy3.10-7.3.15``, ``cpython-3.13.0+freethreaded-linux-…``."""
    match = _FOLDER.fullmatch(name)
    if match is None:
        return Hint()
    implementation = (match["implementation"] or "cpython").lower()
    if implementation == "graalpy":
        # its folders are named by GraalPy's own version
        return Hint("graalpy")
    release = tuple(int(number) for number in match["release"].split("."))
    rest = match["rest"].lower()
    return Hint(
        "cpython" if implementation == "python" else implementation,
        release,
        bool(match["threaded"]) or "freethreaded" in rest,
        final=match["pre"] is None and "-dev" not in rest,
    )


def candidates(place: Place, request: Request, *, windows: bool) -> list[Candidate]:
    """The binaries of a place that might answer, the best first: final releases, then the highest version."""
    if place.kind == "binaries":
        found = list(_binaries(place.directory, Hint(), windows=windows))
    elif place.kind == "registry":
        from setlist.environment.windows_registry import registered

        found = [Candidate(path, hint_of_folder(tag)) for tag, path in registered(place.directory)]
    else:
        found = [
            candidate
            for folder, hint in _installations(place)
            if hint.may_answer(request)
            for candidate in binaries_of(folder, hint, windows=windows)
        ]
    answering = [candidate for candidate in found if candidate.hint.may_answer(request)]
    # stable: what the names don't tell apart stays in the order it was found in
    return sorted(answering, key=lambda it: (it.hint.final, it.hint.release), reverse=True)


def _installations(place: Place) -> Iterator[tuple[str, Hint]]:
    import fnmatch

    folders: list[str]
    if place.kind == "installation":
        folders = [place.directory]
    elif place.kind == "listed":
        try:
            with open(place.directory, encoding="utf-8", errors="replace") as stream:
                folders = [line.strip() for line in stream if line.strip()]
        except OSError:
            return
    else:
        try:
            names = sorted(os.listdir(place.directory))
        except OSError:
            return
        folders = [
            os.path.join(place.directory, name)
            for name in names
            if not name.startswith(".") and fnmatch.fnmatchcase(name, place.pattern)
        ]
    seen: set[str] = set()
    for folder in folders:
        # '3.12' and 'latest' are links to '3.12.1' in mise, and '3.12' moves on with the next one
        real = os.path.realpath(folder)
        beside = os.path.dirname(real) == os.path.realpath(place.directory)
        chosen = real if beside else folder
        if real in seen or not os.path.isdir(chosen):
            continue
        seen.add(real)
        # pyenv-virtualenv keeps virtual environments among the installations they were made of
        if os.path.exists(os.path.join(chosen, "pyvenv.cfg")):
            continue
        named = place.kind == "installations" and place.name != "conda"
        yield chosen, hint_of_folder(os.path.basename(chosen)) if named else Hint("cpython")


def binaries_of(installation: str, hint: Hint, *, windows: bool) -> Iterator[Candidate]:
    """The binaries of an installation, and what its folder's name and their own tell together."""
    # an archive may have been unpacked as 'install/', and on Windows there is no 'bin'
    for directory in ("bin", "", "install/bin"):
        folder = os.path.join(installation, *directory.split("/"))
        found = list(_binaries(folder, hint, windows=windows))
        if found:
            yield from found
            return


def _binaries(directory: str, folder: Hint, *, windows: bool) -> Iterator[Candidate]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    libraries = [match for name in names if (match := _LIBRARY.fullmatch(name))] if windows else []
    best: dict[str, Candidate] = {}
    # the most exact name of a binary first, so that its aliases add nothing
    for name in sorted(names, key=lambda name: (-len(name), name)):
        hint = hint_of_binary(name)
        if hint is None or windows != name.lower().endswith(".exe"):
            continue
        path = os.path.join(directory, name)
        real = os.path.realpath(path)
        behind = hint_of_binary(os.path.basename(real))
        if behind is not None and len(behind.release) > len(hint.release):
            hint = behind
        if len(hint.release) < 2 and len(libraries) == 1:
            hint = replace(hint, release=(3, int(libraries[0]["minor"])))
        if folder.release and len(folder.release) >= len(hint.release):
            # '3.13.0t' as a folder has a 'python3.13' that is free-threaded
            hint = replace(folder, free_threaded=bool(folder.free_threaded or hint.free_threaded))
        elif folder.implementation not in (None, "cpython"):
            hint = replace(hint, implementation=folder.implementation)
        # every shim is a link to one program: what is behind it doesn't tell them apart
        best.setdefault(real if behind is not None else path, Candidate(path, hint))
    yield from best.values()
