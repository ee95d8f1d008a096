"""Read definitions from pyproject.toml and ``sessions/*.toml``.

Both have the same keys: below ``[tool.setlist]`` in pyproject.toml, without a prefix in other files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.core.toml import digest_of_data, read_toml
from setlist.engine.world import DEFINITIONS_IN, World
from setlist.registry import validators
from setlist.registry.definition import Declared, Definition, TopLevel
from setlist.registry.definition_errors import DefinitionProblem, Place, dotted
from setlist.registry.keys import KEYS, PROJECT_KEYS, check_keys
from setlist.registry.validators import ValidationError

PREFIX = ("tool", "setlist")

Checked = TypeVar("Checked")


def load_pyproject(project: Project, file: str, world: World) -> Declared:
    """What pyproject.toml declares below ``[tool.setlist]``; nothing if there is no such table.

    Args:
        project: whose it is.
        file: its name, relative to the root.
        world: records what the file defines; a look at it as a whole is recorded there.

    Raises:
        ConfigurationError: it isn't UTF-8, or isn't TOML.
        DefinitionProblem: a definition in it is wrong.
    """
    document = _parse(project, file, world)
    tool = document.get("tool", {})
    if not isinstance(tool, Mapping):
        raise DefinitionProblem(f"must be a table, not {validators.kind(tool)}", Place(file, PREFIX[:1]))
    if PREFIX[1] not in tool:
        return Declared(file=file, for_all=True)
    return _declared(file, tool[PREFIX[1]], PREFIX, for_all=True)


def load_sessions_file(project: Project, file: str, world: World) -> Declared:
    """What one ``sessions/*.toml`` declares. Its ``defaults`` apply to its own sessions.

    Arguments and errors as of :func:`load_pyproject`.
    """
    return _declared(file, _parse(project, file, world), (), for_all=False)


def load_given_file(project: Project, file: str, world: World) -> Declared:
    """What a file given with ``-f`` declares. It is used instead of all other sources.

    Arguments and errors as of :func:`load_pyproject`.
    """
    return _declared(file, _parse(project, file, world), (), for_all=True)


def _parse(project: Project, file: str, world: World) -> Mapping[str, object]:
    try:
        data = read_toml(project.root / file, file)
    except FileNotFoundError as error:
        raise ConfigurationError(f"can't be read: {error.strerror or error}", file=file) from error
    world.parsed(DEFINITIONS_IN, file, digest_of_data(data, Path(file).name, definitions=True))
    return data


def _declared(file: str, given: object, prefix: tuple[str, ...], *, for_all: bool) -> Declared:
    place = Place(file, prefix)
    if not isinstance(given, Mapping):
        raise DefinitionProblem(f"must be a table, not {validators.kind(given)}", place)
    for name in given:
        if name not in PROJECT_KEYS:
            raise _unknown(name, given[name], place, prefixed=bool(prefix))
        if not PROJECT_KEYS[name].shared and not for_all:
            raise DefinitionProblem(
                "belongs to the project, not to one file of it",
                place,
                (name,),
                hint="move it to [tool.setlist] in pyproject.toml",
            )
    _check_version(given, place)
    if isinstance(given.get("default"), Mapping):
        hint = f"values for all sessions are in [{dotted((*prefix, 'defaults'))}]"
        raise DefinitionProblem("must be a list of strings, not a table", place, ("default",), hint=hint)
    defaults_place = Place(file, (*prefix, "defaults"))
    try:
        defaults = check_keys(_table(given, "defaults", place), defaults=True)
    except ValidationError as bad:
        raise DefinitionProblem.of(bad, defaults_place) from None
    return Declared(
        file=file,
        definitions=tuple(
            _definition(file, name, table, (*prefix, "session", name))
            for name, table in _table(given, "session", place).items()
        ),
        defaults=defaults,
        defaults_place=defaults_place,
        for_all=for_all,
        top_level=TopLevel(
            default=_checked(given, "default", place, lambda value: tuple(validators.strings(value))),
            settings={
                key.field: _checked(given, key.name, place, key.type.check)
                for key in PROJECT_KEYS.values()
                if key.part == "settings" and key.name in given
            },
        ),
    )


def _unknown(name: str, value: object, place: Place, *, prefixed: bool) -> DefinitionProblem:
    from setlist.registry.foreign_words import PROJECT_WORDS, meant

    ours, hint = meant(name, PROJECT_WORDS, PROJECT_KEYS)
    if name in KEYS:
        hint = "it is a key of a session: move it into [session.NAME], or into [defaults] for all sessions"
        if prefixed:
            hint = hint.replace("[", "[tool.setlist.")
    elif name == "tool" and not prefixed:
        hint = "this file needs no prefix: write [session.NAME] for [tool.setlist.session.NAME]"
    elif ours is None and isinstance(value, Mapping) and not KEYS.keys().isdisjoint(value):
        hint = f"a session is [{dotted((*place.path, 'session', name))}]"
    if hint is not None:
        return DefinitionProblem(f"there is no key {name!r} here", place, (name,), hint=hint)
    problem = validators.unknown(ours or name, tuple(PROJECT_KEYS))
    return DefinitionProblem(f"there is no key {name!r}", place, (name,), hint=problem.hint)


def _table(given: Mapping[str, object], key: str, place: Place) -> Mapping[str, object]:
    value = given.get(key, {})
    if not isinstance(value, Mapping):
        hint = None
        if key == "session":
            hint = f"a session is a table: [{'.'.join((*place.path, 'session', 'NAME'))}]"
        raise DefinitionProblem(f"must be a table, not {validators.kind(value)}", place, (key,), hint=hint)
    return value


def _checked(given: Mapping[str, object], key: str, place: Place, check: Callable[[object], Checked]) -> Checked | None:
    if key not in given:
        return None
    try:
        return check(given[key])
    except ValidationError as bad:
        raise DefinitionProblem.of(bad, place, (key,)) from None


def _definition(file: str, name: str, table: object, path: tuple[str, ...]) -> Definition:
    place = Place(file, path)
    if not isinstance(table, Mapping):
        hint = f"write [{'.'.join(path)}] and its keys below, such as run"
        raise DefinitionProblem(f"must be a table, not {validators.kind(table)}", place, hint=hint)
    try:
        return Definition(name, check_keys(table), place)
    except ValidationError as bad:
        raise DefinitionProblem.of(bad, place) from None


def _check_version(given: Mapping[str, object], place: Place) -> None:
    requirement = _checked(given, "requires-setlist", place, validators.filled)
    if requirement is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from setlist import __version__

    try:
        specifiers = SpecifierSet(requirement)
    except InvalidSpecifier:
        raise DefinitionProblem(
            f"{requirement!r} is no version specifier", place, ("requires-setlist",), hint='write it as in ">=0.1"'
        ) from None
    if not specifiers.contains(__version__, prereleases=True):
        raise DefinitionProblem(
            f"this project needs setlist {requirement}, and this is setlist {__version__}",
            place,
            ("requires-setlist",),
            hint=f"install it: pip install 'setlist{requirement}'",
        )
