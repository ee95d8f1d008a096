"""The requirements of a build: those in pyproject.toml, and those of the build backend (PEP 517, PEP 660)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from setlist.core.errors import BuildFailed
from setlist.core.files import temporary_directory, write_atomically
from setlist.core.fingerprint import digest
from setlist.core.model import Interpreter
from setlist.core.records import dataclass, replace
from setlist.core.system import python_of
from setlist.core.toml import read_toml
from setlist.environment.context import EnvironmentContext
from setlist.environment.installer_config import installer_environ
from setlist.environment.installers import InstallerSettings, ResolveRequest, Uv
from setlist.environment.requirements import Requirements
from setlist.environment.virtualenv import create
from setlist.process.spawn import run_process

DEFAULT = ("setuptools>=40.8.0",)
"""The default of ``build-system.requires`` (PEP 518)."""

# Runs in an environment with build-system.requires. A missing hook requires nothing.
_HOOKS = """
import importlib, json, os, sys
backend, paths, kinds = json.loads(sys.argv[1])
sys.path[:0] = [os.path.abspath(path) for path in paths]
module, _, attribute = backend.partition(":")
target = importlib.import_module(module)
for name in filter(None, attribute.split(".")):
    target = getattr(target, name)
requirements = []
for kind in kinds:
    hook = getattr(target, "get_requires_for_build_" + kind, None)
    requirements += hook() if hook is not None else []
sys.stdout.write("\\nbuild requirements: " + json.dumps(sorted(set(requirements))) + "\\n")
"""


@dataclass(slots=True)
class BuildRequirements:
    """Finds and resolves the requirements of builds. Answers and resolutions are cached."""

    context: EnvironmentContext
    settings: InstallerSettings
    interpreter: Interpreter
    _cache: dict[tuple[Any, ...], str]

    @classmethod
    def of(
        cls, context: EnvironmentContext, settings: InstallerSettings, interpreter: Interpreter
    ) -> BuildRequirements:
        return cls(context, settings, interpreter, {})

    def resolved(self, tree: Path, kinds: Sequence[str], python: str) -> str:
        """Exact versions and hashes of the requirements of a build, for every platform.

        Args:
            tree: the source tree.
            kinds: what is built: ``editable``, ``wheel``, ``sdist``.
            python: the minor version of the Python that builds it.

        Raises:
            ResolutionFailed: the requirements have no solution.
            BuildFailed: the backend doesn't answer.
            ConfigurationError: pyproject.toml can't be read.
        """
        requires, backend, paths = _build_system(tree)
        stated = self._resolve(requires, python)
        answer = self._once(
            ("backend", tree, *kinds), lambda: self._backend_requirements(tree, kinds, requires, backend, paths)
        )
        more = json.loads(answer)
        return self._resolve([*requires, *more], python) if more else stated

    def _resolve(self, lines: Sequence[str], python: str) -> str:
        return self._once(("resolved", python, *lines), lambda: self._resolve_now(lines, python)) if lines else ""

    def _resolve_now(self, lines: Sequence[str], python: str) -> str:
        with temporary_directory() as scratch:
            request = ResolveRequest(
                requirements=Requirements(lines=list(lines)),
                scratch=scratch,
                universal=python,
                hashed=True,
            )
            return Uv(self.settings).resolve(request)

    def _once(self, key: tuple[Any, ...], work: Callable[[], str]) -> str:
        if key not in self._cache:
            self._cache[key] = work()
        return self._cache[key]

    def _backend_requirements(
        self, tree: Path, kinds: Sequence[str], requires: Sequence[str], backend: str, paths: Sequence[str]
    ) -> str:
        """The answer of the backend's hooks, as JSON. They run on this machine, like a build."""
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
                requirements = scratch / "requirements.txt"
                write_atomically(requirements, self._resolve(requires, minor))
                Uv(replace(self.settings, cwd=tree)).sync(python_of(directory), requirements, ())
            question = json.dumps([backend, list(paths), list(kinds)])
            process = run_process(
                [str(python_of(directory)), "-I", "-c", _HOOKS, question],
                env=installer_environ(self.settings.environ),
                cwd=tree,
                capture=True,
            )
        output = process.stdout.decode("utf-8", "replace")
        answer = output.rpartition("\nbuild requirements: ")[2] if process.code == 0 else ""
        if process.code != 0 or not answer.startswith("["):
            raise BuildFailed(
                f"the build backend of {self.context.project.relative(tree)} can't be asked what it needs",
                detail=(process.stderr.decode("utf-8", "replace") or output).strip(),
            )
        return answer.strip()


def _build_system(tree: Path) -> tuple[list[str], str, list[str]]:
    """Requirements, backend and its path, by pyproject.toml or by the defaults of PEP 517."""
    try:
        table = read_toml(tree / "pyproject.toml", str(tree / "pyproject.toml")).get("build-system", {})
    except FileNotFoundError:
        table = {}
    requires = [str(line) for line in table.get("requires", DEFAULT)]
    backend = str(table.get("build-backend", "setuptools.build_meta:__legacy__"))
    return requires, backend, [str(path) for path in table.get("backend-path", [])]
