"""Which sessions does one definition expand to? Its python axis times its own axes, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from setlist.core.errors import nearest
from setlist.core.limits import MOST_COMBINATIONS, MOST_SESSIONS
from setlist.core.model import Pairs
from setlist.registry.keys import Keys
from setlist.registry.validators import ValidationError


def combinations(keys: Keys) -> tuple[Pairs, ...]:
    """The values of each variant, in the order of the axes: python first.

    A definition without axes has one variant, with no values. ``exclude`` drops every combination that
    agrees with all that an entry names, ``include`` adds whole ones at the end.

    Raises:
        BadValue: an entry names what is no axis, leaves one out, matches nothing or is there already,
            nothing is left, or too much.
    """
    axes: dict[str, list[str]] = {}
    python = keys.get("python")
    if isinstance(python, list):
        axes["python"] = python
    matrix = keys.get("matrix")
    if matrix is None:
        _check_size(axes, MOST_SESSIONS, "python")
        return tuple(_product(axes))
    axes |= matrix["axes"]
    if not axes:
        if matrix["include"] or matrix["exclude"]:
            raise ValidationError("has no axis to combine", "name one, as in django = ['4.2', '5.0']", ("matrix",))
        return ((),)

    _check_size(axes, MOST_COMBINATIONS if matrix["exclude"] else MOST_SESSIONS, "matrix")
    kept = dict.fromkeys(_product(axes))
    for entry in matrix["exclude"]:
        _check_axes(entry, axes, "exclude")
        if any(value not in axes[axis] for axis, value in entry.items()):
            raise ValidationError(
                f"{_said(entry)} matches no combination", _near_value(entry, axes), ("matrix", "exclude")
            )
        matched = {axis: [entry[axis]] if axis in entry else values for axis, values in axes.items()}
        if prod(map(len, matched.values())) < len(kept):
            for combination in _product(matched):
                kept.pop(combination, None)
        else:
            kept = {one: None for one in kept if not entry.items() <= dict(one).items()}
    for entry in matrix["include"]:
        _check_axes(entry, axes, "include")
        missing = [axis for axis in axes if axis not in entry]
        if missing:
            raise ValidationError(
                f"{_said(entry)} says nothing of {missing[0]!r}",
                "name a value for each axis: it is added as one whole combination",
                ("matrix", "include"),
            )
        combination = tuple((axis, entry[axis]) for axis in axes)
        if combination in kept:
            raise ValidationError(f"{_said(entry)} is there already", "leave it out", ("matrix", "include"))
        kept[combination] = None
    if not kept:
        raise ValidationError("excludes every combination", "leave an entry out", ("matrix", "exclude"))
    return tuple(kept)


def _product(axes: Mapping[str, list[str]]) -> Iterator[Pairs]:
    return (tuple(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _check_size(axes: Mapping[str, list[str]], most: int, key: str) -> None:
    """Refuse what is too much before any of it is made."""
    size = prod(map(len, axes.values()))
    if size > most:
        said = f"{size:,}" if size < 10**15 else f"more than {10**15:,}"
        raise ValidationError(f"has {said} combinations, and {most:,} is the limit", "name fewer values", (key,))


def _check_axes(entry: Mapping[str, str], axes: Mapping[str, list[str]], key: str) -> None:
    for axis in entry:
        if axis in axes:
            continue
        near = nearest(axis, axes)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(axes)}"
        if axis == "python":
            hint = "give the session a list of pythons, even of one: python = ['3.12']"
        raise ValidationError(f"there is no axis {axis!r}", hint, ("matrix", key))


def _near_value(entry: Mapping[str, str], axes: Mapping[str, list[str]]) -> str:
    for axis, value in entry.items():
        if value not in axes[axis]:
            near = nearest(value, axes[axis])
            if near:
                return f"did you mean {axis} = {near!r}?"
            return f"{axis} has the values {', '.join(axes[axis])}"
    return "leave it out"


def _said(entry: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f'{axis} = "{value}"' for axis, value in entry.items()) + " }"
