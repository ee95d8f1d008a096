"""A lock file as text: what its header says, and whether what follows is what was written.

The requirements form is a requirements file that any pip takes (``--require-hashes -r``); what is ours stands in
comments. The header names the inputs one by one, so that a stale lock can say which of them changed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from setlist.core.errors import LockOutOfDate
from setlist.core.files import digest
from setlist.core.records import dataclass
from setlist.environment.names import normalised

FORMAT = 1

_FIRST = "# setlist lock, format "
# As text: compiled when they are first needed
_PIN = r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;]+)|@\s*(\S+))\s*(?:;\s*(.*))?"
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
    """A lock file that isn't what setlist wrote: edited, cut off, merged badly, or from a newer setlist."""


@dataclass(frozen=True, slots=True)
class LockDocument:
    """A lock's content.

    ``inputs`` maps an input's name to its digest; ``python`` says which Pythons it is for (``>=3.10``, or
    ``3.11``); ``body`` is the requirements, one a line, hashes below.
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


def parse(text: str, path: Path, session: str) -> LockDocument:
    """Read a lock file.

    Args:
        text: the file's.
        path: where it lies, for the error.
        session: whose it should be.

    Raises:
        LockDamaged: it can't be trusted, and why.
    """

    def damaged(message: str) -> LockDamaged:
        return LockDamaged(message, where=str(path), hint=f"'setlist lock {session}' writes it anew")

    line = conflict_line(text)
    if line is not None:
        raise LockDamaged(
            "an unresolved merge conflict",
            where=f"{path}:{line}",
            hint=f"take either side, then 'setlist lock {session}' makes it right",
        )
    header, _, body = text.partition("\n\n")
    lines = header.split("\n")
    if not lines[0].startswith(_FIRST):
        raise damaged("not a lock file of setlist's: its first line is gone")
    number = lines[0].removeprefix(_FIRST).partition(":")[0]
    if number != str(FORMAT):
        raise damaged(f"a lock of format {number}; this setlist reads format {FORMAT}")
    fields: dict[str, str] = {}
    inputs: dict[str, str] = {}
    for count, entry in enumerate(lines[1:], start=2):
        if entry and not entry.startswith("# "):
            raise LockDamaged(
                f"not a line of a lock's header: {entry!r}",
                where=f"{path}:{count}",
                hint=f"'setlist lock {session}' writes it anew",
            )
        # an input's name may hold a colon (a path on Windows); its digest can't
        if entry.startswith("#   "):
            name, _, value = entry.removeprefix("#   ").rpartition(": ")
            inputs[name] = value
        else:
            name, _, value = entry.removeprefix("# ").partition(": ")
            fields[name] = value
    if not {"session", "python", "platforms", "content"} <= fields.keys():
        raise damaged("cut off: its header isn't whole")
    if fields["session"] != session:
        raise damaged(f"the lock of another session, {fields['session']!r}")
    if digest(body) != fields["content"]:
        raise damaged("edited since it was written, or cut off")
    try:
        body = checked_body(body)
    except MalformedLine as error:
        raise LockDamaged(
            str(error), where=f"{path}:{len(lines) + 1 + error.line}", hint=f"'setlist lock {session}' writes it anew"
        ) from error
    return LockDocument(fields["session"], fields["python"], fields["platforms"], inputs, body)


class MalformedLine(ValueError):
    """A line of a lock's body that isn't a pinned requirement. ``line`` counts from 1, in the body."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def checked_body(text: str) -> str:
    """Parse a lock's body strictly and write it anew from what was parsed.

    An installer reads more in a requirements file than pins: included files, options, editable installs, comments,
    continued lines, variables. A lock holds exact versions, URLs, commits and local paths, with their hashes on
    continuation lines, and comments. Everything else is refused, so that installers get nothing that wasn't checked.

    Args:
        text: the body of a lock, or what a resolver answered for one.

    Returns:
        the requirements, one a line with its hashes below, without comments.

    Raises:
        MalformedLine: a line is something else.
    """
    entries: list[list[str]] = []
    continued = False
    number = 0
    for number, line in enumerate(text.split("\n"), start=1):
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
    """A physical line without the backslash that continues it, and whether there was one."""
    return (line[:-2].rstrip(" "), True) if line.endswith(" \\") else (line, False)


