"""What is installed in an environment, and whether somebody else has changed it since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from setlist.core.fingerprint import sha256, stat_signature
from setlist.core.records import dataclass
from setlist.core.system import bin_directory, python_of
from setlist.engine.world import INSTALLED, KIND, content_of
from setlist.environment.requirement_lines import normalised
from setlist.environment.state import Contents

_CACHES = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True)
class Drift:
    """How an environment differs from its record.

    ``packages`` were added, removed, or installed again by somebody else: a sync mends that.
    ``foreign`` are files that belong to no package: only a new environment mends that. ``linked`` are those of the
    packages whose files were edited and have further hard links: in the installer's cache, and in other environments.
    """

    packages: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.packages or self.foreign)


def look(directory: Path, site_packages: tuple[Path, ...]) -> Contents:
    """Read what an environment holds, by listings and statuses: no file is opened.

    Args:
        directory: the environment's.
        site_packages: where its packages are.
    """
    packages: dict[str, tuple[str, str]] = {}
    entries: dict[str, tuple[str, ...]] = {}
    directories: dict[str, str | None] = {}
    files: dict[str, str | None] = {}
    for folder in (*site_packages, bin_directory(directory)):
        relative = folder.relative_to(directory).as_posix()
        # The directory's own signature is taken first: a change in between is then seen next time
        directories[relative] = stat_signature(folder)
        files[relative] = content_of(INSTALLED, str(folder), {})
        names: list[str] = []
        try:
            listing = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            listing = []
        for entry in listing:
            if entry.name in _CACHES:
                continue
            names.append(entry.name)
            if entry.name.endswith((".dist-info", ".egg-info")):
                name, version = _named(entry.name)
                packages[name] = (version, _stamp(entry))
            elif entry.name.endswith((".pth", ".egg-link")):
                # A .pth file runs code in every Python that starts here
                names[-1] = f"{entry.name}:{_stamp(entry)}"
        entries[relative] = tuple(names)
    # Not a directory, but as telling: one line in it lets the system's packages in
    directories["pyvenv.cfg"] = stat_signature(directory / "pyvenv.cfg")
    entries["pyvenv.cfg"] = (f"edited:{directories['pyvenv.cfg']}",)
    python = python_of(directory)
    entries[python.relative_to(directory).as_posix()] = (f"edited:{content_of(KIND, str(python), {})}",)
    return Contents(packages, entries, directories, files)


def drifted(directory: Path, recorded: Contents) -> bool:
    """Whether any of the environment's directories was touched since: one stat each."""
    return any(
        stat_signature(directory / relative) != signature for relative, signature in recorded.directories.items()
    )


def compare(recorded: Contents, now: Contents) -> Drift:
    """What changed between the record and now."""
    packages = tuple(
        sorted(
            name
            for name in recorded.packages.keys() | now.packages.keys()
            if recorded.packages.get(name) != now.packages.get(name)
        )
    )
    foreign: list[str] = []
    for relative, recorded_names in recorded.entries.items():
        for name in set(recorded_names) ^ set(now.entries.get(relative, ())):
            if name.startswith("edited:"):
                foreign.append(relative)
            elif not packages:
                # Where packages moved their files did too, and the sync that follows sees to both; what it
                # can't account for shows in the next comparison.
                foreign.append(f"{relative}/{name.partition(':')[0]}")
    return Drift(packages, tuple(sorted(set(foreign))))


def damaged(site_packages: tuple[Path, ...], since: int) -> Drift:
    """The packages of which a file is gone, or isn't what its RECORD says.

    Args:
        site_packages: where the packages are.
        since: a time in nanoseconds: a file that was changed before isn't read.
    """
    packages: dict[str, None] = {}
    linked: dict[str, None] = {}
    for folder in site_packages:
        for record in sorted(folder.glob("*.dist-info/RECORD")):
            name = _named(record.parent.name)[0]
            for path, digest_ in _recorded(record):
                state = _state_of(folder / path, digest_, since)
                if state != "sound":
                    packages[name] = None
                if state == "linked":
                    linked[name] = None
    return Drift(tuple(packages), (), tuple(linked))


def _recorded(record: Path) -> Iterator[tuple[str, str]]:
    """The files in a RECORD and their digests, without what Python compiles.

    importlib.metadata leaves out the files that are gone (since Python 3.12): those that are looked for.
    """
    import csv

    try:
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            for row in csv.reader(stream):
                if row and not row[0].endswith(".pyc"):
                    yield row[0], row[1] if len(row) > 1 else ""
    except (OSError, csv.Error):
        return


def _state_of(path: Path, recorded: str, since: int) -> str:
    """``sound``, ``gone``, ``edited``, or ``linked`` for an edited file that has further hard links."""
    try:
        status = os.stat(path)
        kind, _, expected = recorded.partition("=")
        if max(status.st_mtime_ns, status.st_ctime_ns) < since or kind not in ("sha256", "sha384", "sha512"):
            return "sound"
        if _hashed(path, kind) == expected.rstrip("="):
            return "sound"
    except (OSError, ValueError):
        return "gone"
    return "linked" if status.st_nlink > 1 else "edited"


def _hashed(path: Path, kind: str) -> str:
    from binascii import b2a_base64

    if kind == "sha256":
        whole = sha256()
    else:
        import hashlib

        whole = hashlib.new(kind)
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            whole.update(piece)
    return b2a_base64(whole.digest(), newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")


def keep_caches_apart(site_packages: tuple[Path, ...]) -> None:
    """Make ``__pycache__`` beforehand, so that the first import doesn't touch the directory we watch."""
    for folder in site_packages:
        (folder / "__pycache__").mkdir(exist_ok=True)


def _named(entry: str) -> tuple[str, str]:
    stem = entry.rpartition(".")[0]
    name, _, version = stem.partition("-")
    return normalised(name), version.partition("-")[0]


def _stamp(entry: os.DirEntry[str]) -> str:
    # RECORD is written by every installer when it installs and by nobody afterwards. The directory's
    # own time won't do: it changes when a tool drops a file into it.
    path = os.path.join(entry.path, "RECORD") if entry.is_dir() else entry.path
    return stat_signature(path) or ""
