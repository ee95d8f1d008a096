"""Where a project says that packages come from: ``[tool.uv.sources]``, its own and its workspace's.

uv applies the sources of a pyproject.toml to the requirements that stand in it, and to no others. A requirement that a
session takes from there goes to uv in a pyproject.toml of its own, with the sources that apply to it. All paths in it
are absolute, and members of a workspace are paths, so that it means the same wherever it lies.

Source: "Dependency sources" and "Workspaces" in uv's documentation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import ConfigurationError
from setlist.core.files import write_atomically
from setlist.core.records import dataclass, field, replace
from setlist.core.toml import toml_value
from setlist.environment.local_project import read_project
from setlist.environment.pyproject import table_of
from setlist.environment.requirement_lines import normalised, read_resolution

if TYPE_CHECKING:
    from typing import Any

    Entry = Mapping[str, Any]
    """One source of one package, as in ``[tool.uv.sources]``."""

GROUP = "sourced"
"""The dependency group in the files that are written for uv."""

_CONDITIONS = ("group", "extra")


@dataclass(frozen=True, slots=True)
class Sourced:
    """Requirements with the sources that apply to them.

    ``lines`` are requirements by name. ``sources`` maps a normalised name to its entries, whose only condition is a
    marker. ``indexes`` are the ``[[tool.uv.index]]`` tables that entries name.
    """

    lines: tuple[str, ...]
    sources: Mapping[str, tuple[Entry, ...]]
    indexes: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources that a pyproject.toml has.

    ``files`` are those that were read for it, ``required`` the names that its project requires, with any extra; None
    where only its build backend knows.
    """

    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    indexes: tuple[Entry, ...] = ()
    files: frozenset[Path] = frozenset()
    required: frozenset[str] | None = None

    def of_project(self, extras: Collection[str] = ()) -> Sources:
        """Those that apply to what the project itself requires."""
        applying = self.applying(extras=extras)
        if self.required is None:
            return applying
        return replace(
            applying, entries={name: entries for name, entries in applying.entries.items() if name in self.required}
        )

    def applying(self, *, group: str | None = None, extras: Collection[str] = ()) -> Sources:
        """Those that apply to the requirements of a group, or of the project with some of its extras."""

        def applies(entry: Entry) -> bool:
            if "group" in entry:
                return group is not None and normalised(str(entry["group"])) == normalised(group)
            return "extra" not in entry or normalised(str(entry["extra"])) in map(normalised, extras)

        found = {
            name: tuple(
                {key: value for key, value in entry.items() if key not in _CONDITIONS}
                for entry in entries
                if applies(entry)
            )
            for name, entries in self.entries.items()
        }
        return replace(self, entries={name: entries for name, entries in found.items() if entries})

    def divided(self, lines: Sequence[str]) -> tuple[list[str], Sourced | None]:
        """Requirement lines: those that no source is for, and the others with theirs."""
        plain: list[str] = []
        lines_with: list[str] = []
        used: dict[str, tuple[Entry, ...]] = {}
        for line in lines:
            match = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?=$|[<>=!~;(])", line)
            entries = self.entries.get(normalised(match[1])) if match is not None else None
            if match is None or entries is None:
                plain.append(line)
            else:
                lines_with.append(line)
                used[normalised(match[1])] = entries
        return plain, Sourced(tuple(lines_with), used, self.indexes) if used else None


def read_sources(directory: Path, data: Mapping[str, Any] | None = None) -> Sources:
    """The sources of the project in a directory.

    Args:
        directory: the project's.
        data: its pyproject.toml, where it was read already.

    Raises:
        ConfigurationError: a source names a member that its workspace doesn't have.
    """
    own = read_project(directory) if data is None else data
    files = {directory / "pyproject.toml"}
    root, workspace = _workspace(directory, own, files)
    found: dict[str, tuple[Entry, ...]] = {}
    # a member has the sources of its workspace, but for names that it has its own for
    for base, table in ((root, workspace), (directory, own)):
        if base is None:
            continue
        for name, value in table_of(table, "tool", "uv", "sources").items():
            entries = value if isinstance(value, list) else [value]
            found[normalised(name)] = tuple(
                _absolute(name, entry, base, root, workspace) for entry in entries if isinstance(entry, Mapping)
            )
    if not found:
        return Sources(files=frozenset(files))
    indexes: dict[str, Entry] = {}
    for base, table in ((directory, own), (root, workspace)):
        listed = table_of(table, "tool", "uv").get("index", ()) if base is not None else ()
        for index in listed if isinstance(listed, list) else ():
            if base is not None and isinstance(index, Mapping) and "name" in index:
                indexes.setdefault(str(index["name"]), {**index, "url": _index_url(str(index.get("url", "")), base)})
    return Sources(found, tuple(indexes.values()), frozenset(files), _required(own))


def local_directories(sources: Mapping[str, tuple[Entry, ...]]) -> Iterator[tuple[Path, bool]]:
    """The files and directories that sources lead to, and whether each is installed as editable."""
    for entries in sources.values():
        for entry in entries:
            if "path" in entry:
                yield Path(entry["path"]), bool(entry.get("editable", False))


def write_for_uv(place: Path, sourced: Sourced) -> list[str]:
    """Write requirements and their sources as a pyproject.toml.

    Args:
        place: a directory for it, which is made.
        sourced: what to write.

    Returns:
        the options by which uv takes the requirements.
    """
    named = {str(entry["index"]) for entries in sourced.sources.values() for entry in entries if "index" in entry}
    lines = [
        "[dependency-groups]",
        f"{GROUP} = {toml_value(sourced.lines)}",
        "[tool.uv.sources]",
        *(f"{toml_value(name)} = {toml_value(entries)}" for name, entries in sourced.sources.items()),
    ]
    for index in sourced.indexes:
        if index["name"] in named:
            lines += [
                "[[tool.uv.index]]",
                *(f"{toml_value(key)} = {toml_value(value)}" for key, value in index.items()),
            ]
    path = place / "pyproject.toml"
    write_atomically(path, "\n".join(lines) + "\n")
    return ["--group", f"{path}:{GROUP}"]


