"""A warm run whose environment isn't there, or is to be made anew: it is laid out from its image.

What the whole program would write down of it is in the run's record (:mod:`setlist.cli.warming`), with marks for what
is known only when it is there: the signatures of the directories, and of the files that are written for it alone.
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
"""As :mod:`setlist.environment.state` has it: written last, it says that an environment is finished."""


class Made:
    """An environment that was made.

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
        """Whether nobody has changed it since."""
        return self._signature(self._record) == self._signed

    def end(self) -> None:
        """Wait until what lay there before is gone."""
        self._removed()


def make(anew: Mapping[str, Any], signature: Signature) -> Made | None:
    """Make an environment. The caller holds its exclusive lock.

    Args:
        anew: what the run's record says of it.
        signature: what files are recorded by.

    Returns:
        None: it can't be made like this. Then what lay there lies there still.
    """
    path, directory = anew["path"], anew["directory"]
    image = read(anew["image"])
    there = os.path.lexists(directory)
    # of one that isn't whole other things are told
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
    except BaseException:  # Ctrl-C: nobody has listened to signals yet
        _undo(directory, doomed)
        raise
    return Made("recreated" if there else "created", f"{path}/{RECORD}", doomed, signature)


def _name_beside(directory: str) -> str:
    """The name to put it away under, as :func:`setlist.core.files.rename_aside` has it."""
    folder, name = os.path.split(directory)
    return f"{folder}/.{name}.{os.getpid()}.{os.urandom(4).hex()}.removed"


def _undo(directory: str, doomed: str | None) -> None:
    from contextlib import suppress
    from pathlib import Path

    from setlist.core.files import remove_tree

    with suppress(OSError):
        if doomed is not None and not os.path.lexists(doomed):
            return  # it wasn't put away yet: it lies there as it was
        if doomed is not None or not os.path.exists(f"{directory}/{RECORD}"):
            remove_tree(Path(directory))
        if doomed is not None:
            os.rename(doomed, directory)


def _beside(doomed: str) -> Callable[[], None]:
    """Remove what was renamed while the commands run. What is returned waits for it."""
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
    """Nothing lay there."""
