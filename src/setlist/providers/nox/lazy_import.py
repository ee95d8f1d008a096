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
    """Stands for ``nox._version``: a noxfile that says nothing of ``nox.needs_version`` is not searched for it."""

    class VersionCheckFailed(Exception):
        """As nox's own."""

    class InvalidVersionSpecifier(Exception):
        """As nox's own."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self), name)

    def check_nox_version(self, filename: str | None = None) -> None:
        """nox's own check, where there can be something to check."""
        if filename is not None:
            with open(filename, "rb") as stream:
                if b"needs_version" not in stream.read():
                    return
        real = _real(self)
        try:
            real.check_nox_version(filename)
        except real.VersionCheckFailed as error:
            raise self.VersionCheckFailed(*error.args) from error
        except real.InvalidVersionSpecifier as error:
            raise self.InvalidVersionSpecifier(*error.args) from error


def _real(stand_in: ModuleType) -> Any:
    import importlib

    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
    return importlib.import_module(stand_in.__name__)


def import_nox_sooner() -> None:
    """Import nox without what can wait. Where it was imported already, nothing is done."""
    if "nox" in sys.modules or sys.version_info >= (3, 15):
        return
    sys.meta_path.insert(0, _Finder())
    sys.modules["nox._cli"] = _CommandLine("nox._cli")
    sys.modules["nox._version"] = _VersionCheck("nox._version")
    import nox

    # which the import system does only for modules that it has made itself
    for name in ("_cli", "_version"):
        setattr(nox, name, sys.modules[f"nox.{name}"])
