"""Completion: what is proposed where, how it is quoted for each shell, and what pressing Tab doesn't do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist import STATE_DIRECTORY
from setlist.cli import run
from setlist.cli.completion import Answer, Table, complete, quoted_for_bash, render, split_bash
from setlist.cli.completion_table import make_table, positional_arguments
from setlist.cli.options import VERBS, Option
from setlist.cli.verbs import env, export, load_verb
from setlist.cli.verbs.completion import SCRIPTS
from setlist.environment.activation import ShellKind
from setlist.lock.export import ExportFormat
from setlist.reports.output_mode import MODES
from support.project import ProjectFolder

SESSIONS = """
    [tool.setlist.session.lint]
    description = "Style"
    tags = ["ci"]
    run = ["python -V"]

    [tool.setlist.session.test]
    python = ["3.11", "3.12"]
    run = ["python -V"]
"""


@pytest.fixture
def table(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> Table:
    project.sessions(SESSIONS)
    monkeypatch.chdir(project.path)
    return Table(make_table(("run", "")))


def words(line: str, table: Table) -> list[str]:
    """The candidates that begin with the last word."""
    *_, current = given = line.split(" ")
    return [word for word, _ in complete(given, table).candidates if word.startswith(current)]


NAMES = ["lint", "test-py311", "test-py312", "test", "@ci"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run ", NAMES),
        ("run lint ", NAMES[1:]),
        ("run -x ", NAMES),
        ("run -j 4 te", ["test-py311", "test-py312", "test"]),
        ("run -j ", ["auto"]),
        ("run --jobs=", ["--jobs=auto"]),
        ("run -xj", ["-xj"]),
        ("run --output ", list(MODES)),
        ("run -p ", ["3.11", "3.12"]),
        ("run --tag ", ["ci"]),
        ("run -k t", ["test-py311", "test-py312", "test"]),
        ("run --only", ["--only"]),
        ("/a/venv/bin/run --only", ["--only"]),
        ("run.exe --only", ["--only"]),
        ("setlist wh", ["why"]),
        ("setlist --v", ["--version"]),
        ("setlist why --j", ["--json"]),
        ("setlist run --only", ["--only"]),
        ("setlist run ", NAMES),
        ("setlist env ", NAMES[:3]),
        ("setlist env lint ", []),
        ("setlist env lint --p", ["--python"]),
        ("setlist ci ", ["matrix"]),
        ("setlist ci matrix ", NAMES),
        ("setlist completion ", list(SCRIPTS)),
        ("setlist schema ", []),
        ("setlist nothing ", []),
        ("nothing ", []),
    ],
)
def test_what_is_proposed(line: str, expected: list[str], table: Table) -> None:
    assert words(line, table) == expected


@pytest.mark.parametrize(
    ("line", "kind", "attached"),
    [
        ("run -- ", "files", ""),
        ("run lint -- -k te", "files", ""),
        ("setlist exec lint -- ", "files", ""),
        ("setlist exec lint ", "files", ""),
        ("setlist exec ", "words", ""),
        ("run -C ", "directories", ""),
        ("run --file=a", "files", "--file="),
        ("run -fa", "files", "-f"),
        ("run -- --file=", "files", ""),
        ("run --shard ", "words", ""),
    ],
)
def test_where_files_are_proposed(line: str, kind: str, attached: str, table: Table) -> None:
    found = complete(line.split(" "), table)
    assert (found.kind, found.attached) == (kind, attached)


@pytest.mark.parametrize("verb", list(VERBS))
def test_each_option_of_a_verb_is_proposed(verb: str, table: Table) -> None:
    options = run.OPTIONS if verb == "run" else load_verb(verb).OPTIONS
    assert words(f"setlist {verb} --", table) == [f"--{option.name}" for option in options]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "run"])
def test_a_usage_line_names_what_can_be_completed(verb: str) -> None:
    for argument in positional_arguments(load_verb(verb).USAGE):
        assert re.fullmatch(r"\[?SESSION…?\]?|[a-z|]+", argument)


def test_the_values_of_options_are_those_that_are_accepted() -> None:
    def values(options: Sequence[Option], name: str) -> tuple[str, ...]:
        return next(option.values for option in options if option.name == name)

    assert values(run.OPTIONS, "output") == MODES
    assert values(export.OPTIONS, "format") == get_args(ExportFormat)
    assert values(env.OPTIONS, "shell") == get_args(ShellKind)


def test_sessions_come_with_descriptions(table: Table) -> None:
    found = dict(complete(["run", ""], table).candidates)
    assert found == {"lint": "Style", "test-py311": "", "test-py312": "", "test": "2 sessions", "@ci": "tag"}


# What shells read

HOSTILE = [
    "a b",
    "$(rm x)",
    "`x`",
    "a;b",
    "it's",
    'a"b',
    "a\\b",
    "!x",
    "~",
    "#x",
    "a:b",
    "@x",
    "é",
    "*",
    "-x",
    "a&b|c>d",
]


# a bash on Windows may be that of WSL, which sees other variables
@pytest.mark.skipif(os.name != "posix", reason="Windows has no bash of its own")
@given(word=st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1)))
def test_bash_reads_a_quoted_word_as_it_was(word: str) -> None:
    quoted = quoted_for_bash(word, "")
    assert quoted is not None
    command = ["bash", "-c", f"printf %s {quoted}"]
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    if word.startswith("-"):
        command[2] = f"printf %s -- {quoted}"
        word = f"--{word}"
    assert subprocess.run(command, capture_output=True, check=True, env=environ, timeout=60).stdout.decode() == word
    assert split_bash(f"run {quoted}")[0] == ["run", word.removeprefix("--") if word.startswith("---") else word]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_inside_of_a_quote_only_harmless_words_are_proposed(quote: str) -> None:
    assert [word for word in HOSTILE if quoted_for_bash(word, quote)] == [
        "a b", "a;b", "~", "#x", "a:b", "@x", "é", "*", "-x", "a&b|c>d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words", "head", "quote"),
    [
        ("run a ", ["run", "a", ""], 0, ""),
        ("run a\\ b", ["run", "a b"], 0, ""),
        ("run 'a b' c", ["run", "a b", "c"], 0, ""),
        ("run 'a b", ["run", "a b"], 0, "'"),
        ('run "a\\"b\\c', ["run", 'a"b\\c'], 0, '"'),
        ("run --output=bo", ["run", "--output=bo"], 9, ""),
        ("run a:b'c", ["run", "a:bc"], 3, "'"),
        ("run @ci", ["run", "@ci"], 0, ""),
        ("run ''", ["run", ""], 0, ""),
        ("run a\\", ["run", "a"], 0, ""),
    ],
)
def test_a_line_is_split_as_bash_splits_it(line: str, words: list[str], head: int, quote: str) -> None:
    assert split_bash(line, "\"'@><=;|&(:") == (words, head, quote)


def test_powershell_gets_quoted_words() -> None:
    candidates = [(word, "about") for word in ("lint", "@ci", "it's", "$(x)", "a\u2019b", "--only", "")]
    assert list(render("powershell", Answer("words", candidates), "")) == [
        "words",
        "lint\tlint\tabout",
        "'@ci'\t@ci\tabout",
        "'it''s'\tit's\tabout",
        "'$(x)'\t$(x)\tabout",
        "'a\u2019\u2019b'\ta\u2019b\tabout",
        "--only\t--only\tabout",
        "''\t\tabout",
    ]


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_control_characters_reach_no_shell(shell: str) -> None:
    found = Answer("words", [("a\nb", ""), ("a\x1b[31m", ""), ("good", "one\ntwo\tthree\x1b")])
    first, *lines = render(shell, found, "")
    assert first == "words"
    assert len(lines) == 1
    assert lines[0].replace("\t", "").isprintable()


def test_the_script_for_powershell_registers_both_commands() -> None:
    script = SCRIPTS["powershell"]
    assert "Register-ArgumentCompleter -Native -CommandName run, setlist" in script
    assert "setlist completion powershell -- @words $current" in script
    for opened, closed in ("()", "{}", "[]"):
        assert script.count(opened) == script.count(closed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_has_no_mistake_in_its_syntax(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} isn't installed: .ci/run installs it, others need not have every shell")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell], encoding="utf-8")
    assert subprocess.run([shell, "-n", str(script)], capture_output=True, timeout=60, check=False).stderr == b""


def test_the_verb_prints_a_script_and_knows_its_shells(project: ProjectFolder) -> None:
    for shell in SCRIPTS:
        assert project.setlist_inside("completion", shell, check=True).out == SCRIPTS[shell].lstrip()
    assert project.setlist_inside("completion", "pwsh", check=True).out == SCRIPTS["powershell"].lstrip()
    assert "did you mean 'zsh'?" in project.setlist_inside("completion", "zhs").err
    assert project.setlist_inside("completion").code == 2


# What pressing Tab doesn't do

CODE = """
    from pathlib import Path
    from setlist import session

    Path("executed").touch()

    @session
    def hello(s):
        "Say hello"
