"""Fetch what locks name, so that the environments can be made where there is no network."""

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
from setlist.environment.requirements import local_path
from setlist.environment.virtualenv import python_with_pip
from setlist.lock.document import Pin, pins_of
from setlist.lock.targets import Target, elsewhere, here, minor_of
from setlist.lock.use import ProjectLocks
from setlist.lock.wheelhouse.build_requirements import BuildRequirements
from setlist.lock.wheelhouse.download import Downloader, FetchFailed, Wheelhouse, prepare_shelf
from setlist.lock.wheelhouse.indexes import download_environ, indexes_of_uv

if TYPE_CHECKING:
    import tarfile

_BUILT: dict[str, tuple[str, ...]] = {"editable": ("editable",), "wheel": ("wheel",), "sdist": ("sdist", "wheel")}
"""What is built of the project under test for each way to install it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """What to fetch: ``platforms`` by name, none for this machine; ``pythons`` for sessions that name none."""

    directory: Path
    platforms: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What came of it.

    ``fetched`` are the files that are new, ``there`` counts the requirements whose file was there already,
    ``sdists`` are those for which there is no wheel, ``left`` what can't be brought, with the reason.
    """

    targets: tuple[Target, ...]
    fetched: tuple[Path, ...]
    there: int
    sdists: tuple[str, ...]
    left: tuple[str, ...]


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a session looks for packages, and how new they may be."""

    index_url: str | None
    exclude_newer: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    pin: Pin
    target: Target
    source: _Source


def locked_texts(locks: ProjectLocks, sessions: Sequence[SessionSpec], *, all_of_them: bool) -> dict[SessionSpec, str]:
    """The requirements of the sessions' locks, local paths absolute.

    Args:
        locks: the project's, strict.
        sessions: whose.
        all_of_them: a session without a lock is an error, and not left out.

    Raises:
        LockOutOfDate: a lock isn't current; or there is none at all.
    """
    found: dict[SessionSpec, str] = {}
    for session in sessions:
        if session.environment.backend == "none" or not (all_of_them or locks.file(session).is_file()):
            continue
        locked = locks.find(session)
        if locked is not None and locked.text is not None:
            found[session] = locked.text
    if not found:
        raise LockOutOfDate("none of these sessions has a lock", hint="'setlist lock' makes them")
    return found


def fetch(
    context: EnvironmentContext,
    settings: Settings,
    sessions: Sequence[SessionSpec],
    wish: FetchOptions,
    progress: Progress,
    *,
    all_of_them: bool,
) -> FetchResult:
    """Bring what the sessions' locks name into a directory, and what building the project under test needs.

    Args:
        context: the project, the caller's world, interpreters.
        settings: the project's.
        sessions: whose locks.
        wish: where to, and for which machines.
        progress: told how many requirements are there, and of how many.
        all_of_them: a session without a lock is an error, and not left out.

    Raises:
        LockOutOfDate: a lock is missing or stale.
        FetchFailed: a file can't be had, or isn't what was locked.
        StorageError: the directory can't be used.
        SetlistError: what a build needs can't be found out.
    """
    locks = ProjectLocks(context.project, settings, required=True, strict=True, warn=context.notify)
    texts = locked_texts(locks, sessions, all_of_them=all_of_them)
    targets = {session: _targets(context, session, wish) for session in texts}
    shelf = prepare_shelf(wish.directory)
    with temporary_directory() as scratch:
        work = _Fetching(context, shelf, scratch, progress)
        for session, text in texts.items():
            source = _Source(session.environment.index_url, session.environment.exclude_newer)
            for target in targets[session]:
                work.want(text, target, source)
                for tree, kinds in _trees(context, session, text):
                    work.want_build(tree, kinds, target, source)
            work.left += _unfetchable(text)
        work.run()
    return FetchResult(
        targets=tuple(dict.fromkeys(target for found in targets.values() for target in found)),
        fetched=tuple(work.fetched),
        there=work.there,
        sdists=tuple(dict.fromkeys(work.sdists)),
        left=tuple(dict.fromkeys(work.left)),
    )


class _Fetching:
    """What is still wanted and what has come of the rest: an sdist that is fetched makes more wanted."""

    def __init__(self, context: EnvironmentContext, shelf: Wheelhouse, scratch: Path, progress: Progress) -> None:
        self.fetched: list[Path] = []
        self.there = 0
        self.sdists: list[str] = []
        self.left: list[str] = []
        self._context = context
        self._shelf = shelf
        self._scratch = scratch
        self._progress = progress
        self._waiting: list[_Wanted] = []
        self._seen: set[_Wanted] = set()
        self._builds: dict[_Source, BuildRequirements] = {}
        own = context.interpreters.find(None)
        self._own = own
        self._downloader = Downloader(
            shelf,
            lambda: python_with_pip(own, cache_directory=context.cache, environ=context.environ),
            download_environ(context.environ, context.project),
            context.project.root,
        )

    def want(self, text: str, target: Target, source: _Source) -> None:
        """Ask for what requirement lines name, as far as the target needs it."""
        for pin in pins_of(text):
            if pin.version is None or not pin.hashes or not target.needs(pin.marker):
                continue
            wanted = _Wanted(Pin(pin.name, pin.version, None, "", pin.hashes), target, source)
            if wanted not in self._seen:
                self._seen.add(wanted)
                self._waiting.append(wanted)

    def want_build(self, tree: Path, kinds: Sequence[str], target: Target, source: _Source) -> None:
        """Ask for what building a source tree needs."""
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
        self.want(builds.resolved(tree, kinds, target.python), target, source)

    def run(self) -> None:
        """Fetch until nothing more is wanted."""
        while self._waiting:
            target, source = self._waiting[0].target, self._waiting[0].source
            group = [wanted for wanted in self._waiting if (wanted.target, wanted.source) == (target, source)]
            self._waiting = [wanted for wanted in self._waiting if (wanted.target, wanted.source) != (target, source)]
            self._fetch([wanted.pin for wanted in group], target, source)
            self._progress(len(self._seen) - len(self._waiting), len(self._seen))

    def _fetch(self, pins: Sequence[Pin], target: Target, source: _Source) -> None:
        options = indexes_of_uv(self._context.environ, self._context.project, source.index_url).options()
        missing = [pin for pin in pins if self._shelf.wheel(pin, target) is None]
        self.there += len(pins) - len(missing)
        known = {pin: self._shelf.sdist(pin) for pin in missing}
        files, without = self._downloader.wheels([pin for pin in missing if known[pin] is None], target, options)
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
            sdist = self._shelf.sdist(pin) if pin in without else known[pin]
            if sdist is None:
                continue
            self.there += known[pin] is not None
            self.sdists.append(sdist.name)
            self.want_build(_unpacked(sdist, self._scratch / sdist.name), ("wheel",), target, source)


def _targets(context: EnvironmentContext, session: SessionSpec, wish: FetchOptions) -> tuple[Target, ...]:
    """The machines that a session is fetched for."""
    own = session.environment.python
    named = minor_of(own)
    requests = [named] if named is not None else [*wish.pythons] or [python_request(session.environment)]
    found: list[Target] = []
    for request in requests:
        try:
            interpreter = context.interpreters.find(request)
        except InterpreterNotFound:
            # not needed to fetch for it, unless it alone says which version is meant
            if minor_of(request) is None:
                raise
            interpreter = None
        if not wish.platforms:
            found.append(here(interpreter, request))
        for platform in wish.platforms:
            exact = request if minor_of(request) is not None or interpreter is None else interpreter.version
            found.append(elsewhere(platform, exact))
    return tuple(dict.fromkeys(found))


def _trees(context: EnvironmentContext, session: SessionSpec, text: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The source trees that the session's environment is built from."""
    if session.environment.project is not None:
        yield context.project.root, _BUILT[session.environment.project]
    for line in text.splitlines():
        path = None if line.startswith((" ", "#")) else local_path(line)
        if path is not None and path.is_dir():
            yield path, ("editable" if line.startswith("-e") else "wheel",)


