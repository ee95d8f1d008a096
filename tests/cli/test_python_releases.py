"""Which versions of Python are supported on a day."""

from __future__ import annotations

import pytest

from setlist.cli.python_releases import CHECKED, RELEASES, allowed, supported


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-09-30", ["3.10", "3.11", "3.12", "3.13", "3.14"]),
        ("2026-10-31", ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]),
        ("2026-11-28", ["3.11", "3.12", "3.13", "3.14", "3.15"]),
        ("2040-01-01", ["3.15"]),
    ],
)
def test_support_begins_and_ends_by_month(today: str, expected: list[str]) -> None:
    assert supported(today) == expected


def test_the_table_is_whole_and_in_order() -> None:
    minors = [int(version.partition(".")[2]) for version, _, _ in RELEASES]
    assert minors == list(range(minors[0], minors[-1] + 1))
    for _, first, last in RELEASES:
        assert int(last[:4]) - int(first[:4]) == 5
        assert first[4:] == last[4:] == "-10"
    assert CHECKED[:7] >= RELEASES[-1][1]


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        (None, ["3.12", "3.13", "3.14"]),
        ("nonsense", ["3.12", "3.13", "3.14"]),
        (">=3.13", ["3.13", "3.14"]),
        (">=3.12.2,<3.14", ["3.12", "3.13"]),
        ("==3.12.*", ["3.12"]),
    ],
)
def test_requires_python_allows_versions(requires: str | None, expected: list[str]) -> None:
    assert allowed(requires, ["3.12", "3.13", "3.14"]) == expected
