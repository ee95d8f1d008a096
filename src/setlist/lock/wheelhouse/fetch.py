"""Download the files that locks name and that builds need, so that environments can be made without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from setlist.core.errors import InterpreterNotFound, LockOutOfDate
from setlist.core.files import temporary_directory
from setlist.core.model import SessionSpec, Settings
from setlist.core.records import dataclass
from setlist.environment.context import EnvironmentContext, python_request
from setlist.environment.installers import InstallerSettings
from setlist.environment.requirement_lines import read_resolution
from setlist.environment.virtualenv import python_with_pip
from setlist.lock.document import Pin, pins_of
from setlist.lock.targets import Target, elsewhere, here, minor_of
from setlist.lock.use import ProjectLocks
from setlist.lock.wheelhouse.build_requirements import BuildRequirements
from setlist.lock.wheelhouse.download import Downloader, FetchFailed, Wheelhouse, prepare_wheelhouse
from setlist.lock.wheelhouse.indexes import download_environ, indexes_of_uv

if TYPE_CHECKING:
    import tarfile

_BUILT: dict[str, tuple[str, ...]] = {"editable": ("editable",), "wheel": ("wheel",), "sdist": ("sdist", "wheel")}
"""What is built for each way to install the project under test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """``platforms``: names, none for this machine; ``pythons``: for sessions that name no Python."""

    directory: Path
    platforms: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """The result of a download.

    ``fetched`` are the new files, ``there`` counts the requirements whose file was there already, ``sdists`` are those
    without a wheel, ``left`` are requirements that can't be downloaded, with the reason.
    """

    targets: tuple[Target, ...]
    fetched: tuple[Path, ...]
    there: int
    sdists: tuple[str, ...]
    left: tuple[str, ...]


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """The index of a session, and its limit for the age of packages."""

    index_url: str | None
    exclude_newer: str | None


@dataclass(frozen=True, slots=True)
class _Task:
    pin: Pin
    target: Target
    source: _Source


def locked_texts(locks: ProjectLocks, sessions: Sequence[SessionSpec], *, all_of_them: bool) -> dict[SessionSpec, str]:
    """The requirements of the sessions' locks, with absolute local paths.

    Args:
        locks: the locks of the project, strict.
        sessions: the sessions.
        all_of_them: whether a session without a lock is an error, or left out.

    Raises:
        LockOutOfDate: a lock isn't current, or no session has one.
    """
    texts: dict[SessionSpec, str] = {}
    for session in sessions:
        if session.environment.backend == "none" or not (all_of_them or locks.file(session).is_file()):
            continue
        locked = locks.find(session)
        if locked is not None and locked.text is not None:
            texts[session] = locked.text
    if not texts:
        raise LockOutOfDate("none of these sessions has a lock", hint="'setlist lock' makes them")
    return texts


def fetch(
    context: EnvironmentContext,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    options: FetchOptions,
    progress: Progress,
    *,
    all_of_them: bool,
) -> FetchResult:
    """Download the files that the sessions' locks name, and those that building the project under test needs.

    Args:
        context: the project, the caller's environment, interpreters.
        settings: the settings of the project.
        sessions: the sessions with the locks.
        options: the directory, and the platforms and Pythons to download for.
        progress: called with the number of finished requirements, and their total.
        all_of_them: whether a session without a lock is an error, or left out.

    Raises:
        LockOutOfDate: a lock is missing or stale.
        FetchFailed: a file can't be downloaded, or isn't the locked one.
        StorageError: the directory can't be used.
        SetlistError: the requirements of a build can't be found.
    """
    locks = ProjectLocks(context.project, settings, required=True, strict=True, warn=context.notify)
    texts = locked_texts(locks, sessions, all_of_them=all_of_them)
    targets = {session: _targets(context, session, options) for session in texts}
    wheelhouse = prepare_wheelhouse(options.directory)
    with temporary_directory() as scratch:
        work = _Fetching(context, wheelhouse, scratch, progress)
        for session, text in texts.items():
            source = _Source(session.environment.index_url, session.environment.exclude_newer)
            for target in targets[session]:
                work.add(text, target, source)
                for tree, kinds in _trees(context, session, text):
                    work.add_build(tree, kinds, target, source)
            work.left += _unfetchable(text)
        work.run()
    return FetchResult(
        targets=tuple(dict.fromkeys(target for group in targets.values() for target in group)),
        fetched=tuple(work.fetched),
        there=work.there,
        sdists=tuple(dict.fromkeys(work.sdists)),
        left=tuple(dict.fromkeys(work.left)),
    )


