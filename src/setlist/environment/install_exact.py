"""Resolve and sync by one call of the installer, where two would come to the same.

That is the case where requirements of a sound environment were edited, it holds just what was resolved before, and
all that is asked for comes from an index by its name. A resolver is to keep what was resolved before where it still
fits; an installer keeps what is installed; and an exact install leaves what a sync of the new resolution would leave.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import PreparationError
from setlist.core.system import python_of
from setlist.environment.freeze import installed
from setlist.environment.installers import Installer, ResolveRequest, Uv
from setlist.environment.requirement_lines import normalised
from setlist.environment.snapshot import compare, look
from setlist.environment.state import State, forget_state, write_state
from setlist.environment.virtualenv import site_packages

if TYPE_CHECKING:
    from setlist.core.model import EnvironmentSpec
    from setlist.environment.inputs import Evaluation

_EDITED = ("deps", "group ", "requirements", "constraints", "file ")
"""What the names of those inputs begin with that say what is wanted, and nothing else."""

_BY_NAME = r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]@/]*\])?\s*(?:[<>=!~;][^@/\\]*)?"
_PIN = r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;@]+)"


def fits(spec: EnvironmentSpec, evaluation: Evaluation, known: str | None) -> bool:
    """Whether it may be done so.

    Args:
        spec: what is asked for.
        evaluation: the environment as it is, and as it should be.
        known: what the environment's requirements were last resolved to; None where that isn't known.
    """
    wanted = evaluation.requirements
    changed = [change.name for change in evaluation.changes if change.changed]
    return (
        known is not None
        and (spec.installer, spec.resolution, spec.project, evaluation.locked) == ("uv", "highest", None, None)
        and not (wanted.options or wanted.hashed or wanted.files or wanted.repositories or wanted.sources)
        and not evaluation.drift
        and bool(changed)
        and all(name.startswith(_EDITED) for name in changed)
        and all(re.fullmatch(_BY_NAME, line) for line in wanted.lines)
        and _pins(known) == {name: version for name, (version, _) in evaluation.contents.packages.items()}
    )


def _pins(resolution: str) -> dict[str, str] | None:
    found = [re.fullmatch(_PIN, line) for line in resolution.splitlines()]
    return {normalised(pin[1]): pin[2] for pin in found if pin is not None} if all(found) else None


def resolve_and_sync(installer: Installer, directory: Path, state: State, request: ResolveRequest) -> str | None:
    """Do it.

    Returns:
        what the environment holds, as exact versions. None: it can't be done, and to find out why is left to the two
        steps. Where nothing was touched the environment has its record then.
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
