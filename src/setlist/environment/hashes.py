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
from setlist.environment.requirement_lines import RequirementLine, normalised, read_resolution, with_hashes

_FRAGMENT = r"#(?:[^\s#]*&)?(md5|sha1|sha224|sha256|sha384|sha512)=([0-9A-Fa-f]+)"
_FILE = r".*?([A-Za-z0-9][A-Za-z0-9._]*)-[^/\\]*\.(?:whl|tar\.gz|zip)(?:#.*)?"


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


def hashes_in(requirement: RequirementLine, where: str) -> WrittenHashes | None:
    """The hashes of a requirement: its ``--hash`` options, and those in the fragment of a URL; None without."""
    fragments = re.findall(_FRAGMENT, requirement.target or "")
    hashes = {*requirement.hashes, *(f"{algorithm}:{value}" for algorithm, value in fragments)}
    file = re.fullmatch(_FILE, requirement.target or "") if requirement.name is None else None
    name = normalised(file[1]) if file is not None else requirement.name
    if not hashes or name is None:
        return None
    version = None if (requirement.version or "").endswith("*") else requirement.version
    return WrittenHashes(name, version, frozenset(value.lower() for value in hashes), where)


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
    for requirement in read_resolution(answer):
        allowed = _allowed(requirement, written)
        if allowed is None:
            unhashed.append(requirement.without_hashes.partition(" ;")[0])
        lines.append(
            with_hashes(requirement.without_hashes, requirement.hashes if allowed is None else sorted(allowed))
        )
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
    hashes: dict[str, set[str]] = {}
    for requirement in read_resolution(text):
        hashes.setdefault(requirement.name or "", set()).update(requirement.hashes)
    return hashes


def _allowed(requirement: RequirementLine, written: Sequence[WrittenHashes]) -> frozenset[str] | None:
    """The hashes that files of a version may have by what was written; None where nothing was."""
    name, version, served = requirement.name, requirement.version, requirement.hashes
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
