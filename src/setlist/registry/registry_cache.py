"""The compiled registry: a cache that spares a run reading and importing the sources of definitions.

It is one file. Its first line is a digest of the rest. The second line is what each run needs: the files that the
registry was made from, with their stat signatures, its settings and its index. The third line is what each source
declared; it is read only when a source changed, so that the others needn't be loaded again. Each further line is one
session, parsed when it is used: a run uses a few of thousands.

A file that can't be read back for any reason is ignored and written again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from setlist import __version__
from setlist.core.errors import StorageError
from setlist.core.files import digest, parse_json, write_atomically
from setlist.core.logins import holds_login
from setlist.core.model import Registry, RegistryIndex, SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, dump, field, load
from setlist.engine import warm

FORMAT = 5

WHOLE = "*"
"""In place of the name of an environment variable: all variables."""

_PASSING = ("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "SETLIST_PROCESS")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled registry as it was read.

    ``sources`` are the files in their order, ``signatures`` those of all files that they depend on. ``declared`` is
    what each source declared, as :func:`setlist.registry.definition.dump_sources` writes it. ``variables`` are the
    environment variables that were read, by :func:`signed_value`; None: not set.
    """

    sources: tuple[str, ...]
    signatures: Mapping[str, str]
    registry: Registry
    declared: str
    variables: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The line that each run reads. ``key`` is from :func:`key_of`; for the other fields see :class:`Compiled`."""

    key: str
    sources: tuple[str, ...]
    signatures: Mapping[str, str]
    variables: Mapping[str, str | None]
    settings: Settings
    index: RegistryIndex


def signed_value(value: str) -> str:
    """A digest of a variable's value, which may be a secret: only whether it changes matters."""
    return digest(value.encode("utf-8", "surrogateescape"))[:16]


def signed_environ(environ: Mapping[str, str]) -> str:
    """A digest of all variables except those that each shell and each terminal sets in its own way."""
    return signed_value("\0".join(f"{name}={environ[name]}" for name in sorted(environ) if name not in _PASSING))


def same_variables(signed: Mapping[str, str | None], environ: Mapping[str, str]) -> bool:
    """Whether variables have the values that they had when they were read."""
    return all(_signed(name, environ, signature) == signature for name, signature in signed.items())


def _signed(name: str, environ: Mapping[str, str], signature: str | None) -> str | None:
    if name == WHOLE:
        return signed_environ(environ)
    value = environ.get(name)
    # a variable that wasn't set, or isn't set now, differs without a digest
    return value if value is None or signature is None else signed_value(value)


def key_of(project: Project) -> str:
    """What the compiled registry is valid for. Another Python may declare other sessions."""
    given = project.relative(project.file) if project.file is not None else ""
    return f"{FORMAT}:{__version__}:{sys.implementation.cache_tag}:{sys.platform}:{given}"


def read_compiled(project: Project) -> Compiled | None:
    """The compiled registry, whether or not it is current; None if there is none that can be used."""
    try:
        seal, _, content = Path(project.compiled_registry).read_bytes().partition(b"\n")
        if seal != _seal(content):
            return None
        first, declared, *lines = content.split(b"\n")
        head = load(_Head, parse_json(first))
        if head.key != key_of(project):
            return None
        sessions = LazySessions(dict(zip(head.index.families, lines, strict=True)))
        registry = Registry.with_index(sessions, head.settings, head.index)
        return Compiled(head.sources, head.signatures, registry, declared.decode(), head.variables)
    except (OSError, ValueError):
        return None


def write_compiled(project: Project, compiled: Compiled) -> None:
    """Write the compiled registry. An error is ignored: the next run loads the sources again."""
    registry = compiled.registry
    head = _Head(
        key=key_of(project),
        sources=compiled.sources,
        signatures=compiled.signatures,
        variables=compiled.variables,
        settings=registry.settings,
        index=registry.index,
    )
    sessions = registry.sessions
    # lines that were read are written back unparsed
    lines = sessions.lines if isinstance(sessions, LazySessions) else [_line(each) for each in sessions.values()]
    content = b"\n".join([_line(head), compiled.declared.encode(), *lines])
    if holds_login(content):
        return  # the sources are read each time then
    try:
        project.prepare()
        write_atomically(project.compiled_registry, (_seal(content), b"\n", content))
    except (OSError, StorageError):
        pass


def _line(record: object) -> bytes:
    return json.dumps(dump(record, defaults=False), separators=(",", ":")).encode()


def _seal(content: bytes) -> bytes:
    return warm.digest(content).encode()


class LazySessions(Mapping[str, SessionSpec]):
    """The sessions of a compiled registry, each parsed when it is first used."""

    def __init__(self, lines: Mapping[str, bytes]) -> None:
        self._lines = lines
        self._parsed: dict[str, SessionSpec] = {}

    @property
    def lines(self) -> tuple[bytes, ...]:
        return tuple(self._lines.values())

    def __getitem__(self, name: str) -> SessionSpec:
        session = self._parsed.get(name)
        if session is None:
            session = self._parsed[name] = load(SessionSpec, parse_json(self._lines[name]))
        return session

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
