"""Remove packages from a universal resolution that no requested platform or Python needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

from setlist.environment.markers import holds, marker_environment, platform_variables
from setlist.environment.pins import written
from setlist.environment.requirement_lines import read_resolution

_PLATFORMS = {"linux": "linux", "macos": "darwin", "windows": "win32"}
"""``sys_platform`` of each platform that ``lock-platforms`` can name."""

_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64", "ARM64", "i686", "armv7l")
_IMPLEMENTATIONS = ("cpython", "pypy")
_NEWEST = 20
_PLATFORM_VARIABLES = frozenset({"sys_platform", "platform_system", "os_name"})
_PYTHON_VARIABLES = frozenset({"python_version", "python_full_version", "implementation_version"})
_IMPLEMENTATION_VARIABLES = frozenset({"implementation_name", "platform_python_implementation"})
# A kernel's release, say: its value on the machine that will use the lock isn't known
_UNKNOWABLE = frozenset({"platform_release", "platform_version"})

_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")


def narrowed(body: str, platforms: Sequence[str], python: str, only: str | None) -> str:
    """The requirement lines, with the hashes below them, that some requested environment needs.

    Args:
        body: the resolution.
        platforms: names of platforms, as in ``lock-platforms``; none means all, and nothing is pruned by platform.
        python: the oldest Python, ``"3.10"``.
        only: the one Python that the lock is for, if it is for one.
    """
    if not platforms and only is None:
        return body
    return written(
        line for line in read_resolution(body) if not line.marker or needed(line.marker, tuple(platforms), python, only)
    )


@cache
def needed(marker: str, platforms: tuple[str, ...], python: str, only: str | None) -> bool:
    """Whether a marker holds in some requested environment. Arguments as for :func:`narrowed`."""
    names = set(re.findall(r"[a-z_]+", _LITERAL.sub("", marker)))
    if names & _UNKNOWABLE:
        return True
    literals = [literal[1:-1] for literal in _LITERAL.findall(marker)]
    return holds(marker, _environments(names, literals, platforms, python, only))


def _environments(
    names: set[str], literals: Sequence[str], platforms: Sequence[str], python: str, only: str | None
) -> Iterator[dict[str, str]]:
    """The requested environments, as far as they differ in the variables of a marker."""
    systems = [platform_variables(_PLATFORMS[name], "") for name in platforms or _PLATFORMS]
    if not platforms:
        # Without lock-platforms a system that isn't in our table (a BSD, cygwin) may be meant: what the marker names
        for literal in (*literals, "other"):
            other = {**platform_variables(literal, ""), "platform_system": literal}
            systems += [other, {**other, "os_name": literal}]
    oldest = int(python.partition(".")[2])
    minors = [int(only.partition(".")[2])] if only is not None else range(oldest, max(oldest, _NEWEST) + 1)
    releases = [f"3.{minor}.{patch}" for minor in minors for patch in (0, 99)]
    machines = [*_MACHINES, *literals]
    for system, machine, implementation, release in product(
        systems if names & _PLATFORM_VARIABLES else systems[:1],
        machines if "platform_machine" in names else machines[:1],
        _IMPLEMENTATIONS if names & _IMPLEMENTATION_VARIABLES else _IMPLEMENTATIONS[:1],
        releases if names & _PYTHON_VARIABLES else releases[:1],
    ):
        yield marker_environment(release, implementation, {**system, "platform_machine": machine})
