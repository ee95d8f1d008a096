"""``setlist list``: the table and the documented JSON."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from setlist.cli.context import Context
from setlist.cli.listing import print_columns
from setlist.core.project import Caller
from setlist.reports.terminal import Terminal
from support.project import ProjectFolder

SESSIONS = """
    [tool.setlist]
    default = ["web"]
    [tool.setlist.session.web]
    description = "Two Djangos"
    python = ["3.9", "3.10"]
    matrix = { django = ["3.2", "4.0"] }
    deps = ["django=={django}.*"]
    tags = ["ci", "slow"]
    run = ["python -m django --version", { cmd = "a | b", shell = true, ok-codes = [0, 1] }]
    env = { A = "1" }
    [tool.setlist.session.plain]
    backend = "none"
    run = "true"
"""


def test_the_table_is_plain_and_aligned_in_a_pipe(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    result = project.setlist_inside("list", check=True)
    assert result.out == (
        "   session             python  environment  tags     description\n"
        "*  web-py39-django32   3.9     –            ci slow  Two Djangos\n"
        "*  web-py39-django40   3.9     –            ci slow  Two Djangos\n"
        "*  web-py310-django32  3.10    –            ci slow  Two Djangos\n"
        "*  web-py310-django40  3.10    –            ci slow  Two Djangos\n"
        "   plain                       none\n"
    )
    assert result.err == ""


def test_selectors_narrow_the_table(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    out = project.setlist_inside("list", "plain", "*-django40", check=True).out
    assert len(out.splitlines()) == 4
    assert project.setlist_inside("list", "nope").code == 2


def test_the_json_has_every_key_of_a_definition(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    data = project.setlist_inside("list", "--json", check=True).json
    assert data["format"] == 1
    assert data["root"] == str(project.path)
    assert [session["name"] for session in data["sessions"]][-1] == "plain"
    web: dict[str, Any] = data["sessions"][0]
    keys = """description python matrix deps groups extras requirements constraints project run env inherit-env cwd
        requires tags default timeout retries allow-failure exclusive interactive resolution exclude-newer index-url
        installer backend inputs outputs external"""
    assert set(keys.split()) <= set(web)
    assert web["family"] == "web"
    assert web["file"] == "pyproject.toml"
    assert web["python"] == "3.9"
    assert web["deps"] == ["django==3.2.*"]
    assert web["matrix"]["django"] == "3.2"
    assert web["default"] is True
    assert web["ready"] is False
    assert web["env"] == {"A": "1"}
    assert web["run"][1]["cmd"] == "a | b"
    assert web["run"][1]["shell"] is True
    assert web["run"][1]["ok-codes"] == [0, 1]
    assert web["run"][0]["cmd"] == ["python", "-m", "django", "--version"]
    assert data["sessions"][-1]["default"] is False


def test_a_made_environment_is_ready(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions('[tool.setlist.session.lint]\ndeps = ["beta"]\nrun = []\n')
    project.run_inside(check=True)
    assert "ready" in project.setlist_inside("list", check=True).out
    assert project.setlist_inside("list", "--json", check=True).json["sessions"][0]["ready"] is True


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_as_wide_as_it_is(tmp_path: Path) -> None:
    for color in (True, False):
        out = Tty()
        context = Context(Terminal(out, color=color), Terminal(io.StringIO()), Caller({}, tmp_path, False))
        print_columns(context, ("", "session", "x", "description"), [("*", "lint", "", "words " * 40)])
        text = out.getvalue()
        assert "lint" in text
        assert len(text.splitlines()) > 3
        assert ("\x1b[" in text) is color


NASTY = "a\\u001b[31mred\\u0007\\n::error::x \\u202e ##vso[task.x] | `b` <c>"


@pytest.fixture
def nasty(project: ProjectFolder) -> ProjectFolder:
    project.sessions(f"""
        [tool.setlist.session.s]
        backend = "none"
        description = "{NASTY}"
        env = {{ A = "{NASTY}" }}
        tags = ["::error::x ##vso[y] \\u202e"]
        run = ["python -c 'import sys; sys.exit(1)' \\u001b]0;title\\u0007"]
    """)
    return project


def is_safe(text: str) -> bool:
    harmless = all(character.isprintable() or character == "\n" for character in text)
    return harmless and not any(line.lstrip().startswith("::error") or "##vso[" in line for line in text.splitlines())


@pytest.mark.parametrize(
    "argv",
    [
        ["list"],
        ["list", "--json"],
        ["run", "-n", "--", "\x1b[2J\n::error::x"],
        ["run", "s"],
        ["run", "-v", "s", "--", "\x1b[2J\n::error::x"],
        ["run", "--output", "group", "s"],
        ["run", "--output", "stream", "s"],
        ["run", "--nonsense\x1b[2J\n::error::x"],
        ["run", "no\x1b[2J\n::error::such"],
        ["why", "s"],
        ["history"],
        ["last", "s"],
        ["doctor"],
        ["export", "s", "--format", "\x1b[2J\n::error::x"],
    ],
    ids=lambda argv: " ".join(argv[:3]),
)
def test_nothing_that_a_definition_or_a_command_line_says_is_obeyed(nasty: ProjectFolder, argv: list[str]) -> None:
    nasty.run_inside("--output", "group", "s", "--", "\x1b[2J\n::error::x")
    # a record of a listing is shown as it was
    for _ in range(2):
        result = nasty.setlist_inside(*argv)
        assert is_safe(result.out)
        assert is_safe(result.err)


def test_json_says_what_was_written(nasty: ProjectFolder) -> None:
    written = json.loads(f'"{NASTY}"')
    assert nasty.setlist_inside("list", "--json", check=True).json["sessions"][0]["description"] == written


@pytest.mark.parametrize(
    "text",
    [
        '[tool.setlist.session.s]\n"ke\\u001b[31my\\n::error::x" = 1\n',
        '[tool.setlist.session."s\\u001b[31m\\n::error::x"]\n',
        '[tool.setlist.session.s]\nenv = { "A\\u001b[31m\\n::error::x" = 1 }\n',
        '[tool.setlist.session.s]\nrun = ["{a\\u001b[31m\\n::error::x}"]\n',
    ],
)
def test_an_unknown_key_is_shown_and_not_obeyed(project: ProjectFolder, text: str) -> None:
    project.sessions(text)
    result = project.run_inside("--list")
    assert result.code == 2
    assert is_safe(result.err)


def test_the_json_says_where_sessions_are_defined(project: ProjectFolder) -> None:
    project.sessions(SESSIONS)
    project.write("sessions/more.toml", "# more\n[session.more]\n")
    found = project.setlist_inside("list", "--json", check=True).json["sessions"]
    places = {(one["family"], one["file"], one["line"]) for one in found}
    assert places == {("web", "pyproject.toml", 3), ("plain", "pyproject.toml", 11), ("more", "sessions/more.toml", 2)}


def test_a_shard_is_listed_by_what_it_runs(project: ProjectFolder) -> None:
    names = [f"s{number}" for number in range(9)]
    project.sessions("".join(f"[tool.setlist.session.{name}]\nbackend = 'none'\nrun = []\n" for name in names))
    shards = []
    for number in (1, 2, 3):
        words = ["--shard", f"{number}/3"]
        listed = set(re.findall(r"\bs\d\b", project.run_inside("--list", *words, check=True).out))
        planned = set(re.findall(r"^s\d\b", project.run_inside("-n", *words, check=True).out, re.MULTILINE))
        assert listed == planned
        shards.append(listed)
    assert set.union(*shards) == set(names)
    assert sum(map(len, shards)) == 9
    assert project.run_inside("--list", "--shard", "4/3").code == 2


def test_what_failed_is_listed_as_it_would_be_run(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.defaults]
        backend = "none"
        [tool.setlist.session.good]
        run = "python -c pass"
        [tool.setlist.session.bad]
        run = "python -c 'raise SystemExit(1)'"
    """)
    project.run_inside()
    out = project.run_inside("--list", "--failed", check=True).out
    assert "bad" in out
    assert "good" not in out
