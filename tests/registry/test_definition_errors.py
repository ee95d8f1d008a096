"""The line of a key in a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.model import Origin, SessionSpec
from setlist.core.toml import parse_toml
from setlist.registry.definition_errors import DefinitionProblem, Place, dotted, line_of, lines_of_sessions, located

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
    error = located(DefinitionProblem("wrong", Place("a.toml", ("session", "a")), ("deps",)), tmp_path)
    assert (error.where, error.message) == ("a.toml", "session.a.deps: wrong")


def test_keys_that_are_not_bare_are_quoted() -> None:
    assert dotted(("tool", "a b", "c-d")) == 'tool."a b".c-d'


SESSIONS = """\
[tool.setlist.session.plain]
run = [
    ["a"],
    ["b"]
]
description = '''
[tool.setlist.session.quoted]
'''
[tool.setlist.session."a b".matrix]  # before its own table
x = ["1"]
[tool.setlist.session."a b"]

[tool.setlist.session]
inline = { run = "a" }
dotted.run = "b"
quoted = {}
"""


def spec(name: str, file: str = "pyproject.toml", line: int | None = None) -> SessionSpec:
    return SessionSpec(name=name, family=name, origin=Origin(file, line))


@pytest.mark.parametrize("text", [SESSIONS, SESSIONS.replace('["b"]', '["b"],'), SESSIONS.replace("\n", "\r\n")])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_lines_of_sessions(text: str, mark: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((mark + text).encode())
    (tmp_path / "more.toml").write_text("\n[session.more]\n")
    names = ["plain", "a b", "inline", "dotted", "quoted", "absent"]
    sessions = [*map(spec, names), spec("more", "more.toml"), spec("f", "x.py", 7), spec("gone", "gone.toml")]
    lines = lines_of_sessions(sessions, tmp_path)
    assert lines.pop("absent", None) in (None, 1, 13)
    assert lines == {"plain": 1, "a b": 9, "inline": 14, "dotted": 15, "quoted": 16, "more": 2, "f": 7}


def test_a_file_is_parsed_once_for_all_of_its_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"s{number}" for number in range(50)]
    (tmp_path / "pyproject.toml").write_text("".join(f"[tool.setlist.session.{name}]\n" for name in names))
    parsed: list[str] = []

    def count(text: str) -> object:
        parsed.append(text)
        return parse_toml(text)

    monkeypatch.setattr("setlist.registry.definition_errors.parse_toml", count)
    lines = lines_of_sessions(map(spec, names), tmp_path)
    assert list(lines.values()) == list(range(1, 51))
    assert len(parsed) == 1
