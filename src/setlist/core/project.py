"""The project: its root, and where setlist keeps things in it. And the caller's world."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError, ProjectNotFound, StorageError, UsageError
from setlist.core.records import dataclass

FOLDERS = ("sessions", ".sessions")
"""Where session files, locks and ``durations.json`` may lie. Nothing takes the second one for a package."""

GUARDS = "guards"
"""Where the files are in the state directory that are locked."""

ENVIRONMENTS = "envs"
"""Where environments are in the state directory."""

MARKS = ("CACHEDIR.TAG", ".gitignore")
"""What setlist puts into a directory of its own, for others."""

CI = "CI"
"""The variable by which a job of continuous integration is recognised."""

ENV_DIR = "SETLIST_ENV_DIR"
"""The variable that names where environments are kept."""

_LASTING_STATE = ("history", "logs", "cache")
_OLDER_STATE = frozenset(
    {
        *_LASTING_STATE, "envs", "guards", "resolutions", "tmp", "builds", "warm", "listed", "uptodate",
        "pyproject.json", "registry.json", ".gitignore", "CACHEDIR.TAG",
    }
)  # fmt: skip
"""The names that setlist used directly in ``.setlist``, before :data:`STATE_DIRECTORY`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The world as the edge found it: read once, passed in, never read again deeper down.

    ``environ`` is the caller's environment variables, ``cwd`` where it stood, ``ci`` whether this is
    a continuous integration job.
    """

    environ: Mapping[str, str]
    cwd: Path
    ci: bool

    @classmethod
    def current(cls) -> Caller:
        """The caller of this very process."""
        environ = dict(os.environ)
        try:
            cwd = Path.cwd()
        except FileNotFoundError as error:
            raise UsageError("the current directory no longer exists", hint="cd to one that does") from error
        return cls(environ, cwd, environ.get(CI, "").lower() not in ("", "0", "false", "no"))


@dataclass(frozen=True, slots=True)
class Project:
    """A project's places. ``file`` is the definitions file given with ``-f``, if one was.

    ``provider_arguments`` are words of a provider's own command line that change what its sessions are, or what they
    do. ``envdir`` is where environments are kept instead of in the state directory, ``guarddir`` where their locks are,
    and ``statedir`` the state directory of a project that can't be written. :func:`located` finds them.
    """

    root: Path
    file: Path | None = None
    provider_arguments: tuple[str, ...] = ()
    envdir: Path | None = None
    guarddir: Path | None = None
    statedir: Path | None = None

    @property
    def state(self) -> Path:
        """Everything here can be deleted and is made again."""
        return self.statedir or self.root / STATE_DIRECTORY

    @property
    def environments(self) -> Path:
        return self.envdir or self.state / ENVIRONMENTS

    def environment(self, session: str) -> Path:
        """The directory of a session's environment, there or not."""
        return self.environments / session

    def guard(self, name: str) -> Path:
        """The file that is locked while the named thing is used or changed.

        That of an environment is the same one for all who use the environment. What isn't one has a name that begins
        with a dot, and lies in the state directory.
        """
        own = self.state / GUARDS
        return (own if name.startswith(".") else self.guarddir or own) / f"{name}.lock"

    def resolution(self, session: str) -> Path:
        """What the session's requirements were last resolved to."""
        return self.state / "resolutions" / f"{session}.txt"

    def temporary(self, session: str) -> Path:
        """The session's own directory for temporary files (``{tmp}``)."""
        return self.state / "tmp" / session

    @property
    def cache(self) -> Path:
        """A directory that sessions share and that outlives runs (``s.cache_dir``)."""
        return self.state / "cache"

    @property
    def builds(self) -> Path:
        """Wheels and sdists of the project under test."""
        return self.state / "builds"

    @property
    def history(self) -> Path:
        return self.state / "history"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def log(self, session: str) -> Path:
        """What a session's last captured run printed, setlist's own words included."""
        return self.state / "logs" / f"{session}.log"

    @property
    def store(self) -> Path:
        """The entries of the trace store (:mod:`setlist.engine.trace`)."""
        return self.state / "store"

    def relative(self, path: Path | str) -> str:
        """The path as people write it: relative to the root where it lies in it, with ``/``."""
        try:
            return Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return str(path)

    def prepare(self) -> None:
        """Make the state directory with its CACHEDIR.TAG and .gitignore, and clear what an older setlist left.

        Raises:
            StorageError: it can't be made, or isn't a directory.
        """
        directory = self.state
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if not (directory / ".gitignore").exists():
                self._replace_older_state()
                _mark(directory)
            if self.envdir is not None:
                directory = self.envdir
                directory.mkdir(parents=True, exist_ok=True)
                if not any(directory.iterdir()):
                    _mark(directory)
        except OSError as error:
            raise StorageError(
                f"can't use {self.relative(directory)}: {error.strerror or error}",
                hint="setlist keeps its environments there: make it writable, or name another place in env-dir",
            ) from error

    def older_state(self) -> Iterator[Path]:
        """What a setlist of another version left in its own state directories; nothing that it didn't make."""
        for directory in (self.root / ".setlist", self.root / ".nox" / "setlist"):
            try:
                if not _is_marked(directory):
                    continue
                names = os.listdir(directory)
            except OSError:
                continue
            for name in names:
                if name in _OLDER_STATE or name.startswith("registry-") or name.endswith(".removed"):
                    yield directory / name

    def _replace_older_state(self) -> None:
        from setlist.core.files import remove_tree

        for path in self.older_state():
            with suppress(OSError):  # what can't be moved or removed stays where it is and isn't used
                if path.name in _LASTING_STATE and not (self.state / path.name).exists():
                    os.replace(path, self.state / path.name)
                else:
                    remove_tree(path)
        with suppress(OSError):
            os.rmdir(self.root / ".nox" / "setlist")
            os.rmdir(self.root / ".nox")


