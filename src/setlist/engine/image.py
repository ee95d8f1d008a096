"""The image of a new environment, and how to create another environment from it.

An image is a directory in the user's cache. It holds hard links to the files that the installer put into an
environment, numbered, and a record of their places. Files that contain the environment's path (activation scripts, the
first line of console scripts, and the RECORD with their digests) are in the record itself, and are rewritten for each
environment. :mod:`setlist.environment.images` makes images and finds the image of an environment.

Hard links share one file: a change in one environment changes all of them. So each file is compared with its signature
from when it was new.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

FORMAT = 2
"""The format of the record; part of each image's key."""

RECORD = "record"

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class CorruptImage(Exception):
    """The files of an image aren't what they were when it was made."""


def read(place: str) -> Mapping[str, Any] | None:
    """The record of the image in a directory; None if there is no valid record.

    ``path`` and ``prompt`` are those in the texts. ``directories`` are relative, each after its parent. ``files`` are
    relative paths, each with the signature of the file with its number. ``written`` are relative path, mode and
    content; ``links`` relative path and target. ``records`` are RECORD files of ``written``: relative path, and the
    files whose digests depend on the path, by their names in the RECORD and in ``written``.
    """
    from marshal import loads

    try:
        with open(os.path.join(place, RECORD), "rb", 0) as stream:
            record = loads(stream.read())  # noqa: S302 - as trusted as compiled Python is
        return record if record["format"] == FORMAT else None
    except (OSError, ValueError, EOFError, TypeError, KeyError):
        return None


def materialize(
    place: str, image: Mapping[str, Any], path: str, prompt: str, signature: Callable[[str], str | None]
) -> None:
    """Create an environment from an image.

    Args:
        place: the image's directory.
        image: its record.
        path: the environment's directory. It doesn't exist yet, but its parent does.
        prompt: the prompt of an activated shell.
        signature: gives the stat signature of a path, None if it doesn't exist.

    Raises:
        CorruptImage: a file of the image has changed.
        OSError: a file can't be written or linked. In either case an incomplete environment is left behind.
    """
    os.utime(os.path.join(place, RECORD))  # so that pruning keeps it
    os.mkdir(path)
    inside = path + os.sep
    for name in image["directories"]:
        os.mkdir(inside + name)
    texts = {
        name: rewrite(content, image["path"], path, image["prompt"], prompt) for name, _, content in image["written"]
    }
    for name, named in image["records"]:
        texts[name] = _resigned(texts[name], {written: texts[script] for written, script in named})
    for name, mode, _ in image["written"]:
        write(inside + name, texts[name], mode)
    for name, target in image["links"]:
        os.symlink(target, inside + name)
    _link(place + os.sep, inside, image["files"], signature)


def _link(place: str, inside: str, files: Sequence[tuple[str, str]], signature: Callable[[str], str | None]) -> None:
    """Check the files of an image, and link them into an environment.

    Two threads do it, as nearly all of the time is spent in system calls.
    """
    from _thread import allocate_lock, start_new_thread

    failed: list[Exception] = []
    linking = allocate_lock()
    middle = len(files) // 2

    def link(begin: int, end: int) -> None:
        try:
            for number in range(begin, end):
                name, recorded = files[number]
                source = f"{place}{number}"
                if signature(source) != recorded:
                    raise CorruptImage(source)
                os.link(source, inside + name)
        except (CorruptImage, OSError) as error:
            failed.append(error)

    def link_first_half() -> None:
        try:
            link(0, middle)
        finally:
            linking.release()

    linking.acquire()
    start_new_thread(link_first_half, ())
    try:
        link(middle, len(files))
    finally:
        linking.acquire()
    if failed:
        raise failed[0]


def write(path: str, content: bytes, mode: int) -> None:
    """Write a new file.

    Raises:
        OSError: it can't be written, or exists.
    """
    descriptor = os.open(path, _NEW_FILE, mode)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def rewrite(content: bytes, old_path: str, new_path: str, old_prompt: str, new_prompt: str) -> bytes:
    """The content of an environment's file at another path and with another prompt.

    All shells must quote the paths and prompts alike. Only backslashes differ: plain (batch, PowerShell, nushell, sh in
    quotes), doubled (xonsh, Python, older fish scripts), or outside the quotes (fish, csh).
    """
    for spell in (_spelled_outside_quotes, _spelled_doubled, str):
        content = content.replace(spell(old_path).encode(), spell(new_path).encode())
    return content.replace(old_prompt.encode(), new_prompt.encode())


def _spelled_outside_quotes(path: str) -> str:
    return path.replace("\\", "'\\\\'")


def _spelled_doubled(path: str) -> str:
    return path.replace("\\", "\\\\")


def record_line(name: str, content: bytes) -> bytes:
    """A file's line in a RECORD, as installers write it ("Recording installed projects")."""
    from binascii import b2a_base64

    # hashlib would do, but it loads OpenSSL, which takes longer than all of this
    module = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    digest = b2a_base64(module.sha256(content).digest(), newline=False).rstrip(b"=")
    return b"%s,sha256=%s,%d" % (name.encode(), digest.replace(b"+", b"-").replace(b"/", b"_"), len(content))


def _resigned(content: bytes, files: Mapping[str, bytes]) -> bytes:
    lines = content.split(b"\n")
    for name, text in files.items():
        begin = name.encode() + b","
        lines = [record_line(name, text) if line.startswith(begin) else line for line in lines]
    return b"\n".join(lines)
