"""What does one source declare, before families, defaults and ``extends`` are worked out?

This is what loaders of sources return, what is kept per source in the compiled registry, and what
the sessions are made from. A further kind of source only has to return a :class:`Declared`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from setlist.core.errors import nearest
from setlist.core.files import parse_json
from setlist.core.model import EnvironmentSpec, FunctionReference, SessionSpec
from setlist.core.records import dataclass, dump, field, load
from setlist.registry.definition_errors import DefinitionProblem, Place
from setlist.registry.keys import INSTALLING, Keys


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


NOT_INHERITED = ("default", "extends")


@dataclass(frozen=True, slots=True)
class Merged:
    """A definition with all its keys. ``places`` says in which table each one was written."""

    definition: Definition
    keys: Keys
    places: Mapping[str, Place]


def merge_all(declared: Sequence[Declared]) -> tuple[Merged, ...]:
    """All definitions with their keys worked out, in their order.

    Raises:
        Problem: ``extends`` names no definition, or goes in a circle.
    """
    definitions = {definition.name: definition for source in declared for definition in source.definitions}
    shared = [source for source in declared if source.for_all]
    merged = []
    known: dict[str, _Layers] = {}
    for source in declared:
        layers = [*shared, *([] if source.for_all else [source])]
        for definition in source.definitions:
            written = _Layers()
            for layer in layers:
                if layer.defaults_place is not None:
                    written.add(layer.defaults, layer.defaults_place)
            own = _own(definition, definitions, known)
            _fit_defaults(written, own, definition)
            written.add_layers(own)
            merged.append(Merged(definition, written.keys(), written.places))
    return tuple(merged)


class _Layers:
    """Keys laid one over the other."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.places: dict[str, Place] = {}

    def add(self, keys: Keys, place: Place) -> None:
        for key, value in keys.items():
            self.put(key, value, place)

    def add_layers(self, others: _Layers, but: Sequence[str] = ()) -> None:
        for key, value in others.values.items():
            if key not in but:
                self.put(key, value, others.places[key])

    def put(self, key: str, value: object, place: Place) -> None:
        if key == "env":
            value = {**cast("dict[str, str]", self.values.get("env", {})), **cast("dict[str, str]", value)}
        self.values[key] = value
        self.places[key] = place

    def keys(self) -> Keys:
        return self.values


def _own(definition: Definition, definitions: Mapping[str, Definition], known: dict[str, _Layers]) -> _Layers:
    """The definition's own keys over those of what it extends. ``known`` holds what was worked out already.

    A loop and no recursion: a chain may be longer than Python's stack.
    """
    # each is extended by the one before it, with the names that are still to be worked out
    way = {} if definition.name in known else {definition.name: _extended(definition)}
    while way:
        current = definitions[next(reversed(way))]
        name = next(way[current.name], None)
        if name is None:
            known[current.name] = _laid_over(current, known)
            del way[current.name]
        elif name in way:
            names = list(way)
            said = " → ".join((*names[names.index(name) :], name))
            raise DefinitionProblem(f"definitions extend each other in a circle: {said}", current.place, ("extends",))
        elif name not in definitions:
            near = nearest(name, definitions)
            raise DefinitionProblem(
                f"there is no definition {name!r} to extend",
                current.place,
                ("extends",),
                hint=f"did you mean {near!r}?" if near else None,
            )
        elif name not in known:
            way[name] = _extended(definitions[name])
    return known[definition.name]


def _extended(definition: Definition) -> Iterator[str]:
    return iter(definition.keys.get("extends", ()))


def _laid_over(definition: Definition, known: Mapping[str, _Layers]) -> _Layers:
    layers = _Layers()
    for name in _extended(definition):
        layers.add_layers(known[name], but=NOT_INHERITED)
    if definition.function is not None:
        layers.values.pop("run", None)  # the function is what it runs
    layers.add(definition.keys, definition.place)
    return layers


def _fit_defaults(defaults: _Layers, own: _Layers, definition: Definition) -> None:
    """Let go of the defaults that make no sense without an environment; refuse them as the session's own."""
    backend = own.values.get("backend", defaults.values.get("backend"))
    if backend != "none":
        return
    for key in INSTALLING:
        if own.values.get(key):
            raise DefinitionProblem(
                'nothing can be installed with backend = "none"',
                own.places[key],
                (key,),
                hint=f"leave {key} out, or the backend of {definition.name!r}",
            )
        defaults.values.pop(key, None)
