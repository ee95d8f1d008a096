"""The text of a lock file: write and verify its header, parse its pins, compare versions.

The requirements form is a requirements file that any pip takes (``--require-hashes -r``); setlist's header is in
comments. The header lists the inputs one by one, so that setlist can say which of them changed. The pylock form is read
by :mod:`setlist.lock.pylock`; :func:`parse` verifies both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from setlist.core.errors import LockOutOfDate
from setlist.core.fingerprint import digest
from setlist.core.records import dataclass
from setlist.environment.requirement_lines import RequirementLine, read_resolution, with_hashes

FORMAT = 1

_FIRST = "# setlist lock, format "
# Strings and not compiled patterns: re compiles each on first use
_NAMED = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<extras>\[[A-Za-z0-9._, -]*\])?"
_EXACTLY = r" *== *(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
_URL = r" *@ *(?P<url>[A-Za-z][A-Za-z0-9+.-]*:[^ \\]+)"
# A path may hold spaces, but nothing that an installer takes for a comment, an option or a variable
_PATH = r"(?P<local>(?:-e +)?(?:file:[^ \\]+|(?:\.{1,2}(?=/|\[| |$)|/|[A-Za-z]:/)(?:(?! +#| +;| +--|\$\{)[^\\])*))"
_LITERAL = r"'(?:(?! -)[^'\"\\#$])*'|\"(?:(?! -)[^'\"\\#$])*\""
_REQUIREMENT = (
    rf"(?:{_NAMED}(?:{_EXACTLY}|{_URL})|{_PATH})(?: *(?<= );(?P<marker>(?:[A-Za-z0-9_.<>=!~() ]|{_LITERAL})+))?"
)
_HASH = r"--hash=([a-z0-9_]+:[0-9a-f]+)"
_COMMIT = r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?:#.*)?$"
_CONFLICT = r"(?m)^(?:<{7}|={7}|>{7}|\|{7})(?:\s|$)"
_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


class LockDamaged(LockOutOfDate):
    """A lock file that setlist didn't write as it is: edited, truncated, badly merged, or from a newer setlist."""


