"""Collect the requirements of a session: from its keys, from files and from the project's metadata.

The declared requirements, the groups (PEP 735), the requirement and constraint files with all that they include, and
the project's own metadata become one list for the resolver, and inputs of the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import ConfigurationError
from setlist.core.files import read_definition, text_or_nothing
from setlist.core.fingerprint import digest
from setlist.core.limits import DEEPEST_INCLUDES
from setlist.core.logins import Logins, masked, refers_to_login, without_logins
from setlist.core.project import Project
from setlist.core.records import dataclass, field, replace
from setlist.engine.world import FILE, World
from setlist.environment.hashes import WrittenHashes, hashes_in
from setlist.environment.local_project import is_computed, look_at_build, look_at_metadata, name_of, read_project
from setlist.environment.pyproject import Pyproject
from setlist.environment.requirement_lines import (
    FILE_OPTIONS,
    INDEX_OPTIONS,
    VARIABLE,
    FileLine,
    RequirementLine,
    named_file,
    normalised,
    parse_requirement,
    path_beside,
    read_lines,
    with_variables,
)
from setlist.environment.uv_sources import (
    Sourced,
    Sources,
    as_constraints,
    direct_reference,
    local_directories,
    read_sources,
)
from setlist.registry.definition_errors import definition_error

if TYPE_CHECKING:
    from setlist.core.model import SessionSpec
    from setlist.environment.uv_sources import Entry


def _nowhere() -> World:
    return World("", {})


@dataclass(slots=True)
class Requirements:
    """All that a session requires.

    ``lines`` are the requirements themselves, ``files`` and ``constraints`` the files that the resolver
    reads itself, ``project_line`` is the project under test as a local directory, if it is installed.
    ``inputs`` maps each input's name to its value, ``world`` is the recording of what was read for them. ``options``
    says that a file names an index (``option_lines`` are these lines). ``sourced`` are requirements with the
    ``[tool.uv.sources]`` that apply to them; ``sources`` are all that apply to anything, those of local projects
    included, and ``indexes`` what they may name; ``source_lines`` are they as constraints for pip. ``hashes`` are
    those written beside requirements and constraints, ``require_hashes`` says that a file demands one for each
    package. ``direct``
    are the normalised names of the direct requirements, ``project_names`` the project's own, as far as it is known
    without a build. ``repositories`` are the requirements from version control, by normalised name. ``rebuilt`` are the
    names of local projects that an installer may have an older build of, "" for one that only a build would name.
    ``logins`` are those of all URLs in what was read.
    """

    lines: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    constraints: list[Path] = field(default_factory=list)
    project_line: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    options: bool = False
    option_lines: list[str] = field(default_factory=list)
    sourced: list[Sourced] = field(default_factory=list)
    sources: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    indexes: list[Entry] = field(default_factory=list)
    source_lines: list[str] = field(default_factory=list)
    hashes: list[WrittenHashes] = field(default_factory=list)
    require_hashes: bool = False
    repositories: dict[str, set[str]] = field(default_factory=dict)
    direct: set[str] = field(default_factory=set)
    project_names: tuple[str, ...] = ()
    rebuilt: set[str] = field(default_factory=set)
    logins: Logins = field(default_factory=Logins)
    world: World = field(default_factory=_nowhere)

    @property
    def hashed(self) -> bool:
        """Whether packages must have hashes that a requirements file states."""
        return self.require_hashes or bool(self.hashes)

    def __bool__(self) -> bool:
        """Whether anything is to be resolved."""
        return bool(self.lines or self.files or self.project_line or self.sourced)


def gather(project: Project, session: SessionSpec, pyproject: Pyproject, world: World) -> Requirements:
    """Collect everything that a session requires.

    Args:
        project: the project of the session.
        session: the session.
        pyproject: the pyproject.toml of the project.
        world: records what is read, and has the environment variables.

    Raises:
        ConfigurationError: a group, an extra or a file that isn't there, a malformed requirement.
    """
    spec = session.environment
    requirements = Requirements(world=world)
    environ = world.environ
    for text in _texts(pyproject.data):
        requirements.logins.hide(text)
    if spec.index_url:
        requirements.logins.hide(spec.index_url)
    sources = Sources()
    if spec.deps or spec.groups or spec.project is not None:
        sources = read_sources(project.root, pyproject.data)
        _note_files(requirements, sources.files - {pyproject.path})
    for line in spec.deps:
        requirements.logins.hide(line)
        _note(requirements, parse_requirement(line, project.root), "deps")
    _add(requirements, spec.deps, sources.applying(), project)
    if spec.deps:
        requirements.inputs["deps"] = masked(", ".join(spec.deps))
    for group in spec.groups:
        lines = resolve_group(group, pyproject, project, session)
        for line in lines:
            _note(requirements, parse_requirement(line, project.root), f"group {group}")
        _add(requirements, lines, sources.applying(group=group), project)
        requirements.inputs[f"group {group}"] = masked(", ".join(lines))
    for kind, names, files in (
        ("requirements", spec.requirements, requirements.files),
        ("constraints", spec.constraints, requirements.constraints),
    ):
        for name in names:
            path = Path(os.path.normpath(project.root / name))
            files.append(path)

            def blame(message: str, kind: str = kind) -> ConfigurationError:
                hint = "paths are relative to the project's root"
                return definition_error(project.root, session, kind, message, hint)

            _read_file(requirements, path, project, environ, blame, is_requested=kind == "requirements", seen=set())
        if names:
            # A file's digest alone doesn't say what it is for
            requirements.inputs[kind] = ", ".join(names)
    if spec.extras and spec.project is None:
        raise definition_error(
            project.root,
            session,
            "extras",
            "extras are the project's, and the project isn't installed here",
            'say how with project = "editable", "wheel" or "sdist"',
        )
    if spec.project is not None:
        from setlist.environment.metadata import describe_project

        description = describe_project(project, session, pyproject)
        requirements.inputs["project metadata"] = description.digest
        _note_files(requirements, description.files - {pyproject.path})
        if description.name is not None:
            requirements.project_names = (normalised(description.name),)
            requirements.direct |= set(requirements.project_names)
        extras = f"[{','.join(spec.extras)}]" if spec.extras else ""
        if extras:
            requirements.inputs["extras"] = ", ".join(spec.extras)
        # The directory serves to resolve in every mode: a wheel of it says the same of its requirements
        requirements.project_line = (
            f"-e {project.root.as_uri()}{extras}"
            if description.name is None or spec.project == "editable"
            else f"{description.name}{extras} @ {project.root.as_uri()}"
        )
        # uv applies them to the project's own requirements by itself
        _note_sources(requirements, sources.of_project(spec.extras), project)
    if requirements.sources:
        requirements.inputs["sources"] = _portable(requirements.sources, requirements.indexes, project.root)
        if spec.installer == "pip":
            requirements.source_lines = as_constraints(requirements.sources)
    return requirements


def read_named_files(requirements: Requirements, session: SessionSpec, project: Project) -> None:
    """Look at the files that the installer's settings name, and make them inputs: the installer reads them itself.

    Raises:
        ConfigurationError: one can't be read.
    """
    from setlist.environment.installer_config import named_files

    world, installer = requirements.world, session.environment.installer
    named = named_files(installer, world.environ, project.root)

    def blame(message: str) -> ConfigurationError:
        return ConfigurationError(message, hint=f"a setting of {installer} names it")

    for path in (*named.requirements, *named.constraints_of_builds):
        # nothing in it is required: it constrains what is
        _read_file(requirements, path, project, world.environ, blame, is_requested=False, seen=set())
    if named.constraints_of_builds:
        read = [requirements.inputs[f"file {project.relative(path)}"] for path in named.constraints_of_builds]
        requirements.inputs["build constraints"] = digest("".join(read))
    # what a function installs stays as it is until it asks for something else
    if named.wheels and not session.installs_itself:
        names = [world.names(str(place), installer) for place in named.wheels]
        requirements.inputs["directories of wheels"] = digest(repr(names))


def _texts(value: object) -> Iterator[str]:
    """Every string in data, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def logins_of(project: Project, session: SessionSpec, text: str, environ: Mapping[str, str]) -> Logins | None:
    """The logins of resolved requirements, read again from where they were written.

    Args:
        project: whose session it is.
        session: the session.
        text: the resolved requirements.
        environ: the environment variables.

    Returns:
        None where no login is in the text.

    Raises:
        ConfigurationError: as :func:`gather`.
    """
    if not refers_to_login(text):
        return None
    from setlist.environment.pyproject import read_pyproject

    logins = gather(project, session, read_pyproject(project), World(str(project.root), environ)).logins
    if session.installs_itself:
        logins.hide(text_or_nothing(project.root / session.origin.file))
    return logins


