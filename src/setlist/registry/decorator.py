"""The decorator ``@session``, which declares a function as a session.

The declaration is attached to the function, which stays an ordinary function: a test can import a session file and call
it. While setlist loads a file, it also collects the declarations, in a context variable, so that nothing outlives the
loading.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar, overload

from setlist.core.errors import ConfigurationError
from setlist.core.records import dataclass
from setlist.registry.keys import Keys, check_keys
from setlist.registry.validators import ValidationError, kind

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from typing_extensions import TypedDict, Unpack  # only type checkers read this: it needn't be installed

    from setlist.core.model import Backend, InstallerName, LinkMode, ProjectMode, Resolution

    class SessionKeys(TypedDict, total=False):
        """The keyword arguments of ``@session``: the keys of a definition, with underscores."""

        name: str
        description: str
        python: str | Sequence[str]
        matrix: Mapping[str, Sequence[str] | Sequence[Mapping[str, str]]]
        deps: Sequence[str]
        groups: Sequence[str]
        extras: Sequence[str]
        requirements: Sequence[str]
        constraints: Sequence[str]
        project: ProjectMode
        env: Mapping[str, str]
        env_file: str | Sequence[str]
        inherit_env: bool | Sequence[str]
        cwd: str
        external: Sequence[str]
        requires: Sequence[str]
        tags: Sequence[str]
        default: bool
        extends: str | Sequence[str]
        timeout: float | str
        retries: int
        allow_failure: bool
        exclusive: bool
        mutex: str | Sequence[str]
        resources: Sequence[str] | Mapping[str, int]
        jobserver: bool
        interactive: bool
        secrets: Sequence[str]
        resolution: Resolution
        exclude_newer: str | datetime.date
        index_url: str
        installer: InstallerName
        link_mode: LinkMode
        backend: Backend
        inputs: Sequence[str]
        outputs: Sequence[str]


SessionFunction = TypeVar("SessionFunction", bound=Callable[..., object])

ATTRIBUTE = "__setlist__"
"""The attribute of a function with its declarations: a tuple, as one function can be several sessions."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One use of the decorator. ``file`` is the path as Python has it, ``line`` is the decorator's."""

    name: str
    keys: Keys
    function: Callable[..., object]
    file: str
    line: int


_collector: ContextVar[list[Declaration] | None] = ContextVar("setlist_declarations", default=None)


@contextmanager
def collecting() -> Iterator[list[Declaration]]:
    """Collect the declarations that are made in this context, in their order."""
    declarations: list[Declaration] = []
    token = _collector.set(declarations)
    try:
        yield declarations
    finally:
        _collector.reset(token)


def declarations_of(function: Callable[..., object]) -> tuple[Declaration, ...]:
    """The declarations of a function; empty if it isn't a session."""
    declarations: tuple[Declaration, ...] = getattr(function, ATTRIBUTE, ())
    return declarations


@overload
def session(function: SessionFunction, /) -> SessionFunction: ...


@overload
def session(
    name: str | None = None, /, **keys: Unpack[SessionKeys]
) -> Callable[[SessionFunction], SessionFunction]: ...


def session(first: object = None, /, **keys: object) -> object:
    """Declare a function as a session: ``@session``, ``@session("name")``, ``@session(python=["3.11"], …)``.

    The function is called with a :class:`setlist.Session`. By default, the session's name is the function's name with
    ``-`` for ``_``, and its description is the first line of the docstring.

    Raises:
        ConfigurationError: an unknown keyword, or a value of the wrong type.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to know the line to report
    file, line = frame.f_code.co_filename, frame.f_lineno

    def declare(function: Callable[..., object], name: str | None = None) -> Callable[..., object]:
        declaration = _declaration(function, name, keys, file, line)
        # an attribute of the function, no global registry: it lives as long as the function
        setattr(function, ATTRIBUTE, (*declarations_of(function), declaration))
        collected = _collector.get()
        if collected is not None:
            collected.append(declaration)
        return function

    if callable(first):
        # Python 3.10 calls a bare decorator on the line of the def; the code begins at the decorator's
        line = getattr(getattr(first, "__code__", None), "co_firstlineno", line)
        return declare(first)
    given = keys.pop("name", None)
    if first is not None and given is not None:
        raise ConfigurationError("the name is given twice", file=file, line=line, key="name")
    name = given if first is None else first
    if name is None:
        return declare
    if not isinstance(name, str):
        raise ConfigurationError(f"must be a string, not {kind(name)}", file=file, line=line, key="name")
    named = name
    return lambda function: declare(function, named)


def _declaration(
    function: Callable[..., object], name: str | None, keys: dict[str, object], file: str, line: int
) -> Declaration:
    if not callable(function) or not hasattr(function, "__name__"):
        raise ConfigurationError(
            f"@session stands before a function, not before {kind(function)}", file=file, line=line
        )
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        raise ConfigurationError(
            f"{function.__name__} is async, and a session is a plain function",
            file=file,
            line=line,
            hint="write def, and call asyncio.run() in it",
        )
    if "run" in keys:
        raise ConfigurationError(
            "a session that is a function has no commands of its own",
            file=file,
            line=line,
            key="run",
            hint="call s.run(…) in the function, or write the session in TOML",
        )
    try:
        checked = check_keys(keys, python=True)
    except ValidationError as bad:
        key = ".".join(bad.path)
        raise ConfigurationError(bad.message, file=file, line=line, key=key or None, hint=bad.hint) from None
    lines = (function.__doc__ or "").strip().splitlines()
    if lines and "description" not in checked:
        checked["description"] = lines[0].strip()
    return Declaration(name or function.__name__.replace("_", "-"), checked, function, file, line)


_COROUTINE = 0x80 | 0x200
"""``CO_COROUTINE`` and ``CO_ASYNC_GENERATOR``; :mod:`inspect` names them too and costs milliseconds."""
