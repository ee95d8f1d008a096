"""Hashes that a person wrote: found wherever installers read them, and compared with what a resolver answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.core.errors import ResolutionFailed
from setlist.environment.hashes import hashes_in, newly_hashed, with_written_hashes
from setlist.environment.requirement_lines import parse_requirement

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def written(*lines: str) -> list:  # type: ignore[type-arg]
    return [entry for line in lines if (entry := hashes_in(parse_requirement(line, Path()), "r.txt:1")) is not None]


@pytest.mark.parametrize(
    ("line", "name", "version", "hashes"),
    [
        (f"six==1.16.0 --hash={A}", "six", "1.16.0", {A}),
        (f"Six_x [extra] == 1.16.0 ; python_version < '4' --hash={A} --hash {B}", "six-x", "1.16.0", {A, B}),
        (f"six===1 --hash={A.upper().replace('SHA', 'sha')}  # why", "six", "1", {A}),
        (f"six>=1 --hash={A}", "six", None, {A}),
        (f"six==1.* --hash={A}", "six", None, {A}),
        (f"six --hash={A}", "six", None, {A}),
        (f"six @ https://example.invalid/six-1.whl#{A.replace(':', '=')}", "six", None, {A}),
        (f"six @ https://example.invalid/six.zip#egg=six&{A.replace(':', '=')}", "six", None, {A}),
        (f"https://example.invalid/six-1-py3-none-any.whl#{A.replace(':', '=')}", "six", None, {A}),
        (f"./wheels/six-1-py3-none-any.whl --hash={A}", "six", None, {A}),
        (f"/w/six-1.tar.gz --hash={A}", "six", None, {A}),
    ],
)
def test_hashes_are_found_however_they_are_written(line: str, name: str, version: str | None, hashes: set[str]) -> None:
    found = hashes_in(parse_requirement(line, Path()), "here")
    assert found is not None
    assert (found.name, found.version, set(found.hashes), found.where) == (name, version, hashes, "here")


@pytest.mark.parametrize("line", ["six==1", f"# six==1 --hash={A}", f"six==1  # --hash={A}", "-r other.txt", ""])
def test_lines_without_hashes_have_none(line: str) -> None:
    assert hashes_in(parse_requirement(line, Path()), "here") is None


def test_an_answer_gets_the_written_hashes() -> None:
    answer = f"six==1.16 ; python_version < '4' \\\n    --hash={A} \\\n    --hash={B}\nten==1 \\\n    --hash={C}\n"
    assert with_written_hashes(answer, written(f"six==1.16.0 --hash={B}"), required=False) == (
        f"six==1.16 ; python_version < '4' \\\n    --hash={B}\nten==1 \\\n    --hash={C}\n"
    )


def test_an_answer_without_hashes_gets_the_written_ones() -> None:
    assert with_written_hashes("six==1\nten==1\n", written(f"six==1 --hash={B}"), required=False) == (
        f"six==1 \\\n    --hash={B}\nten==1\n"
    )


def test_hashes_of_another_algorithm_are_left_to_the_installer() -> None:
    strong = f"sha512:{'0' * 128}"
    answer = with_written_hashes(f"six==1 \\\n    --hash={A}\n", written(f"six==1 --hash={strong}"), required=False)
    assert answer == f"six==1 \\\n    --hash={strong}\n"


@pytest.mark.parametrize(
    ("lines", "answer", "told"),
    [
        ([f"six==1 --hash={B}"], f"six==1 \\\n    --hash={A}\n", "no file has a hash that was written for it"),
        ([f"six==1 --hash={A}"], f"six==2 \\\n    --hash={A}\n", "six 2 was resolved"),
        ([f"six==1 --hash={A}", f"six==1 --hash={B}"], f"six==1 \\\n    --hash={A}\n", "none in common"),
    ],
)
def test_what_isnt_as_written_is_refused(lines: list[str], answer: str, told: str) -> None:
    with pytest.raises(ResolutionFailed, match=told):
        with_written_hashes(answer, written(*lines), required=False)


@pytest.mark.parametrize("line", ["ten==1", "-e file:///x", "file:///x"])
def test_where_hashes_are_required_each_package_needs_one(line: str) -> None:
    with pytest.raises(ResolutionFailed, match="no hash was written for"):
        with_written_hashes(f"six==1\n{line}\n", written(f"six==1 --hash={A}"), required=True)


def test_what_was_installed_unchecked_is_told() -> None:
    hashed = f"six==1 \\\n    --hash={A}\nten==1 \\\n    --hash={B}\n"
    assert newly_hashed("six==1\nten==1\n", hashed, written(f"six==1 --hash={A}")) == {"six"}
    assert newly_hashed(hashed, hashed, written(f"six==1 --hash={A}")) == set()
