"""The sources of a project as one digest: has anything that could go into a build changed?"""

from __future__ import annotations

import os
from pathlib import Path

from setlist.core.fingerprint import digest, sha256

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# What no build reads and what changes all the time. Anything else counts: a needless build is better
# than a stale one.
_IGNORED = frozenset(
    {
        ".git", ".hg", ".svn", ".setlist", ".tox", ".nox", ".venv", "venv", "__pycache__", "node_modules",
        ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", ".idea", ".vscode",
    }
)  # fmt: skip
_IGNORED_AT_TOP = frozenset({"build", "dist", "htmlcov"})  # deeper down these are names of packages

_BUILD_FILES = (
    "pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "hatch.toml", "hatch_build.py", "build.py", "meson.build",
    "CMakeLists.txt", "Cargo.toml",
)  # fmt: skip
"""Where a build may be told of files that git ignores."""
_PATIENCE = 30.0
"""Seconds after which git is no longer waited for."""
_NO_PACKAGES = frozenset({"benchmark", "benchmarks", "doc", "docs", "example", "examples", "test", "tests"})
"""Directories at the top that no build takes for a package: some of those that setuptools leaves out."""
_CODE = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".c", ".cc", ".cpp", ".h", ".hpp", ".f90", ".rs", ".so", ".pyd", ".dll")
_LEAVING_OUT = ("exclude ", "global-exclude ", "recursive-exclude ", "prune ")
_EVERYTHING = ('"."', "'.'", '"*"', "'*'", '"**', "'**", "graft .", "global-include *\n")


def sign_sources(root: Path | str) -> tuple[str, int]:
    """The statuses of all sources as one digest, and the latest time of one. No file is read."""
    lines: list[str] = []
    latest = 0
    start = len(str(root))
    for entry in _walk(root):
        status = entry.stat()
        changed, modified = status.st_ctime_ns, status.st_mtime_ns
        latest = max(latest, changed, modified)
        lines.append(f"{entry.path[start:]}\0{status.st_size}:{modified}:{changed}:{status.st_ino}:{status.st_mode}\n")
    return digest("".join(lines).encode(errors="replace")), latest


def digest_sources(root: Path | str, environ: Mapping[str, str] | None = None) -> str:
    """The contents of all sources as one digest.

    Args:
        root: where they are.
        environ: what git is started with, to say what it ignores: reports and the like, which no build reads, are
            no sources. None: whatever lies there counts.
    """
    root = Path(root)
    whole = sha256()
    for entry in _walk(root, without=() if environ is None else ignored_by_builds(root, environ)):
        whole.update(os.path.relpath(entry.path, root).encode(errors="replace") + b"\0")
        # Executable bits travel into wheels and sdists
        whole.update(b"x" if entry.stat().st_mode & 0o100 else b"-")
        with open(entry.path, "rb") as stream:
            while block := stream.read(1 << 20):
                whole.update(block)
        whole.update(b"\0")
    content: str = whole.hexdigest()[:32]
    return content


def ignored_by_builds(root: Path, environ: Mapping[str, str]) -> frozenset[str]:
    """The files and directories that git ignores and that no build reads.

    A build may well read what git ignores: a generated module, assets inside a package. So only that is meant which
    lies at the top, or among tests, documentation and examples, isn't code, and that no file that rules a build names.

    Args:
        root: the sources.
        environ: what git is started with.
    """
    found: set[str] = set()
    rules = ""
    ignored = _ignored_by_git(root, environ)
    if not {"./", *_BUILD_FILES}.isdisjoint(ignored):
        return frozenset()  # that of another project, which ignores all of this one
    for name in ignored:
        rules = rules or "\n".join(["# rules", *(_text_of(root / file) for file in _BUILD_FILES)])
        top, *rest = name.rstrip("/").split("/")
        last = rest[-1] if rest else top
        if rest and top.lower() not in _NO_PACKAGES:
            continue
        if _is_named(last, rules) or any(word in rules for word in _EVERYTHING):
            continue
        if last.endswith(_CODE) or (name.endswith("/") and any((root / name).glob("*.py"))):
            continue
        found.add(os.path.join(root, *name.rstrip("/").split("/")))
    return frozenset(found)


def _is_named(name: str, rules: str) -> bool:
    """Whether rules name a file or directory, as a word of its own, or all files with its suffix."""
    import re

    suffix = os.path.splitext(name)[1]
    return bool(suffix and f"*{suffix}" in rules) or bool(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", rules))


def _ignored_by_git(root: Path, environ: Mapping[str, str]) -> list[str]:
    """What git ignores below a directory, relative to it; whole directories end in a slash."""
    from shutil import which

    from setlist.process.spawn import run_process

    git = which("git", path=environ.get("PATH", environ.get("Path")))
    if git is None or not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return []
    try:
        done = run_process(
            [git, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"],
            # a hook that runs us has another repository, or another index, in its variables
            env={name: value for name, value in environ.items() if not name.startswith("GIT_")},
            cwd=root,
            capture=True,
            timeout=_PATIENCE,
        )
    except OSError:
        return []
    return [name for name in os.fsdecode(done.stdout).split("\0") if name] if done.code == 0 else []


def _text_of(file: Path) -> str:
    from setlist.core.files import text_or_nothing

    text = text_or_nothing(file)
    if file.name == "MANIFEST.in":
        # what a rule leaves out isn't read
        lines = (line for line in text.splitlines() if not line.lstrip().startswith(_LEAVING_OUT))
        return "".join(f"{line}\n" for line in lines)
    if file.name != "pyproject.toml":
        return text
    # the settings of other tools say nothing of builds
    from setlist.core.errors import ConfigurationError
    from setlist.core.toml import backend_tables, read_toml

    try:
        data = read_toml(file, file.name)
    except (ConfigurationError, OSError):
        return text
    return repr([data.get("build-system"), data.get("project"), backend_tables(data)])


def copy_sources(root: Path, target: Path, environ: Mapping[str, str]) -> None:
    """Copy the sources, and nothing of what lies among them, to ``target``.

    For sdists: some backends take everything that isn't ignored by version control, our own ``.setlist/``
    with whole environments included. The repository comes along as a link, for those that ask it for a version.
    """
    import shutil
    from contextlib import suppress

    target.mkdir(parents=True)
    for entry in _walk(root, without=ignored_by_builds(root, environ)):
        path = target / os.path.relpath(entry.path, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(entry.path, path)
    for name in (".git", ".hg"):
        if (root / name).exists():
            with suppress(OSError):  # Windows lets not everybody link
                (target / name).symlink_to(root / name)


def _walk(directory: Path | str, *, top: bool = True, without: Collection[str] = ()) -> Iterator[os.DirEntry[str]]:
    """The sources in a directory, ``without`` these paths."""
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if (top and entry.name in _IGNORED_AT_TOP) or entry.path in without:
            continue
        if entry.name in _IGNORED or entry.name.endswith((".egg-info", ".pyc")) or entry.name.startswith(".coverage"):
            continue
        if entry.is_dir(follow_symlinks=False):
            # A virtual environment of whatever name is no source
            if not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                yield from _walk(entry.path, top=False, without=without)
        elif entry.is_file():
            yield entry
