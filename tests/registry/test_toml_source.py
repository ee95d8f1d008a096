"""Sessions from pyproject.toml and sessions/*.toml, and what is said of a wrong one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.model import Command, EnvironmentSpec, Registry
from setlist.core.project import Project
from setlist.registry.load import load_registry

Load = Callable[..., Registry]
Refused = Callable[..., ConfigurationError]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write files (``sessions__a_toml`` → sessions/a.toml) and load their registry."""

    def load(pyproject: str | bytes | None = None, /, file: str | None = None, **files: str | bytes) -> Registry:
        if pyproject is not None:
            files["pyproject_toml"] = pyproject
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_toml", ".toml").replace("_py", ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_registry(Project(tmp_path, None if file is None else tmp_path / file))

    return load


@pytest.fixture
def refused(load: Load) -> Refused:
    def refused(*args: str | bytes, **files: str) -> ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            load(*args, **files)
        return caught.value

    return refused


def test_a_session_with_every_kind_of_key(load: Load) -> None:
    registry = load(
        """
        [tool.setlist]
        default = ["lint"]
        interrupt-grace = 1
        terminate-grace = "2s"
        requires-setlist = ">=0.1"

        [tool.setlist.session.lint]
        description = "Style"
        python = "3.12"
        deps = ["ruff==0.12.*", "./local", "-e ./other", "x @ git+https://example.org/x", "git+https://example.org/y"]
        groups = ["lint"]
        extras = ["fast"]
        requirements = ["r.txt"]
        constraints = ["c.txt"]
        project = "wheel"
        run = ["ruff check {posargs:.}", ["echo", "a b"], { cmd = "x | y", shell = true, env = { A = "{tmp}" } }]
        env = { B = "{env:HOME:}" }
        inherit-env = ["CI"]
        cwd = "{tmp}/{session}"
        external = ["git"]
        tags = ["ci"]
        timeout = "10m"
        retries = 2
        allow-failure = true
        exclusive = true
        interactive = true
        resolution = "lowest"
        exclude-newer = 2025-06-30
        index-url = "https://example.org/simple"
        installer = "pip"
        inputs = ["src/**"]
        outputs = ["out"]
        """
    )
    assert registry.settings.default == ("lint",)
    assert registry.settings.interrupt_grace == 1.0
    assert registry.settings.terminate_grace == 2.0
    lint = registry.sessions["lint"]
    assert lint.environment == EnvironmentSpec(
        python="3.12",
        deps=("ruff==0.12.*", "./local", "-e ./other", "x @ git+https://example.org/x", "git+https://example.org/y"),
        groups=("lint",),
        extras=("fast",),
        requirements=("r.txt",),
        constraints=("c.txt",),
        project="wheel",
        resolution="lowest",
        exclude_newer="2025-06-30",
        index_url="https://example.org/simple",
        installer="pip",
    )
    assert lint.commands == (
        Command(words=("ruff", "check", "{posargs:.}")),
        Command(words=("echo", "a b")),
        Command(words=("x | y",), shell=True, env=(("A", "{tmp}"),)),
    )
    assert (lint.family, lint.axes, lint.description) == ("lint", (), "Style")
    assert (lint.env, lint.inherit_env, lint.cwd) == ((("B", "{env:HOME:}"),), ("CI",), "{tmp}/lint")
    assert (lint.external, lint.tags, lint.timeout, lint.retries) == (("git",), ("ci",), 600.0, 2)
    assert lint.allow_failure
    assert lint.exclusive
    assert lint.interactive
    assert (lint.inputs, lint.outputs) == (("src/**",), ("out",))
    assert lint.origin.file == "pyproject.toml"


def test_axes_are_substituted_in_what_is_known_before_the_run(load: Load) -> None:
    registry = load(
        sessions__web_toml="""
        [session.db]
        matrix = { db = ["pg"] }
        [session.web]
        description = "Django {django} on {python}, as {session}, {unknown}"
        python = ["3.9"]
        matrix = { django = ["3.2"], db = ["pg"] }
        deps = ["django=={django}.*"]
        groups = ["web-{django}"]
        extras = ["{db}"]
        requirements = ["{django}.txt"]
        constraints = ["c{python}.txt"]
        requires = ["db-db-{db}"]
        tags = ["{session}"]
        env = { DJANGO = "{django}" }
        """
    )
    web = registry.sessions["web-py39-django32-db-pg"]
    assert web.environment == EnvironmentSpec(
        python="3.9",
        deps=("django==3.2.*",),
        groups=("web-3.2",),
        extras=("pg",),
        requirements=("3.2.txt",),
        constraints=("c3.9.txt",),
    )
    assert web.description == "Django 3.2 on 3.9, as web-py39-django32-db-pg, {unknown}"
    assert web.requires == ("db-db-pg",)
    assert web.tags == ("web-py39-django32-db-pg",)
    assert web.env == (("DJANGO", "{django}"),)
    assert web.axes == (("python", "3.9"), ("django", "3.2"), ("db", "pg"))


