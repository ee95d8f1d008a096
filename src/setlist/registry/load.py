"""What sessions does the project have?

Sources are found, each is loaded into what it declares, and all of that becomes the registry. What was looked at for it
is its trace (:mod:`setlist.engine.trace`): while that is the same, the registry is read from the store. If something
differs, only the sources that it concerns are loaded again: what each declares is an entry of its own.

Where there are definitions of setlist's own, those of a provider (:mod:`setlist.providers`) aren't used, unless
``sources`` in ``[tool.setlist]`` names their kind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from setlist.core.errors import StorageError
from setlist.core.model import Registry, RegistryIndex, SessionSpec, Settings
from setlist.core.plugins import definition_files, find_provider, kind_of, misplaced
from setlist.core.project import (
    FOLDERS,
    PACKAGING_HINT,
    Project,
    is_session_file,
    session_file_names,
    setuptools_packages,
)
from setlist.core.records import DecodeError, dataclass, dump, replace
from setlist.core.records import load as load_record
from setlist.engine.trace import Found, Store
from setlist.engine.world import DEFINITIONS, FILE, KIND, World

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from setlist.engine.world import Trace
    from setlist.registry.definition import Declared, LoaderPython

SESSION_FILES = "sessions"
"""What ``sources`` calls session files."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file with definitions, relative to the root, what reads it, and what ``sources`` calls its kind.

    ``provider`` reads it where the definitions aren't our own.
    """

    kind: str
    file: str
    load: Callable[[Project, str, World, LoaderPython | None], Declared]
    provider: str = ""

    @property
    def is_code(self) -> bool:
        """Whether loading it executes the project's code."""
        return bool(self.provider) or self.file.endswith(".py")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The registry, and what was looked at for it; None: that can't be looked at again.

    ``warnings`` are about the sources, and given only where they were read.
    """

    registry: Registry
    trace: Trace | None
    warnings: tuple[str, ...] = ()


def _pyproject(project: Project) -> Iterator[Source]:
    if (project.root / "pyproject.toml").is_file():
        yield Source("pyproject", "pyproject.toml", _load_pyproject)


def _session_files(project: Project) -> Iterator[Source]:
    loaders = {".toml": _load_sessions_file, ".py": _load_found_functions}
    for folder in FOLDERS:
        names = session_file_names(project.root / folder)
        for ending, load in loaders.items():
            yield from (Source(SESSION_FILES, f"{folder}/{name}", load) for name in names if name.endswith(ending))


def _foreign_files(project: Project) -> Iterator[Source]:
    for file, provider in definition_files().items():
        if (project.root / file).is_file():
            yield _foreign_source(file, provider)


def _foreign_source(file: str, provider: str) -> Source:
    def load(project: Project, file: str, world: World, loader_python: LoaderPython | None) -> Declared:
        declared: Declared = find_provider(provider).load(project, file, world, loader_python)
        return declared

    return Source(kind_of(file), file, load, provider)


# What a project has by itself
SOURCES: tuple[Callable[[Project], Iterator[Source]], ...] = (_pyproject, _session_files, _foreign_files)


def load_registry(
    project: Project, environ: Mapping[str, str] | None = None, loader_python: LoaderPython | None = None
) -> Registry:
    """The registry of :func:`load`."""
    return load(project, environ, loader_python).registry


def load(
    project: Project,
    environ: Mapping[str, str] | None = None,
    loader_python: LoaderPython | None = None,
    *,
    execute: bool = True,
) -> Loaded:
    """The project's sessions. A project without definitions has an empty registry.

    Args:
        project: whose sessions.
        environ: the environment variables that foreign definitions see; this process's where they aren't given.
        loader_python: makes the environment that foreign definitions ask to be loaded in.
        execute: whether the project's code may be executed. If not, what it declared last counts, and nothing is kept.

    Raises:
        ConfigurationError: a definition is wrong.
    """
    variables = os.environ if environ is None else environ
    store = Store(str(project.store), str(project.root), variables)
    found = store.get(entry_key("registry", project))
    if isinstance(found, Found):
        with suppress(DecodeError):
            return Loaded(_registry_of(found.value), found.trace)
    world = World(str(project.root), variables)
    sources = _sources(project, world)
    registry = _made_anew(project, sources, store, world, loader_python, execute=execute)
    if registry.sessions and execute:
        _keep(project, store, entry_key("registry", project), world, _data_of(registry))
    warnings = tuple(_warnings(project, sources))
    return Loaded(registry, world.trace if registry.sessions and world.is_repeatable else None, warnings)


def last_loaded(project: Project, environ: Mapping[str, str]) -> Loaded | None:
    """The registry that was kept last, whether it is current or not; None if there is none."""
    found = Store(str(project.store), str(project.root), environ).last(entry_key("registry", project))
    if found is not None:
        with suppress(DecodeError):
            return Loaded(_registry_of(found.value), None)
    return None


def entry_key(kind: str, project: Project, file: str = "") -> str:
    """The key of an entry. Another Python, and another command line of a provider's, may declare other sessions."""
    given = project.relative(project.file) if project.file is not None else ""
    return "\0".join((f"{kind}/{sys.implementation.cache_tag}", sys.platform, given, file, *project.provider_arguments))


