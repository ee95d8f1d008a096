"""Everything that can go wrong and that a user can meet: what happened, where, and what to do.

Errors carry data and are raised where the problem is seen; the edge (``setlist.cli``) catches
:class:`SetlistError`, prints it once and exits with its ``exit_code``.

::

    SetlistError                       exit code
    ├── UsageError                     2   the command line doesn't make sense
    │   └── UnknownSession             2   a name that matches no session
    ├── ConfigurationError             2   a definition is wrong: file, line, key
    │   └── RequiresCycle              2
    ├── ProjectNotFound                2
    ├── StorageError                   2   a file or directory we need can't be used
    ├── SessionError                   1   one session can't go on; the others can
    │   ├── PreparationError           1
    │   │   ├── ResolutionFailed       1   the resolver found no answer
    │   │   ├── SyncFailed             1   the installer failed
    │   │   ├── BuildFailed            1   the project under test doesn't build
    │   │   └── CreationFailed         1   virtualenv failed
    │   ├── InterpreterNotFound        4   (a visible skip outside CI)
    │   ├── CommandRefused             1   not in the environment, not named external
    │   ├── CommandFailed              1   a command exited with a code that isn't ok
    │   ├── SubstitutionError          1   {env:NAME} isn't set
    │   └── SessionFunctionFailed      1   s.error(), or the function raised
    └── LockOutOfDate                  3   under --locked (see setlist.lock)
"""

from __future__ import annotations

from setlist.core.logins import masked

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` was most likely meant to be, if one is near enough."""
    from difflib import get_close_matches

    found = get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return found[0] if found else None


class SetlistError(Exception):
    """A problem that is told to the user in one message. Logins in URLs are masked in it.

    Args:
        message: what happened, one line.
        where: the place, as ``file`` or ``file:line``.
        detail: more lines, shown indented (a tool's own explanation).
        hint: what to do about it, one line.
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        message, detail, hint = masked(message), detail and masked(detail), hint and masked(hint)
        super().__init__(message)
        self.message = message
        self.where = where
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(SetlistError):
    """The command line doesn't make sense."""


class UnknownSession(UsageError):
    """A selector that matches no session.

    Args:
        selector: the name, glob or tag.
        known: all names and tags that select sessions.
        meant: the names of the sessions that were meant, if the selector is written as other tools write names.
        parts: the parts that those names have.
    """

    def __init__(
        self, selector: str, known: Sequence[str], meant: Sequence[str] = (), parts: Sequence[str] = ()
    ) -> None:
        near = nearest(selector, known) if not meant else None
        if meant:
            more = f" or {len(meant) - 3} more" if len(meant) > 3 else ""
            hint = f"did you mean {', '.join(map(repr, meant[:3]))}{more}?"
        elif near is not None:
            hint = f"did you mean {near!r}?"
        elif known:
            hint = "'run --list' shows the sessions"
        else:
            hint = "this project defines no sessions; 'setlist init' writes a first one"
        super().__init__(f"no session matches {selector!r}", hint=hint)
        self.selector = selector
        self.meant = tuple(meant)
        self.parts = tuple(parts)


class ConfigurationError(SetlistError):
    """A definition is wrong.

    Args:
        message: what is wrong.
        file: the file, relative to the project's root where it lies in it.
        line: its line, counted from 1, where known.
        key: the dotted key, where there is one.
        hint: the nearest right spelling, or what to write instead.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        where = file if file is None or line is None else f"{file}:{line}"
        text = f"{key}: {message}" if key else message
        super().__init__(text, where=where, hint=hint, detail=detail)
        self.file = file
        self.line = line
        self.key = key


class RequiresCycle(ConfigurationError):
    """Sessions that require each other in a circle."""

    def __init__(self, cycle: Sequence[str], *, file: str | None, line: int | None) -> None:
        super().__init__(
            "sessions require each other in a circle: " + " → ".join(cycle),
            file=file,
            line=line,
            key="requires",
        )
        self.cycle = tuple(cycle)


class ProjectNotFound(SetlistError):
    """No directory at or above the given one holds a project."""

    def __init__(self, start: str) -> None:
        from setlist.core.plugins import definition_files

        foreign = " or a ".join(definition_files())
        super().__init__(
            f"no project found in {start} or above it",
            hint=f"a project has [tool.setlist] in pyproject.toml, a sessions/ folder, or a {foreign}; "
            "'setlist init' writes a first one",
        )


class StorageError(SetlistError):
    """A file or directory that setlist keeps things in can't be used."""


class SessionError(SetlistError):
    """One session can't go on. Other sessions are not touched by it."""

    exit_code = 1


class PreparationError(SessionError):
    """The session's environment can't be made or brought up to date."""


class ResolutionFailed(PreparationError):
    """The resolver found no set of versions; its own explanation is the detail."""


class SyncFailed(PreparationError):
    """The installer failed; its own words are the detail."""


class BuildFailed(PreparationError):
    """The project under test doesn't build; the build's own words are the detail."""


class CreationFailed(PreparationError):
    """virtualenv couldn't make the environment."""


class InterpreterNotFound(SessionError):
    """No interpreter answers a request.

    Args:
        request: what was asked for, as written (``3.12``, ``pypy3.11``, a path).
        looked: the places that were looked in, in order (``on PATH``, ``in pyenv``, ``uv``).
        note: more to say (an interpreter that was found but doesn't run).
        reason: for a path, what is wrong with it, instead of where was looked.
        hint: what to do about it; installing the version where not given.
    """

    exit_code = 4

    def __init__(
        self,
        request: str,
        looked: Sequence[str],
        note: str | None = None,
        *,
        reason: str | None = None,
        hint: str | None = None,
    ) -> None:
        places = "looked " + looked[0] if looked else "looked nowhere"
        if len(looked) > 1:
            places = "looked " + ", ".join(looked[:-1]) + " and " + looked[-1]
        # 'python 3.12', but 'pypy3.11' and 'python3.12' as they are
        name = request if request[:1].isalpha() and reason is None else f"python {request}"
        if hint is None:
            from shlex import quote

            hint = f"install it, for instance: uv python install {quote(request)}"
        super().__init__(
            f"{name} not found: {reason}" if reason else f"{name} not found ({places})", detail=note, hint=hint
        )
        self.request = request
        self.looked = tuple(looked)


class CommandRefused(SessionError):
    """A command that isn't in the environment and isn't named in ``external``."""


class CommandFailed(SessionError):
    """A command ended with an exit code that isn't ok, or by a signal, or took too long."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


class SubstitutionError(SessionError):
    """A substitution has no value when the command is about to run."""


class SessionFunctionFailed(SessionError):
    """The session's function called ``s.error()`` or raised."""


class LockOutOfDate(SetlistError):
    """A lock file is missing or out of date where it must not be."""

    exit_code = 3
