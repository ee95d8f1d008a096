"""Parse the exact versions that a resolver prints, and write them for an installer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from setlist.core.files import write_atomically
from setlist.environment.requirement_lines import normalised, parse_requirement


def pinned_names(text: str) -> set[str]:
    """The normalised names in a resolution. Our editable lines name their project in a comment."""
    return set(pins(text))


def pins(text: str) -> dict[str, str]:
    """The pins of a resolution: normalised name to version, or to URL."""
    pinned: dict[str, str] = {}
    for line in text.splitlines():
        bare = line.split(" ;")[0].strip().rstrip("\\").strip()
        if match := re.match(r"^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(==|@)\s*(\S+)", bare):
            pinned[normalised(match.group(1))] = match.group(3)
        elif match := re.match(r"^(?:-e|--editable)\s+(\S+)\s+#\s*([\w.-]+)", bare):
            pinned[normalised(match.group(2))] = match.group(1)
    return pinned


def by_hash(text: str, scratch: Path) -> list[list[str]]:
    """Requirements as pip's options: those with hashes, then those without.

    pip takes a file only where every line has one, or none: the project under test can't.
    """
    parts: dict[bool, list[str]] = {True: [], False: []}
    options: list[str] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.startswith("-") and not line.startswith(("-e", "--editable")):
            options.append(line)
        elif line.strip() and not line.startswith("#"):
            parts["--hash=" in line].append(line)
    options_of_parts: list[list[str]] = []
    for hashed, lines in parts.items():
        if lines:
            path = scratch / ("hashed.txt" if hashed else "unhashed.txt")
            write_atomically(path, "".join(f"{line}\n" for line in [*options, *lines]))
            options_of_parts.append([*(["--require-hashes"] if hashed else []), "-r", str(path)])
    return options_of_parts


def by_version(text: str) -> str:
    """The lines of a resolution that pin a version: those that can be constraints."""
    return "".join(
        f"{line}\n" for line in text.splitlines() if re.match(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?==", line)
    )


def names_path(line: str) -> bool:
    """Whether a line of a resolution is a local path, and no URL.

    uv writes paths as they stand in the sources of each local project, relative to where that project lies.
    """
    target = re.sub(r"^(?:-e|--editable)\s+", "", line)
    if not target.strip() or line[0].isspace() or target.startswith(("#", "-")):
        return False
    return not re.match(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*(?:==|@)|[A-Za-z][A-Za-z0-9+.-]+:", target)


def with_absolute_urls(text: str, standard: str, base: Path) -> str:
    """A resolution with URLs instead of paths.

    Args:
        text: the resolution.
        standard: the same as a pylock file (PEP 751), which names each package.
        base: the directory that its paths are relative to.
    """
    from setlist.core.toml import parse_toml

    remaining: list[str] = []
    dropping = False
    for line in text.splitlines():
        dropping = names_path(line) if not line.startswith((" ", "\t")) else dropping
        if not dropping:
            remaining.append(line)
    there = {parse_requirement(line, base).path for line in remaining}
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
        remaining.append((f"-e {url}" if place.get("editable") else f"{package['name']} @ {url}") + below + marker)
    return "".join(f"{line}\n" for line in remaining)


def without_hashes(text: str) -> str:
    """A resolution without its hashes."""
    return re.sub(r"\s*\\?\n\s+--hash=\S+", "", text)


def without_project(text: str, root: Path) -> str:
    """A resolution without the line (and its hashes) of the project under test itself."""
    uri = root.as_uri()
    spellings = {uri, uri.rstrip("/") + "/", str(root), "file://" + quote(str(root))}
    remaining: list[str] = []
    dropping = False
    for line in text.splitlines():
        if not line.startswith((" ", "\t")):
            target = re.sub(r"^(?:-e|--editable)\s+|^[\w.-]+(?:\[[^\]]*\])?\s*@\s*", "", line)
            target = re.sub(r"\[[^\]]*\]", "", target.split(" ;")[0].split("#egg=")[0]).rstrip("\\").strip()
            dropping = target in spellings or (target.startswith((".", "/")) and Path(target).resolve() == root)
        if not dropping:
            remaining.append(line)
    return "".join(f"{line}\n" for line in remaining)


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
    remaining = []
    for line in previous.splitlines():
        match = re.match(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)", line)
        if match and all(
            requirement.url is None and requirement.specifier.contains(match.group(2), prereleases=True)
            for requirement in requirements.get(normalised(match.group(1)), ())
        ):
            remaining.append(f"{match.group(1)}=={match.group(2)}\n")
    return "".join(remaining)
