"""Build one registry from the definitions of all sources: resolve names, ``requires`` and settings."""

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
from setlist.registry.sessions import Variant, axes_text, variants
from setlist.registry.validators import ValidationError


def build_registry(declared: Sequence[Declared], unused: Sequence[str] = ()) -> Registry:
    """The registry of all sources, with ``defaults``, ``extends``, families and ``requires`` resolved.

    Args:
        declared: what each source declares.
        unused: the files whose definitions aren't used.

    Raises:
        DefinitionProblem: the first error in a definition.
    """
    settings = replace(_settings(declared), unused=tuple(unused))
    if settings.sources is not None and "pyproject" not in settings.sources:
        declared = [
            replace(source, definitions=()) if source.file == "pyproject.toml" else source for source in declared
        ]
    _check_definitions([definition for source in declared for definition in source.definitions])
    expanded = _expanded(declared)
    _check_variants(expanded)
    _check_resources(expanded, dict(settings.resources))
    sessions = resolve_requires(expanded)
    finished = [session for source in declared for session in source.sessions]
    _check_finished(finished, sessions)
    return Registry(sessions={**sessions, **{session.name: session for session in finished}}, settings=settings)


def _expanded(declared: Sequence[Declared]) -> list[Variant]:
    expanded: list[Variant] = []
    for merged in merge_all(declared):
        for variant in variants(merged):
            if len(expanded) == MOST_SESSIONS:
                raise DefinitionProblem(
                    f"{merged.definition.name!r} makes it more than {MOST_SESSIONS:,} sessions, which is the limit",
                    merged.definition.place,
                    hint="name fewer values in its axes, or split the project",
                )
            expanded.append(variant)
    return expanded


def _check_finished(finished: Sequence[SessionSpec], others: Mapping[str, SessionSpec]) -> None:
    """Check that the sessions of providers have other names than those of our own definitions."""
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
    cycle = cycle_in({session.name: session for session in finished})
    if cycle is not None:
        first = next(session for session in finished if session.name == cycle[0])
        raise DefinitionProblem("", Place(first.origin.file, line=first.origin.line), ("requires",), cycle=cycle)


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


def _check_variants(variants: Sequence[Variant]) -> None:
    seen: dict[str, Variant] = {}
    for variant in variants:
        session = variant.session
        definition = variant.merged.definition
        other = seen.setdefault(session.name.casefold(), variant)
        if other is not variant:
            if other.session.name != session.name:
                raise _collision(session.name, definition, other.session.name, other.merged.definition)
            if other.merged.definition is definition:
                axes = f"{axes_text(other.session.axes)} and {axes_text(session.axes)}"
                raise DefinitionProblem(
                    f"two sessions are named {session.name!r}: {axes}",
                    definition.place,
                    hint="dots and signs are dropped from a name: choose values that differ without them",
                )
            raise DefinitionProblem(
                f"two sessions are named {session.name!r}",
                definition.place,
                other=other.merged.definition.place,
                hint="rename one of them",
            )
    families = {variant.session.family.casefold(): variant for variant in variants}
    for variant in variants:
        session, definition = variant.session, variant.merged.definition
        family = families.get(session.name.casefold())
        if family is not None and family.merged.definition is not definition:
            raise DefinitionProblem(
                f"the session {session.name!r} is named as the family {family.session.family!r}",
                definition.place,
                other=family.merged.definition.place,
                hint="rename one of them",
            )


def _check_resources(variants: Sequence[Variant], capacities: Mapping[str, int]) -> None:
    """Check that no session takes more of a resource than there is: it would never start."""
    for variant in variants:
        for name, count in variant.session.resources:
            capacity = capacities.get(name, 1)
            if count > capacity:
                raise DefinitionProblem(
                    f"{variant.session.name!r} takes {count} of {name!r}, and there is {capacity}"
                    if capacity == 1
                    else f"{variant.session.name!r} takes {count} of {name!r}, and there are {capacity}",
                    variant.merged.places["resources"],
                    ("resources", name),
                    hint=f"say how many there are: resources = {{ {name} = {count} }} in [tool.setlist]",
                )


def _collision(name: str, definition: Definition, other_name: str, other: Definition) -> DefinitionProblem:
    return DefinitionProblem(
        f"{other_name!r} and {name!r} are one directory where case is ignored (macOS, Windows)",
        definition.place,
        other=None if other is definition else other.place,
        hint="rename one of them",
    )


def _settings(declared: Sequence[Declared]) -> Settings:
    """The settings of the whole project. The ``default`` lists of several files are joined."""
    default: tuple[str, ...] | None = None
    settings: dict[str, Any] = {}
    own = [source for source in declared if not source.sessions]
    alone = not any(source.definitions or source.top_level.default is not None for source in own)
    for source in declared:
        top_level = source.top_level
        if top_level.default is not None and (alone or not source.sessions):
            default = (*(default or ()), *top_level.default)
        settings |= top_level.settings
    return Settings(default=default, **settings)


def resolve_requires(variants: Sequence[Variant]) -> dict[str, SessionSpec]:
    """All sessions by name, with names, families and globs in ``requires`` resolved to sessions.

    A glob never matches the session that it is written in: ``all`` may require ``*``.

    Raises:
        DefinitionProblem: a name matches no session, or sessions require each other in a cycle.
    """
    index = RegistryIndex.of({variant.session.name: variant.session for variant in variants})
    resolved = {
        variant.session.name: replace(variant.session, requires=_required(variant, index))
        if variant.session.requires
        else variant.session
        for variant in variants
    }
    cycle = cycle_in(resolved)
    if cycle is not None:
        first = next(variant for variant in variants if variant.session.name == cycle[0])
        raise DefinitionProblem("", _place(first), ("requires",), cycle=cycle)
    return resolved


def _place(variant: Variant) -> Place:
    return variant.merged.places["requires"]


def _required(variant: Variant, index: RegistryIndex) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for pattern in variant.session.requires:
        matched = matching(pattern, index)
        if not matched:
            near = nearest(pattern, known_names(index))
            raise DefinitionProblem(
                f"{variant.session.name!r} requires {pattern!r}, and no session matches that",
                _place(variant),
                ("requires",),
                hint=f"did you mean {near!r}?"
                if near
                else "it names sessions, families and globs; what is installed is named in deps",
            )
        by_name = not is_glob(pattern)
        names.update(dict.fromkeys(name for name in matched if by_name or name != variant.session.name))
    return tuple(names)


def cycle_in(sessions: Mapping[str, SessionSpec]) -> tuple[str, ...] | None:
    """The first cycle of sessions that require each other; its first session is repeated at its end."""
    done: set[str] = set()
    for start in sessions:
        if start in done:
            continue
        # Depth first. A loop and no recursion: a chain may be longer than Python's stack.
        path = [start]
        pending = [iter(sessions[start].requires)]
        while path:
            name = next(pending[-1], None)
            if name is None:
                done.add(path.pop())
                pending.pop()
            elif name in path:
                return (*path[path.index(name) :], name)
            elif name not in done:
                path.append(name)
                pending.append(iter(sessions[name].requires))
    return None
