"""An environment made from its lock, and locks made: what that reads, imports and starts. Counted, not timed."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.project import ProjectFolder
from support.watching import bare_modules, watched_by

pytestmark = pytest.mark.slow

# Audit events say what a process truly does: they can't be forgotten in a list of things to patch.
DRIVER = """
import json, os, sys
seen = {"processes": [], "certified": [], "opened": []}

def hook(event, arguments):
    if event == "subprocess.Popen":
        seen["processes"].append([str(word) for word in arguments[1]])
        seen["certified"].append("SSL_CERT_FILE" in (arguments[3] or {}))
    elif event == "os.posix_spawn" and "setlist-guardian" not in arguments[1]:
        seen["processes"].append([str(word) for word in arguments[1]])
    elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        seen["opened"].append(os.path.abspath(os.fsdecode(arguments[0])))

command = sys.argv[1]
sys.argv = [command, *sys.argv[2:]]
if command == "run":
    from setlist.cli.run import main
else:
    from setlist.cli.main import main
sys.addaudithook(hook)
code = main()
print("seen " + json.dumps({**seen, "modules": sorted(sys.modules), "code": code}))
"""

HEAVY = {
    "virtualenv", "rich", "packaging", "filelock", "platformdirs", "psutil", "python_discovery", "uv", "tomllib",
    "tomli", "colorlog", "logging", "argparse", "difflib", "asyncio", "concurrent.futures",
    "importlib.metadata", "dataclasses", "inspect", "hashlib", "tempfile", "shutil", "traceback",
}  # fmt: skip
"""What nothing on the way from a lock to an environment needs."""


@pytest.fixture
def project(project: ProjectFolder) -> ProjectFolder:
    project.write(
        "pyproject.toml",
        """
        [project]
        name = "demo"
        version = "1"
        requires-python = ">=3.10"
        [tool.setlist.session.lint]
        deps = ["tool", "alpha"]
        run = ["tool"]
        [tool.setlist.session.same]
        deps = ["tool", "alpha"]
        [tool.setlist.session.other]
        deps = ["delta"]
        """,
    )
    return project


def watched(project: ProjectFolder, *argv: str, certificates: bool = True) -> dict[str, Any]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    if certificates:
        environ["SSL_CERT_FILE"] = str(project.write("certificates.pem", ""))
    seen: dict[str, Any] = watched_by(DRIVER, project, *argv, environ=environ)
    return seen


def test_a_locked_build_reads_each_file_once_and_starts_one_installer(project: ProjectFolder, wheelhouse: Path) -> None:
    project.setlist("lock", check=True)
    project.run("lint", check=True)  # what is made once per machine, and what was read of pyproject.toml
    build = watched(project, "run", "-r", "--offline", "--locked", "lint", certificates=False)
    assert build["code"] == 0
    environment = project.environment("lint")
    installer, command = build["processes"]
    assert {"sync", "--offline"} < set(installer)
    assert command == [str(environment / "bin" / "tool")]
    opened = Counter(Path(path) for path in build["opened"])
    assert opened[project.path / ".sessions/locks/lint.txt"] == 1
    assert opened[project.path / "pyproject.toml"] <= 2  # looked through for [tool.setlist] and for env-dir, not parsed
    # written under another name, then renamed: its own is opened to read what is new in it, and for the next run
    assert opened[environment / "state"] <= 4
    # what was installed is read to say what it is called and where it came from
    packages = [path for path in opened if "site-packages" in path.parts and environment in path.parents]
    assert max(opened[path] for path in packages) <= 1


def test_a_locked_build_imports_nothing_heavy(project: ProjectFolder, wheelhouse: Path) -> None:
    project.setlist("lock", check=True)
    project.run("lint", check=True)
    project.setlist("clean", "lint", check=True)
    build = watched(project, "run", "--offline", "--locked", "lint")
    assert (build["code"], len(build["processes"])) == (0, 2)
    assert set(build["modules"]) & HEAVY - bare_modules() == set()


def test_certificates_are_read_only_where_somebody_is_asked(project: ProjectFolder, wheelhouse: Path) -> None:
    resolved = watched(project, "setlist", "lock", "other")
    assert (resolved["code"], resolved["certified"]) == (0, [True])
    build = watched(project, "run", "--offline", "--locked", "other")
    assert (build["code"], build["certified"]) == (0, [False])


def test_what_is_missing_without_a_network_is_told_with_certificates_and_without(
    project: ProjectFolder, wheelhouse: Path
) -> None:
    project.setlist("lock", "other", check=True)
    empty = project.path / "empty"
    empty.mkdir()
    offline = ("run", "--offline", "--locked", "--find-links", str(empty), "other")
    certified, plain = watched(project, *offline), watched(project, *offline, certificates=False)
    assert (certified["code"], plain["code"]) == (1, 1)
    assert (certified["certified"], plain["certified"]) == ([False, True], [False])
    assert certified["processes"][-1] == plain["processes"][-1]


def test_one_resolver_for_each_that_asks_for_something_else(project: ProjectFolder, wheelhouse: Path) -> None:
    locked = watched(project, "setlist", "lock")
    assert sum("compile" in words for words in locked["processes"]) == len(locked["processes"]) == 2
    assert {"concurrent.futures", "virtualenv", "rich", "asyncio"} & set(locked["modules"]) == set()
    again = watched(project, "setlist", "lock")
    assert (again["code"], again["processes"]) == (0, [])
