"""Frozen requirements: exactly what an environment holds, for another machine to hold the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from setlist import __version__
from setlist.core.files import parse_json
from setlist.core.model import Interpreter, SessionSpec
from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.environment.requirement_lines import normalised

NAME = "requirements.txt"

_INSTALLERS_OWN = frozenset({"pip"})


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed distribution. ``url`` is where it came from if not from an index (PEP 610)."""

    name: str
    version: str
    url: str | None = None
    editable: bool = False
    revision: str | None = None

    @property
    def path(self) -> Path | None:
        """The local file or directory that it came from, if it did."""
        if self.url is None or not self.url.startswith("file:"):
            return None
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(self.url).path))


def installed(site_packages: Sequence[Path]) -> tuple[Installed, ...]:
    """What is installed, by the metadata of the distributions themselves, in the order of their names."""
    found: dict[str, Installed] = {}
    for folder in site_packages:
        for info in _metadata_in(folder):
            item = _read(info)
            # None: a directory that only looks like one, left by an uninstall cut off
            if item is not None:
                found.setdefault(normalised(item.name), item)
    return tuple(found[name] for name in sorted(found))


def _metadata_in(folder: Path) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".dist-info")]
    except OSError:
        return []


def _read(info: str) -> Installed | None:
    # importlib.metadata would do, by a parser for mail that takes longer to import than all of this takes
    fields: dict[str, str] = {}
    try:
        with open(os.path.join(info, "METADATA"), encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if not line.strip() or {"name", "version"} <= fields.keys():
                    break
                if not line[0].isspace():
                    fields.setdefault(name.lower(), value.strip())
    except OSError:
        return None
    if not fields.get("name") or not fields.get("version"):
        return None
    try:
        with open(os.path.join(info, "direct_url.json"), encoding="utf-8") as stream:
            origin = stream.read()
    except (OSError, UnicodeDecodeError):
        origin = None
    return _with_origin(Installed(fields["name"], fields["version"]), origin)


def _with_origin(item: Installed, direct_url: str | None) -> Installed:
    try:
        data = parse_json(direct_url) if direct_url else None
    except ValueError:
        data = None
    if not isinstance(data, dict) or "url" not in data:
        return item
    vcs = data.get("vcs_info")
    if vcs:
        return Installed(item.name, item.version, f"{vcs['vcs']}+{data['url']}", revision=vcs.get("commit_id"))
    return Installed(item.name, item.version, data["url"], editable=bool(data.get("dir_info", {}).get("editable")))


def frozen_text(
    session: SessionSpec,
    interpreter: Interpreter,
    items: Sequence[Installed],
    direct: Collection[str],
    project: Project,
) -> str:
    """The frozen requirements of a session.

    What was asked for and what that brought in stand apart. The project under test and other local
    directories are named relative to the project's root, from where ``pip install -r`` is to be run if
    there are any: they have no version that another machine could fetch.

    Args:
        session: whose environment it is.
        interpreter: what it runs on.
        items: what is installed.
        direct: the normalised names that were asked for.
        project: whose root local paths are relative to.
    """
    asked: list[str] = []
    brought: list[str] = []
    local: list[str] = []
    for item in items:
        if normalised(item.name) in _INSTALLERS_OWN and normalised(item.name) not in direct:
            continue
        if item.path is not None:
            local.append(_local_line(item, item.path, project))
            continue
        line = f"{item.name}=={item.version}"
        if item.url is not None:
            line = f"{item.name} @ {item.url}" + (f"@{item.revision}" if item.revision else "")
        (asked if normalised(item.name) in direct else brought).append(line)
    lines = [
        f"# {session.name}: frozen by setlist {__version__}",
        f"# {interpreter.label} ({interpreter.implementation}), {sys.platform} {interpreter.machine}",
        "# to make the same environment elsewhere, with this very Python: python -m venv DIR,",
        "# DIR/bin/python -m pip install -r THIS-FILE" + (", from the project's root" if local else ""),
    ]
    for title, part in (("asked for", asked), ("brought in by these", brought), ("local", local)):
        if part:
            lines += ["", f"# {title}", *part]
    return "\n".join(lines) + "\n"


def _local_line(item: Installed, path: Path, project: Project) -> str:
    note = f"  # {item.name} {item.version}"
    if project.builds in path.parents:
        # A wheel or sdist of the project under test: another machine builds it from its own checkout
        return f".{note}, built as {'a wheel' if path.suffix == '.whl' else 'an sdist'}"
    try:
        relative = os.path.relpath(path, project.root)
    except ValueError:  # another drive
        relative = str(path)
    relative = relative.replace(os.sep, "/")
    if not relative.startswith("."):
        relative = f"./{relative}"
    if item.editable:
        from shlex import quote

        # an option's value is split as a shell would do it, and a requirement isn't
        return f"-e {quote(relative)}{note}"
    return f"{relative}{note}"