class MalformedLine(ValueError):
    """A line of a lock file that isn't what it should be. ``line`` counts from 1; 0: the whole file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class LockDocument:
    """The content of a lock.

    ``inputs`` maps an input's name to its digest; ``python`` is the range of Pythons (``>=3.10``, or ``3.11``);
    ``body`` holds the requirements, one a line, hashes below.
    """

    session: str
    python: str
    platforms: str
    inputs: dict[str, str]
    body: str

    @property
    def content(self) -> str:
        """A digest of the body."""
        return digest(self.body)


@dataclass(frozen=True, slots=True)
class UnverifiedLock:
    """A lock file of either form, split into its parts.

    ``header`` holds the header's fields but for the inputs; ``body_line`` is the line of the file that ``body`` begins
    on, from 1.
    """

    header: Mapping[str, str]
    inputs: dict[str, str]
    body: str
    body_line: int = 1


def compose(document: LockDocument) -> str:
    """The text of a lock file in the requirements form."""
    lines = [
        f"{_FIRST}{FORMAT}: written by 'setlist lock', which also renews it",
        f"# session: {document.session}",
        f"# python: {document.python}",
        f"# platforms: {document.platforms}",
        f"# content: {document.content}",
        "# inputs:",
        *(f"#   {name}: {value}" for name, value in sorted(document.inputs.items())),
    ]
    unhashed = unhashed_names(document.body)
    if unhashed:
        lines.append(f"# without hashes, since they come from no index: {', '.join(unhashed)}")
    return "\n".join(lines) + "\n\n" + document.body


def parse(text: str, path: Path, session: str, split: Callable[[str], UnverifiedLock] | None = None) -> LockDocument:
    """Read and verify a lock file.

    Args:
        text: the content of the file.
        path: the file, for the error message.
        session: the session that the lock should belong to.
        split: reads the form that the file has; None: the requirements form. It raises :class:`MalformedLine`.

    Raises:
        LockDamaged: the file can't be trusted; the message says why.
    """
    hint = f"'setlist lock {session}' writes it anew"
    try:
        conflict = conflict_line(text)
        if conflict is not None:
            raise MalformedLine(conflict, "an unresolved merge conflict")
        lock = (split or _split)(text)
        header = lock.header
        if header["format"] != str(FORMAT):
            raise MalformedLine(0, f"a lock of format {header['format']}; this setlist reads format {FORMAT}")
        if not {"session", "python", "platforms", "content"} <= header.keys():
            raise MalformedLine(0, "cut off: its header isn't whole")
        if header["session"] != session:
            raise MalformedLine(0, f"the lock of another session, {header['session']!r}")
        if digest(lock.body) != header["content"]:
            raise MalformedLine(0, "edited since it was written, or cut off")
        body = checked_body(lock.body, lock.body_line)
    except MalformedLine as error:
        raise LockDamaged(str(error), where=f"{path}:{error.line}" if error.line else str(path), hint=hint) from error
    return LockDocument(session, header["python"], header["platforms"], lock.inputs, body)


def _split(text: str) -> UnverifiedLock:
    """Split a lock file in the requirements form."""
    header, _, body = text.partition("\n\n")
    lines = header.split("\n")
    if not lines[0].startswith(_FIRST):
        raise MalformedLine(0, "not a lock file of setlist's: its first line is gone")
    fields = {"format": lines[0].removeprefix(_FIRST).partition(":")[0]}
    inputs: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line and not line.startswith("# "):
            raise MalformedLine(number, f"not a line of a lock's header: {line!r}")
        # The name of an input may contain a colon (a path on Windows); its digest can't
        if line.startswith("#   "):
            name, _, value = line.removeprefix("#   ").rpartition(": ")
            inputs[name] = value
        else:
            name, _, value = line.removeprefix("# ").partition(": ")
            fields[name] = value
    return UnverifiedLock(fields, inputs, body, len(lines) + 2)


@lru_cache(maxsize=64)  # the sessions of a family often have the same requirements
def checked_body(text: str, first: int = 1) -> str:
    """Parse the body of a lock strictly, and write it again from what was parsed.

    An installer accepts more in a requirements file than pins: included files, options, editable installs, comments,
    continued lines, variables. A lock contains exact versions, URLs, commits and local paths, with their hashes on
    continuation lines, and comments. Any other line is refused, so installers get only what was checked.

    Args:
        text: the body of a lock, or a resolver's output for one.
        first: the number of its first line, for the error.

    Returns:
        the requirements, one a line with its hashes below, without comments.

    Raises:
        MalformedLine: a line is something else.
    """
    entries: list[list[str]] = []
    continued = False
    number = first
    for number, line in enumerate(text.split("\n"), start=first):
        if continued:
            bare, continued = _without_backslash(line)
            match = re.fullmatch(rf" +{_HASH}", bare)
            if match is None:
                raise MalformedLine(number, f"only a --hash may continue a requirement: {line!r}")
            entries[-1].append(match[0].strip())
        elif line and not line.startswith("#"):
            bare, continued = _without_backslash(line)
            entries.append([_requirement(bare, number)])
    if continued:
        raise MalformedLine(number, "the last line ends in a backslash")
    return "".join(" \\\n    ".join(entry) + "\n" for entry in entries)


def _without_backslash(line: str) -> tuple[str, bool]:
    """A line without the backslash that continues it, and whether there was one."""
    return (line[:-2].rstrip(" "), True) if line.endswith(" \\") else (line, False)


def _requirement(line: str, number: int) -> str:
    """Normalise a requirement line.

    Raises:
        MalformedLine: it pins nothing.
    """
    # Not printable: also line separators, tabs, form feeds and byte order marks, which installers read differently
    match = re.fullmatch(_REQUIREMENT, line) if line.isprintable() else None
    if match is None:
        raise MalformedLine(number, f"not a pinned requirement: {line!r}")
    if match["url"] is not None and "+" in match["url"].partition(":")[0] and not re.search(_COMMIT, match["url"]):
        raise MalformedLine(number, f"not pinned to a commit: {line!r}")
    marker = f" ; {match['marker'].strip()}" if match["marker"] is not None else ""
    if match["local"] is not None:
        return match["local"].rstrip() + marker
    pin = f"=={match['version']}" if match["version"] is not None else f" @ {match['url']}"
    return f"{match['name']}{match['extras'] or ''}{pin}{marker}"


def conflict_line(text: str) -> int | None:
    """The number of the first line with a conflict marker, from 1."""
    if not any(marker in text for marker in _MARKERS):
        return None
    conflict = re.search(_CONFLICT, text)
    return None if conflict is None else text.count("\n", 0, conflict.start()) + 1


def body_of(text: str) -> str:
    """The versions that a file of either form pins, however damaged it is: for the resolver to prefer."""
    table = re.findall(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', text, re.MULTILINE)
    return preferences(f"{text}\n" + "".join(f"{name}=={version}\n" for name, version in table))


def preferences(*bodies: str) -> str:
    """The versions that requirement lines pin, without hashes: a resolver prefers them.

    Malformed lines are left out: a resolver refuses the whole file for one of them.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lines: dict[str, None] = {}
    for pin in (pin for body in bodies for pin in pins_of(body)):
        line = f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")
        try:
            valid = pin.version is not None and bool(Requirement(line))
        except InvalidRequirement:
            valid = False
        if valid:
            lines[line] = None
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock.

    ``version`` is None for URLs and for local directories and files; the ``name`` of a local one is the last part of
    its path. ``marker`` may be empty.
    """

    name: str
    version: str | None
    url: str | None
    marker: str
    hashes: tuple[str, ...]


@lru_cache(maxsize=16)
def pins_of(body: str) -> tuple[Pin, ...]:
    """The requirements of a lock's body. A package with different versions by marker has several."""
    pins: list[Pin] = []
    for line in read_resolution(body):
        place = line.target if line.prefix else f"{line.target or line.text}{line.brackets}"
        name = line.name or str(place).rstrip("/").rsplit("/", 1)[-1]
        url = place if line.version is None else None
        pins.append(Pin(name, line.version, url, line.marker, line.hashes))
    return tuple(pins)


