"""An environment as it was when it was new, and how another one like it is laid out.

An image is a directory in the user's cache. In it lie hard links to the files that the installer put into an
environment, numbered, and a record of what goes where. What mentions the environment's own path (activation scripts,
the first line of console scripts, and the RECORD that holds their digests) is in the record itself, and is written anew
for each environment. :mod:`setlist.environment.images` makes images and says which one is whose.

A file that has several names is one file: who writes into it, in whatever environment, writes into all. So
every file is compared with its signature from when it was new.

Imported by a warm run, so it imports next to nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

FORMAT = 2
"""Of the record, and part of each image's key."""

RECORD = "record"

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class CorruptImage(Exception):
    """What an environment is to be laid out from isn't what it was when it was kept."""


def read(place: str) -> Mapping[str, Any] | None:
    """The record of the image in a directory; None where there is none that can be used.

    ``path`` and ``prompt`` are what the texts in it say. ``directories`` are relative, each after the one it is in;
    ``files`` are relative paths with the signature of the file of that number. ``written`` are relative path,
    mode and content; ``links`` relative path and target. ``records`` are RECORDs as they are in ``written``: relative
    path, and the files named in it whose digests depend on the path, as they are named there and as they are here.
    """
    from marshal import loads

    try:
        with open(os.path.join(place, RECORD), "rb", 0) as stream:
            found = loads(stream.read())  # noqa: S302 - as trusted as compiled Python is
        return found if found["format"] == FORMAT else None
    except (OSError, ValueError, EOFError, TypeError, KeyError):
        return None


def materialize(
    place: str, image: Mapping[str, Any], path: str, prompt: str, signature: Callable[[str], str | None]
) -> None:
    """Make an environment.

    Args:
        place: the image's directory.
        image: its record.
        path: where; nothing is there yet, but its parent is.
        prompt: what a shell shows when it is activated.
        signature: gives the stat signature of a path, None where there is nothing.

    Raises:
        CorruptImage: the image isn't what it was.
        OSError: something can't be written, or not be linked. What was made so far is there, in either case.
    """
    os.utime(os.path.join(place, RECORD))  # it is of use
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


def _link(kept: str, inside: str, files: Sequence[tuple[str, str]], signature: Callable[[str], str | None]) -> None:
    """Check the files of an image, and give them their names in an environment.

    All of it is asking the system, which two processors can do at once.
    """
    from _thread import allocate_lock, start_new_thread

    failed: list[Exception] = []
    linking = allocate_lock()
    middle = len(files) // 2

    def link(begin: int, end: int) -> None:
        try:
            for number in range(begin, end):
                name, recorded = files[number]
                source = f"{kept}{number}"
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
        OSError: it can't be written, or is there.
    """
    descriptor = os.open(path, _NEW_FILE, mode)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def rewrite(content: bytes, old_path: str, new_path: str, old_prompt: str, new_prompt: str) -> bytes:
    """A file of an environment, as it would have been written at another path and with another prompt.

    Both paths and prompts must be such that all shells quote them alike. What is left to know is how
    backslashes are written: as they are (batch, PowerShell, nushell, sh in quotes), doubled (xonsh, Python, older
    fish scripts), or outside the quotes (fish, csh).
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
