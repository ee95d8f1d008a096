"""What an install command requests: ``pip install -e .[dev] -r more.txt``, read as pip and uv read it.

Two questions are answered: would the same command do the same as last time (:func:`inputs_of`), and which
distributions do the packages that it installs belong to (:func:`roots_of`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.files import read_text, text_or_nothing
from setlist.core.fingerprint import digest
from setlist.core.limits import DEEPEST_INCLUDES
from setlist.core.records import dataclass, field
from setlist.engine.world import World
from setlist.environment.markers import holds
from setlist.environment.requirement_lines import (
    FILE_OPTIONS,
    INDEX_OPTIONS,
    Argument,
    RequirementLine,
    named_file,
    normalised,
    parse_requirement,
    path_beside,
    read_lines,
    read_words,
    with_variables,
)
from setlist.environment.requirements import GroupError, requirements_of_group

_BUILD = frozenset(
    """
    -C --config-settings --config-setting --global-option --build-option --no-build-isolation -q -qq -qqq --quiet
    -v -vv -vvv --verbose --disable-pip-version-check --no-input
    """.split()  # noqa: SIM905 - quotes would hide it
)
_ELSEWHERE = frozenset(("-t", "--target", "--prefix", "--root", "--user", "--dry-run", "--python", "-p", "--system"))
"""With these the command isn't about the session's environment, or that can't be told."""


@dataclass(slots=True)
class InstallArgs:
    """What an install command names.

    ``requirements`` are those in the command and in its files. ``texts`` are the requirement and constraint files that
    were read, with those that they include; ``unread`` are the files that can't be read. ``requirement_files`` and
    ``constraint_files`` are those that the command names. ``groups`` are (file, name) pairs, ``projects`` files like
    pyproject.toml with the ``extras`` that are requested of them. ``options`` are all other options. ``elsewhere``: the
    command isn't about the session's environment, as far as can be told.
    """

    requirements: list[RequirementLine] = field(default_factory=list)
    requirement_files: list[Path] = field(default_factory=list)
    constraint_files: list[Path] = field(default_factory=list)
    groups: list[tuple[Path, str]] = field(default_factory=list)
    projects: list[Path] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    options: list[Argument] = field(default_factory=list)
    elsewhere: bool = False
    unread: list[Path] = field(default_factory=list)
    texts: dict[Path, str] = field(default_factory=dict)

    @property
    def deps(self) -> bool:
        """Whether dependencies are installed too."""
        return not self.has_option("--no-deps", "--no-dependencies")

    @property
    def index_options(self) -> list[str]:
        """The words that say where packages are searched for."""
        return self._words(INDEX_OPTIONS)

    @property
    def build_options(self) -> list[str]:
        """The words that say how local sources are built, and what is printed."""
        return self._words(_BUILD)

    def has_option(self, *names: str) -> bool:
        return any(argument.option in names for argument in self.options)

    def _words(self, names: Collection[str]) -> list[str]:
        return [word for argument in self.options if argument.option in names for word in argument.words]


