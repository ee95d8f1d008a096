"""Parse requests for an interpreter, and judge interpreters by them.

A request is what ``python`` is set to: a version (``3``, ``3.12``, ``3.12.1``, ``3.13t``), a range (``>=3.10``), or a
path. A version or a range may have an implementation before it (``pypy3.11``, ``pypy>=3.10``; ``python3.12`` and
``py312`` are CPython's) and a machine after it (``3.12-32``, ``3.12-arm64``). Only a ``t`` requests a free-threaded
build.

python-discovery's ``PythonSpec`` (1.9.6) reads any word as an implementation and any suffix as a machine, so that a
misspelt request is no error. It compares ranges at the precision that they are written with: ``>3.12`` excludes 3.12.4,
against PEP 440. And importing it takes longer than a warm run.
"""

from __future__ import annotations

import re

from setlist.core.errors import ConfigurationError
from setlist.core.model import Interpreter
from setlist.core.records import dataclass

Release = tuple[int, ...]
"""A version's numbers: as many as are known, up to three."""

_MACHINES = {"amd64": "x86_64", "aarch64": "arm64", "i386": "x86", "i686": "x86"}
_32_BIT = ("x86", "arm", "armv6l", "armv7l", "ppc", "wasm32")

# Compiled when it is first needed
_REQUEST = (
    r"(?i)(?:(?P<implementation>cpython|python|pypy|graalpy|py)[-@]?\s*)?"
    r"(?:(?:(?P<release>\d{1,9}(?:\.\d{1,9}){0,2})|(?P<specifier>(?:[<>~!=]=?|===).*?))(?P<threaded>t)?)?"
    r"(?:-(?P<machine>32|64|x86|x86_64|amd64|i[36]86|arm64|aarch64))?"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request: a ``path``, or the properties of an interpreter.

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

    def accepts(self, interpreter: Interpreter) -> bool:
        """Whether an interpreter has the requested properties; ``path`` is none of them."""
        machine = interpreter.machine
        if self.machine in ("32", "64"):
            machine = "32" if machine in _32_BIT else "64"
        return (
            interpreter.implementation == self.implementation
            and interpreter.free_threaded == self.free_threaded
            and self.machine in (None, machine)
            and self.accepts_release(numbers(interpreter.version))
        )

    def accepts_release(self, release: Release) -> bool:
        """Whether a version is requested. If only its first numbers are known, whether it may be."""
        if any(expected != number for expected, number in zip(self.release, release, strict=False)):
            return False
        if self.specifier is None or len(release) < 2:
            return True
        from packaging.specifiers import SpecifierSet

        specifiers = SpecifierSet(self.specifier)
        # '>=3.10.2' may accept a python3.10 whose third number isn't known
        micros = release[2:] or range(100)
        return any(specifiers.contains(f"{release[0]}.{release[1]}.{micro}", prereleases=True) for micro in micros)


def parse_request(text: str) -> Request:
    """Parse a request as written.

    Raises:
        ConfigurationError: it is neither a version nor a range nor a path.
    """
    stripped = text.strip()
    if "/" in stripped or "\\" in stripped or stripped in (".", ".."):
        return Request(text, path=stripped)
    match = re.fullmatch(_REQUEST, stripped)
    if match is None or not _names_a_python(match):
        raise ConfigurationError(
            f"{text!r} doesn't say which Python",
            key="python",
            hint="write a version ('3.12', '3.13t', 'pypy3.11'), a range ('>=3.10'), or a path with a '/' in it",
        )
    implementation = (match["implementation"] or "python").lower()
    release = numbers(match["release"] or "")
    if len(release) == 1 and release[0] > 9:  # 'py312', and tox's factors
        digits = str(release[0])
        release = int(digits[0]), int(digits[1:])
    machine = (match["machine"] or "").lower()
    return Request(
        text,
        implementation="cpython" if implementation in ("py", "python") else implementation,
        release=release,
        specifier=match["specifier"],
        free_threaded=bool(match["threaded"]),
        machine=_MACHINES.get(machine, machine) or None,
    )


def numbers(version: str) -> Release:
    """The numbers of a version: ``(3, 12)`` for ``3.12``, ``()`` for an empty string."""
    return tuple(int(number) for number in version.split(".") if number)


def _names_a_python(match: re.Match[str]) -> bool:
    if match["specifier"] is None:
        return bool(match["implementation"] or match["release"])
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(match["specifier"])
    except InvalidSpecifier:
        return False
    return True
