"""How names are compared."""

from __future__ import annotations


def normalised(name: str) -> str:
    """A project's, extra's or group's name in its normal form (PEP 503), without importing packaging."""
    plain = name.lower().replace("_", "-").replace(".", "-")
    while "--" in plain:
        plain = plain.replace("--", "-")
    return plain
