"""Locks in the standard form: ``pylock.NAME.toml`` (PEP 751). Read and checked with packaging.pylock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.errors import LockOutOfDate
from setlist.core.toml import parse_toml
from setlist.environment.names import normalised
from setlist.lock.document import FORMAT, LockDamaged, LockDocument, MalformedLine, checked_body, conflict_line, pins_of

if TYPE_CHECKING:
    from packaging.pylock import Package

_PACKAGE = "\n[[packages]]\n"
_FILE_ENTRY = r"(?m)^sdist = \{.*\}\n|\s*\{ (?:url|path|name) = [^{}]*hashes = \{[^{}]*\} \},?"
_DIGEST = r'\b(md5|sha\d+) = "([0-9a-f]+)"'
_OURS = "\n[tool.setlist]\n"


def file_name(session: str) -> str:
    """A session's file: PEP 751 lets no dot stand between ``pylock.`` and ``.toml``.

    A ``+`` stands for one; no session's name begins or ends with it, and two sessions whose files would
    be one are refused when they are locked.
    """
    return f"pylock.{session.replace('.', '+')}.toml"


def compose_pylock(document: LockDocument, standard: str) -> str:
    """The text of a lock file.

    Args:
        document: what the lock says; its body is the requirements form of ``standard``.
        standard: the standard's own part, as the resolver wrote it.
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
    """Read a lock file.

    Args:
        text: the file's.
        path: where it lies, for the error.
        session: whose it should be.

    Raises:
        LockDamaged: it can't be trusted, and why.
    """
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    hint = f"'setlist lock {session}' writes it anew"
    line = conflict_line(text)
    if line is not None:
        raise LockDamaged("an unresolved merge conflict", where=f"{path}:{line}", hint=hint)
    try:
        data = parse_toml(text)
    except ValueError as error:
        raise LockDamaged(f"not TOML: {error}", where=str(path), hint=hint) from error
    try:
        lock = Pylock.from_dict(data)
        lock.validate()
    except (PylockUnsupportedVersionError, PylockValidationError) as error:
        raise LockDamaged(f"not a valid pylock file: {error}", where=str(path), hint=hint) from error
    table = (lock.tool or {}).get("setlist")
    ours: dict[str, Any] = dict(table) if isinstance(table, Mapping) else {}
    if ours.get("format") != FORMAT:
        what = "not a lock file of setlist's" if "format" not in ours else f"a lock of format {ours['format']}"
        raise LockDamaged(what, where=str(path), hint=hint)
    if ours.get("session") != session:
        raise LockDamaged(f"the lock of another session, {ours.get('session')!r}", where=str(path), hint=hint)
    try:
        body = requirements_of(lock.packages)
    except LockOutOfDate as error:
        raise LockDamaged(error.message, where=str(path), hint=hint) from error
    inputs = ours.get("inputs", {})
    document = LockDocument(
        session=session,
        python=str(ours.get("python")),
        platforms=str(ours.get("platforms")),
        inputs={str(name): str(value) for name, value in inputs.items()} if isinstance(inputs, dict) else {},
        body=body,
    )
    if document.content != ours.get("content"):
        raise LockDamaged("edited since it was written, or cut off", where=str(path), hint=hint)
    return document


def requirements_of(packages: Any) -> str:
    """The same packages as requirement lines with hashes, which is what installers are handed.

    Raises:
        LockOutOfDate: an entry pins nothing, or holds text that an installer would read as more than one requirement.
    """
    return "".join(map(_requirement, packages))


def _requirement(package: Package) -> str:
    text = "".join(_lines(package))
    try:
        body = checked_body(text)
        pins = pins_of(body)
    except MalformedLine as error:
        raise LockOutOfDate(f"the entry of {package.name}: {error}") from error
    if len(pins) != 1:
        raise LockOutOfDate(f"the entry of {package.name}: not one pinned requirement: {text!r}")
    return body


