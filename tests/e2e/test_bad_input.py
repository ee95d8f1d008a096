"""What a person gets wrong: one message that says what and where, the right exit code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.project import ProjectFolder

pytestmark = pytest.mark.slow

PYPROJECT = [
    ("malformed TOML", "[tool.setlist\n", 2, "pyproject.toml:1"),
    ("unknown key", "[tool.setlist.session.a]\ndesp = 1\n", 2, "pyproject.toml:2"),
    ("wrong type", "[tool.setlist.session.a]\ndeps = 3\n", 2, "pyproject.toml:2"),
    ("unknown table", "[tool.setlist.sesion.a]\n", 2, "session"),
    ("same name but for case", "[tool.setlist.session.a]\n[tool.setlist.session.A]\n", 2, "pyproject.toml:2"),
    ("colliding variants", '[tool.setlist.session.a]\npython = ["3.11", "3.11"]\n', 2, "a"),
    ("slash", '[tool.setlist.session."a/b"]\n', 2, "a/b"),
    ("dots", '[tool.setlist.session.".."]\n', 2, ".."),
    ("space", '[tool.setlist.session."a b"]\n', 2, "a b"),
    ("colon", '[tool.setlist.session."a:b"]\n', 2, "a:b"),
    ("reserved on Windows", "[tool.setlist.session.nul]\n", 2, "nul"),
    ("300 characters", f"[tool.setlist.session.{'x' * 300}]\n", 2, "xxx"),
    ("unknown requires", '[tool.setlist.session.a]\nrequires = ["b"]\n', 2, "b"),
    ("cycle", '[tool.setlist.session.a]\nrequires = ["b"]\n[tool.setlist.session.b]\nrequires = ["a"]\n', 2, "circle"),
    ("missing requirements file", '[tool.setlist.session.a]\nrequirements = ["nope.txt"]\n', 1, "nope.txt"),
    ("unresolvable", '[tool.setlist.session.a]\ndeps = ["alpha==99"]\n', 1, "alpha"),
    ("conflict", '[tool.setlist.session.a]\ndeps = ["alpha", "beta==0.1"]\n', 1, "beta"),
    ("malformed requirement", '[tool.setlist.session.a]\ndeps = ["=="]\n', None, "=="),
    ("unknown group", '[tool.setlist.session.a]\ngroups = ["nope"]\n', None, "nope"),
    ("no such command", '[tool.setlist.session.a]\nrun = ["nope-nope"]\n', 1, "nope-nope"),
    ("unset variable", '[tool.setlist.session.a]\nrun = ["python {env:NOPE_NOPE}"]\n', 1, "NOPE_NOPE"),
    ("project that isn't one", '[tool.setlist.session.a]\nproject = "editable"\n', None, "project"),
]


@pytest.mark.parametrize(("text", "code", "said"), [case[1:] for case in PYPROJECT], ids=[c[0] for c in PYPROJECT])
def test_a_wrong_definition(project: ProjectFolder, wheelhouse: Path, text: str, code: int | None, said: str) -> None:
    project.write("pyproject.toml", text)
    result = project.run("a")
    assert result.code == code if code is not None else result.code in (1, 2), result
    assert said in result.err
    assert "Traceback" not in result.err
    assert "bug in setlist" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys; sys.exit(3)\n", "sys.exit"),
        ("0 = f(:\n", "sessions/x.py:1"),
        ("import nope_nope\n", "nope_nope"),
        ("\n@setlist.session(desp=1)\ndef a(s): ...\n", "desp"),
        ("raise KeyboardInterrupt\n", ""),
    ],
    ids=["raises", "exits", "syntax", "import", "unknown key", "interrupts"],
)
def test_a_wrong_module(project: ProjectFolder, text: str, said: str) -> None:
    project.write("sessions/x.py", f"import setlist; {text}")
    result = project.run("--list")
    assert result.code in (2, 130), result
    assert said in result.err
    assert "Traceback" not in result.err
    assert "bug in setlist" not in result.err


@pytest.mark.parametrize("argv", [["--nope"], ["-k", "lint ("], ["nope"], ["-p", "9.9"], ["-t", "nope"], ["--", "x"]])
def test_a_wrong_command_line(project: ProjectFolder, argv: list[str]) -> None:
    project.sessions("[tool.setlist.session.lint]\ndefault = false\n")
    result = project.run(*argv)
    assert "Traceback" not in result.err
    assert "bug in setlist" not in result.err
    assert result.code == 2, result
    assert result.err.count("error:") == 1


def test_an_unresolvable_change_leaves_the_old_environment_as_it_was(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions('[tool.setlist.session.a]\ndeps = ["alpha==1.0"]\n')
    project.run("a", check=True)
    before = project.installed("a")
    project.sessions('[tool.setlist.session.a]\ndeps = ["alpha==99"]\n')
    result = project.run("a")
    assert result.code == 1
    assert "alpha==99" in result.err
    assert project.installed("a") == before
    project.sessions('[tool.setlist.session.a]\ndeps = ["alpha==1.0"]\n')
    assert "reused" in project.run("a", check=True).err


def test_a_failing_build_is_told_in_the_builds_own_words(project: ProjectFolder) -> None:
    project.make_package(fail="build_editable", sessions='[tool.setlist.session.a]\nproject = "editable"\n')
    result = project.run("a")
    assert result.code == 1
    assert "bug in setlist" not in result.err
    assert "error: " in result.err


@pytest.mark.parametrize("damage", ["file", "half", "corrupt state", "no python"])
def test_a_damaged_environment_is_mended(project: ProjectFolder, wheelhouse: Path, damage: str) -> None:
    from setlist.core.files import remove_tree

    project.sessions("[tool.setlist.session.a]\ndeps = ['alpha']\nrun = ['python -c \"import alpha\"']\n")
    project.run("a", check=True)
    environment = project.environment("a")
    if damage == "file":
        remove_tree(environment)
        environment.write_text("a file")
    elif damage == "half":
        remove_tree(next(environment.glob("lib*/**/site-packages")))
    elif damage == "corrupt state":
        (environment / "state").write_text('{"format": 1, "trunc')
    else:
        project.python("a").unlink()
    result = project.run("a", check=True)
    assert "repaired" in result.err or "synced" in result.err or "recreated" in result.err, result
    assert "reused" in project.run("a", check=True).err


def test_a_directory_that_is_gone(project: ProjectFolder) -> None:
    import os
    import subprocess

    from support.project import installed

    if os.name == "nt":
        pytest.skip("a directory in use can't be removed there")
    gone = project.path / "gone"
    gone.mkdir()
    script = 'rmdir ../gone; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *installed("run"), "lint"], cwd=gone, capture_output=True, text=True
    )
    assert done.returncode == 2, done
    assert "no longer exists" in done.stderr
    assert "Traceback" not in done.stderr
