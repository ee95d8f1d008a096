"""``env-file``: the variables of ``.env`` files reach the session's programs, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.project import ProjectFolder

SHOW = 'python -c \'import os; print(os.environ.get(\\"KEY\\"), os.environ.get(\\"MODE\\"))\''
SESSION = f"""
    [tool.setlist.session.show]
    backend = "none"
    env-file = [".env", "local.env"]
    run = ["{SHOW}"]
"""


def written(project: ProjectFolder, directory: str = "") -> list[str]:
    """The contents of all files of setlist's, or of those in one of its directories."""
    files = (path for path in (project.path / ".setlist/.tox" / directory).rglob("*") if path.is_file())
    return [path.read_text(encoding="utf-8", errors="replace") for path in files]


def visible(project: ProjectFolder, *argv: str, **env: str | None) -> str:
    """What the session's program sees. 'secrets' names nothing, so it isn't masked."""
    text = SESSION.replace("run =", 'secrets = ["NONE"]\n    run =')
    project.sessions(text)
    return project.run("show", *argv, check=True, env={"KEY": None, "MODE": None, **env}).out.strip()


def test_variables_reach_the_commands_and_later_files_win(project: ProjectFolder) -> None:
    project.write(".env", "# a comment\nexport KEY='one two'\nMODE=\"a\"\n")
    assert visible(project) == "one two a"
    project.write("local.env", "MODE=${KEY}-b\nOTHER\n")
    assert visible(project, KEY="c") == "c c-b"


def test_the_callers_variable_and_the_sessions_env_override_the_file(project: ProjectFolder) -> None:
    project.write(".env", "KEY=of-file\nMODE=of-file\n")
    assert visible(project, KEY="of-caller") == "of-caller of-file"
    project.sessions(SESSION.replace("run =", 'secrets = ["NONE"]\n    env = { MODE = "{env:KEY}-2" }\n    run ='))
    assert project.run("show", check=True, env={"KEY": None}).out.strip() == "of-file of-file-2"


def test_a_missing_file_is_told_and_no_error(project: ProjectFolder) -> None:
    project.write("local.env", "KEY=there\n")
    project.sessions(SESSION)
    result = project.run("show", check=True, env={"KEY": None})
    assert ".env doesn't exist: its variables aren't set" in result.err
    assert "local.env doesn't" not in result.err


def test_values_are_masked_and_written_nowhere(project: ProjectFolder) -> None:
    project.write(".env", "KEY=hunter2-hunter2\n")
    project.sessions(SESSION)
    result = project.run("show", "--report", "r.json", check=True, env={"KEY": None})
    assert "***" in result.out
    assert "hunter2" not in result.out + result.err + project.read("r.json")
    assert written(project)
    assert not any("hunter2" in text for text in written(project))


def test_each_run_reads_the_file_again(project: ProjectFolder) -> None:
    project.sessions(f"""
        [tool.setlist.session.show]
        env-file = ".env"
        secrets = ["NONE"]
        run = ["{SHOW}"]
    """)
    for value in ("hunter2-first", "hunter2-second"):
        project.write(".env", f"KEY={value}\n")
        for _ in range(2):
            assert project.run("show", check=True, env={"KEY": None}).out.split()[0] == value
    # the log holds what the program printed, the store only what setlist keeps
    assert not any("hunter2" in text for text in written(project, "store"))


def test_a_session_with_inputs_runs_again_when_a_value_changed(project: ProjectFolder) -> None:
    project.sessions(SESSION.replace("run =", 'inputs = ["pyproject.toml"]\n    run ='))
    project.write(".env", "KEY=hunter2-hunter2\n")

    def is_up_to_date() -> bool:
        return "up to date" in project.run("show", check=True, env={"KEY": None}).err

    assert not is_up_to_date()
    assert is_up_to_date()
    project.write(".env", "KEY=hunter3-hunter3\n")
    assert not is_up_to_date()
    assert not any("hunter" in text for text in written(project))


def test_a_function_and_exec_see_the_variables(project: ProjectFolder) -> None:
    project.write(".env", "KEY=hunter2-hunter2\n")
    project.write(
        "sessions/show.py",
        """
        from setlist import Session, session

        @session(backend="none", env_file=".env")
        def show(s: Session) -> None:
            s.log(f"it has {len(s.env['KEY'])} letters: {s.env['KEY']}")
        """,
    )
    result = project.run("show", check=True, env={"KEY": None})
    assert "it has 15 letters: ***" in result.err
    program = (sys.executable, "-c", "import os; print(os.environ['KEY'])")
    assert (
        project.setlist("exec", "show", "--", *program, check=True, env={"KEY": None}).out.strip() == "hunter2-hunter2"
    )


def test_a_line_that_cannot_be_read_is_named_and_its_value_is_not(project: ProjectFolder) -> None:
    project.write(".env", "MODE=a\nKEY='hunter2\n")
    project.sessions(SESSION)
    result = project.run("show")
    assert result.code == 1
    assert ".env:2: this line can't be read as NAME=value" in result.err
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(("content", "reason"), [(b"KEY=\xff\n", "isn't UTF-8"), (None, "it is a directory")])
def test_a_file_that_cannot_be_read_fails_the_session(
    project: ProjectFolder, content: bytes | None, reason: str
) -> None:
    path = Path(project.path, ".env")
    path.mkdir() if content is None else path.write_bytes(content)
    project.sessions(SESSION)
    result = project.run("show")
    assert result.code == 1
    assert ".env can't be read" in result.err
    assert reason in result.err
    assert "env-file" in result.err


def test_without_the_parser_the_extra_is_named(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    project.write(".env", "KEY=1\n")
    project.sessions(SESSION)
    result = project.run_inside("show")
    assert result.code == 1
    assert "pip install 'setlist[dotenv]'" in result.err
