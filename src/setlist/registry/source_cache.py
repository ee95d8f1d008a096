"""How is what one source declared kept beside the compiled registry? As plain data, one record a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from setlist.core.files import parse_json
from setlist.core.model import FunctionReference
from setlist.core.records import dataclass
from setlist.registry.definition import Declared, Definition, Place, TopLevel
from setlist.registry.keys import Keys
from setlist.registry.registry_cache import frozen, plain, session_of


@dataclass(frozen=True, slots=True)
class Record:
    """What one source declared, and the digests of what it was made from: itself and what it imports."""

    digests: Mapping[str, str]
    declared: Declared


def dump(records: Mapping[str, Record]) -> str:
    """Records as text."""
    return json.dumps(
        {
            file: {"digests": dict(record.digests), "declared": plain(record.declared)}
            for file, record in records.items()
        },
        separators=(",", ":"),
    )


def load(text: str) -> dict[str, Record]:
    """Records from text; none where it isn't what :func:`dump` wrote."""
    try:
        return {
            file: Record(dict(data["digests"]), _declared(data["declared"])) for file, data in parse_json(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _declared(data: Mapping[str, Any]) -> Declared:
    place = data.get("defaults_place")
    top_level = dict(data.get("top_level", {}))
    if "default" in top_level:
        top_level["default"] = tuple(top_level["default"])
    top_level["settings"] = {name: frozen(value) for name, value in top_level.get("settings", {}).items()}
    return Declared(
        file=data["file"],
        definitions=tuple(map(_definition, data.get("definitions", ()))),
        defaults=cast("Keys", data.get("defaults", {})),
        defaults_place=None if place is None else _place(place),
        for_all=data.get("for_all", False),
        top_level=TopLevel(**top_level),
        imports=tuple(data.get("imports", ())),
        sessions=tuple(map(session_of, data.get("sessions", ()))),
        variables=frozen(data.get("variables", [])),
        lasting=data.get("lasting", True),
    )


def _definition(data: Mapping[str, Any]) -> Definition:
    function = data.get("function")
    return Definition(
        data["name"],
        cast("Keys", data["keys"]),
        _place(data["place"]),
        None if function is None else FunctionReference(**function),
    )


def _place(data: Mapping[str, Any]) -> Place:
    return Place(data["file"], tuple(data.get("path", ())), data.get("line"))
