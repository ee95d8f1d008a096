"""Load a noxfile, as nox does: its own option parser, loader, registry and manifest.

In a process of its own: nox is imported, the directory becomes the noxfile's, and the user's code runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from setlist.core.records import dataclass

if TYPE_CHECKING:
    from nox._options import NoxConfig
    from nox.manifest import Manifest
    from nox.sessions import SessionRunner


class LoadFailed(Exception):
    """A noxfile can't be loaded. ``file`` is as Python names it, absolute where it is a file's name."""

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.detail = detail
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded noxfile: nox's configuration, the noxfile's own options in it, and the manifest, nothing chosen yet."""

    config: NoxConfig
    manifest: Manifest

    def runner(self, name: str) -> SessionRunner:
        """The session that nox calls by this friendly name.

        Raises:
            LoadFailed: there is none any more.
        """
        for runner, _ in self.manifest.list_all_sessions():
            if runner.friendly_name == name:
                return runner
        raise LoadFailed(f"there is no session {name!r} any more", file=self.config.noxfile, hint="run it again")


def parse(arguments: Sequence[str]) -> NoxConfig:
    """A command line, as nox itself reads it, with the environment variables that it looks at.

    Raises:
        LoadFailed: nox refuses it.
    """
    from nox import _options

    def refuse(_: argparse.ArgumentParser, message: str) -> NoReturn:
        raise LoadFailed(message)

    original = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = refuse  # type: ignore[assignment, method-assign]
    try:
        return _options.options.parse_args(list(arguments))
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise LoadFailed(str(error)) from error
    finally:
        argparse.ArgumentParser.error = original  # type: ignore[method-assign]


def load(
    root: str,
    file: str,
    arguments: Sequence[str] = (),
    *,
    posargs: Sequence[str] = (),
    invoked_from: str | None = None,
) -> Loaded:
    """Load a noxfile.

    Args:
        root: the project's root.
        file: the noxfile, relative to it.
        arguments: words of nox's command line.
        posargs: what comes after its ``--``.
        invoked_from: where the person stood; this process's directory where it isn't said.

    Raises:
        LoadFailed: it can't be read, it raises, or nox refuses what it says.
    """
    invoked_from = invoked_from or os.getcwd()
    os.chdir(root)
    rest = ["--", *posargs] if posargs else []
    sys.argv = ["nox", *arguments, *rest]  # noxfiles look for nox's options there
    config = parse([*arguments, "-f", file, *rest])
    config.invoked_from = invoked_from
    return load_config(config)


def load_config(config: NoxConfig) -> Loaded:
    """Load the noxfile that a configuration names, relative to the current directory.

    Raises: as :func:`load`.
    """
    from nox import registry, tasks

    registry.reset()
    file = os.path.abspath(os.path.expandvars(config.noxfile))
    with _telling(file), _no_bytecode(), _errors_of_nox() as errors:
        _parsed(file)
        module = tasks.load_nox_module(config)
        if isinstance(module, int):
            raise LoadFailed("; ".join(errors) or "nox can't load it", file=file, line=_needs_version(file))
        tasks.merge_noxfile_options(module, config)
    try:
        manifest = tasks.discover_manifest(module, config)
    except Exception as error:
        raise _session_at_fault(config, error) from error
    return Loaded(config, manifest)


@contextmanager
def _telling(file: str) -> Iterator[None]:
    """Turn whatever the user's code raises into one message, with the line of theirs that it came through."""
    try:
        yield
    except LoadFailed:
        raise
    except SystemExit as error:
        where, line = place_of(error.__traceback__, file)
        said = "" if error.code is None else repr(error.code)
        raise LoadFailed(
            f"the noxfile ends the program when it is loaded: sys.exit({said})", file=where, line=line
        ) from (error)
    except SyntaxError as error:
        if not error.filename or not os.path.isfile(error.filename):
            raise _raised(error, file) from error
        text = (error.text or "").strip()
        raise LoadFailed(
            f"this is not Python: {error.msg}", file=error.filename, line=error.lineno, detail=text or None
        ) from error
    except Exception as error:  # a user's file can raise anything, and each of it is told in one message
        raise _raised(error, file) from error


def _raised(error: Exception, file: str) -> LoadFailed:
    where, line = place_of(error.__traceback__, file)
    hint = None
    if isinstance(error, ImportError):
        hint = (
            "the noxfile is loaded by the Python that setlist runs on: name what it imports in a "
            "'# /// script' block at its head, with nox among its dependencies"
        )
    text = str(error)
    name = type(error).__name__
    return LoadFailed(
        "the noxfile raises when it is loaded",
        file=where,
        line=line,
        detail=f"{name}: {text}" if text else name,
        hint=hint,
    )


def place_of(traceback: TracebackType | None, file: str) -> tuple[str, int | None]:
    """The innermost line of the project's own code that an exception came through."""
    folder = os.path.join(os.path.dirname(os.path.realpath(file)), "")
    place: tuple[str, int | None] = (file, None)
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if os.path.realpath(name).startswith(folder) and "site-packages" not in name:
            place = (name, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def _parsed(file: str) -> None:
    """See that it is there and is Python. nox would tell of it with a traceback."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise LoadFailed(f"can't be read: {error.strerror or error}", file=file) from error
    try:
        compile(data, file, "exec", dont_inherit=True)
    except SyntaxError:
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadFailed(f"this is not Python: {error}", file=file) from error


def _needs_version(file: str) -> int | None:
    """The line of ``nox.needs_version = …``, which is what nox refuses a noxfile for."""
    import ast

    for node in ast.walk(ast.parse(Path(file).read_bytes())):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr == "needs_version" for target in node.targets
        ):
            return node.lineno
    return None


def _session_at_fault(config: NoxConfig, error: Exception) -> LoadFailed:
    """Which of the sessions nox can't make: its manifest is made of all, and its error names none."""
    from nox import registry
    from nox.manifest import Manifest

    detail = f"{type(error).__name__}: {error}"
    for name, func in registry.get().items():
        try:
            Manifest({name: func}, config)
        except Exception:  # noqa: PERF203 - which of them it is, is what is asked
            code = getattr(func.func, "__code__", None)
            return LoadFailed(
                f"nox can't make the session {name!r}",
                file=code.co_filename if code else config.noxfile,
                line=code.co_firstlineno if code else None,
                detail=detail,
            )
    return LoadFailed("nox can't make its sessions", file=config.noxfile, detail=detail)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    # its bytecode would be trusted when the noxfile changed twice within a second, and lies in the user's folder
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@contextmanager
def _errors_of_nox() -> Iterator[list[str]]:
    """Collect the errors that nox logs meanwhile; warnings are printed, unless somebody else handles them."""
    import logging

    from nox.logger import logger

    errors: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                errors.append(record.getMessage())
            elif record.levelno >= logging.WARNING and len(logger.handlers) == 1 and not logging.getLogger().handlers:
                sys.stderr.write(f"nox: {record.getMessage()}\n")

    handler = Collect()
    logger.addHandler(handler)
    try:
        yield errors
    finally:
        logger.removeHandler(handler)