"""
NOXFILE = """
    import nox
    from pathlib import Path

    Path("executed").touch()

    @nox.session
    def hello(session):
        "Say hello"
"""


def candidates(project: ProjectFolder, *words: str, shell: str = "fish", cwd: Path | None = None) -> list[str]:
    result = project.setlist("completion", shell, "--", *words, cwd=cwd or project.path)
    assert result.err == ""
    return result.out.splitlines()[1:]


@pytest.mark.parametrize(("file", "text"), [("sessions/a.py", CODE), ("noxfile.py", NOXFILE)])
def test_code_of_the_project_is_not_executed(file: str, text: str, project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist.defaults]\ntags = ['x']\n")
    project.write(file, text)
    assert candidates(project, "run", "h") == []
    assert not (project.path / "executed").exists()
    project.run("--list", check=True)
    (project.path / "executed").unlink()
    assert "hello\tSay hello" in candidates(project, "run", "h")
    project.write(file, text.replace("hello", "goodbye"))
    # what is known from the last listing
    assert "hello\tSay hello" in candidates(project, "run", "h")
    assert not (project.path / "executed").exists()
    project.run("--list", check=True)
    assert "goodbye\tSay goodbye" in candidates(project, "run", "g")


def test_pressing_tab_makes_no_directory(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    assert "lint\tStyle" in candidates(project, "run", "")
    assert sorted(os.listdir(project.path)) == ["pyproject.toml"]


def test_a_mistake_is_silent(project: ProjectFolder, tmp_path: Path) -> None:
    project.sessions("[tool.setlist.session.lint]\nrun = 1\n")
    assert candidates(project, "run", "") == []
    assert "--only\tdon't run the sessions that they require" in candidates(project, "run", "--o")
    assert candidates(project, "run", "-C", "nowhere", "") == []
    assert candidates(project, "run", "-f", "nowhere.toml", "") == []
    empty = tmp_path / "empty"
    empty.mkdir()
    assert candidates(project, "run", "", cwd=empty) == []
    assert project.setlist("completion", "bash", "--").out == ""


def test_another_project_is_completed_with_its_sessions(project: ProjectFolder) -> None:
    project.write("inner/pyproject.toml", "[tool.setlist.session.deep]\nrun = 'x'\n")
    project.write("inner/other.toml", "[session.given]\nrun = 'x'\n")
    project.sessions(SESSIONS)
    project.run("--list", check=True)
    assert "lint\tStyle" in candidates(project, "run", "")
    assert candidates(project, "run", "-C", "inner", "") == ["deep\t"]
    assert candidates(project, "run", "--directory=inner", "") == ["deep\t"]
    assert candidates(project, "run", "-f", "inner/other.toml", "") == ["given\t"]
    assert candidates(project, "run", "-finner/other.toml", "") == ["given\t"]
    (project.path / "sub").mkdir()
    assert "lint\tStyle" in candidates(project, "run", "", cwd=project.path / "sub")


def test_what_is_kept_follows_the_definitions(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    project.run("--list", check=True)
    for _ in range(2):
        assert "lint\tStyle" in candidates(project, "run", "")
    assert (project.path / STATE_DIRECTORY / "store" / "completion").is_dir()
    project.sessions(SESSIONS.replace("lint", "style"))
    assert "style\tStyle" in candidates(project, "run", "")
    project.write("sessions/more.toml", "[session.more]\nrun = 'x'\n")
    assert "more\t" in candidates(project, "run", "")


DRIVER = """
import json, sys
before = set(sys.modules)
from setlist.cli import entry_point
sys.argv[:] = ["setlist", "completion", "bash", "--", "run te", ":"]
code = entry_point.setlist()
print(json.dumps([code, sorted(set(sys.modules) - before)]))
"""


def test_a_second_tab_imports_next_to_nothing(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    project.run("--list", check=True)
    assert "test" in candidates(project, "run te", ":", shell="bash")
    driven = subprocess.run(
        [sys.executable, "-c", DRIVER], capture_output=True, text=True, cwd=project.path, timeout=60, check=True
    )
    *shown, seen = driven.stdout.splitlines()
    assert shown == ["words", "test-py311", "test-py312", "test"]
    code, modules = json.loads(seen)
    assert code == 0
    assert {module for module in modules if module.startswith("setlist")} == {
        "setlist", "setlist.cli", "setlist.cli.completion", "setlist.cli.entry_point", "setlist.cli.fast_path",
        "setlist.core", "setlist.core.fingerprint", "setlist.engine", "setlist.engine.trace", "setlist.engine.world",
    }  # fmt: skip
    assert not {"typing", "re", "pathlib", "json", "dataclasses", "argparse"} & set(modules)
