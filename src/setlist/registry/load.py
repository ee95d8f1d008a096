"""What sessions does the project have?

Sources are found, each is loaded into what it declares, and all of that becomes the registry. As
long as no file behind it changed, the compiled registry answers in place of all this, and the only
work is a ``stat`` per file. Where one changed, only that one is loaded anew.

Where there are definitions of setlist's own, those of a provider (:mod:`setlist.providers`) aren't used, unless
``sources`` in ``[tool.setlist]`` names their kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from setlist import STATE_DIRECTORY
from setlist.core.files import ACCESS, KIND, MODULES, TIMES, look, read_bytes, stat_signature
from setlist.core.model import Registry
from setlist.core.plugins import definition_files, find_provider, kind_of
from setlist.core.project import (
    FOLDERS,
    PACKAGING_HINT,
    Project,
    is_session_file,
    session_file_names,
    setuptools_packages,
)
from setlist.core.records import dataclass, replace
from setlist.registry.registry_cache import Compiled, read_compiled, same_variables, write_compiled

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.registry.definition import Declared, LoadedSource, LoaderPython

SESSION_FILES = "sessions"
"""What ``sources`` calls session files."""


@dataclass(frozen=True, slots=True)
class World:
    """What foreign definitions are loaded in: the caller's variables, and what makes an environment to load them in."""

    environ: Mapping[str, str]
    loader_python: LoaderPython | None


@dataclass(frozen=True, slots=True)
class Source:
    """One file with definitions, relative to the root, what reads it, and what ``sources`` calls its kind.

    ``provider`` reads it where the definitions aren't our own.
    """

    kind: str
    file: str
    load: Callable[[Project, str, World], Declared]
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The registry, and by what can be told that it would be the same again.

    ``signatures`` are those of the files behind it, relative to the root, and of the places where others could appear;
    None: it can't be told. ``variables`` are the environment variables that it goes by. ``warnings`` are about the
    sources, and given only where they were read.
    """

    registry: Registry
    signatures: Mapping[str, str | None] | None
    variables: tuple[str, ...] = ()
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
    def load(project: Project, file: str, world: World) -> Declared:
        declared: Declared = find_provider(provider).load(project, file, world.environ, world.loader_python)
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
    project: Project, environ: Mapping[str, str] | None = None, loader_python: LoaderPython | None = None
) -> Loaded:
    """The project's sessions. A project without definitions has an empty registry.

    Args:
        project: whose sessions.
        environ: the environment variables that foreign definitions see; this process's where they aren't given.
        loader_python: makes the environment that foreign definitions ask to be loaded in.

    Raises:
        ConfigurationError: a definition is wrong.
    """
    world = World(os.environ if environ is None else environ, loader_python)
    # looked at first: what appears from now on makes them others
    places = {file: stat_signature(project.root / file) for file in _places(project)}
    sources = tuple(_given(project)) if project.file is not None else _found(project)
    compiled = read_compiled(project)
    if (
        compiled is not None
        and compiled.sources == tuple(source.file for source in sources)
        and all(look(project.root, file) == signed for file, signed in compiled.signatures.items())
        and same_variables(compiled.variables, world.environ)
    ):
        current = compiled
        warnings: tuple[str, ...] = ()
    else:
        current, lasting = _made_anew(project, sources, compiled, world)
        warnings = tuple(_warnings(project, sources))
        if not lasting:
            return Loaded(current.registry, None, warnings=warnings)
    signatures = _whole_signatures(project, current.signatures)
    if signatures is None:
        return Loaded(current.registry, None, warnings=warnings)
    return Loaded(current.registry, {**places, **signatures}, tuple(current.variables), warnings)


def _warnings(project: Project, sources: Sequence[Source]) -> Iterator[str]:
    """Say that setuptools would package the session files, and refuse to build the project."""
    visible, _ = FOLDERS
    if any(source.file.startswith(f"{visible}/") for source in sources) and setuptools_packages(project.root, visible):
        yield f"setuptools takes {visible}/ for a package of the project, and may refuse to build it: {PACKAGING_HINT}"


def _whole_signatures(project: Project, signatures: Mapping[str, str]) -> dict[str, str | None] | None:
    """Stat signatures that change whenever one of these does; None where no such signature tells it."""
    whole: dict[str, str | None] = {}
    for looked, signed in signatures.items():
        file, _, how = looked.partition("\0")
        if f"\0{how}" == KIND and signed:
            if signed.startswith("link"):
                return None
            before = stat_signature(project.root / file)
            if look(project.root, looked) != signed:
                return None
            whole[file] = before
        elif f"\0{how}" == ACCESS and signed:
            return None
        else:
            whole[file] = signed or None
    return whole


def _places(project: Project) -> Iterator[str]:
    """Where sources can appear."""
    yield from ("pyproject.toml", *definition_files())
    for folder in FOLDERS:
        yield folder
        with suppress(OSError), os.scandir(project.root / folder) as entries:
            # what they lead to comes and goes by itself
            yield from [f"{folder}/{entry.name}" for entry in entries if entry.is_symlink()]


def _found(project: Project) -> tuple[Source, ...]:
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
    project: Project, sources: tuple[Source, ...], compiled: Compiled | None, world: World
) -> tuple[Compiled, bool]:
    """What the sources come to now, kept for the next time, and whether it was: not everything lasts."""
    from setlist.registry.build import build_registry
    from setlist.registry.definition import dump_sources, load_sources
    from setlist.registry.definition_errors import DefinitionProblem, located

    seen = SignatureCache(project)
    known = load_sources(compiled.declared) if compiled is not None else {}
    records: dict[str, LoadedSource] = {}
    wanted: tuple[str, ...] | None = None
    unused: list[str] = []
    try:
        for source in sources:
            if not _is_used(source, wanted, records):
                if not _hands_over(project, source):
                    unused.append(source.file)
                continue
            record = known.get(source.file)
            if record is None or not _is_current(record, seen, world):
                record = _loaded(project, source, seen, world)
            records[source.file] = record
            if source.kind == "pyproject":
                wanted = _sources_of(record)
        unchanged = compiled is not None and known == records
        if compiled is not None and unchanged and compiled.registry.settings.unused == tuple(unused):
            registry = compiled.registry
        else:
            registry = build_registry([record.declared for record in records.values()], unused)
    except DefinitionProblem as problem:
        raise located(problem, project.root) from None
    made = Compiled(
        tuple(source.file for source in sources),
        {file: seen.signature(file) for record in records.values() for file in record.digests},
        registry,
        compiled.declared if compiled and unchanged else dump_sources(records),
        {name: value for record in records.values() for name, value in record.declared.variables},
    )
    lasting = bool(registry.sessions) and all(record.declared.lasting for record in records.values())
    if lasting:
        write_compiled(project, made)
    return made, lasting


def _is_used(source: Source, wanted: tuple[str, ...] | None, before: Mapping[str, LoadedSource]) -> bool:
    """Whether a file's definitions count: where nothing is said, foreign ones do if there are no others."""
    if source.kind == "pyproject":
        return True  # for its settings; its sessions are left out where they aren't wanted
    if wanted is not None:
        return source.kind in wanted
    return not source.provider or not any(record.declared.definitions for record in before.values())


