"""What of an environment hangs by what was asked for: everything else is left over."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.model import Interpreter
from setlist.environment.freeze import Installed, installed
from setlist.environment.install_args import RequestedDistribution
from setlist.environment.markers import marker_environment
from setlist.environment.names import normalised

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def orphaned(
    site_packages: Sequence[Path],
    roots: Iterable[RequestedDistribution],
    kept: Collection[str],
    interpreter: Interpreter,
) -> tuple[str, ...]:
    """The normalised names of the distributions that nothing asks for.

    Args:
        site_packages: the environment's.
        roots: what was asked for.
        kept: names that stay, with what they require.
        interpreter: the environment's, which markers speak of.
    """
    there = {normalised(item.name) for item in installed(site_packages)}
    return tuple(sorted(there - closure(site_packages, roots, kept, interpreter)))


def closure(
    site_packages: Sequence[Path],
    roots: Iterable[RequestedDistribution],
    kept: Collection[str],
    interpreter: Interpreter,
) -> set[str]:
    """The normalised names of the distributions that are asked for, and of what they require. Arguments as above."""
    items = {normalised(item.name): item for item in installed(site_packages)}
    return {name for name, _ in _reached(items, _Required(site_packages, interpreter), roots, kept)}


_ALONE = "without what it requires"


def _reached(
    items: Mapping[str, Installed], required: _Required, roots: Iterable[RequestedDistribution], kept: Collection[str]
) -> set[tuple[str, str]]:
    """The distributions, each with an extra that is asked of it, none (empty), or ``_ALONE``."""
    waiting: list[tuple[str, tuple[str, ...], bool]] = [(name, (), True) for name in kept]
    for root in roots:
        waiting += [(name, root.extras, root.deps) for name in names_of(root, items.values())]
    passed: set[tuple[str, str]] = set()
    while waiting:
        name, extras, deps = waiting.pop()
        for extra in ("", *extras):
            if name not in items or (name, extra) in passed or (extra and not deps):
                continue
            if not deps:
                passed.add((name, _ALONE))
                continue
            passed.add((name, extra))
            for requirement in required.by(name, extra):
                wanted = tuple(map(normalised, requirement.extras))
                waiting.append((normalised(requirement.name), wanted, True))
    return passed


def share_files(site_packages: Sequence[Path], names: Collection[str]) -> bool:
    """Whether a file of these distributions is another one's too: it would go with them."""
    from importlib.metadata import distributions

    theirs: set[str] = set()
    others: set[str] = set()
    for folder in site_packages:
        for found in distributions(path=[str(folder)]):
            files = theirs if normalised(found.metadata["Name"] or "") in names else others
            files |= {os.path.normpath(folder / file) for file in found.files or () if file.suffix != ".pyc"}
    return not theirs.isdisjoint(others)


def missing(
    site_packages: Sequence[Path], roots: Sequence[RequestedDistribution], interpreter: Interpreter
) -> tuple[str, ...]:
    """What is asked for and isn't there, or in another version; in words. Arguments as above."""
    from packaging.specifiers import SpecifierSet

    items = {normalised(item.name): item for item in installed(site_packages)}
    found = [
        f"{root.name}{root.specifier}"
        for root in roots
        if root.name is not None
        and root.specifier
        and (
            root.name not in items
            or not SpecifierSet(root.specifier).contains(items[root.name].version, prereleases=True)
        )
    ]
    found += [root.name for root in roots if root.name is not None and not root.specifier and root.name not in items]
    found += [str(root.path or root.url) for root in roots if root.name is None and not names_of(root, items.values())]
    required = _Required(site_packages, interpreter)
    for name, extra in sorted(_reached(items, required, roots, ())):
        for requirement in required.by(name, extra) if extra != _ALONE else ():
            wanted = normalised(requirement.name)
            if wanted not in items or not requirement.specifier.contains(items[wanted].version, prereleases=True):
                found.append(f"{requirement.name}{requirement.specifier}")
    return tuple(dict.fromkeys(found))


def names_of(root: RequestedDistribution, items: Iterable[Installed]) -> tuple[str, ...]:
    """The distributions that a root is, by name: one that came from a directory is known by that."""
    if root.name is not None:
        return (root.name,)
    if root.path is not None:
        wanted = Path(root.path).resolve()
        return tuple(normalised(item.name) for item in items if item.path is not None and item.path.resolve() == wanted)
    assert root.url is not None
    return tuple(normalised(item.name) for item in items if item.url is not None and item.url.rstrip("/") == root.url)


class _Required:
    """What distributions require, read when it is asked for."""

    def __init__(self, site_packages: Sequence[Path], interpreter: Interpreter) -> None:
        from importlib.metadata import distributions

        self._lines = {
            normalised(found.metadata["Name"] or ""): found.requires or ()
            for found in distributions(path=[str(path) for path in site_packages])
        }
        self._parsed: dict[str, list[Requirement]] = {}
        self._environment = marker_environment(interpreter)

    def by(self, name: str, extra: str) -> Iterable[Requirement]:
        """What one requires, for an extra of it or (empty) in any case."""
        from packaging.requirements import InvalidRequirement, Requirement

        if name not in self._parsed:
            self._parsed[name] = []
            for line in self._lines.get(name, ()):
                with suppress(InvalidRequirement):
                    self._parsed[name].append(Requirement(line))
        for requirement in self._parsed[name]:
            if requirement.marker is None or requirement.marker.evaluate({**self._environment, "extra": extra}):
                yield requirement
