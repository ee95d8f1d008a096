"""What moved between two locks: package by session, old and new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from setlist.core.records import dataclass
from setlist.lock.document import versions_of


@dataclass(frozen=True, slots=True)
class VersionChange:
    """One package that moved in one session's lock. ``old`` None: added; ``new`` None: removed."""

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


def moves_between(session: str, old: str | None, new: str) -> tuple[VersionChange, ...]:
    """What moved from one lock's requirements to another's, by package."""
    before, after = versions_of(old or ""), versions_of(new)
    return tuple(
        VersionChange(name, session, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def rows(moves: Iterable[VersionChange]) -> list[tuple[str, str, tuple[str, ...]]]:
    """The moves as rows of a table: package, what happened, the sessions in which it did."""
    found: dict[tuple[str, str], list[str]] = {}
    for move in moves:
        found.setdefault((move.package, str(move)), []).append(move.session)
    return [(package, what, tuple(sessions)) for (package, what), sessions in sorted(found.items())]


def differing(bodies: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The packages that have more than one version across sessions: package → version → sessions."""
    found: dict[str, dict[str, list[str]]] = {}
    for session, body in bodies.items():
        for name, version in versions_of(body).items():
            found.setdefault(name, {}).setdefault(version, []).append(session)
    return {
        name: {version: tuple(sessions) for version, sessions in versions.items()}
        for name, versions in sorted(found.items())
        if len(versions) > 1
    }
