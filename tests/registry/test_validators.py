"""The type checks of a definition's keys, and the table of keys."""

from __future__ import annotations

import ast
import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from setlist.core.model import Command, EnvironmentSpec, SessionSpec, Settings
from setlist.core.records import field_names
from setlist.registry import decorator
from setlist.registry.keys import COMMAND_KEYS, KEYS, PROJECT_KEYS, check_keys
from setlist.registry.validators import ValidationError, grace


def test_every_key_of_the_table_has_a_type_and_a_meaning() -> None:
    assert all(
        key.meaning and key.type.text for key in (*KEYS.values(), *COMMAND_KEYS.values(), *PROJECT_KEYS.values())
    )


RECORDS = {"settings": Settings, "session": SessionSpec, "environment": EnvironmentSpec, "command": Command}


def test_every_key_has_a_field_of_the_model() -> None:
    for part, record in RECORDS.items():
        keys = (*KEYS.values(), *COMMAND_KEYS.values(), *PROJECT_KEYS.values())
        fields = {key.field for key in keys if key.part == part}
        assert fields <= set(field_names(record))
    # all others are internal
    of_sessions = {key.field for key in KEYS.values() if key.part == "session"}
    assert set(field_names(SessionSpec)) - of_sessions == {
        *("name", "family", "origin", "environment", "function"),
        *("provider", "aliases", "problem", "provided", "installs_itself", "takes_all_posargs", "plain_exit"),
    }
    assert {key.field for key in KEYS.values() if key.part == "environment"} == set(field_names(EnvironmentSpec)) - {
        "maker"
    }


def test_the_arguments_of_the_decorator_are_the_keys() -> None:
    tree = ast.parse(Path(decorator.__file__).read_text(encoding="utf-8"))
    (keys,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "SessionKeys"]
    arguments = {
        node.target.id: ast.unparse(node.annotation)
        for node in keys.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    expected = {key.python_name: key.type.python for key in KEYS.values() if key.name != "run"}
    assert arguments == {"name": "str", **expected}


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("description", "Style", 1),
        ("python", ["3.12"], 3.12),
        ("matrix", {"django": ["3.2"], "exclude": [{"django": "3.2"}]}, {"django": "3.2"}),
        ("deps", ["six"], "six"),
        ("project", "wheel", "Wheel"),
        ("run", ["pytest", ["ls", "-l"], {"cmd": "ls", "shell": True, "ok-codes": [0, 1]}], [{"env": {}}]),
        ("run", "pytest", {"cmd": "ls"}),
        ("env", {"A": "1"}, {"A": 1}),
        ("inherit-env", ["CI*"], "CI"),
        ("extends", "test", {}),
        ("timeout", "10m", 0),
        ("retries", 2, -1),
        ("resources", {"gpu": 1}, {"gpu": 0}),
        ("jobserver", True, "yes"),
    ],
)
def test_the_schema_of_a_key_says_what_its_check_does(key: str, right: object, wrong: object) -> None:
    check_keys({key: right})
    jsonschema.validate(right, KEYS[key].type.schema, jsonschema.Draft7Validator)
    with pytest.raises(ValidationError):
        check_keys({key: wrong})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, KEYS[key].type.schema, jsonschema.Draft7Validator)


def test_python_names_have_underscores() -> None:
    assert KEYS["allow-failure"].python_name == "allow_failure"
    assert check_keys({"allow_failure": True}, python=True) == {"allow-failure": True}


