"""Sessions that are functions: the decorator, and the files they lie in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import setlist
from setlist import session
from setlist.core.errors import ConfigurationError
from setlist.core.model import FunctionReference, Registry
from setlist.core.project import Project
from setlist.registry.decorator import collecting, declarations_of
from setlist.registry.functions import load_function
from setlist.registry.load import load_registry


def load(root: Path, **files: str | bytes) -> Registry:
    (root / "sessions").mkdir(exist_ok=True)
    for name, source in files.items():
        data = source if isinstance(source, bytes) else ("from setlist import session\n" + source).encode()
        (root / "sessions" / f"{name}.py").write_bytes(data)
    return load_registry(Project(root))


def refused(root: Path, **files: str | bytes) -> ConfigurationError:
    before = list(sys.path)
    with pytest.raises(ConfigurationError) as caught:
        load(root, **files)
    assert sys.path == before
    return caught.value


def test_a_decorated_function_stays_a_function_and_carries_its_declaration() -> None:
    @session
    def unit_tests(s: object) -> object:
        """Run the tests.

        At length.
        """
        return s

    assert unit_tests(3) == 3
    (declaration,) = declarations_of(unit_tests)
    assert declaration.name == "unit-tests"
    assert declaration.keys == {"description": "Run the tests."}
    assert declaration.function is unit_tests
    assert declaration.file == __file__
    assert declarations_of(len) == ()


def test_nothing_outlives_the_collecting_of_declarations() -> None:
    with collecting() as outer:
        with collecting() as inner:
            session("a")(lambda s: s)
        session("b")(lambda s: s)
    session("c")(lambda s: s)
    assert [declaration.name for declaration in inner] == ["a"]
    assert [declaration.name for declaration in outer] == ["b"]


def test_a_function_may_be_several_sessions() -> None:
    @session("second", tags=["x"])
    @session(name="first", description="given")
    def function(s: object) -> None:
        """Not this."""

    first, second = declarations_of(function)
    assert (first.name, first.keys["description"]) == ("first", "given")
    assert (second.name, second.keys["tags"]) == ("second", ["x"])


def test_keywords_are_the_keys_of_toml_with_underscores(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        a="""
@session(
    python=["3.11", "3.12"], groups=("test",), project="editable", allow_failure=True, timeout="1m",
    env={"A": "{tmp}"}, exclude_newer="7 days", tags=["ci"],
)
def test(s):
    "Run the tests on {python}."
""",
    )
    test = registry.sessions["test-py311"]
    assert list(registry.sessions) == ["test-py311", "test-py312"]
    assert test.environment.groups == ("test",)
    assert (test.environment.project, test.environment.exclude_newer) == ("editable", "7 days")
    assert (test.allow_failure, test.timeout, test.tags) == (True, 60.0, ("ci",))
    assert test.description == "Run the tests on 3.11."
    assert test.function == FunctionReference("sessions/a.py", "test")
    assert str(test.origin) == "sessions/a.py:3"


def test_sessions_that_are_made_in_a_loop_keep_their_own_functions(tmp_path: Path) -> None:
    registry = load(tmp_path, a="for n in (1, 2):\n    @session(f'job-{n}')\n    def job(s, n=n):\n        return n\n")
    reference = registry.sessions["job-1"].function
    assert reference is not None
    assert load_function(Project(tmp_path), reference)(None) == 1


def test_a_function_is_loaded_with_its_neighbours_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    files = {
        "a": "import neighbour_of_a\n@session\ndef a(s):\n    import late_neighbour\n"
        "    return neighbour_of_a.VALUE, late_neighbour.VALUE\n",
        "b": "@session\ndef b(s): ...\n",
        "neighbour_of_a": "VALUE = 5\n",
        "late_neighbour": "VALUE = 6\n",
        "_not_a_source": "raise Exception\n",
    }
    registry = load(tmp_path, **files)
    assert list(registry.sessions) == ["a", "b"]
    assert "neighbour_of_a" not in sys.modules
    (tmp_path / "sessions" / "b.py").write_text("raise SystemExit\n")
    reference = registry.sessions["a"].function
    assert reference is not None
    try:
        assert load_function(Project(tmp_path), reference)(None) == (5, 6)
    finally:
        sys.modules.pop("neighbour_of_a", None)
        sys.modules.pop("late_neighbour", None)


def test_a_neighbour_does_not_stand_in_for_the_standard_library(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        json="@session\ndef wrong(s): ...\n",
        user="import wave, json\n@session(tags=[json.__name__ + '.' + json.dumps(1)])\ndef right(s): ...\n",
        wave="@session\ndef wave(s): ...\n",
    )
    assert registry.sessions["right"].tags == ("json.1",)


def test_every_project_gets_its_own_neighbours(tmp_path: Path) -> None:
    for value in ("one", "two"):
        (tmp_path / value).mkdir()
        registry = load(
            tmp_path / value,
            shared=f"TAG = '{value}'\n",
            a="import shared\n@session(tags=[shared.TAG])\ndef a(s): ...\n",
        )
        assert registry.sessions["a"].tags == (value,)


def test_a_dataclass_can_be_defined_in_a_session_file(tmp_path: Path) -> None:
    load(
        tmp_path,
        a=b"from __future__ import annotations\nfrom dataclasses import dataclass\n"
        b"from setlist import session\n@dataclass\nclass A:\n    x: int = 1\n@session\ndef a(s): ...\n",
    )


def test_what_a_file_prints_goes_through(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, a="print('hello')\n@session\ndef a(s): ...\n")
    assert capfd.readouterr().out == "hello\n"


def test_no_bytecode_is_left_beside_a_session_file(tmp_path: Path) -> None:
    load(tmp_path, a="@session\ndef a(s): ...\n")
    assert [path.name for path in (tmp_path / "sessions").iterdir()] == ["a.py"]


def test_a_function_that_is_gone(tmp_path: Path) -> None:
    load(tmp_path, a="@session\ndef a(s): ...\n")
    with pytest.raises(ConfigurationError, match="declares no session 'b' any more") as caught:
        load_function(Project(tmp_path), FunctionReference("sessions/a.py", "b"))
    assert caught.value.file == "sessions/a.py"


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sessions/a.py: can't be read: No such file"):
        load_function(Project(tmp_path), FunctionReference("sessions/a.py", "a"))


@pytest.mark.parametrize(
    ("source", "line", "message", "detail", "hint"),
    [
        (
            "\ndef f():\n    raise ValueError('boom {x}')\nf()\n",
            4,
            "the session file raises when it is imported",
            "ValueError: boom {x}",
            None,
        ),
        ("import json\njson.loads('[')\n", 3, "the session file raises", "JSONDecodeError: Expecting value", None),
        ("raise KeyboardError\n", 2, "the session file raises", "NameError: name 'KeyboardError'", None),
        ("raise AssertionError\n", 2, "the session file raises", "AssertionError", None),
        ("import no_such_module\n", 2, "the session file raises", "ModuleNotFoundError", "goes into its deps"),
        ("import helper_broken\n", 1, "this is not Python: ", "x = = 1", None),
        ("import helper_raises\n", 1, "the session file raises", "RuntimeError: from the helper", None),
        ("import ast\nast.parse('x = = 1')\n", 3, "the session file raises", "SyntaxError", None),
        ("import sys\nsys.exit(3)\n", 3, "ends the program when it is imported: sys.exit(3)", None, "only declares"),
        ("raise SystemExit\n", 2, "ends the program when it is imported: sys.exit()", None, "only declares"),
        ("def f(:\n", 2, "this is not Python: ", "def f(:", None),
        ("x = 'é\n", 2, "this is not Python: ", "x = 'é", None),
        ("x = '\0'\n", None, "", "null bytes", None),
        ("@session(dep=[])\ndef a(s): ...\n", 2, "dep: there is no key 'dep'", None, "did you mean 'deps'?"),
        ("\n@session(\n  deps='x'\n)\ndef a(s): ...\n", 3, "deps: must be a list of strings", None, '["x"]'),
        ("@session(env={'A': 1})\ndef a(s): ...\n", 2, "env.A: must be a string, not a number", None, 'quote it: "1"'),
        ("@session(run=['x'])\ndef a(s): ...\n", 2, "run: a session that is a function has no commands", None, "s.run"),
        ("@session(name=3)\ndef a(s): ...\n", 2, "name: must be a string, not a number", None, None),
        ("@session('a', name='b')\ndef a(s): ...\n", 2, "name: the name is given twice", None, None),
        ("session()(3)\n", 2, "@session stands before a function, not before a number", None, None),
        ("@session\nasync def a(s): ...\n", 2, "a is async", None, "asyncio.run()"),
        ("@session\ndef _a(s): ...\n", 2, "a session can't be named '-a'", None, "call it 'a'"),
        ("@session(deps=['a>>1'])\ndef a(s): ...\n", 2, "deps: 'a>>1' is no requirement", None, "pytest>=8"),
        ("@session(allow_failure=1)\ndef a(s): ...\n", 2, "allow_failure: must be true or false", None, None),
        (
            "from setlist import SetlistError\nraise SetlistError('own', hint='do this')\n",
            3,
            "the session file raises",
            "SetlistError: own",
            "do this",
        ),
        (
            "from setlist.core.errors import ConfigurationError\nraise ConfigurationError('own')\n",
            3,
            "the session file raises",
            "ConfigurationError: own",
            None,
        ),
    ],
)
def test_a_wrong_session_file_is_one_message(
    tmp_path: Path, source: str, line: int | None, message: str, detail: str | None, hint: str | None
) -> None:
    error = refused(
        tmp_path,
        a=source,
        helper_broken=b"x = = 1\n" if "helper_broken" in source else b"",
        helper_raises=b"raise RuntimeError('from the helper')\n" if "helper_raises" in source else b"",
    )
    named = next((name for name in ("helper_broken", "helper_raises") if name in source), "a")
    assert error.file == f"sessions/{named}.py"
    if line is not None:
        assert error.line == line
    assert message in error.message
    if line is not None:
        assert (detail or "") in (error.detail or "")
    else:
        assert detail is not None
        assert detail in error.message + str(error.detail)
    assert (hint or "") in (error.hint or "")
    assert "Traceback" not in f"{error}{error.detail}"


def test_source_that_is_not_utf8(tmp_path: Path) -> None:
    error = refused(tmp_path, a=b"import setlist; x = 'caf\xe9'\n")
    assert error.file == "sessions/a.py"
    assert "utf-8" in f"{error.message} {error.detail}"


def test_a_mistake_in_a_neighbour_that_decorates_is_told_there(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        a="import zfactory\n",
        zfactory="def f(s): ...\nsession(deps=3)(f)\n",
    )
    assert (error.file, error.line) == ("sessions/zfactory.py", 3)


def test_using_the_decorator_wrongly_outside_of_loading_names_the_file() -> None:
    with pytest.raises(ConfigurationError) as caught:
        session(deps=3)(lambda s: s)  # type: ignore[call-overload]
    assert caught.value.file == __file__
    assert caught.value.key == "deps"


def test_an_interrupt_while_a_file_is_imported_passes_through(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, a="raise KeyboardInterrupt\n")


def test_the_public_name_is_the_decorator() -> None:
    assert setlist.session is session
