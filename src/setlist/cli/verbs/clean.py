"""Remove environments; the next run creates them again.

With SESSIONs: their environments, resolutions and temporary files. Without: environments of removed sessions,
half-removed directories and old builds. An environment in use is waited for. Only --cache removes the cache in
the user's directory that all projects share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import StorageError, UsageError
from setlist.core.project import ENVIRONMENTS, GUARDS, MARKS
from setlist.core.records import dataclass
from setlist.reports.console import size_text

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.project import Project

USAGE = "clean [SESSION…] [--all] [--cache] [-n]"
OPTIONS = (
    Option("all", "remove everything in .setlist"),
    Option("cache", "remove the cache of all projects: templates, interpreters"),
    Option("dry-run", "only show what would be removed", "n"),
    *COMMON,
)


@dataclass(frozen=True, slots=True)
class Doomed:
    """A path to remove. ``guard`` is the name of the environment whose lock is held meanwhile."""

    path: Path
    guard: str | None = None


def run(arguments: Arguments, context: Context) -> int:
    """Remove, and print each path with its size."""
    everything = arguments.flag("all")
    if everything and arguments.words:
        raise UsageError("--all removes everything: it takes no sessions")
    if arguments.flag("cache"):
        if everything or arguments.words:
            raise UsageError("--cache removes the cache of all projects: it takes neither --all nor sessions")
        return _report(context, [Doomed(path) for path in _of_user(context)], dry=arguments.flag("dry-run"))
    project = context.project
    dry = arguments.flag("dry-run")
    if everything:
        return _clean_all(context, project, dry=dry)
    if arguments.words:
        doomed = [item for name in _names(arguments, context) for item in _of_environment(project, name)]
    else:
        doomed = list(_unused(context))
    return _report(context, doomed, dry=dry)


def _clean_all(context: Context, project: Project, *, dry: bool) -> int:
    """Remove the whole state directory once no process uses it. Processes that start meanwhile wait."""
    from setlist.environment import locking

    waiting = f"waiting for another process that uses {project.relative(project.state)}"
    with ExitStack() as stack:
        if not dry and project.state.is_dir():
            stack.enter_context(locking.everything(project, lambda: context.err.line(waiting)))
        code = _report(context, list(_everything(project)), dry=dry)
        if not dry:
            _remove_state(project)
    return code


def _report(context: Context, doomed: Sequence[Doomed], *, dry: bool) -> int:
    """Remove unless ``dry``, and print each path with its size."""
    freed = 0
    for item in doomed:
        size = _size(item.path)
        if not dry:
            _remove(context, item)
        freed += size
        context.out.line(f"{'would remove' if dry else 'removed'} {_shown(context, item.path)} ({size_text(size)})")
    if not doomed:
        context.out.line("nothing to remove")
    else:
        context.out.line(f"{size_text(freed)} {'would be freed' if dry else 'freed'}")
    return 0


def _shown(context: Context, path: Path) -> str:
    project = context.known_project
    return str(path) if project is None else project.relative(path)


_OLDER = ("images",)
"""Entries that earlier versions made."""


def _of_user(context: Context) -> Iterator[Path]:
    """setlist's entries in the user's cache. The directory may be the user's choice, and hold other files."""
    from setlist.core.system import user_cache
    from setlist.environment.interpreters import STORE
    from setlist.environment.virtualenv import APP_DATA, TEMPLATES

    cache = user_cache(context.caller.environ)
    for name in (*_OLDER, TEMPLATES, APP_DATA, STORE):
        if os.path.lexists(cache / name):
            yield cache / name


def _names(arguments: Arguments, context: Context) -> list[str]:
    """Names of environments. The environment of a removed session can still be named."""
    names: list[str] = []
    for word in arguments.words:
        if word not in context.registry.sessions and word in _entries(context.project.environments):
            names.append(word)
        else:
            names += [session.name for session in context.select([word])]
    return list(dict.fromkeys(names))


