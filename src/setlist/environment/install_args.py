"""What an install command asks for: ``pip install -e .[dev] -r more.txt``, read as pip and uv read it.

Two questions are answered: would the same words do the same as last time (:func:`inputs_of`), and by which
distributions does what they bring hang (:func:`roots_of`).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from setlist.core.files import digest, read_text, text_or_nothing
from setlist.core.limits import DEEPEST_INCLUDES
from setlist.core.records import dataclass, field
from setlist.environment.names import normalised
from setlist.environment.requirements import GroupError, requirements_of_group

# Options of pip and uv that take a value of their own; those of any other are flags, or written with "=".
_WITH_VALUE = frozenset(
    """
    -i --index-url --extra-index-url -f --find-links --platform --python-version --implementation --abi --src
    --progress-bar --only-binary --no-binary -C --config-settings --config-setting --global-option --install-option
    --build-option --cache-dir --upgrade-strategy --report --log --proxy --retries --timeout --cert --client-cert
    --trusted-host --exists-action --use-feature --use-deprecated --keyring-provider --root-user-action --resolution
    --prerelease --exclude-newer --exclude-newer-package --refresh-package --reinstall-package -P --upgrade-package
    --no-build-package --no-binary-package --link-mode -p --python --no-build-isolation-package -b
    --build-constraint --build-constraints --index --default-index --torch-backend --color --config-file --directory
    --project --allow-insecure-host --index-strategy --fork-strategy --no-sources-package --resume-retries
    --no-emit-package --no-extra
    """.split()  # noqa: SIM905 - as long as it is, quotes would hide it
)
_INDEX = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index", "--no-index")
_BUILD = (
    "-C", "--config-settings", "--config-setting", "--global-option", "--build-option", "--no-build-isolation",
    "-q", "-qq", "-qqq", "--quiet", "-v", "-vv", "-vvv", "--verbose", "--disable-pip-version-check", "--no-input",
)  # fmt: skip
_ELSEWHERE = ("-t", "--target", "--prefix", "--root", "--user", "--dry-run", "--python", "-p", "--system")
"""With these it isn't about the session's environment, or nobody can say so."""

_FILES = ("-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints", "--override", "--overrides")
_FILES_TOO = ("-b", "--build-constraint", "--build-constraints")
_EDITABLE = ("-e", "--editable")
_GLUED = ("-r", "-c", "-e", "-i", "-f")
_ARCHIVE = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
_COMMENT = re.compile(r"(^|\s)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(slots=True)
class InstallArgs:
    """What install words name.

    ``requirements`` are those in the words themselves and in their files, as written, with the directory that paths
    in them are relative to; ``editables`` likewise. ``files`` are requirement and constraint files, ``groups``
    (file, name) pairs, ``projects`` files like pyproject.toml with the extras that are asked for. ``options`` are all
    other words. ``elsewhere``: it isn't the session's environment, as far as can be told. ``unread`` aren't there.
    """

    requirements: list[tuple[str, Path]] = field(default_factory=list)
    editables: list[tuple[str, Path]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    wanted_files: list[Path] = field(default_factory=list)
    constraint_files: list[Path] = field(default_factory=list)
    groups: list[tuple[Path, str]] = field(default_factory=list)
    projects: list[Path] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    direct: list[str] = field(default_factory=list)
    elsewhere: bool = False
    unread: list[Path] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def deps(self) -> bool:
        """Whether what is asked for brings its dependencies with it."""
        return "--no-deps" not in self.options and "--no-dependencies" not in self.options

    @property
    def index_options(self) -> list[str]:
        """The options among the words that say where packages are looked for."""
        return self._options(_INDEX)

    @property
    def build_options(self) -> list[str]:
        """The options among the words that say how local sources are built, and what is said of it."""
        return self._options(_BUILD)

    def _options(self, names: Sequence[str]) -> list[str]:
        found: list[str] = []
        waiting = iter(self.options)
        for word in waiting:
            name, equals, _ = word.partition("=")
            value = [next(waiting, "")] if name in _WITH_VALUE and not equals else []
            if name in names:
                found += [word, *value]
        return found


def read_asked(words: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> InstallArgs:
    """Read the words after ``install``, and the files that they name.

    Args:
        words: the words.
        cwd: where the command is started.
        environ: what ``${NAME}`` in a file stands for.
    """
    found = InstallArgs()
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        if word[:2] in _GLUED and word[:2] != word and not word.startswith("--"):
            name, equals, value = word[:2], "=", word[2:].lstrip("=")
        if not word.startswith("-"):
            found.direct.append(word)
            _add_requirement(found, word, cwd)
        elif name in _ELSEWHERE:
            found.elsewhere = True
            found.options.append(word)
        elif name in (*_FILES, *_FILES_TOO, *_EDITABLE, "--group", "--extra") or (name in _WITH_VALUE and not equals):
            value = value if equals else next(waiting, "")
            _add_option(found, name, value, cwd, environ)
        else:
            found.options.append(word)
    return found


def install_words(command: Sequence[str]) -> tuple[str, ...] | None:
    """The words after ``install`` of a command that is pip's or uv's; None for any other."""
    words = [os.path.basename(command[0]).removesuffix(".exe"), *command[1:]] if command else []
    if words[:3] == ["uv", "pip", "install"]:
        return tuple(words[3:])
    if re.fullmatch(r"(?:python|pypy)[\d.]*", words[0] if words else "") and words[1:3] == ["-m", "pip"]:
        words = ["pip", *words[3:]]
    if words and re.fullmatch(r"pip[\d.]*", words[0]) and words[1:2] == ["install"]:
        return tuple(words[2:])
    return None


def _add_option(found: InstallArgs, name: str, value: str, cwd: Path, environ: Mapping[str, str]) -> None:
    if name in _EDITABLE:
        found.editables.append((value, cwd))
        found.direct.append(f"-e {value}")
    elif name == "--group":
        file, colon, group = value.rpartition(":")
        found.groups.append((_path(file if colon else "pyproject.toml", cwd), group))
    elif name == "--extra":
        found.extras.append(normalised(value))
    elif name in (*_FILES, *_FILES_TOO) and "://" not in value:
        path = _path(value, cwd)
        wanted = name in ("-r", "--requirement", "--requirements")
        if wanted:
            found.wanted_files.append(path)
        elif name in ("-c", "--constraint", "--constraints"):
            found.constraint_files.append(path)
        _read_file(found, path, environ, wanted=wanted)
    else:
        found.options += [name, value]


def _add_requirement(found: InstallArgs, word: str, cwd: Path) -> None:
    found.requirements.append((word, cwd))


def _read_file(found: InstallArgs, path: Path, environ: Mapping[str, str], *, wanted: bool, depth: int = 0) -> None:
    if str(path) in found.texts:
        return
    try:
        text = read_text(path, lenient=True) if depth < DEEPEST_INCLUDES else None
    except OSError:
        text = None
    if text is None:
        found.unread.append(path)
        return
    found.files.append(path)
    found.texts[str(path)] = text
    if path.suffix in (".toml", ".cfg", ".py"):
        if wanted:
            found.projects.append(path)
        return
    for line in _lines(text):
        line = _VARIABLE.sub(lambda match: environ.get(match[1], match[0]), line)
        if line.startswith("-"):
            with suppress(ValueError):
                _read_line(found, shlex.split(line), path, environ, wanted=wanted, depth=depth)
        elif wanted:
            _add_requirement(found, line.partition(" --hash=")[0].strip(), path.parent)


def _read_line(
    found: InstallArgs, words: list[str], path: Path, environ: Mapping[str, str], *, wanted: bool, depth: int
) -> None:
    name, equals, value = words[0].partition("=")
    if words[0][:2] in _GLUED and words[0][:2] != words[0] and not words[0].startswith("--"):
        name, equals, value = words[0][:2], "=", words[0][2:]
    value = value if equals else " ".join(words[1:])
    if name in (*_FILES, *_FILES_TOO) and value and "://" not in value:
        asked_for = wanted and name in ("-r", "--requirement")
        _read_file(found, _path(value, path.parent), environ, wanted=asked_for, depth=depth + 1)
    elif name in _EDITABLE and wanted:
        found.editables.append((value, path.parent))


def _lines(text: str) -> Iterator[str]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        stripped = _COMMENT.sub("", line).strip()
        if stripped:
            yield stripped


def _path(written: str, cwd: Path) -> Path:
    return Path(os.path.normpath(cwd / os.path.expanduser(written)))


def local_target(word: str, cwd: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The local file or directory that a requirement is, with the extras asked of it; None for any other."""
    word = word.partition(";")[0].strip() if " ;" in word else word.strip()
    name, at, url = word.partition("@")
    if at and url.strip().startswith("file:"):
        extras = _extras(name)
        word = url.strip()
    else:
        match = re.fullmatch(r"(.*?)(\[[^\]]*\])?", word, re.DOTALL)
        assert match is not None
        extras = _extras(match[2] or "")
        word = match[1]
    if word.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(word).path)), extras
    if "://" in word or re.match(r"(git|hg|svn|bzr)\+", word):
        return None
    looks_local = word.startswith((".", "~")) or os.sep in word or word.lower().endswith(_ARCHIVE)
    return (_path(word, cwd), extras) if looks_local else None


