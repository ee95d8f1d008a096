"""The one way to read TOML: the standard library's tomllib, or tomli on a Python that has none yet."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setlist.core.errors import ConfigurationError
from setlist.core.files import read_definition


def read_toml(path: Path, shown: str) -> dict[str, Any]:
    """A TOML file as data.

    Args:
        path: the file.
        shown: what messages call it.

    Raises:
        FileNotFoundError: it isn't there.
        ConfigurationError: it can't be read, or isn't TOML; it names the line.
    """
    text = read_definition(path, shown)
    try:
        return parse_toml(text)
    except ValueError as error:
        raise syntax_error(str(error), shown, text) from error


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
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error


def syntax_error(said: str, file: str, text: str) -> ConfigurationError:
    """The error for a text that isn't TOML.

    Args:
        said: what :func:`parse_toml` raised.
        file: what messages call the file.
        text: its content.
    """
    import re

    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", said, re.DOTALL)
    if found is not None:
        problem, line, column = found[1], int(found[2]), f", column {found[3]}"
    elif " (at " not in said:
        return ConfigurationError(f"this is not TOML: {said[:1].lower()}{said[1:]}", file=file)
    else:
        problem = said.removesuffix(" (at end of document)")
        line, column = max(1, len(text.rstrip().split("\n"))), ", at the end of the file"
    written = text.split("\n")[line - 1].strip() if line <= text.count("\n") + 1 else ""
    return ConfigurationError(
        f"this is not TOML: {problem[:1].lower()}{problem[1:]}{column}", file=file, line=line, detail=written or None
    )


def toml_value(value: object) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_value(str(name))} = {toml_value(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        import json

        # a TOML basic string is JSON's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return str(value)  # dates and times, which TOML writes as ISO 8601
