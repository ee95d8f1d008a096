"""The project's pyproject.toml, as far as environments read it: the tables of other tools aren't in it.

What it says is kept in the trace store: the parser for TOML takes longer to import than all that is done with an
environment whose lock is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.engine.trace import Found, Store
from setlist.engine.world import FILE, PROJECT, World

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

KEY = "project/pyproject.toml"
"""The key of its entry in the trace store."""


@dataclass(frozen=True, slots=True)
class Pyproject:
    """The project's pyproject.toml as data, empty where there is none (:func:`setlist.core.toml.project_tables`)."""

    path: Path
    data: Mapping[str, Any]

    def table(self, *keys: str) -> Mapping[str, Any]:
        """The table at a dotted path, empty where it isn't there or isn't a table."""
        return table_of(self.data, *keys)

    @property
    def says_what_is_required(self) -> bool:
        """Whether the project's requirements stand in it (PEP 621), and aren't for its backend to say."""
        metadata = self.table("project")
        dynamic = metadata.get("dynamic", ())
        return bool(metadata) and "dependencies" not in dynamic and "optional-dependencies" not in dynamic


def table_of(data: Any, *keys: str) -> Mapping[str, Any]:
    """The table of TOML data at a dotted path, empty where it isn't there or isn't a table."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def read_pyproject(project: Project, world: World | None = None) -> Pyproject:
    """The project's pyproject.toml.

    Args:
        project: the project.
        world: records what it says.

    Raises:
        ConfigurationError: it can't be read, or isn't TOML.
    """
    path = project.root / "pyproject.toml"
    store = Store(str(project.store), str(project.root), {})
    found = store.get(KEY)
    if isinstance(found, Found):
        data, content = found.value
        trace = found.trace
    else:
        own = World(str(project.root), {})
        data, content = _read(path, project.relative(path))
        own.observed("setlist", [(FILE, str(path))], own.begun)
        trace = own.trace
        if data and project.state.is_dir():
            # a date can't be kept: then it is parsed each time; and what can't be written is no problem of this run's
            with suppress(OSError, ValueError):
                store.put(KEY, own, (data, content))
    if world is not None:
        world.parsed(PROJECT, path.name, content, seen=trace)
    return Pyproject(path, data)


def _read(path: Path, shown: str) -> tuple[Mapping[str, Any], str | None]:
    """The data that counts, and what stands for it."""
    from setlist.core.toml import digest_of_data, project_tables, read_toml

    try:
        data = read_toml(path, shown)
    except FileNotFoundError:
        return {}, None
    return project_tables(data), digest_of_data(data, path.name, definitions=False)
