"""Requirements, the lines of requirement files and the words of install commands are read as pip and uv read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.environment.requirement_lines import (
    FileLine,
    install_words,
    logical_lines,
    parse_requirement,
    read_lines,
    read_words,
    with_variables,
)

BASE = Path("/base")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("./a", Path("a")),
        ("-e /x/y", Path("/x/y")),
        ("a @ file:///x/y%20z", Path("/x/y z")),
        ("/x/y[extra]", Path("/x/y")),
        ("alpha", None),
        ("alpha>=1", None),
        ("a @ https://example.invalid/a", None),
    ],
)
def test_local_requirements_are_told_from_others(line: str, path: Path | None) -> None:
    assert parse_requirement(line, Path()).path == path


@pytest.mark.parametrize(
    ("line", "path"),
    [
        *(
            (line, None)
            for line in ("alpha==1.0", 'alpha[x]>=1 ; python_version < "3.12"', "file", "a:b", "1alpha", "")
        ),
        *(
            (line, None)
            for line in ("-r other.txt", "-r sub/other.txt", "# comment", "# a/b", "beta;sys_platform=='a/b'")
        ),
        *((line, None) for line in ("https://example.invalid/a.whl", "alpha @ https://example.invalid/a.whl")),
        *((line, None) for line in ("git+file:///a", "-e git+https://example.invalid/a.git", "file://[x")),
        *((line, None) for line in ("alpha  # see a/b", "alpha==1 --hash=sha256:a/b")),
        *((line, BASE / "a") for line in ("./a", "-e ./a", "-ea", "-e a", "--editable=./a", "alpha @ ./a", "a/../a/")),
        *((line, BASE / "a b") for line in ("-e './a b'", '--editable "a b"  # why')),
        *((line, BASE / "a b") for line in ("./a b", "./a b[x]", "./a b ; os_name == 'nt'", "./a b  # why")),
        *((line, BASE) for line in (".", "-e .", "-e .[x]", ".[x,y]", "./")),
        *((line, Path("/a")) for line in ("/a", "alpha@/a", "alpha[x] @ /a", "file:///a", "alpha @ file:///a", "../a")),
        ("a.b/c", BASE / "a.b/c"),
        ("alpha-1-py3-none-any.whl", BASE / "alpha-1-py3-none-any.whl"),
        (".hidden", BASE / ".hidden"),
        ("C:\\a", BASE / "C:\\a"),
    ],
)
def test_the_path_of_a_requirement_is_relative_to_its_base(line: str, path: Path | None) -> None:
    assert parse_requirement(line, BASE).path == path


@pytest.mark.parametrize(
    ("line", "name", "extras", "marker"),
    [
        ("Alpha_x[Fast,more]>=1", "alpha-x", ("fast", "more"), ""),
        ("beta; python_version > '3'", "beta", (), "python_version > '3'"),
        ("beta>1 ; python_version > '3' --hash=sha256:00", "beta", (), "python_version > '3'"),
        ("a[b] @ ./a ; os_name == 'nt'  # why", "a", ("b",), "os_name == 'nt'"),
        ("./a[b] ; os_name == 'nt' \\", None, ("b",), "os_name == 'nt'"),
        ("???", None, (), ""),
    ],
)
def test_name_extras_and_marker(line: str, name: str | None, extras: tuple[str, ...], marker: str) -> None:
    requirement = parse_requirement(line, BASE)
    assert (requirement.name, requirement.extras, requirement.marker) == (name, extras, marker)


def test_the_text_of_a_requirement_has_no_option_hash_or_comment() -> None:
    assert parse_requirement("-e ./a[b] ; os_name == 'nt'  # why", BASE).text == "./a[b] ; os_name == 'nt'"
    assert parse_requirement("a==1 --hash=sha256:00", BASE).text == "a==1"


def test_version_control_is_told_from_other_urls() -> None:
    assert parse_requirement("a @ git+https://example.invalid/a.git", BASE).is_from_version_control
    assert not parse_requirement("a @ https://example.invalid/a.git", BASE).is_from_version_control


def test_continued_lines_are_one_with_the_number_of_the_first() -> None:
    a, b = (f"sha256:{letter * 64}" for letter in "ab")
    text = f"# a \\\nsix==1 \\\n  --hash={a} \\\n  --hash={b}\nten==1\nlast \\\n"
    lines = [(number, " ".join(line.split())) for number, line in logical_lines(text)]
    assert lines == [(1, "# a \\"), (2, f"six==1 --hash={a} --hash={b}"), (5, "ten==1"), (6, "last")]


def test_a_file_is_read_without_comments_and_with_its_options() -> None:
    text = "# c\n\nalpha  # why\n-r 'a b.txt'\n-cc.txt\n--requirement = d.txt\n-e ./lib\n--require-hashes\n-f x\n"
    assert [*read_lines(text)] == [
        FileLine(3, "alpha", "", ""),
        FileLine(4, "-r 'a b.txt'", "-r", "a b.txt"),
        FileLine(5, "-cc.txt", "-c", "c.txt"),
        FileLine(6, "--requirement = d.txt", "-r", "d.txt"),
        FileLine(7, "-e ./lib", "-e", "./lib"),
        FileLine(8, "--require-hashes", "--require-hashes", ""),
        FileLine(9, "-f x", "-f", "x"),
    ]


def test_variables_that_are_not_set_stay() -> None:
    assert with_variables("${A}/${B}/$A", {"A": "x"}) == "x/${B}/$A"


def test_words_are_options_with_their_values_and_requirements() -> None:
    words = ["-U", "alpha", "-r", "a.txt", "-rb.txt", "--constraint=c.txt", "-e", ".", "--index-url", "u", "--group"]
    assert [(argument.option, argument.value) for argument in read_words(words)] == [
        ("-U", ""),
        ("", "alpha"),
        ("-r", "a.txt"),
        ("-r", "b.txt"),
        ("-c", "c.txt"),
        ("-e", "."),
        ("--index-url", "u"),
        ("--group", ""),
    ]
    assert [word for argument in read_words(words) for word in argument.words] == [*words, ""]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["uv", "pip", "install", "a"], ("a",)),
        (["/x/uv.exe", "pip", "install", "a"], ("a",)),
        (["pip3.12", "install", "a"], ("a",)),
        (["/x/python3", "-m", "pip", "install", "a"], ("a",)),
        (["pip", "list"], None),
        (["uv", "pip", "sync", "a"], None),
        ([], None),
    ],
)
def test_install_commands_are_pips_and_uvs(command: list[str], words: tuple[str, ...] | None) -> None:
    assert install_words(command) == words
