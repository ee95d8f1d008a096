"""What a resolver answers: select, compare and rewrite its pinned requirements."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from setlist.core.files import write_atomically
from setlist.environment.requirement_lines import (
    RequirementLine,
    normalised,
    options_of,
    read_resolution,
    with_hashes,
)


def pins(text: str) -> dict[str, str]:
    """The pins of a resolution: normalised name to version, or to URL. An editable line of ours names its project in a
    comment."""
    pinned: dict[str, str] = {}
    for requirement in read_resolution(text):
        comment = re.match(r"\s*#\s*([\w.-]+)", requirement.tail)
        name = requirement.name or (normalised(comment[1]) if comment is not None else None)
        value = requirement.version or requirement.target
        if name and value:
            pinned[name] = value
    return pinned


def written(requirements: Iterable[RequirementLine]) -> str:
    """Requirements as they stand in a resolution."""
    return "".join(with_hashes(requirement.without_hashes, requirement.hashes) for requirement in requirements)


def by_hash(text: str, scratch: Path) -> list[list[str]]:
    """Requirements as pip's options: those with hashes, then those without.

    pip takes a file only where every line has one, or none: the project under test can't.
    """
    options, requirements = options_of(text), read_resolution(text)
    arguments: list[list[str]] = []
    for name, option, lines in (
        ("hashed.txt", ["--require-hashes"], [it.line for it in requirements if it.hashes]),
        ("unhashed.txt", [], [it.line for it in requirements if not it.hashes]),
    ):
        if lines:
            write_atomically(scratch / name, "".join(f"{line}\n" for line in [*options, *lines]))
            arguments.append([*option, "-r", str(scratch / name)])
    return arguments


def by_version(text: str) -> str:
    """The requirements of a resolution that pin a version, without hashes: those that can be constraints."""
    return "".join(f"{it.without_hashes}\n" for it in read_resolution(text) if it.version is not None)


def names_path(requirement: RequirementLine) -> bool:
    """Whether a requirement of a resolution is a local path, and no URL.

    uv writes paths as they stand in the sources of each local project, relative to where that project lies. They may
    look like names.
    """
    if requirement.version is not None or requirement.prefix:
        return False
    return not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", requirement.target or "")


def with_absolute_urls(text: str, standard: str, base: Path) -> str:
    """A resolution with URLs instead of paths.

    Args:
        text: the resolution.
        standard: the same as a pylock file (PEP 751), which names each package.
        base: the directory that its paths are relative to.
    """
    from setlist.core.toml import parse_toml

    remaining = [requirement for requirement in read_resolution(text, base) if not names_path(requirement)]
    there = {requirement.path for requirement in remaining}
    lines: list[str] = []
    for package in parse_toml(standard).get("packages", []):
        place = package.get("directory") or package.get("archive") or {}
        if "path" not in place:
            continue
        path = Path(os.path.normpath(base / place["path"]))
        if path in there:
            continue
        url = path.as_uri()
        below = f"#subdirectory={place['subdirectory']}" if place.get("subdirectory") else ""
        marker = f" ; {package['marker']}" if package.get("marker") else ""
        lines.append((f"-e {url}" if place.get("editable") else f"{package['name']} @ {url}") + below + marker)
    return written(remaining) + "".join(f"{line}\n" for line in lines)


def without_hashes(text: str) -> str:
    """A resolution without its hashes."""
    return "".join(f"{requirement.without_hashes}\n" for requirement in read_resolution(text))


def without_project(text: str, root: Path) -> str:
    """A resolution without the project under test itself."""

    def is_project(requirement: RequirementLine) -> bool:
        path = requirement.path
        return path is not None and (path == root or (requirement.is_path and path.resolve() == root))

    return written(requirement for requirement in read_resolution(text) if not is_project(requirement))


def pin_of(item: dict[str, Any], with_login: Callable[[str], str]) -> str:
    """One entry of pip's installation report as a requirement line (PEP 610 for what comes by URL).

    ``with_login`` gives a URL the login that pip leaves out of its report.
    """
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    origin = item["download_info"]
    if not item.get("is_direct"):
        return f"{name}=={version}"
    if origin.get("dir_info", {}).get("editable"):
        return f"-e {origin['url']}  # {name}"
    url = with_login(origin["url"])
    if "vcs_info" in origin:
        url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    return f"{name} @ {url}" + (f"#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else "")


def still_fitting(previous: str, lines: Sequence[str]) -> str:
    """The earlier pins that the requirements don't exclude."""
    from packaging.requirements import InvalidRequirement, Requirement

    requirements: dict[str, list[Requirement]] = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # a path or an option
        requirements.setdefault(normalised(requirement.name), []).append(requirement)
    return "".join(
        f"{pin.name}=={pin.version}\n"
        for pin in read_resolution(previous)
        if pin.version is not None
        and all(
            requirement.url is None and requirement.specifier.contains(pin.version, prereleases=True)
            for requirement in requirements.get(pin.name or "", ())
        )
    )