def _add(requirements: Requirements, lines: Sequence[str], sources: Sources, project: Project) -> None:
    """Add the requirements of one key, which these sources apply to."""
    plain, sourced = sources.divided([_absolute(line, project.root) for line in lines])
    requirements.lines += plain
    for line in plain:
        _watch_local(requirements, line, project)
    if sourced is not None:
        requirements.sourced.append(sourced)
        _note_sources(requirements, replace(sources, entries=sourced.sources), project)


def _note_files(requirements: Requirements, files: Iterable[Path]) -> None:
    world = requirements.world
    world.observed("setlist", [(FILE, str(file)) for file in sorted(files)], world.begun)


def _note_sources(requirements: Requirements, sources: Sources, project: Project) -> None:
    for name, entries in sources.entries.items():
        known = requirements.sources.get(name, ())
        requirements.sources[name] = (*known, *(entry for entry in entries if entry not in known))
        for entry in entries:
            if "git" in entry and "marker" not in entry:
                requirements.repositories.setdefault(name, set()).add(f"{name} @ {direct_reference(entry)}")
    requirements.indexes += [index for index in sources.indexes if index not in requirements.indexes]
    for text in _texts([*sources.entries.values(), *sources.indexes]):
        requirements.logins.hide(text)
    for path, editable in local_directories(sources.entries):
        _watch_path(requirements, path, editable, project)


