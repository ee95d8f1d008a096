"""Export a session's lock as plain requirements or PEP 751. :mod:`setlist.lock.cyclonedx` has the third form."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from setlist.core.errors import LockOutOfDate, ResolutionFailed, UsageError, nearest
from setlist.core.files import read_text, temporary_directory
from setlist.core.model import SessionSpec, Settings
from setlist.core.project import Project
from setlist.core.records import replace
from setlist.core.toml import parse_toml
from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.environment.requirement_lines import normalised, read_resolution
from setlist.environment.requirements import Requirements, logins_of
from setlist.lock.document import LockDocument, Pin, pins_of
from setlist.lock.lock_files import lock_path, read_lock
from setlist.lock.use import ProjectLocks

ExportFormat = Literal["requirements", "pylock", "cyclonedx"]

_OURS = re.compile(r"^\[tool\.setlist(?:\.\w+)?\]\n(?:(?!\[).*\n?)*", re.MULTILINE)


def check_format(name: str) -> ExportFormat:
    """The format with this name.

    Raises:
        UsageError: there is none; the hint names the nearest, or all.
    """
    formats: tuple[ExportFormat, ...] = get_args(ExportFormat)
    for candidate in formats:
        if candidate == name:
            return candidate
    near = nearest(name, formats)
    raise UsageError(
        f"--format {name}: no such format",
        hint=f"did you mean {near!r}?" if near else f"there are {', '.join(formats)}",
    )


def current_lock(project: Project, settings: Settings, session: SessionSpec) -> LockDocument:
    """The session's lock.

    Raises:
        LockOutOfDate: it is missing, stale or damaged; the hint names the command that renews it.
        UsageError: the session has no environment to lock.
    """
    if session.environment.backend == "none":
        raise UsageError(f"{session.name} has no environment of its own, and so no lock")
    # strict, so that it raises and never warns
    ProjectLocks(project, settings, required=True, strict=True, warn=lambda _session, _text: None).find(session)
    document = read_lock(project, settings, session)
    assert document is not None
    return document


def as_requirements(document: LockDocument) -> str:
    """The requirements with their hashes, without setlist's header."""
    return document.body


def as_pylock(
    project: Project, settings: Settings, session: SessionSpec, document: LockDocument, installer: InstallerSettings
) -> str:
    """The lock in the standard form (PEP 751), which has the URL of each file.

    A lock in the requirements form has no URLs: they are resolved for its versions. Files whose hash isn't in the lock,
    such as wheels that were added to a release later, are left out.

    Args:
        project: the project of the session.
        settings: the settings of the project.
        session: the session.
        document: its lock.
        installer: how to run the resolver.

    Raises:
        LockOutOfDate: a pylock file can't represent a requirement, or no index has it any more.
        ResolutionFailed: the resolver fails.
    """
    if settings.lock_format == "pylock":
        text = read_text(lock_path(project, settings, session))
        return _OURS.sub("", text.partition("\n")[2]).rstrip() + "\n"
    pins = pins_of(document.body)
    local = [line for line in document.body.splitlines() if line.startswith(("./", "../", "-e "))]
    if local:
        raise LockOutOfDate(
            f"{session.name}: a pylock file can't hold the project's local directories ({', '.join(local)}) "
            "so that they are found again",
            hint="--format requirements can",
        )
    served = _served(project, session, document, installer) if pins else {}
    lines = [
        'lock-version = "1.0"',
        f"requires-python = {_toml(_python_specifier(document.python))}",
        'created-by = "setlist"',
    ]
    if not pins:
        lines.append("packages = []")
    for pin in pins:
        lines += ["", "[[packages]]", *(f"{key} = {_toml(value)}" for key, value in _package(session, pin, served))]
    text = "\n".join(lines) + "\n"
    _check(text)
    return text


def _served(
    project: Project, session: SessionSpec, document: LockDocument, installer: InstallerSettings
) -> dict[tuple[str, str | None], Mapping[str, Any]]:
    """The resolver's entries of the locked packages, by name and version (None for URLs)."""
    logins = logins_of(project, session, document.body, installer.environ)
    if logins is not None:
        installer = replace(installer, environ={**installer.environ, **logins.environ})
    plain = [line.without_hashes for line in read_resolution(document.body)]
    with temporary_directory() as scratch:
        request = ResolveRequest(
            requirements=Requirements(lines=plain),
            scratch=scratch,
            universal=document.python.lstrip(">="),
            hashed=True,
        )
        text = Uv(installer).resolve_standard(request, "", ())
        data = parse_toml(text if logins is None else logins.hide(text))
    packages: list[Mapping[str, Any]] = data.get("packages", [])
    return {
        (
            normalised(package["name"]),
            None if "vcs" in package or "archive" in package else package.get("version"),
        ): package
        for package in packages
    }


def _package(
    session: SessionSpec, pin: Pin, served: Mapping[tuple[str, str | None], Mapping[str, Any]]
) -> Iterator[tuple[str, Any]]:
    """The fields of one entry of ``packages``, in the standard's order."""
    package = served.get((normalised(pin.name), pin.version))
    if package is None:
        raise LockOutOfDate(
            f"{session.name}: {pin.name} {pin.version or pin.url}: no index has it any more",
            hint=f"'setlist lock --upgrade-package {pin.name} {session.name}' takes another version",
        )
    yield "name", package["name"]
    if "version" in package:
        yield "version", package["version"]
    if pin.marker:
        yield "marker", pin.marker
    for key in ("index", "vcs", "archive"):
        if key in package:
            yield key, package[key]
    if pin.version is None:
        return
    locked = {tuple(entry.split(":", 1)) for entry in pin.hashes}

    def is_locked(file: Mapping[str, Any]) -> bool:
        return any(entry in locked for entry in file.get("hashes", {}).items())

    wheels = [wheel for wheel in package.get("wheels", []) if is_locked(wheel)]
    sdist = package.get("sdist")
    sdist = sdist if sdist is not None and is_locked(sdist) else None
    if not wheels and sdist is None:
        raise LockOutOfDate(
            f"{session.name}: {pin.name} {pin.version}: the index serves other files than were locked",
            hint=f"if the release was replaced on purpose: 'setlist lock --upgrade-package {pin.name} {session.name}'",
        )
    if sdist is not None:
        yield "sdist", sdist
    if wheels:
        yield "wheels", wheels


def _python_specifier(python: str) -> str:
    return python if python.startswith(">") else f"=={python}.*"


def _toml(value: object) -> str:
    """A value as TOML, on one line, except the list of wheels."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A TOML basic string is a JSON string, except for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_toml(entry)},\n" for entry in value) + "]"
    return str(value)


def _check(text: str) -> None:
    from packaging.pylock import Pylock, PylockValidationError

    try:
        Pylock.from_dict(parse_toml(text)).validate()
    except PylockValidationError as error:
        raise ResolutionFailed(f"what the resolver says of these files is no valid pylock: {error}") from error
