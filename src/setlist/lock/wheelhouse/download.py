"""Download the files of a lock into a directory, with pip, for any platform. pip verifies their hashes."""

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
from setlist.environment.requirement_lines import normalised
from setlist.lock.document import Pin
from setlist.lock.targets import Target
from setlist.process.spawn import run_process

UNFINISHED = ".fetching-"
"""The prefix of directories with downloads that aren't complete and verified."""

_ABANDONED = 3600.0
"""Seconds after which such a directory counts as abandoned."""


class FetchFailed(PreparationError):
    """A file can't be downloaded, or isn't the locked one."""


@dataclass(slots=True)
class Wheelhouse:
    """The directory to fill, and its files."""

    directory: Path
    _digests: dict[tuple[Path, str], str] = field(default_factory=dict)
    _fitting: dict[Target, frozenset[str]] = field(default_factory=dict)

    def wheel(self, pin: Pin, target: Target) -> Path | None:
        """A wheel for ``pin`` that fits ``target`` and has one of the locked hashes."""
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
        """The sdist for ``pin`` that has one of the locked hashes."""
        files = self._files_of(pin, ".tar.gz", ".zip")
        return next((path for path in files if _is_sdist_of(path.name, pin) and self._is_locked(path, pin)), None)

    def add(self, path: Path) -> Path:
        """Move a complete download into the directory."""
        place = self.directory / path.name
        os.replace(path, place)
        self._digests = {key: value for key, value in self._digests.items() if key[0] != place}
        return place

    def workspace(self) -> Path:
        """A new directory on the same file system, so that files can be renamed into the wheelhouse."""
        with suppress(OSError):
            for entry in os.scandir(self.directory):
                if entry.name.startswith(UNFINISHED) and time.time() - entry.stat().st_mtime > _ABANDONED:
                    remove_tree(Path(entry.path))
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))

    def _files_of(self, pin: Pin, *endings: str) -> list[Path]:
        """The files whose names begin with the name of the package."""
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
                digest = hashlib.new(algorithm)
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
                self._digests[key] = f"{algorithm}:{digest.hexdigest()}"
        return self._digests.get(key, "")


