"""Parameters of slow tests: a few variants run each time, and 'run thorough' has the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

BOTH_INSTALLERS = ("uv", pytest.param("pip", marks=pytest.mark.thorough))
"""What is true of every installer. pip takes several times as long as uv."""


def sampled(variants: Iterable[Any], number: int) -> Sequence[Any]:
    """The variants as parameters of a test, of which the first few run each time.

    Args:
        variants: values of one parameter, or tuples of as many as the test names.
        number: how many of them run each time.
    """
    return [
        pytest.param(
            *(variant if isinstance(variant, tuple) else (variant,)), marks=[pytest.mark.thorough] * (n >= number)
        )
        for n, variant in enumerate(variants)
    ]
