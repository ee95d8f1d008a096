"""Wheels of what is installed beside the tests: nox and what it needs, for environments that have to hold it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

_OF_INSTALLING = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def repacked_with_requirements(name: str, directory: Path) -> None:
    """Write wheels of an installed package and of all that it needs into ``directory``. All must be pure Python."""
    seen: dict[str, None] = {}
    ahead = [name]
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        seen[name] = None
        repacked(name, directory)
        for line in requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                ahead.append(requirement.name)


def repacked(name: str, directory: Path) -> Path:
    """Write a wheel of one installed package, and return its path."""
    installed = distribution(name)
    files = {}
    for file in installed.files or ():
        inside = not file.as_posix().startswith("..")
        if inside and file.suffix != ".pyc" and file.name not in _OF_INSTALLING:
            files[file.as_posix()] = Path(str(file.locate())).read_bytes()
    info = next(path for path in files if path.endswith(".dist-info/METADATA")).partition("/")[0]
    record = "".join(f"{path},sha256={_hash(content)},{len(content)}\n" for path, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = directory / f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