def _portable(sources: Mapping[str, Sequence[Entry]], indexes: Sequence[Entry], root: Path) -> str:
    """Sources as an input: the same on every machine."""
    plain = [
        (name, sorted((key, _relative(str(value), root)) for key, value in entry.items()))
        for name, entries in sorted(sources.items())
        for entry in entries
    ]
    named = {str(entry["index"]) for entries in sources.values() for entry in entries if "index" in entry}
    places = [(index["name"], _relative(str(index["url"]), root)) for index in indexes if str(index["name"]) in named]
    return digest(repr((plain, places)))


def _relative(value: str, root: Path) -> str:
    if not os.path.isabs(value):
        return value
    try:
        return os.path.relpath(value, root).replace(os.sep, "/")
    except ValueError:  # another drive
        return value


def resolve_group(group: str, pyproject: Pyproject, project: Project, session: SessionSpec) -> list[str]:
    """The requirements of a dependency group, its includes followed (PEP 735).

    Raises:
        ConfigurationError: there is no such group, or it is malformed.
    """
    groups = pyproject.table("dependency-groups")
    if normalised(group) not in {normalised(name) for name in groups}:
        from setlist.core.errors import nearest

        near = nearest(group, groups)
        raise definition_error(
            project.root,
            session,
            "groups",
            f"there is no dependency group {group!r} in {project.relative(pyproject.path)}",
            f"did you mean {near!r}?" if near else "groups are tables of [dependency-groups] (PEP 735)",
        )
    try:
        return requirements_of_group(groups, group)
    except GroupError as error:
        raise ConfigurationError(
            f"dependency group {error.group!r} is malformed: {error}",
            file=project.relative(pyproject.path),
            key=f"dependency-groups.{error.group}",
        ) from error


