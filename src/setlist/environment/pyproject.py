"""The project's pyproject.toml, as far as environments read it.

Its content is kept as JSON, under its stat signature: the parser for TOML takes longer to import than all
that is done with an environment whose lock is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from setlist.core.files import parse_json, write_atomically
from setlist.core.fingerprint import stat_signature
from setlist.core.logins import holds_login
from setlist.core.project import Project
from setlist.core.records import dataclass

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

FORMAT = 1


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
    kept = project.parsed_pyproject
    signature = stat_signature(path)
    known = _known(kept, signature)
    if known is not None:
        return Pyproject(path, known)
    from setlist.core.toml import read_toml

    try:
        data = read_toml(path, project.relative(path))
    except FileNotFoundError:
        return Pyproject(path, {})
    if signature == stat_signature(path) and project.state.is_dir():
        # a date is no JSON, nor is a number of 5,000 digits: then it is parsed each time; and what can't be kept is no
        # problem of this run's
        with suppress(TypeError, ValueError, RecursionError, OSError):
            text = json.dumps({"format": FORMAT, "signature": signature, "data": data})
            if not holds_login(text):
                write_atomically(kept, text)
    return Pyproject(path, data)


def _known(kept: Path, signature: str | None) -> dict[str, Any] | None:
    """What the file with this signature was read as; None where that isn't known."""
    try:
        read = parse_json(kept.read_bytes())
        data: dict[str, Any] = read["data"]
        fits = signature is not None and read["format"] == FORMAT and read["signature"] == signature
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if fits and isinstance(data, dict) else None
