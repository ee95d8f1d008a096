"""Bare virtual environments: made by virtualenv once per interpreter, then copied from that template.

virtualenv takes 0.4 s. What it makes is a dozen small files, of which pyvenv.cfg, the activation scripts and pip's
scripts mention the environment's path and prompt. The user's cache therefore keeps one environment per interpreter as a
template. A new environment is a copy of it, in which the path and the prompt are replaced. Each shell quotes a path in
its own way: where that would matter (a space, a quote, a letter outside ASCII), virtualenv makes the environment in
place.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import CreationFailed, StorageError
from setlist.core.files import remove_tree, write_atomically
from setlist.core.fingerprint import digest
from setlist.core.records import dataclass
from setlist.core.system import WINDOWS, bin_directory, python_of
from setlist.engine.trace import ENVIRONMENT, FORMAT, Found, Store
from setlist.engine.world import IDENTITY, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setlist.core.model import EnvironmentSpec, Interpreter

# Every shell's quoting leaves these as they are, or puts the whole into quotes that all paths get. On
# Windows a path has a backslash in it, hence always those quotes, hence may have spaces.
_PLAIN_PATH = re.compile(r"[A-Za-z]:[A-Za-z0-9_.,+@\\ -]+" if WINDOWS else r"/[A-Za-z0-9_.,+@/-]+")
_PLAIN_PROMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

TEMPLATES, APP_DATA = "templates", "virtualenv"
"""The directories of templates, and of virtualenv's own data, in the user's cache."""

_KEY = f"{ENVIRONMENT}/."
"""The key of a template's record: an entry in the template, which is moved with it."""

LONGEST_SHEBANG = 127
"""Characters of a script's first line that every system reads. Scripts with a longer one are started by sh."""


