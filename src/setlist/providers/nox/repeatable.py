"""What a noxfile's session did, in its order, if the next run can do just that; nothing, where it did more.

Said of one that is known by reading to do the same each time (:mod:`setlist.providers.nox.plain`). What is left to be
seen is that it found everything installed, and started commands as they come: then they can be started without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from setlist.core.events import Message
from setlist.core.records import replace
from setlist.runner.command import Invocation

Notice = Callable[[Invocation | Message], None]


class Repeatable:
    """What one run of a session's function comes to.

    Attributes:
        wanted: whether anybody wants to know. Once something is done that can't be repeated, nobody does.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self._done: list[Invocation | Message] = []
        self._commands = 0

    def spoiled(self) -> None:
        """Something was done that the next run has to decide about anew."""
        self.wanted = False

    def installs(self, *, skipped: bool) -> None:
        """The function asks for an install. After a command, which may have changed something, it has to ask again."""
        if not skipped or self._commands:
            self.spoiled()

    def says(self, message: Message) -> None:
        """The function, or nox, has said something."""
        self._done.append(message)

    def ran(self, words: tuple[str, ...], started: Mapping[str, Any] | None) -> None:
        """A command has ended.

        Args:
            words: as it is shown.
            started: ``argv``, ``environ`` and ``cwd``; None where nothing is to be concluded from them.
        """
        if started is None:
            self.spoiled()
            return
        self._commands += 1
        self._done.append(
            Invocation(
                words=words,
                argv=tuple(started["argv"]),
                environ=started["environ"],
                cwd=Path(started["cwd"]),
                together=True,
            )
        )

    def tell(self, notice: Notice, made_from: str | None) -> None:
        """It has ended well: say what it did.

        Args:
            notice: is told.
            made_from: the signature of the environment's record. Another run may ask for other installs, and write it.
        """
        if self.wanted:
            for done in self._done:
                notice(replace(done, made_from=made_from) if isinstance(done, Invocation) else done)