def _of_environment(project: Project, name: str) -> Iterator[Doomed]:
    for path in (project.environment(name), project.resolution(name), project.temporary(name)):
        if os.path.lexists(path):
            yield Doomed(path, name)


def _unused(context: Context) -> Iterator[Doomed]:
    from setlist.core.files import is_owned
    from setlist.core.plugins import find_provider

    project = context.project
    current = set(context.registry.sessions)
    for name, provider in context.registry.index.providers.items():
        current.update(find_provider(provider).own_environments(context.registry.sessions[name]))
    seen: set[str] = set()
    for directory in (project.environments, project.temporary("x").parent, project.resolution("x").parent):
        for entry in _own_entries(directory):
            if entry.startswith("."):  # renamed before removal, or an unfinished temporary file
                yield Doomed(directory / entry)
                continue
            name = entry.removesuffix(".txt") if directory.name == "resolutions" else entry
            if name not in current and name not in seen:
                seen.add(name)
                yield from _of_environment(project, name)
    yield from _old_builds(project)
    yield from map(Doomed, project.older_state())
    for path in _disused(project):
        yield Doomed(path, path.name)
    for entry in _own_entries(project.state):
        if entry.startswith(".") and not is_owned(project.state / entry):
            yield Doomed(project.state / entry)


def _disused(project: Project) -> list[Path]:
    """Environments in the state directory, if the project's environments are now stored elsewhere."""
    usual = project.state / ENVIRONMENTS
    return [] if project.environments == usual else [usual / name for name in _entries(usual)]


def _old_builds(project: Project) -> Iterator[Doomed]:
    """All builds of the project except the latest, which the next run is likely to use."""
    from setlist.environment.builds import GUARD

    builds = [project.builds / entry for entry in _entries(project.builds)]
    builds.sort(key=lambda path: os.lstat(path).st_mtime)
    for path in builds[:-1]:
        yield Doomed(path, GUARD)


def _everything(project: Project) -> Iterator[Doomed]:
    for name in _own_entries(project.environments):
        yield Doomed(project.environments / name)
    yield from map(Doomed, _disused(project))
    removed_apart = (GUARDS, ENVIRONMENTS)
    for entry in _own_entries(project.state):
        if entry not in removed_apart:
            yield Doomed(project.state / entry)
    yield from map(Doomed, project.older_state())


def _remove(context: Context, item: Doomed) -> None:
    from setlist.core.files import remove_tree
    from setlist.environment.locking import exclusive

    with ExitStack() as stack:
        if item.guard is not None:
            waiting = f"waiting for another process that uses {_shown(context, item.path)}"
            stack.enter_context(exclusive(context.project, item.guard, lambda: context.err.line(waiting)))
        try:
            remove_tree(item.path)
        except OSError as error:
            raise StorageError(
                f"can't remove {_shown(context, item.path)}: {error.strerror or error}",
                hint="the rest of it is removed by the next 'setlist clean'",
            ) from error


def _remove_state(project: Project) -> None:
    """Remove the rest of .setlist: lock files, marker files, empty directories."""
    from setlist.core.files import remove_tree

    with suppress(OSError):  # Windows doesn't remove a lock file that is open; only a few bytes remain
        remove_tree(project.environments)
    for directory in (project.guarddir, project.state):
        with suppress(OSError):
            if directory is not None:
                remove_tree(directory)
                directory.parent.rmdir()


def _own_entries(directory: Path) -> list[str]:
    """The entries of a directory of setlist's, without its marker files."""
    return [name for name in _entries(directory) if name not in MARKS]


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _size(path: Path) -> int:
    """Bytes that removing it frees. A file with other hard links (an installer's cache) doesn't count."""
    try:
        status = os.lstat(path)
        if not os.path.isdir(path) or os.path.islink(path):
            return status.st_size if status.st_nlink == 1 else 0
        return sum(_size(Path(entry.path)) for entry in os.scandir(path))
    except OSError:
        return 0
