"""What a lock is a function of: the same on every machine, so that a lock can be judged without a network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.files import digest, text_or_nothing
from setlist.core.logins import masked
from setlist.core.model import EnvironmentSpec, SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import dataclass, field
from setlist.environment.installer_config import counted_of_uv
from setlist.environment.interpreter_spec import parse_request
from setlist.environment.names import normalised
from setlist.environment.pyproject import Pyproject
from setlist.environment.requirements import Requirements, gather

REPOSITORY = r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(?:git|hg|svn|bzr)\+"
"""A pattern for requirements from version control; it is compiled when it is first needed."""

OLDEST = (3, 8)
"""What is assumed where neither the session nor the project says which Python is the oldest."""

OUR_OLDEST = (3, 10)
"""The oldest Python that setlist runs on, and so a session that asks for none."""

Gathered = dict[EnvironmentSpec, Requirements]
"""What was read already, for the sessions that ask for the same but on another Python."""


@dataclass(frozen=True, slots=True)
class LockInputs:
    """What a session's lock is made from.

    ``values`` maps an input's name to a digest of its value; ``python`` is the oldest Python that the lock is
    for (``"3.10"``), ``only`` the one minor version that it is for, where the session asks for one.
    ``repositories`` are the requirements from version control, by name.
    """

    values: dict[str, str]
    requirements: Requirements
    python: str
    only: str | None
    platforms: tuple[str, ...]
    repositories: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """All of it as one digest."""
        return self.digest_of(self.values)

    @staticmethod
    def digest_of(values: Mapping[str, str]) -> str:
        """The same of the inputs that a lock's header names."""
        return digest("".join(f"{name}\0{value}\n" for name, value in sorted(values.items())))


def lock_inputs(
    project: Project,
    settings: Settings,
    session: SessionSpec,
    pyproject: Pyproject,
    gathered: Gathered | None = None,
) -> LockInputs:
    """Read a session's inputs, as far as its lock depends on them.

    Indexes, caches and credentials of this machine aren't among them: a lock says what is installed, and
    the hashes in it say whether what an index serves is that.

    Args:
        project: whose session it is.
        settings: the project's.
        session: the session.
        pyproject: the project's.
        gathered: what was read for other sessions in this call; it is added to.

    Raises:
        ConfigurationError: an input can't be read.
    """
    spec = session.environment
    requirements = _gathered(project, session, pyproject, {} if gathered is None else gathered)
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
        # Of its own, so that it is known whether a lock's commit is still an answer to what is asked for
        values[f"repository {name}"] = "\n".join(sorted(lines))
    tool = counted_of_uv(pyproject.table("tool", "uv"))
    if tool:
        values["tool.uv"] = _canonical(tool)
    return LockInputs(
        values={name: digest(value)[:16] for name, value in values.items()},
        requirements=requirements,
        python=oldest,
        only=only,
        platforms=settings.lock_platforms,
        repositories=repositories,
    )


def _gathered(project: Project, session: SessionSpec, pyproject: Pyproject, known: Gathered) -> Requirements:
    spec = session.environment
    key = EnvironmentSpec(
        deps=spec.deps,
        groups=spec.groups,
        extras=spec.extras,
        requirements=spec.requirements,
        constraints=spec.constraints,
        project=spec.project,
    )
    if key not in known:
        # no variables: what ${TOKEN} stands for differs from machine to machine
        known[key] = gather(project, session, pyproject, {})
    return known[key]


def _portable(inputs: Mapping[str, str], root: Path) -> Iterable[tuple[str, str]]:
    """The inputs as they are on every machine, whatever the checkout's path."""
    for name, value in inputs.items():
        kind, _, shown = name.partition(" ")
        if kind not in ("file", "local"):
            yield name, value
            continue
        path = root / shown
        if kind == "local" and path.is_dir():
            # What it requires counts. Its sources don't: they aren't locked, and a build leaves others in them
            metadata = (path / name for name in ("pyproject.toml", "setup.py", "setup.cfg"))
            value = digest("".join(text_or_nothing(file) for file in metadata))
        with suppress(ValueError):  # another drive: nowhere else anyway
            shown = os.path.relpath(path, root).replace(os.sep, "/")
        yield f"{kind} {shown}", value


def _project_requirements(pyproject: Pyproject, extras: Iterable[str]) -> dict[str, Any] | None:
    """What the project requires, as written; None where only its backend knows.

    A new version of the project, or another script, is no reason to lock anew, nor is an extra that the session
    doesn't ask for.
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
    """The extras of the project's own that these requirements ask for: ``all = ["demo[fast]"]``."""
    found: list[str] = []
    for line in map(str, lines):
        name = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*\[", line)
        if name is None or normalised(name[1]) != own:
            continue
        from packaging.requirements import InvalidRequirement, Requirement

        with suppress(InvalidRequirement):  # the resolver will tell
            found += map(normalised, Requirement(line).extras)
    return found


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _pythons(request: str | None, pyproject: Pyproject) -> tuple[str, str | None]:
    """The oldest Python that a session's lock is for, and the only one, if it is for one."""
    if request is not None:
        asked = parse_request(request)
        if len(asked.release) >= 2:
            only = f"{asked.release[0]}.{asked.release[1]}"
            return only, only
        if asked.specifier is not None and (oldest := _lower_bound(asked.specifier)):
            return oldest, None
    written = pyproject.table("project").get("requires-python")
    oldest = _lower_bound(written) if isinstance(written, str) else None
    # a session that asks for none runs on whatever setlist runs on
    at_least = OUR_OLDEST if request is None else OLDEST
    if oldest is not None and _numbers(oldest) >= at_least:
        return oldest, None
    return ".".join(map(str, at_least)), None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _lower_bound(specifier: str) -> str | None:
    # as nearly everybody writes it: told without packaging, which takes longer to import than all the rest of this
    usual = re.fullmatch(r"\s*>=\s*3\.([1-4]?\d)(?:\.\d{1,2})?\s*(?:,\s*<\s*4(?:\.0)?\s*)?", specifier, re.ASCII)
    if usual is not None:
        return f"3.{usual[1]}"
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