def versions_of(body: str) -> dict[str, str]:
    """The version of each package in a lock: several are joined with ``|``; the URL where there is no version."""
    by_name: dict[str, list[str]] = {}
    for pin in pins_of(body):
        by_name.setdefault(pin.name, []).append(pin.version or pin.url or "")
    return {name: " | ".join(dict.fromkeys(versions)) for name, versions in by_name.items()}


def unhashed_names(body: str) -> tuple[str, ...]:
    """The requirements without a hash: from version control, and local directories."""
    return tuple(dict.fromkeys(pin.name for pin in pins_of(body) if not pin.hashes))


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A package whose version changed in one session's lock. ``old`` None: added; ``new`` None: removed."""

    package: str
    session: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.new}"
        if self.new is None:
            return f"- {self.old}"
        return f"{self.old} → {self.new}"


def version_changes(session: str, old: str | None, new: str) -> tuple[VersionChange, ...]:
    """The version changes from one lock's body to another's, by package."""
    before, after = versions_of(old or ""), versions_of(new)
    return tuple(
        VersionChange(name, session, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def change_rows(changes: Iterable[VersionChange]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Rows of a table: package, change, the sessions with this change."""
    sessions: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        sessions.setdefault((change.package, str(change)), []).append(change.session)
    return [(package, text, tuple(names)) for (package, text), names in sorted(sessions.items())]


def differing_versions(bodies: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The packages with more than one version across sessions: package → version → sessions."""
    sessions: dict[str, dict[str, list[str]]] = {}
    for session, body in bodies.items():
        for name, version in versions_of(body).items():
            sessions.setdefault(name, {}).setdefault(version, []).append(session)
    return {
        name: {version: tuple(names) for version, names in versions.items()}
        for name, versions in sorted(sessions.items())
        if len(versions) > 1
    }


def relative_paths(body: str, root: Path) -> str:
    """Requirements with local paths relative to ``root``: the form in which a lock file is committed."""
    lines: list[str] = []
    for requirement in read_resolution(body, root):
        line, path = requirement.without_hashes, requirement.path
        with suppress(ValueError):  # on another drive: it exists on this machine only
            # a relative path has no place for a subdirectory
            if path is not None and "subdirectory=" not in (requirement.target or "").partition("#")[2]:
                relative = os.path.relpath(path, root).replace(os.sep, "/")
                # pip accepts no relative path after '@', so the name goes and its extras move behind the path
                line = _local(requirement, relative if relative.startswith(".") else f"./{relative}")
        lines.append(with_hashes(line, requirement.hashes))
    return "".join(lines)


def absolute_paths(body: str, root: Path) -> str:
    """Requirements with local paths as absolute URLs: the form that an installer gets."""
    if not re.search(r"(?m)^(?:-e +)?\.", body):
        return body
    lines: list[str] = []
    for requirement in read_resolution(body, root):
        line = requirement.without_hashes
        if requirement.path is not None and (requirement.target or "").startswith("."):
            line = _local(requirement, requirement.path.as_uri())
        lines.append(with_hashes(line, requirement.hashes))
    return "".join(lines)


def _local(requirement: RequirementLine, place: str) -> str:
    """A requirement line of a local path, spelt as ``place``."""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{'-e ' if requirement.editable else ''}{place}{requirement.brackets}{marker}"
