"""setlist's sessions as nox sessions, for people who type ``nox``.

In a noxfile.py::

    import setlist.nox

    setlist.nox.register()

``nox -l`` then lists the sessions, ``nox -s lint -- ARGS`` runs one, with the same commands in the
same environment as ``run lint -- ARGS``: nox makes none, it starts ``run --only lint``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import nox

    from setlist.core.model import SessionSpec
    from setlist.core.project import Project


def register(
    directory: str | os.PathLike[str] | None = None, *, run_options: Sequence[str] = (), **options: Any
) -> None:
    """Register every session of the project with nox.

    Args:
        directory: where the project is looked for. Absent: where nox stands when it loads a noxfile, which is
            the noxfile's directory.
        run_options: more options for ``run``, such as ``["--offline"]``.
        options: more keyword arguments for ``nox.session``, for every session; they win over setlist's own.

    Raises:
        SystemExit: the definitions are wrong; what and where is printed before, as ``run`` prints it.
    """
    if "setlist.providers.nox.loading" in sys.modules:
        return  # it is setlist that loads the noxfile, and knows its own sessions

    from setlist.cli.context import Context
    from setlist.core.errors import SetlistError
    from setlist.core.project import Caller, find_project
    from setlist.registry.load import load_registry
    from setlist.registry.select import select

    context = Context.current()
    try:
        start = Caller.current().cwd if directory is None else Path(os.path.abspath(directory))
        project = find_project(start)
        registry = load_registry(project, context.caller.environ, context.loader_python)
        defaults = {session.name for session in select(registry, ())} if registry.sessions else set()
    except SetlistError as error:
        context.print_error(error)
        raise SystemExit(error.exit_code) from error
    arguments = ["--only", *run_options] if directory is None else ["--only", "-C", str(start), *run_options]
    for session in registry.sessions.values():
        if session.provider:
            continue  # nox has it already
        _register(project, session, session.name in defaults, arguments, options)


def _register(
    project: Project, session: SessionSpec, default: bool, arguments: Sequence[str], options: dict[str, Any]
) -> None:
    import nox

    python = session.environment.python
    settings: dict[str, Any] = {
        "name": session.name,
        # nox compares these with 'nox -p 3.12', and looks for no interpreter with the backend "none"
        "python": python if python and re.fullmatch(r"(pypy)?[0-9]+\.[0-9]+t?", python) else False,
        "venv_backend": "none",
        "tags": list(session.tags),
        "default": default,
        "requires": list(session.requires),
    }
    nox.session(**{**settings, **options})(_body(project, session, arguments))


def _body(project: Project, session: SessionSpec, arguments: Sequence[str]) -> Callable[[nox.Session], None]:
    def body(nox_session: nox.Session) -> None:
        posargs = ["--", *nox_session.posargs] if nox_session.posargs else []
        command = [sys.executable, "-m", "setlist", "run", *arguments, session.name, *posargs]
        nox_session.run(*command, external=True)
        reason = _skipped(project, session.name)
        if reason is not None:
            nox_session.skip(reason)

    body.__name__ = re.sub(r"\W", "_", session.name)
    body.__doc__ = session.description or None
    return body


def _skipped(project: Project, session: str) -> str | None:
    """Why the latest run skipped the session; None if it didn't. nox would call it a success otherwise."""
    from setlist.core.events import SessionFinished
    from setlist.reports.past_runs import past_runs

    for event in next(past_runs(project), ()):
        if isinstance(event, SessionFinished) and event.session == session and event.status == "skipped":
            return event.reason or "skipped"
    return None
