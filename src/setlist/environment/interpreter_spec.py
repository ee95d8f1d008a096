"""What a request for an interpreter means, and whether an interpreter answers it.

A request is what stands under ``python``: a version (``3``, ``3.12``, ``3.12.1``, ``3.13t``), with an
implementation before it where it isn't CPython (``pypy3.11``; ``python3.12`` and ``py312`` are read
too) and a machine after it (``3.12-32``, ``3.12-arm64``); a range (``>=3.10``, ``pypy>=3.10``); or a
path. A version or a range asks for the default build: only a ``t`` asks for a free-threaded one.
"""

from __future__ import annotations

import os
import re
import sys

from setlist.core.errors import ConfigurationError
from setlist.core.model import Interpreter
from setlist.core.records import dataclass

Release = tuple[int, ...]
"""A version's numbers: as many as are known, up to three."""

_IMPLEMENTATIONS = {"": "cpython", "py": "cpython", "python": "cpython"}
_MACHINES = {"amd64": "x86_64", "aarch64": "arm64", "i386": "x86", "i686": "x86"}
_32_BIT = ("x86", "arm", "armv6l", "armv7l", "ppc", "wasm32")

# Compiled when they are first needed
_VERSION = (
    r"(?i)(?:(?P<implementation>cpython|python|pypy|graalpy|py)[-@]?)?"
    r"(?:(?P<release>\d{1,9}(?:\.\d{1,9}){0,2})(?P<threaded>t)?)?"
    r"(?:-(?P<machine>32|64|x86|x86_64|amd64|i[36]86|arm64|aarch64))?"
)
_RANGE = (
    r"(?i)(?P<implementation>cpython|python|pypy|graalpy|py)?\s*(?P<specifier>(?:[<>~!=]=?|===).*?)(?P<threaded>t)?"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, understood. Exactly one of ``path`` and the rest says what is wanted.

    ``implementation`` is ``cpython``, ``pypy`` or ``graalpy``; ``specifier`` a version range (PEP 440);
    ``machine`` an architecture's name, or ``32`` or ``64`` for its width.
    """

    text: str
    implementation: str = "cpython"
    release: Release = ()
    specifier: str | None = None
    free_threaded: bool = False
    machine: str | None = None
    path: str | None = None

    @property
    def for_uv(self) -> str:
        """The request as uv reads it: ``3.12``, ``3.13t``, ``pypy3.11``, ``>=3.10``."""
        name = "" if self.implementation == "cpython" else self.implementation
        release = ".".join(map(str, self.release))
        return f"{name}{self.specifier or release}{'t' if self.free_threaded else ''}" or self.text

    def accepts_release(self, release: Release) -> bool:
        """Whether a version is asked for. One that is known in part is given the benefit of the doubt."""
        wanted = self.release
        if any(ours != theirs for ours, theirs in zip(wanted, release, strict=False)):
            return False
        if self.specifier is None or not release:
            return True
        from packaging.specifiers import SpecifierSet

        specifiers = SpecifierSet(self.specifier)
        if len(release) >= 3:
            return specifiers.contains(".".join(map(str, release)), prereleases=True)
        # '>=3.10.2' and a python3.10 whose third number isn't known: any might do. A minor version's
        # bounds are enough for a range, and a hole in it ('!=3.10.3') excludes none wholly.
        known = ".".join(map(str, (*release, *(0,) * (2 - len(release)))))
        return any(specifiers.contains(f"{known}.{micro}", prereleases=True) for micro in range(100))


def parse_request(text: str) -> Request:
    """The meaning of a request as written.

    Raises:
        ConfigurationError: it is neither a version nor a range nor a path.
    """
    stripped = text.strip()
    if "/" in stripped or "\\" in stripped or stripped in (".", ".."):
        return Request(text, path=stripped)
    match = re.fullmatch(_VERSION, stripped)
    if match is not None and (match["implementation"] or match["release"]):
        machine = (match["machine"] or "").lower()
        return Request(
            text,
            implementation=_implementation(match["implementation"]),
            release=_release(match["release"] or ""),
            free_threaded=bool(match["threaded"]),
            machine=_MACHINES.get(machine, machine) or None,
        )
    match = re.fullmatch(_RANGE, stripped)
    if match is not None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(match["specifier"])
        except InvalidSpecifier:
            pass
        else:
            return Request(
                text,
                implementation=_implementation(match["implementation"]),
                specifier=match["specifier"],
                free_threaded=bool(match["threaded"]),
            )
    raise ConfigurationError(
        f"{text!r} doesn't say which Python",
        key="python",
        hint="write a version ('3.12', '3.13t', 'pypy3.11'), a range ('>=3.10'), or a path with a '/' in it",
    )


def _implementation(name: str | None) -> str:
    lowered = (name or "").lower()
    return _IMPLEMENTATIONS.get(lowered, lowered)


def _release(text: str) -> Release:
    numbers = tuple(int(number) for number in text.split(".") if number)
    if len(numbers) == 1 and numbers[0] > 9:
        # as in 'py312' and tox's factors
        return int(str(numbers[0])[0]), int(str(numbers[0])[1:])
    return numbers


def machine_answers(machine: str, wanted: str | None) -> bool:
    """Whether a machine is the one that is asked for, by name or by width."""
    if wanted in ("32", "64"):
        return (machine in _32_BIT) == (wanted == "32")
    return wanted is None or machine == wanted


def satisfies(interpreter: Interpreter, request: str | None, root: str | os.PathLike[str] = "") -> bool:
    """Whether a known interpreter answers a request.

    Args:
        interpreter: one that was found before; whether it is still there isn't asked.
        request: as written; None asks for the minor version that setlist itself runs on.
        root: what a relative path in the request starts from.

    Raises:
        ConfigurationError: the request is malformed.
    """
    release = tuple(int(number) for number in interpreter.version.split("."))
    if request is None:
        import sysconfig

        return (
            interpreter.implementation == sys.implementation.name
            and release[:2] == sys.version_info[:2]
            and interpreter.free_threaded == bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        )
    wanted = parse_request(request)
    if wanted.path is not None:
        path = os.path.realpath(os.path.join(root, os.path.expanduser(wanted.path)))
        binary = os.path.realpath(interpreter.executable)
        return binary == path or (os.path.isdir(path) and os.path.dirname(binary) in (path, os.path.join(path, "bin")))
    return (
        interpreter.implementation == wanted.implementation
        and interpreter.free_threaded == wanted.free_threaded
        and machine_answers(interpreter.machine, wanted.machine)
        and wanted.accepts_release(release)
    )
