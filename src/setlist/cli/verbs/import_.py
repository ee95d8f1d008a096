"""Print what a noxfile defines as [tool.setlist], as far as it can be said as data; what can't is listed.

Each session's function runs in a dry run: commands and installs are noted, none is started, and a function
that changes files or starts programs by itself is stopped there. The noxfile is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import ConfigurationError, StorageError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.providers.nox.convert import Imported

USAGE = "import nox [--write]"
OPTIONS = (Option("write", "append it to pyproject.toml instead of printing it"), *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Print or write it."""
    if arguments.words != ("nox",):
        raise UsageError("what is imported is a noxfile", hint="write: setlist import nox")
    from setlist.core.records import replace
    from setlist.providers.nox.convert import imported

    root = context.project.root
    file = context.project.file or root / "noxfile.py"
    if not file.is_file():
        raise UsageError(f"there is no {file.name} in {root}")
    context.use_project(replace(context.project, file=file))
    found = imported(context.registry, _noted(context, file.name))
    text = as_toml(found)
    if arguments.flag("write"):
        _append(context, root / "pyproject.toml", text)
    else:
        context.out.write(text)
    for name, note in found.notes:
        context.err.line(f"{name}: {note}")
    for name, why in found.left_out:
        context.err.line(f"{context.err.styled('left out', 'yellow')} {name}: {why}")
    return 0


def _noted(context: Context, file: str) -> Mapping[str, Mapping[str, Any]]:
    import sys

    from setlist.providers.nox.definitions import call, failed, script_spec

    job = {"root": str(context.project.root), "file": file, "arguments": ()}

    def ask(python: Path, *, in_environment: bool) -> Mapping[str, Any]:
        given = {**job, "in_environment": in_environment}
        return call("setlist.providers.nox.dry_run", given, python, context.caller.environ, context.project.root)[1]

    answer = ask(Path(sys.executable), in_environment=False)
    if "script" in answer:
        with context.loader_python(script_spec(answer["script"]), file) as python:
            answer = ask(python, in_environment=True)
    if "error" in answer:
        raise failed(context.project, file, answer["error"])
    sessions: Mapping[str, Mapping[str, Any]] = answer["sessions"]
    return sessions


def _append(context: Context, path: Path, text: str) -> None:
    from setlist.cli.verbs.init import appended
    from setlist.core.files import read_bytes, write_atomically
    from setlist.core.toml import parse_toml

    try:
        before = read_bytes(path) if path.exists() else b""
        if "setlist" in parse_toml(before.decode("utf-8-sig")).get("tool", {}):
            raise UsageError("there is a [tool.setlist] already", where="pyproject.toml")
        after = appended(before, text)
        parse_toml(after.decode("utf-8-sig"))
        write_atomically(path.resolve(), after)
    except ValueError as error:
        raise ConfigurationError(f"[tool.setlist] can't be appended: {error}", file=path.name) from error
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    context.out.line(f"added [tool.setlist] to {path}; from now on the noxfile isn't used")


def as_toml(found: Imported) -> str:
    """The definitions as TOML."""
    lines = ["[tool.setlist]"]
    if found.default:
        lines.append(f"default = {_value(list(found.default))}")
    notes = list(found.notes)
    for name, keys in found.sessions.items():
        own = [note for note in notes if note[0] == name]
        notes = [note for note in notes if note[0] != name]
        quoted = name if all(letter.isalnum() or letter in "-_" for letter in name) else json.dumps(name)
        lines += ["", f"[tool.setlist.session.{quoted}]"]
        lines += [_comment(text) for _, text in own]
        lines += [f"{key} = {_value(value)}" for key, value in keys.items()]
    left = [*(f"{name}: {text}" for name, text in notes), *(f"left out {name}: {why}" for name, why in found.left_out)]
    lines += ["", *map(_comment, left)] if left else []
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    # TOML allows no control characters in one
    return "# " + "".join(letter if letter.isprintable() else " " for letter in text)


def _value(value: Any) -> str:
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        items = [_value(item) for item in value]
        flat = f"[{', '.join(items)}]"
        return flat if len(flat) <= 80 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if all(letter.isalnum() or letter in "-_" for letter in name) else json.dumps(name)
