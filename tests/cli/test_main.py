"""``setlist VERB``: which verb it is, and what is said when it is none."""

from __future__ import annotations

import pytest

from setlist.cli.options import VERBS
from setlist.cli.verbs import load_verb
from support.project import ProjectFolder

SESSIONS = """
    [tool.setlist.session.lint]
    backend = "none"
    run = ["true"]
    [tool.setlist.session.test]
    python = ["3.10", "3.11"]
"""


def test_help_lists_every_verb_with_a_line(project: ProjectFolder) -> None:
    result = project.setlist_inside("--help", check=True)
    for name, summary in VERBS.items():
        assert f"  {name:<{max(map(len, VERBS))}}  {summary}" in result.out


def test_nothing_at_all_shows_the_help_and_is_a_usage_error(project: ProjectFolder) -> None:
    result = project.setlist_inside()
    assert result.code == 2
    assert "usage: setlist VERB" in result.out


def test_the_version_is_shown(project: ProjectFolder) -> None:
    from setlist import __version__

    assert project.setlist_inside("--version", check=True).out == f"setlist {__version__}\n"
    assert project.run_inside("--version", check=True).out == f"setlist {__version__}\n"


@pytest.mark.parametrize("verb", [name for name in VERBS if name != "run"])
def test_every_verb_explains_itself_without_a_project(project: ProjectFolder, verb: str) -> None:
    result = project.setlist_inside(verb, "--help", check=True)
    assert result.out.startswith(f"usage: setlist {verb}")
    assert load_verb(verb).USAGE.split()[0] == verb
    assert "--help" in result.out


def test_run_explains_itself(project: ProjectFolder) -> None:
    for result in (project.run_inside("-h", check=True), project.setlist_inside("run", "--help", check=True)):
        assert result.out.startswith("usage: run [OPTIONS] [SESSION…] [-- POSARGS…]")


def test_help_takes_a_verb(project: ProjectFolder) -> None:
    expected = project.setlist_inside("lock", "--help", check=True).out
    assert project.setlist_inside("help", "lock", check=True).out == expected
    assert project.setlist_inside("--help", "lock", check=True).out == expected
    assert project.setlist_inside("help", "run", check=True).out == project.run_inside("--help", check=True).out
    assert project.setlist_inside("help", "--help", check=True).out.startswith("usage: setlist VERB")
    assert "unknown verb 'zzz'" in project.setlist_inside("help", "zzz").err


def test_the_version_has_a_short_option(project: ProjectFolder) -> None:
    expected = project.setlist_inside("--version", check=True).out
    assert project.setlist_inside("-V", check=True).out == project.run_inside("-V", check=True).out == expected


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("lst", "unknown verb 'lst'", "did you mean 'setlist list'?"),
        ("lint", "unknown verb 'lint'", "it is a session: write 'run lint'"),
        ("test", "unknown verb 'test'", "it is a session: write 'run test'"),
        ("zzz", "unknown verb 'zzz'", "'setlist --help' lists the verbs"),
        ("-C", "unknown option '-C'", "options come after the verb; 'setlist --help' lists the verbs"),
        ("--zzz", "unknown option '--zzz'", "'setlist --help' lists the verbs"),
        ("-l", "unknown option '-l'", "it is an option of 'run': run -l"),
        ("-s", "unknown option '-s'", "sessions are named without an option: run NAME"),
        ("--parallel", "unknown option '--parallel'", "write -j auto; 'run --help' lists the options"),
        ("ls", "unknown verb 'ls'", "write 'setlist list', or 'setlist list --json'"),
        ("devenv", "unknown verb 'devenv'", "write 'setlist shell SESSION', or 'setlist env SESSION --activate'"),
        ("version", "unknown verb 'version'", "write 'setlist --version'"),
    ],
)
def test_an_unknown_word_is_told_what_it_may_have_been(
    project: ProjectFolder, word: str, message: str, hint: str
) -> None:
    project.sessions(SESSIONS)
    result = project.setlist_inside(word)
    assert (result.code, result.err) == (2, f"error: {message}\nhint: {hint}\n")


def test_an_unknown_word_is_told_even_where_definitions_are_broken(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist")
    result = project.setlist_inside("zzz")
    assert "unknown verb 'zzz'" in result.err


def test_a_verb_refuses_an_option_that_it_lacks(project: ProjectFolder) -> None:
    result = project.setlist_inside("list", "--jsn")
    assert result.code == 2
    assert result.err == (
        "error: unknown option '--jsn'\nhint: did you mean '--json'? 'setlist list --help' lists the options\n"
    )
