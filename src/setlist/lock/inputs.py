"""The inputs of a lock. They are the same on every machine, so a lock can be checked without a network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.files import text_or_nothing
from setlist.core.fingerprint import digest
from setlist.core.logins import masked
from setlist.core.model import EnvironmentSpec, SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, field
from setlist.engine.world import FILE, World
from setlist.environment.installer_config import counted_of_uv, nearest_uv_table
from setlist.environment.interpreter_spec import parse_request
from setlist.environment.pyproject import Pyproject
from setlist.environment.requirement_lines import normalised
from setlist.environment.requirements import Requirements, gather

REPOSITORY = r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(?:git|hg|svn|bzr)\+"
"""A pattern for requirements from version control; re compiles it on first use."""

OLDEST = (3, 8)
"""The default if neither the session nor the project names an oldest Python."""

OUR_OLDEST = (3, 10)
"""The oldest Python that setlist runs on, and so the oldest of a session that names none."""


class Gathered:
    """What several locks are made from, read once.

    Attributes:
        requirements: those of sessions that differ only in their Python.
        settings_of_uv: the project's own, None if they haven't been read.
    """

    def __init__(self) -> None:
        self.requirements: dict[EnvironmentSpec, Requirements] = {}
        self.settings_of_uv: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LockInputs:
    """The inputs of a session's lock.

    ``values`` maps an input's name to a digest of its value; ``python`` is the oldest Python that the lock covers
    (``"3.10"``), ``only`` the minor version if it covers just one. ``repositories`` are the requirements from version
    control, by name.
    """

    values: dict[str, str]
    requirements: Requirements
    python: str
    only: str | None
    platforms: tuple[str, ...]
    repositories: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One digest of all values."""
        return self.digest_of(self.values)

    @staticmethod
    def digest_of(values: Mapping[str, str]) -> str:
        """One digest of the values in the header of a lock."""
        return digest("".join(f"{name}\0{value}\n" for name, value in sorted(values.items())))


def lock_inputs(
    project: Project,
    settings: Settings,
    session: SessionSpec,
    pyproject: Pyproject,
    gathered: Gathered | None = None,
    world: World | None = None,
) -> LockInputs:
    """Read the inputs of a session's lock.

    Indexes, caches and credentials of this machine aren't inputs: a lock states the versions, and its hashes verify
    what an index serves.

    Args:
        project: the project of the session.
        settings: the settings of the project.
        session: the session.
        pyproject: the pyproject.toml of the project.
        gathered: what several calls share.
        world: records what is read. It has no variables: the value of ``${TOKEN}`` differs from machine to machine.

    Raises:
        ConfigurationError: an input can't be read.
    """
    spec = session.environment
    seen = World(str(project.root), {}) if world is None else world
    gathered = gathered or Gathered()
    requirements = _gathered(project, session, pyproject, gathered.requirements, seen)
    oldest, only = _pythons(spec.python, pyproject)
    values = {
        **dict(_portable(requirements.inputs, project.root)),
        "python": only or f">={oldest}",
        "platforms": ", ".join(settings.lock_platforms) or "all",
    }
    repositories = {name: set(lines) for name, lines in requirements.repositories.items()}
    if spec.project is not None:
        required = _project_requirements(pyproject, spec.extras)
        if required is not None:
            values["project metadata"] = _canonical(required)
            for line in (str(line) for lines in required["requires"].values() for line in lines):
                if "@" in line and (match := re.match(REPOSITORY, line)):
                    repositories.setdefault(normalised(match[1]), set()).add(line)
    special = {
        "resolution": spec.resolution if spec.resolution != "highest" else None,
        "exclude-newer": spec.exclude_newer,
        "index-url": masked(spec.index_url) if spec.index_url else None,
        "one version for all": "yes" if settings.lock_consistent else None,
    }
    values |= {name: value for name, value in special.items() if value is not None}
    for name, lines in sorted(repositories.items()):
        # An input of its own: it shows whether the commit in a lock still fits the requirement
        values[f"repository {name}"] = "\n".join(sorted(lines))
    if gathered.settings_of_uv is None:
        gathered.settings_of_uv = counted_of_uv(_settings_of_uv(project, pyproject, seen))
    if gathered.settings_of_uv:
        values["tool.uv"] = _canonical(gathered.settings_of_uv)
    return LockInputs(
        values={name: digest(value)[:16] for name, value in values.items()},
        requirements=requirements,
        python=oldest,
        only=only,
        platforms=settings.lock_platforms,
        repositories=repositories,
    )


