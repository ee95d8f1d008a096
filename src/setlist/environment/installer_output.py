"""Read what an installer prints while it works: its progress, and what is left of its words when it fails.

uv and pip print lines for people, also into a pipe. The lines of progress are recognised by their form; all others are
kept. From the first line on that is neither progress nor a warning everything is kept, so that an error stays whole.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from setlist.core.events import EnvironmentProgress
    from setlist.core.model import EnvironmentStep
    from setlist.process.completed import Stream


class OnProgress(Protocol):
    """Is told of each step: see :class:`setlist.core.events.EnvironmentProgress`."""

    def __call__(
        self, step: EnvironmentStep, *, packages: tuple[str, ...] = (), size: int = 0, count: int | None = None
    ) -> None: ...


def emitting(emit: Callable[[EnvironmentProgress], None], session: str) -> OnProgress:
    """What emits an event for each step of a session's installer."""
    import time

    from setlist.core.events import EnvironmentProgress

    def tell(step: EnvironmentStep, *, packages: tuple[str, ...] = (), size: int = 0, count: int | None = None) -> None:
        now = time.time()
        emit(EnvironmentProgress(time=now, session=session, step=step, packages=packages, size=size, count=count))

    return tell


_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
_SIZE = r"\((?P<size>\d+(?:\.\d+)?) ?(?P<unit>[kMG]|[KMG]i|)B\)"


class InstallerOutput(ABC):
    """Takes the output of an installer as it comes.

    Args:
        tell: told of each step.
        step: what the installer begins with.

    Attributes:
        stdout: what it wrote to standard output, if that holds no progress.
        words: the lines that aren't progress.
    """

    progress: Stream = "stderr"
    """The stream that its progress is written to."""

    def __init__(self, tell: OnProgress, step: EnvironmentStep) -> None:
        self.stdout = bytearray()
        self.words = bytearray()
        self._tell = tell
        self._step: EnvironmentStep = step
        self._count: int | None = None
        self._downloads: dict[str, int] = {}
        self._builds: dict[str, None] = {}
        self._line = b""
        self._whole = False
        self._last: object = None
        self._tell_all()

    def take(self, stream: Stream, data: bytes) -> None:
        """Take what it wrote."""
        if stream != self.progress:
            (self.stdout if stream == "stdout" else self.words).extend(data)
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if lines:
            self._tell_all()

    def end(self) -> None:
        """It has ended."""
        if self._line:
            self._take_line(self._line)
        self._tell("done")

    def _take_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if not self._whole:
            if self.understands(text):
                return
            self._whole = not text.startswith("warning:")
        if self._whole:
            self.words += line + b"\n"

    @abstractmethod
    def understands(self, line: str) -> bool:
        """Whether a line is progress, which is noted."""

    def _tell_all(self) -> None:
        step: EnvironmentStep = "downloading" if self._downloads else "building" if self._builds else self._step
        packages, size = tuple(self._downloads or self._builds), sum(self._downloads.values())
        if (step, packages, self._count) != self._last:
            self._last = step, packages, self._count
            self._tell(step, packages=packages, size=size, count=self._count)


class UvOutput(InstallerOutput):
    """uv names downloads of a mebibyte and more, builds, and clones of repositories."""

    _COUNTED = re.compile(r"(Resolved|Prepared|Installed|Uninstalled|Checked|Audited) (\d+) packages? in ")
    _BEGUN = re.compile(rf" *(Downloading|Updating|Building) (\S+?)(?: {_SIZE}| @ .*| \(.*\))?$")
    _ENDED = re.compile(r" *(Downloaded|Updated|Built) (\S+)")
    _OTHER = re.compile(r"Using \S+ \d.* (?:environment at|interpreter)|Using Python | [-+~] [\w.-]+(?:==| @ | \(|$)")

    def understands(self, line: str) -> bool:
        if found := self._COUNTED.match(line):
            if found[1] in ("Resolved", "Prepared"):
                self._step = "preparing" if found[1] == "Resolved" else "installing"
                self._count = int(found[2])
        elif found := self._BEGUN.match(line):
            name = _name(found[2])
            if found[1] == "Building":
                self._builds[name] = None
            else:
                self._downloads[name] = _bytes(found)
        elif found := self._ENDED.match(line):
            name = _name(found[2])
            self._downloads.pop(name, None)
            self._builds.pop(name, None)
        else:
            return self._OTHER.match(line) is not None
        return True


class PipOutput(InstallerOutput):
    """pip writes progress to standard output, and errors to standard error. It downloads and builds one at a time."""

    progress: Stream = "stdout"

    _DOWNLOAD = re.compile(rf"\s*Downloading (\S+) {_SIZE}")
    _BUILD = re.compile(r"\s*Building (?:wheel|editable) for (\S+) .*: (started|finished)")
    _INSTALL = re.compile(r"Installing collected packages: (.*)")

    def understands(self, line: str) -> bool:
        if found := self._DOWNLOAD.match(line):
            self._downloads = {_name(found[1].rpartition("/")[2].partition("-")[0]): _bytes(found)}
        elif found := self._BUILD.match(line):
            self._downloads = {}
            self._builds = {_name(found[1]): None} if found[2] == "started" else {}
        elif found := self._INSTALL.match(line):
            self._downloads, self._builds = {}, {}
            self._step, self._count = "installing", found[1].count(",") + 1
        elif line.startswith(("Collecting ", "Processing ")):
            self._downloads = {}
        return True


def _name(word: str) -> str:
    """The name of a package in ``name==1.0``, of a repository in its URL."""
    if "://" in word:
        word = word.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return word.partition("==")[0]


def _bytes(found: re.Match[str]) -> int:
    return int(float(found["size"]) * _UNITS[found["unit"]]) if found["size"] else 0
