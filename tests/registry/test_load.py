"""The registry: when it is read from the store, and what is loaded anew."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from marshal import dumps, loads
from pathlib import Path
from typing import Any

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.fingerprint import checksum
from setlist.core.project import Project
from setlist.registry.load import load_registry

PYPROJECT = """
[project]
name = "x"
[tool.setlist]
default = ["lint"]
terminate-grace = 1
[tool.setlist.defaults]
tags = ["all"]
[tool.setlist.session.lint]
run = ["ruff {posargs:.}", { cmd = "x", ok-codes = [0, 1], env = { A = "b" } }]
env = { B = "c" }
inherit-env = ["CI"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with sessions from all sources; every import of a session file is noted in ``log``."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path / "pyproject.toml", PYPROJECT)
    write(tmp_path / "sessions" / "t.toml", "defaults = { tags = ['file'] }\n[session.docs]\nrequires = ['test']\n")
    write(tmp_path / "sessions" / "a.py", source("a", "import helper_of_load", "python=['3.11', '3.12']", name="test"))
    write(tmp_path / "sessions" / "b.py", source("b"))
    write(tmp_path / "sessions" / "helper_of_load.py", "VALUE = 1\n")
    time.sleep(0.03)  # a file that was written just now is read again
    return Project(tmp_path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def source(file: str, first: str = "", keys: str = "", *, name: str | None = None) -> str:
    return (
        f"{first}\nimport pathlib\nfrom setlist import session\n"
        "with (pathlib.Path(__file__).parent.parent / 'log').open('a') as stream:\n"
        f"    stream.write('{file} ')\n"
        f"@session({keys})\ndef {name or file}(s): ...\n"
    )


def imported(project: Project) -> list[str]:
    """The session files that were imported since the last time this was asked."""
    log = project.root / "log"
    words = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return words


def touch(path: Path) -> None:
    """Give a file a new time, as a checkout does."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def entries(project: Project, kind: str = "registry") -> list[Path]:
    """The files of the entries of a kind."""
    return sorted((project.store / kind).iterdir())


def put(project: Project, kind: str, value: Callable[[Any], Any]) -> None:
    """Change the values of the entries of a kind, as another setlist of the same version might have written them."""
    for entry in entries(project, kind):
        data = entry.read_bytes()[32:]
        whole = loads(data)
        data = dumps((*whole[:-1], value(whole[-1])))
        entry.write_bytes(checksum(data).encode() + data)


def test_the_kept_registry_equals_the_one_it_was_made_from(project: Project) -> None:
    cold = load_registry(project)
    assert imported(project) == ["a", "b"]
    (entry,) = entries(project)
    before = entry.read_bytes()
    assert load_registry(project) == cold
    assert list(cold.sessions) == ["lint", "docs", "test-py311", "test-py312", "b"]
    assert imported(project) == []
    assert entry.read_bytes() == before
    assert (project.state / ".gitignore").read_text() == "*\n"


def test_bytecode_beside_session_files_is_no_change(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    cold = load_registry(project)
    assert (project.root / "sessions" / "__pycache__").is_dir()
    assert imported(project) == ["a", "b"]
    time.sleep(0.05)
    assert load_registry(project) == cold
    assert imported(project) == []
    (entry,) = entries(project)
    before = entry.read_bytes()
    assert load_registry(project) == cold
    assert entry.read_bytes() == before, "the directory's new time was kept"


def test_a_touched_file_is_not_imported_again_and_the_record_is_refreshed(project: Project) -> None:
    cold = load_registry(project)
    imported(project)
    for path in (project.root / "pyproject.toml", *(project.root / "sessions").glob("*.*")):
        touch(path)
    (entry,) = entries(project)
    before = entry.read_bytes()
    assert load_registry(project) == cold
    assert imported(project) == []
    refreshed = entry.read_bytes()
    assert refreshed != before
    assert load_registry(project) == cold
    assert entry.read_bytes() == refreshed


def test_a_change_of_pyproject_imports_no_session_file(project: Project) -> None:
    load_registry(project)
    imported(project)
    write(project.root / "pyproject.toml", PYPROJECT.replace('"x"', '"y"').replace('["all"]', '["new"]'))
    registry = load_registry(project)
    assert registry.sessions["b"].tags == ("new",)
    assert registry.sessions["docs"].tags == ("file",)
    assert imported(project) == []


def test_only_the_session_file_that_changed_is_imported(project: Project) -> None:
    load_registry(project)
    imported(project)
    write(project.root / "sessions" / "b.py", source("b", keys="tags=['new']"))
    assert load_registry(project).sessions["b"].tags == ("new",)
    assert imported(project) == ["b"]


def test_a_change_of_an_imported_neighbour_imports_its_users_anew(project: Project) -> None:
    load_registry(project)
    imported(project)
    write(project.root / "sessions" / "helper_of_load.py", "VALUE = 2  # changed\n")
    load_registry(project)
    assert imported(project) == ["a"]
    load_registry(project)
    assert imported(project) == []
    (project.root / "sessions" / "helper_of_load.py").unlink()
    with pytest.raises(ConfigurationError, match="raises when it is imported"):
        load_registry(project)


def test_a_change_of_the_projects_own_package_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project.root / "own_package_of_load.py", "TAG = 'one'\n")
    monkeypatch.syspath_prepend(project.root)
    write(
        project.root / "sessions" / "b.py",
        source("b", "import own_package_of_load", "tags=[own_package_of_load.TAG]"),
    )
    try:
        assert load_registry(project).sessions["b"].tags == ("one",)
        imported(project)
        write(project.root / "own_package_of_load.py", "TAG = 'second'\n")
        sys.modules.pop("own_package_of_load")
        assert load_registry(project).sessions["b"].tags == ("second",)
        assert "b" in imported(project)
    finally:
        sys.modules.pop("own_package_of_load", None)


def test_added_and_removed_files_are_noticed(project: Project) -> None:
    load_registry(project)
    imported(project)
    write(project.root / "sessions" / "c.py", source("c"))
    assert "c" in load_registry(project).sessions
    assert imported(project) == ["c"]
    (project.root / "sessions" / "b.py").unlink()
    assert "b" not in load_registry(project).sessions
    (project.root / "sessions" / "t.toml").unlink()
    assert "docs" not in load_registry(project).sessions
    (project.root / "pyproject.toml").unlink()
    assert list(load_registry(project).sessions) == ["test-py311", "test-py312", "c"]
    assert imported(project) == []


def test_what_is_hidden_or_a_directory_is_no_source(project: Project) -> None:
    write(project.root / "sessions" / ".#b.py", "raise Exception")
    (project.root / "sessions" / "d.py").mkdir()
    assert len(load_registry(project).sessions) == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"[]",
        lambda data: b"\0",
        lambda data: data[:-1],
        lambda data: data.replace(b"file", b"fole"),
    ],
)
def test_corrupt_entries_are_made_again(project: Project, damage: Callable[[bytes], bytes]) -> None:
    cold = load_registry(project)
    imported(project)
    for entry in (*entries(project), *entries(project, "source")):
        entry.write_bytes(damage(entry.read_bytes()))
    assert load_registry(project) == cold
    assert sorted(imported(project)) == ["a", "b"]
    assert load_registry(project) == cold
    assert imported(project) == []


@pytest.mark.parametrize("kind", ["registry", "source"])
@pytest.mark.parametrize("value", [None, 3, [], {"file": 1}, ((), {}, {}), ({}, {}, {}, {})])
def test_entries_with_other_values_are_made_again(project: Project, kind: str, value: object) -> None:
    cold = load_registry(project)
    imported(project)
    put(project, kind, lambda _: value)
    touch(project.root / "sessions" / "b.py")
    assert load_registry(project) == cold
    if kind == "source":
        assert imported(project) == [], "the registry holds still"
        write(project.root / "pyproject.toml", PYPROJECT + "\n")
        assert load_registry(project) == cold
        assert imported(project) == ["a", "b"]


def test_a_store_that_cannot_be_written_is_no_problem(project: Project) -> None:
    project.state.parent.write_text("a file where the directory should be")
    assert load_registry(project) == load_registry(project)


def test_an_entry_that_is_a_directory_is_no_problem(project: Project) -> None:
    cold = load_registry(project)
    (entry,) = entries(project)
    entry.unlink()
    entry.mkdir()
    assert load_registry(project) == load_registry(project) == cold


def test_an_error_is_told_every_time_and_spoils_nothing(project: Project) -> None:
    cold = load_registry(project)
    imported(project)
    path = project.root / "pyproject.toml"
    write(path, PYPROJECT + "dep = []\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="there is no key 'dep'"):
            load_registry(project)
    write(path, PYPROJECT)
    assert load_registry(project) == cold
    assert imported(project) == []


def test_a_given_file_and_the_projects_own_do_not_answer_for_each_other(project: Project) -> None:
    write(project.root / "other.toml", "[session.other]\n")
    given = Project(project.root, project.root / "other.toml")
    for _ in range(2):
        assert list(load_registry(given).sessions) == ["other"]
        assert "lint" in load_registry(project).sessions


def test_a_path_with_spaces_and_letters_beyond_ascii(tmp_path: Path) -> None:
    root = tmp_path / "é n"
    write(root / "pyproject.toml", "[tool.setlist.session.lint]\ndescription = 'ü'\n")
    assert load_registry(Project(root)) == load_registry(Project(root))


def test_a_warm_load_imports_nothing_heavy_and_opens_no_source(project: Project) -> None:
    load_registry(project)
    script = """
        import sys
        from pathlib import Path
        opened = []
        sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
        from setlist.core.project import Project
        from setlist.registry.load import load_registry
        registry = load_registry(Project(Path(sys.argv[1])))
        assert len(registry.sessions) == 5
        print(*sorted(sys.modules))
        print(*[path for path in opened if path.startswith(sys.argv[1])], sep="|")
    """
    run = [sys.executable, "-c", textwrap.dedent(script), str(project.root)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    modules, opened = done.stdout.splitlines()
    loaded = set(modules.split())
    assert opened == str(*entries(project))
    heavy = {"tomllib", "tomli", "packaging", "difflib", "hashlib", "shlex", "tempfile", "subprocess", "importlib.util"}
    assert not loaded & (heavy - set(_bare_modules()))
    assert {name for name in loaded if name.startswith("setlist.registry")} == {
        "setlist.registry",
        "setlist.registry.load",
    }


def _bare_modules() -> list[str]:
    """What this interpreter has imported before a program begins (a coverage hook may)."""
    script = "import sys, pathlib; print(*sys.modules)"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
