"""Download what a lock names into a directory: by pip, for any platform, each file checked against its hashes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from setlist.core.errors import PreparationError, StorageError
from setlist.core.files import remove_tree, write_atomically
from setlist.core.records import dataclass, field
from setlist.environment.installers import pip_command
from setlist.environment.names import normalised
from setlist.lock.document import Pin
from setlist.lock.targets import Target
from setlist.process.spawn import run_process

UNFINISHED = ".fetching-"
"""How the directory is called that files are downloaded into before they are whole and checked."""

_OLD = 3600.0
"""Seconds after which such a directory is taken for one that was left behind."""


class FetchFailed(PreparationError):
    """A file can't be fetched, or isn't the one that was locked."""


@dataclass(slots=True)
class Wheelhouse:
    """The directory that is filled, and what lies in it."""

    directory: Path
    _digests: dict[tuple[Path, str], str] = field(default_factory=dict)
    _fitting: dict[Target, frozenset[str]] = field(default_factory=dict)

    def wheel(self, pin: Pin, target: Target) -> Path | None:
        """A wheel of ``pin`` with one of its hashes that fits ``target``."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        if target not in self._fitting:
            self._fitting[target] = target.fitting()
        fitting = self._fitting[target]
        for path in self._files_of(pin, ".whl"):
            try:
                name, version, _, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            fits = name == normalised(pin.name) and _same_version(str(version), pin.version)
            if fits and any(str(tag) in fitting for tag in tags) and self._is_locked(path, pin):
                return path
        return None

    def sdist(self, pin: Pin) -> Path | None:
        """The sdist of ``pin`` with one of its hashes."""
        files = self._files_of(pin, ".tar.gz", ".zip")
        return next((path for path in files if _is_sdist_of(path.name, pin) and self._is_locked(path, pin)), None)

    def take(self, path: Path) -> Path:
        """Put a downloaded file on the shelf, whole."""
        place = self.directory / path.name
        os.replace(path, place)
        self._digests = {key: value for key, value in self._digests.items() if key[0] != place}
        return place

    def workspace(self) -> Path:
        """An empty directory beside the files, so that they can be renamed into their place."""
        with suppress(OSError):
            for entry in os.scandir(self.directory):
                if entry.name.startswith(UNFINISHED) and time.time() - entry.stat().st_mtime > _OLD:
                    remove_tree(Path(entry.path))
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))

    def _files_of(self, pin: Pin, *endings: str) -> list[Path]:
        """The files that may be of this package, by the beginning of their names."""
        start = normalised(pin.name)
        return [
            self.directory / name
            for name in sorted(os.listdir(self.directory))
            if name.endswith(endings) and normalised(name).startswith(start)
        ]

    def _is_locked(self, path: Path, pin: Pin) -> bool:
        return any(self._digest(path, entry.partition(":")[0]) == entry for entry in pin.hashes)

    def _digest(self, path: Path, algorithm: str) -> str:
        key = (path, algorithm)
        if key not in self._digests:
            with suppress(OSError, ValueError), path.open("rb") as stream:
                found = hashlib.new(algorithm)
                while chunk := stream.read(1 << 20):
                    found.update(chunk)
                self._digests[key] = f"{algorithm}:{found.hexdigest()}"
        return self._digests.get(key, "")


