"""Words of other tools for keys and placeholders: the error names ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from setlist.core.errors import ConfigurationError
from setlist.registry.foreign_words import COMMAND_WORDS, PLACEHOLDER_WORDS, PROJECT_WORDS, SESSION_WORDS, meant
from setlist.registry.keys import COMMAND_KEYS, KEYS, PROJECT_KEYS
from setlist.registry.substitution import RUN_TIME, check_template
from support.project import ProjectFolder


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (SESSION_WORDS, {*KEYS, *COMMAND_KEYS}),
        (COMMAND_WORDS, COMMAND_KEYS),
        (PROJECT_WORDS, PROJECT_KEYS),
        (PLACEHOLDER_WORDS, RUN_TIME),
    ],
)
def test_a_foreign_word_is_none_of_ours_and_means_one_or_has_a_hint(
    words: Mapping[str, str], ours: Collection[str]
) -> None:
    assert not set(words) & (set(ours) - {"cmd"})
    assert [value for value in words.values() if value not in ours and " " not in value] == []


def test_any_spelling_is_found() -> None:
    for spelling in ("allowlist_externals", "allowlist-externals", "Allowlist_Externals"):
        assert meant(spelling, SESSION_WORDS, KEYS) == ("external", None)
    assert meant("nothing", SESSION_WORDS, KEYS) == (None, None)


def error_of(project: ProjectFolder, file: str, text: str) -> list[str]:
    project.write(file, text)
    result = project.run_inside("--list")
    assert result.code == 2
    return result.err.splitlines()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("commands = ['pytest']", "did you mean 'run'?"),
        ("cmd = 'pytest'", "did you mean 'run'?"),
        ("script = 'pytest'", "did you mean 'run'?"),
        ("depends = ['a']", "did you mean 'requires'?"),
        ("depends_on = ['a']", "did you mean 'requires'?"),
        ("dependencies = ['pytest']", "did you mean 'deps'?"),
        ("envlist = ['py311']", "each environment is a session, or a value of an axis: 'python', or one of 'matrix'"),
        ("setenv = { A = '1' }", "did you mean 'env'?"),
        ("set_env = { A = '1' }", "did you mean 'env'?"),
        ("passenv = ['A']", "did you mean 'inherit-env'?"),
        ("allowlist_externals = ['git']", "did you mean 'external'?"),
        ("basepython = '3.11'", "did you mean 'python'?"),
        (
            "skip_install = true",
            "the project is installed only where the key 'project' asks for it: leave it out",
        ),
        ("venv_backend = 'none'", "did you mean 'backend'?"),
        ("reuse_venv = true", "environments are always reused, and brought up to date: leave it out"),
        ("usedevelop = true", 'write project = "editable"'),
        ("changedir = 'docs'", "did you mean 'cwd'?"),
        ("commands_pre = ['a']", "the commands are one list: write these first in 'run'"),
        ("help = 'it lints'", "did you mean 'description'?"),
        ("ok-codes = [1]", 'it is a key of a command: run = [{ cmd = "…", ok-codes = … }]'),
        ("success_codes = [1]", 'it is a key of a command: run = [{ cmd = "…", ok-codes = … }]'),
        ("install = 'editable'", "write project = \"editable\" for the project, and 'deps' for requirements"),
        ("with = ['pytest']", "did you mean 'deps'?"),
        ("shell = true", 'it is a key of a command: run = [{ cmd = "…", shell = … }]'),
    ],
)
def test_a_key_of_a_session(project: ProjectFolder, key: str, hint: str) -> None:
    name = key.partition(" ")[0]
    assert error_of(project, "pyproject.toml", f"[tool.setlist.session.x]\n{key}\n") == [
        f"error: pyproject.toml:2: tool.setlist.session.x.{name}: there is no key '{name}'",
        f"hint: {hint}",
    ]


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("dependencies=['pytest']", "did you mean 'deps'?"),
        ("passenv=['A']", "did you mean 'inherit_env'?"),
        ("commands=['pytest']", "call s.run(…) in the function"),
        ("venv_backend='none'", "did you mean 'backend'?"),
        ("reuse_venv=True", "environments are always reused, and brought up to date: leave it out"),
    ],
)
def test_an_argument_of_the_decorator(project: ProjectFolder, argument: str, hint: str) -> None:
    name = argument.partition("=")[0]
    text = f"from setlist import session\n\n@session({argument})\ndef x(s): ...\n"
    message, told = error_of(project, "sessions/x.py", text)
    assert message == f"error: sessions/x.py:3: {name}: there is no key '{name}'"
    assert told == f"hint: {hint}"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[tool.setlist]\nenvlist = ['a']\n", "did you mean 'default'?"),
        ("[tool.setlist.testenv]\ndeps = ['a']\n", "did you mean 'defaults'?"),
        ("[tool.setlist.tasks]\nlint = 'ruff'\n", "did you mean 'session'?"),
        ("[tool.setlist.lint]\nrun = 'ruff'\n", "a session is [tool.setlist.session.lint]"),
        ("[tool.setlist]\nskip_missing_interpreters = true\n", "a missing interpreter skips the session"),
        ("[tool.setlist.session.x]\nrun = [{ command = 'a' }]\n", "did you mean 'cmd'?"),
        ("[tool.setlist.session.x]\nrun = [{ cmd = 'a', ignore_errors = true }]\n", "did you mean 'allow-failure'?"),
        ("[tool.setlist.session.x]\nrun = [{ cmd = 'a', external = true }]\n", "it is a key of the session"),
        ("[tool.setlist.session.x]\nrun = [{ shell = 'a | b' }]\n", 'write { cmd = "…", shell = true }'),
        ("[tool.setlist.session.x]\nrun = [{ ref = 'lint' }]\n", "in its 'requires'"),
        ("[tool.setlist.session.x]\nproject = true\n", "did you mean 'editable'?"),
        ("[tool.setlist.session.x]\nproject = 'skip'\n", "leave the key out"),
        ("[tool.setlist.session.x]\npython = 'py310,py311'\n", 'write a list: ["py310", "py311"]'),
        ("[tool.setlist.session.x]\npython = 'py{310,311}'\n", 'write a list: ["py310", "py311"]'),
        ("[tool.setlist.session.x]\npython = ['3.10 3.11', '3.12']\n", 'write a list: ["3.10", "3.11"]'),
        ("[tool.setlist.session.'py{310,311}']\nrun = []\n", 'python = ["…", "…"]'),
        ("[tool.setlist.default]\npython = '3.11'\n", "values for all sessions are in [tool.setlist.defaults]"),
        ("[tool.setlist.session.x]\nrequires = ['pytest>=8']\n", "what is installed is named in deps"),
    ],
)
def test_a_key_of_the_project_or_of_a_command(project: ProjectFolder, text: str, hint: str) -> None:
    message, told = error_of(project, "pyproject.toml", text)
    assert message.startswith("error: pyproject.toml:")
    assert hint in told


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{toxinidir}/docs", "did you mean {project}?"),
        ("{tox_root}/docs", "did you mean {project}?"),
        ("{envname}", "did you mean {session}?"),
        ("{args:tests}", "did you mean {posargs}?"),
        ("{env_tmp_dir}", "did you mean {tmp}?"),
        ("{envpython}", "write python"),
        ("a{/}b", "write / itself"),
        ("{[testenv]commands}", "in [defaults]"),
    ],
)
def test_a_placeholder(template: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_template(template, ())
    assert hint in (caught.value.hint or "")