class _Fetching:
    """The queue of downloads and their results. An sdist adds the requirements of its build to the queue."""

    def __init__(self, context: EnvironmentContext, wheelhouse: Wheelhouse, scratch: Path, progress: Progress) -> None:
        self.fetched: list[Path] = []
        self.there = 0
        self.sdists: list[str] = []
        self.left: list[str] = []
        self._context = context
        self._wheelhouse = wheelhouse
        self._scratch = scratch
        self._progress = progress
        self._queue: list[_Task] = []
        self._seen: set[_Task] = set()
        self._builds: dict[_Source, BuildRequirements] = {}
        own = context.interpreters.find(None)
        self._own = own
        self._downloader = Downloader(
            wheelhouse,
            lambda: python_with_pip(own, cache_directory=context.cache, environ=context.environ),
            download_environ(context.environ, context.project),
            context.project.root,
        )

    def add(self, text: str, target: Target, source: _Source) -> None:
        """Queue the pins of requirement lines that the target needs."""
        for pin in pins_of(text):
            if pin.version is None or not pin.hashes or not target.needs(pin.marker):
                continue
            task = _Task(Pin(pin.name, pin.version, None, "", pin.hashes), target, source)
            if task not in self._seen:
                self._seen.add(task)
                self._queue.append(task)

    def add_build(self, tree: Path, kinds: Sequence[str], target: Target, source: _Source) -> None:
        """Queue the requirements of building a source tree."""
        builds = self._builds.get(source)
        if builds is None:
            settings = InstallerSettings(
                environ=self._context.environ,
                project=self._context.project,
                offline=False,
                index_url=source.index_url,
                exclude_newer=source.exclude_newer,
            )
            builds = self._builds.setdefault(source, BuildRequirements.of(self._context, settings, self._own))
        self.add(builds.resolved(tree, kinds, target.python), target, source)

    def run(self) -> None:
        """Download until the queue is empty."""
        while self._queue:
            target, source = self._queue[0].target, self._queue[0].source
            group = [task for task in self._queue if (task.target, task.source) == (target, source)]
            self._queue = [task for task in self._queue if (task.target, task.source) != (target, source)]
            self._fetch([task.pin for task in group], target, source)
            self._progress(len(self._seen) - len(self._queue), len(self._seen))

    def _fetch(self, pins: Sequence[Pin], target: Target, source: _Source) -> None:
        options = indexes_of_uv(self._context.environ, self._context.project, source.index_url).options()
        missing = [pin for pin in pins if self._wheelhouse.wheel(pin, target) is None]
        self.there += len(pins) - len(missing)
        present = {pin: self._wheelhouse.sdist(pin) for pin in missing}
        files, without = self._downloader.wheels([pin for pin in missing if present[pin] is None], target, options)
        self.fetched += files
        more, nowhere = self._downloader.sdists(without, options)
        self.fetched += more
        if nowhere:
            names = ", ".join(f"{pin.name} {pin.version}" for pin in nowhere)
            raise FetchFailed(
                f"{names}: no index has a wheel for {target.label}, or an sdist",
                hint="was it yanked or removed? 'setlist lock --upgrade-package NAME' takes another version",
            )
        for pin in missing:
            sdist = self._wheelhouse.sdist(pin) if pin in without else present[pin]
            if sdist is None:
                continue
            self.there += present[pin] is not None
            self.sdists.append(sdist.name)
            self.add_build(_unpacked(sdist, self._scratch / sdist.name), ("wheel",), target, source)


def _targets(context: EnvironmentContext, session: SessionSpec, options: FetchOptions) -> tuple[Target, ...]:
    """The platforms and Pythons to download a session's packages for."""
    own = session.environment.python
    named = minor_of(own)
    requests = [named] if named is not None else [*options.pythons] or [python_request(session.environment)]
    targets: list[Target] = []
    for request in requests:
        try:
            interpreter = context.interpreters.find(request)
        except InterpreterNotFound:
            # Downloads need no interpreter, unless only it says which minor version is meant
            if minor_of(request) is None:
                raise
            interpreter = None
        if not options.platforms:
            targets.append(here(interpreter, request))
        for platform in options.platforms:
            exact = request if minor_of(request) is not None or interpreter is None else interpreter.version
            targets.append(elsewhere(platform, exact))
    return tuple(dict.fromkeys(targets))


def _trees(context: EnvironmentContext, session: SessionSpec, text: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The source trees that the session's environment is built from."""
    if session.environment.project is not None:
        yield context.project.root, _BUILT[session.environment.project]
    for line in read_resolution(text):
        if line.path is not None and line.path.is_dir():
            yield line.path, ("editable" if line.editable else "wheel",)


def _unfetchable(text: str) -> Iterator[str]:
    """The requirements that no directory of wheels can provide."""
    for pin in pins_of(text):
        if pin.url is not None and "://" in pin.url and not pin.url.startswith("file:"):
            kind = "version control" if "+" in pin.url.partition("://")[0] else "a URL"
            yield f"{pin.name} comes from {kind}, not from an index: {pin.url}"


def _unpacked(sdist: Path, place: Path) -> Path:
    """Unpack an sdist, and return its source tree."""
    import tarfile
    import zipfile

    if not place.exists():
        try:
            if zipfile.is_zipfile(sdist):
                with zipfile.ZipFile(sdist) as archive:
                    archive.extractall(place)  # noqa: S202 - zipfile lets no name lead out of the directory
            else:
                with tarfile.open(sdist) as archive:
                    # Not every 3.10 and 3.11 has the filters of PEP 706. Links aren't needed to ask a backend
                    archive.extractall(place, [entry for entry in archive if _stays_inside(entry)])  # noqa: S202
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise FetchFailed(f"{sdist.name} can't be unpacked: {error}") from error
    folders = [path for path in place.iterdir() if path.is_dir()]
    return folders[0] if len(folders) == 1 else place


def _stays_inside(entry: tarfile.TarInfo) -> bool:
    name = PurePosixPath(entry.name)
    return (entry.isfile() or entry.isdir()) and not name.is_absolute() and ".." not in name.parts
