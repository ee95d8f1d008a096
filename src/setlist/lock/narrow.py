"""Leave out of a universal resolution what none of the wanted platforms and Pythons needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

PLATFORMS: dict[str, tuple[dict[str, str], ...]] = {
    "linux": ({"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},),
    "macos": ({"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},),
    "windows": ({"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},),
}
"""What markers say on each platform that ``lock-platforms`` can name."""

_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64", "ARM64", "i686", "x86", "armv7l", "ppc64le", "s390x", "riscv64")
_IMPLEMENTATIONS = (("cpython", "CPython"), ("pypy", "PyPy"))
_NEWEST = 20


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
    environments = tuple(_environments(platforms or tuple(PLATFORMS), python, only))
    # without lock-platforms an unknown platform (a BSD, cygwin) may still be meant
    open_ended = not platforms
    kept: list[str] = []
    keeping = True
    for line in body.splitlines():
        if not line.startswith((" ", "\t")):
            keeping = _needed(line, environments, open_ended)
        if keeping:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def _needed(line: str, environments: Sequence[dict[str, str]], open_ended: bool) -> bool:
    _, separator, text = line.rstrip("\\").partition(" ;")
    if not separator:
        return True
    from packaging.markers import InvalidMarker, Marker

    try:
        marker = Marker(re.sub(r"\s*--hash=\S+", "", text).strip())
    except InvalidMarker:
        return True
    if open_ended and re.search(r"sys_platform|platform_system|os_name|platform_machine", text):
        unknown = [
            {**environment, "sys_platform": "other", "platform_system": "Other", "os_name": "posix"}
            for environment in environments
        ]
        return any(marker.evaluate(environment) for environment in (*environments, *unknown))
    return any(marker.evaluate(environment) for environment in environments)


def _environments(platforms: Sequence[str], python: str, only: str | None) -> Iterator[dict[str, str]]:
    oldest = int(python.partition(".")[2])
    minors = [int(only.partition(".")[2])] if only is not None else range(oldest, max(oldest, _NEWEST) + 1)
    for platform in platforms:
        for described in PLATFORMS[platform]:
            for machine in _MACHINES:
                for name, long_name in _IMPLEMENTATIONS:
                    for minor in minors:
                        for patch in (0, 99):
                            yield {
                                **described,
                                "platform_machine": machine,
                                "implementation_name": name,
                                "platform_python_implementation": long_name,
                                "implementation_version": f"3.{minor}.{patch}",
                                "python_version": f"3.{minor}",
                                "python_full_version": f"3.{minor}.{patch}",
                                "platform_release": "",
                                "platform_version": "",
                                "extra": "",
                            }
