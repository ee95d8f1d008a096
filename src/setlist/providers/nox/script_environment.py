"""The environment that a noxfile itself is loaded in, where it asks for one (PEP 723), kept and checked like any."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from setlist.core.model import EnvironmentSpec, NoxSession, Origin, SessionSpec
from setlist.environment.prepare import Environments

NAME = "_noxfile"
"""A name that no session can have."""


@contextmanager
def script_python(environments: Environments, spec: EnvironmentSpec, file: str) -> Iterator[Path]:
    """Make that environment right, hold it, and yield its Python.

    Args:
        environments: what makes environments.
        spec: what the noxfile asks for.
        file: the noxfile, relative to the root.

    Raises:
        SetlistError: it can't be made.
    """
    session = SessionSpec(name=NAME, family=NAME, origin=Origin(file), environment=spec)
    with environments.prepared(session) as prepared:
        yield prepared.python


@contextmanager
def noxfile_python(environments: Environments, nox: NoxSession) -> Iterator[Path]:
    """The Python that a noxfile's functions run in: setlist's own, unless the noxfile asks for something else.

    Raises: as :func:`script_python`.
    """
    if nox.runs_in is None:
        yield Path(sys.executable)
        return
    with script_python(environments, nox.runs_in, nox.file) as python:
        yield python
