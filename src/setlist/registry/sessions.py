"""What does one variant of a definition come to? A :class:`SessionSpec`, with axes substituted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from setlist.core.errors import ConfigurationError
from setlist.core.model import Command, EnvironmentSpec, Origin, Pairs, SessionSpec
from setlist.core.records import dataclass
from setlist.registry.definition import DefinitionProblem, Place
from setlist.registry.expand import combinations
from setlist.registry.inherit import Merged
from setlist.registry.keys import COMMAND_KEYS, KEYS, Key, Keys
from setlist.registry.naming import check_name, variant_name
from setlist.registry.template import check_template, fill, fill_partly
from setlist.registry.validators import ValidationError

_WS = r"[ \t]*"  # and no line break, which \s would take as well
_CLAUSE = rf"(?:(?:==|!=){_WS}\d+(?:\.\d+)*(?:\.\*)?|(?:>=|<=|>|<){_WS}\d+(?:\.\d+)*|~={_WS}\d+(?:\.\d+)+)"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_USUAL = rf"{_WORD}{_WS}(?:\[{_WORD}(?:,{_WS}{_WORD})*\])?{_WS}(?:{_CLAUSE}(?:{_WS},{_WS}{_CLAUSE})*)?"
"""Requirements as nearly everybody writes them: told without packaging, which takes longer to import than the whole
registry takes to be made. Of what doesn't match it is asked."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One session of a definition. Its ``requires`` are still as written: names, families, globs."""

    session: SessionSpec
    merged: Merged


def variants(merged: Merged) -> Iterator[Variant]:
    """The sessions that a definition expands to.

    Raises:
        Problem: a combination, a name, a placeholder or a requirement in it is wrong.
    """
    with _at(merged):
        found = combinations(merged.keys)
    family = merged.definition.name
    for axes in found:
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
    """The description with axes substituted. It is prose, so a brace in it is no mistake."""
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
    """Give the problems of a value the place it was written at."""
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
    """See that a dependency is a requirement: PEP 508, a local path, a VCS address, or ``-e`` and a path.

    Raises:
        BadValue: it is none.
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
