"""Write an initial [tool.setlist] into pyproject.toml for what the project contains.

It asks no questions and overwrites nothing: the rest of the file stays the same, byte for byte. A noxfile.py or
tox.ini isn't changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.options import DIRECTORY, HELP, VERBOSE, Arguments
from setlist.core.errors import ConfigurationError, StorageError, UsageError
from setlist.core.project import FOLDERS, is_session_file, session_file_names, sessions_folder
from setlist.core.toml import parse_toml

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "init"
OPTIONS = (DIRECTORY, VERBOSE, HELP)

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", "noxfile.py", "tox.ini", ".git")


def run(arguments: Arguments, context: Context) -> int:
    """Write the definitions, and print which sessions they define."""
    if arguments.words:
        raise UsageError("'setlist init' takes no arguments", hint="use -C DIR for another directory")

    from setlist.cli.project_scan import as_toml, first_sessions, scan
    from setlist.cli.verbs.doctor import exclusions
    from setlist.core.files import write_atomically

    root = _root(context.caller.cwd)
    path = root / "pyproject.toml"
    before = _read(path)
    _refuse_second(root, before)
    project = scan(root, _parse(before))
    sessions = first_sessions(project)
    after = appended(before, as_toml(sessions))
    if not _can_be_read(after):
        raise ConfigurationError(
            "[tool.setlist] can't be appended: 'tool' is written as one inline table",
            file=path.name,
            hint="write 'tool' as [tool.NAME] tables, or put the sessions into a file "
            f"{sessions_folder(root)}/NAME.toml",
        )
    try:
        # write through a symbolic link to its target
        write_atomically(path.resolve(), after)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    names = ", ".join(session.name for session in sessions)
    context.out.line(
        f"{'wrote' if not before else 'added'} [tool.setlist] {'to' if before else 'into'} {path}: {names}"
    )
    for name in ("noxfile.py", "tox.ini"):
        if name in project.files:
            context.out.line(f"{name} isn't changed")
    for tool, line in exclusions(root):
        context.out.line(f"{tool} reads the environments in .setlist: add {line}")
    context.out.line(f"next: run --list, and run {sessions[0].name}")
    return 0


def _root(start: Path) -> Path:
    for directory in (start, *start.parents):
        if any((directory / mark).exists() for mark in _MARKS):
            return directory
    return start


def _read(path: Path) -> bytes:
    from setlist.core.files import read_bytes

    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror or error}") from error


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
