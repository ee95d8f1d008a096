"""A user's project in a temporary directory, and the installed commands run in it.

::

    def test_removed_dependency_is_uninstalled(project, wheelhouse):
        project.write("pyproject.toml", '''
            [tool.setlist.session.lint]
            deps = ["alpha==1.0"]
            run = ["python -c 'import alpha'"]
        ''')
        project.run("lint", check=True)              # the installed 'run', in a process of its own
        result = project.setlist("why", "lint")      # the installed 'setlist'
        assert "alpha" in result.out
        assert project.run_inside("lint").code == 0  # the same in this process: faster, and seen by coverage
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from setlist import STATE_DIRECTORY

BACKEND = Path(__file__).with_name("backend.py")
LONGEST_RUN = 110.0
"""Seconds: less than pytest's own time limit for a test, so that what was printed is shown."""


@dataclass(frozen=True)
class Result:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, read as JSON."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class ProjectFolder:
    """A project. ``path`` is its root, which holds nothing at first.

    What the runs see of the environment is ``os.environ`` at that moment, so ``monkeypatch.setenv``
    works; ``env=`` adds to it for one run, a value of None takes a variable away.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file, dedented, and return its path; directories are made."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.path / name).read_text(encoding="utf-8")

    def sessions(self, text: str) -> Path:
        """Write a pyproject.toml of nothing but session definitions."""
        return self.write("pyproject.toml", text)

    def run(self, *argv: str, check: bool = False, **rest: Any) -> Result:
        """The installed ``run``, in a process of its own.

        Args:
            argv: its arguments.
            check: fail the test, showing all output, unless it exits with 0.
            rest: ``env`` (added; None takes away), ``cwd``, ``stdin`` (text), ``timeout`` (seconds).
        """
        return self._start([*installed("run"), *argv], check=check, **rest)

    def setlist(self, *argv: str, check: bool = False, **rest: Any) -> Result:
        """The installed ``setlist``; arguments as for :meth:`run`."""
        return self._start([*installed("setlist"), *argv], check=check, **rest)

    def run_inside(self, *argv: str, check: bool = False, **rest: Any) -> Result:
        """``run`` in this process: no start-up cost, and seen by coverage. Its children are real."""
        from setlist.cli.run import main

        return self._inside("run", main, argv, check=check, **rest)

    def setlist_inside(self, *argv: str, check: bool = False, **rest: Any) -> Result:
        """``setlist`` in this process."""
        from setlist.cli.main import main

        return self._inside("setlist", main, argv, check=check, **rest)

    def environment(self, session: str) -> Path:
        """Where the session's environment lies."""
        return self.path / STATE_DIRECTORY / "envs" / session

    def python(self, session: str) -> Path:
        """The interpreter of the session's environment."""
        environment = self.environment(session)
        return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"

    def installed(self, session: str) -> dict[str, str]:
        """What truly lies in the session's site-packages: name → version, without asking any tool."""
        return installed_in(self.environment(session))

    def history(self) -> list[dict[str, Any]]:
        """The events of the latest run, as they were kept."""
        runs = sorted((self.path / STATE_DIRECTORY / "history").glob("*.jsonl"))
        lines = runs[-1].read_text(encoding="utf-8").split("\n") if runs else []
        return [json.loads(line) for line in lines if line]

    def make_package(
        self,
        name: str = "demo",
        version: str = "1.0",
        *,
        dependencies: Sequence[str] = (),
        extras: Mapping[str, Sequence[str]] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        requires_python: str | None = None,
        scripts: Mapping[str, str] | None = None,
        dynamic: bool = False,
        platform: bool = False,
        fail: str | None = None,
        sessions: str = "",
    ) -> Path:
        """Make the project a package, built by an in-tree backend that needs no network.

        Its module, ``src/NAME/__init__.py``, has ``__version__`` and a ``main()`` that prints it.

        Args:
            name: the distribution's name.
            version: its version.
            dependencies: its requirements.
            extras: ``[project.optional-dependencies]``.
            groups: ``[dependency-groups]``.
            requires_python: ``requires-python``.
            scripts: ``[project.scripts]``.
            dynamic: version and dependencies are ``dynamic``; the latter lie in dependencies.txt.
            platform: the wheel carries the building interpreter's own tag, as an extension module's would.
            fail: the hook that raises (``"build_wheel"``, ``"build_editable"``, ``"build_sdist"``, ``"all"``).
            sessions: the ``[tool.setlist…]`` tables, dedented.

        Returns:
            The pyproject.toml.
        """
        module = name.replace("-", "_").lower()
        lines = [
            "[build-system]",
            "requires = []",
            'build-backend = "backend"',
            'backend-path = ["_backend"]',
            "",
            "[project]",
            f'name = "{name}"',
        ]
        if dynamic:
            lines.append('dynamic = ["version", "dependencies"]')
            self.write("dependencies.txt", "".join(f"{requirement}\n" for requirement in dependencies))
        else:
            lines += [f'version = "{version}"', f"dependencies = {json.dumps(list(dependencies))}"]
        if requires_python:
            lines.append(f'requires-python = "{requires_python}"')
        for table, entries in (("project.optional-dependencies", extras), ("dependency-groups", groups)):
            if entries:
                lines += ["", f"[{table}]", *(f"{key} = {json.dumps(list(value))}" for key, value in entries.items())]
        if scripts:
            lines += ["", "[project.scripts]", *(f'{key} = "{value}"' for key, value in scripts.items())]
        lines += ["", "[tool.backend]", f"log = {json.dumps(str(self._build_log))}"]
        lines += ["platform = true"] if platform else []
        lines += [f'fail = "{fail}"'] if fail else []
        if not (self.path / "src" / module / "__init__.py").exists():
            self.write(
                f"src/{module}/__init__.py",
                f'__version__ = "{version}"\n\n\ndef main():\n    print("{name}", __version__)\n',
            )
        (self.path / "_backend").mkdir(exist_ok=True)
        copyfile(BACKEND, self.path / "_backend" / "backend.py")
        return self.write("pyproject.toml", "\n".join(lines) + "\n\n" + textwrap.dedent(sessions).lstrip("\n"))

    def builds(self) -> list[str]:
        """The backend hooks called so far that made something: ``["build_wheel", …]``."""
        if not self._build_log.exists():
            return []
        hooks = self._build_log.read_text(encoding="utf-8").splitlines()
        return [hook for hook in hooks if hook.startswith("build_")]

    @property
    def _build_log(self) -> Path:
        # beside the project: inside, it would be one of its sources and every build would call for another
        return self.path.with_name(f"{self.path.name}.builds.log")

    def _start(
        self,
        argv: Sequence[str],
        *,
        check: bool,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        stdin: str | None = None,
        timeout: float = LONGEST_RUN,
    ) -> Result:
        done = subprocess.run(
            argv,
            cwd=cwd or self.path,
            env=_merged(env),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return _checked(Result(done.returncode, done.stdout, done.stderr), argv, check)

    def _inside(
        self,
        command: str,
        main: Callable[[], object],
        argv: Sequence[str],
        *,
        check: bool,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        code: object
        with _own_world(_merged(env), cwd or self.path, [command, *argv]), _captured() as output:
            try:
                code = main()
            except SystemExit as end:
                code = end.code
        result = Result(code if isinstance(code, int) else int(code is not None), *output())
        return _checked(result, [command, *argv], check)


def installed(command: str) -> list[str]:
    """How to start an installed command of setlist's: its script, or by ``-m`` where there is none."""
    script = Path(sys.executable).with_name(command + (".exe" if os.name == "nt" else ""))
    if script.exists():
        return [str(script)]
    return [sys.executable, "-m", "setlist", *(["run"] if command == "run" else [])]


def installed_in(environment: Path) -> dict[str, str]:
    """The distributions in a virtual environment, by their dist-info directories: name → version."""
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/*/site-packages"
    found = {}
    for info in environment.glob(f"{pattern}/*.dist-info"):
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        found[name] = version
    return dict(sorted(found.items()))


def _merged(env: Mapping[str, str | None] | None) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, **(env or {})}
    return {name: value for name, value in merged.items() if value is not None}


def _checked(result: Result, argv: Sequence[str], check: bool) -> Result:
    if check and result.code != 0:
        raise AssertionError(f"{' '.join(argv)}: {result}")
    return result


@contextlib.contextmanager
def _own_world(environ: Mapping[str, str], cwd: Path, argv: list[str]) -> Iterator[None]:
    before_environ, before_cwd, before_argv = dict(os.environ), os.getcwd(), sys.argv
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.argv = argv
    try:
        yield
    finally:
        sys.argv = before_argv
        os.chdir(before_cwd)
        os.environ.clear()
        os.environ.update(before_environ)


def _writer(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", write_through=True)


@contextlib.contextmanager
def _captured() -> Iterator[Callable[[], tuple[str, str]]]:
    """Catch what this process and its children write, by file descriptor; closed stdin."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(0), os.dup(1), os.dup(2)
    streams = sys.stdin, sys.stdout, sys.stderr
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as null:
        for descriptor, file in ((0, null), (1, out), (2, err)):
            os.dup2(file.fileno(), descriptor)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)))
        sys.stdout = _writer(1)
        sys.stderr = _writer(2)
        caught: list[str] = []
        try:
            yield lambda: (caught[0], caught[1])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdin, sys.stdout, sys.stderr = streams
            for descriptor, saved in enumerate(before):
                os.dup2(saved, descriptor)
                os.close(saved)
            for file in (out, err):
                file.seek(0)
                caught.append(file.read().decode("utf-8", "replace"))