def test_sessions_keep_the_order_of_sources_and_files(load: Load) -> None:
    registry = load(
        "[tool.setlist.session.z]\n[tool.setlist.session.a]\n",
        sessions__n_toml="[session.n]",
        sessions__m_toml="[session.m]",
        sessions__k_py="from setlist import session\n@session\ndef k(s): ...\n",
        sessions___hidden_toml="not toml",
    )
    assert list(registry.sessions) == ["z", "a", "m", "n", "k"]


def test_defaults_of_the_project_are_for_all_and_those_of_a_file_for_its_own(load: Load) -> None:
    registry = load(
        """
        [tool.setlist.defaults]
        python = "3.12"
        tags = ["all"]
        env = { A = "1", B = "1" }
        [tool.setlist.session.one]
        """,
        sessions__a_toml="""
        defaults = { tags = ["file"], env = { B = "2", C = "2" } }
        [session.two]
        env = { C = "3" }
        """,
        sessions__b_py="from setlist import session\n@session(tags=['own'])\ndef three(s): ...\n",
    )
    one, two, three = (registry.sessions[name] for name in ("one", "two", "three"))
    assert {session.environment.python for session in (one, two, three)} == {"3.12"}
    assert (one.tags, two.tags, three.tags) == (("all",), ("file",), ("own",))
    assert dict(one.env) == {"A": "1", "B": "1"}
    assert dict(two.env) == {"A": "1", "B": "2", "C": "3"}


def test_the_default_lists_of_all_files_are_joined(load: Load) -> None:
    registry = load("[tool.setlist]\ndefault = ['a']\n[tool.setlist.session.a]", sessions__b_toml="default = ['b']")
    assert registry.settings.default == ("a", "b")
    assert load("[tool.setlist.session.a]", sessions__b_toml="").settings.default is None


@pytest.mark.parametrize("pyproject", [None, "", "[project]\nname = 'x'\n", "[tool.other]\n"])
def test_a_project_without_definitions_has_no_sessions(load: Load, tmp_path: Path, pyproject: str | None) -> None:
    assert load(pyproject).sessions == {}
    assert not (tmp_path / ".setlist").exists()


def test_a_given_file_stands_in_for_all_others(load: Load) -> None:
    files = {
        "sessions__b_toml": "[session.b]",
        "other_toml": "interrupt-grace = 1\n[session.o]",
        "fn_py": "from setlist import session\n@session\ndef f(s): ...\n",
    }
    pyproject = "[tool.setlist.session.a]"
    assert list(load(pyproject, **files).sessions) == ["a", "b"]
    assert list(load(pyproject, **files, file="other.toml").sessions) == ["o"]
    assert list(load(pyproject, **files, file="pyproject.toml").sessions) == ["a"]
    assert list(load(pyproject, **files, file="fn.py").sessions) == ["f"]


def test_a_byte_order_mark_is_no_mistake(load: Load) -> None:
    assert list(load(b"\xef\xbb\xbf[tool.setlist.session.a]").sessions) == ["a"]


def test_toml_that_does_not_parse(refused: Refused) -> None:
    error = refused("[tool.setlist]\n\ndefault = [a]\n")
    assert (error.file, error.line) == ("pyproject.toml", 3)
    assert error.message == "this is not TOML: invalid value, column 12"
    assert error.detail == "default = [a]"


def test_toml_that_ends_too_early(refused: Refused) -> None:
    error = refused("[tool.setlist]\ndefault = [\n\n")
    assert (error.file, error.line) == ("pyproject.toml", 2)
    assert "this is not TOML: " in error.message
    assert error.message.endswith("at the end of the file")


