"""Fingerprints: what tells whether a file is the one that it was.

A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

_HASH: list[Any] = []


def sha256(data: bytes = b"") -> Any:
    """SHA-256 without OpenSSL: importing hashlib takes longer than hashing small contents."""
    if not _HASH:
        try:
            _HASH.append(__import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256)
        except ImportError:
            from hashlib import sha256 as implementation

            _HASH.append(implementation)
    return _HASH[0](data)


def digest(data: bytes | str) -> str:
    """32 hex digits of the SHA-256 of some content."""
    whole: str = sha256(data.encode() if isinstance(data, str) else data).hexdigest()
    return whole[:32]


_KEYS = (0x5E711157, 0x57A27)
"""Two keys of 64-bit hashes, for a checksum of 128 bits."""


def checksum(data: bytes) -> str:
    """32 hex digits by which damage is noticed.

    It is the import system's own hash, which is faster than SHA-256 without OpenSSL.
    """
    from _imp import source_hash

    return "".join(source_hash(key, data).hex() for key in _KEYS)


def stat_signature(path: str | os.PathLike[str]) -> str | None:
    """Size, modification time and inode of a file or directory; None if there is none.

    An equal signature means an unchanged file. The inode is part of it, since a file that is renamed into place may
    have the time of the one that it replaces.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return signature_of(status)


def signature_of(status: os.stat_result) -> str:
    """The stat signature of a file whose status was already read."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
