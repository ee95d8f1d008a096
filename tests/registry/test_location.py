"""The line of a key in a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.registry.definition import Place, Problem
from setlist.registry.location import dotted, line_of, located

TEXT = '''\
# comment
[project]
name = "x"

[tool.setlist]
default = [
    "lint",

    "test",
]

# about lint
[tool.setlist.session.lint]
description = """
not = "a key"
[nor.a.table]
"""
run = ["a"]
env = { A = "1", B = "2" }
env-file.x = 3
[tool.setlist.session."a b"]
deps = [] # end
[[tool.list]]
k = 1'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("project",), 2),
        (("project", "name"), 3),
        (("tool",), 5),
        (("tool", "setlist", "default"), 6),
        (("tool", "setlist", "session", "lint"), 13),
        (("tool", "setlist", "session", "lint", "description"), 14),
        (("tool", "setlist", "session", "lint", "run"), 18),
        (("tool", "setlist", "session", "lint", "env", "B"), 19),
        (("tool", "setlist", "session", "lint", "env-file", "x"), 20),
        (("tool", "setlist", "session", "a b"), 21),
        (("tool", "setlist", "session", "a b", "deps"), 22),
        (("tool", "list"), 23),
        (("tool", "setlist", "session", "lint", "nope", "x"), 13),
        (("nope",), None),
        ((), None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_is_that_on_which_the_keys_statement_begins(
    path: tuple[str, ...], line: int | None, newline: str
) -> None:
    assert line_of(TEXT.replace("\n", newline), path) == line


def test_a_text_that_is_not_toml_has_no_lines() -> None:
    assert line_of("a = 1\nb = [", ("a",)) is None


@given(st.lists(st.sampled_from(["", "# x", "long = [\n 1,\n\n 2 ]", '"""', "  "]), max_size=5), st.integers(0, 5))
def test_blank_lines_comments_and_arrays_before_a_key_are_counted(before: list[str], cut: int) -> None:
    lines = [line.replace("long", f"long{index}") for index, line in enumerate(before) if line != '"""']
    text = "\n".join([*lines, "wanted = 1", *(f"after{index} = {index}" for index in range(cut))])
    assert line_of(text, ("wanted",)) == text.split("\n").index("wanted = 1") + 1


def test_a_file_that_is_gone_by_now_is_told_without_a_line(tmp_path: Path) -> None:
    error = located(Problem("wrong", Place("a.toml", ("session", "a")), ("deps",)), tmp_path)
    assert (error.where, error.message) == ("a.toml", "session.a.deps: wrong")


def test_keys_that_are_not_bare_are_quoted() -> None:
    assert dotted(("tool", "a b", "c-d")) == 'tool."a b".c-d'