def _requirement(line: str, number: int) -> str:
    """A requirement line in the one form in which it is written.

    Raises:
        MalformedLine: it isn't one that pins something.
    """
    # also line separators, tabs, form feeds and byte order marks, which installers take for different things
    match = re.fullmatch(_REQUIREMENT, line) if line.isprintable() else None
    if match is None:
        raise MalformedLine(number, f"not a pinned requirement: {line!r}")
    if match["url"] is not None and "+" in match["url"].partition(":")[0] and not re.search(_COMMIT, match["url"]):
        raise MalformedLine(number, f"not pinned to a commit: {line!r}")
    marker = f" ; {match['marker'].strip()}" if match["marker"] is not None else ""
    if match["local"] is not None:
        return match["local"].rstrip() + marker
    what = f"=={match['version']}" if match["version"] is not None else f" @ {match['url']}"
    return f"{match['name']}{match['extras'] or ''}{what}{marker}"


def conflict_line(text: str) -> int | None:
    """The line, counted from 1, on which a merge left a conflict marker."""
    if not any(marker in text for marker in _MARKERS):
        return None
    conflict = re.search(_CONFLICT, text)
    return None if conflict is None else text.count("\n", 0, conflict.start()) + 1


def body_of(text: str) -> str:
    """What can be made out of the pins in a file of either form, however damaged: only to prefer its versions."""
    table = re.findall(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', text, re.MULTILINE)
    return preferences(f"{text}\n" + "".join(f"{name}=={version}\n" for name, version in table))


def preferences(*bodies: str) -> str:
    """The versions that requirement lines pin, hashes left out: what a resolver is handed to keep them.

    What isn't whole is left out as well: a resolver refuses all for one malformed line.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    kept: dict[str, None] = {}
    for pin in (pin for body in bodies for pin in pins_of(body)):
        line = f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")
        try:
            whole = pin.version is not None and bool(Requirement(line))
        except InvalidRequirement:
            whole = False
        if whole:
            kept[line] = None
    return "".join(f"{line}\n" for line in kept)


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock.

    ``version`` is None for what comes by URL, and for local directories and files, whose ``name`` is that of the
    path. ``marker`` may be empty.
    """

    name: str
    version: str | None
    url: str | None
    marker: str
    hashes: tuple[str, ...]


@lru_cache(maxsize=16)
def pins_of(body: str) -> tuple[Pin, ...]:
    """The requirements of a lock's body, one each; a package that forks by marker has several."""
    found: list[Pin] = []
    joined = re.sub(r"\\\n\s*", " ", body)
    for line in joined.splitlines():
        bare = line.strip().removeprefix("-e ").strip()
        if not bare or bare.startswith(("#", "-")):
            continue
        hashes = tuple(re.findall(r"--hash=(\S+)", bare))
        text = re.sub(r"\s*--hash=\S+", "", bare).strip()
        match = re.fullmatch(_PIN, text)
        if match is not None:
            name, version, url, marker = match.groups()
            found.append(Pin(normalised(name), version, url, (marker or "").strip(), hashes))
        else:
            path, _, marker = text.partition(" ;")
            found.append(Pin(path.rstrip("/").rsplit("/", 1)[-1], None, path, marker.strip(), hashes))
    return tuple(found)


def versions_of(body: str) -> dict[str, str]:
    """Each package's version in a lock, those of forks joined; the URL for what comes by one."""
    found: dict[str, list[str]] = {}
    for pin in pins_of(body):
        found.setdefault(pin.name, []).append(pin.version or pin.url or "")
    return {name: " | ".join(dict.fromkeys(versions)) for name, versions in found.items()}


def unhashed_names(body: str) -> tuple[str, ...]:
    """The requirements that carry no hash: what comes from version control, and local directories."""
    return tuple(dict.fromkeys(pin.name for pin in pins_of(body) if not pin.hashes))
