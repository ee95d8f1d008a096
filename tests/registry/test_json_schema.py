"""The JSON schema of definitions says what ``run`` says."""

from __future__ import annotations

import ast
import datetime
import importlib.resources
import re
import string
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.registry.foreign_words import SESSION_WORDS
from setlist.registry.json_schema import FILES, Document, schema, schema_text
from setlist.registry.keys import COMMAND_KEYS, KEYS, PROJECT_KEYS, check_keys
from setlist.registry.load import load_registry
from setlist.registry.validators import RESERVED_AXES, ValidationError
from support.project import ProjectFolder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
OF_PYPROJECT = jsonschema.Draft7Validator(schema("pyproject"))
OF_SESSIONS = jsonschema.Draft7Validator(schema("sessions"))


def plain(value: Any) -> Any:
    """TOML as JSON, with dates as editors give them to a schema."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


def definitions_in(text: str) -> Any:
    """What lies below ``[tool.setlist]``; None if the text isn't TOML, or has no such table."""
    try:
        table = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return None
    return plain(table["setlist"]) if isinstance(table, dict) and "setlist" in table else None


def refused(folder: Path, text: str, file: str = "pyproject.toml") -> str:
    """Why ``run`` refuses a file; empty: it doesn't."""
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    try:
        load_registry(Project(folder))
    except ConfigurationError as error:
        return error.message
    finally:
        path.unlink()
    return ""


@pytest.mark.parametrize("document", list(FILES))
def test_the_schema_is_one_of_draft_7_and_the_shipped_copy_is_current(document: Document) -> None:
    jsonschema.Draft7Validator.check_schema(schema(document))
    shipped = importlib.resources.files("setlist.registry") / FILES[document]
    assert shipped.read_text(encoding="utf-8") == schema_text(document), "run generate"


def test_every_key_is_described() -> None:
    session = schema("pyproject")["definitions"]["session"]["properties"]
    assert {name: key["description"] for name, key in session.items()} == {k.name: k.meaning for k in KEYS.values()}
    assert schema("pyproject")["properties"].keys() == PROJECT_KEYS.keys()
    assert schema("sessions")["properties"].keys() == {key.name for key in PROJECT_KEYS.values() if key.shared}


def test_the_verb_prints_the_schema(project: ProjectFolder) -> None:
    assert project.setlist("schema", check=True).out == schema_text("pyproject")
    assert project.setlist_inside("schema", "--sessions", check=True).out == schema_text("sessions")
    assert project.setlist_inside("schema", "lint").code == 2