class GroupError(ValueError):
    """What is wrong with a dependency group. ``group`` is its name as written."""

    def __init__(self, group: str, message: str) -> None:
        super().__init__(message)
        self.group = group


def requirements_of_group(groups: Mapping[str, object], group: str) -> list[str]:
    """The requirements of a dependency group and of all that it includes, in their order, each once (PEP 735).

    packaging's own function calls itself for each include and repeats a group as often as a path leads to it: too
    deep for a chain of a thousand, and without end for 26 groups that each include the next one twice.

    Raises:
        GroupError: it isn't there, is malformed, or includes itself.
    """
    named: dict[str, list[str]] = {}
    for name in groups:
        named.setdefault(normalised(name), []).append(name)
    lines: dict[str, None] = {}
    done: set[str] = set()
    # the groups that are being read, each included by the one before it, with the entries that are still ahead
    way = {normalised(group): iter(_entries(groups, named, group, group))}
    while way:
        key = next(reversed(way))
        written = named[key][0]
        entry = next(way[key], None)
        if entry is None:
            done.add(key)
            del way[key]
        elif isinstance(entry, str):
            lines[_checked(entry, written)] = None
        elif isinstance(entry, Mapping) and [*entry] == ["include-group"] and isinstance(entry["include-group"], str):
            included = normalised(entry["include-group"])
            if included in way:
                circle = [*list(way)[list(way).index(included) :], included]
                raise GroupError(written, f"groups include each other in a circle: {' → '.join(circle)}")
            if included not in done:
                way[included] = iter(_entries(groups, named, entry["include-group"], written))
        else:
            raise GroupError(written, f'{entry!r} is neither a requirement nor {{include-group = "NAME"}}')
    return list(lines)


def _entries(groups: Mapping[str, object], named: Mapping[str, list[str]], name: str, including: str) -> list[object]:
    written = named.get(normalised(name), [])
    if not written:
        raise GroupError(including, f"it includes {name!r}, and there is no such group")
    if len(written) > 1:
        raise GroupError(written[0], f"{written[0]!r} and {written[1]!r} are the same name")
    entries = groups[written[0]]
    if not isinstance(entries, list):
        raise GroupError(written[0], "it isn't a list")
    return entries


