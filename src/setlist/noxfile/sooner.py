"""Import nox without what running a session doesn't need, until somebody asks for it.

nox itself says of most of its imports that they may wait (``__lazy_modules__``, for Pythons that heed it). On the
others, half of the time that importing nox takes goes into reading the metadata of installed packages, parsing
requirements, and its command line. nox stays nox: what is put off is imported as soon as it is looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from pathlib import Path
from types import ModuleType
from typing import Any

LATER = frozenset(
    {
        "nox.project",
        "packaging.requirements",
        "packaging.specifiers",
        "packaging.version",
        "importlib.metadata",
        "datetime",
        "hashlib",
        "humanize",
    }
)
"""Modules that nox and its dependencies import whole, so that they can be empty until they are looked at."""


class _Finder:
    """Finds the modules that can wait."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


class _CommandLine(ModuleType):
    """Stands for ``nox._cli``, of which ``import nox`` takes ``main``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self), name)

    def main(self) -> None:
        """nox's own."""
        _real(self).main()


class _VersionCheck(ModuleType):
    """Stands for ``nox._version`` where a noxfile says nothing of ``nox.needs_version``, which it would look for."""

    class VersionCheckFailed(Exception):
        """Never raised: nothing is checked."""

    class InvalidVersionSpecifier(Exception):
        """Never raised either."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self), name)

    @staticmethod
    def check_nox_version(filename: str | None = None) -> None:
        """There is nothing to check."""


def _real(stand_in: ModuleType) -> ModuleType:
    import importlib

    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
    return importlib.import_module(stand_in.__name__)


def import_nox_sooner(noxfile: Path) -> None:
    """Import nox without what can wait. Where it was imported already, nothing is done.

    Args:
        noxfile: the one that is going to be loaded.
    """
    if "nox" in sys.modules or sys.version_info >= (3, 15):
        return
    sys.meta_path.insert(0, _Finder())
    sys.modules["nox._cli"] = _CommandLine("nox._cli")
    try:
        says_of_version = b"needs_version" in noxfile.read_bytes()
    except OSError:
        says_of_version = True
    if not says_of_version:
        sys.modules["nox._version"] = _VersionCheck("nox._version")
    import nox

    # which the import system does only for modules that it has made itself
    for name in ("_cli", "_version"):
        if f"nox.{name}" in sys.modules:
            setattr(nox, name, sys.modules[f"nox.{name}"])