def test_a_table_that_is_declared_twice(refused: Refused) -> None:
    error = refused(sessions__a_toml="[session.lint]\nrun = []\n[session.lint]\n")
    assert (error.file, error.line) == ("sessions/a.toml", 3)
    assert "cannot declare" in error.message


def test_a_file_that_is_not_utf8(refused: Refused) -> None:
    error = refused("[tool.setlist]\n# \xe9\n".encode("latin-1"))
    assert (error.file, error.line) == ("pyproject.toml", 2)
    assert error.message == "it isn't UTF-8: there is a byte 0xe9"
    assert "save the file in that encoding" in (error.hint or "")


def test_a_file_that_is_nested_too_deeply(refused: Refused) -> None:
    error = refused("x = " + "[" * 100_000)
    assert error.file == "pyproject.toml"
    assert "nested" in error.message


def test_a_file_that_cannot_be_read(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may read everything, so the disk has to refuse
    opened = os.open

    def failing(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == "pyproject.toml":
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode)

    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(os, "open", failing)
    error = refused()
    assert str(error) == "pyproject.toml: can't be read: Permission denied"


CASES = [
    (
        "[tool.setlist.session.lint]\n\nrun = []\ndep = []\n",
        4,
        "tool.setlist.session.lint.dep: there is no key 'dep'",
        "did you mean 'deps'?",
    ),
    (
        "[tool.setlist.session.lint]\nallow_failure = true\n",
        2,
        "tool.setlist.session.lint.allow_failure: there is no key 'allow_failure'",
        "did you mean 'allow-failure'?",
    ),
    (
        "[tool.setlist.session.lint]\ncommands = []\n",
        2,
        "tool.setlist.session.lint.commands: there is no key 'commands'",
        "did you mean 'run'?",
    ),
    (
        "[tool.setlist.session.lint]\ndeps = 'pytest'\n",
        2,
        "tool.setlist.session.lint.deps: must be a list of strings, not a string",
        '["pytest"]',
    ),
    (
        "[tool.setlist.session.test]\npython = 3.10\n",
        2,
        "tool.setlist.session.test.python: must be a string or a list of strings, not a number: 3.1",
        "the number 3.10 is 3.1",
    ),
    (
        "[tool.setlist.session.test.matrix]\na = ['1']\nb = [4.2]\n",
        3,
        "tool.setlist.session.test.matrix.b: holds a number: 4.2",
        "quote it",
    ),
    (
        "[tool.setlist.session.test]\nmatrix.a = ['1']\n[[tool.setlist.session.test.matrix.exclude]]\na = '2'\n",
        3,
        'tool.setlist.session.test.matrix.exclude: { a = "2" } matches no combination',
        "a has the values 1",
    ),
    (
        "[tool.setlist.session.test]\nenv.A = 'x'\nenv.B = 1\n",
        3,
        "tool.setlist.session.test.env.B: must be a string, not a number",
        'quote it: "1"',
    ),
    ("[tool.setlist.sessions.a]\n", 1, "tool.setlist.sessions: there is no key 'sessions'", "did you mean 'session'?"),
    (
        "[tool.setlist]\ndeps = []\n",
        2,
        "tool.setlist.deps: there is no key 'deps' here",
        "into [tool.setlist.session.NAME], or into [tool.setlist.defaults]",
    ),
    ("[tool]\nsetlist = 3\n", 2, "tool.setlist: must be a table, not a number", None),
    ("tool = 3\n", 1, "tool: must be a table, not a number", None),
    ("[tool.setlist]\nsession = []\n", 2, "tool.setlist.session: must be a table, not a list", "session.NAME]"),
    (
        "[tool.setlist.session]\nlint = 'ruff'\n",
        2,
        "tool.setlist.session.lint: must be a table, not a string",
        "write [tool.setlist.session.lint]",
    ),
    ("[tool.setlist]\ndefaults = 1\n", 2, "tool.setlist.defaults: must be a table, not a number", None),
    (
        "[tool.setlist.defaults]\ntags = []\nrun = []\n",
        3,
        "tool.setlist.defaults.run: belongs to one session, not to all",
        "the session's own table",
    ),
    ("[tool.setlist]\ndefault = 'lint'\n", 2, "tool.setlist.default: must be a list of strings", '["lint"]'),
    ("[tool.setlist]\ninterrupt-grace = -1\n", 2, "tool.setlist.interrupt-grace: must be more than 0", None),
    (
        "[tool.setlist]\nrequires-setlist = '>=99'\n",
        2,
        "tool.setlist.requires-setlist: this project needs setlist >=99, and this is setlist",
        "pip install 'setlist>=99'",
    ),
    (
        "[tool.setlist]\nrequires-setlist = 'new'\n",
        2,
        "tool.setlist.requires-setlist: 'new' is no version specifier",
        ">=0.1",
    ),
    (
        "[tool.setlist.session.a]\n[tool.setlist.session.'a b']\n",
        2,
        "tool.setlist.session.\"a b\": a session can't be named 'a b': it holds a space",
        "call it 'a-b'",
    ),
    (
        "[tool.setlist.session.a]\ndeps = [\n  'x',\n  'pytest=>8',\n]\n",
        2,
        "tool.setlist.session.a.deps: 'pytest=>8' is no requirement",
        "'pytest>=8'",
    ),
    (
        "[tool.setlist.session.a]\ndeps = ['-r requirements.txt']\n",
        2,
        "tool.setlist.session.a.deps: '-r requirements.txt' is an option, not a requirement",
        "'requirements'",
    ),
    (
        "[tool.setlist.session.a]\ndeps = ['libs/thing']\n",
        2,
        "tool.setlist.session.a.deps: 'libs/thing' is no requirement",
        "'./libs/thing'",
    ),
    (
        "[tool.setlist.session.a]\ndeps = ['django=={djano}']\nmatrix.django = ['1']\n",
        2,
        "tool.setlist.session.a.deps: {djano} is no placeholder here",
        "{django}",
    ),
    (
        "[tool.setlist.session.a]\nrun = ['pytest {posarg}']\n",
        2,
        "tool.setlist.session.a.run: {posarg} is no placeholder here",
        "did you mean {posargs}?",
    ),
    (
        "[tool.setlist.session.a]\nrun = ['pytest {posargs']\n",
        2,
        "tool.setlist.session.a.run: a { without its }",
        "{{",
    ),
    (
        "[tool.setlist.session.a]\nenv = { A = '{nope}' }\n",
        2,
        "tool.setlist.session.a.env: {nope} is no placeholder here",
        None,
    ),
    (
        "[tool.setlist.session.a]\nbackend = 'none'\ngroups = ['test']\n",
        3,
        'tool.setlist.session.a.groups: nothing can be installed with backend = "none"',
        "leave groups out, or the backend of 'a'",
    ),
    (
        "[tool.setlist.session.a]\nmatrix.db = ['!']\n",
        2,
        "tool.setlist.session.a.matrix.db: no name can be made from '!'",
        "letters or digits",
    ),
    (
        f"[tool.setlist.session.a]\nmatrix.db = ['{'x' * 120}']\n",
        1,
        "tool.setlist.session.a: a session can't be named",
        "shorten the values of the axes",
    ),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), CASES, ids=[case[2][:50] for case in CASES])
