"""The sources of a project as one digest: has anything that could go into a build changed?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# What no build reads and what changes all the time. Anything else counts: a needless build is better
# than a stale one.
_IGNORED = frozenset(
    {
        ".git", ".hg", ".svn", ".setlist", ".tox", ".nox", ".venv", "venv", "__pycache__", "node_modules",
        ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", ".idea", ".vscode",
    }
)  # fmt: skip
_IGNORED_AT_TOP = frozenset({"build", "dist", "htmlcov"})  # deeper down these are names of packages


def sign_sources(root: Path) -> str:
    """The stat signatures of all sources as one digest: no file is read."""
    from hashlib import sha256

    whole = sha256()
    for entry in _walk(root):
        status = entry.stat()
        whole.update(f"{entry.path}\0{status.st_size}:{status.st_mtime_ns}:{status.st_ino}\n".encode(errors="replace"))
    return whole.hexdigest()[:32]


def digest_sources(root: Path) -> str:
    """The contents of all sources as one digest."""
    from hashlib import sha256

    whole = sha256()
    for entry in _walk(root):
        whole.update(os.path.relpath(entry.path, root).encode(errors="replace") + b"\0")
        # Executable bits travel into wheels and sdists
        whole.update(b"x" if entry.stat().st_mode & 0o100 else b"-")
        with open(entry.path, "rb") as stream:
            while block := stream.read(1 << 20):
                whole.update(block)
        whole.update(b"\0")
    return whole.hexdigest()[:32]


def places(root: Path) -> Iterator[str]:
    """The paths whose stat signatures tell that the sources are the same: as many as there are, and none new."""
    passed: list[str] = []
    files = [entry.path for entry in _walk(root, passed=passed)]
    yield from passed
    yield from files


def copy_sources(root: Path, target: Path) -> None:
    """Copy the sources, and nothing of what lies among them, to ``target``.

    For sdists: some backends take everything that isn't ignored by version control, our own ``.setlist/``
    with whole environments included. The repository comes along as a link, for those that ask it for a version.
    """
    import shutil
    from contextlib import suppress

    target.mkdir(parents=True)
    for entry in _walk(root):
        path = target / os.path.relpath(entry.path, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(entry.path, path)
    for name in (".git", ".hg"):
        if (root / name).exists():
            with suppress(OSError):  # Windows lets not everybody link
                (target / name).symlink_to(root / name)


def _walk(directory: Path | str, *, top: bool = True, passed: list[str] | None = None) -> Iterator[os.DirEntry[str]]:
    """The sources in a directory. ``passed`` gets what else decided about which these are: directories, links."""
    passed = [] if passed is None else passed
    passed.append(str(directory))
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if top and entry.name in _IGNORED_AT_TOP:
            continue
        if entry.name in _IGNORED or entry.name.endswith((".egg-info", ".pyc")) or entry.name.startswith(".coverage"):
            continue
        if entry.is_dir(follow_symlinks=False):
            # A virtual environment of whatever name is no source
            if os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                passed.append(entry.path)
            else:
                yield from _walk(entry.path, top=False, passed=passed)
        elif entry.is_file():
            yield entry
        else:
            passed.append(entry.path)
