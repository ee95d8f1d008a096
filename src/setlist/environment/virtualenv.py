"""How a bare environment comes to be: made by virtualenv once per interpreter, then laid out from that template.

virtualenv takes 0.4 s; an environment it makes is a dozen small files, of which pyvenv.cfg, the activation
scripts and pip's scripts mention where it lies. So one is kept in the user's cache for each interpreter,
and laying it out somewhere is writing those files with the other path and prompt in them. The path
stands there as each shell quotes it: where that differs between the two paths (a space, a quote, a
letter outside ASCII), virtualenv makes the environment in place.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import CreationFailed, StorageError
from setlist.core.records import dataclass
from setlist.core.system import WINDOWS, bin_directory, python_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setlist.core.model import Interpreter
    from setlist.environment.virtualenv_template import Template

# Every shell's quoting leaves these as they are, or puts the whole into quotes that all paths get. On
# Windows a path has a backslash in it, hence always those quotes, hence may have spaces.
_PLAIN_PATH = re.compile(r"[A-Za-z]:[A-Za-z0-9_.,+@\\ -]+" if WINDOWS else r"/[A-Za-z0-9_.,+@/-]+")
_PLAIN_PROMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

TEMPLATES, APP_DATA = "templates", "virtualenv"
"""Where templates, and what virtualenv keeps for itself, are in the user's cache."""

LONGEST_SHEBANG = 127
"""Characters of a script's first line that every system reads; with a longer one scripts start by sh."""


@dataclass(frozen=True, slots=True)
class _Seeds:
    """What a new environment holds."""

    pip: bool
    setuptools: bool = False

    @property
    def key(self) -> object:
        """What tells its template from others."""
        return (self.pip, self.setuptools) if self.setuptools else self.pip


def create(
    directory: Path,
    interpreter: Interpreter,
    *,
    cache_directory: Path,
    seed_pip: bool,
    prompt: str,
    environ: Mapping[str, str] | None = None,
    seed_setuptools: bool = False,
    command: Sequence[str] | None = None,
) -> None:
    """Make a bare virtual environment.

    Args:
        directory: where, absolute; nothing is there yet.
        interpreter: of which base installation.
        cache_directory: the user's cache, where templates are kept.
        seed_pip: with pip in it, the one that virtualenv brings; else with no package at all.
        prompt: what a shell shows when it is activated.
        environ: the environment variables to start the interpreter with; None for this process's.
        seed_setuptools: with setuptools beside pip, where virtualenv brings it (before Python 3.12).
        command: what makes it, where that isn't left to us.

    Raises:
        CreationFailed: virtualenv can't make one; its words are the detail. Nothing is left behind.
        StorageError: the place isn't writable.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        path = _place(directory)
        plain = plain_place(directory, prompt)
        seeds = _Seeds(seed_pip, seed_setuptools)
        if command is not None:
            _make_by(command, Path(path), environ)
        elif (
            not plain
            or _shebang_too_long(path, seed_pip)
            or not _lay_out(path, prompt, interpreter, cache_directory, seeds, environ)
        ):
            _make(Path(path), interpreter, cache_directory, seeds, prompt, environ)
    except BaseException as error:
        from setlist.core.files import remove_tree

        with suppress(OSError):
            remove_tree(directory)
        if isinstance(error, PermissionError):
            raise StorageError(
                f"can't make an environment in {directory}: {error.strerror or error}",
                hint="make the directory writable",
            ) from error
        if isinstance(error, OSError):
            raise CreationFailed(
                f"the environment in {directory} can't be made: {error.strerror or error}", detail=error.filename
            ) from error
        raise


def plain_place(directory: Path, prompt: str) -> str | None:
    """Where an environment really lies; None where its path or its prompt are such that shells quote them each in
    its own way, so that what mentions them can't be written for another place."""
    path = _place(directory)
    return path if _PLAIN_PATH.fullmatch(path) and _PLAIN_PROMPT.fullmatch(prompt) else None


def _place(directory: Path) -> str:
    # as virtualenv does: an environment is at one path, whatever links lead to it
    return os.path.join(os.path.realpath(directory.parent), directory.name)


def template_of(
    interpreter: Interpreter, *, cache_directory: Path, environ: Mapping[str, str] | None = None
) -> Template:
    """What new environments without pip are laid out from.

    Raises:
        CreationFailed: virtualenv can't make one.
        OSError: the cache isn't writable.
    """
    return _template(interpreter, cache_directory, _Seeds(pip=False), environ)


