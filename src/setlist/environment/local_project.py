"""What the metadata and the builds of a local project depend on, apart from the Python that builds.

A project can say so itself, by uv's ``tool.uv.cache-keys``. Metadata that stand in pyproject.toml depend on that alone
(PEP 621). A backend that computes any may read what it likes: then all that a build could read counts, and the commit
and the tags where a plug-in takes the version from these. The exceptions are backends that say in their settings which
file they read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from setlist.core.fingerprint import digest
from setlist.engine.world import FILE, PROJECT, TREE, World
from setlist.environment.pyproject import table_of
from setlist.environment.requirement_lines import normalised

_COMPUTED = frozenset(
    {
        *("version", "dependencies", "optional-dependencies", "requires-python"),
        *("scripts", "gui-scripts", "entry-points"),
    }
)
"""The fields of ``[project]`` that change what is installed."""

_DESCRIBING = ("setup.py", "setup.cfg", "PKG-INFO")
"""The files in a project that describe it, besides pyproject.toml."""

_VERSIONING = r"scm|vcs|git|versioning|versioneer|versioningit|miniver|dunamai|\bpbr\b"
"""What the names of plug-ins have in common that take a version from version control."""

VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "VCS_VERSIONING_PRETEND_VERSION",
    "PBR_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "UV_DYNAMIC_VERSIONING_BYPASS",
    "HATCH_BUILD_HOOKS_ENABLE",
    "HATCH_BUILD_NO_HOOKS",
)
"""Variables by which a version, or what is built, is set from outside. Source: the plug-ins' documentation."""


def read_project(directory: Path) -> Mapping[str, Any]:
    """The pyproject.toml of a local project as data; empty if there is none that can be read."""
    from setlist.core.errors import ConfigurationError
    from setlist.core.toml import read_toml

    try:
        return read_toml(directory / "pyproject.toml", "pyproject.toml")
    except (OSError, ConfigurationError):
        return {}


def name_of(data: Mapping[str, Any]) -> str | None:
    """The name of a local project, as far as it is known without a build."""
    name = table_of(data, "project").get("name")
    return name if isinstance(name, str) else None


def is_computed(data: Mapping[str, Any]) -> bool:
    """Whether a backend computes metadata that change what is installed."""
    metadata = table_of(data, "project")
    dynamic = metadata.get("dynamic", ())
    return "project" not in data or (isinstance(dynamic, list) and not _COMPUTED.isdisjoint(map(str, dynamic)))


def look_at_metadata(world: World, directory: Path, data: Mapping[str, Any], *, by: str = "build backend") -> str:
    """Look at all that the metadata of a local project depend on.

    Args:
        world: records the looks.
        directory: the project.
        data: its pyproject.toml.
        by: who depends on it.

    Returns:
        a digest of what was seen.
    """
    # a backend that computes may read it as text
    kind = FILE if is_computed(data) else PROJECT
    seen = [world.look(kind, os.path.normpath(directory / "pyproject.toml"), by)]
    seen += [_look(world, directory / name, by) for name in _DESCRIBING]
    # an editable install leads to it, or else to the project itself
    seen.append(world.kind(str(directory / "src"), by))
    keys = table_of(data, "tool", "uv").get("cache-keys")
    if isinstance(keys, list):
        seen += _look_at_keys(world, directory, keys, by)
    elif is_computed(data):
        seen += _look_at_computed(world, directory, data, by)
    else:
        seen += _look_at_backend(world, directory, data, by)
    return digest(repr(seen))


def look_at_build(world: World, directory: Path, data: Mapping[str, Any], *, by: str = "build backend") -> str:
    """Look at all that a build of a local project depends on. Arguments and result as of :func:`look_at_metadata`."""
    seen = [world.look(TREE, str(directory), by), *_look_at_home(world, data, by)]
    keys = table_of(data, "tool", "uv").get("cache-keys")
    if isinstance(keys, list):
        seen += _look_at_keys(world, directory, keys, by)
    elif is_computed(data):
        seen += _look_at_versioning(world, directory, data, by)
    return digest(repr(seen))


