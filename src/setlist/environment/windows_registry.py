"""Which interpreters the Windows registry knows of (PEP 514)."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any


def registered(key: str, winreg: ModuleType | None = None) -> list[tuple[str, str]]:
    """The tag (``3.12``, ``3.13t``, ``3.12-32``) and binary of every registered interpreter, the user's own first.

    Args:
        key: where they are registered, below the hives' roots.
        winreg: the standard library's module, which exists on Windows only.
    """
    # through import_module, since type checkers elsewhere don't know the module
    registry: Any = winreg or import_module("winreg")
    found: dict[str, str] = {}
    for hive, view in (
        (registry.HKEY_CURRENT_USER, 0),
        (registry.HKEY_LOCAL_MACHINE, registry.KEY_WOW64_64KEY),
        (registry.HKEY_LOCAL_MACHINE, registry.KEY_WOW64_32KEY),
    ):
        access = registry.KEY_READ | view
        for company in _names(registry, hive, key, access):
            if company == "PyLauncher":  # reserved by the PEP, no interpreters
                continue
            for tag in _names(registry, hive, rf"{key}\{company}", access):
                path = _binary(registry, hive, rf"{key}\{company}\{tag}\InstallPath", access)
                if path is not None:
                    found.setdefault(path, tag)
    return [(tag, path) for path, tag in found.items()]


def _names(registry: Any, hive: Any, key: str, access: int) -> Iterator[str]:
    with suppress(OSError), registry.OpenKeyEx(hive, key, 0, access) as opened:
        for index in range(registry.QueryInfoKey(opened)[0]):
            yield registry.EnumKey(opened, index)


def _binary(registry: Any, hive: Any, key: str, access: int) -> str | None:
    try:
        opened = registry.OpenKeyEx(hive, key, 0, access)
    except OSError:
        return None
    with opened:
        for name, file in (("ExecutablePath", ""), (None, "python.exe")):
            with suppress(OSError):
                value = registry.QueryValueEx(opened, name)[0]
                if isinstance(value, str) and ntpath.isabs(value):
                    return ntpath.join(value, file) if file else value
    return None
