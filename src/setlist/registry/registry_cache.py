"""How is the registry kept, so that the next run finds it without reading or importing its sources?

One file, of lines. The first is a digest of all others, so that they needn't be looked at to be trusted. The second
has what each run needs: which files the registry was made from, with their stat signatures, its settings and its
outline. The third is what each source declared, which nobody reads until one changes and only that one is loaded anew.
Then comes each session, a line of its own, which is read when somebody asks for this session: a run asks for a few of
thousands.

A file that can't be read back, whatever the reason, counts as none: it is made again.
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

FORMAT = 4

WHOLE = "*"
"""Stands among the names of environment variables for all of them."""

_PASSING = ("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "SETLIST_PROCESS")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled registry as it was read.

    ``sources`` are the files in their order, ``signatures`` those of all files behind them. ``declared`` is what each
    source declared, as :func:`setlist.registry.definition.dump_sources` writes it. ``variables`` are the environment
    variables that were read, by :func:`signed_value`; None: not set.
    """

    sources: tuple[str, ...]
    signatures: Mapping[str, str]
    registry: Registry
    declared: str
    variables: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The line that each run reads; ``key`` is that of :func:`key_of`, for the rest see :class:`Compiled`."""

    key: str
    sources: tuple[str, ...]
    signatures: Mapping[str, str]
    variables: Mapping[str, str | None]
    settings: Settings
    outline: RegistryIndex


def signed_value(value: str) -> str:
    """A variable's value as it is kept: it may be a secret, and whether it is the same is all that matters."""
    return digest(value.encode("utf-8", "surrogateescape"))[:16]


def signed_environ(environ: Mapping[str, str]) -> str:
    """All variables at once, but for those that each shell and each terminal sets in its own way."""
    return signed_value("\0".join(f"{name}={environ[name]}" for name in sorted(environ) if name not in _PASSING))


def same_variables(signed: Mapping[str, str | None], environ: Mapping[str, str]) -> bool:
    """Whether variables are what they were when they were looked at."""
    return all(_signed(name, environ, signature) == signature for name, signature in signed.items())


def _signed(name: str, environ: Mapping[str, str], signature: str | None) -> str | None:
    if name == WHOLE:
        return signed_environ(environ)
    value = environ.get(name)
    # what wasn't set and is set now is another one, whatever its signature
    return value if value is None or signature is None else signed_value(value)


def key_of(project: Project) -> str:
    """What a compiled registry is made by and for. Another Python may declare other sessions."""
    given = project.relative(project.file) if project.file is not None else ""
    return f"{FORMAT}:{__version__}:{sys.implementation.cache_tag}:{sys.platform}:{given}"


def read_compiled(project: Project) -> Compiled | None:
    """The compiled registry, whether or not it is current; None where there is none of use."""
    try:
        seal, _, content = Path(project.compiled_registry).read_bytes().partition(b"\n")
        if seal != _seal(content):
            return None
        first, declared, *lines = content.split(b"\n")
        head = load(_Head, parse_json(first))
        if head.key != key_of(project):
            return None
        sessions = LazySessions(dict(zip(head.outline.families, lines, strict=True)))
        registry = Registry.outlined(sessions, head.settings, head.outline)
        return Compiled(head.sources, head.signatures, registry, declared.decode(), head.variables)
    except (OSError, ValueError):
        return None


def write_compiled(project: Project, compiled: Compiled) -> None:
    """Keep a registry. That it can't be kept is no problem of this run."""
    registry = compiled.registry
    head = _Head(
        key=key_of(project),
        sources=compiled.sources,
        signatures=compiled.signatures,
        variables=compiled.variables,
        settings=registry.settings,
        outline=registry.outline,
    )
    sessions = registry.sessions
    # what was read is written as it was
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
    """Sessions as they were kept, each made when it is asked for."""

    def __init__(self, lines: Mapping[str, bytes]) -> None:
        self._lines = lines
        self._made: dict[str, SessionSpec] = {}

    @property
    def lines(self) -> tuple[bytes, ...]:
        return tuple(self._lines.values())

    def __getitem__(self, name: str) -> SessionSpec:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = load(SessionSpec, parse_json(self._lines[name]))
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
