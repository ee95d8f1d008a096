"""Remove environments; the next run makes them again.

With SESSIONs, theirs, with what they were resolved to and their temporary files. Without, what no
session uses any more: environments of sessions that are gone, half-removed directories, old builds.
An environment that is in use is waited for. What all projects share, in the user's cache, goes with --cache alone.
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
    Option("cache", "remove the cache of all projects: images, templates, interpreters"),
    Option("dry-run", "only show what would be removed", "n"),
    *COMMON,
)


@dataclass(frozen=True, slots=True)
class Doomed:
    """Something to remove. ``guard`` is the name of the environment it belongs to, if it does."""

    path: Path
    guard: str | None = None


def run(arguments: Arguments, context: Context) -> int:
    """Remove, and say what and how much."""
    everything = arguments.flag("all")
    if everything and arguments.words:
        raise UsageError("--all removes everything: naming sessions beside it makes no sense")
    if arguments.flag("cache"):
        if everything or arguments.words:
            raise UsageError("--cache is about all projects: it goes with neither --all nor sessions")
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
    """Remove all of the state directory, when nobody uses anything in it. Whoever begins meanwhile waits."""
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
    """Remove, unless it is ``dry``, and say what and how much."""
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


def _of_user(context: Context) -> Iterator[Path]:
    """What is ours in the user's cache; the directory may be one that was named, and hold other things."""
    from setlist.core.system import user_cache
    from setlist.environment.images import FOLDER as IMAGES
    from setlist.environment.interpreters import FILE
    from setlist.environment.virtualenv import APP_DATA, TEMPLATES

    cache = user_cache(context.caller.environ)
    for name in (IMAGES, TEMPLATES, APP_DATA, FILE):
        if os.path.lexists(cache / name):
            yield cache / name


def _names(arguments: Arguments, context: Context) -> list[str]:
    """Names of environments. One whose session is gone from the definitions can still be named."""
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
    known = set(context.registry.sessions)
    for name, provider in context.registry.outline.providers.items():
        known.update(find_provider(provider).own_environments(context.registry.sessions[name]))
    seen: set[str] = set()
    for directory in (project.environments, project.temporary("x").parent, project.resolution("x").parent):
        for entry in _own_entries(directory):
            if entry.startswith("."):  # renamed away to be removed, or a file that was being written
                yield Doomed(directory / entry)
                continue
            name = entry.removesuffix(".txt") if directory.name == "resolutions" else entry
            if name not in known and name not in seen:
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
    """Environments in the state directory of a project that keeps them elsewhere now."""
    usual = project.state / ENVIRONMENTS
    return [] if project.environments == usual else [usual / name for name in _entries(usual)]


def _old_builds(project: Project) -> Iterator[Doomed]:
    """All builds of the project but the latest, which the next run is likely to ask for."""
    from setlist.environment.builds import GUARD

    builds = [project.builds / entry for entry in _entries(project.builds)]
    builds.sort(key=lambda path: os.lstat(path).st_mtime)
    for path in builds[:-1]:
        yield Doomed(path, GUARD)


def _everything(project: Project) -> Iterator[Doomed]:
    for name in _own_entries(project.environments):
        yield Doomed(project.environments / name)
    yield from map(Doomed, _disused(project))
    kept = (GUARDS, ENVIRONMENTS)
    for entry in _own_entries(project.state):
        if entry not in kept:
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
    """What is left of .setlist: locks that nobody needs now, its own marks, empty directories."""
    from setlist.core.files import remove_tree

    with suppress(OSError):  # Windows removes no lock file that somebody has open; what is left is a few bytes
        remove_tree(project.environments)
    for directory in (project.guarddir, project.state):
        with suppress(OSError):
            if directory is not None:
                remove_tree(directory)
                directory.parent.rmdir()


def _own_entries(directory: Path) -> list[str]:
    """What is in a directory of ours, but for what marks it as one."""
    return [name for name in _entries(directory) if name not in MARKS]


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _size(path: Path) -> int:
    """Bytes that go when it goes: a file that is also elsewhere (an installer's cache) doesn't count."""
    try:
        status = os.lstat(path)
        if not os.path.isdir(path) or os.path.islink(path):
            return status.st_size if status.st_nlink == 1 else 0
        return sum(_size(Path(entry.path)) for entry in os.scandir(path))
    except OSError:
        return 0
