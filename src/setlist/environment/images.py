"""Which environments are kept as images, by which the next one with the very same packages is laid out at once.

Installing means to unpack, link and describe each package, whoever does it. Where exact versions with hashes were
installed into a new environment, what came of it is what would come of it again: so it is kept
(:mod:`setlist.engine.image` says how), by a key of all that decides about it. What is installed after that, the project
under test, isn't part of it. An image isn't made where the installer has copied: it was told not to share files, or
can't between these two disks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.files import remove_tree, temporary_name
from setlist.core.fingerprint import digest, signature_of, stat_signature
from setlist.core.model import EnvironmentSpec
from setlist.core.system import bin_directory, machine
from setlist.engine import image
from setlist.engine.image import FORMAT, RECORD, CorruptImage, read, record_line, rewrite
from setlist.engine.trace import STATE
from setlist.environment.requirement_lines import options_of, read_resolution
from setlist.environment.snapshot import damaged
from setlist.environment.virtualenv import Template, is_shebang_too_long, plain_place, site_packages

FOLDER = "images"
"""Where they are in the user's cache."""

KEPT = 64
"""How many images are kept."""

UNUSED = 30 * 86_400
"""Seconds after which one that wasn't used is removed."""

_WISHES = ("UV_LINK_MODE", "UV_NO_CACHE", "UV_COMPILE_BYTECODE")

_OURS = frozenset({STATE, "requirements.txt", "resolved.txt", ".lock"})
"""What lies in an environment beside what it consists of: ours, and the installer's lock."""


class NotCacheable(Exception):
    """An environment that can't be kept, and why."""


def key_of(spec: EnvironmentSpec, template: str, installer: str, text: str, inputs: Mapping[str, str]) -> str | None:
    """By which the image of an environment is found; None where it depends on more than can be said.

    Args:
        spec: what is asked for.
        template: the name of what the bare environment is laid out from.
        installer: the program that installs.
        text: the resolution, without the project under test.
        inputs: all of the environment's.
    """
    if spec.installer != "uv" or spec.link_mode not in (None, "hardlink") or spec.maker or not text or options_of(text):
        return None
    if not all(pin.version and pin.hashes for pin in read_resolution(text)):
        return None
    settings = [item for item in inputs.items() if item[0].startswith(("tool.uv", "variable ", "settings "))]
    # a home may be shared by machines that take different wheels
    made_from = (FORMAT, machine(), template, installer, stat_signature(installer), spec.index_url, sorted(settings))
    return digest(repr((made_from, text)))


def are_welcome(environ: Mapping[str, str]) -> bool:
    """Whether the caller has no views of his own on which files are shared, or on what else is to be there."""
    return all(environ.get(name, "hardlink") in ("", "hardlink") for name in _WISHES)


def place_of(cache: Path, key: str) -> Path:
    """Where the image of that key is, there or not."""
    return cache / FOLDER / key


def materialize(place: Path, environment: Path, prompt: str) -> bool:
    """Make an environment from an image; False where that can't be done, and nothing is there then.

    Args:
        place: the image's directory.
        environment: the environment's; nothing is there yet.
        prompt: what a shell shows when it is activated.
    """
    found = read(str(place))
    path = plain_place(environment, prompt)
    if found is None:
        with suppress(OSError):  # what can't be read is in the way of one that can
            remove_tree(place)
    if found is None or path is None or is_shebang_too_long(path):
        return False
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
        image.materialize(str(place), found, path, prompt, stat_signature)
    except (CorruptImage, OSError) as error:
        with suppress(OSError):
            remove_tree(environment)
            if isinstance(error, CorruptImage):
                remove_tree(place)
        return False
    return True


def keep(place: Path, environment: Path, template: Template) -> None:
    """Keep a new environment, before anybody has worked in it. What comes from a URL or a directory is left out.

    Args:
        place: the image's.
        environment: the environment's.
        template: what it was laid out from.

    Raises:
        Unfit: it can't be kept.
        OSError: the cache can't be written to, or is on another disk.
    """
    path = plain_place(environment, environment.name)
    if path is None or is_shebang_too_long(path) or not template.relocatable:
        raise NotCacheable("what mentions its path can't be written for another one")
    making = temporary_name(place)
    try:
        making.mkdir(parents=True)
        if os.stat(making).st_dev != os.stat(path).st_dev:
            raise NotCacheable("it is on another disk than the cache")
        record, sources = _described(path, template, site_packages(environment))
        if damaged(site_packages(environment), 0):
            raise NotCacheable("a file isn't what its package's RECORD says: the installer's cache is damaged")
        for number, source in enumerate(sources):
            os.link(source, f"{making}/{number}")
        from marshal import dumps

        (making / RECORD).write_bytes(dumps(record, 4))
        with suppress(OSError):  # another run was faster
            os.rename(making, place)
    finally:
        with suppress(OSError):
            remove_tree(making)
    with suppress(OSError):
        _prune(place.parent)