def _extras(text: str) -> tuple[str, ...]:
    match = re.search(r"\[([^\]]*)\]", text)
    return tuple(normalised(extra.strip()) for extra in match[1].split(",") if extra.strip()) if match else ()


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
        from setlist.core.files import stat_signature
        from setlist.environment.build_inputs import digest_sources, sign_sources

        name = str(path)
        if name in self.known:
            return self.known[name][1]
        is_directory = path.is_dir()
        signature = sign_sources(path) if is_directory else stat_signature(path) or "missing"
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
        """What the project in a directory says of itself: all that decides what an editable install of it is."""
        from setlist.core.files import stat_signature

        name = f"metadata {path}"
        if name in self.known:
            return self.known[name][1]
        before = self._before.get(name)
        if before is not None and before[0] == " ".join(str(stat_signature(file)) for file in before[2:]):
            self.known[name] = tuple(before)
            return before[1]
        content, files = _described(path)
        self.known[name] = (" ".join(str(stat_signature(file)) for file in files), content, *map(str, files))
        return content


def _described(path: Path) -> tuple[str, tuple[Path, ...]]:
    """A digest of what a project says of itself, and the files that it says it in."""
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
        return digest("\0".join(text_or_nothing(file) for file in files if file.is_file())), tuple(files)
    return description.digest, tuple(sorted(description.files))