def pins_with_indexes(text: str, sources: Mapping[str, tuple[Entry, ...]], indexes: Sequence[Entry]) -> Sourced | None:
    """The pinned requirements that have to come from an index that a source names; None where there are none.

    Args:
        text: pinned requirements, as resolved or locked.
        sources: the sources that apply.
        indexes: those that they name.
    """
    lines: list[str] = []
    used: dict[str, tuple[Entry, ...]] = {}
    for pin in read_resolution(text):
        entries = sources.get(pin.name or "", ()) if pin.version is not None else ()
        if pin.name is not None and any("index" in entry for entry in entries):
            lines.append(f"{pin.name} ; {pin.marker}" if pin.marker else pin.name)
            used[pin.name] = entries
    return Sourced(tuple(lines), used, tuple(indexes)) if used else None


def as_constraints(sources: Mapping[str, tuple[Entry, ...]]) -> list[str]:
    """Sources as constraints by direct reference (PEP 508), which is how pip can be told of them.

    Raises:
        ConfigurationError: a source is an index: pip takes a package from any index that it knows.
    """
    lines: list[str] = []
    for name, entries in sources.items():
        for entry in entries:
            marker = f" ; {entry['marker']}" if entry.get("marker") else ""
            if "index" in entry:
                raise ConfigurationError(
                    f"tool.uv.sources.{name}: pip can't take a package from one index only",
                    file="pyproject.toml",
                    key=f"tool.uv.sources.{name}",
                    hint='installer = "uv" can',
                )
            lines.append(f"{name} @ {direct_reference(entry)}{marker}")
    return lines


def direct_reference(entry: Entry) -> str:
    """The URL of a source that isn't an index, as it stands behind the ``@`` of a requirement."""
    below = f"#subdirectory={entry['subdirectory']}" if entry.get("subdirectory") else ""
    if "path" in entry:
        return Path(entry["path"]).as_uri() + below
    if "git" in entry:
        revision = next((entry[key] for key in ("rev", "tag", "branch") if entry.get(key)), None)
        url = str(entry["git"])
        return ("" if url.startswith("git+") else "git+") + url + (f"@{revision}" if revision else "") + below
    return str(entry.get("url", "")) + below


def _absolute(name: str, entry: Entry, base: Path, root: Path | None, workspace: Mapping[str, Any]) -> Entry:
    """An entry that means the same wherever it stands."""
    if "path" in entry:
        return {**entry, "path": _path(base, str(entry["path"]))}
    if not entry.get("workspace"):
        return entry
    rest = {key: value for key, value in entry.items() if key not in ("workspace", "editable")}
    for directory, metadata in _members(root, workspace) if root is not None else ():
        if normalised(str(table_of(metadata, "project").get("name", ""))) == normalised(name):
            if not table_of(metadata, "tool", "uv").get("package", "build-system" in metadata):
                return {**rest, "path": str(directory), "package": False}
            return {**rest, "path": str(directory), "editable": entry.get("editable", True)}
    raise ConfigurationError(
        f"the workspace has no member {name!r}",
        file=str(base / "pyproject.toml"),
        key=f"tool.uv.sources.{name}",
        hint="members are named by tool.uv.workspace.members in the workspace's root",
    )


def _workspace(directory: Path, own: Mapping[str, Any], files: set[Path]) -> tuple[Path | None, Mapping[str, Any]]:
    """The root of the workspace that a project belongs to, with its pyproject.toml.

    Args:
        directory: the project.
        own: its pyproject.toml.
        files: the files that are read, there or not, are added to it.
    """
    if table_of(own, "tool", "uv", "workspace"):
        return directory, own
    for parent in directory.parents:
        files.add(parent / "pyproject.toml")
        data = read_project(parent)
        if table_of(data, "tool", "uv", "workspace"):
            members = {member for member, _ in _members(parent, data)}
            return (parent, data) if directory in members else (None, {})
    return None, {}


def _members(root: Path, data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The members of a workspace, its root among them, with their pyproject.toml."""
    table = table_of(data, "tool", "uv", "workspace")
    excluded = {path for pattern in table.get("exclude", ()) for path in root.glob(str(pattern))}
    yield root, data
    for pattern in table.get("members", ()):
        for path in sorted(root.glob(str(pattern))):
            if path not in excluded and (path / "pyproject.toml").is_file():
                yield Path(os.path.normpath(path)), read_project(path)


def _required(data: Mapping[str, Any]) -> frozenset[str] | None:
    metadata = table_of(data, "project")
    dynamic = metadata.get("dynamic", ())
    if not metadata or "dependencies" in dynamic or "optional-dependencies" in dynamic:
        return None
    lists = [metadata.get("dependencies", ()), *table_of(metadata, "optional-dependencies").values()]
    lines = [str(line) for listed in lists if isinstance(listed, (list, tuple)) for line in listed]
    return frozenset(
        normalised(match[1]) for line in lines if (match := re.match(r"\s*([A-Za-z0-9][\w.-]*)", line)) is not None
    )


def _index_url(url: str, base: Path) -> str:
    return url if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", url) else _path(base, url)


def _path(base: Path, written: str) -> str:
    return os.path.normpath(base / os.path.expanduser(written))
