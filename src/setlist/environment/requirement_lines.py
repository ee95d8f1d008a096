"""Parse what pip and uv read and write: the words of an install command, the lines of a requirements file or of a
resolution, a requirement.

Nothing is opened here. :mod:`setlist.environment.install_args` reads the files that an install command names,
:mod:`setlist.environment.requirements` those that a session's keys name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from setlist.core.records import dataclass

_OPTIONS_WITH_VALUE = frozenset(
    """
    -r -c -e -b --override --group --extra -t --target --prefix --root
    -i --index-url --extra-index-url -f --find-links --platform --python-version --implementation --abi --src
    --progress-bar --only-binary --no-binary -C --config-settings --config-setting --global-option --install-option
    --build-option --cache-dir --upgrade-strategy --report --log --proxy --retries --timeout --cert --client-cert
    --trusted-host --exists-action --use-feature --use-deprecated --keyring-provider --root-user-action --resolution
    --prerelease --exclude-newer --exclude-newer-package --refresh-package --reinstall-package -P --upgrade-package
    --no-build-package --no-binary-package --link-mode -p --python --no-build-isolation-package --index --default-index
    --torch-backend --color --config-file --directory --project --allow-insecure-host --index-strategy --fork-strategy
    --no-sources-package --resume-retries --no-emit-package --no-extra
    """.split()  # noqa: SIM905 - as long as it is, quotes would hide it
)
"""Those of pip and uv. Any other option is a flag, or is written with ``=``."""

_ALIASES = {
    "--requirement": "-r", "--requirements": "-r", "--constraint": "-c", "--constraints": "-c", "--editable": "-e",
    "--build-constraint": "-b", "--build-constraints": "-b", "--overrides": "--override",
}  # fmt: skip

FILE_OPTIONS = frozenset({"-r", "-c", "-b", "--override"})
"""Options whose value is a requirements file."""

INDEX_OPTIONS = frozenset(
    ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index", "--no-index")
)
"""Options that say where packages are searched for."""

_WITH_GLUED_VALUE = ("-r", "-c", "-e", "-i", "-f")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")

# As text: each is compiled when it is first needed, and plain requirements need two of them
VARIABLE = r"\$\{([A-Z0-9_]+)\}"
_COMMENT = r"(?:^|\s)#.*$"
_TAIL = r"(?:^|\s+)(?:;|#|--|\\$)"
_HASH = r"--hash(?:=|\s+)[\"']?([A-Za-z0-9_]+:[0-9A-Fa-f]+)"
_VERSION = r"[^=\s\[]+\s*(?:\[[^\]]*\])?\s*={2,3}\s*([^\s;,]+)\s*"
_NAMED = r"([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(?:(@)\s*|$|[<>=!~;(])"
_DRIVE = r"[A-Za-z]:[/\\]"
_VERSION_CONTROL = r"(?:git|hg|svn|bzr)\+"


def normalised(name: str) -> str:
    """The name of a project, extra or group in its normal form (PEP 503), without importing packaging."""
    plain = name.lower().replace("_", "-").replace(".", "-")
    while "--" in plain:
        plain = plain.replace("--", "-")
    return plain


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement, as it is written.

    ``line`` is all of it. Relative paths in it are relative to ``base``. ``prefix`` is a name before ``@``, as written;
    ``name`` is normalised, None for a path or a URL without a name. ``brackets`` are the extras as written (``[a,b]``).
    ``target`` is the path or URL, None for a requirement by name. ``tail`` is what follows: a marker, hashes, a
    comment. ``file`` is the requirements file that it is in.
    """

    line: str
    base: Path
    editable: bool
    prefix: str
    name: str | None
    brackets: str
    target: str | None
    tail: str
    file: Path | None = None

    @property
    def text(self) -> str:
        """The requirement without ``-e``, hashes and comment."""
        return re.split(r"\s+(?:--|#|\\$)", _without_editable(self.line)[1])[0]

    @property
    def extras(self) -> tuple[str, ...]:
        return tuple(normalised(extra.strip()) for extra in self.brackets[1:-1].split(",") if extra.strip())

    @property
    def marker(self) -> str:
        """The environment marker, empty without one."""
        tail = self.tail.lstrip()
        if not tail.startswith(";"):
            return ""
        return re.split(r"\s--hash\b|\s#|\s\\$", tail[1:])[0].strip()

    @property
    def version(self) -> str | None:
        """The version that the requirement pins; None for a range, a path or a URL."""
        if self.target is not None:
            return None
        pin = re.fullmatch(_VERSION, self.line.removesuffix(self.tail))
        return pin[1] if pin is not None else None

    @property
    def hashes(self) -> tuple[str, ...]:
        """The values of its ``--hash`` options."""
        return tuple(re.findall(_HASH, re.sub(_COMMENT, "", self.tail))) if "--hash" in self.tail else ()

    @property
    def without_hashes(self) -> str:
        """All of the line but the hashes."""
        return re.split(r"\s+--hash", self.line)[0]

    @property
    def path(self) -> Path | None:
        """The local file or directory, absolute if ``base`` is; None for any other requirement."""
        target = self.target
        if target is None or not (target.startswith("file:") or self.is_path):
            return None
        if not target.startswith("file:"):
            return Path(os.path.normpath(self.base / os.path.expanduser(target)))
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        try:
            return Path(url2pathname(urlsplit(target).path))
        except ValueError:  # file://[x: the installer says what is wrong with it
            return None

    @property
    def is_path(self) -> bool:
        """Whether it is a local path, absolute or not, and no URL."""
        target = self.target
        if not target or target.startswith(("file:", "-")) or "://" in target or re.match(_VERSION_CONTROL, target):
            return False
        return (
            self.editable
            or target.startswith((".", "~", "/", "\\"))
            or "/" in target
            or os.sep in target
            or target.lower().endswith(_ARCHIVES)
            or re.match(_DRIVE, target) is not None
        )

    @property
    def is_from_version_control(self) -> bool:
        return self.target is not None and re.match(_VERSION_CONTROL, self.target) is not None


