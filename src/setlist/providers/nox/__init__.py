"""Noxfiles: load them by nox itself, describe their sessions, and run these in environments of ours.

nox is imported in processes of its own (``describe``, ``dry_run``, ``nox_worker``, ``command_line``), and here for its
reading of ``-k``. The door is ``PROVIDER``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setlist.core.model import SessionSpec
    from setlist.core.project import Project
    from setlist.engine.execute import SessionResult
    from setlist.engine.world import World
    from setlist.providers.nox.nox_process import NoxProcesses
    from setlist.providers.protocol import Provider
    from setlist.registry.definition import Declared, LoaderPython
    from setlist.registry.select import Matches
    from setlist.runner.output import SessionOutput
    from setlist.runner.run_context import RunContext


class NoxProvider:
    """See :class:`setlist.providers.protocol.Provider`. What a method needs is imported when it is called."""

    def reads(self, file: Path) -> bool:
        from setlist.providers.nox.definitions import is_noxfile

        return is_noxfile(file)

    def misplaced(self, source: bytes) -> tuple[int, str, str] | None:
        from setlist.providers.nox.definitions import misplaced

        return misplaced(source)

    def shows_ours(self, file: Path) -> bool:
        from setlist.providers.nox.definitions import shows_ours

        return shows_ours(file)

    def load(self, project: Project, file: str, world: World, loader_python: LoaderPython | None) -> Declared:
        from setlist.providers.nox.definitions import load_noxfile

        return load_noxfile(project, file, world, loader_python)

    def keyword(self, expression: str) -> Matches:
        from setlist.providers.nox.definitions import keyword_matches

        return keyword_matches(expression)

    def environment(self, session: SessionSpec, environ: Mapping[str, str]) -> SessionSpec:
        from setlist.providers.nox.backends import as_prepared

        return as_prepared(session, environ)

    def variables(self, session: SessionSpec, environ: Mapping[str, str], directory: Path | None) -> dict[str, str]:
        from setlist.providers.nox.backends import variables

        return variables(session, environ, directory)

    def own_environments(self, session: SessionSpec) -> tuple[str, ...]:
        from setlist.core.project import loader_environment
        from setlist.providers.nox.backends import nox_session

        nox = nox_session(session)
        return (loader_environment(nox.file),) if nox.runs_in is not None else ()

    def open_run(self) -> NoxProcesses:
        from setlist.providers.nox.nox_process import NoxProcesses

        return NoxProcesses()

    def run(
        self, context: RunContext, session: SessionSpec, posargs: tuple[str, ...], output: SessionOutput
    ) -> SessionResult:
        from setlist.providers.nox.sessions import run_noxfile_session

        return run_noxfile_session(context, session, posargs, output)

    def lockable(self, context: RunContext, session: SessionSpec) -> tuple[SessionSpec, str]:
        from setlist.providers.nox.lock_requirements import lockable

        return lockable(context, session)

    def details(self, session: SessionSpec) -> Mapping[str, Any]:
        from setlist.providers.nox.backends import nox_session

        nox = nox_session(session)
        return {
            "file": nox.file,
            "name": nox.name,
            "names": list(nox.names),
            "venv-backend": nox.backend,
            "venv-params": list(nox.venv_params),
        }


PROVIDER: Provider = NoxProvider()