def test_a_wrong_definition_is_told_with_its_line_and_key(
    refused: Refused, text: str, line: int, message: str, hint: str | None
) -> None:
    error = refused(text)
    assert (error.file, error.line) == ("pyproject.toml", line)
    assert error.message.startswith(message)
    assert error.where == f"pyproject.toml:{line}"
    if hint is not None:
        assert hint in (error.hint or "")


def test_keys_of_a_sessions_file_have_no_prefix(refused: Refused) -> None:
    error = refused(sessions__a_toml="\n[session.a]\nzeps = 1\n")
    assert (str(error), error.hint) == (
        "sessions/a.toml:3: session.a.zeps: there is no key 'zeps'",
        "did you mean 'deps'?",
    )


def test_a_prefix_in_a_sessions_file_is_pointed_out(refused: Refused) -> None:
    error = refused(sessions__a_toml="[tool.setlist.session.a]\n")
    assert (error.line, error.key) == (1, "tool")
    assert error.hint == "this file needs no prefix: write [session.NAME] for [tool.setlist.session.NAME]"


def test_settings_of_the_project_are_refused_in_a_sessions_file(refused: Refused) -> None:
    error = refused(sessions__a_toml="interrupt-grace = 1\n")
    assert (error.line, error.key) == (1, "interrupt-grace")
    assert error.hint == "move it to [tool.setlist] in pyproject.toml"
