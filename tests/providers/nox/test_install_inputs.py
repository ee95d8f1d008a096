"""The files behind a noxfile's installs: each of them counts, and none that changes is missed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from setlist.core.model import Interpreter
from setlist.core.project import Caller, Project
from setlist.environment.context import EnvironmentContext
from setlist.environment.install_args import Sources, inputs_of, read_asked
from setlist.environment.install_steps import Step
from setlist.environment.state import Contents, State
from setlist.providers.nox import install_inputs
from setlist.providers.nox.install_inputs import files_behind


def context(root: Path) -> EnvironmentContext:
    caller = Caller(dict(os.environ), root, ci=False)
    return EnvironmentContext(Project(root), caller, False, lambda *_: None, None, None)


def installed(root: Path, *words: str) -> Step:
    """The step of an install, as it is recorded."""
    sources = Sources({})
    inputs = inputs_of(read_asked(words, root, {}), sources)
    command = ("uv", "pip", "install", *words)
    return Step(kind="install", words=command, inputs={**inputs, "directory": "."}, known=dict(sources.known))


def state_of(root: Path, steps: Sequence[Step]) -> State:
    nothing: dict[str, Any] = dict.fromkeys(Interpreter.__record__.names, "")  # type: ignore[attr-defined]
    python = Interpreter(**nothing)
    values: dict[str, Any] = {"inputs": {}, "watched": {}, "variables": {}, "sources": None, "contents": Contents()}
    return State(str(root), [], python, **values, direct=(), steps=tuple(steps))


def signed(root: Path, *steps: Step) -> Mapping[str, str | None] | None:
    return files_behind(context(root), state_of(root, steps))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("-r more.txt\n-c limits.txt\nalpha\n")
    (tmp_path / "more.txt").write_text("beta\n")
    (tmp_path / "limits.txt").write_text("beta<2\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1"\n[dependency-groups]\ng = ["a"]\n'
    )
    (tmp_path / "lib" / "inner").mkdir(parents=True)
    (tmp_path / "lib" / "inner" / "module.py").write_text("")
    (tmp_path / "lib" / "venv-of-mine").mkdir()
    (tmp_path / "lib" / "venv-of-mine" / "pyvenv.cfg").write_text("")
    return tmp_path


def names(root: Path, found: Mapping[str, str | None] | None) -> set[str]:
    assert found is not None
    return {os.path.relpath(path, root) for path in found}


def test_requirement_files_and_all_that_they_include(project: Path) -> None:
    found = signed(project, installed(project, "-r", "requirements.txt"), installed(project, "--group", "g"))
    assert names(project, found) == {"requirements.txt", "more.txt", "limits.txt", "pyproject.toml"}


def test_file_that_is_not_there_is_to_stay_away(project: Path) -> None:
    found = signed(project, installed(project, "-r", "absent.txt"))
    assert found == {str(project / "absent.txt"): None}


def test_directory_with_all_that_decides_what_is_in_it(project: Path) -> None:
    found = signed(project, installed(project, "./lib"))
    assert names(project, found) == {"lib", "lib/inner", "lib/inner/module.py", "lib/venv-of-mine"}


def test_editable_project_by_what_describes_it(project: Path) -> None:
    found = signed(project, installed(project, "-e", "."))
    assert names(project, found) == {"pyproject.toml", "setup.py", "setup.cfg"}


def test_package_from_the_index_has_none(project: Path) -> None:
    assert signed(project, Step(kind="seed", words=(), inputs={}), installed(project, "alpha==1.0")) == {}


def test_command_that_installs_is_nothing_that_files_decide(project: Path) -> None:
    assert signed(project, Step(kind="run", words=("make", "deps"), inputs={})) is None


def test_more_files_than_there_is_time_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_inputs, "MOST", 3)
    assert signed(project, installed(project, "./lib")) is None


CHANGES: dict[str, Callable[[Path], object]] = {
    "requirements.txt": lambda root: (root / "requirements.txt").write_text("alpha==2\n"),
    "an included file": lambda root: (root / "more.txt").write_text("beta==1\n"),
    "a file of a directory": lambda root: (root / "lib" / "inner" / "module.py").write_text("x = 1\n"),
    "a new file of a directory": lambda root: (root / "lib" / "inner" / "new.py").write_text(""),
    "metadata": lambda root: (root / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "2"\n'),
    "new metadata": lambda root: (root / "setup.cfg").write_text("[metadata]\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_since_is_seen(project: Path, change: Callable[[Path], object]) -> None:
    steps = [installed(project, *words) for words in (["-r", "requirements.txt"], ["./lib"], ["-e", "."])]
    before = signed(project, *steps)
    change(project)
    assert before is not None
    assert signed(project, *steps) is None
    from setlist.core.files import stat_signature

    assert any(stat_signature(path) != signature for path, signature in before.items())