def _mark(directory: Path) -> None:
    """Say to others what a directory is: the tag is by what we know it as ours."""
    from setlist.core.files import write_atomically

    write_atomically(
        directory / "CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55\n"
        "# This directory holds what setlist can make again. https://bford.info/cachedir/\n",
    )
    write_atomically(directory / ".gitignore", "*\n")


def _is_marked(directory: Path) -> bool:
    try:
        return b"setlist" in (directory / "CACHEDIR.TAG").read_bytes()
    except OSError:
        return False


def environment_directory(root: Path, file: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Where ``SETLIST_ENV_DIR`` or ``env-dir`` put the environments of a project; None where neither is set.

    A relative path is relative to the root. A directory outside of the root is for many projects: this one has a
    directory of its own in it, called by its name and a digest of its path.

    Args:
        root: the project's.
        file: the definitions file given with ``-f``, if one was.
        environ: the caller's variables. The variable counts for more than the key.

    Raises:
        ConfigurationError: it holds other things, which an environment of the same name would replace.
    """
    key, written = ENV_DIR, environ.get(ENV_DIR) or ""
    if not written:
        key, written = "env-dir", _configured_env_dir(root, file)
    if not written:
        return None
    if written == "~" or written.startswith(("~/", "~\\")):
        written = environ.get("HOME" if os.name == "posix" else "USERPROFILE", "~") + written[1:]
    path = Path(os.path.normpath(root / written))
    if not path.is_relative_to(root):
        from setlist.core.fingerprint import digest

        path = path / f"{root.name or 'root'}-{digest(str(root))[:8]}"
    try:
        others = sorted(name for name in os.listdir(path) if not name.startswith(".CACHEDIR.TAG."))
    except OSError:
        others = []
    if (others and not _is_marked(path)) or root.is_relative_to(path):
        held = f"it holds {others[0]!r}" if others else "the project lies in it"
        raise ConfigurationError(
            f"{path} isn't a directory for environments: {held}",
            key=key,
            hint="name a directory that is new or empty: everything in it is setlist's",
        )
    return path


def located(
    root: Path, file: Path | None, environ: Mapping[str, str], provider_arguments: tuple[str, ...] = ()
) -> Project:
    """The project with this root, and where its things are kept.

    Environments outside of the root can be used by some who can write to the root and by some who can't (a container
    with a read-only mount). So their locks lie beside them. Who can't write to the root has the whole state there.

    Raises:
        ConfigurationError: as :func:`environment_directory`.
    """
    envdir = environment_directory(root, file, environ)
    if envdir is None or envdir.is_relative_to(root):
        return Project(root, file, provider_arguments, envdir)
    beside = envdir.with_name(f"{envdir.name}.state")
    statedir = None if _can_be_made(root / STATE_DIRECTORY) else beside
    return Project(root, file, provider_arguments, envdir, beside / GUARDS, statedir)


def _can_be_made(directory: Path) -> bool:
    """Whether files can be written in a directory, which is made for them if it isn't there."""
    while not os.path.lexists(directory):
        directory = directory.parent
    return os.access(directory, os.W_OK | os.X_OK)


