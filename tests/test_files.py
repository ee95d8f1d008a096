"""Reading files: UTF-8 with or without a mark, and nothing that would be waited for or be read without end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from setlist.errors import ConfigurationError
from setlist.files import NotText, read_bytes, read_definition, read_text, text_or_nothing

BOM = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(BOM + "größer\r\n".encode())
    assert read_text(file) == "größer\n"
    assert text_or_nothing(file) == "größer\n"


@pytest.mark.parametrize(
    ("data", "said", "line"),
    [
        (b"a\nb\xe9\n", "it isn't UTF-8: there is a byte 0xe9", 2),
        (BOM + b"a\r\nb\r\nc\xff", "it isn't UTF-8: there is a byte 0xff", 3),
        ("a".encode("utf-16"), "it is UTF-16, not UTF-8", 1),
    ],
)
def test_what_is_not_utf8_is_told_with_its_line(tmp_path: Path, data: bytes, said: str, line: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(NotText) as caught:
        read_text(file)
    assert (str(caught.value), caught.value.line) == (said, line)
    with pytest.raises(ConfigurationError) as told:
        read_definition(file, "file")
    assert (told.value.message, told.value.where) == (said, f"file:{line}")


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (2 << 20))
    assert len(read_bytes(file, limit=2 << 20)) == 2 << 20
    with pytest.raises(OSError, match="larger than the limit of 1 MiB"):
        read_bytes(file, limit=1 << 20)


@pytest.mark.skipif(sys.platform == "win32", reason="there are none on Windows")
def test_only_a_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "a named pipe"), ("/dev/zero", "a device"), (tmp_path, "a directory")):
        with pytest.raises(OSError, match=f"it is {said}, not a file"):
            read_bytes(path)


def test_a_name_with_a_nul_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "a\0b")
    assert text_or_nothing(tmp_path / "a\0b") == ""
