"""Wheels and sdists of the project under test: built once, shared by every session that asks.

A build lies under ``.setlist/.tox/builds/DIGEST/``, by the digest of all that it was made of. A pure wheel
(``py3-none-any``) serves every interpreter, any other just the one that it was built with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from setlist.core.errors import BuildFailed, SyncFailed
from setlist.core.files import remove_tree, temporary_directory
from setlist.core.fingerprint import digest
from setlist.core.model import Interpreter, ProjectMode
from setlist.core.project import Project
from setlist.core.records import dataclass, field
from setlist.engine.source_tree import copy_sources
from setlist.environment.installers import Installer
from setlist.environment.local_project import look_at_build
from setlist.environment.locking import exclusive

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from setlist.engine.world import Trace, World

KEPT = 4
"""How many versions of the sources have their builds kept."""

# No session can be called so: names don't begin with a dot
GUARD = ".builds"


@dataclass(slots=True)
class Builds:
    """The builds of one run. What was built for a first session is what every later one gets, even when
    the sources change meanwhile (a test that writes into the tree, an editor that saves)."""

    project: Project
    environ: Mapping[str, str]
    _seen: tuple[str, Trace] | None = None
    _artifacts: dict[tuple[str, str], Path] = field(default_factory=dict)

    def look(self, world: World, data: Mapping[str, Any]) -> str:
        """Look at all that a build depends on: once a run, for all of its sessions.

        Args:
            world: records the looks.
            data: the project's pyproject.toml.

        Returns:
            a digest of what was seen.
        """
        if self._seen is None:
            own = world.part()
            self._seen = look_at_build(own, self.project.root, data), own.trace
        seen, trace = self._seen
        world.include_trace(trace)
        return seen

    def artifact(self, mode: ProjectMode, interpreter: Interpreter, installer: Installer) -> Path:
        """The wheel or sdist of the project for an interpreter, built now if need be. :meth:`look` was called before.

        Raises:
            BuildFailed: the project doesn't build; the build's own output is the detail.
        """
        own = digest(f"{interpreter.executable}\0{interpreter.signature}")[:12]
        for key in ((mode, ""), (mode, own)):
            if key in self._artifacts:
                return self._artifacts[key]
        assert self._seen is not None
        home = self.project.builds / self._seen[0]
        with exclusive(self.project, GUARD):
            for kind, folder in (("", home / mode), (own, home / f"{mode}-{own}")):
                found = _only_file(folder)
                if found is not None:
                    os.utime(home)
                    return self._artifacts.setdefault((mode, kind), found)

            def build(output: Path) -> None:
                with _source(self.project.root, mode, self.environ) as source:
                    installer.build(mode, source, output, Path(interpreter.executable))

            path = self._build(mode, home, own, build)
            self._prune(home)
        key = (mode, "" if path.parent.name == mode else own)
        return self._artifacts.setdefault(key, path)

    def _build(self, mode: ProjectMode, home: Path, own: str, build: Callable[[Path], None]) -> Path:
        output = home / f".{mode}.{os.getpid()}"
        output.mkdir(parents=True, exist_ok=True)
        try:
            build(output)
            built = _only_file(output)
            if built is None:
                raise BuildFailed(
                    f"the build left no {mode}", hint="does the build backend work? try 'python -m build'"
                )
            pure = mode == "sdist" or built.name.endswith("-none-any.whl")
            final = home / (mode if pure else f"{mode}-{own}")
            remove_tree(final)
            output.rename(final)
            return final / built.name
        except SyncFailed as error:
            raise BuildFailed(f"the project's {mode} can't be built", detail=error.detail, hint=error.hint) from error
        finally:
            remove_tree(output)

    def _prune(self, current: Path) -> None:
        homes = sorted(
            (path for path in self.project.builds.iterdir() if path.is_dir() and path != current),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
        for path in homes[KEPT - 1 :]:
            remove_tree(path)


@contextmanager
def _source(root: Path, mode: ProjectMode, environ: Mapping[str, str]) -> Iterator[Path]:
    """What to build from: the project itself, for an sdist a clean copy of its sources."""
    if mode != "sdist":
        yield root
        return
    # Not inside the project: there the copy would be below our own .gitignore, which says "everything"
    with temporary_directory() as scratch:
        copy = scratch / root.name
        copy_sources(root, copy, environ)
        yield copy


def _only_file(folder: Path) -> Path | None:
    try:
        files = [path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz", ".zip"))]
    except OSError:
        return None
    return files[0] if len(files) == 1 else None