def _configured_env_dir(root: Path, file: Path | None) -> str:
    """What the definitions say. Whether they can be read, and whether it is a string, is the registry's to say."""
    from setlist.core.files import text_or_nothing
    from setlist.core.toml import parse_toml

    text = text_or_nothing(file or root / "pyproject.toml")
    if "env-dir" not in text or (file is not None and file.suffix != ".toml"):
        return ""
    try:
        data = parse_toml(text)
        if file is None or file.name == "pyproject.toml":
            data = data["tool"]["setlist"]
        value = data["env-dir"]
    except (ValueError, LookupError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def loader_environment(file: str) -> str:
    """The name of the environment that a file of foreign definitions is loaded in: one that no session can have."""
    return f"_{file.rpartition('/')[2].partition('.')[0]}"


def find_project(start: Path, file: Path | None = None, environ: Mapping[str, str] | None = None) -> Project:
    """The project that ``start`` lies in: the nearest directory, upwards, with session definitions.

    A directory has definitions when its pyproject.toml has a ``tool.setlist`` table, one of :data:`FOLDERS` in it
    holds session files (:func:`has_session_files`), or it has a provider's file. Failing that, the nearest one with a
    pyproject.toml.

    Args:
        start: where to begin, absolute.
        file: a definitions file given by name: its directory is the root.
        environ: the caller's variables, of which ``SETLIST_ENV_DIR`` counts.

    Raises:
        ConfigurationError: as :func:`environment_directory`.
        ProjectNotFound: there is none.
        UsageError: ``file`` isn't there.
    """
    if file is not None:
        if not file.is_file():
            raise UsageError(f"{file}: no such file")
        root = file.parent.resolve()
        file = root / file.name
        return located(root, file, environ or {})
    return located(_find_root(start), None, environ or {})


def _find_root(start: Path) -> Path:
    from setlist.core.plugins import definition_files

    files = tuple(definition_files())
    fallback: Path | None = None
    for directory in (start, *start.parents):
        if _has_definitions(directory) or any((directory / file).is_file() for file in files):
            return directory
        if fallback is None and (directory / "pyproject.toml").is_file():
            fallback = directory
    if fallback is None:
        raise ProjectNotFound(str(start))
    return fallback


def _has_definitions(directory: Path) -> bool:
    from setlist.core.files import read_bytes

    try:
        # A textual look: parsing belongs to the registry, and a file that doesn't parse is still ours
        # to complain about.
        if b"tool.setlist" in read_bytes(directory / "pyproject.toml"):
            return True
    except OSError:
        pass
    return any(has_session_files(directory / folder) for folder in FOLDERS)


def session_file_names(folder: Path) -> list[str]:
    """The names of the .py and .toml files in a directory, in order, but for hidden and private ones."""
    try:
        with os.scandir(folder) as entries:
            # hidden files are editors' own, and a name that begins with _ is for what files share
            return sorted(
                entry.name
                for entry in entries
                if entry.name.endswith((".toml", ".py")) and not entry.name.startswith((".", "_")) and entry.is_file()
            )
    except OSError:
        return []


def has_session_files(folder: Path) -> bool:
    """Whether a directory holds session definitions, and isn't just called as if it did."""
    return any(is_session_file(folder / name) for name in session_file_names(folder))


def is_session_file(path: Path) -> bool:
    """Whether a file imports setlist, or is TOML that defines a session or defaults. Nothing is executed.

    One that can't be read counts, and one that names setlist and has a syntax error: the registry says what is wrong.
    """
    from setlist.core.files import read_bytes

    try:
        text = read_bytes(path)
    except OSError:
        return True
    if path.suffix == ".py":
        return b"setlist" in text and _imports_setlist(text)
    # no TOML is UTF-16: it can't be read
    return text.startswith((b"\xff\xfe", b"\xfe\xff")) or _defines_sessions(
        text.removeprefix(b"\xef\xbb\xbf").splitlines()
    )


def _defines_sessions(lines: Sequence[bytes]) -> bool:
    """Whether the lines of a TOML file have a table or a top-level key that is called ``session`` or ``defaults``."""
    in_table = False
    for line in map(bytes.strip, lines):
        is_header = line.startswith(b"[")
        if is_header or not in_table:
            name = line.lstrip(b" \t[\"'").partition(b"]")[0].partition(b"=")[0].partition(b".")[0].rstrip(b" \t\"'")
            if name in (b"session", b"defaults"):
                return True
        in_table = in_table or is_header
    return False


def _imports_setlist(source: bytes) -> bool:
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an escape in a string: whoever runs the file is told
            nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    imported = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    imported += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return "setlist" in imported


def sessions_folder(root: Path) -> str:
    """The directory that lock files and ``durations.json`` are in, or are to be in: one of :data:`FOLDERS`.

    Where one has them, it stays that one. Else the one with session files. Else ``sessions``, unless that is a
    package of the project's own, or setuptools would take it for one.
    """
    for folder in FOLDERS:
        if os.path.isdir(root / folder / "locks") or os.path.isfile(root / folder / "durations.json"):
            return folder
    visible, hidden = FOLDERS
    for folder in FOLDERS:
        if has_session_files(root / folder):
            return folder
    return hidden if session_file_names(root / visible) or setuptools_packages(root, visible) else visible


def setuptools_packages(root: Path, name: str) -> bool:
    """Whether setuptools takes a directory of this name for a package of the project.

    It does so in a flat layout where nothing says what the packages are, and then refuses to build a project that has
    another one; and where ``packages.find`` searches the root for namespace packages, without a restriction.
    https://setuptools.pypa.io/en/latest/userguide/package_discovery.html
    """
    from setlist.core.files import text_or_nothing
    from setlist.core.toml import parse_toml

    text = text_or_nothing(root / "pyproject.toml")
    scripts = text_or_nothing(root / "setup.py"), text_or_nothing(root / "setup.cfg")
    if ("build-backend" in text and "setuptools" not in text) or not ("[project" in text or any(scripts)):
        return False
    try:
        pyproject = parse_toml(text)
        if not ("project" in pyproject or any(scripts)):
            return False
        backend = pyproject.get("build-system", {}).get("build-backend", "setuptools")
        settings = pyproject.get("tool", {}).get("setuptools", {})
        packages = settings.get("packages")
        if not backend.startswith("setuptools"):
            return False
        if isinstance(packages, dict):
            return _is_found(name, **packages.get("find", {}))
        explicit = {"packages", "py-modules", "package-dir", "ext-modules"} & settings.keys()
    except (ValueError, AttributeError, TypeError):
        return False  # whoever builds the project says what is wrong with it
    if explicit or os.path.isdir(root / "src"):
        return False
    words = ("packages", "py_modules", "package_dir", "ext_modules", "configuration")
    return not any(word in script for script in scripts for word in words)


PACKAGING_HINT = (
    "rename sessions/ to .sessions/, which setuptools leaves alone, "
    'or name the packages: [tool.setuptools.packages.find] include = ["NAME*"]'
)


def _is_found(
    name: str,
    where: Sequence[str] = (".",),
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    namespaces: bool = True,
) -> bool:
    from fnmatch import fnmatchcase

    included = any(fnmatchcase(name, pattern) for pattern in include)
    excluded = any(fnmatchcase(name, pattern) for pattern in exclude)
    return namespaces and included and not excluded and any(os.path.normpath(path) == "." for path in where)
