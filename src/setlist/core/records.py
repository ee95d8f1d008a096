"""Plain data: dataclasses, without what making their classes costs at every start of Python.

The standard library's ``@dataclass`` writes six methods of each class as source text and compiles them. A warm run
makes some forty such classes: that took a third of its time, and importing ``dataclasses`` (and with it
``inspect``) a sixth. A class decorated here is made, compared, hashed and shown in the same way, but its
methods are written once and look its fields up. ``dataclasses.fields``, ``replace`` and ``asdict`` take it, and to a
type checker it is the standard library's.

What setlist uses is what is here: fields with defaults or ``default_factory``, ``frozen``, ``kw_only``, inheritance.
``slots`` is accepted and means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["as_mapping", "beside_defaults", "dataclass", "field", "field_names", "is_record", "replace"]


class _Factory:
    """A default that is made anew for each instance."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _Layout:
    """The fields of a class: ``names`` in order, the first ``positional`` of which needn't be named."""

    __slots__ = ("constants", "defaults", "factories", "names", "positional", "required")

    def __init__(self, names: tuple[str, ...], positional: int, defaults: Mapping[str, Any]) -> None:
        self.names = names
        self.positional = positional
        self.defaults = defaults
        self.required = frozenset(names) - defaults.keys()
        self.factories = {name: value.make for name, value in defaults.items() if isinstance(value, _Factory)}
        self.constants = {name: value for name, value in defaults.items() if name not in self.factories}


def _field(*, default_factory: Callable[[], Any]) -> Any:
    return _Factory(default_factory)


def field_names(record: Any) -> tuple[str, ...]:
    """The names of a record's fields, or of its class's, in the order of their definition."""
    names: tuple[str, ...] = record.__record__.names
    return names


def as_mapping(record: Any) -> dict[str, Any]:
    """A record as a mapping of its fields, records inside it likewise: what ``json`` takes."""
    return {name: _plain(getattr(record, name)) for name in field_names(record)}


def is_record(value: Any) -> bool:
    """Whether a value is an instance of a record's class."""
    return hasattr(type(value), "__record__")


def beside_defaults(record: Any) -> dict[str, Any]:
    """The fields of a record that are something else than their defaults."""
    layout: _Layout = record.__record__
    values = {name: getattr(record, name) for name in layout.names}
    return {
        name: value
        for name, value in values.items()
        if name in layout.required or isinstance(layout.defaults[name], _Factory) or value != layout.defaults[name]
    }


def _plain(value: Any) -> Any:
    if is_record(value):
        return as_mapping(value)
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


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
    names = list(inherited.names) if inherited is not None else []
    defaults = dict(inherited.defaults) if inherited is not None else {}
    positional = inherited.positional if inherited is not None else 0
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        if name not in names:
            names.append(name)
            positional += not kw_only
        if name in cls.__dict__:
            defaults[name] = cls.__dict__[name]
            # or the instances of a subclass, and cached_property, would find it
            delattr(cls, name)
    cls.__record__ = _Layout(tuple(names), positional, defaults)
    setattr(cls, "__match_args__", tuple(names[:positional]))  # noqa: B010 - which mypy lets nobody assign
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
            described.append((name, Any, made))
        fields: Mapping[str, Any] = dataclasses.make_dataclass(
            owner.__name__, described, kw_only=True
        ).__dataclass_fields__  # type: ignore[attr-defined]
        owner.__dataclass_fields__ = fields
        return fields


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace
