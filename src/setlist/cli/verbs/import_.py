"""Convert a noxfile to [tool.setlist], as far as it can be expressed as data; the rest is listed.

Each session's function is called in a dry run: its commands and installs are recorded and not started. A function
that changes files or starts programs itself is stopped there. The noxfile isn't changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.first_sessions import toml_key, toml_value
from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import ConfigurationError, StorageError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.providers.nox.convert import Imported

USAGE = "import nox [--write]"
OPTIONS = (Option("write", "append it to pyproject.toml instead of printing it"), *COMMON)


def run(arguments: Arguments, context: Context) -> int:
    """Print the definitions, or append them to pyproject.toml."""
    if arguments.words != ("nox",):
        raise UsageError("only a noxfile can be imported", hint="write: setlist import nox")
    from setlist.core.records import replace
    from setlist.providers.nox.convert import imported

    root = context.project.root
    file = context.project.file or root / "noxfile.py"
    if not file.is_file():
        raise UsageError(f"there is no {file.name} in {root}")
    context.use_project(replace(context.project, file=file))
    result = imported(context.registry, _dry_run(context, file.name))
    text = as_toml(result)
    if arguments.flag("write"):
        _append(context, root / "pyproject.toml", text)
    else:
        context.out.write(text)
    for name, note in result.notes:
        context.err.line(f"{name}: {note}")
    for name, why in result.left_out:
        context.err.line(f"{context.err.styled('left out', 'yellow')} {name}: {why}")
    return 0


def _dry_run(context: Context, file: str) -> Mapping[str, Mapping[str, Any]]:
    import sys

    from setlist.providers.nox.definitions import call, failed, script_spec

    job = {"root": str(context.project.root), "file": file, "arguments": ()}

    def ask(python: Path, *, in_environment: bool) -> Mapping[str, Any]:
        request = {**job, "in_environment": in_environment}
        return call("setlist.providers.nox.dry_run", request, python, context.caller.environ, context.project.root)[1]

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
            raise UsageError("[tool.setlist] exists already", where="pyproject.toml")
        after = appended(before, text)
        parse_toml(after.decode("utf-8-sig"))
        write_atomically(path.resolve(), after)
    except ValueError as error:
        raise ConfigurationError(f"[tool.setlist] can't be appended: {error}", file=path.name) from error
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    context.out.line(f"added [tool.setlist] to {path}; the noxfile isn't used any more")


def as_toml(result: Imported) -> str:
    """The definitions as TOML."""
    lines = ["[tool.setlist]"]
    if result.default:
        lines.append(f"default = {toml_value(list(result.default))}")
    notes = list(result.notes)
    for name, keys in result.sessions.items():
        own = [note for note in notes if note[0] == name]
        notes = [note for note in notes if note[0] != name]
        lines += ["", f"[tool.setlist.session.{toml_key(name)}]"]
        lines += [_comment(text) for _, text in own]
        lines += [f"{key} = {toml_value(value)}" for key, value in keys.items()]
    left = [*(f"{name}: {text}" for name, text in notes), *(f"left out {name}: {why}" for name, why in result.left_out)]
    lines += ["", *map(_comment, left)] if left else []
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    # TOML allows no control characters in comments
    return "# " + "".join(letter if letter.isprintable() else " " for letter in text)
