"""Collect what can be completed: verbs, options, and the names of a project.

They come from the tables that ``--help`` is made from, and from the registry. No code of the project is executed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist import cli
from setlist.cli import main, run
from setlist.cli.context import Context
from setlist.cli.fast_path import key_of_completion
from setlist.cli.options import DIRECTORY, FILE, VERBS, Arguments, Option, parse
from setlist.cli.verbs import load_verb
from setlist.core.errors import SetlistError
from setlist.engine.trace import Store
from setlist.engine.world import FILE as FILE_CONTENT
from setlist.engine.world import World
from setlist.registry.load import last_loaded, load

if TYPE_CHECKING:
    from setlist.core.model import Registry
    from setlist.core.project import Project
    from setlist.registry.load import Loaded


def make_table(words: Sequence[str]) -> Any:
    """The data of :class:`setlist.cli.completion.Table`, for a command line that is being typed.

    It is kept if the project has a state directory already: pressing Tab makes none.
    """
    loaded, project = _loaded(words)
    registry = None if loaded is None else loaded.registry
    data = (dict(VERBS), dict(_commands()), *_names(registry))
    if loaded is not None and loaded.trace is not None and project is not None and project.state.is_dir():
        _keep(project, loaded, data)
    return data


def _commands() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What can be typed after ``run``, after ``setlist``, and after each verb."""
    yield "setlist", ((), None, _plain(main.OPTIONS))
    yield "run", (("[SESSION…]",), None, _plain(run.OPTIONS))
    for name in VERBS:
        if name != "run":
            verb = load_verb(name)
            rest: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
            yield name, (positional_arguments(verb.USAGE), rest, _plain(verb.OPTIONS))


def _plain(options: Sequence[Option]) -> tuple[tuple[Any, ...], ...]:
    return tuple((option.name, option.short, option.metavar, option.help, option.values) for option in options)


def positional_arguments(usage: str) -> tuple[str, ...]:
    """The words of a usage line between the verb and the first option."""
    words = []
    for word in usage.split()[1:]:
        if word.startswith(("-", "[-")):
            break
        words.append(word)
    return tuple(words)


def _loaded(words: Sequence[str]) -> tuple[Loaded | None, Project | None]:
    """The project that the words are about, and its sessions as far as they are known without running its code."""
    context = Context.current()
    project = None
    with suppress(SetlistError):
        context.apply_options(_place(words))
        project = context.project
        return load(project, context.caller.environ, execute=False), project
    # somebody is editing the definitions: those before the mistake are better than none
    return None if project is None else last_loaded(project, context.caller.environ), project


def _place(words: Sequence[str]) -> Arguments:
    """The options ``-C`` and ``-f`` among the complete words."""
    flags: list[str] = []
    before = list(words[:-1])
    if "--" in before:
        del before[before.index("--") :]
    for index, word in enumerate(before):
        if word in ("-C", "--directory", "-f", "--file"):
            flags += before[index : index + 2] if index + 1 < len(before) else []
        elif word.startswith(("-C", "--directory=", "-f", "--file=")):
            flags.append(word)
    return parse(flags, (DIRECTORY, FILE), command="setlist completion")


def _names(registry: Registry | None) -> tuple[Any, ...]:
    """The sessions with their descriptions, families with their sizes, tags and Pythons."""
    if registry is None:
        return {}, {}, (), ()
    index = registry.index
    sizes: dict[str, int] = {}
    for family in index.families.values():
        sizes[family] = sizes.get(family, 0) + 1
    return (
        {name: session.description for name, session in registry.sessions.items()},
        {family: size for family, size in sizes.items() if family not in registry.sessions},
        tuple(dict.fromkeys(tag for tags in index.tags.values() for tag in tags)),
        tuple(dict.fromkeys(index.pythons.values())),
    )


def _keep(project: Project, loaded: Loaded, data: Any) -> None:
    """Keep the table of the project in whose root we are, as long as its definitions and our options are the same."""
    if loaded.trace is None or project.file is not None or Path.cwd() != project.root:
        return
    world = World(str(project.root), os.environ)
    world.include_trace(loaded.trace)
    with suppress(OSError):
        for file in _own_files():
            world.look(FILE_CONTENT, file)
        Store(str(project.store), str(project.root), os.environ).put(key_of_completion(world.root), world, data)


def _own_files() -> Iterator[str]:
    """The modules that verbs and options are declared in."""
    for folder in cli.__path__:
        for directory in (folder, os.path.join(folder, "verbs")):
            with os.scandir(directory) as entries:
                yield from (entry.path for entry in entries if entry.name.endswith(".py"))
