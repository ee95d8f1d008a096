"""The JSON schema of definitions, made from the table of keys: editors check and complete ``[tool.setlist]`` by it.

It is of draft 7 and in the form that SchemaStore asks for: one document for the table of a tool in pyproject.toml, and
another for files of setlist's own. What a schema can't say is left to ``run``: names that have to exist, the quotes of
a command, ``1.0`` where ``1`` is meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from setlist.core.limits import LONGEST_NAME
from setlist.registry.keys import INSTALLING, KEYS, PROJECT_KEYS, Key

Document = Literal["pyproject", "sessions"]

FILES: Mapping[Document, str] = {"pyproject": "setlist.schema.json", "sessions": "sessions.schema.json"}
"""The copies that are shipped beside this module. ``run generate`` writes them."""

_IDS: Mapping[Document, str] = {
    "pyproject": "https://json.schemastore.org/partial-setlist.json",
    "sessions": "https://json.schemastore.org/setlist-sessions.json",
}
_TITLES: Mapping[Document, str] = {
    "pyproject": "[tool.setlist] in pyproject.toml: sessions of the runner setlist",
    "sessions": "sessions/*.toml: sessions of the runner setlist",
}

# the rules of setlist.registry.naming
_NAME = {
    "pattern": r"^[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?$(?!\n)",
    "maxLength": LONGEST_NAME,
    "not": {
        "pattern": r"\.\.|^([Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]|([Cc][Oo][Mm]|[Ll][Pp][Tt])[0-9])(\.|$)"
    },
}


def schema_text(document: Document) -> str:
    """The schema as it is printed and shipped."""
    return json.dumps(schema(document), indent=2, ensure_ascii=False) + "\n"


def schema(document: Document) -> dict[str, Any]:
    """The schema of ``[tool.setlist]``, or of a file in ``sessions/``.

    Args:
        document: which one. Keys of the whole project aren't in a session file.
    """
    keys = [key for key in PROJECT_KEYS.values() if key.shared or document == "pyproject"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": _IDS[document],
        "title": _TITLES[document],
        "description": "A session is a named job with a virtual environment of its own: 'run NAME' runs it.",
        "type": "object",
        "properties": {
            **_properties(keys),
            "defaults": {
                "description": PROJECT_KEYS["defaults"].meaning,
                **_table(key for key in KEYS.values() if key.shared),
            },
            "session": {
                "description": PROJECT_KEYS["session"].meaning,
                "type": "object",
                "propertyNames": _NAME,
                "additionalProperties": {"$ref": "#/definitions/session"},
            },
        },
        "additionalProperties": False,
        "definitions": {"session": _session()},
    }


def _session() -> dict[str, Any]:
    nothing = {"enum": [[], ""]}
    return {
        "title": "a session",
        **_table(KEYS.values()),
        # without an environment, nothing can be installed
        "if": {"properties": {"backend": {"const": "none"}}, "required": ["backend"], "additionalProperties": True},
        "then": {"properties": dict.fromkeys(INSTALLING, nothing), "additionalProperties": True},
        "x-taplo": {"initKeys": ["run"]},
    }


def _table(keys: Iterable[Key]) -> dict[str, Any]:
    return {"type": "object", "properties": _properties(keys), "additionalProperties": False}


def _properties(keys: Iterable[Key]) -> dict[str, Any]:
    return {key.name: {"description": key.meaning, **key.type.schema} for key in keys}