def test_examples_of_the_manual_are_accepted() -> None:
    pages = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("examples/*/*.md")]
    blocks = [block for page in pages for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    files = [path.read_text("utf-8") for path in (ROOT / "pyproject.toml", *ROOT.glob("examples/*/pyproject.toml"))]
    found = [definitions for text in (*blocks, *files) if (definitions := definitions_in(text)) is not None]
    assert len(found) > 10
    for definitions in found:
        OF_PYPROJECT.validate(definitions)
    for block in blocks:
        if block.startswith(("[session.", "[defaults]")):
            OF_SESSIONS.validate(plain(tomllib.loads(block)))


def test_session_files_of_examples_are_accepted() -> None:
    for path in ROOT.glob("examples/*/sessions/*.toml"):
        OF_SESSIONS.validate(plain(tomllib.loads(path.read_text("utf-8"))))


def definitions_of_tests() -> Iterator[str]:
    """The string constants of the tests that define sessions."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "tool.setlist" in node.value:
                    yield textwrap.dedent(node.value)


def test_definitions_of_the_tests_are_accepted_unless_run_refuses_them(tmp_path: Path) -> None:
    found = {text: definitions for text in definitions_of_tests() if (definitions := definitions_in(text)) is not None}
    assert len(found) > 150
    accepted = 0
    for text, definitions in found.items():
        if not OF_PYPROJECT.is_valid(definitions):
            assert refused(tmp_path, text), text
        else:
            accepted += 1
    assert accepted > 150


# Each is the body of [tool.setlist.session.a], or a whole [tool.setlist] with its header
MISTAKES = [
    "command = ['x']", "commands = ['x']", "deps = 'six'", "deps = ['']", "deps = [1]", "run = 1", "run = ['']",
    "run = [[]]", "run = [['a', 1]]", "run = [{ env = {} }]", "run = [{ cmd = 'a', nope = 1 }]", "run = { cmd = 'a' }",
    "run = [{ cmd = ['a'], shell = true }]", "run = [{ cmd = '', shell = true }]",
    "run = [{ cmd = 'a', shell = 'yes' }]",
    "run = [{ cmd = 'a', ok-codes = [] }]", "run = [{ cmd = 'a', env = { A = 1 } }]", "python = 3.1",
    "python = ['3.12', '3.12']", "python = []", "python = ''", "python = '3.11, 3.12'", "python = ['py{310,311}']",
    "matrix = { django = '4' }", "matrix = { django = [] }",
    "matrix = { python = ['3.12'] }", "matrix = { '1a' = ['x'] }", "matrix = { a = ['x'], exclude = [{}] }",
    "matrix = { a = ['x'], include = { a = 'y' } }", "project = 'editabel'", "env = { A = 1 }", "env = { 'A=B' = 'x' }",
    "env = ['A']", "inherit-env = 'CI'", "timeout = 0", "timeout = '10x'", "timeout = '0s'", "timeout = true",
    "retries = -1", "retries = 'two'", "exclude-newer = 'soon'", "resources = { gpu = 0 }", "resources = 'gpu'",
    "backend = 'conda'", "installer = 'poetry'", "resolution = 'newest'", "link-mode = 'move'", "exclusive = 1",
    "description = 1", 'description = "a\\u0000"', "cwd = ' '", "tags = 'ci'", "secrets = [['A']]",
    "backend = 'none'\ndeps = ['six']", "backend = 'none'\nproject = 'wheel'", "extends = {}",
    "[tool.setlist]\nsessions = {}", "[tool.setlist]\nsession = []", "[tool.setlist]\nsession = { a = 'x' }",
    "[tool.setlist]\ndefaults = { run = ['x'] }", "[tool.setlist]\ndefaults = { nope = 1 }",
    "[tool.setlist]\nrun = 'x'",
    "[tool.setlist]\ndefault = 'a'",
    "[tool.setlist]\nlock-dir = '../locks'", "[tool.setlist]\nlock-dir = '/locks'",
    "[tool.setlist]\nlock-dir = 'a:b'", "[tool.setlist]\nlock-platforms = ['plan9']",
    "[tool.setlist]\nlock-format = 'x'",
    "[tool.setlist]\ninterrupt-grace = -1", "[tool.setlist]\nresources = { gpu = 0 }",
    "[tool.setlist]\nresources = ['a']",
    "[tool.setlist]\nsources = ['make']", "[tool.setlist]\nrequires-setlist = '0.1'",
    "[tool.setlist]\nrequire-hashes = 1",
    "[tool.setlist.session.'a b']\nrun = 'x'", "[tool.setlist.session.con]\nrun = 'x'",
    "[tool.setlist.session.'a..b']\nrun = 'x'", "[tool.setlist.session.'a.']\nrun = 'x'",
    "[tool.setlist.session.'-a']\nrun = 'x'",
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_run_refuses_is_one_by_the_schema(mistake: str, tmp_path: Path) -> None:
    text = mistake if mistake.startswith("[") else f"[tool.setlist.session.a]\n{mistake}\n"
    assert refused(tmp_path, text)
    assert not OF_PYPROJECT.is_valid(definitions_in(text))


@pytest.mark.parametrize("word", list(SESSION_WORDS))
def test_words_of_other_runners_are_no_keys(word: str) -> None:
    assert not OF_PYPROJECT.is_valid({"session": {"a": {word: "x"}}})


@pytest.mark.parametrize("key", [key.name for key in PROJECT_KEYS.values() if not key.shared])
def test_a_session_file_has_no_keys_of_the_project(key: str, tmp_path: Path) -> None:
    value = {"env-dir": "'x'", "lock-dir": "'x'", "lock-format": "'pylock'", "sources": "['sessions']"}.get(key, "true")
    text = f"{key} = {value}\n[session.a]\nrun = 'x'\n"
    assert "belongs to the project" in refused(tmp_path, text, "sessions/a.toml")
    assert not OF_SESSIONS.is_valid(plain(tomllib.loads(text)))


# The property: of one value, the check and the schema of a key say the same.
#
# Left out is what no schema can say: 1.0 is an integer to a schema, a number and not a whole one to TOML; nan is no
# JSON; the quotes and braces of a command; the greatest time in words.

CHARACTERS = st.sampled_from([*"aZ09 -_./\\:=,~@{}[]<>=!hmsdwPT+", "\t", "\n", "\x00", "\x1b", "\x85", "\u2028", "é"])
INTERESTING = st.sampled_from(
    [
        "", " ", "a", "3.12", "10m", "1h30m", "py310,py311", "90s", "0s", "0.5", "1.5s", "7 days", "2025-06-30",
        "2025-06-30T12:00:00Z", "2025-06-30 x",
        "P7D", "P", "PT1H", "..", "a/../b", "a..b", "/a", "~", "a\\..", ">=0.1", "0.1", "uv", "pip",
        "wheel", "none", "linux", "python", "include", "exclude", "posargs", "1a", "a b", "A=B", "=",
    ]
)  # fmt: skip
WORDS = st.one_of(INTERESTING, st.text(CHARACTERS, max_size=8), st.text(string.ascii_lowercase, max_size=3))
NUMBERS = st.one_of(
    st.integers(-2, 3),
    st.sampled_from([10**9, 10**9 + 1, -(10**9), -(10**9) - 1, 2**70]),
    st.floats(-2, 2, allow_nan=False).filter(lambda number: not number.is_integer()),
)
SCALARS = st.one_of(WORDS, NUMBERS, st.booleans())
TABLES = st.dictionaries(st.one_of(WORDS, st.sampled_from([*RESERVED_AXES, *COMMAND_KEYS])), SCALARS, max_size=3)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.lists(WORDS, max_size=3),
    st.lists(st.one_of(SCALARS, TABLES, st.lists(SCALARS, max_size=2)), max_size=3),
    TABLES,
    st.dictionaries(st.text("ab", min_size=1, max_size=2), st.lists(WORDS, max_size=3), max_size=2),
    st.fixed_dictionaries({}, optional={"a": st.lists(WORDS, max_size=2), "include": st.lists(TABLES, max_size=2)}),
)
COMMANDS = st.fixed_dictionaries(
    {},
    optional={
        "cmd": st.one_of(WORDS, st.lists(WORDS, max_size=2)),
        "shell": st.one_of(st.booleans(), WORDS),
        "env": TABLES,
        "cwd": SCALARS,
        "ok-codes": st.one_of(NUMBERS, st.lists(NUMBERS, max_size=2)),
        "allow-failure": SCALARS,
    },
)


def refusal_of(name: str, value: Any) -> str:
    """Why the check refuses a value; empty: it doesn't."""
    try:
        if name in KEYS:
            check_keys({name: value})
        else:
            PROJECT_KEYS[name].type.check(value)
    except ValidationError as error:
        return error.message
    return ""


def agrees(name: str, value: Any) -> None:
    key = KEYS.get(name) or PROJECT_KEYS[name]
    assert jsonschema.Draft7Validator(key.type.schema).is_valid(value) == (not refusal_of(name, value)), (name, value)


CHECKED = [
    *(name for name in KEYS if name != "run"),
    *(f"{name}" for name, key in PROJECT_KEYS.items() if name not in KEYS and key.part == "settings"),
]


@given(name=st.sampled_from(CHECKED), value=VALUES)
@example(name="matrix", value={"a": ["x"], "exclude": [{"a": "x"}]})
@example(name="env", value={"": "x"})
@example(name="exclude-newer", value="2025-06-30\n")
def test_a_value_is_right_by_the_schema_if_it_is_by_the_check(name: str, value: Any) -> None:
    agrees(name, value)


@given(run=st.one_of(VALUES, st.lists(COMMANDS, max_size=2)))
def test_commands_are_right_by_the_schema_if_they_are_by_the_check(run: Any) -> None:
    right = jsonschema.Draft7Validator(KEYS["run"].type.schema).is_valid(run)
    problem = refusal_of("run", run)
    # what is in a command line is for its reader: quotes, braces, a shell's characters
    of_line = problem.startswith(("the command ", "a { ", "a } ")) or any(one in str(run) for one in "\\'\"")
    assert right == (not problem) or (right and of_line), problem


@given(name=st.one_of(WORDS, st.sampled_from(["con", "COM1", "com1.x", "console", "a.b", "a+b", "a-", "é", "x" * 101])))
@example(name="nul.")
def test_a_name_is_right_by_the_schema_if_a_session_can_have_it(name: str) -> None:
    from setlist.registry.naming import check_name

    right = OF_PYPROJECT.is_valid({"session": {name: {"run": "x"}}})
    try:
        check_name(name)
    except ValidationError:
        assert not right
    else:
        assert right


def test_types_of_toml_are_those_of_json() -> None:
    right: Mapping[str, Any] = tomllib.loads("[session.a]\nrun = 'x'\nexclude-newer = 2025-06-30\ntimeout = 1.5\n")
    OF_SESSIONS.validate(plain(right))
