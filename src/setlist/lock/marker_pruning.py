"""Leave out of a universal resolution what none of the wanted platforms and Pythons needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

PLATFORMS: dict[str, dict[str, str]] = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
"""What markers say on each platform that ``lock-platforms`` can name."""

_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64", "ARM64", "i686", "armv7l")
_IMPLEMENTATIONS = (("cpython", "CPython"), ("pypy", "PyPy"))
_NEWEST = 20
_PLATFORM_VARIABLES = frozenset({"sys_platform", "platform_system", "os_name"})
_PYTHON_VARIABLES = frozenset({"python_version", "python_full_version", "implementation_version"})
_IMPLEMENTATION_VARIABLES = frozenset({"implementation_name", "platform_python_implementation"})
# A kernel's release, say: nothing is known of what it is where the lock is used
_UNKNOWABLE = frozenset({"platform_release", "platform_version"})

_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")


def narrowed(body: str, platforms: Sequence[str], python: str, only: str | None) -> str:
    """The requirement lines (with the hashes below them) that some wanted environment needs.

    Args:
        body: the resolution.
        platforms: names in :data:`PLATFORMS`; none means all, and nothing is left out for its platform.
        python: the oldest Python, ``"3.10"``.
        only: the one Python it is for, if it is for one.
    """
    if not platforms and only is None:
        return body
    kept: list[str] = []
    keeping = True
    for line in body.splitlines():
        if not line.startswith((" ", "\t")):
            _, separator, text = line.rstrip("\\").partition(" ;")
            marker = re.sub(r"\s*--hash=\S+", "", text).strip()
            keeping = not separator or needed(marker, tuple(platforms), python, only)
        if keeping:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


@cache
def needed(text: str, platforms: tuple[str, ...], python: str, only: str | None) -> bool:
    """Whether a marker holds in some wanted environment. Arguments as for :func:`narrowed`."""
    from packaging.markers import InvalidMarker, Marker

    try:
        marker = Marker(text)
    except InvalidMarker:
        return True
    names = set(re.findall(r"[a-z_]+", _LITERAL.sub("", text)))
    if names & _UNKNOWABLE:
        return True
    literals = [found[1:-1] for found in _LITERAL.findall(text)]
    return any(marker.evaluate(environment) for environment in _environments(names, literals, platforms, python, only))


def _environments(
    names: set[str], literals: Sequence[str], platforms: Sequence[str], python: str, only: str | None
) -> Iterator[dict[str, str]]:
    """The wanted environments, as far as they differ in what a marker speaks of."""
    systems = [PLATFORMS[name] for name in platforms or PLATFORMS]
    if not platforms:
        # Without lock-platforms one that isn't in our table (a BSD, cygwin) may be meant: what the marker names
        for literal in (*literals, "other"):
            systems.append({"sys_platform": literal, "platform_system": literal, "os_name": "posix"})
            systems.append({"sys_platform": literal, "platform_system": literal, "os_name": literal})
    machines = [*_MACHINES, *literals]
    oldest = int(python.partition(".")[2])
    minors = [int(only.partition(".")[2])] if only is not None else range(oldest, max(oldest, _NEWEST) + 1)
    versions = [
        {
            "python_version": f"3.{minor}",
            "python_full_version": f"3.{minor}.{patch}",
            "implementation_version": f"3.{minor}.{patch}",
        }
        for minor in minors
        for patch in (0, 99)
    ]
    for system, machine, (name, long_name), version in product(
        systems if names & _PLATFORM_VARIABLES else systems[:1],
        machines if "platform_machine" in names else machines[:1],
        _IMPLEMENTATIONS if names & _IMPLEMENTATION_VARIABLES else _IMPLEMENTATIONS[:1],
        versions if names & _PYTHON_VARIABLES else versions[:1],
    ):
        yield {
            **system,
            **version,
            "platform_machine": machine,
            "implementation_name": name,
            "platform_python_implementation": long_name,
            "platform_release": "",
            "platform_version": "",
            "extra": "",
        }
