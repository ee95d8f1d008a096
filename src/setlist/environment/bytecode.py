"""Compiled files that are wrong and that Python doesn't take for wrong: found, and removed.

A full disk has cut one off: looked for after a failure. Python before 3.13.1 doesn't notice that only the first part of
a .pyc file was written (CPython issue 126606). The file's header is right, so that each later import fails of it:
nothing of what an environment is made from has changed, and it would stay broken.

Or another version of its module has come since: looked for after an installation. uv leaves what is compiled of modules
at the top of site-packages, and Python tells modules apart by their size and the second of their time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core.errors import CreationFailed
from setlist.core.system import python_of
from setlist.environment.virtualenv import site_packages
from setlist.process.spawn import run_process

if TYPE_CHECKING:
    from setlist.engine.execute import SessionOutput


def remove_outdated(sites: tuple[Path, ...]) -> None:
    """Remove what was compiled of modules that were put at the top of site-packages since."""
    for folder in sites:
        with suppress(OSError), os.scandir(folder / "__pycache__") as entries:
            for entry in entries:
                source = folder / f"{entry.name.partition('.')[0]}.py"
                with suppress(OSError):
                    if os.stat(source).st_ctime_ns >= entry.stat().st_mtime_ns:
                        os.unlink(entry.path)


_BLOCK = 512
"""What is written before a disk is full is a multiple of this: few whole files are, and only those are read."""

_CHECK = """
import json, marshal, os, sys
for path in json.load(sys.stdin):
    try:
        with open(path, "rb") as stream:
            data = stream.read()
        try:
            marshal.loads(data[16:])
        except (EOFError, ValueError, TypeError):
            os.unlink(path)
            print(path)
    except OSError:
        pass
"""


def remove_cut_off(directory: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Remove the compiled files of an environment that were cut off.

    Args:
        directory: the environment's.
        environ: the variables to start its Python with.

    Returns:
        their paths.
    """
    try:
        candidates = list(_candidates(directory))
        if not candidates:
            return ()
        done = run_process(
            [str(python_of(directory)), "-I", "-S", "-c", _CHECK],
            env=environ,
            cwd=directory,
            stdin=json.dumps(candidates).encode(),
            capture=True,
        )
    except (OSError, CreationFailed):
        return ()
    return tuple(done.stdout.decode("utf-8", "replace").splitlines())


def _candidates(directory: Path) -> Iterator[str]:
    for folder in site_packages(directory):
        for place, _, names in os.walk(folder):
            for name in names if os.path.basename(place) == "__pycache__" else ():
                path = os.path.join(place, name)
                if name.endswith(".pyc") and os.lstat(path).st_size % _BLOCK == 0:
                    yield path


def tell_cut_off(directory: Path, environ: Mapping[str, str], output: SessionOutput) -> None:
    """Look whether a failure may have come from compiled files that a full disk has cut off, remove them, and say so.

    Args:
        directory: the environment's.
        environ: the variables to start its Python with.
        output: where the session's messages go.
    """
    removed = remove_cut_off(directory, environ)
    if removed:
        names = ", ".join(os.path.basename(path) for path in removed[:3]) + (" …" if len(removed) > 3 else "")
        output.tell("error", f"removed compiled files that were cut off, as by a full disk ({names}): run it again")
