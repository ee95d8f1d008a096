"""A lock file as text: a round trip, and everything that can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.records import replace
from setlist.lock.document import (
    LockDamaged,
    LockDocument,
    MalformedLine,
    absolute_paths,
    body_of,
    change_rows,
    checked_body,
    compose,
    differing_versions,
    parse,
    pins_of,
    preferences,
    relative_paths,
    unhashed_names,
    version_changes,
    versions_of,
)

HASH = "sha256:" + "ab" * 32
BODY = f"alpha==1.0 ; python_full_version < '3.12' \\\n    --hash={HASH}\nbeta==2.0 \\\n    --hash={HASH}\n"
DOCUMENT = LockDocument("lint", ">=3.10", "all", {"deps": "0123", "file reqs/a.txt": "4567"}, BODY)

words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-._", min_size=1, max_size=12)
packages = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,11}", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True)
# a path in an input's name may hold nearly anything
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20).map(
    lambda text: text.strip() or "x"
)


@st.composite
def documents(draw: st.DrawFn) -> LockDocument:
    lines = [f"{name}=={draw(versions)} \\\n    --hash={HASH}\n" for name in draw(st.lists(packages, max_size=5))]
    inputs = draw(st.dictionaries(names, st.text("0123456789abcdef", min_size=16, max_size=16), max_size=6))
    return LockDocument(draw(words), draw(st.sampled_from([">=3.8", "3.11"])), "all", inputs, "".join(lines))


@given(documents())
def test_what_is_written_is_read_back(document: LockDocument) -> None:
    assert parse(compose(document), Path("x.txt"), document.session) == document


def test_the_same_document_makes_the_same_text_whatever_the_order_of_its_inputs() -> None:
    turned = LockDocument(
        *(DOCUMENT.session, DOCUMENT.python, DOCUMENT.platforms), dict(reversed(DOCUMENT.inputs.items())), BODY
    )
    assert compose(turned) == compose(DOCUMENT)


TEXT = compose(DOCUMENT)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (TEXT.replace("abab", "acab", 1), "edited since it was written, or cut off"),
        (TEXT.replace(f"beta==2.0 \\\n    --hash={HASH}\n", ""), "edited since it was written, or cut off"),
        (TEXT[:-20], "edited since it was written, or cut off"),
        (TEXT[: TEXT.index("# platforms")], "cut off: its header isn't whole"),
        ("", "not a lock file of setlist's"),
        ("alpha==1.0\n", "not a lock file of setlist's"),
        (TEXT.replace("format 1", "format 2"), "a lock of format 2; this setlist reads format 1"),
        (TEXT.replace("session: lint", "session: test"), "the lock of another session, 'test'"),
        (f"<<<<<<< ours\n{TEXT}", "an unresolved merge conflict"),
        (TEXT.replace("beta==", "=======\nbeta=="), "an unresolved merge conflict"),
    ],
)
def test_a_damaged_file_is_refused_and_the_error_says_why(damaged: str, said: str) -> None:
    with pytest.raises(LockDamaged) as caught:
        parse(damaged, Path("sessions/locks/lint.txt"), "lint")
    assert said in caught.value.message
    assert str(caught.value.where).startswith("sessions/locks/lint.txt")
    assert "setlist lock lint" in str(caught.value.hint)
    assert caught.value.exit_code == 3


def test_the_line_of_a_conflict_is_named() -> None:
    with pytest.raises(LockDamaged) as caught:
        parse(TEXT.replace("beta==", ">>>>>>> theirs\nbeta=="), Path("lint.txt"), "lint")
    assert caught.value.where == f"lint.txt:{TEXT[: TEXT.index('beta==')].count(chr(10)) + 1}"


@pytest.mark.parametrize(
    ("line", "pin"),
    [
        (f"alpha==1.0 --hash={HASH}", ("alpha", "1.0", None, "", (HASH,))),
        ("Alpha.Beta[x,y]==1.0 ; sys_platform == 'win32'", ("alpha-beta", "1.0", None, "sys_platform == 'win32'", ())),
        ("tool @ git+file:///r@c ; os_name == 'nt'", ("tool", None, "git+file:///r@c", "os_name == 'nt'", ())),
        ("./libs/one", ("one", None, "./libs/one", "", ())),
        ("-e ../two/ ; python_version < '3'", ("two", None, "../two/", "python_version < '3'", ())),
        (f"./my dir/a-1.0.whl --hash={HASH}", ("a-1.0.whl", None, "./my dir/a-1.0.whl", "", (HASH,))),
    ],
)  # fmt: skip
def test_pins(line: str, pin: tuple[object, ...]) -> None:
    (found,) = pins_of(line)
    assert (found.name, found.version, found.url, found.marker, found.hashes) == pin


@pytest.mark.parametrize(
    "lines",
    [
        "-r more.txt",
        "--requirement=more.txt",
        "-c more.txt",
        "--editable=./evil",
        "--index-url https://example.org/simple",
        "--hash=sha256:00",
        f"./evil # --hash={HASH}",
        f"./evil #--hash={HASH}",
        f"./evil --config-settings x --hash={HASH}",
        f"alpha==1.0 # --hash={HASH}",
        f"alpha==1.0 --config-settings=a=b \\\n    --hash={HASH}",
        f"--hash={HASH} alpha==1.0",
        f"alpha==1.0 ; os_name == ' --hash={HASH}'",
        f"alpha==1.0 \\\n    --hash={HASH} \\\nevil==1.0",
        f"alpha==1.0 \\\n    --hash={HASH} \\",
        "# a comment \\\n-r more.txt",
        f"alpha==1.0\\\n    --hash={HASH}",
        f"alpha==1.0 \\ \n    --hash={HASH}",
        "alpha",
        "alpha>=1.0",
        "alpha==1.*",
        "alpha==1.0, <2",
        "alpha==${VERSION}",
        "${NAME}==1.0",
        "./${PLACE}",
        "alpha @ ./evil",
        "alpha @ git+https://example.org/alpha@main",
        "alpha @ git+https://example.org/alpha",
        f"alpha==1.0\u2028-r more.txt \\\n    --hash={HASH}",
        f"alpha==1.0\x85evil==1.0 \\\n    --hash={HASH}",
        f"alpha==1.0\x0cevil==1.0 \\\n    --hash={HASH}",
        f"alpha==1.0\tevil \\\n    --hash={HASH}",
        f"alpha==1.0\revil==1.0 \\\n    --hash={HASH}",
        f"\ufeffalpha==1.0 \\\n    --hash={HASH}",
        f"alpha==1.0 \\\n    --hash={HASH}\x0c-r more.txt",
        f" alpha==1.0 \\\n    --hash={HASH}",
    ],
)
def test_a_line_that_pins_nothing_is_refused_with_file_and_line(lines: str) -> None:
    # whoever changes a lock can renew its digest
    body = f"{BODY}{lines}\n"
    text = compose(replace(DOCUMENT, body=body))
    with pytest.raises(LockDamaged) as caught:
        parse(text, Path("lint.txt"), "lint")
    first = text[: text.rindex(lines)].count("\n") + 1
    assert caught.value.where in {f"lint.txt:{line}" for line in range(first, first + lines.count("\n") + 2)}
    assert (caught.value.exit_code, caught.value.hint) == (3, "'setlist lock lint' writes it anew")


def test_a_header_holds_comments_only() -> None:
    with pytest.raises(LockDamaged) as caught:
        parse(TEXT.replace("# platforms", "-r more.txt\n# platforms"), Path("lint.txt"), "lint")
    assert caught.value.where == "lint.txt:4"


@pytest.mark.parametrize(
    "line",
    [
        "alpha-beta[x,y]==1!1.0.post1+cu118 ; python_full_version < '3.12' and (os_name == 'nt' or extra != \"x\")",
        "alpha @ https://user:${TOKEN}@example.org/a%20b-1.0.tar.gz#subdirectory=c ; sys_platform == 'win32'",
        "alpha @ git+https://example.org/alpha.git@" + "0a" * 20 + "#subdirectory=c",
        "./my libs/one[fast] ; os_name == 'nt'",
        "-e ..",
        "-e ../two[fast]",
        "./wheels/a-1.0-py3-none-any.whl",
        "alpha @ file:///D:/wheels/a-1.0.zip",
    ],
)
@pytest.mark.parametrize("hashes", [0, 2])
def test_what_a_resolver_writes_is_taken_as_it_is(line: str, hashes: int) -> None:
    body = " \\\n    ".join([line, *[f"--hash={HASH}"] * hashes]) + "\n"
    assert checked_body(f"# a comment\n\n{body}") == body
    assert [len(pin.hashes) for pin in pins_of(body)] == [hashes]


pieces = st.sampled_from(
    [
        "a==1",
        "-r x",
        "./b",
        " ",
        "\\",
        "\n",
        " \\\n",
        "    ",
        "--hash=sha256:0a",
        "#",
        " ; ",
        "os_name == 'a'",
        "\u2028",
    ]
)


@given(st.lists(pieces, max_size=8).map("".join))
def test_a_body_that_is_taken_holds_nothing_but_its_pins(text: str) -> None:
    try:
        body = checked_body(text)
    except MalformedLine:
        return
    lines = [line for line in body.splitlines() if not line.startswith("    --hash=")]
    assert len(lines) == len(pins_of(body))
    assert checked_body(body) == body


def test_comments_and_options_are_no_pins() -> None:
    assert pins_of("# x\n\n--index-url y\n-r z\n") == ()


def test_a_package_that_forks_has_all_its_versions() -> None:
    assert versions_of("a==1 ; python_version < '3.9'\na==2 ; python_version >= '3.9'\nb @ x\n") == {
        "a": "1 | 2",
        "b": "x",
    }


def test_what_has_no_hash_is_named_once() -> None:
    body = f"a==1 --hash={HASH}\nb @ git+x@y ; os_name == 'nt'\nb @ git+x@z ; os_name != 'nt'\n-e ./c\n"
    assert unhashed_names(body) == ("b", "c")
    assert "# without hashes, since they come from no index: b, c\n" in compose(
        LockDocument("s", "3.11", "all", {}, body)
    )


def test_versions_are_preferred_only_where_they_are_whole() -> None:
    # a resolver refuses the whole file for one of the others
    assert preferences(BODY, "al", "alpha==\n", "beta==1.\n", "./x\n", "c @ u\n", "d==1 ; python_ver\n") == (
        "alpha==1.0 ; python_full_version < '3.12'\nbeta==2.0\n"
    )


def test_what_can_be_made_out_of_a_damaged_file() -> None:
    merged = TEXT.replace("beta==2.0", "<<<<<<< ours\nbeta==2.0").replace(
        f"{HASH}\n", f"{HASH}\n=======\nbeta==1.0\n", 1
    )
    assert {"alpha", "beta"} == set(versions_of(body_of(merged)))
    assert versions_of(body_of('[[packages]]\nname = "alpha"\nversion = "1.0"\n<<<<<<<\nname = "b')) == {"alpha": "1.0"}


def test_added_changed_and_removed() -> None:
    moves = version_changes("lint", "a==1\nb==1\nc==1\n", "a==1\nb==2\nd==1\n")
    assert [(move.package, str(move)) for move in moves] == [("b", "1 → 2"), ("c", "- 1"), ("d", "+ 1")]
    assert version_changes("lint", None, "a==1\n")[0].old is None


def test_equal_moves_of_several_sessions_are_one_row() -> None:
    moves = [
        *version_changes("x", "a==1\n", "a==2\n"),
        *version_changes("y", "a==1\n", "a==2\n"),
        *version_changes("z", "a==0\n", "a==2\n"),
    ]
    assert change_rows(moves) == [("a", "0 → 2", ("z",)), ("a", "1 → 2", ("x", "y"))]


def test_what_differs_across_sessions() -> None:
    bodies = {"x": "a==1\nb==1\n", "y": "a==2\nb==1\n", "z": "a==1\n"}
    assert differing_versions(bodies) == {"a": {"1": ("x", "z"), "2": ("y",)}}


ROOT = Path("/home/ann lee/project")
URI = "file:///home/ann%20lee"


@pytest.mark.parametrize(
    ("resolved", "kept", "used"),
    [
        (f"one @ {URI}/project/libs/one", "./libs/one", f"{URI}/project/libs/one"),
        (f"one[x] @ {URI}/project/libs/one", "./libs/one[x]", f"{URI}/project/libs/one[x]"),
        ("/home/ann lee/project/libs/one[x]", "./libs/one[x]", f"{URI}/project/libs/one[x]"),
        (f"-e {URI}/two", "-e ../two", f"-e {URI}/two"),
        ("./my dir/a.whl", "./my dir/a.whl", f"{URI}/project/my%20dir/a.whl"),
        (f"a @ {URI}/a.whl ; os_name == 'nt'", "../a.whl ; os_name == 'nt'", f"{URI}/a.whl ; os_name == 'nt'"),
        (f"{URI}/project", ".", f"{URI}/project"),
    ],
)
@pytest.mark.parametrize("hashes", ["", f" \\\n    --hash={HASH}"])
def test_a_local_path_is_kept_relative_and_used_absolute(resolved: str, kept: str, used: str, hashes: str) -> None:
    assert relative_paths(f"{resolved}{hashes}\n", ROOT) == f"{kept}{hashes}\n"
    assert absolute_paths(f"{kept}{hashes}\n", ROOT) == f"{used}{hashes}\n"


@pytest.mark.parametrize(
    "line",
    [
        "alpha==1.0 \\\n    --hash=sha256:00",
        "a @ git+file:///r@c",
        "a @ file:///r#subdirectory=a",
        "a @ https://h/a.whl \\\n    --hash=sha256:00",
    ],
)
def test_any_other_line_is_left_alone(line: str) -> None:
    assert relative_paths(f"{line}\n", ROOT) == f"{line}\n"
    # beside a path, without which nothing is looked at
    assert absolute_paths(f"{line}\n./x\n", ROOT) == f"{line}\n{(ROOT / 'x').as_uri()}\n"
