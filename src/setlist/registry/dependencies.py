"""Which sessions does a session require? Names, families and globs become names; circles are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setlist.core.errors import nearest
from setlist.core.model import RegistryIndex, SessionSpec
from setlist.core.records import replace
from setlist.registry.definition import DefinitionProblem, Place
from setlist.registry.naming import is_glob, known_names, matching
from setlist.registry.sessions import Variant


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
