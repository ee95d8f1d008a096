"""After any edits, a run leaves what a run from nothing would leave, elsewhere and with empty caches.

The edits are drawn by chance; the seed is printed. ``SETLIST_EDIT_STEPS`` says how many there are (6), and
``SETLIST_EDIT_SEED`` repeats a round.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import ProjectFolder

STEPS = int(os.environ.get("SETLIST_EDIT_STEPS", "6"))
SEED = int(os.environ.get("SETLIST_EDIT_SEED", "0")) or random.randrange(1, 10**6)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 10 * STEPS)]

SESSIONS = """
[tool.setlist]
sources = ["pyproject", "sessions", "noxfile"]

[tool.setlist.session.lint]
deps = ["./libs/copied", "-e ./libs/linked", {deps}]
requirements = ["requirements/dev.txt"]
groups = ["more"]
run = ["python -c pass"]

[tool.setlist.session.own]
project = "{mode}"
run = []
"""

FUNCTION = """
from setlist import session

@session(deps=["gamma"])
def function(s):
    {installs}
    s.run("python", "-c", "pass")
"""

NOXFILE = """
import nox

@nox.session
def noxed(session):
    {installs}
    session.run("python", "-c", "pass")
"""

ALL = ("lint", "own", "function", "noxed")

PINS = {"delta": ("1.0", "1.1", "2.0"), "beta": ("1.0", "2.0"), "tool": ("1.0", "2.0")}


class Edits:
    """A project, and edits of it.

    Args:
        project: an empty project.
        chance: what draws.
    """

    def __init__(self, project: ProjectFolder, chance: random.Random) -> None:
        self.project = project
        self.chance = chance
        self.texts: dict[Path, list[str]] = {}
        self.library("copied", dynamic=True)
        self.library("linked", dynamic=True)
        project.make_package(dynamic=True, dependencies=["newpy"], groups={"more": ["pre"]})
        self.definition = project.read("pyproject.toml")
        self.define()
        self.write("requirements/dev.txt", "-r sub/base.txt\n")
        self.write("requirements/sub/base.txt", "delta==1.0\n")
        self.write("requirements/more.txt", "beta==1.0\n")
        self.function()
        self.noxfile()

    def library(self, name: str, *, dynamic: bool) -> None:
        ProjectFolder(self.project.path / "libs" / name).make_package(name, dynamic=dynamic)

    def write(self, name: str, text: str) -> None:
        path = self.project.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.texts.setdefault(path, []).append(text)
        path.write_text(text, encoding="utf-8")

    # each is one edit

    def define(self) -> None:
        deps = ", ".join(
            f'"{self.pin(name)}"' for name in self.chance.sample(["tool", "gamma"], self.chance.randrange(3))
        )
        mode = self.chance.choice(["editable", "wheel"])
        text = self.definition + SESSIONS.format(deps=deps, mode=mode)
        self.write("pyproject.toml", text.replace(", ]", "]"))

    def pin(self, name: str) -> str:
        return f"{name}=={self.chance.choice(PINS[name])}" if name in PINS else name

    def requirements(self) -> None:
        self.write("requirements/sub/base.txt", f"{self.pin('delta')}\n")

    def of_functions(self) -> None:
        self.write("requirements/more.txt", f"{self.pin('beta')}\n")

    def function(self) -> None:
        self.write("sessions/more.py", FUNCTION.format(installs=self.installs("s")))

    def noxfile(self) -> None:
        self.write("noxfile.py", NOXFILE.format(installs=self.installs("session")))

    def installs(self, name: str) -> str:
        """One to three calls that install something, in any order."""
        calls = [
            f'{name}.install("-r", "requirements/more.txt")',
            f'{name}.install("{self.pin("delta")}", "{self.pin("tool")}")',
            f'{name}.install("./libs/copied")',
        ]
        return "\n    ".join(self.chance.sample(calls, self.chance.randrange(1, 4)))

    def in_place(self) -> None:
        """Another pin of the same length, and the time as it was."""
        path = self.project.path / "requirements/sub/base.txt"
        before = path.stat()
        with open(path, "r+", encoding="utf-8") as stream:
            stream.write(f"{self.pin('delta')}\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def dependencies(self) -> None:
        name = self.chance.choice(["libs/copied/", "libs/linked/", ""])
        lines = {"libs/copied/": ["beta"], "libs/linked/": ["beta"], "": ["delta"]}[name]
        chosen = self.chance.choice([[], lines])
        # both libraries want the same version
        self.write(f"{name}dependencies.txt", "".join(f"{line}==1.0\n" for line in chosen))

    def module(self) -> None:
        name = self.chance.choice(["libs/copied/src/copied", "libs/linked/src/linked", "src/demo"])
        self.write(f"{name}/more{self.chance.randrange(3)}.py", f"A = {self.chance.randrange(3)}\n")

    def removal(self) -> None:
        modules = sorted(self.project.path.glob("libs/*/src/*/more*.py")) + sorted(
            self.project.path.glob("src/demo/m*.py")
        )
        if modules:
            self.chance.choice(sorted(modules)).unlink()

    def renaming(self) -> None:
        modules = sorted(self.project.path.glob("libs/*/src/*/more*.py"))
        if modules:
            module = self.chance.choice(modules)
            module.rename(module.with_name(f"more{self.chance.randrange(3)}.py"))

    def restoring(self) -> None:
        """What stood there before, with a time of long ago."""
        path = self.chance.choice(sorted(self.texts))
        if path.exists():
            path.write_text(self.chance.choice(self.texts[path]), encoding="utf-8")
            os.utime(path, (10**9, 10**9))

    def touch(self) -> None:
        for path in self.chance.sample(sorted(path for path in self.texts if path.exists()), 2):
            os.utime(path)

    def settings(self) -> None:
        path = self.project.path / "uv.toml"
        if path.exists():
            path.unlink()
        else:
            path.write_text('override-dependencies = ["delta==1.1"]\n')

    def by_hand(self) -> None:
        """A file of an environment goes, or is another one."""
        environment = self.project.environment(self.chance.choice(ALL))
        files = sorted(environment.glob("lib/*/site-packages/*/*.py"))
        files += sorted(environment.glob("lib/*/site-packages/[a-z]*.py"))
        files = [path for path in files if not path.name.startswith("_") or path.name == "__init__.py"]
        if files:
            path = self.chance.choice(files)
            path.unlink()
            if self.chance.random() < 0.5:
                path.write_text("edited = True\n")

    def nothing(self) -> None:
        """No edit."""

    def any(self) -> str:
        """Make one or two edits, and name them."""
        kinds: list[Callable[[], None]] = [
            *(self.define, self.requirements, self.in_place, self.dependencies, self.module, self.removal),
            *(self.renaming, self.restoring, self.touch, self.settings, self.by_hand, self.nothing),
            *(self.of_functions, self.function, self.noxfile),
        ]
        chosen = self.chance.choices(kinds, k=self.chance.choice([1, 1, 2]))
        for edit in chosen:
            edit()
        return ", ".join(edit.__name__ for edit in chosen)


NOT_COMPARED = ("RECORD", "uv_cache.json", "uv_build.json", "REQUESTED")
"""Files of packages that say how and when they were installed. REQUESTED says whether the first install that brought a
package named it; a later one of the same version doesn't change that."""