def _look_at_backend(world: World, directory: Path, data: Mapping[str, Any], by: str) -> list[str | None]:
    """Look at a backend that lies in the project itself."""
    build = table_of(data, "build-system")
    module = re.split(r"[.:]", str(build.get("build-backend", "")))[0]
    paths = build.get("backend-path", ())
    seen: list[str | None] = []
    for path in paths if isinstance(paths, list) else ():
        place = os.path.normpath(directory / str(path) / module)
        seen += [world.look(FILE, f"{place}.py", by), world.look(TREE, place, by)]
    return seen


def _look_at_computed(world: World, directory: Path, data: Mapping[str, Any], by: str) -> list[str | None]:
    seen = [*_look_at_versioning(world, directory, data, by), *_look_at_home(world, data, by)]
    named = _named_files(directory, data)
    if named is None:
        return [*seen, world.look(TREE, str(directory), by)]
    return [*seen, *(_look(world, path, by) for path in sorted(named))]


def _look_at_home(world: World, data: Mapping[str, Any], by: str) -> list[str | None]:
    """Look at the file in the user's home from which setuptools takes options for builds."""
    backend = str(table_of(data, "build-system").get("build-backend", "setuptools"))
    home = world.environ.get("HOME")
    return [_look(world, Path(home, ".pydistutils.cfg"), by)] if home and backend.startswith("setuptools") else []


def _look_at_versioning(world: World, directory: Path, data: Mapping[str, Any], by: str) -> list[str | None]:
    if not _is_versioned(directory, data):
        return []
    name = name_of(data)
    names = [*VARIABLES]
    if name is not None:
        suffix = re.sub(r"[^A-Z0-9]+", "_", normalised(name).upper())
        names += [f"{variable}_FOR_{suffix}" for variable in VARIABLES[:2]]
    return [revision(world, str(directory), by), *(world.variable(variable, by) for variable in names)]


def _is_versioned(directory: Path, data: Mapping[str, Any]) -> bool:
    """Whether something takes a version from version control."""
    build = table_of(data, "build-system")
    words = [str(build.get("build-backend", "")), *map(str, build.get("requires", ()))]
    # pdm-backend and poetry's plug-in are told in their tables
    words += [f"{name} {table}" for name, table in table_of(data, "tool").items() if name in ("pdm", "poetry")]
    if "project" not in data:
        from setlist.core.files import text_or_nothing

        words += [text_or_nothing(directory / name) for name in ("setup.py", "setup.cfg")]
    return any(re.search(_VERSIONING, word, re.IGNORECASE) for word in words)


def _named_files(directory: Path, data: Mapping[str, Any]) -> set[Path] | None:
    """The files that are all that computed metadata are read from; None if that can't be told."""
    build, metadata = table_of(data, "build-system"), table_of(data, "project")
    backend = str(build.get("build-backend", ""))
    fields = _COMPUTED.intersection(map(str, metadata.get("dynamic", ())))
    if "project" not in data or "backend-path" in build or (directory / "setup.py").exists():
        return None
    if backend == "hatchling.build" and fields == {"version"}:
        hatch = table_of(data, "tool", "hatch")
        version = table_of(hatch, "version")
        if "hooks" in table_of(hatch, "metadata") or (directory / "hatch.toml").exists():
            return None
        if version.get("source", "regex") == "vcs":
            return set()
        path = version.get("path")
        return {directory / path} if isinstance(path, str) and version.get("source", "regex") == "regex" else None
    if backend.startswith("setuptools.build_meta"):
        stated = table_of(data, "tool", "setuptools", "dynamic")
        files: set[Path] = set()
        for field in fields:
            if field == "version" and field not in stated and "setuptools-scm" in _required(build):
                continue
            found = list(_files_of(stated.get(field), optional=field == "optional-dependencies"))
            if not found:
                return None
            files |= {directory / name for name in found}
        return files
    return None


