"""The one way to read TOML: the standard library's tomllib, or tomli on a Python that has none yet.

A warm run imports this module where a TOML file has changed, so it imports next to nothing itself.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from setlist.core.errors import ConfigurationError


def read_toml(path: Path, shown: str) -> dict[str, Any]:
    """A TOML file as data.

    Args:
        path: the file.
        shown: what messages call it.

    Raises:
        FileNotFoundError: it isn't there.
        ConfigurationError: it can't be read, or isn't TOML; it names the line.
    """
    from setlist.core.files import read_definition

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

    from setlist.core.errors import ConfigurationError

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


def backend_tables(data: Mapping[str, Any]) -> dict[str, Any]:
    """The ``[tool.*]`` tables of a pyproject.toml that its build backend may read.

    They are told by their names: hatch for hatchling and hatch-vcs, poetry for poetry-core, setuptools and
    setuptools_scm for setuptools.
    """
    build = _table(data, "build-system")
    requires = build.get("requires", ["setuptools"])
    # a backend in the tree is required by nobody
    words = [str(build.get("build-backend", "setuptools")), *map(str, requires if isinstance(requires, list) else ())]
    lines = tuple(word.lower().replace("_", "-") for word in words)

    def is_named_like(tool: str) -> bool:
        first = tool.lower().replace("_", "-").partition("-")[0]
        return any(line.startswith(first) for line in lines)

    return {name: table for name, table in _table(data, "tool").items() if name != "setlist" and is_named_like(name)}


def project_tables(data: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a pyproject.toml that are about the project, its requirements, its build and its installation."""
    tables = {name: data[name] for name in ("build-system", "project", "dependency-groups") if name in data}
    own = {name: table for name, table in _table(data, "tool").items() if name == "uv"}
    return {**tables, "tool": {**own, **backend_tables(data)}}


def digest_of_toml(content: bytes, name: str, *, definitions: bool) -> str:
    """A digest of what a TOML file says: comments and layout don't count.

    Args:
        content: the file.
        name: its name: not all of a pyproject.toml counts.
        definitions: whether that is the table of setlist's definitions; otherwise :func:`project_tables`.
    """
    try:
        data = parse_toml(content.decode("utf-8-sig"))
    except ValueError:  # whoever needs it says what is wrong with it
        from setlist.core.fingerprint import digest

        return digest(content)
    return digest_of_data(data, name, definitions=definitions)


def digest_of_data(data: Mapping[str, Any], name: str, *, definitions: bool) -> str:
    """A digest of the data of a TOML file. Arguments as for :func:`digest_of_toml`."""
    from setlist.core.fingerprint import digest

    counted: Any = data
    if name == "pyproject.toml":
        tool = data.get("tool")
        own = tool.get("setlist") if isinstance(tool, dict) else tool
        counted = own if definitions else project_tables(data)
    try:
        return digest(repr(counted))
    except ValueError:  # a number of thousands of digits: never the same, and whoever needs it says what is wrong
        import os

        return digest(os.urandom(16))


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = data.get(key)
    return table if isinstance(table, dict) else {}


def toml_value(value: object) -> str:
    """A value as TOML, on one line."""
    from collections.abc import Mapping

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
