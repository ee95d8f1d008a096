"""Definitions as they are written, and how ``defaults`` and ``extends`` are merged into them.

Loaders of sources return a :class:`Declared`. The store holds one for each source, and sessions are made from
them. A further kind of source only has to return one as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from setlist.core.errors import nearest
from setlist.core.model import EnvironmentSpec, FunctionReference, SessionSpec
from setlist.core.records import dataclass, field
from setlist.registry.definition_errors import DefinitionProblem, Place
from setlist.registry.keys import INSTALLING, Keys


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: its name, its checked keys, and its function if it has one."""

    name: str
    keys: Keys
    place: Place
    function: FunctionReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopLevel:
    """The keys of the whole project in one file. ``settings`` are fields of :class:`setlist.core.model.Settings`."""

    default: tuple[str, ...] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All that one file declares.

    ``defaults`` apply to the file's own sessions, with ``for_all`` to those of every source. ``sessions`` are resolved
    already, by a provider.
    """

    file: str
    definitions: tuple[Definition, ...] = ()
    defaults: Keys = field(default_factory=dict)
    defaults_place: Place | None = None
    for_all: bool = False
    top_level: TopLevel = TopLevel()
    sessions: tuple[SessionSpec, ...] = ()


LoaderPython = Callable[[EnvironmentSpec, str], AbstractContextManager[Path]]
"""Makes and locks the environment that a provider's definitions are loaded in: from its specification and the file with
the definitions to its Python."""

NOT_INHERITED = ("default", "extends")


@dataclass(frozen=True, slots=True)
class Merged:
    """A definition with all its keys. ``places`` maps each key to the table that it was written in."""

    definition: Definition
    keys: Keys
    places: Mapping[str, Place]


def merge_all(declared: Sequence[Declared]) -> tuple[Merged, ...]:
    """All definitions in their order, each with ``defaults``, what it ``extends``, and its own keys merged.

    A later value replaces an earlier one; only ``env`` tables are merged.

    Raises:
        DefinitionProblem: ``extends`` names no definition, or forms a cycle.
    """
    definitions = {definition.name: definition for source in declared for definition in source.definitions}
    shared = [source for source in declared if source.for_all]
    merged = []
    layers_of: dict[str, _Layers] = {}
    for source in declared:
        tables = [*shared, *([] if source.for_all else [source])]
        for definition in source.definitions:
            layers = _Layers()
            for table in tables:
                if table.defaults_place is not None:
                    layers.add(table.defaults, table.defaults_place)
            own = _own(definition, definitions, layers_of)
            _fit_defaults(layers, own, definition)
            layers.add_layers(own)
            merged.append(Merged(definition, layers.keys(), layers.places))
    return tuple(merged)


class _Layers:
    """Keys of several tables, merged. ``places`` maps each key to the table that its value is from."""

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


def _own(definition: Definition, definitions: Mapping[str, Definition], merged: dict[str, _Layers]) -> _Layers:
    """The definition's own keys over those that it extends. ``merged`` caches those of definitions seen before.

    A loop and no recursion: a chain may be longer than Python's stack.
    """
    # each definition is extended by the one before it; the values are the names that are still to be merged
    path = {} if definition.name in merged else {definition.name: _extended(definition)}
    while path:
        current = definitions[next(reversed(path))]
        name = next(path[current.name], None)
        if name is None:
            merged[current.name] = _laid_over(current, merged)
            del path[current.name]
        elif name in path:
            names = list(path)
            cycle = " → ".join((*names[names.index(name) :], name))
            raise DefinitionProblem(f"definitions extend each other in a circle: {cycle}", current.place, ("extends",))
        elif name not in definitions:
            near = nearest(name, definitions)
            raise DefinitionProblem(
                f"there is no definition {name!r} to extend",
                current.place,
                ("extends",),
                hint=f"did you mean {near!r}?" if near else None,
            )
        elif name not in merged:
            path[name] = _extended(definitions[name])
    return merged[definition.name]


def _extended(definition: Definition) -> Iterator[str]:
    return iter(definition.keys.get("extends", ()))


def _laid_over(definition: Definition, merged: Mapping[str, _Layers]) -> _Layers:
    layers = _Layers()
    for name in _extended(definition):
        layers.add_layers(merged[name], but=NOT_INHERITED)
    if definition.function is not None:
        layers.values.pop("run", None)  # the function is what it runs
    layers.add(definition.keys, definition.place)
    return layers


def _fit_defaults(defaults: _Layers, own: _Layers, definition: Definition) -> None:
    """Without an environment, drop defaults about installing, and refuse such keys of the session itself."""
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