def parse_requirement(line: str, base: Path, *, editable: bool = False, file: Path | None = None) -> RequirementLine:
    """Parse a requirement. A malformed one is for the installer to report: it has no name and no path here.

    Args:
        line: with ``-e``, marker, hashes and comment, as far as they are there.
        base: the directory that relative paths are relative to.
        editable: ``-e`` was an option of its own.
        file: the requirements file that the line is in.
    """
    line = line.strip()
    has_option, rest = _without_editable(line)
    editable = editable or has_option
    end = re.search(_TAIL, rest)
    head, tail = (rest[: end.start()], rest[end.start() :]) if end is not None else (rest, "")
    head = _unquoted(head) if editable else head
    named = re.match(_NAMED, head)
    if named is not None and named[3]:
        target: str | None = head[named.end() :]
        return RequirementLine(
            line, base, editable, head[: named.end()], normalised(named[1]), named[2] or "", target, tail, file
        )
    if named is not None and not editable and not head.lower().endswith(_ARCHIVES):
        if ";" in head and not tail.lstrip().startswith(";"):
            tail = head[head.index(";") :] + tail
        return RequirementLine(line, base, editable, "", normalised(named[1]), named[2] or "", None, tail, file)
    bare = re.fullmatch(r"(.*?)\s*(\[[^\]/\\]*\])?", head, re.DOTALL)
    assert bare is not None
    return RequirementLine(line, base, editable, "", None, bare[2] or "", bare[1], tail, file)


def _without_editable(line: str) -> tuple[bool, str]:
    if not line.startswith(("-e", "--editable")):
        return False, line
    return True, re.sub(r"^(?:-e|--editable)\s*=?\s*", "", line)


def with_hashes(line: str, hashes: Iterable[str]) -> str:
    """A requirement with its hashes as an entry of a resolution: one hash a line, as uv writes them."""
    return " \\\n    ".join([line, *(f"--hash={value}" for value in hashes)]) + "\n"


