"""What a template records, and how its files are written for another place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from setlist.core.system import python_of
from setlist.environment.virtualenv_template import (
    CorruptImage,
    Template,
    materialize,
    read_template,
    record_template,
    rewrite,
)

TOKEN = "making-1-abcdef"
PROMPT = "prompt-abcdef"


def test_a_posix_path_is_replaced_wherever_it_stands() -> None:
    content = b"VIRTUAL_ENV=/cache/x/environment\nset -gx V '/cache/x/environment'\nPROMPT='the-prompt'\n"
    assert rewrite(content, "/cache/x/environment", "/home/ann/p/envs/lint", "the-prompt", "lint") == (
        b"VIRTUAL_ENV=/home/ann/p/envs/lint\nset -gx V '/home/ann/p/envs/lint'\nPROMPT='lint'\n"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # batch, PowerShell, nushell, sh
        (rb'@set "VIRTUAL_ENV=C:\c\x\environment"', rb'@set "VIRTUAL_ENV=D:\my p\envs\lint"'),
        (rb"let v = r#'C:\c\x\environment'#", rb"let v = r#'D:\my p\envs\lint'#"),
        (rb"VIRTUAL_ENV='C:\c\x\environment'", rb"VIRTUAL_ENV='D:\my p\envs\lint'"),
        # xonsh, Python
        (rb"env = 'C:\\c\\x\\environment'", rb"env = 'D:\\my p\\envs\\lint'"),
        # fish
        (rb"set V 'C:'\\'c'\\'x'\\'environment'", rb"set V 'D:'\\'my p'\\'envs'\\'lint'"),
    ],
)
def test_a_windows_path_is_replaced_however_it_is_spelled(written: bytes, expected: bytes) -> None:
    assert rewrite(written, r"C:\c\x\environment", r"D:\my p\envs\lint", TOKEN, "lint") == expected


def test_line_ends_and_what_else_there_is_stay() -> None:
    assert rewrite(b"\xef\xbb\xbfa\r\n/x\r\n\xff", "/x", "/y", TOKEN, "lint") == b"\xef\xbb\xbfa\r\n/y\r\n\xff"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A template's directory with a made-up environment in it, under its path in this test."""
    environment = tmp_path / TOKEN / "environment"
    python = python_of(environment)
    python.parent.mkdir(parents=True)
    (environment / "lib" / "site-packages" / "__pycache__").mkdir(parents=True)
    python.write_bytes(b"\0ELF")
    python.chmod(0o755)
    (environment / "pyvenv.cfg").write_text(f"command = virtualenv {environment}\nprompt = {PROMPT}\n")
    (environment / "lib" / "site-packages" / "module.py").write_text("x = 1\n")
    (environment / "lib" / "site-packages" / "__pycache__" / "module.pyc").write_bytes(b"\0")
    return tmp_path / TOKEN


def whole(place: Path) -> Template:
    record_template(place, TOKEN, PROMPT)
    found = read_template(place)
    assert found is not None
    return found


def test_a_template_is_laid_out_with_its_modes_and_links(place: Path, tmp_path: Path) -> None:
    if sys.platform != "win32":
        (place / "environment" / "python3").symlink_to("bin/python")
    found = whole(place)
    assert found.relocatable
    target = tmp_path / "lint"
    materialize(found, str(target), "lint")
    assert (target / "pyvenv.cfg").read_text() == f"command = virtualenv {target}\nprompt = lint\n"
    assert python_of(target).read_bytes() == b"\0ELF"
    if sys.platform != "win32":
        assert python_of(target).stat().st_mode & 0o111
        assert not (target / "pyvenv.cfg").stat().st_mode & 0o111
        assert (target / "python3").readlink() == Path("bin/python")
    assert (target / "lib" / "site-packages" / "module.py").read_text() == "x = 1\n"
    assert not (target / "lib" / "site-packages" / "__pycache__").exists()


def test_a_binary_with_the_path_in_it_cant_be_laid_out_elsewhere(place: Path) -> None:
    (place / "environment" / "pip.exe").write_bytes(b"MZ\0\0#!" + str(place).encode())
    assert not whole(place).relocatable


def test_a_link_with_the_path_in_it_cant_either(place: Path) -> None:
    try:
        (place / "environment" / "lib64").symlink_to(place / "environment" / "lib")
    except OSError:
        pytest.skip("no privilege to make links")
    assert not whole(place).relocatable


def test_a_spelling_that_we_dont_know_is_refused_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    (place / "environment" / "odd").write_text(str(place).replace("/", "%2F").replace("\\", "%5C"))
    found = whole(place)
    with pytest.raises(CorruptImage, match="odd"):
        materialize(found, str(tmp_path / "lint"), "lint")
    assert not (tmp_path / "lint").exists()


def test_a_file_that_is_gone_is_noticed_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    found = whole(place)
    (place / "environment" / "pyvenv.cfg").unlink()
    with pytest.raises(CorruptImage):
        materialize(found, str(tmp_path / "lint"), "lint")
    assert not (tmp_path / "lint").exists()


def test_without_its_python_a_template_is_none(place: Path) -> None:
    whole(place)
    python_of(place / "environment").unlink()
    assert read_template(place) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"path": 1, "links": 3}', "\\"])
def test_a_corrupt_record_is_none(place: Path, content: str) -> None:
    record_template(place, TOKEN, PROMPT)
    (place / "template.json").write_text(content)
    assert read_template(place) is None


def test_discarding_what_cant_be_removed_is_silent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = whole(place)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refused)
    found.discard()
    monkeypatch.undo()
    assert place.exists()
    found.discard()
    assert not place.exists()
