"""How do the declarations of all sources become one registry?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from setlist.core.errors import nearest
from setlist.core.limits import MOST_SESSIONS
from setlist.core.model import Registry, RegistryIndex, SessionSpec, Settings
from setlist.core.records import replace
from setlist.registry.definition import Declared, Definition, merge_all
from setlist.registry.definition_errors import DefinitionProblem, Place
from setlist.registry.naming import check_name, is_glob, known_names, matching
from setlist.registry.sessions import Variant, variants
from setlist.registry.validators import ValidationError


def build_registry(declared: Sequence[Declared], unused: Sequence[str] = ()) -> Registry:
    """Work out defaults, ``extends``, families and ``requires``.

    Args:
        declared: what each source declares.
        unused: the files with definitions that aren't among them.

    Raises:
        Problem: the first thing that is wrong.
    """
    settings = replace(_settings(declared), unused=tuple(unused))
    if settings.sources is not None and "pyproject" not in settings.sources:
        declared = [
            replace(source, definitions=()) if source.file == "pyproject.toml" else source for source in declared
        ]
    _check_definitions([definition for source in declared for definition in source.definitions])
    found = _expanded(declared)
    _check_variants(found)
    _check_resources(found, dict(settings.resources))
    sessions = with_requires(found)
    finished = [session for source in declared for session in source.sessions]
    _check_finished(finished, sessions)
    return Registry(sessions={**sessions, **{session.name: session for session in finished}}, settings=settings)


def _expanded(declared: Sequence[Declared]) -> list[Variant]:
    found: list[Variant] = []
    for merged in merge_all(declared):
        for variant in variants(merged):
            if len(found) == MOST_SESSIONS:
                raise DefinitionProblem(
                    f"{merged.definition.name!r} makes it more than {MOST_SESSIONS:,} sessions, which is the limit",
                    merged.definition.place,
                    hint="name fewer values in its axes, or split the project",
                )
            found.append(variant)
    return found


def _check_finished(finished: Sequence[SessionSpec], others: Mapping[str, SessionSpec]) -> None:
    """See that what another tool's file defines can stand beside what setlist's own files do."""
    names = {name.casefold(): session for session in others.values() for name in (session.name, session.family)}
    for session in finished:
        other = names.get(session.name.casefold()) or names.get(session.family.casefold())
        if other is not None:
            raise DefinitionProblem(
                f"two sessions are named {other.name!r}",
                Place(session.origin.file, line=session.origin.line),
                other=Place(other.origin.file, line=other.origin.line),
                hint="rename one of them, or name the files to use: sources in [tool.setlist]",
            )
    circle = circle_of({session.name: session for session in finished})
    if circle is not None:
        first = next(session for session in finished if session.name == circle[0])
        raise DefinitionProblem("", Place(first.origin.file, line=first.origin.line), ("requires",), cycle=circle)


def _check_definitions(definitions: Sequence[Definition]) -> None:
    seen: dict[str, Definition] = {}
    for definition in definitions:
        try:
            check_name(definition.name)
        except ValidationError as bad:
            raise DefinitionProblem(bad.message, definition.place, hint=bad.hint) from None
        other = seen.setdefault(definition.name.casefold(), definition)
        if other is definition:
            continue
        if other.name == definition.name:
            raise DefinitionProblem(
                f"two sessions are named {definition.name!r}",
                definition.place,
                other=other.place,
                hint="rename one of them",
            )
        raise _collision(definition.name, definition, other.name, other)


def _check_variants(found: Sequence[Variant]) -> None:
    seen: dict[str, Variant] = {}
    for variant in found:
        session = variant.session
        definition = variant.merged.definition
        other = seen.setdefault(session.name.casefold(), variant)
        if other is not variant:
            if other.session.name != session.name:
                raise _collision(session.name, definition, other.session.name, other.merged.definition)
            if other.merged.definition is definition:
                raise DefinitionProblem(
                    f"two sessions are named {session.name!r}: {_said(other)} and {_said(variant)}",
                    definition.place,
                    hint="dots and signs are dropped from a name: choose values that differ without them",
                )
            raise DefinitionProblem(
                f"two sessions are named {session.name!r}",
                definition.place,
                other=other.merged.definition.place,
                hint="rename one of them",
            )
    families = {variant.session.family.casefold(): variant for variant in found}
    for variant in found:
        session, definition = variant.session, variant.merged.definition
        family = families.get(session.name.casefold())
        if family is not None and family.merged.definition is not definition:
            raise DefinitionProblem(
                f"the session {session.name!r} is named as the family {family.session.family!r}",
                definition.place,
                other=family.merged.definition.place,
                hint="rename one of them",
            )


def _check_resources(found: Sequence[Variant], capacities: Mapping[str, int]) -> None:
    """What a session takes must be there, or it would wait for ever."""
    for variant in found:
        for name, wanted in variant.session.resources:
            there = capacities.get(name, 1)
            if wanted > there:
                raise DefinitionProblem(
                    f"{variant.session.name!r} takes {wanted} of {name!r}, and there is {there}"
                    if there == 1
                    else f"{variant.session.name!r} takes {wanted} of {name!r}, and there are {there}",
                    variant.merged.places["resources"],
                    ("resources", name),
                    hint=f"say how many there are: resources = {{ {name} = {wanted} }} in [tool.setlist]",
                )


def _said(variant: Variant) -> str:
    return "{ " + ", ".join(f'{axis} = "{value}"' for axis, value in variant.session.axes) + " }"


def _collision(name: str, definition: Definition, other_name: str, other: Definition) -> DefinitionProblem:
    return DefinitionProblem(
        f"{other_name!r} and {name!r} are one directory where case is ignored (macOS, Windows)",
        definition.place,
        other=None if other is definition else other.place,
        hint="rename one of them",
    )


def _settings(declared: Sequence[Declared]) -> Settings:
    """What the files say of the whole project. Several lists of defaults are joined."""
    default: tuple[str, ...] | None = None
    settings: dict[str, Any] = {}
    own = [source for source in declared if not source.sessions]
    alone = not any(source.definitions or source.top_level.default is not None for source in own)
    for source in declared:
        said = source.top_level
        if said.default is not None and (alone or not source.sessions):
            default = (*(default or ()), *said.default)
        settings |= said.settings
    return Settings(default=default, **settings)


def with_requires(variants: Sequence[Variant]) -> dict[str, SessionSpec]:
    """All sessions by name, each one's ``requires`` worked out.

    A glob never stands for the session that it is written in: ``all`` may require ``*``.

    Raises:
        Problem: a name that is no session, or sessions that require each other in a circle.
    """
    outline = RegistryIndex.of({variant.session.name: variant.session for variant in variants})
    resolved = {
        variant.session.name: replace(variant.session, requires=_required(variant, outline))
        if variant.session.requires
        else variant.session
        for variant in variants
    }
    circle = circle_of(resolved)
    if circle is not None:
        first = next(variant for variant in variants if variant.session.name == circle[0])
        raise DefinitionProblem("", _place(first), ("requires",), cycle=circle)
    return resolved


def _place(variant: Variant) -> Place:
    return variant.merged.places["requires"]


def _required(variant: Variant, outline: RegistryIndex) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for pattern in variant.session.requires:
        found = matching(pattern, outline)
        if not found:
            near = nearest(pattern, known_names(outline))
            raise DefinitionProblem(
                f"{variant.session.name!r} requires {pattern!r}, and no session matches that",
                _place(variant),
                ("requires",),
                hint=f"did you mean {near!r}?" if near else "a name, a family or a glob is meant",
            )
        by_name = not is_glob(pattern)
        names.update(dict.fromkeys(name for name in found if by_name or name != variant.session.name))
    return tuple(names)


def circle_of(sessions: Mapping[str, SessionSpec]) -> tuple[str, ...] | None:
    """Sessions that require each other, the first named again at the end; None where there are none."""
    done: set[str] = set()
    for start in sessions:
        if start in done:
            continue
        # The way from start to where we are, and what is still to be looked at from each step of it.
        # A loop and no recursion: a chain may be longer than Python's stack.
        way = [start]
        ahead = [iter(sessions[start].requires)]
        while way:
            name = next(ahead[-1], None)
            if name is None:
                done.add(way.pop())
                ahead.pop()
            elif name in way:
                return (*way[way.index(name) :], name)
            elif name not in done:
                way.append(name)
                ahead.append(iter(sessions[name].requires))
    return None
