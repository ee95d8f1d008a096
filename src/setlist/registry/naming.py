"""Names of sessions: which are valid, how variants are named, and which sessions a name matches.

A session's name is also the name of a directory and a file, on every platform.
"""

from __future__ import annotations

import re

from setlist.core.limits import LONGEST_NAME
from setlist.core.model import Pairs, RegistryIndex
from setlist.registry.validators import ValidationError

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: reserved with any extension too
_RESERVED = r"(?is)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?"
_OPERATORS = (("===", "eq"), ("==", "eq"), (">=", "ge"), ("<=", "le"), ("!=", "ne"), ("~=", "like"))
_SIGNS = ((">", "gt"), ("<", "lt"), ("*", ""), (".", ""))


def check_name(name: str) -> None:
    """Check that a session can have this name.

    Raises:
        ValidationError: it can't; the hint proposes a valid one.
    """
    problem = _name_error(name)
    if problem is not None:
        shown = name if len(name) <= 40 else name[:39] + "…"
        hint = f"call it {proposal(name)!r}"
        if "{" in name:
            hint = 'an axis makes a session of each of its values: python = ["…", "…"], or matrix = { … }'
        raise ValidationError(f"a session can't be named {shown!r}: {problem}", hint)


def _name_error(name: str) -> str | None:
    if not name:
        return "the name is empty"
    if len(name) > LONGEST_NAME:
        return f"it has {len(name)} characters, and {LONGEST_NAME} is the limit"
    if ".." in name:
        return "it holds '..'"
    if name.endswith("."):
        return "it ends in '.', which Windows drops"
    foreign = re.search(r"[^A-Za-z0-9._+-]", name)
    if foreign is not None:
        return f"it holds {'a space' if foreign[0] == ' ' else repr(foreign[0])}"
    if not name[0].isalnum():
        return f"it begins with {name[0]!r}"
    if re.fullmatch(_RESERVED, name):
        return "Windows keeps that name for a device"
    return None


def proposal(name: str) -> str:
    """A valid name that is close to an invalid one."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", plain)
    plain = re.sub(r"\.{2,}", ".", plain)
    plain = re.sub(r"-?\.-|-{2,}", "-", plain).strip("-._+")[:LONGEST_NAME].rstrip("-._+")
    if re.fullmatch(_RESERVED, plain):
        stem, dot, rest = plain.partition(".")
        plain = f"{stem}-session{dot}{rest}"
    return plain or "session"


def variant_name(family: str, axes: Pairs) -> str:
    """The name of the session with these values: ``web`` → ``web-py39-django32``.

    Raises:
        ValidationError: a value without a letter or a digit to name the session by.
    """
    name = family
    for axis, value in axes:
        suffix = python_suffix(value) if axis == "python" else _slug(value)
        if not suffix:
            raise ValidationError(f"no name can be made from {value!r}", "use a value with letters or digits", (axis,))
        if axis == "python":
            name += f"-{suffix}"
        else:
            name += f"-{axis}-{suffix}" if suffix[0].isalpha() else f"-{axis}{suffix}"
    return name


def python_suffix(request: str) -> str:
    """The part of a session's name for its Python: ``3.11`` → ``py311``, ``pypy3.11`` → ``pypy311``.

    A range is spelled out (``>=3.10`` → ``py-ge310``), a path gives its last two parts.
    """
    version = re.fullmatch(r"(?:cpython|python|py)?-?(\d+(?:\.\d+)*t?)", request, re.IGNORECASE)
    if version is not None:
        return "py" + version[1].replace(".", "").lower()
    other = re.fullmatch(r"([A-Za-z]*py[A-Za-z]*)-?(\d+(?:\.\d+)*)", request)
    if other is not None:
        return other[1].lower() + other[2].replace(".", "")
    parts = [part for part in re.split(r"[/\\]", request) if part.lower() not in ("", "bin", "scripts", ".", "..", "~")]
    slug = _slug("-".join(parts[-2:]).removesuffix(".exe"))
    return f"py-{slug}" if slug else ""


def _slug(value: str) -> str:
    """A value as part of a name: operators spelled out, dots dropped, the rest joined by ``-``."""
    text = value
    for written, word in (*_OPERATORS, *_SIGNS):
        text = text.replace(written, word)
    return re.sub(r"[^A-Za-z0-9_+]+", "-", text).strip("-_+")


def matching(pattern: str, index: RegistryIndex) -> tuple[str, ...]:
    """The names of the sessions that a name, a family or a glob matches, in their order.

    Aliases of a provider's sessions take precedence.
    """
    aliased = alias_matching(pattern, index)
    if aliased:
        return aliased
    if pattern in index.families:
        return (pattern,)
    family = index.family(pattern)
    if family or not is_glob(pattern):
        return family
    from fnmatch import fnmatchcase

    return tuple(
        name
        for name in index.families
        if fnmatchcase(name, pattern) or (name in index.aliases and fnmatchcase(index.aliases[name][0], pattern))
    )


def alias_matching(pattern: str, index: RegistryIndex) -> tuple[str, ...]:
    """The sessions that a name means to their provider: ``tests``, ``tests-3.12``, ``tests-3.12(django='4.0')``.

    ``tests(django="4.0")`` with any quotes and spaces is the same name.
    """
    aliases_of = {name: aliases for name, (_, *aliases) in index.aliases.items()}
    exact = tuple(name for name, aliases in aliases_of.items() if pattern in aliases)
    if exact or not aliases_of or "(" not in pattern:
        return exact
    parsed = _parsed(pattern)
    return tuple(
        name
        for name, aliases in aliases_of.items()
        if any("(" in alias and _parsed(alias) == parsed for alias in aliases)
    )


def _parsed(name: str) -> str:
    import ast

    try:
        return ast.dump(ast.parse(name))
    except (SyntaxError, ValueError):
        return name


def is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def known_names(index: RegistryIndex) -> tuple[str, ...]:
    """All names that select sessions: names, families and aliases."""
    return tuple(
        dict.fromkeys(
            word for name, family in index.families.items() for word in (name, family, *index.aliases.get(name, ())[1:])
        )
    )