def _files_of(value: Any, *, optional: bool) -> Iterator[str]:
    """The files of a field of ``[tool.setuptools.dynamic]``; none if it isn't read from files alone."""
    if not isinstance(value, Mapping):
        return
    if optional:
        for entry in value.values():
            yield from _files_of(entry, optional=False)
        return
    names = value.get("file")
    for name in [names] if isinstance(names, str) else names or ():
        if isinstance(name, str):
            yield name


def _required(build: Mapping[str, Any]) -> set[str]:
    names = (re.match(r"\s*([\w.-]+)", str(line)) for line in build.get("requires", ()))
    return {normalised(name[1]) for name in names if name is not None}


def _look_at_keys(world: World, directory: Path, keys: list[Any], by: str) -> list[str | None]:
    """Look at what ``tool.uv.cache-keys`` names: files, by path or pattern, directories, commit, tags, variables."""
    seen: list[str | None] = []
    for key in keys:
        entry = {"file": key} if isinstance(key, str) else key
        if not isinstance(entry, Mapping):
            continue
        pattern = entry.get("file")
        if isinstance(pattern, str):
            if any(sign in pattern for sign in "*?[{"):
                # a pattern's files come and go: all that it could mean
                seen.append(world.look(TREE, str(directory), by))
            else:
                seen.append(_look(world, directory / pattern, by))
        if isinstance(entry.get("dir"), str):
            seen.append(world.kind(str(directory / entry["dir"]), by))
        if entry.get("git"):
            seen.append(revision(world, str(directory), by))
        if isinstance(entry.get("env"), str):
            seen.append(world.variable(entry["env"], by))
    return seen


def revision(world: World, directory: str, by: str) -> str | None:
    """The commit that is checked out, and all tags, as a digest; None if nothing is under version control here.

    Read are git's own files: asking git takes longer than all else.

    Args:
        world: records the looks.
        directory: one in the working tree.
        by: who looks.
    """
    folder = directory
    while (kind := world.kind(os.path.join(folder, ".git"), by)) is None:
        mercurial = world.look(FILE, os.path.join(folder, ".hg", "dirstate"), by)
        if mercurial is not None:
            return mercurial
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    home = os.path.join(folder, ".git")
    if kind != "directory":
        # a worktree or a submodule: where the repository is
        line = (world.read(home, by) or b"").decode(errors="replace")
        home = os.path.normpath(os.path.join(folder, line.removeprefix("gitdir:").strip()))
    common = (world.read(os.path.join(home, "commondir"), by) or b"").decode(errors="replace").strip()
    shared = os.path.normpath(os.path.join(home, common))
    head = (world.read(os.path.join(home, "HEAD"), by) or b"").decode(errors="replace").strip()
    packed = world.read(os.path.join(shared, "packed-refs"), by) or b""
    references = {}
    for line in packed.decode(errors="replace").splitlines():
        packed_commit, _, name = line.partition(" ")
        references[name] = packed_commit
    for name in _loose_tags(world, os.path.join(shared, "refs", "tags"), by):
        data = world.read(os.path.join(shared, "refs", "tags", name), by) or b""
        references[f"refs/tags/{name}"] = data.decode(errors="replace").strip()
    if head.startswith("ref:"):
        name = head.removeprefix("ref:").strip()
        for place in dict.fromkeys((home, shared)):
            commit = world.read(os.path.join(place, *name.split("/")), by)
            if commit is not None:
                references[name] = commit.decode(errors="replace").strip()
        head = references.get(name, head)
    tags = sorted((name, value) for name, value in references.items() if name.startswith("refs/tags/"))
    # a repository of the newer format has all of this in tables, which are never written again under the same name
    tables = world.names(os.path.join(shared, "reftable"), by)
    return digest(repr((head, tags, tables)))


def _loose_tags(world: World, folder: str, by: str, prefix: str = "") -> Iterator[str]:
    for name in world.names(folder, by) or ():
        if name.endswith("/"):
            yield from _loose_tags(world, os.path.join(folder, name[:-1]), by, f"{prefix}{name}")
        else:
            yield f"{prefix}{name}"


def _look(world: World, path: Path, by: str) -> str | None:
    return world.look(FILE, os.path.normpath(path), by)
