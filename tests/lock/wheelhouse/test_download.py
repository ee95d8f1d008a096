"""What pip's words come to, and what counts as being there already."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from setlist.core.errors import StorageError
from setlist.lock.document import Pin
from setlist.lock.targets import elsewhere
from setlist.lock.wheelhouse.download import (
    UNFINISHED,
    Wheelhouse,
    _batches,
    _failure,
    _not_found,
    _unreachable,
    prepare_wheelhouse,
)
from support.wheels import make_wheel

LINUX = elsewhere("linux-x86_64", "3.12")


def pin(name: str, version: str, *files: Path) -> Pin:
    return Pin(name, version, None, "", tuple(f"sha256:{hashlib.sha256(f.read_bytes()).hexdigest()}" for f in files))


def test_a_wheel_is_there_if_it_fits_and_is_the_locked_one(tmp_path: Path) -> None:
    wheelhouse = prepare_wheelhouse(tmp_path / "new" / "wheels")
    right = make_wheel(wheelhouse.directory, "my-tool", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    make_wheel(wheelhouse.directory, "my-tool-more", "1.0")
    (wheelhouse.directory / "my_tool-what.whl").write_text("no wheel's name")
    wanted = pin("my.tool", "1.0.0", right)
    assert wheelhouse.wheel(wanted, LINUX) == right
    assert wheelhouse.wheel(wanted, elsewhere("linux-x86_64", "3.11")) is None
    assert wheelhouse.wheel(pin("my-tool", "1.1", right), LINUX) is None
    assert wheelhouse.sdist(wanted) is None
    sdist = wheelhouse.directory / "my_tool-1.0.tar.gz"
    sdist.write_bytes(b"source")
    assert wheelhouse.sdist(pin("my-tool", "1.0", sdist)) == sdist
    assert wheelhouse.sdist(wanted) is None, "another hash"
    # a file that takes the place of another is looked at anew
    incoming = tmp_path / right.name
    incoming.write_bytes(b"tampered")
    wheelhouse.add(incoming)
    assert wheelhouse.wheel(wanted, LINUX) is None


def test_what_an_interrupted_download_left_goes_in_time(tmp_path: Path) -> None:
    import os

    wheelhouse = Wheelhouse(tmp_path)
    old, new = (tmp_path / f"{UNFINISHED}{name}" for name in ("old", "new"))
    for path in (old, new):
        path.mkdir()
    os.utime(old, (0, 0))
    workspace = wheelhouse.workspace()
    assert not old.exists()
    assert new.exists(), "perhaps another fetch is at work"
    assert workspace.parent == tmp_path


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file"):
        prepare_wheelhouse(tmp_path / "file")


def test_versions_of_one_package_are_asked_for_apart() -> None:
    pins = [Pin(name, version, None, "", ()) for name, version in (("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"))]
    assert [[one.version for one in batch] for batch in _batches(pins)] == [["1", "1", "1"], ["2"]]


def test_both_hashes_are_read_from_pips_words() -> None:
    error = _failure(
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n"
        "    beta==2.0 from https://me:secret@a.example/beta-2.0-py3-none-any.whl (from -r r.txt (line 2)):\n"
        "        Expected sha256 00aa\n"
        "        Expected     or 11bb\n"
        "             Got        22cc\n",
        "",
    )
    assert error.message == "beta 2.0: the index serves another file than was locked"
    assert (error.detail or "").splitlines()[:3] == [
        "locked: sha256:00aa",
        "locked: sha256:11bb",
        "served: sha256:22cc",
    ]
    assert "secret" not in (error.detail or "")


def test_words_that_mean_nothing_to_us_are_passed_on_without_logins() -> None:
    error = _failure("ERROR: cannot https://me:secret@a.example/x", "")
    assert error.detail == "ERROR: cannot https://***@a.example/x"


def test_an_answer_of_not_found_isnt_a_network_that_is_down(tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    assert _unreachable(log) == ""
    log.write_text(
        "2026-01-01T00:00:00,000 Could not fetch URL https://a.example/x/: 404 Client Error: Not Found - skipping\n"
        "2026-01-01T00:00:00,000 Could not fetch URL https://me:pw@b.example/x/: 500 Server Error: Oh - skipping\n",
        encoding="utf-8",
    )
    assert _unreachable(log) == "https://***@b.example/x/: 500 Server Error: Oh"


def test_the_package_that_isnt_found_is_told_by_its_name() -> None:
    pins = [Pin("a-b", "1", None, "", ()), Pin("b", "1", None, "", ())]
    assert _not_found("ERROR: No matching distribution found for A.b==1", pins) is pins[0]
    assert _not_found("something else", pins) is None
