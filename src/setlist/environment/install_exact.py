"""Resolve and sync by one call of the installer, where that gives the same result.

It does if requirements of an intact environment were edited, it holds exactly what was resolved before, and all
requirements come from an index by name. A resolver keeps what was resolved before where it still fits; an installer
keeps what is installed; and an exact install leaves what a sync of the new resolution would leave.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import PreparationError
from setlist.core.system import python_of
from setlist.environment.freeze import installed
from setlist.environment.installers import Installer, ResolveRequest, Uv
from setlist.environment.requirement_lines import normalised, parse_requirement
from setlist.environment.snapshot import compare, look
from setlist.environment.state import State, forget_state, write_state
from setlist.environment.virtualenv import site_packages

if TYPE_CHECKING:
    from setlist.core.model import EnvironmentSpec
    from setlist.environment.inputs import Evaluation

_EDITED = ("deps", "group ", "requirements", "constraints", "file ")
"""Prefixes of the names of inputs that only say what is required."""

_BY_NAME = r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]@/]*\])?\s*(?:[<>=!~;][^@/\\]*)?"


def fits(spec: EnvironmentSpec, evaluation: Evaluation, resolution: str | None) -> bool:
    """Whether one call is enough.

    Args:
        spec: the session's.
        evaluation: the environment as it is, and as it should be.
        resolution: what the environment's requirements were last resolved to; None if that isn't known.
    """
    requirements = evaluation.requirements
    changed = [change.name for change in evaluation.changes if change.changed]
    return (
        resolution is not None
        and (spec.installer, spec.resolution, spec.project, evaluation.locked) == ("uv", "highest", None, None)
        and not (
            requirements.options
            or requirements.hashed
            or requirements.files
            or requirements.repositories
            or requirements.sources
        )
        and not evaluation.drift
        and bool(changed)
        and all(name.startswith(_EDITED) for name in changed)
        and all(re.fullmatch(_BY_NAME, line) for line in requirements.lines)
        and _pins(resolution) == {name: version for name, (version, _) in evaluation.contents.packages.items()}
    )


def _pins(resolution: str) -> dict[str | None, str | None] | None:
    lines = [parse_requirement(line, Path()) for line in resolution.splitlines()]
    return (
        {line.name: line.version for line in lines} if all(line.version and not line.tail for line in lines) else None
    )


def resolve_and_sync(installer: Installer, directory: Path, state: State, request: ResolveRequest) -> str | None:
    """Resolve and sync.

    Returns:
        what the environment holds, as exact versions. None if it failed: the two steps will report why. If nothing was
        changed, the environment has its record again.
    """
    if not isinstance(installer, Uv):
        return None
    forget_state(directory)
    sites = site_packages(directory)
    try:
        installer.install_exactly(python_of(directory), request)
    except PreparationError:
        if not compare(state.contents, look(directory, sites)):
            write_state(directory, state)
        return None
    return "".join(f"{normalised(item.name)}=={item.version}\n" for item in installed(sites))
