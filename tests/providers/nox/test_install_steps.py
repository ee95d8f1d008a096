"""Installs and commands of noxfiles in all orders: each command sees what a run by nox shows it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.project import ProjectFolder, Result
from support.variants import sampled
from support.wheels import fill_wheelhouse, make_wheel

pytestmark = pytest.mark.slow

HEAD = """
import os, nox, pathlib
nox.options.default_venv_backend = "uv"

SEE = (
    "import importlib.metadata as m, sys; "
    "print(sorted(d.name + d.version for d in m.distributions() if d.name not in ('pip', 'setuptools', 'wheel')), "
    "file=open(sys.argv[1], 'a'))"
)

def see(session, *words):
    session.run("python", "-c", SEE, os.environ["SEEN"])

def pip(session, *words, run="run"):
    getattr(session, run)("uv", "pip", *words, external=True, silent=True)

"""

SESSIONS = {
    "one_version_after_another": """
        session.install("delta==1.0")
        see(session)
        session.install("delta==2.0")
        see(session)
    """,
    "then_an_older_one": """
        session.install("delta")
        see(session)
        session.install("delta<2")
        see(session)
    """,
    "not_there_before": """
        session.install("delta")
        see(session)
        session.install("tool")
    """,
    "command_first": """
        see(session)
        session.install("alpha==1.0")
        see(session)
    """,
    "same_words_around_a_command": """
        session.install("delta")
        see(session)
        session.install("delta")
        see(session)
    """,
    "same_words_override_twice": """
        session.install("delta==1.0")
        session.install("delta==2.0")
        see(session)
        session.install("delta==1.0")
        see(session)
    """,
    "loop": """
        for version in ("1.0", "1.1", "2.0"):
            session.install(f"alpha=={version}")
            see(session)
    """,
    "dependency_is_moved_later": """
        session.install("alpha==1.0")
        see(session)
        session.install("beta==1.0")
        see(session)
        session.install("clash")
        see(session)
    """,
    "extra_later": """
        session.install("gamma")
        see(session)
        session.install("gamma[fast]")
        see(session)
    """,
    "installer_as_a_command": """
        see(session)
        pip(session, "install", "delta==1.0")
        see(session)
        pip(session, "install", "delta==2.0", run="run_install")
        see(session)
    """,
    "installer_as_a_command_between_installs": """
        session.install("delta==1.0")
        pip(session, "install", "delta==2.0")
        session.install("tool")
        see(session)
    """,
    "installer_as_a_command_overridden": """
        pip(session, "install", "delta==2.0")
        session.install("delta==1.0")
        see(session)
    """,
    "uninstalled": """
        session.install("alpha==1.0")
        see(session)
        pip(session, "uninstall", "alpha")
        see(session)
        session.install("tool")
        see(session)
    """,
    "uninstalled_and_back": """
        session.install("delta==1.0")
        pip(session, "uninstall", "delta")
        see(session)
        session.install("delta==1.0")
        see(session)
    """,
    "file_edited_between": """
        pathlib.Path("one.txt").write_text("delta==1.0\\n")
        session.install("-r", "one.txt")
        see(session)
        pathlib.Path("one.txt").write_text("delta==2.0\\n")
        session.install("-r", "one.txt")
        see(session)
    """,
    "hidden_in_a_program": """
        see(session)
        program = "import subprocess; subprocess.run(['uv', 'pip', 'install', '-q', 'tool'], check=True)"
        session.run("python", "-c", program)
        see(session)
        session.install("delta")
        see(session)
    """,
    "failing_command_between": """
        session.install("delta==1.0")
        session.run("python", "-c", "raise SystemExit(3)", success_codes=[3])
        session.install("delta==2.0")
        see(session)
    """,
    "installs_first": """
        session.install("alpha==1.0")
        session.install("delta", "tool")
        see(session)
        see(session)
    """,
    "overriding_installs_first": """
        session.install("delta==1.0")
        session.install("alpha==1.0")
        session.install("delta==2.0")
        see(session)
    """,
    "same_files": """
        session.install("one-of-two")
        session.run("python", "-c", "import two.both")
        session.install("other-of-two")
        see(session)
    """,
}


def noxfile(*bodies: tuple[str, str]) -> str:
    """A noxfile of these sessions."""
    import textwrap

    sessions = []
    for name, body in bodies:
        lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        sessions.append(f"@nox.session\ndef {name}(session):\n{lines}\n")
    return HEAD + "\n\n".join(sessions)


def seen(project: ProjectFolder) -> list[str]:
    """What the commands of the latest run saw."""
    place = project.path / "seen.txt"
    text = place.read_text() if place.exists() else ""
    place.unlink(missing_ok=True)
    return text.splitlines()


def by_nox(project: ProjectFolder, name: str) -> list[str]:
    """What the commands of a session see that nox runs in a new environment."""
    words = [sys.executable, "-m", "nox", "-s", name, "--envdir", "fresh"]
    subprocess.run(words, cwd=project.path, check=True, capture_output=True, timeout=120)
    return seen(project)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual wheels, and two that hold the same file."""
    directory = fill_wheelhouse(tmp_path_factory.mktemp("wheels"))
    for name in ("one-of-two", "other-of-two"):
        make_wheel(directory, name, "1.0", modules={"two/both.py": "", f"two/{name[:3]}.py": ""})
    return directory


