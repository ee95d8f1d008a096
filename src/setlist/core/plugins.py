"""Find the providers of session definitions by name, so that nothing below them depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def find_provider(name: str) -> Any:
    """The provider of this name, as :class:`setlist.providers.Provider` describes it.

    Args:
        name: a key of :func:`definition_files`. It is imported now.
    """
    return import_module(f"setlist.providers.{name}").PROVIDER


def misplaced(source: bytes) -> tuple[int, str, str] | None:
    """The first session of a provider in a Python file that only setlist reads: its line, the error, and a hint."""
    found = (find_provider(name).misplaced(source) for name in providers() if name.encode() in source)
    return next((problem for problem in found if problem is not None), None)


def providers() -> tuple[str, ...]:
    """The names of all providers."""
    return tuple(dict.fromkeys(definition_files().values()))


def definition_files() -> Mapping[str, str]:
    """The files in a project's root that hold foreign definitions, each with the name of its provider."""
    files: Mapping[str, str] = import_module("setlist.providers").FILES
    return files


def kinds() -> tuple[str, ...]:
    """What ``sources`` in ``[tool.setlist]`` calls the files of each provider."""
    return tuple(dict.fromkeys(map(kind_of, definition_files())))


def kind_of(file: str) -> str:
    """What ``sources`` calls a file of a provider: ``makefile`` for ``makefile.toml``."""
    return file.partition(".")[0]
