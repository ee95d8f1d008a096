"""What building a source tree needs: what its pyproject.toml says, and what its backend adds (PEP 517, PEP 660)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from setlist.core.errors import BuildFailed
from setlist.core.files import digest, temporary_directory, write_atomically
from setlist.core.model import Interpreter
from setlist.core.records import dataclass, replace
from setlist.core.system import python_of
from setlist.core.toml import read_toml
from setlist.environment.context import EnvironmentContext
from setlist.environment.installer_config import installer_environ
from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.environment.virtualenv import create
from setlist.process.spawn import run_process

DEFAULT = ("setuptools>=40.8.0",)
"""What stands for ``build-system.requires`` where there is none (PEP 518)."""

# In an environment with what pyproject.toml asks for. A hook that isn't there asks for nothing.
_ASK = """
import importlib, json, os, sys
backend, paths, kinds = json.loads(sys.argv[1])
sys.path[:0] = [os.path.abspath(path) for path in paths]
module, _, attribute = backend.partition(":")
target = importlib.import_module(module)
for name in filter(None, attribute.split(".")):
    target = getattr(target, name)
found = []
for kind in kinds:
    hook = getattr(target, "get_requires_for_build_" + kind, None)
    found += hook() if hook is not None else []
sys.stdout.write("\\nbuild requirements: " + json.dumps(sorted(set(found))) + "\\n")
"""


@dataclass(slots=True)
class BuildRequirements:
    """Finds out what builds need. What was found for a tree, or resolved, is kept for the next who asks."""

    context: EnvironmentContext
    settings: InstallerSettings
    interpreter: Interpreter
    _known: dict[tuple[Any, ...], str]

    @classmethod
    def of(
        cls, context: EnvironmentContext, settings: InstallerSettings, interpreter: Interpreter
    ) -> BuildRequirements:
        return cls(context, settings, interpreter, {})

    def resolved(self, tree: Path, kinds: Sequence[str], python: str) -> str:
        """Exact versions and hashes of what building ``tree`` needs, for every platform.

        Args:
            tree: the source tree.
            kinds: what is built: ``editable``, ``wheel``, ``sdist``.
            python: the minor version that it is built on.

        Raises:
            ResolutionFailed: what it needs can't be had.
            BuildFailed: its backend can't be asked.
            ConfigurationError: its pyproject.toml can't be read.
        """
        requires, backend, paths = _build_system(tree)
        stated = self._resolve(requires, python)
        asked = self._once(("asked", tree, *kinds), lambda: self._ask(tree, kinds, requires, backend, paths))
        more = json.loads(asked)
        return self._resolve([*requires, *more], python) if more else stated

    def _resolve(self, lines: Sequence[str], python: str) -> str:
        return self._once(("resolved", python, *lines), lambda: self._resolve_now(lines, python)) if lines else ""

    def _resolve_now(self, lines: Sequence[str], python: str) -> str:
        with temporary_directory() as scratch:
            request = ResolveRequest(
                lines=lines,
                files=(),
                constraints=(),
                project_line=None,
                project_root=self.context.project.root,
                interpreter=None,
                universal=python,
                resolution="highest",
                exclude_newer=self.settings.exclude_newer,
                index_url=self.settings.index_url,
                previous=None,
                hashed=True,
                scratch=scratch,
            )
            return Uv(self.settings).resolve(request)

    def _once(self, key: tuple[Any, ...], work: Callable[[], str]) -> str:
        if key not in self._known:
            self._known[key] = work()
        return self._known[key]

    def _ask(
        self, tree: Path, kinds: Sequence[str], requires: Sequence[str], backend: str, paths: Sequence[str]
    ) -> str:
        """The backend's own answer, as JSON: run here, by this machine's Python, as a build would be."""
        minor = ".".join(self.interpreter.version.split(".")[:2])
        with temporary_directory() as scratch:
            directory = scratch / digest(str(tree))[:12]
            create(
                directory,
                self.interpreter,
                cache_directory=self.context.cache,
                prompt="build",
                environ=self.context.environ,
            )
            if requires:
                wanted = scratch / "requirements.txt"
                write_atomically(wanted, self._resolve(requires, minor))
                Uv(replace(self.settings, cwd=tree)).sync(python_of(directory), wanted, ())
            question = json.dumps([backend, list(paths), list(kinds)])
            done = run_process(
                [str(python_of(directory)), "-I", "-c", _ASK, question],
                env=installer_environ(self.settings.environ),
                cwd=tree,
                capture=True,
            )
        said = done.stdout.decode("utf-8", "replace")
        answer = said.rpartition("\nbuild requirements: ")[2] if done.code == 0 else ""
        if done.code != 0 or not answer.startswith("["):
            raise BuildFailed(
                f"the build backend of {self.context.project.relative(tree)} can't be asked what it needs",
                detail=(done.stderr.decode("utf-8", "replace") or said).strip(),
            )
        return answer.strip()


def _build_system(tree: Path) -> tuple[list[str], str, list[str]]:
    """Requirements, backend and its path, as pyproject.toml says or as PEP 517 assumes."""
    try:
        table = read_toml(tree / "pyproject.toml", str(tree / "pyproject.toml")).get("build-system", {})
    except FileNotFoundError:
        table = {}
    requires = [str(line) for line in table.get("requires", DEFAULT)]
    backend = str(table.get("build-backend", "setuptools.build_meta:__legacy__"))
    return requires, backend, [str(path) for path in table.get("backend-path", [])]
