"""Which sessions of a noxfile leave a record for :mod:`setlist.engine.warm`, and what more has to be as it was.

Those whose function is known by reading to do the same each time (:mod:`setlist.providers.nox.plain`). nox looks for
each program on PATH, so that none may have come to lie before the one that was found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from setlist.environment.environ import ESSENTIAL
from setlist.providers.nox.backends import nox_session

if TYPE_CHECKING:
    from pathlib import Path

    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec
    from setlist.runner.command import Invocation

UNSEEN = ("PYTHONDEVMODE", "PYTHONHOME", "PYTHONPATH", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE", "PYTHONWARNINGS")
"""Variables that may have the process that loads a noxfile import something else, or say something."""

SHORTEST = 4
"""Letters of a value that would be missed by nobody if it were written down."""


def is_plain(context: Context, session: SessionSpec) -> bool:
    """Whether a session of a noxfile does the same each time, by itself and in a Python that stays the same."""
    nox = nox_session(session) if session.provider else None
    return (
        nox is not None
        and nox.reads is not None
        and nox.runs_in is None
        and not context.project.provider_arguments
        and not any(name in context.caller.environ for name in UNSEEN)
        # it is told that a run of many could have been one of several at once
        and context.registry.settings.jobs is None
    )


def searched(invocations: Iterable[Invocation], bin_directory: Path, environ: Mapping[str, str]) -> list[str] | None:
    """Where programs were looked for in vain: paths at which there is to be nothing.

    Args:
        invocations: the commands.
        bin_directory: the environment's own programs, which come first.
        environ: the caller's variables.

    Returns:
        None where it can't be said how one was found.
    """
    places = [str(bin_directory), *environ.get("PATH", "").split(os.pathsep)]
    missing: list[str] = []
    for invocation in invocations:
        name, found = invocation.words[0], str(invocation.argv[0])
        if not os.path.isabs(found):
            return None
        if os.sep in name:
            continue
        for place in places:
            path = os.path.join(place, name)
            if path == found:
                break
            if not os.path.isabs(place) or os.path.lexists(path):
                return None
            missing.append(path)
        else:
            return None
    return missing


def tells_what_it_read(session: SessionSpec, invocations: Sequence[Invocation], environ: Mapping[str, str]) -> bool:
    """Whether the value of a variable that the noxfile looked at stands in a command: it may be a secret."""
    read = nox_session(session).reads or ()
    values = [
        environ[name]
        for name in read
        if len(environ.get(name, "")) >= SHORTEST and not any(fnmatchcase(name, pattern) for pattern in ESSENTIAL)
    ]
    return any(value in text for invocation in invocations for text in _texts(invocation, environ) for value in values)


def _texts(invocation: Invocation, environ: Mapping[str, str]) -> Iterable[str]:
    yield from map(str, invocation.argv)
    yield from (value for name, value in invocation.environ.items() if environ.get(name) != value)