def prepare_wheelhouse(directory: Path) -> Wheelhouse:
    """Make the directory if it doesn't exist.

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
    """Downloads with pip. ``python`` gives a Python that has pip; ``environ`` and ``cwd`` are for the pip process."""

    wheelhouse: Wheelhouse
    python: Callable[[], Path]
    environ: Mapping[str, str]
    cwd: Path

    def wheels(self, pins: Sequence[Pin], target: Target, options: Sequence[str]) -> tuple[list[Path], list[Pin]]:
        """Download the wheels that fit. ``options`` are the lines of a requirements file with the indexes.

        Returns:
            the new files in the wheelhouse, and the pins without a wheel.

        Raises:
            FetchFailed: an index can't be reached, or serves another file than the locked one.
            StorageError: the directory can't be written.
        """
        words = ["--only-binary=:all:", "--implementation", target.short_implementation, "--abi", target.abi]
        words += ["--python-version", target.python]
        words += [word for tag in target.platforms for word in ("--platform", tag)]
        return self._download(pins, words, options)

    def sdists(self, pins: Sequence[Pin], options: Sequence[str]) -> tuple[list[Path], list[Pin]]:
        """Download sdists. pip reads the metadata of each, which may run its build backend."""
        # By name, since ':all:' would also apply to the requirements of their builds
        return self._download(pins, ["--no-binary", ",".join(sorted({pin.name for pin in pins}))], options)

    def _download(
        self, pins: Sequence[Pin], words: Sequence[str], options: Sequence[str]
    ) -> tuple[list[Path], list[Pin]]:
        downloaded: list[Path] = []
        missing: list[Pin] = []
        for batch in _batches(pins):
            waiting = list(batch)
            while waiting:
                files, without = self._try(waiting, words, options)
                downloaded += files
                if without is None:
                    break
                # pip stops at the first pin that it doesn't find: try again with the others
                missing.append(without)
                waiting.remove(without)
        return downloaded, missing

    def _try(self, pins: Sequence[Pin], words: Sequence[str], options: Sequence[str]) -> tuple[list[Path], Pin | None]:
        try:
            workspace = self.wheelhouse.workspace()
        except OSError as error:
            raise _unwritable(self.wheelhouse, error) from error
        try:
            source, log, files = workspace / "requirements.txt", workspace / "pip.log", workspace / "files"
            lines = [*options, *map(_line, pins)]
            write_atomically(source, "".join(f"{line}\n" for line in lines))
            process = run_process(
                [
                    *(*pip_command(self.python()), "download", "--quiet", "--progress-bar", "off"),
                    *("--no-deps", "--ignore-requires-python", "--require-hashes", *words),
                    *("--log", str(log), "--dest", str(files), "-r", str(source)),
                ],
                env=self.environ,
                cwd=self.cwd,
                capture=True,
            )
            output = (process.stderr + process.stdout).decode("utf-8", "replace").strip()
            if process.code == 0:
                return [self.wheelhouse.add(path) for path in sorted(files.iterdir())], None
            without = _not_found(output, pins)
            unreachable = _unreachable(log)
            if without is None or unreachable:
                raise _failure(output, unreachable)
            return [], without
        except OSError as error:
            raise _unwritable(self.wheelhouse, error) from error
        finally:
            with suppress(OSError):
                remove_tree(workspace)


def _batches(pins: Sequence[Pin]) -> list[list[Pin]]:
    """Lists with one pin a package: pip accepts no more in one call."""
    batches: list[list[Pin]] = []
    for pin in pins:
        batch = next((candidate for candidate in batches if all(other.name != pin.name for other in candidate)), None)
        if batch is None:
            batches.append([pin])
        else:
            batch.append(pin)
    return batches


def _line(pin: Pin) -> str:
    return " ".join([f"{pin.name}=={pin.version}", *(f"--hash={value}" for value in pin.hashes)])


def _not_found(output: str, pins: Sequence[Pin]) -> Pin | None:
    match = re.search(r"No matching distribution found for (\S+?)==(\S+)", output)
    if match is None:
        return None
    name = normalised(match[1])
    return next((pin for pin in pins if normalised(pin.name) == name), None)


def _unreachable(log: Path) -> str:
    """The lines of pip's log about indexes that couldn't be read. 404 isn't one: the index doesn't have the package."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = re.findall(r"Could not fetch URL (.+?)(?: - skipping)?$", text, re.MULTILINE)
    return "\n".join(dict.fromkeys(_without_login(line) for line in lines if ": 404 " not in line))


def _failure(output: str, unreachable: str) -> FetchFailed:
    if unreachable:
        return FetchFailed(
            "an index gives no answer",
            detail=unreachable,
            hint="what was fetched is kept: the same command goes on from there",
        )
    match = re.search(r"^\s+(\S+?)==(\S+)(?: from (\S+))?.*:\n((?:\s+(?:Expected|Got)\b.*\n?)+)", output, re.MULTILINE)
    if match is None:
        return FetchFailed("the packages can't be fetched", detail=_without_login(output))
    # 'Expected sha256 aa', 'Expected     or bb', 'Got        cc'
    name, version, source, table = match.groups()
    rows = re.findall(r"^\s+(Expected|Got)\s+(?:(\w+)\s+|or\s+)?([0-9a-f]+)\s*$", table, re.MULTILINE)
    algorithm = next((kind for _, kind, _ in rows if kind and kind != "or"), "sha256")
    expected = [value for label, _, value in rows if label == "Expected"]
    got = [value for label, _, value in rows if label == "Got"]
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


def _unwritable(wheelhouse: Wheelhouse, error: OSError) -> StorageError:
    return StorageError(
        f"can't write into {wheelhouse.directory}: {error.strerror or error}",
        hint="is the disk full, or the directory not yours?",
    )


def _is_sdist_of(filename: str, pin: Pin) -> bool:
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    try:
        name, version = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return False
    return name == normalised(pin.name) and _same_version(str(version), pin.version)


def _same_version(version: str, locked: str | None) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return locked is not None and Version(version) == Version(locked)
    except InvalidVersion:
        return version == locked
