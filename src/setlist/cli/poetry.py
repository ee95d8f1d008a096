"""What a Poetry project requires, as requirements (PEP 508).

Poetry's version constraints are PEP 440's, with ``^``, ``~``, wildcards, and alternatives in addition. Alternatives
(``^1.0 || ^2.0``) are the only ones that a requirement can't express.

Source: "Dependency specification" in Poetry's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_CLAUSE = re.compile(r"\s*(\^|~=|~|===?|!=|>=|<=|>|<|=)?\s*v?(\d[\w.*+!-]*|\*)\s*(?:,|(?=[\s^~=!<>])|$)")


class NotExpressible(ValueError):
    """A constraint that no requirement can express."""


def specifier(constraint: str) -> str:
    """A constraint as a version specifier (PEP 440): ``^1.2`` is ``>=1.2,<2``. Empty if all versions are allowed.

    Raises:
        NotExpressible: it has alternatives, or can't be read.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    clauses: list[str] = []
    position = 0
    text = constraint.strip()
    while position < len(text):
        match = _CLAUSE.match(text, position)
        if match is None:
            raise NotExpressible(constraint)
        clauses += _clauses(match[1] or "==", match[2])
        position = match.end()
    joined = ",".join(clauses)
    try:
        SpecifierSet(joined)
    except InvalidSpecifier as error:
        raise NotExpressible(constraint) from error
    return joined


def _clauses(operator: str, version: str) -> list[str]:
    from packaging.version import InvalidVersion, Version

    if version == "*":
        return []
    operator = "==" if operator == "=" else operator
    if operator not in ("^", "~"):
        return [operator + version]
    try:
        numbers = Version(version).release
    except InvalidVersion as error:
        raise NotExpressible(version) from error
    if operator == "^":
        fixed = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        fixed = min(1, len(numbers) - 1)
    upper = [*numbers[:fixed], numbers[fixed] + 1]
    return [f">={version}", f"<{'.'.join(map(str, upper))}"]


def requirements(table: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The requirements of a table of dependencies.

    Returns:
        The requirements, without Python and optional ones; and the names of those whose limits can't be expressed.
    """
    lines: list[str] = []
    unlimited: list[str] = []
    for name, value in table.items():
        if name.lower() == "python":
            continue
        for entry in value if isinstance(value, list) else [value]:
            data = {"version": entry} if isinstance(entry, str) else entry
            if not isinstance(data, dict) or data.get("optional"):
                continue
            try:
                lines.append(_requirement(name, data))
            except NotExpressible:
                lines.append(name)
                unlimited.append(name)
    return lines, unlimited


def _requirement(name: str, data: Mapping[str, Any]) -> str:
    markers = list(_markers(data))
    condition = f"; {' and '.join(markers)}" if markers else ""
    extras = data.get("extras") or []
    full = f"{name}[{','.join(map(str, extras))}]" if extras else name
    if path := data.get("path") or data.get("file"):
        local = str(path) if str(path).startswith((".", "/")) else f"./{path}"
        return f"{'-e ' if data.get('develop') else ''}{local}"
    if url := data.get("url"):
        return f"{full} @ {url}{' ' + condition if condition else ''}"
    if git := data.get("git"):
        revision = data.get("rev") or data.get("tag") or data.get("branch")
        return f"{full} @ {_git(str(git))}{f'@{revision}' if revision else ''}{' ' + condition if condition else ''}"
    return f"{full}{specifier(str(data.get('version', '*')))}{condition}"


def _git(address: str) -> str:
    match = re.fullmatch(r"([\w.-]+@[\w.-]+):(?!//)(.+)", address)
    return f"git+ssh://{match[1]}/{match[2]}" if match else f"git+{address}"


def _markers(data: Mapping[str, Any]) -> Iterator[str]:
    if python := data.get("python"):
        for clause in filter(None, specifier(str(python)).split(",")):
            operator, version = re.fullmatch(r"(\W+)(.+)", clause).groups()  # type: ignore[union-attr]
            yield f"python_full_version {operator} '{version}'"
    if platform := data.get("platform"):
        yield f"sys_platform == '{platform}'"
    if marker := data.get("markers"):
        yield f"({marker})" if " or " in str(marker) else str(marker)