def template_name(interpreter: Interpreter) -> str:
    """By which the template of environments without pip is told from others, there or not."""
    return _name(interpreter, _Seeds(pip=False))


def template(
    interpreter: Interpreter, *, cache_directory: Path, seed_pip: bool, environ: Mapping[str, str] | None = None
) -> Path:
    """An environment of the interpreter that belongs to no session, kept in the user's cache.

    Its ``python -m pip`` installs into other environments (``--python``). Nobody may change it.

    Raises:
        CreationFailed: virtualenv can't make one.
        StorageError: the cache isn't writable.
    """
    try:
        return _template(interpreter, cache_directory, _Seeds(seed_pip), environ).environment
    except OSError as error:
        raise StorageError(
            f"can't use {cache_directory}: {error.strerror or error}",
            hint="make it writable, or name another place with SETLIST_CACHE_DIR",
        ) from error


def site_packages(directory: Path) -> tuple[Path, ...]:
    """Where the packages of an environment are: pure ones first, then platform ones where they are apart.

    Told from its own layout, without starting Python: ``lib/python3.12/site-packages`` (and ``lib64``),
    ``lib/pypy3.11/site-packages``, ``Lib/site-packages``. Empty where nothing of it is there.
    """
    found: dict[str, Path] = {}

    def take(path: Path) -> None:
        if path.is_dir():
            found.setdefault(os.path.realpath(path), path)

    for library in ("lib", "lib64"):
        try:
            names = sorted(os.listdir(directory / library))
        except OSError:
            continue
        for name in names:
            if name.startswith(("python", "pypy", "graalpy")):
                take(directory / library / name / "site-packages")
    # Windows; PyPy before 3.8 everywhere
    take(directory / "Lib" / "site-packages")
    take(directory / "site-packages")
    return tuple(found.values())


def treat_no_package_as_a_seed(directory: Path) -> None:
    """Make uv remove packages that aren't required, whatever their names are.

    In an environment that it didn't make itself, uv's exact installs keep what environments are commonly seeded with:
    pip, and before Python 3.12 setuptools, wheel and uv. An environment is uv's own by the ``uv`` key in pyvenv.cfg.
    """
    configuration = directory / "pyvenv.cfg"
    content = configuration.read_bytes()
    if not re.search(rb"(?m)^uv\s*=", content):
        from setlist.core.files import write_atomically

        write_atomically(configuration, content.rstrip() + b"\nuv = setlist\n")


def _shebang_too_long(path: str, seed_pip: bool) -> bool:
    return seed_pip and len(f"#!{python_of(Path(path))}") > LONGEST_SHEBANG


def _lay_out(
    path: str,
    prompt: str,
    interpreter: Interpreter,
    cache_directory: Path,
    seeds: _Seeds,
    environ: Mapping[str, str] | None,
) -> bool:
    """Lay an environment out from its template; False where that can't be done."""
    from setlist.engine.image import CorruptImage
    from setlist.environment.virtualenv_template import materialize

    for _ in range(2):
        try:
            found = _template(interpreter, cache_directory, seeds, environ)
        except OSError:
            # a cache that can't be written to makes it slower, no more
            return False
        if not found.relocatable or not _PLAIN_PATH.fullmatch(found.path):
            return False
        try:
            materialize(found, path, prompt)
        except CorruptImage:
            # somebody cleaned the cache by age
            found.discard()
            continue
        return True
    return False


def _template(
    interpreter: Interpreter, cache_directory: Path, seeds: _Seeds, environ: Mapping[str, str] | None
) -> Template:
    """The template of an interpreter, made if it isn't there.

    Raises:
        OSError: it can't be kept.
        CreationFailed: virtualenv can't make it.
    """
    from setlist.core.files import remove_tree
    from setlist.environment.virtualenv_template import read_template, record_template

    home = cache_directory / TEMPLATES
    place = home / _name(interpreter, seeds)
    known = read_template(place)
    if known is not None:
        return known
    # Under another name until it is whole, so that half a template is never used. The name stays in its
    # files: it is what is replaced, and it occurs nowhere else.
    token = f"making-{os.getpid()}-{os.urandom(6).hex()}"
    prompt = f"prompt-{os.urandom(6).hex()}"
    making = Path(os.path.realpath(home)) / token
    try:
        making.mkdir(parents=True)
        _make(making / "environment", interpreter, cache_directory, seeds, prompt, environ)
        record_template(making, token, prompt)
        if os.path.lexists(place):
            # what stands there isn't a whole template, or another process was faster
            current = read_template(place)
            if current is not None:
                return current
            remove_tree(place)
        with suppress(OSError):
            os.rename(making, place)
        current = read_template(place)
        if current is None:
            raise OSError(5, "the template can't be kept", str(place))
        return current
    finally:
        with suppress(OSError):
            remove_tree(making)


