"""What nox knows of a session, and what that session runs in: which of its backends is there, and what that makes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from setlist.core import system
from setlist.core.model import EnvironmentSpec, InstallerName, SessionSpec
from setlist.core.records import dataclass, dump, load, replace

PROVIDER = "nox"
"""What sessions of noxfiles have as their ``provider``."""

CONDA = ("conda", "mamba", "micromamba", "rattler")
"""Backends whose environments nox makes itself, by its own classes."""


REMOVED = (
    "PIP_RESPECT_VIRTUALENV",
    "PIP_REQUIRE_VIRTUALENV",
    "PYTHONHOME",
    "__PYVENV_LAUNCHER__",
    "UV_SYSTEM_PYTHON",
    "UV_PYTHON",
)
"""The caller's variables that nox hides from a session's commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoxSession:
    """A session of a noxfile, as nox itself has it.

    ``file`` is relative to the project's root; ``name`` is how nox spells it (``tests-3.12(django='4.0')``), by which
    it is found in nox's manifest, ``names`` are all that it answers to there, that of its family last. ``backend`` is
    its ``venv_backend`` with nox's options counted in (``"uv|virtualenv"``, ``"conda"``, ``"none"``); ``venv_params``
    are what it is made with. ``runs_in`` is what the noxfile itself asks for to be loaded (PEP 723), None where
    setlist's own Python has it.
    """

    file: str
    name: str
    names: tuple[str, ...] = ()
    backend: str | None = None
    venv_params: tuple[str, ...] = ()
    runs_in: EnvironmentSpec | None = None


def provided(*, file: str, backend: str | None, venv_params: Sequence[str], runs_in: EnvironmentSpec | None) -> str:
    """What :func:`nox_session` reads, as it is kept in a session: fields of :class:`NoxSession` as JSON."""
    return json.dumps(
        {
            "file": file,
            "backend": backend,
            "venv_params": list(venv_params),
            "runs_in": dump(runs_in),
        }
    )


def nox_session(session: SessionSpec) -> NoxSession:
    """What nox knows of a session of a noxfile."""
    name, *names = session.aliases
    return load(NoxSession, {**json.loads(session.provided), "name": name, "names": names})


def backend_of(nox: NoxSession, environ: Mapping[str, str]) -> str:
    """The backend that a session uses: of those it names, the first that is there.

    uv always is: it comes with setlist.
    """
    named = (nox.backend or "virtualenv").split("|")
    return next((name for name in named if _is_there(name, environ)), named[-1])


def as_prepared(session: SessionSpec, environ: Mapping[str, str]) -> SessionSpec:
    """The session with an environment as nox would have made it."""
    if session.environment.backend == "none":
        return session
    nox = nox_session(session)
    backend = backend_of(nox, environ)
    spec = session.environment
    if backend in (*CONDA, "none"):
        return replace(session, environment=replace(spec, backend="none", python=None))
    maker = (backend, *nox.venv_params)
    installer: InstallerName = "uv" if backend == "uv" else "pip"
    return replace(session, environment=replace(spec, maker=maker, installer=installer))


def variables(session: SessionSpec, environ: Mapping[str, str], directory: Path | None) -> dict[str, str]:
    """The variables that ``session.run`` gives to a command, as nox has them. A test compares them.

    Args:
        session: the session.
        environ: the caller's variables.
        directory: the session's environment, None if it has none of its own or nox creates it.
    """
    nox = nox_session(session)
    changes: dict[str, str | None] = {**dict.fromkeys(REMOVED), "NOX_CURRENT_SESSION": nox.name}
    if directory is not None:
        changes |= {"CONDA_PREFIX": None, "VIRTUAL_ENV": str(directory)}
        if backend_of(nox, environ) == "uv":
            changes |= {"UV_PROJECT_ENVIRONMENT": str(directory), "UV_PYTHON": str(directory)}
        path = next((name for name in environ if system.WINDOWS and name.upper() == "PATH"), "PATH")
        changes[path] = os.pathsep.join(filter(None, (str(system.bin_directory(directory)), environ.get(path))))
    return {name: value for name, value in {**environ, **changes}.items() if value is not None}


def uv_and_version() -> tuple[str, str]:
    """uv's binary and its version, as nox wants to know it, without starting it.

    Told by the name of its metadata's directory: reading them the usual way takes longer than starting uv.
    """
    from importlib.util import find_spec

    from setlist.environment.installers import uv_binary

    spec = find_spec("uv")
    for package in spec.submodule_search_locations or () if spec is not None else ():
        for info in Path(package).parent.glob("uv-*.dist-info"):
            return uv_binary(), info.name.removesuffix(".dist-info").partition("-")[2]
    return uv_binary(), "0"


def _is_there(backend: str, environ: Mapping[str, str]) -> bool:
    if backend == "rattler":
        from importlib.util import find_spec

        return find_spec("rattler") is not None
    if backend in CONDA:
        from shutil import which

        return which(backend, path=environ.get("PATH", environ.get("Path"))) is not None
    return True
