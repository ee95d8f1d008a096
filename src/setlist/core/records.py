"""Dataclasses that are cheap to define, and their JSON form.

The standard library's ``@dataclass`` generates and compiles the source of six methods for each class. A run defines
about forty such classes: that took a third of a warm run's time, and importing ``dataclasses`` (and with it
``inspect``) a sixth. A class decorated here behaves in the same way, but all classes share one implementation of
those methods. ``dataclasses.fields``, ``replace`` and ``asdict`` accept its instances, and a type checker treats it as
a standard dataclass. Supported are fields with defaults or ``default_factory``, ``frozen``, ``kw_only`` and
inheritance. ``slots`` is accepted and ignored.

:func:`dump` turns records into JSON data, and :func:`load` turns it back, checked against the annotations of the
fields. An annotation is evaluated when its field is first loaded. A warm run imports this module, so it imports next to
nothing itself.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn, TypeVar

    T = TypeVar("T")

    Converter = Callable[[Any], Any]
    """Checks JSON data and returns the value that a field holds. Raises DecodeError."""

__all__ = ["DecodeError", "dataclass", "dump", "dumps", "field", "field_names", "load", "loads", "replace"]


class DecodeError(ValueError):
    """Data isn't what :func:`dump` writes for a type."""


class _Factory:
    """A default that is created for each instance."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _Layout:
    """The fields of a class.

    ``types`` maps the name of each field, in order, to its annotation and the module that this was written in. The
    first ``positional`` fields can be passed by position. ``converters`` are those of the fields loaded so far.
    """

    __slots__ = ("constants", "converters", "defaults", "factories", "names", "positional", "required", "types")

    def __init__(self, types: Mapping[str, tuple[str, str]], positional: int, defaults: Mapping[str, Any]) -> None:
        names = tuple(types)
        self.names = names
        self.types = types
        self.positional = positional
        self.defaults = defaults
        self.converters: dict[str, Converter] = {}
        self.required = frozenset(names) - defaults.keys()
        self.factories = {name: value.make for name, value in defaults.items() if isinstance(value, _Factory)}
        self.constants = {name: value for name, value in defaults.items() if name not in self.factories}


def _field(*, default_factory: Callable[[], Any]) -> Any:
    return _Factory(default_factory)


def field_names(record: Any) -> tuple[str, ...]:
    """The names of the fields of a record or a record class, in the order of their definition."""
    names: tuple[str, ...] = record.__record__.names
    return names


def dump(value: Any, *, defaults: bool = True) -> Any:
    """A record, or a collection of records, as JSON data; tuples become lists.

    Args:
        value: what to dump.
        defaults: whether to include fields that equal their defaults.
    """
    layout: _Layout | None = getattr(type(value), "__record__", None)
    if layout is not None:
        values = [(name, getattr(value, name)) for name in layout.names]
        if not defaults:
            values = [(name, item) for name, item in values if layout.constants.get(name, _MISSING) != item]
        return {name: dump(item, defaults=defaults) for name, item in values}
    if isinstance(value, (tuple, list)):
        return [dump(item, defaults=defaults) for item in value]
    if hasattr(value, "items"):
        return {key: dump(item, defaults=defaults) for key, item in value.items()}
    return value


_MISSING = object()


def dumps(record: object, version: int) -> str:
    """A record as JSON text that names the version of its format."""
    import json

    return json.dumps({"format": version, **dump(record)}, separators=(",", ":"))


def json_text(data: Any) -> str:
    """JSON data as compact text: what ``json.dumps`` writes with these separators, and non-ASCII characters as such.

    Importing ``json`` (and with it ``re``) takes as long as all else that a warm run does, so its encoder isn't used.
    """
    if isinstance(data, str):
        from _json import encode_basestring

        quoted: str = encode_basestring(data)
        return quoted
    if isinstance(data, dict):
        return "{" + ",".join([f"{json_text(name)}:{json_text(item)}" for name, item in data.items()]) + "}"
    if isinstance(data, (list, tuple)):
        return "[" + ",".join(map(json_text, data)) + "]"
    if data is None or data is True or data is False:
        return {None: "null", True: "true", False: "false"}[data]
    return float.__repr__(data) if isinstance(data, float) else int.__repr__(data)


def loads(cls: type[T], text: str | bytes, version: int) -> T:
    """The record that :func:`dumps` wrote.

    Raises:
        DecodeError: the text isn't JSON, or isn't such a record, or has another format.
    """
    import json

    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(str(error)) from error
    if not isinstance(data, dict) or data.get("format") != version:
        raise DecodeError(f"not of format {version}")
    return load(cls, data)


def load(cls: type[T], data: object, names: Mapping[str, Any] | None = None) -> T:
    """The value of a type that :func:`dump` made JSON data of.

    The type is a record class, or anything that fields of records are annotated with: ``tuple[str, ...]``,
    ``Mapping[str, int]``, ``Literal["uv", "pip"] | None``. Unknown fields of records are ignored, and missing ones have
    their defaults. A list becomes a tuple where the annotation is ``object``; ``Any`` and a TypedDict leave data as
    it is.

    Args:
        cls: the type.
        data: the data.
        names: what annotations are written with, if a module imports that for type checkers alone.

    Raises:
        DecodeError: the data doesn't fit the type.
    """
    if names:
        _names().update(names)
    try:
        value: T = _converter(cls)(data)
    except RecursionError as error:
        raise DecodeError("the data is nested too deeply") from error
    return value


def _load_record(cls: Any, data: Any) -> Any:
    if type(data) is not dict:
        raise DecodeError(f"not a {cls.__name__}: {data!r}")
    layout: _Layout = cls.__record__
    values = {}
    for name, item in data.items():
        convert = layout.converters.get(name)
        if convert is None:
            if name not in layout.types:
                continue
            convert = layout.converters[name] = _converter_of(*layout.types[name])
        values[name] = convert(item)
    if not layout.required <= values.keys():
        raise DecodeError(f"a {cls.__name__} without {', '.join(sorted(layout.required - values.keys()))}")
    return cls(**values)


_CONVERTERS: dict[tuple[str, str], Converter] = {}


def _converter_of(annotation: str, module: str) -> Converter:
    """The converter for an annotation, as written in a module. Fields of many classes share theirs."""
    key = (annotation, module)
    if key not in _CONVERTERS:
        # our own source; what modules import for annotations alone isn't in them
        _CONVERTERS[key] = _converter(eval(annotation, {**_names(), **vars(sys.modules[module])}))  # noqa: S307
    return _CONVERTERS[key]


_NAMES: dict[str, Any] = {}
"""What annotations are written with, besides the names in the modules of their classes."""


def _names() -> dict[str, Any]:
    if not _NAMES:
        import collections.abc
        import typing

        _NAMES.update({**vars(typing), **vars(collections.abc)})
    return _NAMES


def _converter(kind: Any) -> Converter:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, Union, get_args, get_origin

    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _tuple_of(arguments)
    if origin in (list, Sequence):
        return _list_of(_converter(arguments[0]), list if origin is list else tuple)
    if origin in (dict, Mapping):
        return _mapping_of(*map(_converter, arguments))
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, type(int | str)):
        return _union_of(arguments)
    if kind is Any:
        return lambda data: data
    if kind is object:
        return _with_tuples
    if hasattr(kind, "__record__"):
        return lambda data: _load_record(kind, data)
    return _instance_of(kind)


def _instance_of(kind: type) -> Converter:
    accepted: Any = kind
    if kind is float:
        accepted = (float, int)
    elif issubclass(kind, dict):
        accepted = dict  # a TypedDict, which has no instances

    def convert(data: Any) -> Any:
        # True is an instance of int
        if type(data) is kind or (isinstance(data, accepted) and type(data) is not bool):
            return data
        raise DecodeError(f"not a {kind.__name__}: {data!r}")

    return convert


def _tuple_of(arguments: tuple[Any, ...]) -> Converter:
    if len(arguments) == 2 and arguments[1] is ...:
        return _list_of(_converter(arguments[0]), tuple)
    converters = [_converter(each) for each in arguments]

    def convert(data: Any) -> Any:
        if not isinstance(data, (list, tuple)) or len(data) != len(converters):
            raise DecodeError(f"not a list of {len(converters)}: {data!r}")
        return tuple([convert(item) for convert, item in zip(converters, data, strict=True)])

    return convert


def _list_of(item: Converter, make: Callable[[Any], Any]) -> Converter:
    def convert(data: Any) -> Any:
        if not isinstance(data, (list, tuple)):
            raise DecodeError(f"not a list: {data!r}")
        return make(map(item, data))

    return convert


def _mapping_of(key: Converter, item: Converter) -> Converter:
    def convert(data: Any) -> Any:
        if not isinstance(data, dict):
            raise DecodeError(f"not an object: {data!r}")
        return {key(name): item(value) for name, value in data.items()}

    return convert


def _one_of(values: tuple[Any, ...]) -> Converter:
    def convert(data: Any) -> Any:
        if data not in values:
            raise DecodeError(f"not one of {values}: {data!r}")
        return data

    return convert


def _union_of(kinds: tuple[Any, ...]) -> Converter:
    first, *others = [_converter(kind) for kind in kinds if kind is not type(None)]
    for other in others:
        first = _either(first, other)
    if type(None) not in kinds:
        return first
    return lambda data: None if data is None else first(data)


def _either(first: Converter, second: Converter) -> Converter:
    def convert(data: Any) -> Any:
        try:
            return first(data)
        except DecodeError:
            return second(data)

    return convert


def _with_tuples(data: Any) -> Any:
    return tuple(map(_with_tuples, data)) if isinstance(data, list) else data


def _replace(record: Any, /, **changes: Any) -> Any:
    values = {name: getattr(record, name) for name in field_names(record)}
    return type(record)(**{**values, **changes})


def _dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, kw_only: bool = False) -> Any:
    del slots

    def decorate(cls: type) -> type:
        return _made(cls, frozen=frozen, kw_only=kw_only)

    return decorate if cls is None else decorate(cls)


def _made(cls: Any, *, frozen: bool, kw_only: bool) -> type:
    inherited: _Layout | None = getattr(cls, "__record__", None)
    types = dict(inherited.types) if inherited is not None else {}
    defaults = dict(inherited.defaults) if inherited is not None else {}
    positional = inherited.positional if inherited is not None else 0
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        if name not in types:
            positional += not kw_only
        if name not in types or types[name][0] != annotation:
            types[name] = (annotation, cls.__module__)
        if name in cls.__dict__:
            defaults[name] = cls.__dict__[name]
            # or the instances of a subclass, and cached_property, would find it
            delattr(cls, name)
    cls.__record__ = _Layout(types, positional, defaults)
    setattr(cls, "__match_args__", tuple(types)[:positional])  # noqa: B010 - which mypy lets nobody assign
    cls.__init__ = _initialise
    cls.__dataclass_fields__ = _StandardFields()
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _shown
    if "__eq__" not in cls.__dict__:
        cls.__eq__ = _equal
        cls.__hash__ = _hashed if frozen else None
    if frozen:
        cls.__setattr__ = _refuse
        cls.__delattr__ = _refuse
    return cls  # type: ignore[no-any-return]


def _initialise(self: Any, *args: Any, **values: Any) -> None:
    layout: _Layout = self.__record__
    if args:
        if len(args) > layout.positional:
            raise TypeError(f"{type(self).__name__}() takes {layout.positional} values by place, not {len(args)}")
        for name, value in zip(layout.names, args, strict=False):
            if name in values:
                raise TypeError(f"{type(self).__name__}() was given {name!r} twice")
            values[name] = value
    if not layout.required <= values.keys():
        missing = next(name for name in layout.names if name in layout.required and name not in values)
        raise TypeError(f"{type(self).__name__}() needs {missing!r}")
    # past __setattr__, which refuses, and all at once: thousands of sessions are made so
    fields = self.__dict__
    fields.update(layout.constants)
    fields.update(values)
    for name, make in layout.factories.items():
        if name not in values:
            fields[name] = make()
    if len(fields) != len(layout.names):
        unknown = next(name for name in values if name not in layout.names)
        raise TypeError(f"{type(self).__name__}() has no {unknown!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__record__.names])


def _equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hashed(self: Any) -> int:
    return hash(_values(self))


def _shown(self: Any) -> str:
    inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__record__.names)
    return f"{type(self).__qualname__}({inside})"


def _refuse(self: Any, name: str, *_: Any) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"can't change {name!r} of a {type(self).__name__}")


class _StandardFields:
    """``__dataclass_fields__``: made when the standard library asks for it."""

    def __get__(self, instance: object, owner: Any) -> Mapping[str, Any]:
        import dataclasses

        layout: _Layout = owner.__record__
        described = []
        for name in layout.names:
            default = layout.defaults.get(name, dataclasses.MISSING)
            made: Any = (
                dataclasses.field(default_factory=default.make)
                if isinstance(default, _Factory)
                else dataclasses.field(default=default)
            )
            described.append((name, object, made))
        fields: Mapping[str, Any] = dataclasses.make_dataclass(
            owner.__name__, described, kw_only=True
        ).__dataclass_fields__  # type: ignore[attr-defined]
        owner.__dataclass_fields__ = fields
        return fields


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace
