"""``lock-consistent``: one version of a package in all locks if requirements allow it; otherwise the output says so."""

from __future__ import annotations

from pathlib import Path

from support.project import ProjectFolder

from .conftest import Starts, locks_of, pinned

SETTINGS = "[tool.setlist]\nlock-consistent = true\n"


def sessions(**deps: list[str]) -> str:
    return SETTINGS + "".join(f"[tool.setlist.session.{name}]\ndeps = {lines}\n" for name, lines in deps.items())


def test_one_version_for_all_where_requirements_allow_it(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(sessions(a=["alpha"], b=["clash"], c=["beta"], d=["tool"]))
    result = project.setlist_inside("lock", check=True)
    # clash wants beta<2, which alpha 2.0 doesn't go with
    assert pinned(project, "a") == {"alpha": "1.1", "beta": "1.0"}
    assert pinned(project, "b") == {"clash": "1.0", "beta": "1.0"}
    assert pinned(project, "c") == {"beta": "1.0"}
    assert pinned(project, "d") == {"tool": "2.0"}
    assert "no one version" not in result.err


def test_where_it_cant_be_it_is_said(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(sessions(a=["alpha==2.*"], b=["clash"], c=["beta"], d=["delta<2"], e=["delta"]))
    result = project.setlist_inside("lock", check=True)
    assert "beta has different versions: 2.0 in a, c; 1.0 in b\n" in result.err
    assert "delta" not in result.err, "for which there is one"
    assert pinned(project, "d") == pinned(project, "e") == {"delta": "1.1"}


def test_the_lowest_versions_are_on_their_own(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(sessions(a=["delta"], b=["delta>1"]) + 'resolution = "lowest-direct"\n')
    result = project.setlist_inside("lock", check=True)
    assert (pinned(project, "a"), pinned(project, "b")) == ({"delta": "2.0"}, {"delta": "1.1"})
    assert "delta has different versions: 2.0 in a; 1.1 in b\n" in result.err


def test_a_change_in_one_session_moves_what_the_others_share(
    project: ProjectFolder, wheelhouse: Path, starts: Starts
) -> None:
    project.sessions(sessions(a=["beta"], b=["tool"]))
    project.setlist_inside("lock", check=True)
    assert pinned(project, "a") == {"beta": "2.0"}
    before = locks_of(project)
    starts.all.clear()
    assert project.setlist_inside("lock", check=True).err == "locks: 2 current\n"
    assert (starts.resolvers, locks_of(project)) == (0, before)
    project.sessions(sessions(a=["beta"], b=["clash"]))
    project.setlist_inside("lock", check=True)
    assert pinned(project, "a") == {"beta": "1.0"}


def test_a_session_that_is_locked_alone_takes_what_the_others_hold(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(sessions(a=["delta<2"]))
    project.setlist_inside("lock", check=True)
    project.sessions(sessions(a=["delta<2"], b=["delta"], c=["delta>1.1"]))
    project.setlist_inside("lock", "b", check=True)
    assert pinned(project, "b") == {"delta": "1.1"}


def test_the_projects_extras_and_indexes_go_together(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package(
        "demo",
        dependencies=["alpha"],
        extras={"x": ["clash"], "y": ["delta"]},
        sessions=f"""
            {SETTINGS}
            [tool.setlist.session.x]
            project = "editable"
            extras = ["x"]
            [tool.setlist.session.y]
            project = "wheel"
            extras = ["y"]
            [tool.setlist.session.z]
            deps = ["beta"]
            index-url = "{wheelhouse.as_uri()}"
        """,
    )
    project.setlist_inside("lock", check=True)
    assert pinned(project, "x") == {"alpha": "1.1", "beta": "1.0", "clash": "1.0"}
    assert pinned(project, "y") == {"alpha": "1.1", "beta": "1.0", "delta": "2.0"}
    assert pinned(project, "z") == {"beta": "1.0"}


def test_many_that_cant_go_together_take_few_attempts(project: ProjectFolder, wheelhouse: Path, starts: Starts) -> None:
    # a matrix is such a case: each variant pins what the next pins otherwise
    project.sessions(
        SETTINGS
        + '[tool.setlist.session.m]\nmatrix = { v = ["1.0", "1.1", "2.0"] }\n'
        + 'python = ["3.9", "3.10", "3.11", "3.12"]\ndeps = ["delta=={v}", "beta"]\n'
    )
    project.setlist_inside("lock", check=True)
    # all; the first; the other two; either of them; and then each by itself
    assert starts.resolvers == 5 + 12
    assert {pinned(project, f"m-py39-v{v}")["delta"] for v in ("10", "11", "20")} == {"1.0", "1.1", "2.0"}
    assert pinned(project, "m-py312-v20")["beta"] == "2.0"
