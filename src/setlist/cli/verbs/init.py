"""Write an initial [tool.setlist] into pyproject.toml for what the project contains.

It asks no questions and overwrites nothing: the rest of the file stays the same, byte for byte. If there is a
noxfile.py, nothing is written, because its sessions run as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.options import DIRECTORY, HELP, VERBOSE, Arguments
from setlist.core.errors import ConfigurationError, InterpreterNotFound, StorageError, UsageError
from setlist.core.project import FOLDERS, Caller, is_session_file, session_file_names, sessions_folder
from setlist.core.toml import parse_toml

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.first_sessions import FirstSession, Pythons
    from setlist.cli.project_scan import ProjectScan

USAGE = "init"
OPTIONS = (DIRECTORY, VERBOSE, HELP)

_MARKS = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "manage.py"),
    *("noxfile.py", "tox.ini", "tox.toml", ".git"),
)


def run(arguments: Arguments, context: Context) -> int:
    """Write the definitions, and print which sessions they define."""
    if arguments.words:
        raise UsageError("'setlist init' takes no arguments", hint="use -C DIR for another directory")

    from setlist.cli.first_sessions import as_toml, first_sessions
    from setlist.cli.project_scan import scan
    from setlist.environment.pyproject import table_of

    root = _root(context.caller)
    path = root / "pyproject.toml"
    before = _read(path)
    _refuse_second(root, before)
    if _has_noxfile(root):
        _offer_noxfile(context, root)
        return 0
    pyproject = _parse(before)
    if "setlist" in table_of(pyproject, "tool"):
        raise UsageError("[tool.setlist] exists already", where=path.name, hint="'run --list' shows its sessions")
    project = scan(root, pyproject)
    pythons = _pythons(context.caller, root, project.requires_python)
    sessions = first_sessions(project, pythons)
    after = appended(before, as_toml(sessions))
    if not _can_be_read(after):
        raise ConfigurationError(
            "[tool.setlist] can't be appended: 'tool' is written as one inline table",
            file=path.name,
            hint="write 'tool' as [tool.NAME] tables, or put the sessions into a file "
            f"{sessions_folder(root)}/NAME.toml",
        )
    _write(path, after)
    names = ", ".join(session.name for session in sessions)
    context.out.line(
        f"{'wrote' if not before else 'added'} [tool.setlist] {'to' if before else 'into'} {path}: {names}"
    )
    for line in _remarks(root, project, pythons, sessions):
        context.out.line(line)
    context.out.line(f"next: run --list, and run {sessions[0].name}")
    return 0


def _root(caller: Caller) -> Path:
    """The nearest directory with a project. The home directory is none unless one stands in it."""
    home = caller.environ.get("HOME") or caller.environ.get("USERPROFILE")
    for directory in (caller.cwd, *caller.cwd.parents):
        if home and directory != caller.cwd and directory == Path(home):
            break
        if any((directory / mark).exists() for mark in _MARKS):
            return directory
    return caller.cwd


def _has_noxfile(root: Path) -> bool:
    """Whether there is a noxfile with sessions of its own, and not one that registers setlist's."""
    from setlist.core.files import text_or_nothing

    path = root / "noxfile.py"
    return path.is_file() and "setlist" not in text_or_nothing(path)


def _offer_noxfile(context: Context, root: Path) -> None:
    context.out.line(f"nothing is written: {root / 'noxfile.py'} defines sessions, which run as they are")
    context.out.line("next: run --list; or 'setlist import nox --write' to convert them to [tool.setlist]")


def _pythons(caller: Caller, root: Path, requires_python: str | None) -> Pythons:
    """The Pythons that are supported, that the project allows, and that are installed."""
    import datetime

    from setlist.cli.first_sessions import choose_pythons
    from setlist.cli.python_releases import allowed, supported
    from setlist.core.system import user_cache
    from setlist.environment.interpreters import Interpreters

    versions = supported(datetime.datetime.now(datetime.timezone.utc).date().isoformat())
    installed: list[str] = []
    interpreters = Interpreters(caller, user_cache(dict(caller.environ)), root)
    for version in allowed(requires_python, versions) if requires_python else ():
        try:
            interpreters.find(version)
        except InterpreterNotFound:
            continue
        installed.append(version)
    return choose_pythons(requires_python, versions, installed)


def _remarks(root: Path, project: ProjectScan, pythons: Pythons, sessions: list[FirstSession]) -> Iterator[str]:
    """What to know of the definitions, a line each."""
    from setlist.cli.verbs.doctor import exclusions

    if pythons.axis and pythons.missing and any(session.name == "test" for session in sessions):
        yield f"test doesn't list python {', '.join(pythons.missing)}: not installed here"
    if project.unlimited:
        yield f"check the versions of {', '.join(project.unlimited)}: their limits can't be expressed as a requirement"
    if "tox" in project.tools:
        yield "tox's configuration isn't changed: 'run tox' starts tox; docs/migrating.md compares the settings"
    for tool, line in exclusions(root):
        yield f"{tool} reads the environments in .setlist: add {line}"


def _read(path: Path) -> bytes:
    from setlist.core.files import read_bytes

    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    """Replace the file, or the one that it is a link to. Its permissions stay."""
    from setlist.core.files import write_atomically

    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        write_atomically(target, content)
        if mode is not None:
            target.chmod(mode & 0o7777)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error


def _refuse_second(root: Path, pyproject: bytes) -> None:
    for number, line in enumerate(pyproject.splitlines(), start=1):
        if line.replace(b" ", b"").replace(b'"', b"").startswith((b"[tool.setlist", b"[[tool.setlist")):
            raise UsageError(
                "[tool.setlist] exists already",
                where=f"pyproject.toml:{number}",
                hint="'run --list' shows its sessions",
            )
    for folder in FOLDERS:
        for name in session_file_names(root / folder):
            if is_session_file(root / folder / name):
                raise UsageError(
                    "sessions are defined already", where=f"{folder}/{name}", hint="'run --list' shows the sessions"
                )


def _parse(content: bytes) -> dict[str, Any]:
    try:
        # the byte order mark is kept, since the text is appended
        return parse_toml(content.decode("utf-8-sig"))
    except ValueError as error:
        raise ConfigurationError(f"this is not TOML: {error}", file="pyproject.toml") from error


def _can_be_read(content: bytes) -> bool:
    try:
        return "setlist" in _parse(content)["tool"]
    except ConfigurationError:
        return False


def appended(before: bytes, toml: str) -> bytes:
    """The file with ``toml`` appended, with the line ends of the file."""
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before else newline if before.endswith(b"\n") else newline * 2
    return before + gap + toml.encode().replace(b"\n", newline)
