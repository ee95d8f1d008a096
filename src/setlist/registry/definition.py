"""What does one source declare, before families, defaults and ``extends`` are worked out?

This is what loaders of sources return, what is kept per source in the compiled registry, and what
the sessions are made from. A further kind of source only has to return a :class:`Declared`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from setlist.core.files import parse_json
from setlist.core.model import EnvironmentSpec, FunctionReference, SessionSpec
from setlist.core.records import dataclass, dump, field, load
from setlist.registry.keys import Keys
from setlist.registry.validators import ValidationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table of keys was written: ``path`` leads to it in a TOML file, ``line`` is a decorator's.

    ``file`` is relative to the project's root. The line of a TOML key is looked up only for an error
    (see :mod:`setlist.registry.toml_lines`).
    """

    file: str
    path: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: its name, its keys as checked, and its function if it has one."""

    name: str
    keys: Keys
    place: Place
    function: FunctionReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopLevel:
    """What a file says about the whole project. ``settings`` holds fields of :class:`setlist.core.model.Settings`."""

    default: tuple[str, ...] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All that one file declares.

    ``defaults`` hold for the file's own sessions, with ``for_all`` for those of every source. ``imports``
    are the project's other files that it was made from: a change of one asks for it to be loaded anew, and so does
    a change of one of its ``variables`` (see :func:`setlist.registry.registry_cache.signed_value`). One that isn't
    ``lasting`` is loaded anew each time. ``sessions`` are finished ones, to which nothing is added.
    """

    file: str
    definitions: tuple[Definition, ...] = ()
    defaults: Keys = field(default_factory=dict)
    defaults_place: Place | None = None
    for_all: bool = False
    top_level: TopLevel = TopLevel()
    imports: tuple[str, ...] = ()
    sessions: tuple[SessionSpec, ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """What one source declared, and the digests of the files that it was made from: itself and what it imports."""

    digests: Mapping[str, str]
    declared: Declared


def dump_sources(sources: Mapping[str, LoadedSource]) -> str:
    """Loaded sources, by file, as one line of text."""
    return json.dumps(dump(sources, defaults=False), separators=(",", ":"))


def load_sources(text: str) -> dict[str, LoadedSource]:
    """The sources that :func:`dump_sources` wrote; none where the text is something else."""
    try:
        return load(dict[str, LoadedSource], parse_json(text))
    except ValueError:
        return {}


LoaderPython = Callable[[EnvironmentSpec, str], AbstractContextManager[Path]]
"""Makes the environment that foreign definitions ask to be loaded in, and holds it: its specification and the file of
the definitions → its Python."""


class DefinitionProblem(Exception):
    """Something is wrong at a place. It becomes a ConfigurationError once its line is known.

    Args:
        message: what is wrong, one line.
        place: the table that it is wrong in.
        key: the path of the key from there.
        hint: what to write instead.
        other: a second place that has to do with it.
        cycle: the names of sessions that require each other in a circle.
    """

    def __init__(
        self,
        message: str,
        place: Place,
        key: tuple[str, ...] = (),
        *,
        hint: str | None = None,
        other: Place | None = None,
        cycle: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.key = key
        self.hint = hint
        self.other = other
        self.cycle = cycle

    @classmethod
    def of(cls, bad: ValidationError, place: Place, key: tuple[str, ...] = ()) -> DefinitionProblem:
        """A bad value, at its place."""
        return cls(bad.message, place, (*key, *bad.path), hint=bad.hint)