def _keep(project: Project, store: Store, key: str, world: World, value: object) -> None:
    """Keep what was loaded. Where that can't be written, the next run loads it again."""
    with suppress(OSError, StorageError):
        project.prepare()
        store.put(key, world, value)


def _data_of(registry: Registry) -> object:
    """The registry as data of which a run reads as much as it uses: its settings, its index, and a few sessions."""
    from marshal import dumps

    sessions = {name: dumps(dump(session, defaults=False)) for name, session in registry.sessions.items()}
    return dump(registry.settings, defaults=False), dump(registry.index), sessions


def _registry_of(data: Any) -> Registry:
    if not isinstance(data, tuple) or len(data) != 3:
        raise DecodeError("not a registry")
    settings, index, sessions = data
    return Registry.with_index(
        LazySessions(sessions), load_record(Settings, settings), load_record(RegistryIndex, index)
    )


class LazySessions(Mapping[str, SessionSpec]):
    """Sessions that were kept as data, each made when it is first used."""

    def __init__(self, data: Mapping[str, bytes]) -> None:
        self._data = data
        self._made: dict[str, SessionSpec] = {}

    def __getitem__(self, name: str) -> SessionSpec:
        session = self._made.get(name)
        if session is None:
            from marshal import loads

            session = self._made[name] = load_record(SessionSpec, loads(self._data[name]))  # noqa: S302 - our own
        return session

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


def _warnings(project: Project, sources: Sequence[Source]) -> Iterator[str]:
    """Warn if setuptools would package the session files and refuse to build, and of files that declare nothing."""
    visible, _ = FOLDERS
    if any(source.file.startswith(f"{visible}/") for source in sources) and setuptools_packages(project.root, visible):
        yield f"setuptools takes {visible}/ for a package of the project, and may refuse to build it: {PACKAGING_HINT}"
    if not any(source.provider for source in sources):
        yield from _without_sessions(project, sources)


def _without_sessions(project: Project, sources: Sequence[Source]) -> Iterator[str]:
    """Files among the session files with sessions that only another tool would find."""
    from setlist.core.files import read_bytes

    for source in sources:
        path = project.root / source.file
        if source.kind == SESSION_FILES and path.suffix == ".py" and not is_session_file(path):
            with suppress(OSError):
                problem = misplaced(read_bytes(path))
                if problem is not None:
                    line, message, hint = problem
                    yield f"{source.file}:{line}: {message}: {hint}"


def _sources(project: Project, world: World) -> tuple[Source, ...]:
    """The project's sources. Where they could appear is recorded."""
    if project.file is not None:
        return tuple(_given(project))
    root = str(project.root)
    for file in ("pyproject.toml", *definition_files()):
        world.is_file(os.path.join(root, file))
    for folder in FOLDERS:
        place = os.path.join(root, folder)
        for name in world.names(place, kind=DEFINITIONS) or ():
            world.is_file(os.path.join(place, name))
    return tuple(source for find in SOURCES for source in find(project))


def _given(project: Project) -> Iterator[Source]:
    """The file given with ``-f``, which stands in for all that would be found."""
    assert project.file is not None
    name = project.file.name
    if name == "pyproject.toml":
        yield Source("pyproject", name, _load_pyproject)
    elif provider := _provider_of(project, project.file):
        yield replace(_foreign_source(name, provider), kind=kind_of(_own_file(provider)))
    elif name.endswith(".py"):
        yield Source(SESSION_FILES, name, _load_functions)
    else:
        yield Source(SESSION_FILES, name, _load_given_file)