def _prune(home: Path) -> None:
    """Remove the images that nobody has used for long, or as many as are too many."""
    used = []
    for entry in os.scandir(home):
        if entry.name.startswith("."):
            with suppress(OSError):
                if entry.stat().st_mtime < time.time() - 3600:  # left by somebody who was killed
                    remove_tree(Path(entry.path))
            continue
        try:
            used.append((os.stat(os.path.join(entry.path, RECORD)).st_mtime, entry.path))
        except OSError:
            used.append((0.0, entry.path))
    used.sort(reverse=True)
    for number, (when, path) in enumerate(used):
        if number >= KEPT or when < time.time() - UNUSED:
            with suppress(OSError):
                remove_tree(Path(path))


def _described(path: str, template: Template, sites: Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """The record of an environment's image, and the files to be linked, by their numbers."""
    left_out = _left_out(path, sites)
    here, programs = path.encode(), bin_directory(Path(path)).name
    files: dict[str, str] = {}
    written: dict[str, tuple[int, bytes]] = {}
    links: list[tuple[str, str]] = []
    own = frozenset(template.files)
    for name, entry in _walk(path, ""):
        if name in left_out or name in _OURS:
            continue
        if entry.is_symlink():
            target = os.readlink(entry.path)
            if path in target:
                raise NotCacheable(f"{name} leads to {target}")
            links.append((name, target))
            continue
        status = os.stat(entry.path)
        content = _content(entry.path) if status.st_nlink == 1 else b""
        if name in own:
            made = template.content(name)
            if rewrite(made, template.path, path, template.prompt, os.path.basename(path)) != content:
                raise NotCacheable(f"{name} isn't what it was")
            written[name] = template.mode(name), made
        elif here in content:
            if b"\0" in content:
                raise NotCacheable(f"{name} has the environment's path in it")
            written[name] = status.st_mode & 0o777, content.replace(here, template.path.encode())
        else:
            folder = name.rpartition("/")[0]
            if status.st_nlink == 1 and not (folder.endswith(".dist-info") or folder == programs):
                raise NotCacheable(f"{name} was copied")
            files[name] = signature_of(status)
    records = _records(path, written, [name for name in files if name.endswith(".dist-info/RECORD")])
    for name, _ in records:
        del files[name]
    described = {
        "format": FORMAT,
        "path": template.path,
        "prompt": template.prompt,
        "directories": _directories(path, template, sites, (*files, *written, *(name for name, _ in links))),
        "files": tuple(files.items()),
        "written": tuple((name, mode, content) for name, (mode, content) in written.items()),
        "links": tuple(links),
        "records": records,
    }
    return described, [f"{path}/{name}" for name in files]


def _records(
    path: str, written: dict[str, tuple[int, bytes]], candidates: Iterable[str]
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The RECORDs that name files that differ from environment to environment: they do so too, and are written."""
    found = []
    for record in candidates:
        content = _content(f"{path}/{record}")
        named = []
        for line in content.splitlines():
            name = line.partition(b",")[0].decode()
            file = _beside(record, name)
            if file in written:
                if line != record_line(name, _content(f"{path}/{file}")):
                    raise NotCacheable(f"{record} says something else of {file}")
                named.append((name, file))
        if named:
            written[record] = 0o666, content
            found.append((record, tuple(named)))
    return tuple(found)


def _left_out(path: str, sites: Sequence[Path]) -> set[str]:
    """The files of what didn't come from an index: the project under test."""
    found: set[str] = set()
    for site in sites:
        for origin in site.glob("*.dist-info/direct_url.json"):
            info = os.path.relpath(os.path.realpath(origin.parent), path).replace(os.sep, "/")
            lines = (origin.parent / "RECORD").read_text(encoding="utf-8").splitlines()
            found |= {_beside(f"{info}/RECORD", line.partition(",")[0].strip('"')) for line in lines}
            found |= {f"{info}/{name}" for name in os.listdir(origin.parent)}
    return found


def _beside(record: str, name: str) -> str:
    """A file that a RECORD names: relative to where packages are."""
    return os.path.normpath(os.path.join(record, "..", "..", name)).replace(os.sep, "/")


def _directories(path: str, template: Template, sites: Sequence[Path], names: Iterable[str]) -> tuple[str, ...]:
    """All directories that an environment of these files has, each after the one it is in."""
    found = set(template.directories)
    # as keep_caches_apart has it
    found |= {f"{os.path.relpath(os.path.realpath(site), path).replace(os.sep, '/')}/__pycache__" for site in sites}
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return tuple(sorted(found))


def _walk(path: str, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All that isn't a directory, with its path relative to the environment, in the order of their names."""
    with os.scandir(f"{path}/{folder}") as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        name = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_symlink() or not entry.is_dir():
            if folder.endswith("__pycache__"):
                raise NotCacheable(f"{name} is compiled, and has its path in it")
            yield name, entry
        else:
            yield from _walk(path, name)


def _content(path: str) -> bytes:
    with open(path, "rb", 0) as stream:
        return stream.read()
