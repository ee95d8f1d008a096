"""Parameters for tests that are true of every installer."""

from __future__ import annotations

import pytest

BOTH_INSTALLERS = ("uv", pytest.param("pip", marks=pytest.mark.thorough))
"""pip takes several times as long as uv: 'run thorough' has its variants."""