def _checked(text: str, group: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise GroupError(group, f"{text!r} is no requirement: {str(error).splitlines()[0]}") from error
    return text


def _read_file(
    requirements: Requirements,
    path: Path,
    project: Project,
    environ: Mapping[str, str],
    blame: Callable[[str], ConfigurationError],
    *,
    is_requested: bool,
    seen: set[Path],
    depth: int = 0,
) -> None:
    """Read a file and what it includes. ``blame`` makes the error for whoever named it."""
    if path in seen:
        return
    if depth == DEEPEST_INCLUDES:
        raise blame(f"{project.relative(path)}: files include each other more than {depth} deep")
    seen.add(path)
    try:
        text = read_definition(path, project.relative(path), read=requirements.world.read)
    except FileNotFoundError as error:
        raise blame(f"{project.relative(path)}: no such file") from error
    lines = tuple(read_lines(text))
    said = "".join(f"{line.text}\n" for line in lines)  # comments don't count
    # ${NAME} in a requirements file is replaced by the installer, so the variable is an input as well, unless a login
    counting = set(re.findall(VARIABLE, without_logins(said)))
    named = sorted(set(re.findall(VARIABLE, said)))
    variables = "".join(f"\0{name}={environ.get(name) if name in counting else None}" for name in named)
    requirements.inputs[f"file {project.relative(path)}"] = digest(said + variables)
    requirements.logins.hide(text)
    for line in lines:
        if line.option in INDEX_OPTIONS:
            requirements.options = True
            requirements.option_lines.append(requirements.logins.hide(_with_absolute_wheels(line, path.parent)))
        elif line.option in FILE_OPTIONS:
            included = named_file(path.parent, with_variables(line.value, environ))
            if included is not None:

                def blame_line(message: str, number: int = line.number) -> ConfigurationError:
                    return ConfigurationError(message, file=project.relative(path), line=number)

                requested = is_requested and line.option == "-r"
                _read_file(
                    requirements,
                    included,
                    project,
                    environ,
                    blame_line,
                    is_requested=requested,
                    seen=seen,
                    depth=depth + 1,
                )
        elif line.option in ("", "-e"):
            # relative to where the installer is started, not to the file
            requirement = parse_requirement(line.text, project.root)
            _note(requirements, requirement, f"{project.relative(path)}:{line.number}", is_requested=is_requested)
            if requirement.path is not None:
                _watch_local(requirements, _absolute(line.text, project.root), project)
        elif line.option == "--require-hashes":
            requirements.require_hashes = True


def _with_absolute_wheels(line: FileLine, base: Path) -> str:
    if line.option not in ("-f", "--find-links") or "://" in line.value or "$" in line.value:
        return line.text
    return f"{line.option} {path_beside(base, line.value).as_uri()}"


def _note(requirements: Requirements, requirement: RequirementLine, where: str, *, is_requested: bool = True) -> None:
    """Note the name, repository and hashes of a requirement."""
    if is_requested and requirement.name is not None and not requirement.editable:
        requirements.direct.add(requirement.name)
        if requirement.is_from_version_control:
            requirements.repositories.setdefault(requirement.name, set()).add(requirement.line.split(" #")[0].strip())
    if (hashes := hashes_in(requirement, where)) is not None:
        requirements.hashes.append(hashes)


def _absolute(line: str, base: Path) -> str:
    """A local requirement as an absolute URL; any other unchanged.

    Relative paths in a definition mean the project's root, whatever file the resolver reads them from. A path in a
    requirements file can't be quoted: after a space, ``#`` or ``-`` starts something else, and ``${NAME}`` is replaced.
    """
    requirement = parse_requirement(line, base)
    if requirement.path is None or not requirement.is_path:
        return line
    path, extras, tail = requirement.path.resolve(), requirement.brackets, requirement.tail
    if requirement.prefix:
        return f"{'-e ' if requirement.editable else ''}{requirement.prefix}{path.as_uri()}{tail}"
    if requirement.editable:
        return f"-e {path.as_uri()}{extras}{tail}"
    # pip reads no extras behind a URL without a name, and uv no "#" in one
    name = name_of(read_project(path))
    if name is not None:
        return f"{name}{extras} @ {path.as_uri()}{tail}"
    return f"{path}{extras}{tail}" if extras else f"{path.as_uri()}{tail}"


def _watch_local(requirements: Requirements, line: str, project: Project) -> None:
    """Make the file or directory of a local requirement an input: its metadata, or all of it where it is copied."""
    requirement = parse_requirement(line, project.root)
    if requirement.path is not None:
        _watch_path(requirements, requirement.path, requirement.editable, project)


def _watch_path(requirements: Requirements, path: Path, editable: bool, project: Project) -> None:
    name = f"local {project.relative(path)}"
    if path == project.root or name in requirements.inputs:
        return
    world = requirements.world
    if not path.is_dir():
        requirements.inputs[name] = world.look(FILE, str(path)) or "missing"
        return
    data = read_project(path)
    look = look_at_metadata if editable else look_at_build
    requirements.inputs[name] = look(world, path, data)
    if not editable or is_computed(data):
        requirements.rebuilt.add(name_of(data) or "")
    # what it takes from beside it is installed with it
    sources = read_sources(path)
    _note_files(requirements, sources.files)
    _note_sources(requirements, sources.of_project(), project)
