"""A second ``run lint`` does next to nothing: counted, not timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.project import ProjectFolder
from support.watching import bare_modules, watched_by

# Audit events say what a process truly does: they can't be forgotten in a list of things to patch.
DRIVER = """
import json, sys
seen = {"processes": [], "connections": 0, "opened": []}

def hook(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn"):
        seen["processes"].append([str(word) for word in arguments[1]])
    elif event in ("os.fork", "os.exec"):
        seen["processes"].append([event])
    elif event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        seen["connections"] += 1

sys.addaudithook(hook)
sys.argv = ["run", *sys.argv[1:]]
from setlist.cli.run import main
code = main()
print("seen " + json.dumps({**seen, "modules": sorted(sys.modules), "code": code}))
"""

HEAVY = {
    "virtualenv", "nox", "rich", "packaging", "filelock", "platformdirs", "psutil", "python_discovery", "uv", "tomllib",
    "tomli", "colorlog", "logging", "argparse", "difflib", "asyncio", "sqlite3",
    "importlib.metadata", "dataclasses", "inspect",
    "tempfile", "traceback",
}  # fmt: skip


def watched(project: ProjectFolder, *argv: str) -> Any:
    return watched_by(DRIVER, project, *argv)


@pytest.fixture
def lint(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.write("requirements.txt", "delta==1.0\n")
    project.write(
        "pyproject.toml",
        """
        [dependency-groups]
        lint = ["alpha"]
        [tool.setlist.session.lint]
        deps = ["tool"]
        groups = ["lint"]
        requirements = ["requirements.txt"]
        run = ["tool one", "tool two"]
        """,
    )
    return project


def test_the_second_run_starts_the_commands_and_who_ends_them_should_it_be_killed(lint: ProjectFolder) -> None:
    first = watched(lint, "lint")
    assert any("sync" in words for words in first["processes"])  # the count can tell
    second = watched(lint, "lint")
    assert second["code"] == 0
    tool = str(lint.environment("lint") / "bin" / "tool")
    guardian, *commands = second["processes"]
    assert guardian[:2] == ["/bin/sh", "-c"]  # which waits, and starts nothing unless it has to
    assert commands == [[tool, "one"], [tool, "two"]]
    assert second["connections"] == 0


def test_the_second_run_imports_nothing_heavy(lint: ProjectFolder) -> None:
    bare = bare_modules()
    watched(lint, "lint")
    second = watched(lint, "lint")
    assert set(second["modules"]) & HEAVY - bare == set()


def test_no_index_is_asked_once_everything_is_there(
    project: ProjectFolder, index: Any, wheelhouse_directory: Path
) -> None:
    for wheel in wheelhouse_directory.glob("*.whl"):
        index.add(wheel)
    project.sessions('[tool.setlist.session.lint]\ndeps = ["tool", "alpha"]\nrun = ["tool"]\n')
    project.run("lint", check=True)
    asked = len(index.requests)
    assert asked > 0
    project.run("lint", check=True)
    assert len(index.requests) == asked
    # made anew, from uv's cache and the known resolution: still nobody is asked
    project.run("-r", "lint", check=True)
    assert len(index.requests) == asked
    project.run("--upgrade", "lint", check=True)
    assert len(index.requests) > asked


def test_the_sessions_of_a_noxfile_are_listed_without_loading_it(project: ProjectFolder) -> None:
    project.write("noxfile.py", "import nox\n\n@nox.session(python=['3.11'])\ndef tests(session): ...\n")
    first = watched(project, "--list")
    assert len(first["processes"]) == 2  # the guardian, and what loads the noxfile: the count can tell
    second = watched(project, "--list", "tests-3.11")
    assert (second["code"], second["processes"]) == (0, [])
    bare = bare_modules()
    assert not HEAVY & {name.partition(".")[0] for name in second["modules"] if name not in bare}
