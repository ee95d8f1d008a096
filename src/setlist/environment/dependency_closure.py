"""Find installed packages that no requested requirement depends on, and requirements that no installed package meets.

Both follow the metadata of the installed distributions, from what was requested.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.model import Interpreter
from setlist.environment.freeze import Installed, installed
from setlist.environment.install_args import RequestedDistribution
from setlist.environment.markers import evaluates, markers_of
from setlist.environment.requirement_lines import normalised

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

_WITHOUT_DEPENDENCIES = "without dependencies"


def orphaned(
    site_packages: Sequence[Path],
    roots: Iterable[RequestedDistribution],
    kept: Collection[str],
    interpreter: Interpreter,
) -> tuple[str, ...]:
    """The normalised names of the distributions that nothing requested depends on.

    Args:
        site_packages: the environment's.
        roots: what was requested.
        kept: names of further distributions that stay, with their dependencies.
        interpreter: the environment's, for markers.
    """
    environment = _Environment(site_packages, interpreter)
    return tuple(sorted(environment.items.keys() - _closure(environment, roots, kept)))


def closure(
    site_packages: Sequence[Path],
    roots: Iterable[RequestedDistribution],
    kept: Collection[str],
    interpreter: Interpreter,
) -> set[str]:
    """The normalised names of the requested distributions and their dependencies. Arguments as for :func:`orphaned`."""
    return _closure(_Environment(site_packages, interpreter), roots, kept)


def missing(
    site_packages: Sequence[Path], roots: Sequence[RequestedDistribution], interpreter: Interpreter
) -> tuple[str, ...]:
    """The requirements, requested or of dependencies, that no installed distribution meets. Arguments as above."""
    from packaging.specifiers import SpecifierSet

    environment = _Environment(site_packages, interpreter)
    lacking: dict[str, None] = {}
    for root in roots:
        if root.name is None:
            if not names_of(root, environment.items.values()):
                lacking[str(root.path or root.url)] = None
        elif not environment.has(root.name, SpecifierSet(root.specifier)):
            lacking[f"{root.name}{root.specifier}"] = None
    for name, extra in sorted(_reached(environment, roots, ())):
        for requirement in environment.requirements(name, extra):
            if not environment.has(requirement.name, requirement.specifier):
                lacking[f"{requirement.name}{requirement.specifier}"] = None
    return tuple(lacking)


def unmet(
    site_packages: Sequence[Path],
    names: Collection[str],
    extras: Collection[str],
    interpreter: Interpreter,
    *,
    without: Collection[str] = (),
) -> tuple[str, ...]:
    """The requirements of some distributions that the environment doesn't meet, each with what it holds instead.

    Args:
        site_packages: the environment's.
        names: normalised names of the distributions.
        extras: the requested extras.
        interpreter: the environment's, for markers.
        without: normalised names of requirements that don't count.
    """
    environment = _Environment(site_packages, interpreter)
    lacking: dict[str, None] = {}
    for requirement in (
        requirement
        for name in sorted(names)
        for extra in ("", *extras)
        for requirement in environment.requirements(name, extra)
    ):
        required = normalised(requirement.name)
        if required in without or required in names or environment.has(required, requirement.specifier):
            continue
        item = environment.items.get(required)
        instead = f"{requirement.name} {item.version}" if item is not None else f"no {requirement.name}"
        lacking[f"{str(requirement).partition(';')[0].strip()}, and there is {instead}"] = None
    return tuple(lacking)


def share_files(site_packages: Sequence[Path], names: Collection[str]) -> bool:
    """Whether these distributions have a file in common with another one: it would be removed with them."""
    from importlib.metadata import distributions

    theirs: set[str] = set()
    others: set[str] = set()
    for folder in site_packages:
        for distribution in distributions(path=[str(folder)]):
            files = theirs if normalised(distribution.metadata["Name"] or "") in names else others
            files |= {os.path.normpath(folder / file) for file in distribution.files or () if file.suffix != ".pyc"}
    return not theirs.isdisjoint(others)


def names_of(root: RequestedDistribution, items: Iterable[Installed]) -> tuple[str, ...]:
    """The normalised names of the installed distributions that a request refers to: by name, directory or URL."""
    if root.name is not None:
        return (root.name,)
    if root.path is not None:
        directory = Path(root.path).resolve()
        return tuple(
            normalised(item.name) for item in items if item.path is not None and item.path.resolve() == directory
        )
    assert root.url is not None
    return tuple(normalised(item.name) for item in items if item.url is not None and item.url.rstrip("/") == root.url)


class _Environment:
    """The distributions of an environment by normalised name, and what they require."""

    def __init__(self, site_packages: Sequence[Path], interpreter: Interpreter) -> None:
        from importlib.metadata import distributions

        self.items = {normalised(item.name): item for item in installed(site_packages)}
        self._lines = {
            normalised(distribution.metadata["Name"] or ""): distribution.requires or ()
            for distribution in distributions(path=[str(path) for path in site_packages])
        }
        self._parsed: dict[str, list[Requirement]] = {}
        self._markers = markers_of(interpreter)

    def requirements(self, name: str, extra: str) -> Iterator[Requirement]:
        """The requirements of a distribution for one of its extras, or (empty) in any case."""
        from packaging.requirements import InvalidRequirement, Requirement

        if name not in self._parsed:
            self._parsed[name] = []
            for line in self._lines.get(name, ()):
                with suppress(InvalidRequirement):  # the installer has read it, whatever it is
                    self._parsed[name].append(Requirement(line))
        for requirement in self._parsed[name] if extra != _WITHOUT_DEPENDENCIES else ():
            if evaluates(requirement.marker, {**self._markers, "extra": extra}):
                yield requirement

    def has(self, name: str, specifier: SpecifierSet) -> bool:
        """Whether a distribution is installed in one of these versions."""
        item = self.items.get(normalised(name))
        return item is not None and specifier.contains(item.version, prereleases=True)


def _closure(environment: _Environment, roots: Iterable[RequestedDistribution], kept: Collection[str]) -> set[str]:
    return {name for name, _ in _reached(environment, roots, kept)}


def _reached(
    environment: _Environment, roots: Iterable[RequestedDistribution], kept: Collection[str]
) -> set[tuple[str, str]]:
    """The requested distributions and their dependencies, each with a requested extra, none (empty), or
    ``_WITHOUT_DEPENDENCIES``."""
    waiting: list[tuple[str, tuple[str, ...], bool]] = [(name, (), True) for name in kept]
    for root in roots:
        waiting += [(name, root.extras, root.deps) for name in names_of(root, environment.items.values())]
    reached: set[tuple[str, str]] = set()
    while waiting:
        name, extras, deps = waiting.pop()
        if name not in environment.items:
            continue
        for extra in ("", *extras) if deps else (_WITHOUT_DEPENDENCIES,):
            if (name, extra) in reached:
                continue
            reached.add((name, extra))
            for requirement in environment.requirements(name, extra):
                waiting.append((normalised(requirement.name), tuple(map(normalised, requirement.extras)), True))
    return reached
