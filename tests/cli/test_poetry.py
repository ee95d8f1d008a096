"""Poetry's constraints as version specifiers."""

from __future__ import annotations

import pytest

from setlist.cli.poetry import NotExpressible, requirements, specifier


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("*", ""),
        ("1.2.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        ("=1.2", "==1.2"),
        (">= 1.0, < 2.0", ">=1.0,<2.0"),
        (">=1.0 <2.0", ">=1.0,<2.0"),
        ("^1.2,!=1.2.4", ">=1.2,<2,!=1.2.4"),
    ],
)
def test_constraint_is_a_specifier(constraint: str, expected: str) -> None:
    assert specifier(constraint) == expected


@pytest.mark.parametrize("constraint", ["^1 || ^2", "^1|^2", "newest", "1.2 x", "1.x"])
def test_what_no_specifier_says_is_refused(constraint: str) -> None:
    with pytest.raises(NotExpressible):
        specifier(constraint)


def test_several_constraints_are_several_requirements() -> None:
    lines, unlimited = requirements(
        {
            "python": "^3.8",
            "tool": [{"version": "^1", "python": "<3.9"}, {"version": "^2", "markers": "os_name == 'nt' or 1 == 1"}],
            "odd": 3,
        }
    )
    assert lines == ["tool>=1,<2; python_full_version < '3.9'", "tool>=2,<3; (os_name == 'nt' or 1 == 1)"]
    assert unlimited == []
