"""The installers: resolve requirements to exact versions, and make an environment hold just these.

An installer is two methods (:class:`Installer`). Neither decides anything: what to resolve, whether to, and
what becomes of a failure is up to the caller.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from setlist.core.errors import ConfigurationError, PreparationError, ResolutionFailed, SyncFailed
from setlist.core.files import temporary_directory, write_atomically
from setlist.core.logins import expanded
from setlist.core.model import EnvironmentStep, InstallerName, Interpreter, LinkMode, Resolution
from setlist.core.project import PACKAGING_HINT, Project
from setlist.core.records import dataclass
from setlist.core.system import WINDOWS, bin_directory
from setlist.environment.hashes import with_written_hashes
from setlist.environment.installer_config import (
    building_afresh,
    installer_environ,
    pip_environ,
    pip_only_indexes,
    uv_configuration,
)
from setlist.environment.installer_output import InstallerOutput, OnProgress, PipOutput, UvOutput
from setlist.environment.pins import (
    by_hash,
    by_version,
    names_path,
    pin_of,
    pins,
    still_fitting,
    with_absolute_urls,
    without_hashes,
    without_project,
)
from setlist.environment.requirement_lines import normalised, read_resolution
from setlist.environment.uv_sources import write_for_uv
from setlist.environment.virtualenv import treat_no_package_as_a_seed
from setlist.process.spawn import Capture, run_process

if TYPE_CHECKING:
    from setlist.environment.requirements import Requirements

_FINDING_UV = threading.Lock()

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequest:
    """What to resolve.

    The project under test is resolved with the rest of the ``requirements``, and left out of the answer. ``scratch`` is
    a directory for files. Either ``interpreter`` is the one to resolve for, or ``universal`` the oldest Python of a
    lock for all platforms. ``previous`` is an earlier answer, whose versions are kept where they still fit, but for
    ``upgrade_packages``. ``hashed`` requests the hashes of the index. ``overrides`` are requirements that replace those
    of the same name. ``afresh`` are the names whose metadata aren't taken from a cache, "" for all.
    """

    requirements: Requirements
    scratch: Path
    interpreter: Interpreter | None = None
    universal: str | None = None
    resolution: Resolution = "highest"
    previous: str | None = None
    hashed: bool
    upgrade_packages: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    afresh: tuple[str, ...] = ()


class Installer(Protocol):
    """What an installer can do. Both methods raise with the tool's own words as the detail."""

    def resolve(self, request: ResolveRequest) -> str:
        """Exact versions of everything, as requirement lines.

        Raises:
            ResolutionFailed: there is no answer, or a requirement can't be read.
        """
        ...

    def sync(self, python: Path, requirements: Path, reinstall: Sequence[str], *, sourced: Sequence[str] = ()) -> None:
        """Make the environment of ``python`` hold exactly ``requirements``: add, change, remove.

        ``reinstall`` are packages to install again though their version is right, or not from a cache; "" stands for
        all. ``sourced`` are options by which uv knows which of them come from an index of their own.

        Raises:
            SyncFailed: a package can't be fetched, built, or written.
        """
        ...

    def install(self, python: Path, arguments: Sequence[str]) -> None:
        """Install what the arguments say, as the tool's own ``install`` command would, removing nothing.

        Raises:
            SyncFailed: it can't be done.
        """
        ...

    def uninstall(self, python: Path, names: Sequence[str]) -> None:
        """Remove packages from the environment of ``python``, and nothing that requires them.

        Raises:
            SyncFailed: it can't be done.
        """
        ...

    def build(self, kind: str, source: Path, output: Path, python: Path) -> None:
        """Build a ``wheel`` or an ``sdist`` of the project in ``source`` into ``output``.

        Raises:
            SyncFailed: the build failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class InstallerSettings:
    """What an installer is run with: the caller's ``environ`` and the settings that the ``project`` has for it,
    ``cwd`` where it isn't the project's root, ``locks`` as the descriptors of the locks that it works under,
    ``find_links`` a directory of wheels to take packages from and from nowhere else, ``progress`` told of each step;
    None: the installer is quiet."""

    environ: Mapping[str, str]
    project: Project
    offline: bool
    cwd: Path | None = None
    index_url: str | None = None
    exclude_newer: str | None = None
    link_mode: LinkMode | None = None
    locks: tuple[int, ...] = ()
    find_links: Path | None = None
    progress: OnProgress | None = None


@dataclass(frozen=True, slots=True)
class Uv:
    """uv, from its wheel: resolver, downloader and exact sync in one binary."""

    settings: InstallerSettings

    def resolve(self, request: ResolveRequest) -> str:
        output = request.scratch / "requirements.txt"
        if request.previous is not None:
            # uv takes the versions in an output file that is there as preferences
            # and their hashes for those of the index
            write_atomically(output, without_hashes(request.previous))
        arguments = _compile_arguments(request)
        for name in request.upgrade_packages:
            arguments += ["--upgrade-package", name]
        if request.hashed:
            arguments.append("--generate-hashes")
        self._resolve([*arguments, "--output-file", str(output), *_inputs(request)])
        answer = output.read_text(encoding="utf-8")
        if any(map(names_path, read_resolution(answer))):
            answer = with_absolute_urls(answer, self._standard(request, answer), request.scratch)
        return _with_hashes(answer, request, self.settings.project)

    def install_exactly(self, python: Path, request: ResolveRequest) -> None:
        """Resolve, and make the environment of ``python`` hold exactly that; what it holds is kept where it fits.

        Raises:
            ResolutionFailed: it can't be done, for whatever reason.
        """
        treat_no_package_as_a_seed(python.parent.parent)
        source = _written(request)
        self._resolve(["pip", "install", "--exact", "--python", str(python), "-r", str(source), *_constraints(request)])
        _forget_compiled(python)

    def resolve_standard(self, request: ResolveRequest, answer: str, without: Sequence[str]) -> str:
        """An answer that was given for ``request``, in the form of PEP 751.

        Args:
            request: what was resolved.
            answer: what it was resolved to: the same versions are taken.
            without: names of the project under test, which isn't part of its lock.

        Raises:
            ResolutionFailed: the resolver doesn't come to the same answer.
        """
        return self._standard(request, answer, *(word for name in without for word in ("--no-emit-package", name)))

    def _standard(self, request: ResolveRequest, answer: str, *options: str) -> str:
        pinned = request.scratch / "pinned.txt"
        output = request.scratch / "pylock.setlist.toml"
        write_atomically(pinned, by_version(answer))
        arguments = [*_compile_arguments(request), "--format", "pylock.toml", "--output-file", str(output), *options]
        self._resolve([*arguments, "--constraints", str(pinned), *_inputs(request)])
        return output.read_text(encoding="utf-8")

    def _resolve(self, arguments: Sequence[str]) -> None:
        self._run(
            arguments,
            lambda words: ResolutionFailed("the requirements can't be resolved", detail=words, hint=self._hint(words)),
            "resolving",
        )

    def sync(self, python: Path, requirements: Path, reinstall: Sequence[str], *, sourced: Sequence[str] = ()) -> None:
        treat_no_package_as_a_seed(python.parent.parent)
        arguments = ["pip", "sync", "--allow-empty-requirements", "--python", str(python), str(requirements)]
        arguments += sourced
        for name in reinstall:
            arguments += ["--reinstall-package", name] if name else ["--refresh"]
        offline = not self.settings.offline
        certificates = {name for name in _CERTIFICATES if name in self.settings.environ}
        # If everything is in uv's cache, nobody is asked, and it takes a fraction of the time. Reading certificates,
        # which uv does whether or not it will need them, takes as long as a quarter of all it does then
        if not ((offline or certificates) and self._succeeds([*arguments, "--offline"], without=certificates)):
            self._run(
                arguments,
                lambda words: SyncFailed("the packages can't be installed", detail=words, hint=self._hint(words)),
                "preparing",
            )
        _forget_compiled(python)

    def install(self, python: Path, arguments: Sequence[str]) -> None:
        self._run(
            ["pip", "install", "--python", str(python), *arguments],
            lambda words: SyncFailed("s.install failed", detail=words, hint=self._hint(words)),
            "resolving",
        )
        _forget_compiled(python)

    def uninstall(self, python: Path, names: Sequence[str]) -> None:
        code, words = self._start(["pip", "uninstall", "--quiet", "--python", str(python), *names])
        if code != 0:
            raise SyncFailed("packages can't be removed", detail=words)

    def forget(self, names: Sequence[str]) -> None:
        """Remove packages from uv's cache: what is there isn't what was fetched.

        Raises:
            SyncFailed: it can't be done.
        """
        code, words = self._start(["cache", "clean", *names])
        if code != 0:
            raise SyncFailed("edited packages can't be removed from uv's cache", detail=words)

    def build(self, kind: str, source: Path, output: Path, python: Path) -> None:
        tell = self.settings.progress or _no_progress
        tell("building", packages=(f"the project's {kind}",))
        try:
            self._run(
                ["build", f"--{kind}", "--python", str(python), "--out-dir", str(output), str(source)],
                lambda words: SyncFailed(f"the {kind} can't be built", detail=words, hint=self._hint(words)),
            )
        finally:
            tell("done")

    def _succeeds(self, arguments: Sequence[str], *, without: Collection[str]) -> bool:
        return self._start(arguments, without, step="preparing")[0] == 0

    def _run(
        self,
        arguments: Sequence[str],
        failure: Callable[[str], PreparationError],
        step: EnvironmentStep | None = None,
    ) -> None:
        code, words = self._start([*arguments, *(["--offline"] if self.settings.offline else [])], step=step)
        if code != 0:
            raise failure(words)

    def _start(
        self, arguments: Sequence[str], without: Collection[str] = (), *, step: EnvironmentStep | None = None
    ) -> tuple[int, str]:
        """Run uv, with what belongs to all its commands, and ``without`` some variables.

        ``step``: what it begins with, if it tells of its progress.
        """
        settings = self.settings
        output = UvOutput(settings.progress, step) if step is not None and settings.progress is not None else None
        if step is not None and output is None:
            arguments = [*arguments, "--quiet"]
        options: list[str] = []
        if arguments[0] == "pip" and settings.exclude_newer:
            options += ["--exclude-newer", settings.exclude_newer]
        if settings.find_links is not None:
            options += ["--find-links", str(settings.find_links), "--no-index"]
        # as a variable: others see the words of a command line, and a URL may hold a login
        index = _index(settings, "UV_DEFAULT_INDEX") if arguments[0] == "pip" else {}
        environ = installer_environ(settings.environ)
        if index:
            environ.pop("UV_INDEX_URL", None)
            environ |= index
        if settings.link_mode is not None:
            environ["UV_LINK_MODE"] = settings.link_mode
        configuration = uv_configuration(settings.environ, settings.project)
        with (
            configuration.options(universal="--universal" in arguments) as configured,
            _building(arguments, settings.environ) as building,
        ):
            environ |= building
            options += configured
            code, stdout, stderr = _run_installer(
                [uv_binary(), *arguments, *options, "--no-python-downloads", "--color", "never", "--no-progress"],
                {name: value for name, value in environ.items() if name not in without},
                settings,
                output,
            )
        words = _words(stderr, stdout if code else b"")
        return code, words.replace(configured[-1], f"uv's settings ({', '.join(configuration.stated_in)})")

    def _hint(self, words: str) -> str | None:
        """What may help: an index that only pip is told of is a likelier reason than the network."""
        if re.search(f"{_NETWORK}|{_NOT_FOUND}", words) and not (
            self.settings.offline or self.settings.index_url or self.settings.find_links
        ):
            places = pip_only_indexes(self.settings.environ, self.settings.project)
            if places:
                return f"{' and '.join(places)}: an index is named for pip only; {hint_for_pip_only()}"
        return _hint(words)


@dataclass(frozen=True, slots=True)
class Pip:
    """pip, for where uv doesn't go. Slower, and every environment holds a pip.

    ``tool`` is a Python that has pip, used to resolve before the environment is touched.
    """

    settings: InstallerSettings
    tool: Callable[[], Path]

    def resolve(self, request: ResolveRequest) -> str:
        if request.resolution != "highest" or self.settings.exclude_newer:
            raise ConfigurationError(
                'pip can\'t resolve so: resolution and exclude-newer need installer = "uv"', key="installer"
            )
        requirements = request.requirements
        # pip takes the place that a requirement comes from from constraints
        source = _written(request, *(line for sourced in requirements.sourced for line in sourced.lines))
        # as arguments: in a file each would need the quoting of requirements files
        named = [("--requirement", path) for path in requirements.files]
        named += [("--constraint", path) for path in requirements.constraints]
        if requirements.source_lines:
            named.append(("--constraint", request.scratch / "sources.txt"))
            write_atomically(named[-1][1], "".join(f"{line}\n" for line in requirements.source_lines))
        files = [word for option, path in named for word in (option, str(path))]
        if request.previous is not None:
            # pip knows no preferences: with the earlier versions as constraints it keeps all, or has no answer
            kept = request.scratch / "previous.txt"
            write_atomically(kept, still_fitting(request.previous, requirements.lines))
            code, report, _ = self._report(source, [*files, "--constraint", str(kept)], request)
            if code == 0:
                return report
        code, report, words = self._report(source, files, request)
        if code != 0:
            raise ResolutionFailed("the requirements can't be resolved", detail=words, hint=_hint(words))
        return report

    def _report(self, source: Path, options: Sequence[str], request: ResolveRequest) -> tuple[int, str, str]:
        path = request.scratch / "report.json"
        code, words = self._start(
            self.tool(),
            ["install", "--dry-run", "--ignore-installed", "--report", str(path), "-r", str(source), *options],
            step="resolving",
        )
        if code != 0:
            return code, "", words
        lines = sorted(
            pin_of(item, lambda url: request.requirements.logins.restored(url, self.settings.environ))
            for item in json.loads(path.read_bytes())["install"]
        )
        answer = "".join(f"{line}\n" for line in lines)
        return 0, _with_hashes(answer, request, self.settings.project), words

    def sync(
        self,
        python: Path,
        requirements: Path,
        reinstall: Sequence[str],
        *,
        sourced: Sequence[str] = (),  # noqa: ARG002 - sources that pip can't take are refused before
    ) -> None:
        def failure(words: str) -> SyncFailed:
            return SyncFailed("the packages can't be installed", detail=words, hint=_hint(words))

        code, words = self._start(python, ["list", "--format", "json", "--disable-pip-version-check"], quiet=False)
        if code != 0:
            raise failure(words)
        text = requirements.read_text(encoding="utf-8")
        installed = {normalised(item["name"]) for item in json.loads(words)}
        extraneous = sorted(
            (installed - pins(text).keys() - {"pip"}) | {normalised(name) for name in reinstall} & installed
        )
        with temporary_directory() as scratch:
            files = by_hash(text, scratch)
            if extraneous:
                # Nothing is removed before it is known that the rest can be had, and is what it should be
                for file in files:
                    self._check(python, ["install", "--dry-run", "--ignore-installed", "--no-deps", *file], failure)
                self._check(python, ["uninstall", "--yes", *extraneous], failure)
            for file in files:
                self._check(python, ["install", "--no-deps", *file], failure)

    def install(self, python: Path, arguments: Sequence[str]) -> None:
        self._check(
            python,
            ["install", *arguments],
            lambda words: SyncFailed("s.install failed", detail=words, hint=_hint(words)),
        )

    def uninstall(self, python: Path, names: Sequence[str]) -> None:
        self._check(
            python, ["uninstall", "--yes", *names], lambda words: SyncFailed("packages can't be removed", detail=words)
        )

    def build(self, kind: str, source: Path, output: Path, python: Path) -> None:
        # pip itself makes no sdists; uv builds both, by the project's own backend
        Uv(self.settings).build(kind, source, output, python)

    def _check(self, python: Path, arguments: Sequence[str], failure: Callable[[str], PreparationError]) -> None:
        code, words = self._start(python, arguments)
        if code != 0:
            raise failure(words)

    def _start(
        self, python: Path, arguments: Sequence[str], *, quiet: bool = True, step: EnvironmentStep = "preparing"
    ) -> tuple[int, str]:
        """Run pip. ``quiet``: return its words if it fails, otherwise its standard output."""
        settings = self.settings
        output = PipOutput(settings.progress, step) if quiet and settings.progress is not None else None
        options = ["--no-input", "--disable-pip-version-check"]
        told = output is not None and arguments[0] == "install"  # pip's other commands have no bar
        options += ["--progress-bar", "off"] if told else ["--quiet"] if quiet else []
        if arguments[0] == "install":
            options += ["--no-index"] if self.settings.offline or self.settings.find_links else []
            options += ["--find-links", str(self.settings.find_links)] if self.settings.find_links else []
        with _building(arguments, settings.environ) as building:
            code, stdout, stderr = _run_installer(
                [*pip_command(python), *arguments, *options],
                {
                    **pip_environ(settings.environ, settings.project.root, arguments[0]),
                    **_index(settings, "PIP_INDEX_URL"),
                    **building,
                    "PIP_NO_COLOR": "1",
                    "PIP_ROOT_USER_ACTION": "ignore",
                },
                settings,
                output,
            )
        return code, _words(stderr, stdout) if code or quiet else stdout.decode()


def _forget_compiled(python: Path) -> None:
    """Packages were installed into the environment of this Python."""
    from setlist.environment.bytecode import remove_outdated
    from setlist.environment.virtualenv import site_packages

    remove_outdated(site_packages(python.parent.parent))


def _run_installer(
    argv: Sequence[str], environ: Mapping[str, str], settings: InstallerSettings, output: InstallerOutput | None
) -> tuple[int, bytes, bytes]:
    """Run an installer. Returns its exit code, and what it wrote to the two streams that isn't progress."""
    try:
        done = run_process(
            argv,
            env=environ,
            cwd=settings.cwd or settings.project.root,
            capture=True if output is None else Capture(output.take, merged=False, attached=True),
            keep_open=settings.locks,
        )
    finally:
        if output is not None:
            output.end()
    if output is None:
        return done.code, done.stdout, done.stderr
    return done.code, bytes(output.stdout), bytes(output.words)


