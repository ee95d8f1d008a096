"""Locks in the standard form: ``pylock.NAME.toml`` (PEP 751), validated by packaging.pylock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.errors import LockOutOfDate
from setlist.core.toml import parse_toml
from setlist.environment.requirement_lines import normalised, with_hashes
from setlist.lock.document import (
    FORMAT,
    LockDocument,
    MalformedLine,
    UnverifiedLock,
    checked_body,
    parse,
    pins_of,
)

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock

_PACKAGE = "\n[[packages]]\n"
_FILE_ENTRY = r"(?m)^sdist = \{.*\}\n|\s*\{ (?:url|path|name) = [^{}]*hashes = \{[^{}]*\} \},?"
_DIGEST = r'\b(md5|sha\d+) = "([0-9a-f]+)"'
_OURS = "\n[tool.setlist]\n"


def file_name(session: str) -> str:
    """The name of a session's lock file: PEP 751 allows no dot between ``pylock.`` and ``.toml``, so ``+`` replaces it.

    No session's name begins or ends with ``+``. ``setlist lock`` refuses two sessions with the same file name.
    """
    return f"pylock.{session.replace('.', '+')}.toml"


def compose_pylock(document: LockDocument, standard: str) -> str:
    """The text of a lock file.

    Args:
        document: the content of the lock; its body is the requirements form of ``standard``.
        standard: the pylock file that the resolver wrote.
    """
    from json import dumps

    lines = [
        "# Written by 'setlist lock', which also renews it",
        standard.strip(),
        _OURS.rstrip("\n"),
        f"format = {FORMAT}",
        f"session = {dumps(document.session)}",
        f"python = {dumps(document.python)}",
        f"platforms = {dumps(document.platforms)}",
        f"content = {dumps(document.content)}",
        "",
        "[tool.setlist.inputs]",
        *(f"{dumps(name, ensure_ascii=False)} = {dumps(value)}" for name, value in sorted(document.inputs.items())),
    ]
    return "\n".join(lines) + "\n"


def parse_pylock(text: str, path: Path, session: str) -> LockDocument:
    """Read and verify a lock file. Arguments and errors as for :func:`setlist.lock.document.parse`."""
    return parse(text, path, session, _split)


def _split(text: str) -> UnverifiedLock:
    try:
        lock = _pylock(text)
        body = requirements_of(lock.packages)
    except ValueError as error:
        raise MalformedLine(0, f"not TOML: {error}") from error
    except LockOutOfDate as error:
        raise MalformedLine(0, error.message) from error
    table = (lock.tool or {}).get("setlist")
    if not isinstance(table, Mapping) or "format" not in table:
        raise MalformedLine(0, "not a lock file of setlist's")
    inputs = table.get("inputs")
    return UnverifiedLock(
        header={str(name): str(value) for name, value in table.items() if name != "inputs"},
        inputs={str(name): str(value) for name, value in inputs.items()} if isinstance(inputs, Mapping) else {},
        body=body,
    )


def _pylock(text: str) -> Pylock:
    """Validate a pylock file with packaging.

    Raises:
        ValueError: it isn't TOML.
        LockOutOfDate: it isn't a valid pylock file.
    """
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    data = parse_toml(text)
    try:
        lock = Pylock.from_dict(data)
        lock.validate()
    except (PylockUnsupportedVersionError, PylockValidationError) as error:
        raise LockOutOfDate(f"not a valid pylock file: {error}") from error
    return lock


def requirements_of(packages: Any) -> str:
    """The packages as requirement lines with hashes: the form that an installer gets.

    Raises:
        LockOutOfDate: an entry pins nothing, or contains text that an installer would read as several requirements.
    """
    return "".join(map(_requirement, packages))


def _requirement(package: Package) -> str:
    text = _text(package)
    try:
        body = checked_body(text)
        pins = pins_of(body)
    except MalformedLine as error:
        raise LockOutOfDate(f"the entry of {package.name}: {error}") from error
    if len(pins) != 1:
        raise LockOutOfDate(f"the entry of {package.name}: not one pinned requirement: {text!r}")
    return body


def requirements_in(text: str) -> str:
    """The requirement lines of a pylock file that the resolver wrote.

    Raises:
        LockOutOfDate: it isn't a valid pylock file, or an entry pins nothing.
    """
    try:
        lock = _pylock(text)
    except LockOutOfDate as error:
        raise LockOutOfDate(f"the output of the resolver is {error.message}") from error
    return requirements_of(lock.packages)


def refuse_local(body: str) -> None:
    """Refuse local directories and files among the requirements of a lock.

    Raises:
        LockOutOfDate: there is one.
    """
    local = [pin.name for pin in pins_of(body) if (pin.url or "").startswith((".", "/"))]
    if local:
        raise LockOutOfDate(
            f"{', '.join(local)}: a pylock file can't hold the project's local directories so that "
            "they are found again",
            hint='lock-format = "requirements" can',
        )


def with_hashes_of(text: str, body: str) -> str:
    """Keep the files whose hashes are in the requirements ``body``, for packages whose hashes a person wrote down.

    Raises:
        LockOutOfDate: a package has no file left: its hashes use another algorithm than the resolver's.
    """
    allowed: dict[tuple[str, str | None], set[str]] = {}
    for pin in pins_of(body):
        allowed.setdefault((pin.name, pin.version), set()).update(pin.hashes)
    head, *packages = text.split(_PACKAGE)
    parts = [head]
    for package in packages:
        fields = dict(re.findall(r'^(name|version) = "(.*)"$', package, re.MULTILINE))
        hashes = allowed.get((normalised(fields.get("name", "")), fields.get("version")))
        if hashes:

            def allowed_entry(match: re.Match[str], hashes: set[str] = hashes) -> str:
                digests = {f"{name}:{value}" for name, value in re.findall(_DIGEST, match[0])}
                return match[0] if digests & hashes else ""

            package = re.sub(_FILE_ENTRY, allowed_entry, package)
            if not re.search(_DIGEST, package):
                raise LockOutOfDate(
                    f"{fields.get('name')}: a pylock file can't hold the hashes that were written for it",
                    hint='lock-format = "requirements" can, or write sha256 hashes',
                )
        parts.append(package)
    return _PACKAGE.join(parts)


def narrowed_standard(text: str, platforms: Sequence[str], python: str, only: str | None) -> str:
    """Remove the packages that no target environment needs, as :func:`setlist.lock.marker_pruning.narrowed` does."""
    from setlist.lock.marker_pruning import needed

    if not platforms and only is None:
        return text
    head, *packages = text.split(_PACKAGE)
    parts = [head]
    for package in packages:
        marker = re.search(r'^marker = "(.*)"$', package, re.MULTILINE)
        if marker is None or needed(marker[1].replace('\\"', '"'), tuple(platforms), python, only):
            parts.append(package)
    return _PACKAGE.join(parts)


def _text(package: Package) -> str:
    marker = f" ; {package.marker}" if package.marker is not None else ""
    if package.vcs is not None:
        source = package.vcs.url or package.vcs.path
        subdirectory = f"#subdirectory={package.vcs.subdirectory}" if package.vcs.subdirectory else ""
        return f"{package.name} @ {package.vcs.type}+{source}@{package.vcs.commit_id}{subdirectory}{marker}\n"
    if package.directory is not None:
        return f"{'-e ' if package.directory.editable else ''}{_path(package.directory.path)}{marker}\n"
    if package.archive is not None:
        source = package.archive.url or _path(package.archive.path or "")
        return _hashed(f"{package.name} @ {source}{marker}", [package.archive.hashes])
    files = [wheel.hashes for wheel in package.wheels or ()]
    if package.sdist is not None:
        files.append(package.sdist.hashes)
    return _hashed(f"{package.name}=={package.version}{marker}", files)


def _hashed(line: str, files: Sequence[Mapping[str, str]]) -> str:
    """A requirement line with the hashes of its files."""
    return with_hashes(line, sorted({f"{name}:{value}" for hashes in files for name, value in hashes.items()}))


def _path(path: str) -> str:
    return path if re.match(r"^(?:\.{1,2}(?:/|$)|/|[A-Za-z]:)", path) else f"./{path}"
