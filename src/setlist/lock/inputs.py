"""What a lock is a function of: the same on every machine, so that a lock can be judged without a network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from setlist.environment.names import normalised
from setlist.environment.pyproject import Pyproject
from setlist.environment.requirements import Requirements, gather
from setlist.files import digest
from setlist.model import SessionSpec, Settings
from setlist.project import Project

OLDEST = (3, 8)
"""What is assumed where neither the session nor the project says which Python is the oldest."""


@dataclass(frozen=True, slots=True)
class LockInputs:
    """What a session's lock is made from.

    ``values`` maps an input's name to a digest of its value; ``python`` is the oldest Python that the lock is
    for (``"3.10"``), ``only`` the one minor version that it is for, where the session asks for one.
    """

    values: dict[str, str]
    requirements: Requirements
    python: str
    only: str | None
    platforms: tuple[str, ...]

    @property
    def digest(self) -> str:
        """All of it as one digest."""
        return digest("".join(f"{name}\0{value}\n" for name, value in sorted(self.values.items())))


def lock_inputs(project: Project, settings: Settings, session: SessionSpec, pyproject: Pyproject) -> LockInputs:
    """Read a session's inputs, as far as its lock depends on them.

    Indexes, caches and credentials of this machine aren't among them: a lock says what is installed, and
    the hashes in it say whether what an index serves is that.

    Raises:
        ConfigurationError: an input can't be read.
    """
    spec = session.environment
    # no variables: what ${TOKEN} stands for differs from machine to machine
    requirements = gather(project, session, pyproject, {})
    oldest, only = _pythons(spec.python, pyproject)
    values = {
        **requirements.inputs,
        "python": only or f">={oldest}",
        "platforms": ", ".join(settings.lock_platforms) or "all",
    }
    special = {
        "resolution": spec.resolution if spec.resolution != "highest" else None,
        "exclude-newer": spec.exclude_newer,
        "index-url": spec.index_url,
        "one version for all": "yes" if settings.lock_consistent else None,
    }
    values |= {name: value for name, value in special.items() if value is not None}
    tool = dict(pyproject.table("tool", "uv"))
    if tool:
        values["tool.uv"] = repr(sorted(tool.items()))
    return LockInputs(
        values={name: digest(value)[:16] for name, value in values.items()},
        requirements=requirements,
        python=oldest,
        only=only,
        platforms=settings.lock_platforms,
    )


def _pythons(request: str | None, pyproject: Pyproject) -> tuple[str, str | None]:
    """The oldest Python that a session's lock is for, and the only one, if it is for one."""
    if request is not None:
        if match := re.fullmatch(r"(?:[a-z]+-?)?(\d+\.\d+)(?:\.\d+)?t?(?:-\w+)?", request, re.IGNORECASE):
            return match.group(1), match.group(1)
        if oldest := _lower_bound(re.sub(r"^[A-Za-z]+", "", request)):
            return oldest, None
    written = pyproject.table("project").get("requires-python")
    oldest = _lower_bound(written) if isinstance(written, str) else None
    return oldest or ".".join(map(str, OLDEST)), None


def _lower_bound(specifier: str) -> str | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifiers = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    for minor in range(50):
        # the newest patch release stands for the minor version: >=3.9.2 is met by some 3.9
        if specifiers.contains(f"3.{minor}.99"):
            return f"3.{minor}"
    return None


def names_asked_for(inputs: LockInputs) -> set[str]:
    """The normalised names that the session asks for by itself."""
    return {normalised(name) for name in inputs.requirements.direct}