def _hands_over(project: Project, source: Source) -> bool:
    """Whether a foreign file is there only to show our sessions to the tool that it belongs to."""
    return bool(source.provider) and bool(find_provider(source.provider).shows_ours(project.root / source.file))


def _sources_of(record: LoadedSource) -> tuple[str, ...] | None:
    said = record.declared.top_level.settings.get("sources")
    return said if isinstance(said, tuple) else None


def _is_current(record: LoadedSource, seen: SignatureCache, world: World) -> bool:
    declared = record.declared
    return (
        declared.lasting
        and all(seen.digest(file) == value for file, value in record.digests.items())
        and same_variables(dict(declared.variables), world.environ)
    )


def _loaded(project: Project, source: Source, seen: SignatureCache, world: World) -> LoadedSource:
    from setlist.registry.definition import LoadedSource

    # Looked at before it is read: a change that falls in between is then noticed by the next run.
    digests = {source.file: seen.digest(source.file)}
    declared = source.load(project, source.file, world)
    digests |= {file: seen.digest(file) for file in declared.imports}
    return LoadedSource(digests, declared)


class SignatureCache:
    """Signatures and digests of the project's files, each taken once."""

    def __init__(self, project: Project) -> None:
        self._root = project.root
        self._signatures: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def signature(self, file: str) -> str:
        """That of :func:`setlist.core.files.look`; empty where there is no such file."""
        if file not in self._signatures:
            self._signatures[file] = look(self._root, file)
        return self._signatures[file]

    def digest(self, file: str) -> str:
        """The content's digest, for a directory that of its names; empty where it can't be read.

        Where something else than that was looked at, it is the signature.
        """
        from setlist.core.files import digest

        if file not in self._digests:
            self.signature(file)
            if file.endswith((KIND, TIMES, ACCESS)):
                self._digests[file] = self._signatures[file]
                return self._digests[file]
            path = self._root / file.partition("\0")[0]
            try:
                modules = file.endswith(MODULES)
                self._digests[file] = digest(_names_in(path, modules) if path.is_dir() else read_bytes(path))
            except OSError:
                # one that isn't there has no signature; one that can't be read as a whole is known by it
                self._digests[file] = self.signature(file)
        return self._digests[file]


def _names_in(folder: Path, modules: bool) -> str:
    """What a program sees that lists a directory, or only what it can import."""
    own = STATE_DIRECTORY.partition("/")[0]
    with os.scandir(folder) as entries:
        found = sorted(
            f"{entry.name}{'/' * entry.is_dir()}"
            for entry in entries
            if (_is_module(entry) if modules else entry.name != own)
        )
    return "\0".join(found)


def _is_module(entry: os.DirEntry[str]) -> bool:
    # what is compiled comes and goes by itself
    if entry.name.startswith((".", "__pycache__")):
        return False
    return entry.name.endswith((".py", ".so", ".pyd")) or (entry.name.isidentifier() and entry.is_dir())


# Each loader is imported when a file of its kind is to be read, which a warm run never does.


def _load_pyproject(project: Project, file: str, _: World) -> Declared:
    from setlist.registry.toml_source import load_pyproject

    return load_pyproject(project, file)


def _load_sessions_file(project: Project, file: str, _: World) -> Declared:
    package = f"{os.path.dirname(file)}/__init__.py"
    if (project.root / package).exists() and not is_session_file(project.root / file):
        return _foreign(file, package)

    from setlist.registry.toml_source import load_sessions_file

    return load_sessions_file(project, file)


def _load_given_file(project: Project, file: str, _: World) -> Declared:
    from setlist.registry.toml_source import load_given_file

    return load_given_file(project, file)


def _load_functions(project: Project, file: str, _: World) -> Declared:
    from setlist.registry.functions import load_functions

    return load_functions(project, file)


def _load_found_functions(project: Project, file: str, _: World) -> Declared:
    return _load_functions(project, file, _) if is_session_file(project.root / file) else _foreign(file)


def _foreign(file: str, *reasons: str) -> Declared:
    """A file that is no session file, though it lies where they do: it declares nothing, and isn't executed."""
    from setlist.registry.definition import Declared

    return Declared(file=file, imports=reasons)