def prepare_shelf(directory: Path) -> Wheelhouse:
    """Make the directory, where it isn't there.

    Raises:
        StorageError: it isn't a directory, or can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "not writable")
    except FileExistsError as error:
        raise StorageError(
            f"--to: {directory} is a file", hint="name a directory; it is made where there is none"
        ) from error
    except OSError as error:
        raise StorageError(f"--to: can't use {directory}: {error.strerror or error}") from error
    return Wheelhouse(directory)


@dataclass(frozen=True, slots=True)
class Downloader:
    """pip, as far as it downloads.

    ``python`` makes a Python that has pip; ``options`` are the lines of a requirements file that say where to
    look; ``environ`` and ``cwd`` are what pip is started with.
    """

    shelf: Wheelhouse
    python: Callable[[], Path]
    environ: Mapping[str, str]
    cwd: Path

    def wheels(self, pins: Sequence[Pin], target: Target, options: Sequence[str]) -> tuple[list[Path], list[Pin]]:
        """Download the wheels that fit. Returns what was put on the shelf, and the pins that have no wheel.

        Raises:
            FetchFailed: an index can't be reached, or serves another file than was locked.
            StorageError: the directory can't be written.
        """
        words = ["--only-binary=:all:", "--implementation", target.short_implementation, "--abi", target.abi]
        words += ["--python-version", target.python]
        words += [word for tag in target.platforms for word in ("--platform", tag)]
        return self._download(pins, words, options)

    def sdists(self, pins: Sequence[Pin], options: Sequence[str]) -> tuple[list[Path], list[Pin]]:
        """The same for sdists. pip asks each for its metadata, which may build it."""
        # by name: ':all:' would count for what their builds need as well
        return self._download(pins, ["--no-binary", ",".join(sorted({pin.name for pin in pins}))], options)

    def _download(
        self, pins: Sequence[Pin], words: Sequence[str], options: Sequence[str]
    ) -> tuple[list[Path], list[Pin]]:
        taken: list[Path] = []
        missing: list[Pin] = []
        for batch in _batches(pins):
            waiting = list(batch)
            while waiting:
                files, without = self._try(waiting, words, options)
                taken += files
                if without is None:
                    break
                # pip stops at the first that it doesn't find; the rest is asked for again
                missing.append(without)
                waiting.remove(without)
        return taken, missing

    def _try(self, pins: Sequence[Pin], words: Sequence[str], options: Sequence[str]) -> tuple[list[Path], Pin | None]:
        try:
            workspace = self.shelf.workspace()
        except OSError as error:
            raise _unwritable(self.shelf, error) from error
        try:
            source, log, files = workspace / "requirements.txt", workspace / "pip.log", workspace / "files"
            lines = [*options, *map(_line, pins)]
            write_atomically(source, "".join(f"{line}\n" for line in lines))
            done = run_process(
                [
                    *(*pip_command(self.python()), "download", "--quiet", "--progress-bar", "off"),
                    *("--no-deps", "--ignore-requires-python", "--require-hashes", *words),
                    *("--log", str(log), "--dest", str(files), "-r", str(source)),
                ],
                env=self.environ,
                cwd=self.cwd,
                capture=True,
            )
            said = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
            if done.code == 0:
                return [self.shelf.take(path) for path in sorted(files.iterdir())], None
            without = _not_found(said, pins)
            unreachable = _unreachable(log)
            if without is None or unreachable:
                raise _failure(said, unreachable)
            return [], without
        except OSError as error:
            raise _unwritable(self.shelf, error) from error
        finally:
            with suppress(OSError):
                remove_tree(workspace)


def _batches(pins: Sequence[Pin]) -> list[list[Pin]]:
    """The pins in lists that name each package once: pip takes no more in one go."""
    batches: list[list[Pin]] = []
    for pin in pins:
        home = next((batch for batch in batches if all(other.name != pin.name for other in batch)), None)
        if home is None:
            batches.append([pin])
        else:
            home.append(pin)
    return batches


def _line(pin: Pin) -> str:
    return " ".join([f"{pin.name}=={pin.version}", *(f"--hash={value}" for value in pin.hashes)])


def _not_found(said: str, pins: Sequence[Pin]) -> Pin | None:
    match = re.search(r"No matching distribution found for (\S+?)==(\S+)", said)
    if match is None:
        return None
    name = normalised(match[1])
    return next((pin for pin in pins if normalised(pin.name) == name), None)


def _unreachable(log: Path) -> str:
    """What pip noted of indexes that gave no answer. That one doesn't know a package (404) is an answer."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = re.findall(r"Could not fetch URL (.+?)(?: - skipping)?$", text, re.MULTILINE)
    return "\n".join(dict.fromkeys(_without_login(line) for line in lines if ": 404 " not in line))


def _failure(said: str, unreachable: str) -> FetchFailed:
    if unreachable:
        return FetchFailed(
            "an index gives no answer",
            detail=unreachable,
            hint="what was fetched is kept: the same command goes on from there",
        )
    match = re.search(r"^\s+(\S+?)==(\S+)(?: from (\S+))?.*:\n((?:\s+(?:Expected|Got)\b.*\n?)+)", said, re.MULTILINE)
    if match is None:
        return FetchFailed("the packages can't be fetched", detail=_without_login(said))
    # 'Expected sha256 aa', 'Expected     or bb', 'Got        cc'
    name, version, source, table = match.groups()
    found = re.findall(r"^\s+(Expected|Got)\s+(?:(\w+)\s+|or\s+)?([0-9a-f]+)\s*$", table, re.MULTILINE)
    algorithm = next((kind for _, kind, _ in found if kind and kind != "or"), "sha256")
    expected = [value for what, _, value in found if what == "Expected"]
    got = [value for what, _, value in found if what == "Got"]
    lines = [f"locked: {algorithm}:{value}" for value in expected] + [f"served: {algorithm}:{value}" for value in got]
    if source:
        lines.append(f"from {_without_login(source)}")
    return FetchFailed(
        f"{name} {version}: the index serves another file than was locked",
        detail="\n".join(lines),
        hint=f"nothing of it was kept; if the release was replaced on purpose: 'setlist lock --upgrade-package {name}'",
    )


def _without_login(text: str) -> str:
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)


def _unwritable(shelf: Wheelhouse, error: OSError) -> StorageError:
    return StorageError(
        f"can't write into {shelf.directory}: {error.strerror or error}",
        hint="is the disk full, or the directory not yours?",
    )


def _is_sdist_of(filename: str, pin: Pin) -> bool:
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    try:
        name, version = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return False
    return name == normalised(pin.name) and _same_version(str(version), pin.version)


def _same_version(found: str, wanted: str | None) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return wanted is not None and Version(found) == Version(wanted)
    except InvalidVersion:
        return found == wanted
