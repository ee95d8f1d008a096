"""What sessions does the project have?

Sources are found, each is loaded into what it declares, and all of that becomes the registry. As
long as no file behind it changed, the compiled registry answers in place of all this, and the only
work is a ``stat`` per file. Where one changed, only that one is loaded anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from setlist.files import stat_signature
from setlist.model import Registry
from setlist.project import Project
from setlist.records import dataclass
from setlist.registry.compiled import Compiled, read_compiled, write_compiled

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.registry.definition import Declared
    from setlist.registry.records import Record

FOLDER = "sessions"


@dataclass(frozen=True, slots=True)
class Source:
    """One file with definitions, relative to the root, and what reads it."""

    file: str
    load: Callable[[Project, str], Declared]


def _pyproject(project: Project) -> Iterator[Source]:
    if (project.root / "pyproject.toml").is_file():
        yield Source("pyproject.toml", _load_pyproject)


def _session_files(project: Project) -> Iterator[Source]:
    loaders = {".toml": _load_sessions_file, ".py": _load_functions}
    try:
        with os.scandir(project.root / FOLDER) as entries:
            # hidden files are editors' own, and a name that begins with _ is for what files share
            names = sorted(entry.name for entry in entries if not entry.name.startswith((".", "_")) and entry.is_file())
    except OSError:
        return
    for ending, load in loaders.items():
        yield from (Source(f"{FOLDER}/{name}", load) for name in names if name.endswith(ending))


# What a project has by itself. A noxfile's or a tox.ini's finder takes its place in this row.
SOURCES: tuple[Callable[[Project], Iterator[Source]], ...] = (_pyproject, _session_files)


def load_registry(project: Project) -> Registry:
    """The project's sessions. A project without definitions has an empty registry.

    Raises:
        ConfigurationError: a definition is wrong.
    """
    sources = tuple(_given(project)) if project.file is not None else _found(project)
    compiled = read_compiled(project)
    if (
        compiled is not None
        and compiled.sources == tuple(source.file for source in sources)
        and all(stat_signature(project.root / file) == signed for file, signed in compiled.signatures.items())
    ):
        return compiled.registry
    return _made_anew(project, sources, compiled)


def _found(project: Project) -> tuple[Source, ...]:
    return tuple(source for find in SOURCES for source in find(project))


def _given(project: Project) -> Iterator[Source]:
    """The file given with ``-f``, which stands in for all that would be found."""
    assert project.file is not None
    name = project.file.name
    if name == "pyproject.toml":
        yield Source(name, _load_pyproject)
    elif name.endswith(".py"):
        yield Source(name, _load_functions)
    else:
        yield Source(name, _load_given_file)


def _made_anew(project: Project, sources: tuple[Source, ...], compiled: Compiled | None) -> Registry:
    from setlist.registry.build import build_registry
    from setlist.registry.definition import Problem
    from setlist.registry.location import located
    from setlist.registry.records import packed, unpacked

    seen = _Seen(project)
    known = unpacked(compiled.packed) if compiled is not None else {}
    records: dict[str, Record] = {}
    try:
        for source in sources:
            record = known.get(source.file)
            if record is None or not all(seen.digest(file) == value for file, value in record.digests.items()):
                record = _loaded(project, source, seen)
            records[source.file] = record
        unchanged = compiled is not None and known == records
        registry = (
            compiled.registry
            if compiled is not None and unchanged
            else build_registry([record.declared for record in records.values()])
        )
    except Problem as problem:
        raise located(problem, project.root) from None
    if registry.sessions:
        signatures = {file: seen.signature(file) for record in records.values() for file in record.digests}
        write_compiled(
            project,
            Compiled(
                tuple(records), signatures, registry, compiled.packed if compiled and unchanged else packed(records)
            ),
        )
    return registry


def _loaded(project: Project, source: Source, seen: _Seen) -> Record:
    from setlist.registry.records import Record

    # Looked at before it is read: a change that falls in between is then noticed by the next run.
    digests = {source.file: seen.digest(source.file)}
    declared = source.load(project, source.file)
    digests |= {file: seen.digest(file) for file in declared.imports}
    return Record(digests, declared)


class _Seen:
    """Signatures and digests of the project's files, each taken once."""

    def __init__(self, project: Project) -> None:
        self._root = project.root
        self._signatures: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def signature(self, file: str) -> str:
        """The stat signature; empty where there is no such file."""
        if file not in self._signatures:
            self._signatures[file] = stat_signature(self._root / file) or ""
        return self._signatures[file]

    def digest(self, file: str) -> str:
        """The content's digest; empty where the file can't be read."""
        from setlist.files import digest

        if file not in self._digests:
            self.signature(file)
            try:
                self._digests[file] = digest((self._root / file).read_bytes())
            except OSError:
                self._digests[file] = ""
        return self._digests[file]


# Each loader is imported when a file of its kind is to be read, which a warm run never does.


def _load_pyproject(project: Project, file: str) -> Declared:
    from setlist.registry.toml import load_pyproject

    return load_pyproject(project, file)


def _load_sessions_file(project: Project, file: str) -> Declared:
    from setlist.registry.toml import load_sessions_file

    return load_sessions_file(project, file)


def _load_given_file(project: Project, file: str) -> Declared:
    from setlist.registry.toml import load_given_file

    return load_given_file(project, file)


def _load_functions(project: Project, file: str) -> Declared:
    from setlist.registry.functions import load_functions

    return load_functions(project, file)
