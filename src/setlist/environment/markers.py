"""Environment markers (PEP 508): the values of their variables for another Python or machine, and whether they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from setlist.core.model import Interpreter

TYPE_CHECKING = False

if TYPE_CHECKING:
    from packaging.markers import Marker

_SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}


def platform_variables(sys_platform: str, machine: str) -> dict[str, str]:
    """The variables that depend on the machine. The release of its system isn't known, and is empty."""
    platform_system, os_name = _SYSTEMS.get(sys_platform, (sys_platform.capitalize(), "posix"))
    return {
        "sys_platform": sys_platform,
        "platform_system": platform_system,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
    }


def marker_environment(release: str, implementation: str, platform: Mapping[str, str] | None = None) -> dict[str, str]:
    """The values of all variables; no extra is requested.

    Args:
        release: the Python's version, with three numbers.
        implementation: as in :class:`Interpreter`.
        platform: the machine, see :func:`platform_variables`; None for this one.
    """
    from packaging.markers import default_environment

    here = {name: str(value) for name, value in default_environment().items()} if platform is None else platform
    return {
        **here,
        "python_version": ".".join(release.split(".")[:2]),
        "python_full_version": release,
        "implementation_name": implementation,
        "implementation_version": release,
        "platform_python_implementation": _IMPLEMENTATIONS.get(implementation, ""),
        "extra": "",
    }


def markers_of(interpreter: Interpreter) -> dict[str, str]:
    """The values of all variables for an interpreter on this machine."""
    return marker_environment(interpreter.version, interpreter.implementation)


def holds(marker: str, environments: Iterable[Mapping[str, str]]) -> bool:
    """Whether a marker is true in one of the environments. An empty or malformed one is."""
    parsed = _parsed(marker)
    return parsed is None or any(evaluates(parsed, environment) for environment in environments)


def evaluates(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    """Whether a parsed marker is true; None, which is no marker, always is."""
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return marker is None or marker.evaluate({**environment})
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True


@cache
def _parsed(text: str) -> Marker | None:
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(text) if text.strip() else None
    except InvalidMarker:
        return None
