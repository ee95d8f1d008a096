"""Whether what an environment holds is what the project under test requires, as its built metadata say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from setlist.core.model import Interpreter
from setlist.environment.markers import marker_environment
from setlist.environment.names import normalised


def unmet(
    site_packages: Sequence[Path],
    names: Collection[str],
    extras: Collection[str],
    interpreter: Interpreter,
    *,
    without: Collection[str] = (),
) -> tuple[str, ...]:
    """The requirements that the environment doesn't meet, each with what it holds instead.

    Args:
        site_packages: the environment's.
        names: normalised names of the distributions whose requirements count.
        extras: the extras that are asked for.
        interpreter: the environment's, which markers speak of.
        without: normalised names that aren't looked at.
    """
    from importlib.metadata import distributions

    from packaging.requirements import InvalidRequirement, Requirement

    held: dict[str, str] = {}
    required: list[str] = []
    for distribution in distributions(path=[str(path) for path in site_packages]):
        name = normalised(distribution.metadata["Name"] or "")
        held[name] = distribution.version
        if name in names:
            required += distribution.requires or ()
    environment = marker_environment(interpreter)
    found: dict[str, None] = {}
    for line in required:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # the installer has read it, whatever it is
        wanted = normalised(requirement.name)
        applies = requirement.marker is None or any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
        )
        if not applies or wanted in without or wanted in names:
            continue
        if wanted not in held:
            found[f"{_plain(requirement)}, and there is no {requirement.name}"] = None
        elif requirement.url is None and not requirement.specifier.contains(held[wanted], prereleases=True):
            found[f"{_plain(requirement)}, and there is {requirement.name} {held[wanted]}"] = None
    return tuple(found)


def _plain(requirement: object) -> str:
    return str(requirement).partition(";")[0].strip()