@pytest.mark.parametrize(
    ("key", "value", "plain"),
    [
        ("python", "3.12", "3.12"),
        ("python", ["3.12"], ["3.12"]),
        ("python", ("3.12", "3.13"), ["3.12", "3.13"]),
        ("deps", (), []),
        ("extends", "a", ["a"]),
        ("extends", ["a", "b"], ["a", "b"]),
        ("inherit-env", False, False),
        ("inherit-env", ["CI*"], ["CI*"]),
        ("timeout", 90, 90.0),
        ("timeout", 0.5, 0.5),
        ("timeout", "90s", 90.0),
        ("timeout", "10m", 600.0),
        ("timeout", "1h30m", 5400.0),
        ("timeout", "1.5", 1.5),
        ("retries", 0, 0),
        ("env", {"A": ""}, {"A": ""}),
        ("exclude-newer", "2025-06-30", "2025-06-30"),
        ("exclude-newer", "2025-06-30T12:00:00Z", "2025-06-30T12:00:00Z"),
        ("exclude-newer", "7 days", "7 days"),
        ("exclude-newer", "P7D", "P7D"),
        ("exclude-newer", datetime.date(2025, 6, 30), "2025-06-30"),
        ("run", "ruff check .", [{"cmd": ["ruff", "check", "."]}]),
        ("run", ["a b", ["c", "d e"]], [{"cmd": ["a", "b"]}, {"cmd": ["c", "d e"]}]),
        ("run", [{"cmd": "a b | c", "shell": True}], [{"shell": True, "cmd": ["a b | c"]}]),
        (
            "run",
            [{"cmd": "a", "ok-codes": [0, 5], "env": {"B": "c"}, "cwd": "d", "allow-failure": True, "stdout": "o"}],
            [{"cmd": ["a"], "ok-codes": [0, 5], "env": {"B": "c"}, "cwd": "d", "allow-failure": True, "stdout": "o"}],
        ),
        ("run", [{"cmd": ["a"], "ok-codes": 5, "shell": False}], [{"cmd": ["a"], "ok-codes": [5], "shell": False}]),
        ("run", [], []),
        (
            "matrix",
            {"django": ["3.2"], "exclude": [{"django": "3.2"}], "include": []},
            {"axes": {"django": ["3.2"]}, "include": [], "exclude": [{"django": "3.2"}]},
        ),
        ("project", "wheel", "wheel"),
    ],
)
def test_a_right_value_is_brought_into_plain_form(key: str, value: object, plain: object) -> None:
    checked: dict[str, Any] = dict(check_keys({key: value}))
    assert checked == {key: plain}
    assert type(checked[key]) is type(plain)