def read_resolution(text: str, base: Path = Path()) -> list[RequirementLine]:
    """The requirements of a resolution or of a lock, without comments and options.

    Args:
        text: as an installer reads it, hashes on lines of their own.
        base: the directory that relative paths are relative to.
    """
    lines = [line.strip() for _, line in logical_lines(text)]
    return [
        parse_requirement(line, base) for line in lines if line and not line.startswith("#") and not _is_option(line)
    ]


def options_of(text: str) -> list[str]:
    """The options of a resolution: ``--index-url …``."""
    return [line for _, line in logical_lines(text) if _is_option(line)]


def _is_option(line: str) -> bool:
    return line.startswith("-") and not _without_editable(line)[0]


@dataclass(frozen=True, slots=True)
class FileLine:
    """A logical line of a requirements file, without its comment: a requirement, or an ``option`` with its ``value``.

    Options have their short names: ``-r``, ``-c``, ``-e``. ``number`` is that of its first physical line, from 1.
    """

    number: int
    text: str
    option: str
    value: str


def read_lines(text: str) -> Iterator[FileLine]:
    """The lines of a requirements file, but empty ones and comments."""
    for number, line in logical_lines(text):
        stripped = (re.sub(_COMMENT, "", line) if "#" in line else line).strip()
        if stripped:
            option, value = _split_option(stripped) if stripped[0] == "-" else ("", None)
            yield FileLine(number, stripped, option, _unquoted(value or ""))


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a requirements file, continued ones joined, with the number of each one's first, from 1."""
    joined, first = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        if not joined:
            first = number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += f"{line[:-1]} "
            continue
        yield first, joined + line
        joined = ""
    if joined:
        yield first, joined


def with_variables(text: str, environ: Mapping[str, str]) -> str:
    """Text of a requirements file with the values of its ``${NAME}``, as far as they are set."""
    return re.sub(VARIABLE, lambda match: environ.get(match[1], match[0]), text) if "$" in text else text


def path_beside(directory: Path, written: str) -> Path:
    """A path that is relative to a directory. Normalised: files that include each other would get ever longer paths."""
    return Path(os.path.normpath(directory / os.path.expanduser(written)))


def named_file(directory: Path, written: str) -> Path | None:
    """The file that ``-r`` or ``-c`` names: a path, relative to a directory, or a ``file:`` URL.

    Returns:
        None if it isn't on this machine, or a variable in it isn't set.
    """
    if written.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(written).path))
    return None if "://" in written or "${" in written else path_beside(directory, written)


@dataclass(frozen=True, slots=True)
class Argument:
    """An option of an install command with its value, or a requirement (``option`` is empty). ``words`` are as written.

    Options have their short names: ``-r``, ``-c``, ``-e``.
    """

    option: str
    value: str
    words: tuple[str, ...]


def read_words(words: Sequence[str]) -> Iterator[Argument]:
    """The options and requirements of an install command, from its words after ``install``."""
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-"):
            yield Argument("", word, (word,))
            continue
        option, value = _split_option(word)
        if value is not None:
            yield Argument(option, value, (word,))
        elif option in _OPTIONS_WITH_VALUE:
            value = next(waiting, "")
            yield Argument(option, value, (word, value))
        else:
            yield Argument(option, "", (word,))


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


def _split_option(text: str) -> tuple[str, str | None]:
    """An option and the value that is written with it: ``-rfile``, ``-r file``, ``--requirement=file``."""
    if text[:2] in _WITH_GLUED_VALUE:
        return text[:2], text[2:].lstrip("= \t") or None
    match = re.match(r"(--?[\w-]+)(?:\s*=\s*|\s+)?(.*)", text, re.DOTALL)
    if match is None:
        return text, None
    option = _ALIASES.get(match[1], match[1])
    return option, match[2] if match.end(1) < len(text) else None


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0] else value
