"""How is the registry kept, so that the next run finds it without reading or importing its sources?

One JSON file. What a warm run needs (which files it was made from, with their stat signatures, and
the finished registry) is there at once; what each source declared lies beside it as a string within
the string, which costs nothing until a source changes and only that one is loaded anew.

A file that can't be read back, whatever the reason, counts as none: it is made again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setlist import __version__
from setlist.errors import StorageError
from setlist.files import write_atomically
from setlist.model import (
    Command,
    EnvironmentSpec,
    FunctionReference,
    NoxSession,
    Origin,
    Registry,
    SessionSpec,
    Settings,
)
from setlist.project import Project
from setlist.records import beside_defaults, dataclass, field, is_record

FORMAT = 3

WHOLE = "*"
"""Stands among the names of environment variables for all of them."""

_PASSING = ("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "SETLIST_PROCESS")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled registry as it was read.

    ``sources`` are the files in their order, ``signatures`` those of all files behind them. ``packed`` is
    what each source declared, see :mod:`setlist.registry.records`. ``variables`` are the environment variables that
    were looked at, by :func:`signed_value`; None: not set.
    """

    sources: tuple[str, ...]
    signatures: Mapping[str, str]
    registry: Registry
    packed: str
    variables: Mapping[str, str | None] = field(default_factory=dict)


def signed_value(value: str) -> str:
    """A variable's value as it is kept: it may be a secret, and whether it is the same is all that matters."""
    # hashlib would do, but it loads OpenSSL, which costs a warm run more than reading its whole registry
    name = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        module = __import__(name)
    except ImportError:
        import hashlib as module
    signed: str = module.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return signed


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
        data = json.loads(Path(project.compiled_registry).read_bytes())
        if data["key"] != key_of(project):
            return None
        return Compiled(
            sources=tuple(map(_text, data["sources"])),
            signatures={_text(file): _text(signature) for file, signature in data["signatures"].items()},
            registry=_registry(data["registry"]),
            packed=_text(data["records"]),
            variables=data.get("variables", {}),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_compiled(project: Project, compiled: Compiled) -> None:
    """Keep a registry. That it can't be kept is no problem of this run."""
    data = {
        "key": key_of(project),
        "sources": compiled.sources,
        "signatures": compiled.signatures,
        "registry": {
            "sessions": [plain(session) for session in compiled.registry.sessions.values()],
            "settings": plain(compiled.registry.settings),
        },
        "records": compiled.packed,
    }
    if compiled.variables:
        data["variables"] = compiled.variables
    try:
        project.prepare()
        write_atomically(project.compiled_registry, json.dumps(data, separators=(",", ":")))
    except (OSError, StorageError):
        pass


def plain(value: Any) -> Any:
    """Model data as JSON-able data: what equals its default is left out."""
    if is_record(value):
        return {name: plain(item) for name, item in beside_defaults(value).items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a string: {value!r}")
    return value


def frozen(value: Any) -> Any:
    """Lists of JSON as the model's tuples, at any depth."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def _registry(data: Mapping[str, Any]) -> Registry:
    sessions = {session.name: session for session in map(session_of, data["sessions"])}
    settings = Settings(**{name: frozen(value) for name, value in data["settings"].items()})
    return Registry(sessions=sessions, settings=settings)


def session_of(data: Mapping[str, Any]) -> SessionSpec:
    """The session that :func:`plain` made data of."""
    given = {name: frozen(value) for name, value in data.items()}
    given["origin"] = Origin(**data["origin"])
    if "environment" in data:
        environment = {name: frozen(value) for name, value in data["environment"].items()}
        given["environment"] = EnvironmentSpec(**environment)
    if "commands" in data:
        given["commands"] = tuple(
            Command(**{name: frozen(value) for name, value in command.items()}) for command in data["commands"]
        )
    if "function" in data:
        given["function"] = FunctionReference(**data["function"])
    if "nox" in data:
        nox = {name: frozen(value) for name, value in data["nox"].items()}
        if "runs_in" in data["nox"]:
            runs_in = data["nox"]["runs_in"]
            nox["runs_in"] = EnvironmentSpec(**{name: frozen(value) for name, value in runs_in.items()})
        given["nox"] = NoxSession(**nox)
    return SessionSpec(**given)