def _name(interpreter: Interpreter, seeds: _Seeds) -> str:
    from setlist.core.files import digest
    from setlist.environment.virtualenv_template import FORMAT

    return digest(repr((FORMAT, interpreter.executable, interpreter.signature, _virtualenv_version(), seeds.key)))


def _virtualenv_version() -> str:
    """virtualenv's version, without importing it: that alone takes longer than laying a template out."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("virtualenv")
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        with suppress(OSError), open(os.path.join(location, "version.py"), encoding="utf-8") as stream:
            return stream.read()
    from importlib.metadata import version

    return version("virtualenv")


def _make(
    directory: Path,
    interpreter: Interpreter,
    cache_directory: Path,
    seeds: _Seeds,
    prompt: str,
    environ: Mapping[str, str] | None,
) -> None:
    """Have virtualenv make an environment in place."""
    given = os.environ if environ is None else environ
    # The user's settings for virtualenv (variables, virtualenv.ini) are for the environments that he makes
    # with it. What is in PYTHON* is for another interpreter than this one.
    cleaned = {
        name: value
        for name, value in given.items()
        if not name.startswith(("VIRTUALENV_", "PYTHON")) and name not in ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    cleaned["VIRTUALENV_CONFIG_FILE"] = os.devnull
    # No '.venv' file beside the environment (PEP 832). A variable, since older ones don't know the option.
    cleaned["VIRTUALENV_NO_VENV_REDIRECT"] = "true"
    arguments = [
        *("--python", interpreter.executable, "--app-data", str(cache_directory / APP_DATA)),
        *("--no-download", "--no-vcs-ignore", "--prompt", prompt),
    ]
    seed = ["--no-seed"] if not seeds.pip else [] if seeds.setuptools else ["--no-setuptools"]
    try:
        _run_virtualenv([*arguments, *seed, str(directory)], cleaned, directory)
    except CreationFailed:
        # virtualenv drops pip for old Pythons before it drops them: theirs brings one along
        if not seeds.pip or not _seeded_by_ensurepip(arguments, directory, cleaned):
            raise
    if not seeds.pip:
        treat_no_package_as_a_seed(directory)


def _make_by(command: Sequence[str], directory: Path, environ: Mapping[str, str] | None) -> None:
    from setlist.process.spawn import run_process

    done = run_process(command, env=os.environ if environ is None else environ, cwd=directory.parent, capture=True)
    if done.code != 0 or not (directory / "pyvenv.cfg").is_file():
        words = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise CreationFailed(
            f"the environment in {directory} can't be made: {os.path.basename(command[0])} failed", detail=words
        )


def _run_virtualenv(arguments: Sequence[str], environ: dict[str, str], directory: Path) -> None:
    import contextlib
    import io

    from virtualenv import cli_run

    said = io.StringIO()
    try:
        # its argument parser and its deprecations print, and logging without handlers writes to stderr
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            cli_run(list(arguments), setup_logging=False, env=environ)
    except PermissionError:
        raise
    except (Exception, SystemExit) as error:
        # SystemExit is its argument parser's; its own errors have no common root
        words = "" if isinstance(error, SystemExit) else str(error)
        detail = "\n".join(filter(None, (said.getvalue().strip(), words)))
        raise CreationFailed(
            f"virtualenv can't make an environment in {directory}", detail=detail or type(error).__name__
        ) from error


def _seeded_by_ensurepip(arguments: Sequence[str], directory: Path, environ: dict[str, str]) -> bool:
    from setlist.core.files import remove_tree
    from setlist.process.spawn import run_process

    remove_tree(directory)
    _run_virtualenv([*arguments, "--no-seed", str(directory)], environ, directory)
    python = str(python_of(directory))
    for command in (
        [python, "-I", "-m", "ensurepip", "--default-pip"],
        # before Python 3.12 it brings setuptools too
        [python, "-I", "-m", "pip", "--disable-pip-version-check", "uninstall", "--yes", "setuptools"],
    ):
        if run_process(command, env=environ, cwd=directory, capture=True).code != 0:
            return False
    return bin_directory(directory).is_dir()