def _unfetchable(text: str) -> Iterator[str]:
    """What no directory of wheels can stand in for."""
    for pin in pins_of(text):
        if pin.url is not None and "://" in pin.url and not pin.url.startswith("file:"):
            kind = "version control" if "+" in pin.url.partition("://")[0] else "a URL"
            yield f"{pin.name} comes from {kind}, not from an index: {pin.url}"


def _unpacked(sdist: Path, place: Path) -> Path:
    """An sdist's source tree."""
    import tarfile
    import zipfile

    if not place.exists():
        try:
            if zipfile.is_zipfile(sdist):
                with zipfile.ZipFile(sdist) as archive:
                    archive.extractall(place)  # noqa: S202 - zipfile lets no name lead out of the directory
            else:
                with tarfile.open(sdist) as archive:
                    # PEP 706's filters aren't in every 3.10 and 3.11; links are left out, no build is asked of them
                    archive.extractall(place, [entry for entry in archive if _stays_inside(entry)])  # noqa: S202
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise FetchFailed(f"{sdist.name} can't be unpacked: {error}") from error
    folders = [path for path in place.iterdir() if path.is_dir()]
    return folders[0] if len(folders) == 1 else place


def _stays_inside(entry: tarfile.TarInfo) -> bool:
    name = PurePosixPath(entry.name)
    return (entry.isfile() or entry.isdir()) and not name.is_absolute() and ".." not in name.parts
