"""What a template of an environment consists of, and how it is laid out under another path and prompt."""

from __future__ import annotations

import json
import os
from pathlib import Path

from setlist.core.files import parse_json, remove_tree, write_atomically
from setlist.core.records import dataclass
from setlist.core.system import python_of
from setlist.engine.image import CorruptImage, rewrite, write

FORMAT = 2
"""Of the record, and of what is in a template: part of every template's key."""

_RECORD = "template.json"


@dataclass(frozen=True, slots=True)
class Template:
    """A template, as recorded when it was made. Its parts are relative to ``environment``, with ``/``.

    ``path`` and ``prompt`` are what its files say, and ``token`` is a part of the path that occurs nowhere
    else. The ``rewritten`` files mention them. ``relocatable`` is False where a binary does: a program
    on Windows that starts a script has the path of its interpreter in it.
    """

    place: Path
    path: str
    prompt: str
    token: str
    relocatable: bool
    directories: tuple[str, ...]
    files: tuple[str, ...]
    programs: tuple[str, ...]
    rewritten: tuple[str, ...]
    links: tuple[tuple[str, str], ...]

    @property
    def environment(self) -> Path:
        return self.place / "environment"

    def mode(self, name: str) -> int:
        """With which permissions, less the umask's, one of its files is made."""
        return 0o777 if name in self.programs else 0o666

    def content(self, name: str) -> bytes:
        """One of its files.

        Raises:
            OSError: it isn't there any more.
        """
        return _content(os.path.join(self.environment, name))

    def discard(self) -> None:
        """Remove it, so that the next one who asks makes it anew."""
        try:
            remove_tree(self.place)
        except OSError:
            return


def record_template(place: Path, token: str, prompt: str) -> None:
    """Write down what the environment in ``place/environment`` consists of.

    Args:
        place: the template's directory, under the name that it was made by.
        token: that name, or another part of its path that occurs nowhere else.
        prompt: the prompt that it was made with, which occurs nowhere else either.

    Raises:
        OSError: it can't be read, or the record not be written.
    """
    environment = place / "environment"
    parts: dict[str, list[object]] = {name: [] for name in ("directories", "files", "programs", "rewritten", "links")}
    relocatable = True
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(environment / folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                parts["links"].append((name, os.readlink(entry.path)))
            elif entry.is_dir():
                # compiled files have the path of their source in them, and Python makes them again
                if entry.name != "__pycache__":
                    parts["directories"].append(name)
                    pending.append(name)
            else:
                content = Path(entry.path).read_bytes()
                parts["files"].append(name)
                if os.access(entry.path, os.X_OK):
                    parts["programs"].append(name)
                if token.encode() in content or prompt.encode() in content:
                    parts["rewritten"].append(name)
                    relocatable = relocatable and b"\0" not in content
    relocatable = relocatable and not any(token in str(target) for _, target in _links(parts["links"]))
    record = {"path": str(environment), "prompt": prompt, "token": token, "relocatable": relocatable, **parts}
    write_atomically(place / _RECORD, json.dumps({"format": FORMAT, **record}))


def read_template(place: Path) -> Template | None:
    """The template in a directory; None where there is none, or one that can't be used any more."""
    try:
        record = parse_json((place / _RECORD).read_bytes())
        found = Template(
            place=place,
            path=str(record["path"]),
            prompt=str(record["prompt"]),
            token=str(record["token"]),
            relocatable=bool(record["relocatable"]),
            directories=tuple(map(str, record["directories"])),
            files=tuple(map(str, record["files"])),
            programs=tuple(map(str, record["programs"])),
            rewritten=tuple(map(str, record["rewritten"])),
            links=_links(record["links"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # through the link: an interpreter that is gone takes its template with it
    return found if python_of(found.environment).exists() else None


def _links(listed: list[object]) -> tuple[tuple[str, str], ...]:
    return tuple((str(pair[0]), str(pair[1])) for pair in listed if isinstance(pair, list | tuple))


def materialize(template: Template, path: str, prompt: str) -> None:
    """Make an environment from a template.

    Raises:
        Damaged: something of the template is missing, or mentions its own path in a way that we don't
            know. Nothing is written then.
        OSError: something can't be written.
    """
    contents: list[tuple[str, bytes]] = []
    rewritten = frozenset(template.rewritten)
    try:
        for name in template.files:
            content = template.content(name)
            if name in rewritten:
                content = rewrite(content, template.path, path, template.prompt, prompt)
                if template.token.encode() in content:
                    raise CorruptImage(name)
            contents.append((name, content))
    except OSError as error:
        raise CorruptImage(str(error)) from error
    os.mkdir(path)
    for name in template.directories:
        os.mkdir(os.path.join(path, name))
    for name, content in contents:
        write(os.path.join(path, name), content, template.mode(name))
    for name, target in template.links:
        os.symlink(target, os.path.join(path, name))


def _content(path: str) -> bytes:
    # a dozen files, each of a few kilobytes: what open() does besides reading takes longer
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        found = b""
        while block := os.read(descriptor, 1 << 20):
            found += block
        return found
    finally:
        os.close(descriptor)
