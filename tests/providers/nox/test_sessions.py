"""Sessions of noxfiles: what they install is compared with what they installed last time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from setlist import STATE_DIRECTORY
from support.project import ProjectFolder, Result
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

HEAD = """
import nox

nox.options.default_venv_backend = "uv"

"""


def noxfile(project: ProjectFolder, body: str, *, head: str = HEAD) -> None:
    """A noxfile of one session, ``lint``."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    (project.path / "noxfile.py").write_text(f"{head}@nox.session\ndef lint(session):\n{lines}", encoding="utf-8")


def commands(project: ProjectFolder) -> list[list[str]]:
    """The commands of the latest run."""
    return [event["command"] for event in project.history() if event["event"] == "command-started"]


def installs(project: ProjectFolder) -> list[list[str]]:
    """What the latest run called an installer for."""
    return [words[words.index("install") + 1 :] for words in commands(project) if "install" in words]


def lint(project: ProjectFolder, *options: str) -> Result:
    return project.run_inside("lint", *options, check=True)


FIVE = """
session.install("alpha==1.0")
session.install("-r", "requirements.txt")
session.install("-c", "constraints.txt", "delta")
session.install("tool")
session.install("-e", ".")
session.run("tool", "works")
"""


@pytest.fixture
def five(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    """A project whose session has five installs, and has run."""
    project.make_package()
    project.write("requirements.txt", "gamma\n")
    project.write("constraints.txt", "delta<2\n")
    noxfile(project, FIVE)
    lint(project)
    assert len(installs(project)) == 5
    return project


def test_second_run_starts_no_installer(five: ProjectFolder) -> None:
    held = five.installed("lint")

    result = lint(five)

    assert commands(five) == [["tool", "works"]]
    assert "reused" in result.err
    assert five.installed("lint") == held
    assert {"alpha", "beta", "delta", "gamma", "tool", "demo"} <= held.keys()


def test_changed_requirement_file_installs_what_changed(five: ProjectFolder) -> None:
    five.write("requirements.txt", "gamma\nmarked\n")

    result = lint(five)

    assert installs(five)[0] == ["-r", "requirements.txt"]
    assert result.err.count("installed: ") == 1
    assert "marked" in five.installed("lint")


def test_what_a_requirement_file_no_longer_names_is_gone_before_the_next_command(five: ProjectFolder) -> None:
    five.write("requirements.txt", "\n")
    noxfile(
        five,
        FIVE + 'session.run("python", "-c", "import sys, importlib.util as u; sys.exit(bool(u.find_spec(\'gamma\')))")',
    )

    lint(five)

    assert "gamma" not in five.installed("lint")
    assert "alpha" in five.installed("lint")


@pytest.mark.parametrize("line", [1, 3], ids=["first", "in the middle"])
def test_removed_install_is_undone(five: ProjectFolder, line: int) -> None:
    kept = [text for number, text in enumerate(FIVE.strip().splitlines(), 1) if number != line]
    noxfile(five, "\n".join(kept))

    lint(five)

    gone = {1: "alpha", 3: "delta"}[line]
    assert gone not in five.installed("lint")
    assert "tool" in five.installed("lint")
    lint(five)
    assert commands(five) == [["tool", "works"]]


def test_requirements_of_a_removed_install_go_with_it(five: ProjectFolder) -> None:
    noxfile(five, FIVE.replace('session.install("alpha==1.0")', ""))

    lint(five)

    assert "beta" not in five.installed("lint")


def test_changed_metadata_of_an_editable_project_install_it_again(five: ProjectFolder) -> None:
    five.make_package(version="2.0")

    lint(five)

    assert installs(five) == [["-e", "."]]
    assert five.installed("lint")["demo"] == "2.0"


def test_changed_sources_of_an_editable_project_install_nothing(five: ProjectFolder) -> None:
    five.write("src/demo/__init__.py", "changed = True\n")

    lint(five)

    assert commands(five) == [["tool", "works"]]


@pytest.mark.parametrize("backend", ["uv", "virtualenv"])
def test_changed_sources_of_a_copied_project_install_it_again(
    project: ProjectFolder, wheelhouse: Path, backend: str
) -> None:
    project.make_package()
    body = 'session.install(".", "--no-build-isolation")\nsession.run("python", "-c", "import demo")'
    noxfile(project, body, head=HEAD.replace('"uv"', repr(backend)))
    lint(project)
    assert len(installs(project)) == 1
    lint(project)
    assert installs(project) == []

    project.write("src/demo/__init__.py", "__version__ = 'changed'\n")
    lint(project)

    site = next((project.environment("lint") / "lib").glob("python*/site-packages")) if os.name != "nt" else None
    assert site is None or "changed" in (site / "demo" / "__init__.py").read_text()


def test_report_that_git_ignores_installs_no_project_again(project: ProjectFolder, wheelhouse: Path) -> None:
    project.make_package()
    project.write(".gitignore", "report.xml\n")
    subprocess.run(["git", "init", "-q"], cwd=project.path, check=True)
    write = "import uuid; open('report.xml', 'w').write(str(uuid.uuid4()))"
    noxfile(project, f'session.install(".")\nsession.run("python", "-c", {write!r})')
    for _ in range(3):
        lint(project)
    assert installs(project) == []

    project.write("src/demo/more.py", "")
    lint(project)
    assert installs(project) == [["."]]


def test_unpinned_requirement_stays_until_an_upgrade(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "thing", "1.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    noxfile(project, 'session.install("thing")')
    lint(project)
    make_wheel(wheels, "thing", "2.0")

    lint(project)
    assert project.installed("lint")["thing"] == "1.0"

    lint(project, "--upgrade")
    assert project.installed("lint")["thing"] == "2.0"


def test_variables_of_an_install_count(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("delta", env={"SOME_FLAG": "1"})')
    lint(project)
    lint(project)
    assert installs(project) == []

    noxfile(project, 'session.install("delta", env={"SOME_FLAG": "2"})')
    lint(project)

    assert installs(project) == [["delta"]]


def test_install_that_overrides_an_earlier_one_is_undone_exactly(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("delta==1.0")\nsession.install("delta==2.0")\nsession.install("tool")')
    lint(project)
    assert project.installed("lint")["delta"] == "2.0"

    noxfile(project, 'session.install("delta==1.0")\nsession.install("tool")')
    lint(project)
    lint(project)

    assert project.installed("lint")["delta"] == "1.0"


def test_failed_install_is_tried_again(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("alpha==1.0")\nsession.install("no-such-thing")\nsession.run("python", "-V")')
    for _ in range(2):
        result = project.run_inside("lint")
        assert result.code == 1
        assert installs(project)[-1] == ["no-such-thing"]

    noxfile(project, 'session.install("alpha==1.0")\nsession.run("python", "-V")')
    lint(project)
    assert installs(project) == []
    assert project.installed("lint")["alpha"] == "1.0"


def test_failed_command_doesn_t_undo_installs(project: ProjectFolder, wheelhouse: Path) -> None:
    body = 'session.install("alpha==1.0")\nsession.run("python", "-c", "raise SystemExit(3)")\nsession.install("tool")'
    noxfile(project, body)
    for _ in range(2):
        result = project.run_inside("lint")
        assert result.code == 1
        assert "exited with code 3" in result.err
    assert installs(project) == []

    noxfile(project, body.replace("SystemExit(3)", "SystemExit(0)"))
    lint(project)
    assert installs(project) == [["tool"]]


def test_pip_as_a_command_runs_each_time_and_is_no_drift(project: ProjectFolder, wheelhouse: Path) -> None:
    head = HEAD.replace('"uv"', '"virtualenv"')
    body = 'session.run("python", "-m", "pip", "install", "-q", "delta")\nsession.install("-q", "tool")'
    noxfile(project, body, head=head)
    lint(project)
    held = project.installed("lint")
    assert "delta" in held

    result = lint(project)

    assert installs(project) == [["-q", "delta"]]
    assert "reused" in result.err
    assert project.installed("lint") == held

    noxfile(project, 'session.install("-q", "tool")', head=head)
    lint(project)
    assert "delta" not in project.installed("lint")
    assert "pip" in project.installed("lint")


def test_run_install_runs_each_time(project: ProjectFolder, wheelhouse: Path) -> None:
    body = 'session.run_install("uv", "pip", "install", "-q", "-r", "more.txt", external=True)'
    project.write("more.txt", "delta\ntool\n")
    noxfile(project, body)
    lint(project)
    lint(project)
    assert installs(project) == [["-q", "-r", "more.txt"]]

    project.write("more.txt", "tool\n")
    lint(project)

    assert "delta" not in project.installed("lint")


SNEAKY = """
import pathlib, subprocess, sys
names = pathlib.Path("names.txt").read_text().split()
subprocess.run([sys.argv[1], "pip", "install", "-q", *names], check=True)
"""


def test_what_a_command_installs_that_only_it_knows_is_gone_before_it_runs(
    project: ProjectFolder, wheelhouse: Path
) -> None:
    from setlist.environment.installers import uv_binary

    project.write("sneaky.py", SNEAKY)
    project.write("names.txt", "delta tool")
    noxfile(project, f'session.run("python", "sneaky.py", {uv_binary()!r})\nsession.install("alpha==1.0")')
    lint(project)
    assert "reused" in lint(project).err
    assert {"delta", "tool", "alpha"} <= project.installed("lint").keys()

    project.write("names.txt", "tool")
    lint(project)

    assert project.installed("lint").keys() == {"tool", "alpha", "beta"}


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for poetry")
def test_environment_is_made_anew_where_only_an_installer_knows_what_it_installs(
    project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setlist.environment.installers import uv_binary

    poetry = project.write("fake/poetry", f"#!/bin/sh\nexec {uv_binary()} pip install -q $(cat names.txt)\n")
    poetry.chmod(0o755)
    monkeypatch.setenv("PATH", f"{poetry.parent}{os.pathsep}{os.environ['PATH']}")
    project.write("names.txt", "delta tool")
    noxfile(project, 'session.run("poetry", "install", external=True)\nsession.install("alpha==1.0")')
    lint(project)
    result = lint(project)
    assert "reused" in result.err
    assert installs(project) == [[]]

    project.write("names.txt", "tool")
    result = lint(project)

    assert "made anew" in result.err
    assert project.installed("lint").keys() == {"tool", "alpha", "beta"}


def test_package_that_a_command_removed_comes_back(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(
        project,
        'session.install("delta")\n'
        'session.run("uv", "pip", "uninstall", "-q", "delta", external=True)\n'
        'session.install("delta")',
    )
    for _ in range(2):
        lint(project)
        assert "delta" in project.installed("lint")


def test_two_runs_at_once_on_a_cold_environment_succeed(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("alpha==1.0")\nsession.install("tool")\nsession.run("tool", "works")')
    results: list[Result] = []
    threads = [threading.Thread(target=lambda: results.append(project.run("lint"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.code for result in results] == [0, 0], "\n".join(map(str, results))
    assert {"alpha", "tool"} <= project.installed("lint").keys()


def test_half_made_environment_is_never_used(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("tool")\nsession.run("tool", "works")')
    project.environment("lint").mkdir(parents=True)

    result = lint(project)

    assert "repaired" in result.err


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_environment_whose_interpreter_is_gone_is_never_used(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("tool")\nsession.run("tool", "works")')
    lint(project)
    python = project.python("lint")
    python.unlink()
    python.symlink_to(project.path / "gone")

    result = lint(project)

    assert "repaired" in result.err
    assert len(installs(project)) == 1


def test_environment_of_another_python_is_never_used(project: ProjectFolder, wheelhouse: Path) -> None:
    body = 'session.install("tool")\nsession.run("tool", "works")'
    noxfile(project, body)
    lint(project)
    other = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}"
    text = (project.path / "noxfile.py").read_text()
    (project.path / "noxfile.py").write_text(text.replace("@nox.session\n", f"@nox.session(python={other!r})\n"))

    result = lint(project)

    assert "recreated" in result.err or "created" in result.err
    assert len(installs(project)) == 1


LOCKED = """
session.install("alpha", "-c", "limits.txt")
session.install("-e", ".[more]")
session.run("python", "-c", "import alpha, delta")
"""


@pytest.fixture
def locked(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    """A project whose session has a lock."""
    project.make_package(dependencies=["gamma"], extras={"more": ["delta<2"]})
    project.write("limits.txt", "alpha<2\n")
    noxfile(project, LOCKED)
    project.setlist_inside("lock", check=True)
    return project


def test_lock_holds_what_the_function_would_install(locked: ProjectFolder) -> None:
    assert not locked.environment("lint").exists()
    text = locked.read("sessions/locks/lint.txt")
    for line in ("alpha==1.1", "beta==2.0", "delta==1.1", "gamma==1.0"):
        assert line in text
    assert locked.setlist_inside("lock", "--check").code == 0


def test_session_installs_from_its_lock(locked: ProjectFolder) -> None:
    text = locked.read("sessions/locks/lint.txt")
    locked.write("limits.txt", "alpha<2\n")

    lint(locked, "--locked")

    held = locked.installed("lint")
    assert (held["alpha"], held["delta"], held["demo"]) == ("1.1", "1.1", "1.0")
    assert installs(locked) == [["-e", ".[more]", "--no-deps"]]
    lint(locked, "--locked")
    assert installs(locked) == []
    assert locked.read("sessions/locks/lint.txt") == text


def test_changed_lock_makes_the_environment_anew(locked: ProjectFolder) -> None:
    lint(locked)
    locked.write("limits.txt", "alpha<1.1\n")
    locked.setlist_inside("lock", check=True)

    lint(locked)

    assert locked.installed("lint")["alpha"] == "1.0"


def test_install_that_the_lock_doesn_t_hold_is_an_error_with_locked(locked: ProjectFolder) -> None:
    noxfile(locked, 'session.install("tool")\n' + LOCKED)

    result = locked.run_inside("lint", "--locked")
    assert result.code == 3
    assert "it doesn't hold tool" in result.err
    assert "setlist lock lint" in result.err
    assert locked.setlist_inside("lock", "--check").code == 3

    result = lint(locked)
    assert "out of date" in result.err
    assert "tool" in locked.installed("lint")


def test_requirement_whose_marker_is_false_isn_t_missed_in_the_lock(project: ProjectFolder, wheelhouse: Path) -> None:
    project.write("more.txt", 'marked; python_version < "3.0"\n')
    noxfile(project, """session.install("delta", 'tool; python_version < "3.0"', "-r", "more.txt")""")
    project.setlist_inside("lock", check=True)

    lint(project, "--locked")

    assert project.installed("lint") == {"delta": "2.0"}


@pytest.fixture
def moving(project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project of which newer packages are there than those that it is going to be locked with."""
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "thing", "1.0")
    make_wheel(wheels, "other", "1.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    project.make_package(dependencies=["thing"])
    project.write("thing.txt", "thing\n")
    return project


def moved(project: ProjectFolder, body: str, *, backend: str = "uv") -> Result:
    """What comes of a run with --locked, after newer packages have appeared."""
    noxfile(project, body, head=HEAD.replace('"uv"', repr(backend)))
    if project.setlist_inside("lock").code != 0:
        lint(project)  # the lock is made from what was installed
        project.setlist_inside("lock", check=True)
        project.setlist_inside("clean", "lint", check=True)
    for name in ("thing", "other"):
        make_wheel(Path(os.environ["UV_FIND_LINKS"]), name, "2.0")
    return project.run_inside("lint", "--locked")


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        ('".", "thing", "-U", "--no-build-isolation"', "virtualenv"),
        ('".", "thing", "-U"', "uv"),
        ('"-e", ".", "-U", "--force-reinstall"', "uv"),
        ('"thing", "--upgrade", "--upgrade-strategy", "eager"', "virtualenv"),
        ('"--pre", "-U", "thing"', "virtualenv"),
        ('"-U", "-r", "thing.txt"', "uv"),
        ('"--no-deps", "-U", "thing"', "uv"),
    ],
)
def test_no_words_move_what_is_locked(moving: ProjectFolder, words: str, backend: str) -> None:
    for _ in range(2):
        result = moved(
            moving, f'session.install({words})\nsession.run("python", "-c", "import thing")', backend=backend
        )

        assert result.code == 0, result
        assert moving.installed("lint")["thing"] == "1.0"


def test_install_after_a_command_is_done_again_from_the_lock(project: ProjectFolder, wheelhouse: Path) -> None:
    see = 'session.run("python", "see.py")'
    project.write("see.py", "import importlib.metadata as m\nprint(*sorted(d.name for d in m.distributions()))\n")
    noxfile(project, f'session.install("delta<2")\n{see}\nsession.install("tool")\n{see}')
    project.setlist_inside("lock", check=True)

    for _ in range(3):
        assert lint(project, "--locked").out.splitlines() == ["delta", "delta tool"]


@pytest.mark.parametrize("method", ["run", "run_install"])
def test_no_installer_command_moves_what_is_locked(moving: ProjectFolder, method: str) -> None:
    body = f'session.{method}("uv", "pip", "install", "-q", "-U", "thing", external=True)'

    assert moved(moving, body).code == 0
    assert moving.installed("lint")["thing"] == "1.0"


@pytest.mark.parametrize(
    "line",
    [
        'session.install("thing==2.0")',
        'session.install("thing", "--target", "elsewhere")',
        'session.run("uv", "pip", "install", "-q", "thing==2.0", external=True)',
        'session.run("python", "sneaky.py", UV)',
    ],
)
def test_what_the_lock_can_t_vouch_for_is_refused(moving: ProjectFolder, line: str) -> None:
    from setlist.environment.installers import uv_binary

    moving.write("sneaky.py", SNEAKY)
    moving.write("names.txt", "thing==2.0")
    assert moved(moving, 'session.install("thing")').code == 0
    noxfile(moving, f'session.install("thing")\n{line.replace("UV", repr(uv_binary()))}')

    result = moving.run_inside("lint", "--locked")

    assert result.code == 3, result
    assert "the lock of lint is out of date: it doesn't hold" in result.err


@pytest.mark.parametrize("words", ['"."', '"-e", "."'])
def test_requirement_of_the_project_that_the_lock_doesn_t_hold_is_refused(moving: ProjectFolder, words: str) -> None:
    assert moved(moving, f"session.install({words})").code == 0
    moving.make_package(dependencies=["thing", "other"])

    for _ in range(2):
        result = moving.run_inside("lint", "--locked")
        assert result.code == 3, result
        assert "it doesn't hold other" in result.err


def test_command_sees_of_the_lock_what_was_asked_for_by_then(project: ProjectFolder, wheelhouse: Path) -> None:
    check = "import importlib.util as u; raise SystemExit(u.find_spec('tool') is not None)"
    noxfile(project, f'session.install("delta")\nsession.run("python", "-c", {check!r})\nsession.install("tool")')
    lint(project)
    project.setlist_inside("lock", check=True)

    for _ in range(3):
        lint(project, "--locked")

    assert project.installed("lint") == {"delta": "2.0", "tool": "2.0"}


def test_missing_lock_is_an_error_with_locked(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("delta")')

    assert project.run_inside("lint", "--locked").code == 3


def test_what_depends_on_a_command_is_locked_from_the_environment(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(
        project, 'name = session.run("python", "-c", "print(\'delta\')", silent=True).strip()\nsession.install(name)'
    )
    result = project.setlist_inside("lock")
    assert result.code != 0
    assert "run lint" in result.err

    lint(project)
    result = project.setlist_inside("lock", check=True)

    assert "locked from its environment" in result.err
    assert "delta==2.0" in project.read("sessions/locks/lint.txt")


CHAIN = """
import nox
nox.options.sessions = ["one", "two"]

@nox.session(venv_backend="none")
def one(session):
    session.notify("last", posargs=["from one"])

@nox.session(venv_backend="none", requires=["one"])
def two(session):
    session.notify("last")

@nox.session(venv_backend="none", default=False)
def last(session):
    session.run("echo", *session.posargs)
    session.notify("one")
"""


@pytest.mark.parametrize("options", [(), ("-j", "2")], ids=["one by one", "side by side"])
def test_notified_session_runs_once_after_the_others(project: ProjectFolder, options: tuple[str, ...]) -> None:
    project.write("noxfile.py", CHAIN)

    project.run_inside(*options, check=True)

    ended = [event["session"] for event in project.history() if event["event"] == "session-finished"]
    assert ended == ["one", "two", "last"]
    assert commands(project) == [["echo", "from one"]]


POSARGS_OF_ALL = """
import nox
nox.options.sessions = ["one"]

@nox.session(venv_backend="none")
def one(session):
    session.notify("two", posargs=["from one"])

@nox.session(venv_backend="none")
def two(session):
    session.run("echo", *session.posargs)
    session.notify("last")

@nox.session(venv_backend="none")
def last(session):
    session.run("echo", *session.posargs)
"""


@pytest.mark.parametrize("options", [(), ("--output", "stream")], ids=["a process for all", "a process for each"])
def test_session_notified_without_posargs_gets_those_of_the_run(
    project: ProjectFolder, options: tuple[str, ...]
) -> None:
    project.write("noxfile.py", POSARGS_OF_ALL)

    project.run_inside(*options, "--", "typed", check=True)

    assert commands(project) == [["echo", "from one"], ["echo", "typed"]]


FAKE_CONDA = """#!/bin/sh
echo "$@" >> "$0.log"
for word in "$@"; do
    if [ "$before" = --prefix ]; then prefix=$word; fi
    before=$word
done
if [ "$1" = create ]; then
    mkdir -p "$prefix/bin" "$prefix/conda-meta"
    printf '#!/bin/sh\\necho in conda\\n' > "$prefix/bin/python"
    chmod +x "$prefix/bin/python"
fi
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for conda")
def test_conda_is_left_to_nox(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    conda = project.write("fake/conda", FAKE_CONDA)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{conda.parent}{os.pathsep}{os.environ['PATH']}")
    body = 'session.conda_install("numpy", channel="forge", auto_offline=False)\nsession.run("python")'
    noxfile(project, body, head=HEAD.replace('"uv"', '"micromamba|conda"'))

    lint(project)

    place = str(project.environment("lint"))
    assert conda.with_name("conda.log").read_text().splitlines() == [
        f"create --yes --prefix {place} pip python",
        f"install --yes --channel=forge --prefix {place} numpy",
    ]


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for conda")
def test_conda_is_refused_with_locked(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    conda = project.write("fake/conda", FAKE_CONDA)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{conda.parent}{os.pathsep}{os.environ['PATH']}")
    noxfile(project, 'session.conda_install("numpy")', head=HEAD.replace('"uv"', '"conda"'))

    result = project.run_inside("lint", "--locked")

    assert result.code == 3
    assert "lint can't be locked: conda installs what it needs" in result.err
    assert not conda.with_name("conda.log").exists()


def test_fallback_backend_is_used_where_the_first_is_missing(project: ProjectFolder, wheelhouse: Path) -> None:
    head = HEAD.replace('"uv"', '"micromamba|uv"')
    noxfile(project, 'assert session.venv_backend == "uv"\nsession.install("delta")', head=head)

    lint(project)

    assert "delta" in project.installed("lint")


def test_words_of_an_environment_are_an_input_of_it(project: ProjectFolder, wheelhouse: Path) -> None:
    noxfile(project, 'session.install("delta")')
    lint(project)
    text = (project.path / "noxfile.py").read_text()
    changed = text.replace("@nox.session\n", '@nox.session(venv_params=["--system-site-packages"])\n')
    (project.path / "noxfile.py").write_text(changed)

    result = lint(project)

    assert "recreated" in result.err
    assert "include-system-site-packages = true" in (project.environment("lint") / "pyvenv.cfg").read_text()
    assert "reused" in lint(project).err


def test_why_tells_of_installs(five: ProjectFolder) -> None:
    five.write("requirements.txt", "gamma\nmarked\n")

    told = five.setlist_inside("why", "lint", check=True).out

    changed = next(line for line in told.splitlines() if "-r requirements.txt" in line)
    assert "requirements.txt changed" in changed
    assert "nothing changed" not in told
    assert told.splitlines()[0].endswith("out of date: it would be brought up to date")
    assert "would be brought up to date" in five.run_inside("-n", "lint", check=True).out
    assert "uv pip install tool" in told


def test_nox_works_beside_us_after_create_tmp(project: ProjectFolder) -> None:
    head = HEAD.replace('"uv"', '"virtualenv"') + "nox.options.reuse_existing_virtualenvs = True\n"
    body = "session.create_tmp()\nsession.run('python', '-c', 'print(1)')\n"
    noxfile(project, body, head=head)

    lint(project)

    assert not (project.path / ".nox").exists()
    nox = subprocess.run([sys.executable, "-m", "nox", "-s", "lint"], cwd=project.path, capture_output=True, text=True)
    assert nox.returncode == 0, nox.stderr
    lint(project)


def test_create_tmp_stays_for_other_sessions_and_is_empty_at_first(project: ProjectFolder) -> None:
    body = """
        tmp = __import__("pathlib").Path(session.create_tmp())
        assert list(tmp.iterdir()) == []
        (tmp / "left").touch()
        assert __import__("pathlib").Path(session.create_tmp(), "left").is_file()
    """
    noxfile(project, textwrap.dedent(body), head=HEAD.replace('"uv"', '"none"'))

    lint(project)
    lint(project)

    assert (project.path / STATE_DIRECTORY / "tmp" / "lint" / "tmp" / "left").is_file()


def test_what_is_imported_later_is_nox_s_own(project: ProjectFolder) -> None:
    head = HEAD.replace("import nox\n", "import nox\nimport nox._cli\n", 1).replace('"uv"', '"none"')
    body = (
        "project = {'project': {'requires-python': '>=3.10'}}\n"
        "assert nox.project.python_versions(project, max_version='3.11') == ['3.10', '3.11']\n"
        "assert nox._cli.get_nox_version()\n"
        "from nox._version import check_nox_version, get_nox_version\n"
        "assert get_nox_version() and nox.main.__name__ == 'main'"
    )
    noxfile(project, body, head=head)

    lint(project)


def test_interrupted_session_leaves_nothing_behind(project: ProjectFolder) -> None:
    noxfile(
        project,
        'session.run("sh", "-c", "kill -INT $0; sleep 60", str(__import__("os").getppid()))',
        head=HEAD.replace('"uv"', '"none"'),
    )

    if os.name == "posix":
        assert project.run("lint").code == 130


SHARED = """
import os
import nox
with open("loads", "a") as stream:
    stream.write("loaded ")
seen = []

@nox.session(venv_backend="none")
def one(session):
    seen.append("one")
    os.environ["FROM_ONE"] = "set"
    session.chdir("folder")

@nox.session(venv_backend="none")
def two(session):
    seen.append("two")
    session.run("python", "-c", "import os, sys; open('two', 'w').write(' '.join([*sys.argv[1:], os.getcwd()]))", *seen)

@nox.session(venv_backend="none")
def three(session):
    session.run("python", "-c", "import os; open('three', 'w').write(os.environ['FROM_ONE'])")

@nox.session(venv_backend="none")
def dies(session):
    os._exit(3)
"""


@pytest.fixture
def shared(project: ProjectFolder) -> ProjectFolder:
    project.write("noxfile.py", SHARED)
    (project.path / "folder").mkdir()
    project.run_inside("--list", check=True)
    (project.path / "loads").unlink()
    return project


@pytest.mark.parametrize(
    "words", [("run", "one", "two", "three"), ("setlist", "nox", "--", "-s", "one", "two", "three")], ids=" ".join
)
def test_sessions_that_follow_one_another_share_a_loaded_noxfile_as_in_nox(
    shared: ProjectFolder, words: tuple[str, ...]
) -> None:
    program, *argv = words

    result = shared.run_inside(*argv) if program == "run" else shared.setlist_inside(*argv)

    assert result.code == 0, result.err
    assert shared.read("loads") == "loaded "
    assert shared.read("two") == f"one two {os.path.realpath(shared.path)}"
    assert shared.read("three") == "set"


def test_sessions_side_by_side_share_nothing(shared: ProjectFolder) -> None:
    shared.run_inside("-j", "2", "one", "two", check=True)

    assert shared.read("loads") == "loaded loaded "
    assert shared.read("two").startswith("two ")


def test_session_that_ends_its_process_takes_no_other_with_it(shared: ProjectFolder) -> None:
    result = shared.run_inside("one", "dies", "two")

    assert result.code == 1
    ends = {event["session"]: event["status"] for event in shared.history() if event["event"] == "session-finished"}
    assert ends == {"one": "ok", "dies": "failed", "two": "ok"}
    assert shared.read("loads") == "loaded loaded "


@pytest.mark.parametrize("backend", ["uv", "virtualenv"])
def test_settings_for_another_environment_do_not_reach_installs(
    project: ProjectFolder, wheelhouse: Path, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_NO_CONFIG", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name)
    project.write("config/pip/pip.conf", "[install]\ntarget = elsewhere\nconstraint = bounds.txt\n")
    project.write("bounds.txt", "delta<2\n")
    project.write(
        "pyproject.toml",
        '[tool.uv]\nconstraint-dependencies = ["delta<2"]\n[tool.uv.pip]\ntarget = "elsewhere"\nno-deps = true\n',
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project.path / "config"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    noxfile(project, 'session.install("alpha", "delta")', head=HEAD.replace('"uv"', f'"{backend}"'))
    lint(project)
    found = project.installed("lint")
    assert {"alpha", "beta"} <= found.keys()
    assert found["delta"].startswith("1")
    assert not (project.path / "elsewhere").exists()


def test_what_a_noxfile_says_to_an_installer_holds(project: ProjectFolder, wheelhouse: Path) -> None:
    words = 'session.install("alpha", env={"PIP_NO_DEPS": "1"})'
    noxfile(project, words, head=HEAD.replace('"uv"', '"virtualenv"'))
    lint(project)
    assert "beta" not in project.installed("lint")