def requirements_in(text: str) -> str:
    """The requirement lines of a pylock file that is just being written.

    Raises:
        LockOutOfDate: the resolver wrote what packaging doesn't take for a pylock file.
    """
    from packaging.pylock import Pylock, PylockValidationError

    try:
        lock = Pylock.from_dict(parse_toml(text))
        lock.validate()
    except PylockValidationError as error:
        raise LockOutOfDate(f"the resolver wrote no valid pylock file: {error}") from error
    return requirements_of(lock.packages)


def refuse_local(body: str) -> None:
    """See that no local directory or file is among a lock's requirements.

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
    """A pylock file without the files whose hashes the requirements ``body`` doesn't have: a person may name some only.

    Raises:
        LockOutOfDate: a package has no file left. Hashes of another algorithm than the resolver's can't be told apart.
    """
    allowed: dict[tuple[str, str | None], set[str]] = {}
    for pin in pins_of(body):
        allowed.setdefault((pin.name, pin.version), set()).update(pin.hashes)
    head, *packages = text.split(_PACKAGE)
    kept = [head]
    for package in packages:
        fields = dict(re.findall(r'^(name|version) = "(.*)"$', package, re.MULTILINE))
        hashes = allowed.get((normalised(fields.get("name", "")), fields.get("version")))
        if hashes:

            def file(match: re.Match[str], hashes: set[str] = hashes) -> str:
                found = {f"{name}:{value}" for name, value in re.findall(_DIGEST, match[0])}
                return match[0] if found & hashes else ""

            package = re.sub(_FILE_ENTRY, file, package)
            if not re.search(_DIGEST, package):
                raise LockOutOfDate(
                    f"{fields.get('name')}: a pylock file can't hold the hashes that were written for it",
                    hint='lock-format = "requirements" can, or write sha256 hashes',
                )
        kept.append(package)
    return _PACKAGE.join(kept)


def narrowed_standard(text: str, platforms: Sequence[str], python: str, only: str | None) -> str:
    """A pylock file without the packages that no wanted environment needs, as
    :func:`setlist.lock.marker_pruning.narrowed`."""
    from setlist.lock.marker_pruning import needed

    if not platforms and only is None:
        return text
    head, *packages = text.split(_PACKAGE)
    kept = [head]
    for package in packages:
        marker = re.search(r'^marker = "(.*)"$', package, re.MULTILINE)
        if marker is None or needed(marker[1].replace('\\"', '"'), tuple(platforms), python, only):
            kept.append(package)
    return _PACKAGE.join(kept)


def _lines(package: Package) -> Iterator[str]:
    marker = f" ; {package.marker}" if package.marker is not None else ""
    if package.vcs is not None:
        source = package.vcs.url or package.vcs.path
        below = f"#subdirectory={package.vcs.subdirectory}" if package.vcs.subdirectory else ""
        yield f"{package.name} @ {package.vcs.type}+{source}@{package.vcs.commit_id}{below}{marker}\n"
    elif package.directory is not None:
        yield f"{'-e ' if package.directory.editable else ''}{_path(package.directory.path)}{marker}\n"
    elif package.archive is not None:
        source = package.archive.url or _path(package.archive.path or "")
        yield from _hashed(f"{package.name} @ {source}{marker}", package.archive.hashes)
    else:
        every = [wheel.hashes for wheel in package.wheels or ()]
        if package.sdist is not None:
            every.append(package.sdist.hashes)
        found = sorted({f"{name}:{value}" for hashes in every for name, value in hashes.items()})
        yield from _joined(f"{package.name}=={package.version}{marker}", found)


def _hashed(line: str, hashes: Any) -> Iterator[str]:
    yield from _joined(line, sorted(f"{name}:{value}" for name, value in hashes.items()))


def _joined(line: str, hashes: list[str]) -> Iterator[str]:
    yield " \\\n    ".join([line, *(f"--hash={value}" for value in hashes)]) + "\n"


def _path(path: str) -> str:
    return path if re.match(r"^(?:\.{1,2}(?:/|$)|/|[A-Za-z]:)", path) else f"./{path}"
