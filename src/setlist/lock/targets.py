"""The platforms and Pythons that wheels are fetched for: which markers hold there, and which wheels fit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from setlist.core.errors import UsageError, nearest
from setlist.core.model import Interpreter
from setlist.core.records import dataclass
from setlist.environment.interpreter_spec import Request, parse_request
from setlist.environment.markers import holds, marker_environment, platform_variables

_GLIBC = 45
_MUSL = 5
_MACOS = 27
"""The newest minor (glibc, musl) and major (macOS) releases of wheels, beyond the present ones."""


PLATFORMS = {
    "linux-x86_64": ("linux", "x86_64"),
    "linux-aarch64": ("linux", "aarch64"),
    "linux-musl-x86_64": ("linux", "x86_64"),
    "linux-musl-aarch64": ("linux", "aarch64"),
    "macos-x86_64": ("darwin", "x86_64"),
    "macos-arm64": ("darwin", "arm64"),
    "windows-amd64": ("win32", "AMD64"),
    "windows-arm64": ("win32", "ARM64"),
}
"""``sys_platform`` and ``platform_machine`` of every platform that can be named."""


@dataclass(frozen=True, slots=True)
class Target:
    """A platform and a Python.

    ``platform`` is its name, ``system`` and ``machine`` are its ``sys_platform`` and ``platform_machine``;
    ``platforms`` are the platform tags of the wheels that fit, best first; ``python`` is a minor version (``"3.12"``),
    ``release`` the whole version where it is known; ``implementation`` is ``cpython`` or ``pypy``.
    """

    platform: str
    system: str
    machine: str
    platforms: tuple[str, ...]
    python: str
    release: str | None = None
    implementation: str = "cpython"
    free_threaded: bool = False

    @property
    def label(self) -> str:
        """As a person calls it."""
        name = "python" if self.implementation == "cpython" else self.implementation
        return f"{self.platform}, {name} {self.python}{'t' if self.free_threaded else ''}"

    @property
    def abi(self) -> str:
        digits = self.python.replace(".", "")
        return f"pypy{digits}_pp73" if self.implementation == "pypy" else f"cp{digits}{'t' * self.free_threaded}"

    @property
    def short_implementation(self) -> str:
        """As wheel tags and pip call it."""
        return "pp" if self.implementation == "pypy" else "cp"

    def fitting(self) -> frozenset[str]:
        """The tags of all wheels that fit, as text: ``cp312-abi3-manylinux_2_17_x86_64``.

        There are thousands: compute them once.
        """
        from packaging.tags import compatible_tags, cpython_tags, generic_tags

        version = tuple(int(number) for number in self.python.split("."))
        interpreter = f"{self.short_implementation}{self.python.replace('.', '')}"
        own = (
            cpython_tags(version, abis=[self.abi], platforms=self.platforms)
            if self.implementation == "cpython"
            else generic_tags(interpreter, abis=[self.abi], platforms=self.platforms)
        )
        return frozenset(map(str, (*own, *compatible_tags(version, interpreter, platforms=self.platforms))))

    def needs(self, marker: str) -> bool:
        """Whether a requirement with this marker is needed here; in case of doubt it is."""
        # which patch release another machine has isn't known: a marker that tells two of them apart counts as both
        releases = [self.release] if self.release is not None else [f"{self.python}.0", f"{self.python}.99"]
        platform = platform_variables(self.system, self.machine)
        return holds(marker, [marker_environment(release, self.implementation, platform) for release in releases])


def check_platforms(names: tuple[str, ...]) -> None:
    """Refuse a platform that there is none of.

    Raises:
        UsageError: with the nearest name, or all of them.
    """
    for name in names:
        if name not in PLATFORMS:
            near = nearest(name, PLATFORMS)
            raise UsageError(
                f"--platform {name}: no such platform",
                hint=f"did you mean {near!r}?" if near else f"there are {', '.join(PLATFORMS)}",
            )


def check_pythons(requests: tuple[str, ...]) -> None:
    """Refuse a Python that names no minor version.

    Raises:
        UsageError: which one.
        ConfigurationError: it names no Python at all.
    """
    for request in requests:
        if len(parse_request(request).release) < 2:
            raise UsageError(f"--python {request}: not one minor version", hint="write 3.12, or 3.13t, or pypy3.11")


def elsewhere(platform: str, request: str) -> Target:
    """A platform by its name, and the Python that a request with a minor version asks for."""
    system, machine = PLATFORMS[platform]
    python = parse_request(request)
    return Target(
        platform=platform,
        system=system,
        machine=machine,
        platforms=tuple(_platform_tags(platform, machine)),
        python=".".join(map(str, python.release[:2])),
        release=".".join(map(str, python.release)) if len(python.release) == 3 else None,
        implementation=python.implementation,
        free_threaded=python.free_threaded,
    )


def here(interpreter: Interpreter | None, request: str) -> Target:
    """This machine, as an interpreter on it sees it; as a request says where there is no such interpreter."""
    import platform
    import sys

    from packaging.tags import platform_tags

    python = interpreter or _as_requested(parse_request(request))
    return Target(
        platform="this machine",
        system=sys.platform,
        machine=platform.machine(),
        platforms=tuple(platform_tags()),
        python=".".join(python.version.split(".")[:2]),
        release=python.version if interpreter is not None else None,
        implementation=python.implementation,
        free_threaded=python.free_threaded,
    )


def _as_requested(request: Request) -> Interpreter:
    version = ".".join(map(str, request.release))
    return Interpreter("", version, request.implementation, request.free_threaded, "", "", "nowhere")


def minor_of(request: str | None) -> str | None:
    """The request itself where it names one minor version; None where an interpreter must say which."""
    return request if request is not None and len(parse_request(request).release) >= 2 else None


def _platform_tags(name: str, machine: str) -> Iterator[str]:
    """The platform tags of wheels that fit, those that fit on most machines first.

    Nothing is known of the other machine but its name: of two wheels, the one for the older system is the safer.
    """
    if name.startswith("windows"):
        yield {"AMD64": "win_amd64", "ARM64": "win_arm64"}[machine]
    elif name.startswith("macos"):
        from packaging.tags import mac_platforms

        # pip expands each to all older ones: the order of the first mention counts
        yield from sorted(mac_platforms((_MACOS, 0), machine), key=_release_of)
    elif "musl" in name:
        yield from (f"musllinux_1_{minor}_{machine}" for minor in range(_MUSL + 1))
        yield f"linux_{machine}"
    else:
        # PEP 600, and the older names of some of it
        older = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
        for minor in range(5 if machine == "x86_64" else 17, _GLIBC + 1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in older:
                yield f"{older[minor]}_{machine}"
        yield f"linux_{machine}"


def _release_of(tag: str) -> tuple[int, ...]:
    match = re.match(r"macosx_(\d+)_(\d+)_", tag)
    return (int(match[1]), int(match[2])) if match is not None else ()
