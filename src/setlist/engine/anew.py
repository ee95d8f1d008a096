"""Recreate the environment of a warm run from its image.

The run's record (:mod:`setlist.cli.warming`) holds the state file of the new environment, with placeholders for values
that exist only afterwards: the signatures of its directories, and of the files that are written for it alone.
"""

from __future__ import annotations

import os

from setlist.engine.image import CorruptImage, materialize, read, write

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Signature = Callable[[str], str | None]

RECORD = "state.json"
"""The name in :mod:`setlist.environment.state`. Written last, this file marks an environment as complete."""


class Made:
    """A recreated environment.

    Attributes:
        action: ``created`` or ``recreated``.
    """

    def __init__(self, action: str, record: str, doomed: str | None, signature: Signature) -> None:
        self.action = action
        self._signature = signature
        self._record = record
        self._signed = signature(record)
        self._removed = _beside(doomed) if doomed is not None else _nothing

    def is_untouched(self) -> bool:
        """Whether it hasn't been changed since."""
        return self._signature(self._record) == self._signed

    def end(self) -> None:
        """Wait until the previous environment is deleted."""
        self._removed()


def make(anew: Mapping[str, Any], signature: Signature) -> Made | None:
    """Create or recreate an environment. The caller holds its exclusive lock.

    Args:
        anew: the environment's entry in the run's record.
        signature: gives the stat signature of a path.

    Returns:
        None if it can't be made from the image. The previous environment is kept then.
    """
    path, directory = anew["path"], anew["directory"]
    image = read(anew["image"])
    there = os.path.lexists(directory)
    # the whole program reports on the repair of an incomplete environment
    whole = all(os.path.exists(f"{directory}/{name}") for name in (RECORD, "pyvenv.cfg"))
    if image is None or (there and not whole):
        return None
    doomed = None
    try:
        if there:
            doomed = _name_beside(directory)
            os.replace(directory, doomed)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        materialize(anew["image"], image, path, anew["prompt"], signature)
        for name, content in anew["texts"]:
            write(f"{path}/{name}", content, 0o666)
        state = anew["state"]
        for mark, name in anew["marks"]:
            state = state.replace(mark, str(signature(f"{path}/{name}")).encode())
        unnamed = f"{path}/.{RECORD}.{os.getpid()}"
        write(unnamed, state, 0o666)
        os.rename(unnamed, f"{path}/{RECORD}")
    except (CorruptImage, OSError):
        _undo(directory, doomed)
        return None
    except BaseException:  # Ctrl-C: signal handlers aren't installed yet
        _undo(directory, doomed)
        raise
    return Made("recreated" if there else "created", f"{path}/{RECORD}", doomed, signature)


def _name_beside(directory: str) -> str:
    """The name that :func:`setlist.core.files.rename_aside` would give."""
    folder, name = os.path.split(directory)
    return f"{folder}/.{name}.{os.getpid()}.{os.urandom(4).hex()}.removed"


def _undo(directory: str, doomed: str | None) -> None:
    from contextlib import suppress
    from pathlib import Path

    from setlist.core.files import remove_tree

    with suppress(OSError):
        if doomed is not None and not os.path.lexists(doomed):
            return  # it wasn't renamed yet
        if doomed is not None or not os.path.exists(f"{directory}/{RECORD}"):
            remove_tree(Path(directory))
        if doomed is not None:
            os.rename(doomed, directory)


def _beside(doomed: str) -> Callable[[], None]:
    """Delete a renamed environment in a thread while the commands run. Returns a function that waits for the end."""
    from _thread import allocate_lock, start_new_thread

    removing = allocate_lock()

    def remove() -> None:
        try:
            from pathlib import Path

            from setlist.core.files import delete_renamed

            delete_renamed(Path(doomed))
        except OSError:
            pass  # 'setlist clean' tries again
        finally:
            removing.release()

    removing.acquire()
    start_new_thread(remove, ())

    def wait() -> None:
        removing.acquire()

    return wait


def _nothing() -> None:
    """There was no previous environment to delete."""
