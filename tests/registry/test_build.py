"""From declarations to a registry: extends, collisions of names, requires."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.core.errors import ConfigurationError, RequiresCycle
from setlist.core.model import Registry
from setlist.core.project import Project
from setlist.registry.load import load_registry


def load(root: Path, text: str, **functions: str) -> Registry:
    (root / "pyproject.toml").write_text(text)
    for name, source in functions.items():
        (root / "sessions").mkdir(exist_ok=True)
        (root / "sessions" / f"{name}.py").write_text("from setlist import session\n" + source)
    return load_registry(Project(root))


def refused(root: Path, text: str, **functions: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(root, text, **functions)
    return caught.value


def test_a_session_extends_others_in_order_and_its_own_keys_come_last(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        """
        [tool.setlist.defaults]
        tags = ["default"]
        timeout = 5
        env = { A = "default", D = "default" }
        [tool.setlist.session.first]
        default = false
        deps = ["one"]
        tags = ["first"]
        env = { A = "first", B = "first" }
        [tool.setlist.session.second]
        extends = "first"
        deps = ["two"]
        run = "two"
        env = { B = "second" }
        [tool.setlist.session.third]
        extends = ["first", "second"]
        groups = ["three"]
        env = { C = "third" }
        """,
    )
    third = registry.sessions["third"]
    assert third.environment.deps == ("two",)
    assert third.environment.groups == ("three",)
    assert third.tags == ("first",)
    assert third.timeout == 5.0
    assert dict(third.env) == {"A": "first", "B": "second", "C": "third", "D": "default"}
    assert [command.words for command in third.commands] == [("two",)]
    assert not registry.sessions["first"].default
    assert third.default


def test_a_function_extends_a_table_but_runs_itself(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        "[tool.setlist.session.base]\nrun = 'x'\ndeps = ['one']\n",
        a="@session(extends='base')\ndef own(s): ...\n",
    )
    own = registry.sessions["own"]
    assert own.environment.deps == ("one",)
    assert own.commands == ()
    assert own.function is not None


def test_an_error_in_an_inherited_key_is_told_where_it_was_written(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        "[tool.setlist.session.a]\nextends = 'b'\n[tool.setlist.session.b]\nmatrix = { db = ['x'] }\n"
        "deps = ['{db}']\n[tool.setlist.session.c]\nextends='b'\nmatrix = {}\n",
    )
    assert (error.line, error.key) == (5, "tool.setlist.session.b.deps")


def test_extending_an_unknown_definition(tmp_path: Path) -> None:
    error = refused(tmp_path, "[tool.setlist.session.lint]\n[tool.setlist.session.a]\nextends = 'lnt'\n")
    assert (error.line, error.key) == (3, "tool.setlist.session.a.extends")
    assert "there is no definition 'lnt' to extend" in error.message
    assert error.hint == "did you mean 'lint'?"


def test_extending_in_a_circle(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        "[tool.setlist.session.a]\nextends = 'b'\n[tool.setlist.session.b]\nextends = 'c'\n"
        "[tool.setlist.session.c]\nextends = 'b'\n",
    )
    assert error.message.endswith("definitions extend each other in a circle: b → c → b")
    assert error.line == 6


def test_defaults_that_need_an_environment_are_dropped_without_one(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        "[tool.setlist.defaults]\ngroups = ['test']\nproject = 'editable'\n"
        "[tool.setlist.session.a]\nbackend = 'none'\ndeps = []\n[tool.setlist.session.b]\n",
    )
    assert registry.sessions["a"].environment.groups == ()
    assert registry.sessions["a"].environment.project is None
    assert registry.sessions["b"].environment.groups == ("test",)


def test_a_name_that_is_used_twice_across_files(tmp_path: Path) -> None:
    error = refused(tmp_path, "\n[tool.setlist.session.lint]\n", a="\n@session\ndef lint(s): ...\n")
    assert error.message == "two sessions are named 'lint' (the other: pyproject.toml:2)"
    assert (error.file, error.line, error.hint) == ("sessions/a.py", 3, "rename one of them")


def test_names_that_differ_only_in_case(tmp_path: Path) -> None:
    error = refused(tmp_path, "[tool.setlist.session.lint]\n[tool.setlist.session.Lint]\n")
    assert (error.file, error.line) == ("pyproject.toml", 2)
    assert "'lint' and 'Lint' are one directory where case is ignored (macOS, Windows)" in error.message
    assert "(the other: pyproject.toml:1)" in error.message


def test_variants_that_differ_only_in_case(tmp_path: Path) -> None:
    error = refused(tmp_path, "[tool.setlist.session.a]\nmatrix = { db = ['pg', 'PG'] }\n")
    assert "'a-db-pg' and 'a-db-PG' are one directory" in error.message


def test_variants_that_get_the_same_name(tmp_path: Path) -> None:
    error = refused(tmp_path, "[tool.setlist.session.a]\npython = ['3.1.2', '3.12']\n")
    assert 'two sessions are named \'a-py312\': { python = "3.1.2" } and { python = "3.12" }' in error.message
    assert "choose values that differ" in (error.hint or "")


def test_a_variant_that_is_named_as_another_definitions(tmp_path: Path) -> None:
    text = "[tool.setlist.session.a]\npython = ['3.12']\n[tool.setlist.session.{other}]\n{keys}"
    error = refused(tmp_path, text.format(other="a-py312", keys=""))
    assert "two sessions are named 'a-py312' (the other: pyproject.toml:1)" in error.message
    assert error.line == 3
    error = refused(tmp_path, text.format(other="A-py312", keys=""))
    assert "are one directory" in error.message
    error = refused(tmp_path, text.format(other="a-py312", keys="python = ['3.9']\n"))
    assert "the session 'a-py312' is named as the family 'a-py312' (the other: pyproject.toml:3)" in error.message


def test_requires_may_name_a_session_a_family_a_glob_and_the_same_axes(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        """
        [tool.setlist.session.build]
        python = ["3.9", "3.10"]
        [tool.setlist.session.test]
        matrix = { db = ["pg", "my"] }
        requires = ["prep-db-{db}"]
        [tool.setlist.session.prep]
        matrix = { db = ["pg", "my"] }
        [tool.setlist.session.all]
        requires = ["function", "build", "build-py39", "*"]
        """,
        a="@session(requires=['build-py3*'])\ndef function(s): ...\n",
    )
    required = {name: session.requires for name, session in registry.sessions.items()}
    assert required["test-db-my"] == ("prep-db-my",)
    assert required["function"] == ("build-py39", "build-py310")
    assert required["all"] == (
        "function",
        "build-py39",
        "build-py310",
        "test-db-pg",
        "test-db-my",
        "prep-db-pg",
        "prep-db-my",
    )


def test_requiring_what_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path, "[tool.setlist.session.lint]\n[tool.setlist.session.a]\n\nrequires = ['lnt']\n")
    assert (error.line, error.key) == (4, "tool.setlist.session.a.requires")
    assert "'a' requires 'lnt', and no session matches that" in error.message
    assert error.hint == "did you mean 'lint'?"


def test_requiring_in_a_circle(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        "[tool.setlist.session.z]\nrequires = ['a']\n[tool.setlist.session.a]\nrequires = ['b']\n"
        "[tool.setlist.session.b]\npython = ['3.9']\nrequires = ['a']\n",
    )
    assert isinstance(error, RequiresCycle)
    assert error.cycle == ("a", "b-py39", "a")
    assert (error.file, error.line) == ("pyproject.toml", 4)
    assert str(error) == ("pyproject.toml:4: requires: sessions require each other in a circle: a → b-py39 → a")


def test_requiring_oneself(tmp_path: Path) -> None:
    error = refused(tmp_path, "", a="\n@session(requires=['a'])\ndef a(s): ...\n")
    assert isinstance(error, RequiresCycle)
    assert error.cycle == ("a", "a")
    assert (error.file, error.line) == ("sessions/a.py", 3)


def test_a_chain_longer_than_pythons_stack(tmp_path: Path) -> None:
    chain = "\n".join(f"[tool.setlist.session.s{n}]\nrequires = ['s{n + 1}']" for n in range(1500))
    registry = load(tmp_path, chain + "\n[tool.setlist.session.s1500]\n")
    assert registry.sessions["s0"].requires == ("s1",)


def test_definitions_that_extend_each_other_many_times_over(tmp_path: Path) -> None:
    text = "[tool.setlist.session.s0]\ndeps = ['x']\n"
    text += "\n".join(f"[tool.setlist.session.s{n}]\nextends = ['s{n - 1}', 's{n - 1}']" for n in range(1, 90))
    assert load(tmp_path, text).sessions["s89"].environment.deps == ("x",)