def _provider_of(project: Project, file: Path) -> str:
    """The provider that reads a file given with ``-f``; empty for a file of our own definitions."""
    files = definition_files()
    if file.name in files:
        return files[file.name]
    names = dict.fromkeys(files.values())
    return next((name for name in names if project.provider_arguments or find_provider(name).reads(file)), "")


def _own_file(provider: str) -> str:
    return next(file for file, name in definition_files().items() if name == provider)


def _made_anew(
    project: Project,
    sources: Sequence[Source],
    store: Store,
    world: World,
    loader_python: LoaderPython | None,
    *,
    execute: bool,
) -> Registry:
    """Load the sources that have changed, and build the registry from all."""
    from setlist.registry.build import build_registry
    from setlist.registry.definition_errors import DefinitionProblem, located

    declared: list[Declared] = []
    wanted: tuple[str, ...] | None = None
    unused: list[str] = []
    try:
        for source in sources:
            if not _is_used(source, wanted, declared):
                world.look(FILE, os.path.join(world.root, source.file))
                if not _hands_over(project, source):
                    unused.append(source.file)
                continue
            declared.append(_declared(project, source, store, world, loader_python, execute=execute))
            if source.kind == "pyproject":
                wanted = _sources_of(declared[-1])
        return build_registry(declared, unused)
    except DefinitionProblem as problem:
        raise located(problem, project.root) from None


def _is_used(source: Source, wanted: tuple[str, ...] | None, before: Sequence[Declared]) -> bool:
    """Whether a file's definitions count: where nothing is said, foreign ones do if there are no others."""
    if source.kind == "pyproject":
        return True  # for its settings; its sessions are left out where they aren't wanted
    if wanted is not None:
        return source.kind in wanted
    return not source.provider or not any(declared.definitions for declared in before)


def _hands_over(project: Project, source: Source) -> bool:
    """Whether a foreign file is there only to show our sessions to the tool that it belongs to."""
    return bool(source.provider) and bool(find_provider(source.provider).shows_ours(project.root / source.file))


def _sources_of(declared: Declared) -> tuple[str, ...] | None:
    sources = declared.top_level.settings.get("sources")
    return sources if isinstance(sources, tuple) else None


def _declared(
    project: Project,
    source: Source,
    store: Store,
    world: World,
    loader_python: LoaderPython | None,
    *,
    execute: bool,
) -> Declared:
    """What a source declares, and in ``world`` what was looked at for it."""
    from setlist.registry.definition import Declared

    key = entry_key("source", project, source.file)
    found = store.get(key)
    if isinstance(found, Found):
        with suppress(DecodeError):
            declared = load_record(Declared, found.value)
            world.include_trace(found.trace)
            return declared
    if source.is_code and not execute:
        world.is_repeatable = False
        last = store.last(key)
        return Declared(file=source.file) if last is None else load_record(Declared, last.value)
    own = world.part()
    own.look(FILE, os.path.join(own.root, source.file))
    declared = source.load(project, source.file, own, loader_python)
    if execute and (declared.definitions or declared.sessions or project.state.is_dir()):
        _keep(project, store, key, own, dump(declared, defaults=False))
    world.include(own)
    return declared


# Each loader is imported when a file of its kind is to be read, which a warm run never does.


def _load_pyproject(project: Project, file: str, world: World, *_: object) -> Declared:
    from setlist.registry.toml_source import load_pyproject

    return load_pyproject(project, file, world)


def _load_sessions_file(project: Project, file: str, world: World, *_: object) -> Declared:
    package = f"{os.path.dirname(file)}/__init__.py"
    if world.look(KIND, os.path.join(world.root, package)) is not None and not is_session_file(project.root / file):
        return _foreign(file)

    from setlist.registry.toml_source import load_sessions_file

    return load_sessions_file(project, file, world)


def _load_given_file(project: Project, file: str, world: World, *_: object) -> Declared:
    from setlist.registry.toml_source import load_given_file

    return load_given_file(project, file, world)


def _load_functions(project: Project, file: str, world: World, *_: object) -> Declared:
    from setlist.registry.functions import load_functions

    return load_functions(project, file, world)


def _load_found_functions(project: Project, file: str, world: World, *_: object) -> Declared:
    return _load_functions(project, file, world) if is_session_file(project.root / file) else _foreign(file)


def _foreign(file: str) -> Declared:
    """A file that is no session file, though it lies where they do: it declares nothing, and isn't executed."""
    from setlist.registry.definition import Declared

    return Declared(file=file)
