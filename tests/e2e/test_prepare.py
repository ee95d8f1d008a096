"""``run --prepare``: environments are made, and nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import ProjectFolder

SESSIONS = """
    [tool.setlist.session.lint]
    deps = ["tool"]
    run = ["python -c 'open(\\"ran\\", \\"w\\")'"]
    [tool.setlist.session.test]
    deps = ["alpha"]
    requires = ["lint"]
    inputs = ["*.py"]
    run = ["python -c 'open(\\"ran\\", \\"w\\")'"]
    [tool.setlist.session.lost]
    deps = ["no-such-package"]
    run = ["python -V"]
    [tool.setlist.session.absent]
    python = "3.1"
    run = ["python -V"]
"""


@pytest.fixture
def unmade(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions(SESSIONS)
    return project


@pytest.mark.parametrize("argv", [(), ("-j", "2"), ("-j", "2", "--output", "ordered")])
def test_environments_are_made_and_nothing_runs(unmade: ProjectFolder, argv: tuple[str, ...]) -> None:
    result = unmade.run("--prepare", "test", *argv, check=True)
    assert "alpha" in unmade.installed("test")
    assert "tool" in unmade.installed("lint")  # what it requires
    assert not (unmade.path / "ran").exists()
    assert "test  ok" in result.err
    assert "prepared" in result.err
    # the next run has nothing to make, and runs
    unmade.run("test", check=True)
    assert {event["action"] for event in unmade.history() if event["event"] == "environment-ready"} == {"reused"}
    assert (unmade.path / "ran").exists()


def test_it_says_nothing_of_how_sessions_end(unmade: ProjectFolder) -> None:
    unmade.write("pyproject.toml", unmade.read("pyproject.toml").replace("open(", "missing("))
    assert unmade.run("lint").code == 1
    unmade.run("--prepare", "lint", check=True)
    assert unmade.run("--failed").code == 1


def test_environments_are_recreated_by_request(unmade: ProjectFolder) -> None:
    unmade.run("--prepare", "lint", check=True)
    assert "reused" in unmade.run("--prepare", "lint", check=True).err
    assert "recreated" in unmade.run("--prepare", "-r", "lint", check=True).err


def test_exit_codes_are_those_of_a_run(unmade: ProjectFolder) -> None:
    result = unmade.run("--prepare", "lost", "lint")
    assert result.code == 1
    assert "lint  ok" in result.err
    assert unmade.run("--prepare", "--locked", "lint").code == 3
    assert unmade.run("--prepare", "absent").code == 0
    assert unmade.run("--prepare", "absent", env={"CI": "true"}).code == 4


def test_of_a_function_what_is_declared_is_installed(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write(
        "sessions/extra.py",
        """
        from setlist import session

        @session(deps=["alpha"])
        def work(s):
            s.install("delta")
            open("ran", "w").close()
        """,
    )
    result = project.run("--prepare", "work", check=True)
    assert "alpha" in project.installed("work")
    assert "delta" not in project.installed("work")
    assert "what its function installs is added when it runs" in result.err
    assert not (project.path / "ran").exists()


@pytest.mark.slow
def test_of_a_noxfile_the_installs_are_done_as_by_install_only(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write(
        "noxfile.py",
        """
        import nox

        @nox.session
        def work(session):
            session.install("alpha")
            session.run("python", "-c", "open('ran', 'w').close()")
        """,
    )
    project.run("--prepare", "work", check=True)
    assert "alpha" in project.installed("work")
    assert not (project.path / "ran").exists()
    project.run("work", check=True)
    assert (project.path / "ran").exists()
