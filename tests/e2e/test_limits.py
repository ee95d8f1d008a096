"""What is too much, too deep or no file at all: one message that names the place, at once, and exit code 2."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from setlist.core.limits import DEEPEST_INCLUDES, DEEPEST_PLACEHOLDERS, MOST_SESSIONS
from support.project import ProjectFolder, Result

pytestmark = pytest.mark.slow

BOM = b"\xef\xbb\xbf"
S = "[tool.setlist.session.s]\n"
OK = "run = [\"python -c 'print(1)'\"]\n"
DEEP = 5_000


def refused(result: Result, *said: str) -> None:
    assert result.code == 2, result
    assert "Traceback" not in result.err
    assert "bug in setlist" not in result.err
    assert result.err.count("error:") == 1
    for text in said:
        assert text in result.err, result


def matrix(*sizes: int) -> str:
    axes = [f"a{place} = {[f'v{value}' for value in range(size)]}\n" for place, size in enumerate(sizes)]
    return f"{S}{OK}[tool.setlist.session.s.matrix]\n{''.join(axes)}"


@pytest.mark.parametrize(
    ("sizes", "said"),
    [((100, 100, 100), "1,000,000"), ((2,) * 40, "1,099,511,627,776"), ((2,) * 20_000, "more than")],
    ids=["10^6", "2^40", "2^20000"],
)
def test_a_matrix_of_too_many_sessions_is_refused_before_it_is_expanded(
    project: ProjectFolder, sizes: tuple[int, ...], said: str
) -> None:
    project.sessions(matrix(*sizes))
    refused(project.run_inside("--list"), "pyproject.toml:3: tool.setlist.session.s.matrix: has", said, "20,000")


def test_sessions_of_several_definitions_count_together(project: ProjectFolder) -> None:
    half = MOST_SESSIONS // 200
    second = matrix(101, half).replace("session.s", "session.t")
    project.sessions(matrix(100, half) + second)
    refused(project.run_inside("--list"), "'t' makes it more than 20,000 sessions")


def test_excluded_combinations_do_not_count(project: ProjectFolder) -> None:
    excluded = ", ".join(f'{{ a0 = "v{value}" }}' for value in range(2, 300))
    project.sessions(f"{matrix(300, 300)}exclude = [{excluded}]\n")
    listed = project.setlist_inside("list", "--json")
    assert listed.code == 0, listed
    assert len(listed.json["sessions"]) == 600


def test_dependency_groups_that_are_reached_by_many_paths(project: ProjectFolder, wheelhouse: Path) -> None:
    """2^26 paths lead to the last group."""
    groups = "".join(f'g{n} = [{{include-group="g{n + 1}"}}, {{include-group="g{n + 1}"}}]\n' for n in range(26))
    project.sessions(f'[dependency-groups]\n{groups}g26 = ["beta"]\n{S}groups = ["g0"]\n{OK}')
    assert project.run("s").code == 0
    assert "beta" in project.installed("s")


def test_dependency_groups_in_a_long_chain(project: ProjectFolder, wheelhouse: Path) -> None:
    groups = "".join(f'g{n} = [{{include-group="g{n + 1}"}}]\n' for n in range(DEEP))
    project.sessions(f'[dependency-groups]\n{groups}g{DEEP} = ["beta"]\n{S}groups = ["g0"]\n{OK}')
    assert project.run_inside("s").code == 0
    assert "beta" in project.installed("s")


@pytest.mark.parametrize("function", [False, True])
def test_files_that_include_each_other_too_deeply(project: ProjectFolder, wheelhouse: Path, function: bool) -> None:
    for n in range(1_500):
        project.write(f"r{n}.txt", f"-r r{n + 1}.txt\n")
    project.write("r1500.txt", "beta\n")
    if function:
        project.write("sessions/x.py", "from setlist import session\n@session\ndef s(s): s.install('-r', 'r0.txt')\n")
    else:
        project.sessions(f'{S}requirements = ["r0.txt"]\n{OK}')
    refused_or_failed(project.run("s"), f"r{DEEPEST_INCLUDES}.txt: ")


@pytest.mark.parametrize("command", ["{posargs:" * 3_000 + "x" + "}" * 3_000, "{env:A:" * 200 + "x" + "}" * 200])
def test_placeholders_that_are_nested_too_deeply(project: ProjectFolder, command: str) -> None:
    project.sessions(f'{S}run = ["python {command}"]\n')
    said = f"nested more than {DEEPEST_PLACEHOLDERS} deep"
    refused(project.run_inside("--list"), "pyproject.toml:2: tool.setlist.session.s.run", said)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * DEEP + "s" + ")" * DEEP,
        "not " * DEEP + "s",
        " and ".join(["s"] * DEEP),
        "x or (" * DEEP + "s" + ")" * DEEP,
    ],
    ids=["parentheses", "not", "and", "or"],
)
def test_a_deep_keyword_expression(project: ProjectFolder, expression: str) -> None:
    project.sessions(f"{S}{OK}")
    assert project.run_inside("-n", "-k", expression).code == 0
    assert project.run_inside("-n", "-k", f"not ({expression})").code == 2


@pytest.mark.parametrize("word", ["requires", "extends"])
def test_a_chain_of_thousands_of_sessions(project: ProjectFolder, word: str) -> None:
    chain = "".join(f'[tool.setlist.session.s{n}]\n{word} = ["s{n + 1}"]\n' for n in range(DEEP))
    project.sessions(f'[tool.setlist.defaults]\nbackend = "none"\n{chain}[tool.setlist.session.s{DEEP}]\nrun = []\n')
    result = project.run_inside("-n", "s0")
    assert result.code == 0, result


def test_deep_toml(project: ProjectFolder) -> None:
    project.sessions(f"x = {'[' * DEEP}{']' * DEEP}\n{S}{OK}")
    refused(project.run_inside("--list"), "pyproject.toml", "nested too deeply")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"retries = 0x{'f' * 5_000}", "retries"),
        (f"timeout = 0x{'f' * 5_000}", "timeout"),
        ("timeout = 1e300", "timeout"),
        (f"deps = [0x{'f' * 5_000}]", "deps"),
        (f"python = 0x{'f' * 5_000}", "python"),
        (f"run = [[0x{'f' * 5_000}]]", "run"),
        (f"run = [{{ cmd = 'x', ok-codes = [0x{'f' * 5_000}] }}]", "run"),
        (f"resources = {{ a = 0x{'f' * 5_000} }}", "resources"),
    ],
)
def test_numbers_that_nobody_means(project: ProjectFolder, line: str, key: str) -> None:
    project.sessions(f"{S}{line}\n")
    refused(project.run_inside("--list"), f"pyproject.toml:2: tool.setlist.session.s.{key}")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (r'deps = ["six\r"]', "deps"),
        (r'deps = ["six\nidna"]', "deps"),
        (r'deps = ["six\u0000"]', "deps"),
        (r'deps = ["foo @ file://[x"]', "deps"),
        (r'deps = ["https://[x/a.whl"]', "deps"),
        (r'groups = ["a\nb"]', "groups"),
        (r'requirements = ["a\u0000.txt"]', "requirements"),
        (r'constraints = ["a\n.txt"]', "constraints"),
        (r'run = ["a\u0000b"]', "run"),
        (r'run = [["a", "b\u0000"]]', "run"),
        (r'run = [{ cmd = "a", env = { A = "\u0000" } }]', "run"),
        (r'run = [{ cmd = "a\u0000", shell = true }]', "run"),
        (r'run = [{ cmd = "a", stdout = "x\u0000" }]', "run"),
        (r'env = { A = "b\u0000" }', "env"),
        (r'env = { "A\n" = "b" }', "env"),
        (r'cwd = "a\u0000"', "cwd"),
        (r'tags = ["a\u2028b"]', "tags"),
        (r'python = "3.12\u0000/x"', "python"),
        (r'index-url = "https://x.invalid\n/simple"', "index-url"),
        (r'inputs = ["a\u0000"]', "inputs"),
        (r'outputs = ["a\u0000"]', "outputs"),
        (r'secrets = ["a\u0000"]', "secrets"),
        (r'description = "a\u0000"', "description"),
        (r'matrix = { a = ["b\u0000"] }', "matrix"),
    ],
)
def test_control_characters_where_a_line_is_meant(project: ProjectFolder, line: str, key: str) -> None:
    project.sessions(f"{S}{line}\n")
    refused(project.run_inside("--list"), f"pyproject.toml:2: tool.setlist.session.s.{key}")


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('env={"A": "\\ud800"}', "env.A"),
        ('deps=["a\\ud800"]', "deps"),
        ('matrix={f"a{n}": ["x", "y"] for n in range(60)}', "matrix"),
        ('python=[f"3.{n}" for n in range(30_000)]', "python"),
        ("retries=-(10**6_000)", "retries"),
        ("timeout=10**6_000", "timeout"),
    ],
)
def test_a_function_is_held_to_the_same_limits(project: ProjectFolder, keys: str, key: str) -> None:
    project.write("sessions/x.py", f"from setlist import session\n@session({keys})\ndef s(s): ...\n")
    refused(project.run_inside("--list"), f"sessions/x.py:2: {key}: ")


@pytest.mark.parametrize("word", ["beta\\n--index-url=x", "beta\\0", "beta\\r"])
def test_a_function_installs_no_control_characters(project: ProjectFolder, wheelhouse: Path, word: str) -> None:
    project.write("sessions/x.py", f"from setlist import session\n@session\ndef s(s): s.install('{word}')\n")
    result = project.run("s")
    assert result.code == 1
    assert "s.install: a word holds" in result.err
    assert "Traceback" not in result.err


def test_a_command_may_hold_line_breaks(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(f"{S}run = [['python', '-c', '''\nprint(1)\nprint(2)\n''']]\nenv = {{ A = \"a\\nb\" }}\n")
    assert project.run("s").out == "1\n2\n"


def test_the_home_of_nobody(project: ProjectFolder, wheelhouse: Path) -> None:
    project.sessions(f'{S}deps = ["~nosuchuser/x"]\n{OK}')
    result = project.run("s")
    assert result.code == 1
    assert "~nosuchuser/x" in result.err
    assert "bug in setlist" not in result.err


FILES = {
    "pyproject.toml": (f'{S}deps = ["beta"]\n{OK}', None),
    "sessions/x.toml": (f'[session.s]\ndeps = ["beta"]\n{OK}', None),
    "sessions/x.py": ('from setlist import session\n@session(deps=["beta"])\ndef s(s): ...\n', None),
    "requirements.txt": ("beta\n", f'{S}requirements = ["requirements.txt"]\n{OK}'),
    "inner.txt": ("beta\n", f'{S}requirements = ["requirements.txt"]\n{OK}'),
    "constraints.txt": ("beta<99\n", f'{S}deps = ["beta"]\nconstraints = ["constraints.txt"]\n{OK}'),
}


def given(project: ProjectFolder, name: str) -> str:
    text, definition = FILES[name]
    if definition is not None:
        project.sessions(definition)
    if name == "inner.txt":
        project.write("requirements.txt", "-r inner.txt\n")
    return text


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_is_fine_everywhere(project: ProjectFolder, wheelhouse: Path, name: str) -> None:
    file = project.write(name, given(project, name))
    file.write_bytes(BOM + file.read_bytes())
    result = project.run("s")
    assert result.code == 0, result
    assert "beta" in project.installed("s")


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".py")])
def test_a_file_that_is_not_utf8_is_named_with_its_line(project: ProjectFolder, wheelhouse: Path, name: str) -> None:
    file = project.write(name, given(project, name))
    file.write_bytes(b"# a\n# \xe9\n" + file.read_bytes())
    refused_or_failed(project.run("s"), f"{name}:2: it isn't UTF-8")
    file.write_bytes("# a\n".encode("utf-16"))
    refused_or_failed(project.run("s"), f"{name}:1: it is UTF-16")


def refused_or_failed(result: Result, said: str) -> None:
    assert result.code in (1, 2), result
    assert said in result.err, result
    assert "bug in setlist" not in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files of Windows")
@pytest.mark.parametrize("name", [*FILES, "noxfile.py"])
@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_what_is_no_file_is_not_waited_for(project: ProjectFolder, wheelhouse: Path, name: str, kind: str) -> None:
    if name == "noxfile.py":
        project.sessions(f"{S}{OK}")
    else:
        project.write(name, given(project, name)).unlink()
    path = project.path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    result = project.run("s", timeout=60)
    if name == "noxfile.py":
        assert result.code == 0, result
        return
    assert result.code in (1, 2), result
    assert "bug in setlist" not in result.err
    if FILES[name][1] is not None:
        assert f"it is {'a named pipe' if kind == 'pipe' else 'a device'}, not a file" in result.err, result


@pytest.mark.parametrize(
    "pattern",
    ["history/*.jsonl", "envs/s/state", "store/passed/*", "store/project/*", "store/registry/*", "store/source/*"],
)
@pytest.mark.parametrize("start", ["[", '{"a":'])
def test_deep_json_where_we_keep_things_is_as_good_as_none(
    project: ProjectFolder, wheelhouse: Path, pattern: str, start: str
) -> None:
    project.write("input", "")
    project.sessions(f'{S}inputs = ["input"]\n{OK}')
    project.run_inside("s", check=True)
    found = list(project.path.rglob(pattern))
    assert found
    for file in found:
        file.write_text(start * 100_000)
    for words in (["why", "s"], ["history"], ["list"]):
        project.setlist_inside(*words, check=True)
    project.run_inside("s", check=True)
