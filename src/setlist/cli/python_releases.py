"""CPython's releases: which of them are supported on a given day.

Source: the release schedules of Python (PEP 602, and the PEP of each version).
"""

from __future__ import annotations

from collections.abc import Collection

CHECKED = "2026-11-28"
"""The day on which the table was compared with its source."""

RELEASES: tuple[tuple[str, str, str], ...] = (
    ("3.9", "2020-10", "2025-10"),
    ("3.10", "2021-10", "2026-10"),
    ("3.11", "2022-10", "2027-10"),
    ("3.12", "2023-10", "2028-10"),
    ("3.13", "2024-10", "2029-10"),
    ("3.14", "2025-10", "2030-10"),
    ("3.15", "2026-10", "2031-10"),
)
"""Each version with the month of its first release and the last month of its support, oldest version first."""


def supported(today: str) -> list[str]:
    """The versions that are supported on a day, written ``2026-11-28``; oldest first.

    After the support of every version in the table has ended, the newest is returned.
    """
    month = today[:7]
    versions = [version for version, first, last in RELEASES if first <= month <= last]
    return versions or [RELEASES[-1][0]]


def allowed(requires_python: str | None, versions: Collection[str]) -> list[str]:
    """The versions that ``requires-python`` allows. All of them, if there is none or it can't be read."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(requires_python or "")
    except InvalidSpecifier:
        return list(versions)
    # .99: ">=3.10.2" allows a later 3.10
    return [version for version in versions if f"{version}.99" in specifier]