@pytest.mark.parametrize(
    ("key", "value", "path", "message", "hint"),
    [
        ("dep", [], "dep", "there is no key 'dep'", "did you mean 'deps'?"),
        ("allow_failure", True, "allow_failure", "there is no key 'allow_failure'", "did you mean 'allow-failure'?"),
        ("commands", [], "commands", "there is no key 'commands'", "did you mean 'run'?"),
        ("zzzzz", 1, "zzzzz", "there is no key 'zzzzz'", "there are description, python"),
        ("description", 3, "description", "must be a string, not a number", 'quote it: "3"'),
        ("description", True, "description", "must be a string, not true", None),
        ("python", 3.1, "python", "not a number: 3.1", "the number 3.10 is 3.1"),
        ("python", [3.1], "python", "holds a number: 3.1", "the number 3.10 is 3.1"),
        ("python", [], "python", "an axis without values", "name at least one"),
        ("python", "", "python", "must not be empty", "leave the key out"),
        ("python", ["3.9", "3.9"], "python", "holds '3.9' twice", None),
        ("python", {}, "python", "must be a string or a list of strings, not a table", None),
        ("python", [None], "python", "holds None", None),
        ("deps", "pytest", "deps", "must be a list of strings, not a string", '["pytest"]'),
        ("deps", 3, "deps", "must be a list of strings, not a number", None),
        ("deps", [3], "deps", "holds a number: 3", 'quote it: "3"'),
        ("deps", [["a"]], "deps", "holds a list: ['a']", None),
        ("deps", [" "], "deps", "holds an empty string", "leave it out"),
        ("tags", {}, "tags", "must be a list of strings, not a table", None),
        ("project", "edittable", "project", "must be", "did you mean 'editable'?"),
        ("project", True, "project", 'must be "editable", "wheel" or "sdist", not true', "did you mean 'editable'?"),
        ("default", "yes", "default", "must be true or false, not a string", None),
        ("inherit-env", "CI", "inherit-env", "must be true, false, or a list of names", '["CI"]'),
        ("inherit-env", 1, "inherit-env", "must be true, false, or a list of names, not a number", None),
        ("retries", -1, "retries", "must be a whole number, 0 or more, not -1", None),
        ("retries", True, "retries", "must be a whole number, 0 or more, not true", None),
        ("timeout", 0, "timeout", "must be more than 0 seconds, not 0", None),
        ("timeout", float("nan"), "timeout", "must be more than 0 seconds", None),
        ("timeout", "soon", "timeout", "'soon' is no length of time", '"90s"'),
        ("timeout", "", "timeout", "'' is no length of time", '"90s"'),
        ("timeout", [], "timeout", "must be a number of seconds, not a list", "write seconds"),
        ("timeout", True, "timeout", "must be a number of seconds, not true", "write seconds"),
        ("env", {"A": 1}, "env.A", "must be a string, not a number", 'quote it: "1"'),
        ("env", {"A=B": "1"}, "env", "'A=B' can't be the name of an environment variable", None),
        ("env", {1: "1"}, "env", "must have strings as keys, not a number: 1", None),
        ("env", ["A"], "env", "must be a table, not a list", None),
        ("exclude-newer", "yesterday", "exclude-newer", "is no date and no span of time", '"7 days"'),
        ("exclude-newer", datetime.time(1), "exclude-newer", "must be a string, not a time", None),
        ("matrix", {"python": ["3.9"]}, "matrix.python", "an axis can't be named 'python'", "the key 'python'"),
        ("matrix", {"session": ["a"]}, "matrix.session", "an axis can't be named 'session'", "another name"),
        ("matrix", {"a b": ["a"]}, "matrix.a b", "an axis can't be named 'a b'", "letters, digits"),
        ("matrix", {"db": [5]}, "matrix.db", "holds a number: 5", "quote it"),
        ("matrix", {"db": "x"}, "matrix.db", "must be a list of strings, not a string", '["x"]'),
        ("matrix", {"include": {}}, "matrix.include", "must be a list of tables, not a table", "as a list"),
        ("matrix", {"exclude": [{}]}, "matrix.exclude", "holds an empty table", "name at least one axis"),
        ("matrix", {"exclude": [{"db": 1}]}, "matrix.exclude.db", "must be a string, not a number", 'quote it: "1"'),
        ("run", 3, "run", "must be a list of commands, or one string, not a number", None),
        ("run", {"cmd": "a"}, "run", "must be a list of commands, or one string, not a table", "into a list"),
        ("run", [3], "run", "holds a command that is a number", "a command is a string"),
        ("run", [["a", 3]], "run", "holds a command with a number among its words: 3", 'quote it: "3"'),
        ("run", [["a", None]], "run", "holds a command with None among its words", None),
        ("run", [""], "run", "holds an empty command", "leave it out"),
        ("run", [[]], "run", "holds an empty command", "leave it out"),
        ("run", ["echo 'a"], "run", "has a quote without its partner", "quote as in a shell"),
        ("run", [{"env": {}}], "run", "holds a command without cmd", "cmd ="),
        ("run", [{"cmd": "a", "ok_codes": [1]}], "run", "no key of a command 'ok_codes'", "did you mean 'ok-codes'?"),
        ("run", [{"cmd": ["a"], "shell": True}], "run", "with shell = true must be a string, not a list", "the line"),
        ("run", [{"cmd": "a", "ok-codes": ["1"]}], "run", "ok-codes of a command must be a list of exit codes", None),
        ("run", [{"cmd": "a", "ok-codes": []}], "run", "must name at least one exit code", "0 is ok"),
        ("run", [{"cmd": "a", "env": {"B": 1}}], "run", "env.B of a command must be a string", 'quote it: "1"'),
    ],
)
def test_a_wrong_value_is_refused(key: str, value: object, path: str, message: str, hint: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        check_keys({key: value})
    assert ".".join(caught.value.path) == path
    assert message in caught.value.message
    assert caught.value.hint is None if hint is None else hint in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["run", "description", "extends"])
def test_what_belongs_to_one_session_is_refused_in_defaults(key: str) -> None:
    with pytest.raises(ValidationError, match="belongs to one session, not to all"):
        check_keys({key: "a"}, defaults=True)


def test_hints_for_python_have_underscores() -> None:
    with pytest.raises(ValidationError) as caught:
        check_keys({"allow_failures": True}, python=True)
    assert caught.value.hint == "did you mean 'allow_failure'?"


def test_no_grace_at_all_is_fine() -> None:
    assert grace(0) == 0.0
    assert grace("2s") == 2.0
    with pytest.raises(ValidationError):
        grace(-1)