def held(project: ProjectFolder, session: str) -> dict[str, str]:
    """The packages of an environment: each file with a digest of what it holds, wherever the project lies."""
    found = {}
    for path in sorted(project.environment(session).glob("lib/*/site-packages/**/*")):
        if not path.is_file() or path.suffix == ".pyc" or path.name in NOT_COMPARED:
            continue
        content = path.read_bytes().replace(str(project.path).encode(), b"ROOT")
        # the backend of the tests logs builds beside the libraries, which are sources of the project
        content = re.sub(rb"builds/[0-9a-f]{32}/", b"builds/", content)
        name = path.relative_to(project.environment(session)).as_posix()
        found[name] = hashlib.sha256(content).hexdigest()[:8]
    return found


left_behind = shutil.ignore_patterns(".setlist", "build", "*.egg-info")


def test_a_run_leaves_what_a_run_from_nothing_would(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"SETLIST_EDIT_SEED={SEED}")
    monkeypatch.delenv("UV_NO_CONFIG")
    edits = Edits(project, random.Random(SEED))
    done: list[str] = []
    for number in range(STEPS):
        sessions = edits.chance.sample(ALL, 2)
        for session in sessions:
            project.run(session, check=True)
        done.append(edits.any())
        for session in sessions:
            project.run(session, check=True)
        elsewhere = ProjectFolder(tmp_path / "elsewhere" / str(number))
        shutil.copytree(project.path, elsewhere.path, ignore=left_behind, dirs_exist_ok=True)
        with monkeypatch.context() as patched:
            patched.setenv("UV_CACHE_DIR", str(tmp_path / "empty" / str(number)))
            elsewhere.run(*sessions, check=True)
        for session in sessions:
            assert held(project, session) == held(elsewhere, session), done
        shutil.rmtree(elsewhere.path)
