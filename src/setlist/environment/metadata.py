"""What the project under test says of itself, as far as an environment depends on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.errors import nearest
from setlist.core.files import text_or_nothing
from setlist.core.fingerprint import digest
from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.core.toml import backend_tables
from setlist.environment.pyproject import Pyproject
from setlist.environment.requirement_lines import normalised
from setlist.registry.definition_errors import definition_error

if TYPE_CHECKING:
    from setlist.core.model import SessionSpec

# The fields of [project] (PEP 621) that change what is installed. A new description or a classifier
# is no reason to touch an environment.
_FIELDS = (
    "name",
    "version",
    "dynamic",
    "requires-python",
    "dependencies",
    "optional-dependencies",
    "scripts",
    "gui-scripts",
    "entry-points",
)


@dataclass(frozen=True, slots=True)
class ProjectDescription:
    """The project's name (None where only a build would tell), a digest of its metadata, and the files
    that it was read from."""

    name: str | None
    digest: str
    files: frozenset[Path]


def describe_project(project: Project, session: SessionSpec, pyproject: Pyproject) -> ProjectDescription:
    """Read the project's own metadata.

    Raises:
        ConfigurationError: there is nothing to build or install, or an extra that it doesn't have.
    """
    legacy = [project.root / "setup.py", project.root / "setup.cfg"]
    metadata = pyproject.table("project")
    build = pyproject.table("build-system")
    if not metadata and not build and not any(path.is_file() for path in legacy):
        raise definition_error(
            project.root,
            session,
            "project",
            "there is no project to install: pyproject.toml has neither [project] nor [build-system]",
            "describe the project there (PEP 621), or drop the key",
        )
    known = {normalised(extra) for extra in metadata.get("optional-dependencies", {})}
    if "optional-dependencies" not in metadata.get("dynamic", ()) and metadata:
        for extra in session.environment.extras:
            if normalised(extra) not in known:
                near = nearest(extra, known)
                hint = f"did you mean {near!r}?" if near else "extras are tables of [project.optional-dependencies]"
                raise definition_error(project.root, session, "extras", f"the project has no extra {extra!r}", hint)
    content: dict[str, Any] = {"build-system": dict(build)}
    content["project"] = {name: metadata[name] for name in _FIELDS if name in metadata}
    content["tool"] = backend_tables(pyproject.data)
    files = {pyproject.path, *legacy}
    texts = [text_or_nothing(path) for path in legacy]
    for path in sorted(_named_files(content["tool"], project.root)):
        files.add(path)
        texts.append(text_or_nothing(path))
    name = metadata.get("name")
    return ProjectDescription(
        name if isinstance(name, str) else None,
        digest(json.dumps([content, texts], sort_keys=True, default=str)),
        frozenset(files),
    )


def _named_files(value: Any, root: Path) -> Iterator[Path]:
    """The files that a backend's settings name, such as the one a dynamic version is read from."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("file", "path", "version-file") and isinstance(item, (str, list)):
                for name in [item] if isinstance(item, str) else item:
                    if isinstance(name, str) and (root / name).is_file():
                        yield root / name
            else:
                yield from _named_files(item, root)
    elif isinstance(value, list):
        for item in value:
            yield from _named_files(item, root)
