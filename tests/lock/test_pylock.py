"""Locks in the standard form: valid by packaging's own judgement, read back, and refused when damaged."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from setlist.core.errors import LockOutOfDate
from setlist.lock.document import LockDamaged, LockDocument
from setlist.lock.pylock import compose_pylock, file_name, narrowed_standard, parse_pylock, requirements_in
from support.project import ProjectFolder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HASH = "ab" * 32
COMMIT = "c0ffee" + "0" * 34
STANDARD = f"""lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.10"

[[packages]]
name = "alpha"
version = "1.0"
marker = "sys_platform == 'win32'"
index = "https://index.invalid/simple"
sdist = {{ url = "https://index.invalid/alpha-1.0.tar.gz", hashes = {{ sha256 = "cd{HASH[2:]}" }} }}
wheels = [{{ url = "https://index.invalid/alpha-1.0-py3-none-any.whl", hashes = {{ sha256 = "{HASH}" }} }}]

[[packages]]
name = "one"
version = "1"
vcs = {{ type = "git", url = "https://h.invalid/one", commit-id = "{COMMIT}", subdirectory = "sub" }}

[[packages]]
name = "two"
archive = {{ url = "https://h.invalid/two.whl", hashes = {{ sha256 = "{HASH}" }} }}

[[packages]]
name = "three"
directory = {{ path = "libs/three", editable = true }}
"""
BODY = f"""alpha==1.0 ; sys_platform == "win32" \\
    --hash=sha256:{HASH} \\
    --hash=sha256:cd{HASH[2:]}
one @ git+https://h.invalid/one@{COMMIT}#subdirectory=sub
two @ https://h.invalid/two.whl \\
    --hash=sha256:{HASH}