class CorruptTemplate(Exception):
    """A template can't be used: somebody has changed its files."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, as it was recorded when it was made. Names are relative to ``environment``, with ``/``.

    ``path`` and ``prompt`` are those in its files, and ``token`` is a part of the path that occurs nowhere else.
    The files in ``rewritten`` mention them. ``relocatable`` is False where a binary does: a program on Windows that
    starts a script has its interpreter's path in it.
    """

    place: Path
    path: str
    prompt: str
    token: str
    relocatable: bool
    directories: tuple[str, ...]
    files: tuple[str, ...]
    programs: tuple[str, ...]
    rewritten: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    @property
    def environment(self) -> Path:
        return self.place / "environment"

    def mode(self, name: str) -> int:
        """The permissions, less the umask's, that a copy of a file is made with."""
        return 0o777 if name in self.programs else 0o666

    def content(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: it isn't there any more.
        """
        return _content(os.path.join(self.environment, name))

    def discard(self) -> None:
        """Remove the template, so that the next environment makes a new one."""
        with suppress(OSError):
            remove_tree(self.place)


# --- making an environment ------------------------------------------------------------------------------------


def create(
    directory: Path,
    interpreter: Interpreter,
    *,
    cache_directory: Path,
    prompt: str,
    seeds: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
) -> None:
    """Make a bare virtual environment.

    Args:
        directory: its absolute path; nothing is there yet.
        interpreter: the base installation.
        cache_directory: the user's cache, where templates are kept.
        prompt: what a shell shows while the environment is active.
        seeds: the packages in it: none, ``pip``, or ``pip`` and ``setuptools``, in the versions that virtualenv brings
            (it brings setuptools before Python 3.12).
        environ: the environment variables to start the interpreter with; None for this process's.
        command: the command that makes the environment instead, see :func:`creation_command`.

    Raises:
        CreationFailed: virtualenv can't make one; its output is the detail. Nothing is left behind.
        StorageError: the place isn't writable.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        path = _real_path(directory)
        if command is not None:
            _make_by_command(command, Path(path), environ)
        elif (
            plain_place(directory, prompt) is None
            or (seeds and is_shebang_too_long(path))
            or not _copy_template(path, prompt, interpreter, cache_directory, seeds, environ)
        ):
            _make_in_place(Path(path), interpreter, cache_directory, seeds, prompt, environ)
    except BaseException as error:
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


def seeds_of(spec: EnvironmentSpec) -> tuple[str, ...]:
    """The packages that an environment holds from the start: pip where pip is its installer."""
    if spec.installer != "pip":
        return ()
    return ("pip", "setuptools") if spec.maker[:1] in (("virtualenv",), ("venv",)) else ("pip",)


def creation_command(
    spec: EnvironmentSpec, directory: Path, interpreter: Interpreter, python: str, uv: str
) -> Sequence[str] | None:
    """The command that makes an environment with options of its own (``spec.maker``); None for one without.

    Args:
        spec: what is requested.
        directory: the environment's.
        interpreter: the base installation.
        python: the Python that virtualenv is installed in.
        uv: uv's binary.
    """
    if len(spec.maker) < 2:
        return None
    backend, *options = spec.maker
    if backend == "uv":
        return [uv, "venv", "-p", interpreter.executable, str(directory), "--clear", *options]
    if backend == "venv":
        return [interpreter.executable, "-m", "venv", str(directory), *options]
    return [python, "-m", "virtualenv", str(directory), "--no-periodic-update", "-p", interpreter.executable, *options]


def plain_place(directory: Path, prompt: str) -> str | None:
    """An environment's path without links; None where shells quote the path or the prompt, each in its own way, so
    that files that mention them can't be written for another place."""
    path = _real_path(directory)
    return path if _PLAIN_PATH.fullmatch(path) and _PLAIN_PROMPT.fullmatch(prompt) else None


def _real_path(directory: Path) -> str:
    # as virtualenv does: an environment has one path, whatever links lead to it
    return os.path.join(os.path.realpath(directory.parent), directory.name)


def is_shebang_too_long(path: str) -> bool:
    """Whether the scripts of an environment at this path can't name their interpreter in their first line."""
    return len(f"#!{python_of(Path(path))}") > LONGEST_SHEBANG


def _make_in_place(
    directory: Path,
    interpreter: Interpreter,
    cache_directory: Path,
    seeds: Sequence[str],
    prompt: str,
    environ: Mapping[str, str] | None,
) -> None:
    """Make an environment by virtualenv."""
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
    seed = ["--no-seed"] if not seeds else [] if "setuptools" in seeds else ["--no-setuptools"]
    try:
        _run_virtualenv([*arguments, *seed, str(directory)], cleaned, directory)
    except CreationFailed:
        # virtualenv drops pip for old Pythons before it drops them: theirs brings one along
        if not seeds or not _seeded_by_ensurepip(arguments, directory, cleaned):
            raise
    if not seeds:
        treat_no_package_as_a_seed(directory)


def _make_by_command(command: Sequence[str], directory: Path, environ: Mapping[str, str] | None) -> None:
    from setlist.process.spawn import run_process

    done = run_process(command, env=os.environ if environ is None else environ, cwd=directory.parent, capture=True)
    if done.code != 0 or not (directory / "pyvenv.cfg").is_file():
        output = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise CreationFailed(
            f"the environment in {directory} can't be made: {os.path.basename(command[0])} failed", detail=output
        )


def _run_virtualenv(arguments: Sequence[str], environ: dict[str, str], directory: Path) -> None:
    import contextlib
    import io

    from virtualenv import cli_run

    output = io.StringIO()
    try:
        # its argument parser and its deprecations print, and logging without handlers writes to stderr
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            cli_run(list(arguments), setup_logging=False, env=environ)
    except PermissionError:
        raise
    except (Exception, SystemExit) as error:
        # SystemExit is its argument parser's; its own errors have no common root
        message = "" if isinstance(error, SystemExit) else str(error)
        detail = "\n".join(filter(None, (output.getvalue().strip(), message)))
        raise CreationFailed(
            f"virtualenv can't make an environment in {directory}", detail=detail or type(error).__name__
        ) from error


def _seeded_by_ensurepip(arguments: Sequence[str], directory: Path, environ: dict[str, str]) -> bool:
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


# --- templates ------------------------------------------------------------------------------------------------


def template_of(
    interpreter: Interpreter,
    *,
    cache_directory: Path,
    seeds: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Template:
    """The template of an interpreter's environments with these seeds. It is made if it isn't there.

    Raises:
        OSError: the cache isn't writable.
        CreationFailed: virtualenv can't make it.
    """
    home = cache_directory / TEMPLATES
    place = home / template_name(interpreter, seeds)
    template = read_template(place)
    if template is not None:
        return template
    # Made under another name until it is whole, so that half a template is never used. That name stays in its
    # files: it is what is replaced, and it occurs nowhere else.
    token = f"making-{os.getpid()}-{os.urandom(6).hex()}"
    prompt = f"prompt-{os.urandom(6).hex()}"
    making = Path(os.path.realpath(home)) / token
    try:
        making.mkdir(parents=True)
        _make_in_place(making / "environment", interpreter, cache_directory, seeds, prompt, environ)
        record_template(making, token, prompt)
        if os.path.lexists(place):
            # what is there isn't a whole template, or another process was faster
            template = read_template(place)
            if template is not None:
                return template
            remove_tree(place)
        with suppress(OSError):
            os.rename(making, place)
        template = read_template(place)
        if template is None:
            raise OSError(5, "the template can't be kept", str(place))
        return template
    finally:
        with suppress(OSError):
            remove_tree(making)


def template_name(interpreter: Interpreter, seeds: Sequence[str] = ()) -> str:
    """The name of a template's directory, whether it is there or not. The format of records is part of it."""
    version = _virtualenv_version()
    return digest(repr((FORMAT, interpreter.executable, interpreter.signature, version, tuple(seeds))))


def python_with_pip(
    interpreter: Interpreter, *, cache_directory: Path, environ: Mapping[str, str] | None = None
) -> Path:
    """The Python of the interpreter's template with pip.

    Its ``python -m pip`` installs into other environments (``--python``). Nobody may change it.

    Raises:
        CreationFailed: virtualenv can't make it.
        StorageError: the cache isn't writable.
    """
    try:
        template = template_of(interpreter, cache_directory=cache_directory, seeds=("pip",), environ=environ)
    except OSError as error:
        raise StorageError(
            f"can't use {cache_directory}: {error.strerror or error}",
            hint="make it writable, or name another place with SETLIST_CACHE_DIR",
        ) from error
    return python_of(template.environment)


def _virtualenv_version() -> str:
    """virtualenv's version, without importing it: that alone takes longer than copying a template."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("virtualenv")
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        with suppress(OSError), open(os.path.join(location, "version.py"), encoding="utf-8") as stream:
            return stream.read()
    from importlib.metadata import version

    return version("virtualenv")


def record_template(place: Path, token: str, prompt: str) -> None:
    """Record what the environment in ``place/environment`` consists of.

    Args:
        place: the template's directory, under the name that it was made with.
        token: that name, or another part of its path that occurs nowhere else.
        prompt: the prompt that it was made with, which occurs nowhere else either.

    Raises:
        OSError: the environment can't be read, or the record can't be written.
    """
    environment = place / "environment"
    parts: dict[str, list[object]] = {name: [] for name in ("directories", "files", "programs", "rewritten", "links")}
    relocatable = True
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(environment / folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                target = os.readlink(entry.path)
                parts["links"].append((name, target))
                relocatable = relocatable and token not in target
            elif entry.is_dir():
                # compiled files have the path of their source in them, and Python makes them again
                if entry.name != "__pycache__":
                    parts["directories"].append(name)
                    pending.append(name)
            else:
                content = Path(entry.path).read_bytes()
                parts["files"].append(name)
                if os.access(entry.path, os.X_OK):
                    parts["programs"].append(name)
                if token.encode() in content or prompt.encode() in content:
                    parts["rewritten"].append(name)
                    relocatable = relocatable and b"\0" not in content
    lists = {name: tuple(part) for name, part in parts.items()}
    record = {"path": str(environment), "prompt": prompt, "token": token, "relocatable": relocatable, **lists}
    # through the link: an interpreter that is gone takes its template with it
    world = World(str(place), {})
    world.look(IDENTITY, str(python_of(environment)))
    Store("", world.root, {}).put(_KEY, world, record)


def read_template(place: Path) -> Template | None:
    """The template in a directory; None where there is none, or one that can't be used any more."""
    found = Store("", str(place), {}).get(_KEY, refresh=False)
    return Template(place=place, **found.value) if isinstance(found, Found) else None


def _copy_template(
    path: str,
    prompt: str,
    interpreter: Interpreter,
    cache_directory: Path,
    seeds: Sequence[str],
    environ: Mapping[str, str] | None,
) -> bool:
    """Make an environment from the interpreter's template; False where that isn't possible."""
    for _ in range(2):
        try:
            template = template_of(interpreter, cache_directory=cache_directory, seeds=seeds, environ=environ)
        except OSError:
            # a cache that can't be written to makes it slower, no more
            return False
        if not template.relocatable or not _PLAIN_PATH.fullmatch(template.path):
            return False
        try:
            materialize(template, path, prompt)
        except CorruptTemplate:
            # somebody cleaned the cache by age
            template.discard()
            continue
        return True
    return False


def materialize(template: Template, path: str, prompt: str) -> None:
    """Make an environment from a template.

    Raises:
        CorruptTemplate: a file of the template is missing, or mentions the template's path in an unknown spelling.
            Nothing has been written then.
        OSError: a file can't be written.
    """
    contents: list[tuple[str, bytes]] = []
    rewritten = frozenset(template.rewritten)
    try:
        for name in template.files:
            content = template.content(name)
            if name in rewritten:
                content = at_another_path(content, template.path, path, template.prompt, prompt)
                if template.token.encode() in content:
                    raise CorruptTemplate(name)
            contents.append((name, content))
    except OSError as error:
        raise CorruptTemplate(str(error)) from error
    os.mkdir(path)
    for name in template.directories:
        os.mkdir(os.path.join(path, name))
    for name, content in contents:
        _write(os.path.join(path, name), content, template.mode(name))
    for name, target in template.links:
        os.symlink(target, os.path.join(path, name))


def _content(path: str) -> bytes:
    # a dozen files, each of a few kilobytes: what open() does besides reading takes longer
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content = b""
        while block := os.read(descriptor, 1 << 20):
            content += block
        return content
    finally:
        os.close(descriptor)


# --- what is in an environment --------------------------------------------------------------------------------


def site_packages(directory: Path) -> tuple[Path, ...]:
    """The directories of an environment's packages: pure ones first, then platform ones where they are apart.

    They are found by the environment's layout, without starting Python: ``lib/python3.12/site-packages`` (and
    ``lib64``), ``lib/pypy3.11/site-packages``, ``Lib/site-packages``. Empty where none of them is there.
    """
    folders: dict[str, Path] = {}

    def add(path: Path) -> None:
        if path.is_dir():
            folders.setdefault(os.path.realpath(path), path)

    for library in ("lib", "lib64"):
        try:
            names = sorted(os.listdir(directory / library))
        except OSError:
            continue
        for name in names:
            if name.startswith(("python", "pypy", "graalpy")):
                add(directory / library / name / "site-packages")
    # Windows; PyPy before 3.8 everywhere
    add(directory / "Lib" / "site-packages")
    add(directory / "site-packages")
    return tuple(folders.values())


def treat_no_package_as_a_seed(directory: Path) -> None:
    """Make uv remove packages that aren't required, whatever their names are.

    In an environment that it didn't make itself, uv's exact installs keep what environments are commonly seeded with:
    pip, and before Python 3.12 setuptools, wheel and uv. An environment is uv's own by the ``uv`` key in pyvenv.cfg.
    """
    configuration = directory / "pyvenv.cfg"
    content = configuration.read_bytes()
    if not re.search(rb"(?m)^uv\s*=", content):
        write_atomically(configuration, content.rstrip() + b"\nuv = setlist\n")


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _write(path: str, content: bytes, mode: int) -> None:
    """Write a new file.

    Raises:
        OSError: it can't be written, or exists.
    """
    descriptor = os.open(path, _NEW_FILE, mode)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def at_another_path(content: bytes, old_path: str, new_path: str, old_prompt: str, new_prompt: str) -> bytes:
    """The content of an environment's file at another path and with another prompt.

    All shells must quote the paths and prompts alike. Only backslashes differ: plain (batch, PowerShell, nushell, sh in
    quotes), doubled (xonsh, Python, older fish scripts), or outside the quotes (fish, csh).
    """
    for spell in (_spelled_outside_quotes, _spelled_doubled, str):
        content = content.replace(spell(old_path).encode(), spell(new_path).encode())
    return content.replace(old_prompt.encode(), new_prompt.encode())


def _spelled_outside_quotes(path: str) -> str:
    return path.replace("\\", "'\\\\'")


def _spelled_doubled(path: str) -> str:
    return path.replace("\\", "\\\\")