def _settings_of_uv(project: Project, pyproject: Pyproject, world: World) -> Mapping[str, Any]:
    """The project's own settings of uv. What lies above the root of its repository is this machine's.

    Raises:
        ConfigurationError: a file can't be read.
    """

    def places() -> Iterator[tuple[Path, Path]]:
        for folder in (project.root, *project.root.parents):
            pair = folder / "uv.toml", folder / "pyproject.toml"
            world.look(FILE, str(pair[0]), "uv")
            if folder != project.root:  # whoever has read the project's own has recorded it
                world.look(FILE, str(pair[1]), "uv")
            yield pair
            if world.kind(str(folder / ".git"), "uv") is not None:
                return

    found = nearest_uv_table(project, places(), pyproject)
    return {} if found is None else found[1]


def _gathered(
    project: Project,
    session: SessionSpec,
    pyproject: Pyproject,
    cache: dict[EnvironmentSpec, Requirements],
    world: World,
) -> Requirements:
    spec = session.environment
    key = EnvironmentSpec(
        deps=spec.deps,
        groups=spec.groups,
        extras=spec.extras,
        requirements=spec.requirements,
        constraints=spec.constraints,
        project=spec.project,
    )
    if key not in cache:
        cache[key] = gather(project, session, pyproject, world)
    return cache[key]


def _portable(inputs: Mapping[str, str], root: Path) -> Iterable[tuple[str, str]]:
    """The inputs without the path of the checkout."""
    for name, value in inputs.items():
        kind, _, shown = name.partition(" ")
        if kind not in ("file", "local"):
            yield name, value
            continue
        path = root / shown
        if kind == "local" and path.is_dir():
            # Its requirements count. Its sources aren't locked, and builds leave files among them
            metadata = (path / name for name in ("pyproject.toml", "setup.py", "setup.cfg"))
            value = digest("".join(text_or_nothing(file) for file in metadata))
        with suppress(ValueError):  # on another drive: it exists on this machine only
            shown = os.path.relpath(path, root).replace(os.sep, "/")
        yield f"{kind} {shown}", value


def _project_requirements(pyproject: Pyproject, extras: Iterable[str]) -> dict[str, Any] | None:
    """The requirements of the project, as written; None if only its backend knows them.

    The version of the project, its scripts, and extras that the session doesn't request aren't inputs.
    """
    if not pyproject.says_what_is_required:
        return None
    metadata = pyproject.table("project")
    offered = {normalised(name): lines for name, lines in metadata.get("optional-dependencies", {}).items()}
    own = normalised(str(metadata.get("name", "")))
    required: dict[str, Any] = {"": metadata.get("dependencies", [])}
    waiting = [*map(normalised, extras), *_own_extras(required[""], own)]
    while waiting:
        extra = waiting.pop()
        if extra in offered and extra not in required:
            required[extra] = offered[extra]
            waiting += _own_extras(offered[extra], own)
    return {"name": own, "python": metadata.get("requires-python"), "requires": required}


def _own_extras(lines: Iterable[str], own: str) -> list[str]:
    """The project's own extras in these requirements: ``all = ["demo[fast]"]``."""
    extras: list[str] = []
    for line in map(str, lines):
        name = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*\[", line)
        if name is None or normalised(name[1]) != own:
            continue
        from packaging.requirements import InvalidRequirement, Requirement

        with suppress(InvalidRequirement):  # the resolver reports it
            extras += map(normalised, Requirement(line).extras)
    return extras


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _pythons(request: str | None, pyproject: Pyproject) -> tuple[str, str | None]:
    """The oldest Python that a session's lock covers, and the only one, if it covers just one."""
    if request is not None:
        parsed = parse_request(request)
        if len(parsed.release) >= 2:
            only = f"{parsed.release[0]}.{parsed.release[1]}"
            return only, only
        if parsed.specifier is not None and (oldest := _lower_bound(parsed.specifier)):
            return oldest, None
    written = pyproject.table("project").get("requires-python")
    oldest = _lower_bound(written) if isinstance(written, str) else None
    # A session that names no Python runs on the one that setlist runs on
    at_least = OUR_OLDEST if request is None else OLDEST
    if oldest is not None and _numbers(oldest) >= at_least:
        return oldest, None
    return ".".join(map(str, at_least)), None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _lower_bound(specifier: str) -> str | None:
    # The usual form, without packaging: its import takes longer than everything else here
    usual = re.fullmatch(r"\s*>=\s*3\.([1-4]?\d)(?:\.\d{1,2})?\s*(?:,\s*<\s*4(?:\.0)?\s*)?", specifier, re.ASCII)
    if usual is not None:
        return f"3.{usual[1]}"
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifiers = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    for minor in range(50):
        # Test the newest patch release of each minor version: some 3.9 satisfies >=3.9.2
        if specifiers.contains(f"3.{minor}.99"):
            return f"3.{minor}"
    return None
