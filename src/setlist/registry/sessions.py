"""Expand a definition to the sessions of its family: its python axis times its own axes, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

from setlist.core.errors import ConfigurationError, nearest
from setlist.core.limits import MOST_COMBINATIONS, MOST_SESSIONS
from setlist.core.model import Command, EnvironmentSpec, Origin, Pairs, SessionSpec
from setlist.core.records import dataclass
from setlist.registry.definition import Merged
from setlist.registry.definition_errors import DefinitionProblem, Place
from setlist.registry.keys import COMMAND_KEYS, KEYS, Key, Keys
from setlist.registry.naming import check_name, variant_name
from setlist.registry.substitution import check_template, fill, fill_partly
from setlist.registry.validators import ValidationError

_WS = r"[ \t]*"  # and no line break, which \s would take as well
_CLAUSE = rf"(?:(?:==|!=){_WS}\d+(?:\.\d+)*(?:\.\*)?|(?:>=|<=|>|<){_WS}\d+(?:\.\d+)*|~={_WS}\d+(?:\.\d+)+)"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_USUAL = rf"{_WORD}{_WS}(?:\[{_WORD}(?:,{_WS}{_WORD})*\])?{_WS}(?:{_CLAUSE}(?:{_WS},{_WS}{_CLAUSE})*)?"
"""The usual forms of requirements. Importing packaging takes longer than making the whole registry, so it checks only
requirements that don't match."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One session of a definition. Its ``requires`` are still as written: names, families, globs."""

    session: SessionSpec
    merged: Merged


def variants(merged: Merged) -> Iterator[Variant]:
    """The sessions that a definition expands to.

    Raises:
        DefinitionProblem: a combination, a name, a placeholder or a requirement is wrong.
    """
    with _at(merged):
        expanded = combinations(merged.keys)
    family = merged.definition.name
    for axes in expanded:
        try:
            name = variant_name(family, axes)
        except ValidationError as bad:
            axis = bad.path[0]
            path = (axis,) if axis == "python" else ("matrix", axis)
            raise DefinitionProblem(bad.message, _place(merged, path[0]), path, hint=bad.hint) from None
        try:
            check_name(name)
        except ValidationError as bad:
            hint = "shorten the values of the axes, or the family's name" if len(name) > len(family) else bad.hint
            raise DefinitionProblem(bad.message, merged.definition.place, hint=hint) from None
        yield Variant(_session(merged, name, axes), merged)