def read_install(words: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> InstallArgs:
    """Read the words after ``install``, and the files that they name.

    Args:
        words: the words.
        cwd: the directory that the command is started in.
        environ: the values of ``${NAME}`` in a file.
    """
    install = InstallArgs()
    for argument in read_words(words):
        option, value = argument.option, argument.value
        if not option:
            install.requirements.append(parse_requirement(value, cwd))
        elif option == "-e":
            install.requirements.append(parse_requirement(value, cwd, editable=True))
        elif option == "--group":
            file, colon, group = value.rpartition(":")
            install.groups.append((path_beside(cwd, file if colon else "pyproject.toml"), group))
        elif option == "--extra":
            install.extras.append(normalised(value))
        elif option in FILE_OPTIONS and (path := named_file(cwd, value)) is not None:
            if option == "-r":
                install.requirement_files.append(path)
            elif option == "-c":
                install.constraint_files.append(path)
            _read_file(install, path, cwd, environ, is_requested=option == "-r")
        else:
            install.elsewhere = install.elsewhere or option in _ELSEWHERE
            install.options.append(argument)
    return install


def _read_file(
    install: InstallArgs, path: Path, cwd: Path, environ: Mapping[str, str], *, is_requested: bool, depth: int = 0
) -> None:
    if path in install.texts:
        return
    try:
        text = read_text(path, lenient=True) if depth < DEEPEST_INCLUDES else None
    except OSError:
        text = None
    if text is None:
        install.unread.append(path)
        return
    install.texts[path] = text
    if path.suffix in (".toml", ".cfg", ".py"):
        if is_requested:
            install.projects.append(path)
        return
    for line in read_lines(with_variables(text, environ)):
        included = named_file(path.parent, line.value) if line.option in FILE_OPTIONS and line.value else None
        if included is not None:
            requested = is_requested and line.option == "-r"
            _read_file(install, included, cwd, environ, is_requested=requested, depth=depth + 1)
        elif line.option in ("", "-e") and is_requested:
            # installers take a file's paths relative to where they are started
            install.requirements.append(parse_requirement(line.text, cwd, file=path))


class Sources:
    """Digests of directories, taken anew only where a file's stat signature says so.

    Args:
        known: by directory, the signature and the digest that it had when it was last looked at.
        environ: what git is started with, to say what of a directory it ignores.
    """

    def __init__(self, known: Mapping[str, Sequence[str]], environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        self._before = known
        self.known: dict[str, tuple[str, ...]] = {}

    def digest(self, path: Path) -> str:
        """What a directory, or a file, holds."""
        from setlist.core.fingerprint import stat_signature
        from setlist.engine.source_tree import digest_sources, sign_sources

        name = str(path)
        if name in self.known:
            return self.known[name][1]
        is_directory = path.is_dir()
        signature = sign_sources(path)[0] if is_directory else stat_signature(path) or "missing"
        before = self._before.get(name)
        if before is not None and before[0] == signature:
            content = before[1]
        elif is_directory:
            content = digest_sources(path, self._environ)
        else:
            content = digest(path.read_bytes()) if path.is_file() else "missing"
        self.known[name] = (signature, content)
        return content

    def metadata(self, path: Path) -> str:
        """All that decides what an editable install of the project in a directory is."""
        from setlist.environment.local_project import look_at_metadata, read_project

        name = f"metadata {path}"
        if name not in self.known:
            world = World(str(path), self._environ or {})
            content = digest(_described(path) + look_at_metadata(world, path, read_project(path)))
            self.known[name] = ("", content)
        return self.known[name][1]


def _described(path: Path) -> str:
    """A digest of what a project says of itself."""
    from setlist.core.errors import SetlistError
    from setlist.core.model import Origin, SessionSpec
    from setlist.core.project import Project
    from setlist.environment.metadata import describe_project
    from setlist.environment.pyproject import read_pyproject

    project = Project(path)
    try:
        session = SessionSpec(name="-", family="-", origin=Origin("-"))
        description = describe_project(project, session, read_pyproject(project))
    except SetlistError:
        files = [path / name for name in ("pyproject.toml", "setup.py", "setup.cfg")]
        return digest("\0".join(text_or_nothing(file) for file in files if file.is_file()))
    return description.digest


def inputs_of(install: InstallArgs, sources: Sources, compiled: Sequence[str] = ()) -> dict[str, str]:
    """What the result of a command depends on, besides its words: name to digest.

    Args:
        install: what the command names.
        sources: digests of directories.
        compiled: editable projects that were compiled when they were installed: all of their sources count.
    """
    inputs = {f"file {path}": "missing" for path in install.unread}
    for file, text in install.texts.items():
        inputs[f"file {file}"] = digest(text)
    for requirement in install.requirements:
        path = requirement.path
        if path is not None and requirement.editable:
            inputs[f"editable {path}"] = sources.digest(path) if str(path) in compiled else sources.metadata(path)
        elif path is not None:
            inputs[f"local {path}"] = sources.digest(path)
    for file, group in install.groups:
        inputs[f"group {group} {file}"] = digest(repr(_group(file, group)))
    return inputs


def _group(file: Path, group: str) -> list[str] | None:
    from setlist.core.errors import ConfigurationError
    from setlist.core.toml import read_toml

    try:
        groups = read_toml(file, str(file)).get("dependency-groups", {})
        return requirements_of_group(groups, group) if isinstance(groups, dict) else None
    except (FileNotFoundError, ConfigurationError, GroupError):
        # malformed, or not there: the installer will say so
        return None


@dataclass(frozen=True, slots=True)
class RequestedDistribution:
    """A distribution that was requested: by ``name``, or by its origin (``path``, ``url``).

    ``specifier`` are the versions that will do.
    """

    name: str | None
    extras: tuple[str, ...] = ()
    path: str | None = None
    url: str | None = None
    deps: bool = True
    specifier: str = ""


def roots_of(install: InstallArgs, environment: Mapping[str, str]) -> tuple[RequestedDistribution, ...] | None:
    """The distributions that a command requests; None where that can't be told.

    Args:
        install: what the command names.
        environment: the marker environment. A requirement whose marker is false requests nothing.
    """
    if install.elsewhere or install.unread:
        return None
    requirements = [*install.requirements]
    for file, lines in (
        *((file, _group(file, group)) for file, group in install.groups),
        *((file, _project_lines(file, install)) for file in install.projects),
    ):
        if lines is None:
            return None
        requirements += [parse_requirement(line, file.parent) for line in lines]
    roots = [
        _root(requirement, deps=install.deps)
        for requirement in requirements
        if holds(requirement.marker, [environment])
    ]
    return tuple(root for root in roots if root is not None) if None not in roots else None


def _project_lines(file: Path, install: InstallArgs) -> list[str] | None:
    from setlist.core.toml import parse_toml

    if file.suffix != ".toml" or install.has_option("--all-extras"):
        return None
    try:
        data: Mapping[str, Any] = parse_toml(install.texts[file]).get("project", {})
        if {"dependencies", "optional-dependencies"} & set(data.get("dynamic", ())):
            return None
        offered = {normalised(name): lines for name, lines in data.get("optional-dependencies", {}).items()}
        return [*data.get("dependencies", ()), *(line for extra in install.extras for line in offered.get(extra, ()))]
    except Exception:
        return None


def _root(requirement: RequirementLine, *, deps: bool) -> RequestedDistribution | None:
    path, target = requirement.path, requirement.target
    if path is not None:
        return RequestedDistribution(None, requirement.extras, path=str(path), deps=deps)
    if requirement.name is not None:
        from packaging.requirements import InvalidRequirement, Requirement

        with suppress(InvalidRequirement):
            specifier = str(Requirement(requirement.text).specifier)
            return RequestedDistribution(requirement.name, requirement.extras, deps=deps, specifier=specifier)
    if target is None or "://" not in target:
        return None
    url, _, fragment = target.partition("#")
    named = re.search(r"egg=([\w.-]+)(\[[^\]]*\])?", fragment)
    if named:
        return _root(parse_requirement(named[0].removeprefix("egg="), requirement.base), deps=deps)
    if url.endswith(".whl"):
        return RequestedDistribution(normalised(url.rpartition("/")[2].partition("-")[0]), deps=deps)
    return RequestedDistribution(None, url=re.sub(r"@[^/@]*$", "", url), deps=deps)
