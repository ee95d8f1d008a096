"""What a noxfile's session runs in, in our words: which of its backends is there, and what that would have made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from setlist.core.model import InstallerName, NoxSession, SessionSpec
from setlist.core.records import replace

CONDA = ("conda", "mamba", "micromamba", "rattler")
"""Backends whose environments nox makes itself, by its own classes."""


def backend_of(nox: NoxSession, environ: Mapping[str, str]) -> str:
    """The backend that a session uses: of those it names, the first that is there.

    uv always is: it comes with setlist.
    """
    named = (nox.backend or "virtualenv").split("|")
    return next((name for name in named if _is_there(name, environ)), named[-1])


def as_prepared(session: SessionSpec, environ: Mapping[str, str]) -> SessionSpec:
    """The session with an environment as nox would have made it; any other session as it is."""
    if session.nox is None or session.environment.backend == "none":
        return session
    backend = backend_of(session.nox, environ)
    spec = session.environment
    if backend in (*CONDA, "none"):
        return replace(session, environment=replace(spec, backend="none", python=None))
    maker = (backend, *session.nox.venv_params)
    installer: InstallerName = "uv" if backend == "uv" else "pip"
    return replace(session, environment=replace(spec, maker=maker, installer=installer))


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
