"""A noxfile that asks for what setlist's own Python doesn't have (PEP 723): an environment of its own, as any other."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from support.project import ProjectFolder
from support.repacked import repacked_with_requirements

pytestmark = pytest.mark.slow

NOXFILE = """
    # /// script
    # dependencies = ["nox", {needed}]
    # ///
    import sys
    import nox
    import {module}

    @nox.session(venv_backend="none", tags=["{module}"])
    def lint(session):
        print("function in", sys.prefix, {module}.__version__)
"""


@pytest.fixture
def wheels(tmp_path: Path, wheelhouse_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("beta", "delta"):
        for wheel in wheelhouse_directory.glob(f"{name}-*.whl"):
            copy(wheel, folder)
    repacked_with_requirements("nox", folder)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


def test_a_noxfile_is_loaded_and_run_where_what_it_asks_for_is(project: ProjectFolder, wheels: Path) -> None:
    own = project.environment("_noxfile")
    project.write("noxfile.py", NOXFILE.format(needed='"delta==1.0"', module="delta"))
    listed = project.setlist("list", "--json", check=True).json["sessions"]
    assert [(session["name"], session["tags"]) for session in listed] == [("lint", ["delta"])]
    assert project.installed("_noxfile")["delta"] == "1.0"
    result = project.run("lint", check=True)
    assert f"function in {own} 1.0" in result.out
    listing = project.setlist("nox", "--", "-l", check=True)
    assert "* lint [delta]" in listing.out
    # it is no session's, and still used
    assert "_noxfile" not in project.setlist("clean", "-n", check=True).out
    assert project.run("_noxfile").code == 2

    project.write("noxfile.py", NOXFILE.format(needed='"beta"', module="beta"))
    assert "function in" in project.run("lint", check=True).out
    assert "delta" not in project.installed("_noxfile")

    project.write("noxfile.py", NOXFILE.format(needed='"nowhere-to-be-found"', module="beta"))
    failed = project.run("lint")
    assert failed.code == 1
    assert "nowhere-to-be-found" in failed.err
    assert "Traceback" not in failed.err