-e ./libs/three
"""
DOCUMENT = LockDocument("lint", ">=3.10", "linux, macos", {"deps": "01", 'file a"b.txt': "23"}, BODY)
TEXT = compose_pylock(DOCUMENT, STANDARD)


def test_what_is_written_is_valid_and_read_back() -> None:
    Pylock.from_dict(tomllib.loads(TEXT)).validate()
    assert parse_pylock(TEXT, Path("pylock.lint.toml"), "lint") == DOCUMENT


def test_the_same_as_requirement_lines() -> None:
    assert requirements_in(STANDARD) == BODY


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (TEXT.replace(HASH, "ac" + HASH[2:], 1), "edited since it was written"),
        (re.sub(r'\[\[packages\]\]\nname = "two"\n.*\n', "", TEXT), "edited since it was written"),
        (TEXT[:-30], "not TOML"),
        (TEXT[: TEXT.index("[tool.setlist]")], "not a lock file of setlist's"),
        (TEXT.replace("[tool.setlist.inputs]", "[tool.x]").replace("[tool.setlist]", "[tool.y]"), "not a lock file"),
        (TEXT.replace('lock-version = "1.0"', 'lock-version = "2.0"'), "not a valid pylock file"),
        (TEXT.replace("format = 1", "format = 2"), "a lock of format 2"),
        (TEXT.replace('session = "lint"', 'session = "test"'), "the lock of another session, 'test'"),
        (TEXT.replace('name = "two"', 'name = "Two Two"'), "not a valid pylock file"),
        (TEXT.replace("[[packages]]", "<<<<<<< ours\n[[packages]]", 1), "an unresolved merge conflict"),
        (STANDARD + "[tool]\nsetlist = 1\n", "not a lock file of setlist's"),
        ("", "not a valid pylock file"),
    ],
)
def test_a_damaged_file_is_refused_and_the_error_says_why(damaged: str, said: str) -> None:
    with pytest.raises(LockDamaged) as caught:
        parse_pylock(damaged, Path("pylock.lint.toml"), "lint")
    assert said in caught.value.message
    assert caught.value.hint == "'setlist lock lint' writes it anew"


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('"https://h.invalid/two.whl"', '"https://h.invalid/two.whl\\n-r more.txt"'),
        ('"https://h.invalid/two.whl"', '"https://h.invalid/two.whl\\nevil==1.0"'),
        ('"https://h.invalid/two.whl"', '"https://h.invalid/two.whl\\u2028evil==1.0"'),
        ('"https://h.invalid/two.whl"', '"https://h.invalid/two.whl --config-settings=a=b"'),
        ('path = "libs/three"', f'path = "libs/three # --hash=sha256:{HASH}"'),
        (COMMIT, "main"),
    ],
)
def test_an_entry_is_one_requirement(written: str, instead: str) -> None:
    changed = STANDARD.replace(written, instead)
    assert changed != STANDARD
    with pytest.raises(LockOutOfDate, match="the entry of"):
        requirements_in(changed)
    with pytest.raises(LockDamaged, match="the entry of"):
        parse_pylock(compose_pylock(DOCUMENT, changed), Path("pylock.lint.toml"), "lint")


def test_packages_for_other_platforms_can_be_left_out() -> None:
    text = narrowed_standard(STANDARD, ("linux",), "3.10", None)
    assert [package.name for package in Pylock.from_dict(tomllib.loads(text)).packages] == ["one", "two", "three"]
    assert narrowed_standard(STANDARD, ("windows",), "3.10", None) == STANDARD
    assert narrowed_standard(STANDARD, (), "3.10", None) == STANDARD


def test_a_name_with_dots_has_a_valid_file_name() -> None:
    from packaging.pylock import is_valid_pylock_path

    assert file_name("docs.v1.2") == "pylock.docs+v1+2.toml"
    assert is_valid_pylock_path(Path(file_name("docs.v1.2")))


PYLOCK = """
[tool.setlist]
lock-format = "pylock"
[tool.setlist.session."docs.v1"]
deps = ["alpha==1.*"]
run = ["python -c 'import alpha'"]
[tool.setlist.session.empty]
"""


@pytest.fixture
def locked(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions(PYLOCK)
    project.setlist_inside("lock", check=True)
    return project


def test_locked_and_run_from(locked: ProjectFolder) -> None:
    files = sorted(path.name for path in (locked.path / "sessions/locks").iterdir())
    assert files == ["pylock.docs+v1.toml", "pylock.empty.toml"]
    for name in files:
        Pylock.from_dict(tomllib.loads(locked.read(f"sessions/locks/{name}"))).validate()
    again = locked.setlist_inside("lock", check=True)
    assert again.err == "locks: 2 current\n"
    locked.run_inside("--locked", "docs.v1", "empty", check=True)
    assert locked.installed("docs.v1") == {"alpha": "1.1", "beta": "2.0"}


def test_a_damaged_file_keeps_its_versions_when_it_is_written_anew(locked: ProjectFolder) -> None:
    path = locked.path / "sessions/locks/pylock.docs+v1.toml"
    before = path.read_text()
    path.write_text(
        before.replace('version = "1.1"', 'version = "1.0"').replace("[[packages]]", "=======\n[[packages]]", 1)
    )
    assert locked.run_inside("--locked", "docs.v1").code == 3
    locked.setlist_inside("lock", check=True)
    assert 'version = "1.0"' in path.read_text()


def test_two_sessions_whose_files_would_be_one_are_refused(locked: ProjectFolder) -> None:
    locked.sessions(PYLOCK + '[tool.setlist.session."docs+v1"]\n')
    result = locked.setlist_inside("lock")
    assert result.code == 2
    assert "'docs.v1' and 'docs+v1' would have one lock file, sessions/locks/pylock.docs+v1.toml" in result.err


def test_local_directories_are_refused_with_the_form_that_takes_them(locked: ProjectFolder) -> None:
    locked.write("libs/one/pyproject.toml", '[project]\nname = "one"\nversion = "1"\n')
    locked.sessions(PYLOCK + '[tool.setlist.session.local]\ndeps = ["./libs/one"]\n')
    result = locked.setlist_inside("lock")
    assert result.code == 1
    assert "local: one: a pylock file can't hold the project's local directories" in result.err
    assert 'hint: lock-format = "requirements" can' in result.err


def test_a_resolver_that_writes_nonsense_is_told() -> None:
    from setlist.core.errors import LockOutOfDate

    with pytest.raises(LockOutOfDate, match="not a valid pylock file"):
        requirements_in('lock-version = "1.0"\n')