def _no_progress(*_: object, **__: object) -> None:
    """Nobody is told."""


@contextmanager
def _building(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables for the builds that a command of an installer may start."""
    if {"build", "install", "--reinstall-package", "--refresh"}.isdisjoint(arguments):
        yield {}
        return
    with building_afresh(environ) as building:
        yield building


def pip_command(python: Path) -> list[str]:
    """The words that start the pip of an environment.

    Isolated (``-I``): the directory that pip is started in, the project's root, is no place to import modules from.
    """
    return [str(python), "-I", "-m", "pip"]


def _index(settings: InstallerSettings, variable: str) -> dict[str, str]:
    """The session's index as a variable of the installer, references to other variables replaced."""
    return {variable: expanded(settings.index_url, settings.environ)} if settings.index_url else {}


@cache
def uv_binary() -> str:
    """uv's binary, from its wheel."""
    # It asks sysconfig, whose first answers are wrong where several threads ask at once
    with _FINDING_UV:
        beside = _beside_its_package()
        if beside is not None:
            return beside
        from uv import find_uv_bin

        return str(find_uv_bin())


def _beside_its_package() -> str | None:
    """uv's binary in the virtual environment that its package is installed in; None where it isn't that simple."""
    from importlib.machinery import PathFinder

    if sys.prefix == sys.base_prefix:
        return None
    spec = PathFinder.find_spec("uv")
    binary = bin_directory(Path(sys.prefix)) / ("uv.exe" if WINDOWS else "uv")
    installed = spec is not None and spec.origin is not None and spec.origin.startswith(sys.prefix + os.sep)
    return str(binary) if installed and os.access(binary, os.X_OK) else None


def _with_hashes(answer: str, request: ResolveRequest, project: Project) -> str:
    """What was resolved, without the project under test, with the hashes that were written.

    Raises:
        ResolutionFailed: there are none that fit.
    """
    requirements = request.requirements
    return with_written_hashes(
        without_project(answer, project.root), requirements.hashes, required=requirements.require_hashes
    )


def _written(request: ResolveRequest, *more: str) -> Path:
    """The requirements as a file."""
    source = request.scratch / "requirements.in"
    project_line = request.requirements.project_line
    lines = [*request.requirements.lines, *([project_line] if project_line else []), *more]
    write_atomically(source, "".join(f"{line}\n" for line in lines))
    return source


def _inputs(request: ResolveRequest) -> list[str]:
    """The requirements as arguments of ``uv pip compile``: files, and options for those that have sources."""
    requirements = request.requirements
    inputs = [str(path) for path in (_written(request), *requirements.files)]
    for number, sourced in enumerate(requirements.sourced):
        inputs += write_for_uv(request.scratch / f"sourced{number}", sourced)
    return inputs


def _constraints(request: ResolveRequest) -> list[str]:
    return [word for path in request.requirements.constraints for word in ("--constraints", str(path))]


def _compile_arguments(request: ResolveRequest) -> list[str]:
    arguments = ["pip", "compile", "--no-header", "--no-annotate", "--no-strip-extras"]
    if request.universal is not None:
        arguments += ["--universal", "--python-version", request.universal, "--python", sys.executable]
    elif request.interpreter is not None:
        arguments += ["--python", request.interpreter.executable]
    if request.resolution != "highest":
        arguments += ["--resolution", request.resolution]
    arguments += _constraints(request)
    for name in request.afresh:
        arguments += ["--refresh-package", name] if name else ["--refresh"]
    if request.overrides:
        overrides = request.scratch / "overrides.txt"
        write_atomically(overrides, "".join(f"{line}\n" for line in request.overrides))
        arguments += ["--overrides", str(overrides)]
    return arguments


def make_installer(name: InstallerName, settings: InstallerSettings, tool: Callable[[], Path]) -> Installer:
    """The installer of that name. ``tool`` makes a Python with pip, where one is needed."""
    return Uv(settings) if name == "uv" else Pip(settings, tool)


def _words(*streams: bytes) -> str:
    encoding = "utf-8" if sys.platform != "win32" else (sys.stdout.encoding or "utf-8")
    return "\n".join(text for text in (stream.decode(encoding, "replace").strip() for stream in streams) if text)


_NETWORK = (
    r"(?i)failed to fetch|error sending request|dns error|connection (?:refused|reset)|timed out|"
    r"network is unreachable|name resolution|connection error|newconnectionerror|connectivity is disabled"
)


_NOT_FOUND = r"not found in the|no versions? of|there are no|(?:is|are) available"


def hint_for_pip_only() -> str:
    """What to do about an index that only pip is told of."""
    return (
        "uv doesn't read pip's settings: name the index in UV_DEFAULT_INDEX or [[tool.uv.index]], "
        'or set installer = "pip"'
    )


def _hint(words: str) -> str | None:
    if "connectivity is disabled" in words:
        return "without --offline the missing package would be fetched"
    if re.search(_NETWORK, words):
        return "no network? with --offline what is in the cache is used"
    if re.search("top-level packages discovered.*'sessions'", words):
        return PACKAGING_HINT
    return None
