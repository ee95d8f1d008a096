"""The project's pyproject.toml, as far as environments read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setlist.errors import ConfigurationError
from setlist.project import Project
from setlist.records import dataclass
from setlist.toml import parse_toml


@dataclass(frozen=True, slots=True)
class Pyproject:
    """The project's pyproject.toml as data, empty where there is none."""

    path: Path
    data: Mapping[str, Any]

    def table(self, *keys: str) -> Mapping[str, Any]:
        """The table at a dotted path, empty where it isn't there or isn't a table."""
        value: Any = self.data
        for key in keys:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return value if isinstance(value, Mapping) else {}

    @property
    def says_what_is_required(self) -> bool:
        """Whether the project's requirements stand in it (PEP 621), and aren't for its backend to say."""
        metadata = self.table("project")
        dynamic = metadata.get("dynamic", ())
        return bool(metadata) and "dependencies" not in dynamic and "optional-dependencies" not in dynamic


def read_pyproject(project: Project) -> Pyproject:
    """The project's pyproject.toml.

    Raises:
        ConfigurationError: it can't be read, or isn't TOML.
    """
    path = project.root / "pyproject.toml"
    try:
        return Pyproject(path, parse_toml(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Pyproject(path, {})
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(error), file=project.relative(path)) from error
