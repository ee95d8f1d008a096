"""Hashes that requirement files state: what may be installed, whatever an index serves.

Resolvers read requirements with hashes and answer with what the index has: nothing is compared before a file is
installed, and a lock would hold the index's hashes instead. So an answer is compared with what was written, and
gets the written hashes, which installers check against each file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from setlist.core.errors import ResolutionFailed
from setlist.core.records import dataclass
from setlist.environment.requirement_lines import normalised

_HASH = r"--hash(?:=|\s+)[\"']?([A-Za-z0-9_]+:[0-9A-Fa-f]+)"
_FRAGMENT = r"#(?:[^\s#]*&)?(md5|sha1|sha224|sha256|sha384|sha512)=([0-9A-Fa-f]+)"
_NAMED = r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:={2,3}\s*([^\s;,]+)\s*(?:;.*)?|[^\w:/\\].*|)"
_PIN = r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:={2,3}\s*([^\s;]+)|@\s*\S+).*"
_FILE = r".*?([A-Za-z0-9][A-Za-z0-9._]*)-[^/\\]*\.(?:whl|tar\.gz|zip)(?:[\s#\[].*)?"


@dataclass(frozen=True, slots=True)
class WrittenHashes:
    """The hashes that one requirement was written with.

    ``name`` is normalised, ``version`` None where the requirement pins none; ``hashes`` are ``sha256:…`` and the
    like, one of which a file has to have; ``where`` is the place for messages.
    """

    name: str
    version: str | None
    hashes: frozenset[str]
    where: str


def hashes_in(line: str, where: str) -> WrittenHashes | None:
    """The hashes in a requirement line: its ``--hash`` options, and those in the fragment of a URL; None without."""
    if "--hash" not in line and not ("#" in line and re.search(_FRAGMENT, line)):
        return None
    bare = re.sub(r"(?:^|\s)#.*", "", line).strip()
    hashes = {value.lower() for value in re.findall(_HASH, bare)}
    head = re.split(r"\s--hash", bare)[0]
    hashes |= {f"{algorithm}:{value.lower()}" for algorithm, value in re.findall(_FRAGMENT, head)}
    if not hashes:
        return None
    named = re.fullmatch(_NAMED, head)
    if named is not None:
        version = named[2] if named[2] and not named[2].endswith("*") else None
        return WrittenHashes(normalised(named[1]), version, frozenset(hashes), where)
    file = re.fullmatch(_FILE, head)
    return WrittenHashes(normalised(file[1]), None, frozenset(hashes), where) if file is not None else None


def with_written_hashes(answer: str, written: Sequence[WrittenHashes], *, required: bool) -> str:
    """A resolver's answer with the hashes that were written, where some were.

    Args:
        answer: exact versions as requirement lines, with the hashes that the index has where they are known.
        written: what was written.
        required: every requirement must have been written with hashes (``--require-hashes``).

    Raises:
        ResolutionFailed: what the index has isn't what was written, or hashes that are required weren't written.
    """
    if not written and not required:
        return answer
    lines: list[str] = []
    unhashed: list[str] = []
    for line in re.sub(r"\s*\\\n\s*", " ", answer).splitlines():
        head = line.partition(" --hash=")[0]
        served = re.findall(_HASH, line)
        pin = re.fullmatch(_PIN, head)
        allowed = _allowed(normalised(pin[1]), pin[2], written, served) if pin is not None else None
        kept = served if allowed is None else sorted(allowed)
        if allowed is None and head.strip() and not head.startswith("#"):
            unhashed.append(head.partition(" ;")[0])
        lines.append(" \\\n    ".join([head, *(f"--hash={value}" for value in kept)]) + "\n")
    if unhashed and required:
        raise ResolutionFailed(
            f"no hash was written for {', '.join(unhashed)}, and a requirements file says --require-hashes",
            hint="write the hash of each package, those that others require included, or drop the line",
        )
    return "".join(lines)


def newly_hashed(before: str, after: str, written: Sequence[WrittenHashes]) -> set[str]:
    """The names for which hashes were written that the resolution before hadn't: what is installed wasn't checked."""
    known = _hashes_by_name(before)
    return {
        name
        for name, hashes in _hashes_by_name(after).items()
        if any(entry.name == name for entry in written) and not hashes & known.get(name, set())
    }


def _hashes_by_name(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if pin := re.fullmatch(_PIN, line):
            found.setdefault(normalised(pin[1]), set()).update(re.findall(_HASH, line))
    return found


def _allowed(
    name: str, version: str | None, written: Sequence[WrittenHashes], served: Sequence[str]
) -> frozenset[str] | None:
    """The hashes that files of a version may have by what was written; None where nothing was."""
    of_name = [entry for entry in written if entry.name == name]
    entries = [entry for entry in of_name if entry.version is None or _same(entry.version, version)]
    if not of_name:
        return None
    shown = f"{name} {version}" if version else name
    if not entries:
        raise ResolutionFailed(
            f"{shown} was resolved, and hashes were written for {name} {of_name[0].version}",
            where=of_name[0].where,
            hint="write the hashes of this version, or require the other one",
        )
    allowed = frozenset.intersection(*(entry.hashes for entry in entries))
    if not allowed:
        places = ", ".join(dict.fromkeys(entry.where for entry in entries))
        raise ResolutionFailed(f"the hashes written for {shown} have none in common: {places}")
    comparable = {value.partition(":")[0] for value in allowed} & {value.partition(":")[0] for value in served}
    if comparable and not allowed & set(served):
        raise ResolutionFailed(
            f"{shown}: no file has a hash that was written for it",
            where=entries[0].where,
            detail="\n".join(
                [*(f"written: {value}" for value in sorted(allowed)), *(f"found:   {value}" for value in served)]
            ),
            hint="a file was replaced, or the hash is of another one: compare it with that of a file you trust",
        )
    return allowed


def _same(written: str, version: str | None) -> bool:
    if version is None or written == version:
        return version is not None
    from packaging.version import InvalidVersion, Version

    try:
        return Version(written) == Version(version)
    except InvalidVersion:
        return False