def combinations(keys: Keys) -> tuple[Pairs, ...]:
    """The values of each variant, in the order of the axes: python first.

    A definition without axes has one variant, with no values. An entry of ``exclude`` removes every combination that
    has all its values, an entry of ``include`` adds one whole combination at the end.

    Raises:
        ValidationError: an entry names an unknown axis, leaves one out, matches nothing or exists already; or no
            combination is left, or there are too many.
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
    remaining = dict.fromkeys(_product(axes))
    for entry in matrix["exclude"]:
        _check_axes(entry, axes, "exclude")
        if any(value not in axes[axis] for axis, value in entry.items()):
            raise ValidationError(
                f"{axes_text(entry.items())} matches no combination", _near_value(entry, axes), ("matrix", "exclude")
            )
        matched = {axis: [entry[axis]] if axis in entry else values for axis, values in axes.items()}
        if prod(map(len, matched.values())) < len(remaining):
            for combination in _product(matched):
                remaining.pop(combination, None)
        else:
            remaining = {one: None for one in remaining if not entry.items() <= dict(one).items()}
    for entry in matrix["include"]:
        _check_axes(entry, axes, "include")
        missing = [axis for axis in axes if axis not in entry]
        if missing:
            raise ValidationError(
                f"{axes_text(entry.items())} says nothing of {missing[0]!r}",
                "name a value for each axis: it is added as one whole combination",
                ("matrix", "include"),
            )
        combination = tuple((axis, entry[axis]) for axis in axes)
        if combination in remaining:
            raise ValidationError(f"{axes_text(entry.items())} is there already", "leave it out", ("matrix", "include"))
        remaining[combination] = None
    if not remaining:
        raise ValidationError("excludes every combination", "leave an entry out", ("matrix", "exclude"))
    return tuple(remaining)


def _product(axes: Mapping[str, list[str]]) -> Iterator[Pairs]:
    return (tuple(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _check_size(axes: Mapping[str, list[str]], most: int, key: str) -> None:
    """Refuse too many combinations before making them."""
    size = prod(map(len, axes.values()))
    if size > most:
        number = f"{size:,}" if size < 10**15 else f"more than {10**15:,}"
        raise ValidationError(f"has {number} combinations, and {most:,} is the limit", "name fewer values", (key,))


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


def axes_text(axes: Iterable[tuple[str, str]]) -> str:
    """Values of axes as TOML writes them: ``{ python = "3.12", django = "5.0" }``."""
    return "{ " + ", ".join(f'{axis} = "{value}"' for axis, value in axes) + " }"


def _session(merged: Merged, name: str, axes: Pairs) -> SessionSpec:
    definition = merged.definition
    python = merged.keys.get("python")
    request = dict(axes).get("python") if isinstance(python, list) else python
    names = {**dict(axes), "session": name}
    if request is not None:
        names["python"] = request
    values = {**merged.keys, "python": request, "matrix": axes}
    session: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    for key in KEYS.values():
        if key.name in values and key.part != "definition":
            with _at(merged, key.name):
                part = environment if key.part == "environment" else session
                part[key.field] = _value(key, values[key.name], names)
    return SessionSpec(
        name=name,
        family=definition.name,
        origin=Origin(definition.place.file, definition.place.line),
        environment=EnvironmentSpec(**environment),
        function=definition.function,
        **session,
    )


def _value(key: Key, value: Any, names: Mapping[str, str]) -> Any:
    """The value of a key as a session holds it: placeholders of axes replaced, lists and tables as tuples."""
    if key.name == "description":
        return _described(value, names)
    if key.name == "run":
        return tuple([_command(command, names) for command in value])
    if key.name == "cwd":
        check_template(value, names)
        return fill_partly(value, names)
    if key.name == "env":
        for template in value.values():
            check_template(template, names)
    if key.type.axes:
        value = [fill(text, names) for text in value]
    if key.name == "deps":
        for requirement in value:
            check_requirement(requirement)
    return _as_tuples(value)


def _as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value


def _command(command: Keys, names: Mapping[str, str]) -> Command:
    for template in (*command["cmd"], *command.get("env", {}).values(), command.get("cwd"), command.get("stdout")):
        if template is not None:
            check_template(template, names)
    return Command(**{COMMAND_KEYS[name].field: _as_tuples(value) for name, value in command.items()})


def _described(text: str, names: Mapping[str, str]) -> str:
    """The description with axes substituted. It is prose: a brace that is no placeholder is no error."""
    try:
        return fill(text, names)
    except ConfigurationError:
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def _place(merged: Merged, key: str) -> Place:
    return merged.places.get(key, merged.definition.place)


@contextmanager
def _at(merged: Merged, *key: str) -> Iterator[None]:
    """Turn errors of a value into problems of the definition that it was written in."""
    try:
        yield
    except ValidationError as bad:
        path = (*key, *bad.path)
        raise DefinitionProblem(bad.message, _place(merged, path[0]), path, hint=bad.hint) from None
    except ConfigurationError as error:
        raise DefinitionProblem(error.message, _place(merged, key[0]), key, hint=error.hint) from None


_OPTIONS: Sequence[tuple[tuple[str, ...], str]] = (
    (("-r", "--requirement"), "name the file in the key 'requirements'"),
    (("-c", "--constraint"), "name the file in the key 'constraints'"),
    (("-i", "--index-url"), "use the key 'index-url'"),
)


def _check_address(text: str) -> None:
    from urllib.parse import urlsplit

    try:
        urlsplit(text.rpartition(" @ ")[2].strip()).port  # noqa: B018 - it raises
    except ValueError as error:
        reason = str(error)
        raise ValidationError(f"{text!r} holds no address: {reason[:1].lower()}{reason[1:]}") from None


@lru_cache(maxsize=4096)
def check_requirement(text: str) -> None:
    """Check that a dependency is a requirement: PEP 508, a local path, a VCS URL, or ``-e`` and a path.

    Raises:
        ValidationError: it isn't.
    """
    import re

    text = text.strip()
    if "://" in text:
        _check_address(text)
    if text.startswith("-"):
        option, _, rest = text.replace("=", " ", 1).partition(" ")
        if option in ("-e", "--editable") and rest.strip():
            return
        advice = next((advice for options, advice in _OPTIONS if option in options), "deps holds requirements only")
        raise ValidationError(f"{text!r} is an option, not a requirement", advice)
    if re.match(r"[./\\~]|[A-Za-z]:[\\/]|[a-z]+\+|[a-z]+://", text) or re.search(
        r"\.(?:whl|zip|tar\.gz)(?:\[[^]]*\])?\Z", text
    ):
        return  # a path or an address: the installer knows best

    if re.fullmatch(_USUAL, text, re.ASCII):
        return
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        hint = f"a local directory is written './{text}'" if re.fullmatch(r"[\w.-]+/[\w./-]*", text) else None
        raise ValidationError(
            f"{text!r} is no requirement: {reason[:1].lower()}{reason[1:]}",
            hint or "write it as in 'pytest>=8', see https://packaging.python.org/specifications/dependency-specifiers",
        ) from None
