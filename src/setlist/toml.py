"""The one way to read TOML: the standard library's tomllib, or tomli on a Python that has none yet."""

from __future__ import annotations

import sys
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """A TOML document as data.

    The parser is imported here, where it is used: it costs more than most of what a run imports.

    Raises:
        ValueError: it isn't TOML; the parser's own words say why and where.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)