@pytest.fixture
def watched(project: ProjectFolder, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project whose commands say what they see."""
    from setlist.environment.installers import uv_binary

    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("SEEN", str(project.path / "seen.txt"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(uv_binary()).parent), os.environ["PATH"]]))
    return project


@pytest.mark.parametrize("name", sampled(SESSIONS, 4))
def test_each_command_sees_what_nox_shows_it(watched: ProjectFolder, name: str) -> None:
    watched.write("noxfile.py", noxfile((name, SESSIONS[name])))
    expected = by_nox(watched, name)

    told = []
    for _ in range(3):
        watched.run_inside(name, check=True)
        told.append(seen(watched))

    assert told == [expected] * 3


def edited(project: ProjectFolder, before: Sequence[str], after: Sequence[str], *, runs: int = 1) -> list[str]:
    """What is seen after an edit of a function."""
    for lines in (before, after):
        project.write("noxfile.py", noxfile(("lint", "\n".join(lines))))
        for _ in range(runs if lines is before else 1):
            project.run_inside("lint", check=True)
            shown = seen(project)
    assert by_nox(project, "lint") == shown
    assert "cut off" not in project.run_inside("lint", check=True).err
    assert seen(project) == shown
    return shown


DELTA_1, DELTA_2, ALPHA = (f'session.install("{name}")' for name in ("delta==1.0", "delta==2.0", "alpha==1.0"))
INTERLEAVED = f"{DELTA_1}\nsee(session)\n{DELTA_2}\nsee(session)"


def test_deleted_install_that_overrode_another_is_noticed_at_once(watched: ProjectFolder) -> None:
    assert edited(watched, [DELTA_1, DELTA_2, "see(session)"], [DELTA_1, "see(session)"]) == ["['delta1.0']"]


def test_deleted_install_that_overrode_another_in_a_session_without_commands(watched: ProjectFolder) -> None:
    for lines in ([DELTA_1, DELTA_2], [DELTA_1]):
        watched.write("noxfile.py", noxfile(("lint", "\n".join(lines))))
        watched.run_inside("lint", check=True)
    assert watched.installed("lint") == {"delta": "1.0"}
    assert "reused" in watched.run_inside("lint", check=True).err


def test_overriding_install_from_posargs_is_gone_without_them(watched: ProjectFolder) -> None:
    lines = [DELTA_1, "if session.posargs: session.install(*session.posargs)", "see(session)"]
    watched.write("noxfile.py", noxfile(("lint", "\n".join(lines))))
    watched.run_inside("lint", "--", "delta==2.0", check=True)
    watched.run_inside("lint", check=True)
    result = watched.run_inside("lint", check=True)

    assert seen(watched) == ["['delta2.0']", "['delta1.0']", "['delta1.0']"]
    assert "cut off" not in result.err


def test_swapped_installs_of_one_package_end_in_the_last(watched: ProjectFolder) -> None:
    assert edited(watched, [DELTA_2, DELTA_1, "see(session)"], [DELTA_1, DELTA_2, "see(session)"]) == ["['delta2.0']"]


def test_install_before_all_others_that_override(watched: ProjectFolder) -> None:
    edited(watched, [DELTA_1, DELTA_2, "see(session)"], [ALPHA, DELTA_1, DELTA_2, "see(session)"])


def test_deleted_command_between_two_installs(watched: ProjectFolder) -> None:
    edited(watched, [DELTA_1, "see(session)", DELTA_2, "see(session)"], [DELTA_1, DELTA_2, "see(session)"], runs=2)


def test_deleted_install_after_a_command(watched: ProjectFolder) -> None:
    edited(watched, [DELTA_1, "see(session)", ALPHA, "see(session)"], [DELTA_1, "see(session)"], runs=2)


def test_installer_command_that_is_gone_had_overridden_an_install(watched: ProjectFolder) -> None:
    edited(watched, [DELTA_1, 'pip(session, "install", "delta==2.0")', "see(session)"], [DELTA_1, "see(session)"])


def test_command_that_fails_between_two_installs(watched: ProjectFolder) -> None:
    body = [DELTA_1, "see(session)", 'session.run("python", "-c", "import os; os._exit(os.path.exists(\'bad\'))")']
    watched.write("noxfile.py", noxfile(("lint", "\n".join([*body, DELTA_2, "see(session)"]))))
    fresh = by_nox(watched, "lint")
    watched.run_inside("lint", check=True)
    assert seen(watched) == fresh

    watched.write("bad", "")
    assert watched.run_inside("lint").code == 1
    assert seen(watched) == fresh[:1]

    (watched.path / "bad").unlink()
    for _ in range(2):
        watched.run_inside("lint", check=True)
        assert seen(watched) == fresh


def test_version_of_last_time_moves_nothing_that_an_earlier_install_has_brought_since(watched: ProjectFolder) -> None:
    later = ["see(session)", 'session.install("alpha<2")', "see(session)"]  # which requires any beta
    edited(watched, [DELTA_1, *later], ['session.install("beta==1.0")', *later], runs=2)


def test_install_only_and_then_all_of_it(watched: ProjectFolder) -> None:
    watched.write("noxfile.py", noxfile(("lint", INTERLEAVED)))
    watched.setlist_inside("nox", "--", "-s", "lint", "--install-only", check=True)
    assert watched.installed("lint") == {"delta": "2.0"}

    watched.run_inside("lint", check=True)

    assert seen(watched) == ["['delta1.0']", "['delta2.0']"]


def test_no_install_leaves_what_is_there(watched: ProjectFolder) -> None:
    watched.write("noxfile.py", noxfile(("lint", f"{DELTA_1}\nsee(session)")))
    for _ in range(2):
        watched.setlist_inside("nox", "--", "-R", "-s", "lint", check=True)

    assert seen(watched) == ["['delta1.0']"] * 2


def test_versions_that_are_installed_once_more_are_those_of_last_time(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "thing", "1.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("SEEN", str(project.path / "seen.txt"))
    project.write("noxfile.py", noxfile(("lint", 'see(session)\nsession.install("thing")\nsee(session)')))
    project.run_inside("lint", check=True)
    make_wheel(wheels, "thing", "2.0")
    project.run_inside("lint", check=True)
    assert seen(project) == ["[]", "['thing1.0']"] * 2

    (wheels / "thing-1.0-py3-none-any.whl").unlink()
    monkeypatch.setenv("UV_NO_CACHE", "1")
    project.run_inside("lint", check=True)
    assert seen(project) == ["[]", "['thing2.0']"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("place", range(5))
def test_run_that_is_killed_between_two_steps(watched: ProjectFolder, place: int) -> None:
    body = [DELTA_1, ALPHA, "see(session)", DELTA_2, "see(session)"]
    body.insert(place + 1, "os.path.exists('kill') and os.kill(os.getppid(), 9)")
    watched.write("noxfile.py", noxfile(("lint", "\n".join(body))))
    fresh = by_nox(watched, "lint")
    for _ in range(place % 2):  # in a new environment, or in one that is there
        watched.run_inside("lint", check=True)
    seen(watched)
    watched.write("kill", "")
    assert watched.run("lint").code == -9
    (watched.path / "kill").unlink()
    seen(watched)

    watched.run_inside("lint", check=True)

    assert seen(watched) == fresh


def test_two_runs_at_once_see_what_nox_shows_them(watched: ProjectFolder) -> None:
    watched.write("noxfile.py", noxfile(("lint", INTERLEAVED)))
    fresh = by_nox(watched, "lint")
    watched.run_inside("lint", check=True)
    seen(watched)
    places = [str(watched.path / f"seen-{number}.txt") for number in range(2)]
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda place=place: results.append(watched.run("lint", env={"SEEN": place})))
        for place in places
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.code for result in results] == [0, 0], "\n".join(map(str, results))
    assert [Path(place).read_text().splitlines() for place in places] == [fresh, fresh]


@pytest.mark.parametrize("backend", ["uv", "virtualenv"])
def test_install_with_hashes_is_done_once_more(watched: ProjectFolder, wheels: Path, backend: str) -> None:
    from hashlib import sha256

    content = (wheels / "delta-1.0-py3-none-any.whl").read_bytes()
    watched.write("hashed.txt", f"delta==1.0 --hash=sha256:{sha256(content).hexdigest()}\n")
    body = 'see(session)\nsession.install("--require-hashes", "-r", "hashed.txt")\nsee(session)'
    text = noxfile(("lint", body)).replace('"uv"\n', f'"{backend}"\n', 1)
    watched.write("noxfile.py", text)

    for _ in range(2):
        result = watched.run_inside("lint", check=True)
        assert seen(watched) == ["[]", "['delta1.0']"]
        assert sum("install" in event.get("command", ()) for event in watched.history()) in (1, 2), result


def test_project_whose_build_failed_is_installed_again(watched: ProjectFolder) -> None:
    watched.make_package()
    watched.write("noxfile.py", noxfile(("lint", 'session.install("delta==1.0")\nsession.install(".")\nsee(session)')))
    watched.run_inside("lint", check=True)
    good = watched.read("pyproject.toml")
    watched.make_package(fail="build_wheel")
    assert watched.run_inside("lint").code == 1
    watched.write("pyproject.toml", good)
    seen(watched)

    watched.run_inside("lint", check=True)

    assert seen(watched) == ["['delta1.0', 'demo1.0']"]