def inputs_of(asked: InstallArgs, sources: Sources, compiled: Sequence[str] = ()) -> dict[str, str]:
    """What decides what the words come to, besides themselves: name to digest.

    Args:
        asked: what they name.
        sources: digests of directories.
        compiled: editable projects that were compiled when they were installed: all of their sources count.
    """
    found: dict[str, str] = {}
    for path in asked.unread:
        found[f"file {path}"] = "missing"
    for name, text in asked.texts.items():
        found[f"file {name}"] = digest(text)
    for word, cwd in asked.requirements:
        target = local_target(word, cwd)
        if target is not None:
            found[f"local {target[0]}"] = sources.digest(target[0])
    for word, cwd in asked.editables:
        target = local_target(word, cwd) or local_target(f"./{word}", cwd)
        if target is not None:
            path = target[0]
            found[f"editable {path}"] = sources.digest(path) if str(path) in compiled else sources.metadata(path)
    for file, group in asked.groups:
        found[f"group {group} {file}"] = digest(repr(_group(file, group)))
    return found


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
    """A distribution that was asked for: by ``name``, or by where it comes from (``path``, ``url``).

    ``specifier`` are the versions that will do.
    """

    name: str | None
    extras: tuple[str, ...] = ()
    path: str | None = None
    url: str | None = None
    deps: bool = True
    specifier: str = ""


def roots_of(asked: InstallArgs, environment: Mapping[str, str]) -> tuple[RequestedDistribution, ...] | None:
    """The distributions by which all that the words bring hangs; None where that can't be told.

    Args:
        asked: what they name.
        environment: what markers speak of: one that is false asks for nothing.
    """
    if asked.elsewhere or asked.unread:
        return None
    words = [*asked.requirements, *asked.editables]
    for file, lines in (
        *((file, _group(file, group)) for file, group in asked.groups),
        *((file, _project_lines(file, asked)) for file in asked.projects),
    ):
        if lines is None:
            return None
        words += [(line, file.parent) for line in lines]
    roots: list[RequestedDistribution] = []
    for word, cwd in words:
        if not _applies(word, environment):
            continue
        root = _root(word, cwd, deps=asked.deps, editable=(word, cwd) in asked.editables)
        if root is None:
            return None
        roots.append(root)
    return tuple(roots)


def _project_lines(file: Path, asked: InstallArgs) -> list[str] | None:
    from setlist.core.toml import parse_toml

    if file.suffix != ".toml" or "--all-extras" in asked.options:
        return None
    try:
        data: Mapping[str, Any] = parse_toml(asked.texts[str(file)]).get("project", {})
        if {"dependencies", "optional-dependencies"} & set(data.get("dynamic", ())):
            return None
        offered = {normalised(name): lines for name, lines in data.get("optional-dependencies", {}).items()}
        return [*data.get("dependencies", ()), *(line for extra in asked.extras for line in offered.get(extra, ()))]
    except Exception:
        return None


def _applies(word: str, environment: Mapping[str, str]) -> bool:
    """Whether a requirement's marker is true; the installer will say so where it is malformed."""
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        marker = Requirement(word).marker
    except InvalidRequirement:
        # a path or a URL: what follows " ;" is its marker
        _, separator, text = word.partition(" ;")
        try:
            marker = Marker(text) if separator else None
        except InvalidMarker:
            return True
    try:
        return marker is None or marker.evaluate({"extra": "", **environment})
    except UndefinedEnvironmentName:
        return True


def _root(word: str, cwd: Path, *, deps: bool, editable: bool = False) -> RequestedDistribution | None:
    from packaging.requirements import InvalidRequirement, Requirement

    target = local_target(word, cwd) or (local_target(f"./{word}", cwd) if editable and "://" not in word else None)
    if target is not None:
        return RequestedDistribution(None, target[1], path=str(target[0]), deps=deps)
    with suppress(InvalidRequirement):
        requirement = Requirement(word)
        extras = tuple(map(normalised, sorted(requirement.extras)))
        return RequestedDistribution(
            normalised(requirement.name), extras, deps=deps, specifier=str(requirement.specifier)
        )
    if "://" in word:
        url, _, fragment = word.partition("#")
        named = re.search(r"egg=([\w.-]+)(\[[^\]]*\])?", fragment)
        if named:
            return RequestedDistribution(normalised(named[1]), _extras(named[2] or ""), deps=deps)
        if url.endswith(".whl"):
            return RequestedDistribution(normalised(url.rpartition("/")[2].partition("-")[0]), deps=deps)
        return RequestedDistribution(None, url=re.sub(r"@[^/@]*$", "", url), deps=deps)
    return None
