"""Import nox without the modules that running a session doesn't need. Each is imported when something uses it.

nox names most of these modules in ``__lazy_modules__`` (PEP 810), which Python heeds from 3.15 on. On older ones, a
third of the time that importing nox takes goes into its command line, package metadata and requirement parsing.

``nox._cli`` is the one private module of nox that is named here. ``import nox`` takes ``main`` from it, and a
:class:`~importlib.util.LazyLoader` can't defer that. Importing it takes a tenth of the time of a warm session. If a
later nox has no such module, or takes something else from it, nothing is deferred.
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
"""Modules that nox and its dependencies import with ``import X``: their names are looked up when they are used."""


class _Finder:
    """Finds the modules that can wait, and loads them lazily."""

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
    """Replaces ``nox._cli`` until something but ``main`` is looked up in it, or ``main`` is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._load(), name)

    def main(self) -> None:
        """``nox.main``."""
        self._load().main()

    def _load(self) -> Any:
        import importlib

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


def import_nox_lazily() -> None:
    """Import nox without the modules that can wait, unless it is imported already or Python defers them itself."""
    if "nox" in sys.modules or sys.version_info >= (3, 15):
        return
    sys.meta_path.insert(0, _Finder())
    sys.modules["nox._cli"] = _CommandLine("nox._cli")
    import nox

    # the import system does so only for modules that it has loaded itself
    nox._cli = sys.modules["nox._cli"]  # noqa: SLF001
