"""What an environment was made from, as it was recorded when it was finished.

The record is the environment's entry in the trace store (:mod:`setlist.engine.trace`): its trace is all that was looked
at to know what the environment should be, and what it is. It is removed before an environment is touched and written
last, by rename: an environment without one is unfinished, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from setlist.core.logins import masked
from setlist.core.model import EnvironmentSpec, Interpreter
from setlist.core.records import DecodeError, dataclass, dumps, field, field_names, loads, replace
from setlist.core.system import python_of
from setlist.engine.trace import ENVIRONMENT, FORMAT, STATE, Found, Store
from setlist.engine.world import IDENTITY, INSTALLED, KIND, World

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.engine.world import Trace

HELD = "environment"
"""The observer of what an environment itself holds."""


Kind = Literal["seed", "install", "run"]
"""``seed``: what was there from the start; ``install``: ``s.install``, or a provider's equal; ``run``: any other
command that changed what is installed."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a finished environment holds, so that drift is noticed.

    ``packages`` maps a normalised name to ``[version, stamp]``; ``entries`` maps a directory (relative
    to the environment) to the names in it; ``directories`` maps it to its stat signature, by which
    an untouched one is told without listing it; ``files`` maps it to a digest of the statuses of all files in it.
    """

    packages: dict[str, tuple[str, str]] = field(default_factory=dict)
    entries: dict[str, tuple[str, ...]] = field(default_factory=dict)
    directories: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    ``words`` is the whole command, ``inputs`` what else its result depends on: digests of the files that it names, the
    variables that its author set, its directory. ``roots`` are the distributions that it requested, None where that
    couldn't be told; then everything that it ``brought`` counts. ``brought`` maps each package that it changed to its
    version afterwards (None: uninstalled), so that the contents of the environment after a step are the sum of the
    steps up to it. ``overrides`` are the packages that it changed and that were there before it: the step can't be left
    out and the rest stay as it was. ``after`` is how many commands that see the environment had run before. ``there``
    is false for a step whose packages were uninstalled again; it is remembered for its versions. ``sources`` is the
    digest of all of the project's files when a command ran whose installs can't be read. ``known`` are the stat
    signatures of the digests, ``compiled`` the editable projects that were compiled.
    """

    kind: Kind
    words: tuple[str, ...]
    inputs: dict[str, str]
    roots: tuple[dict[str, Any], ...] | None = None
    brought: dict[str, str | None] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    after: int = 0
    there: bool = True
    sources: str | None = None
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    compiled: tuple[str, ...] = ()

    def same_as(self, kind: str, words: Sequence[str], inputs: Mapping[str, str]) -> bool:
        """Whether it was the same command with the same behind it."""
        return self.kind == kind and self.words == tuple(words) and self.inputs == inputs


@dataclass(frozen=True, slots=True)
class State:
    """A finished environment's record.

    ``spec`` is the session's EnvironmentSpec as JSON data; ``inputs`` maps an input's name to its
    value; ``variables`` maps each environment variable of the installer that matters to a digest of its value.
    ``steps`` are what the session's function has done to the environment. ``trace`` is what was looked at for the
    inputs; what the environment holds is added to it when it is written.
    """

    directory: str
    spec: list[Any]
    interpreter: Interpreter
    inputs: dict[str, str]
    variables: dict[str, str]
    contents: Contents
    direct: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    trace: Any = ()


def held_after(held: Mapping[str, str], steps: Sequence[Step]) -> dict[str, str]:
    """The contents of an environment after more steps: package to version, with the origin if it isn't an index."""
    sum_of_all: dict[str, str | None] = {**held}
    for step in steps:
        sum_of_all |= step.brought
    return {name: value for name, value in sum_of_all.items() if value is not None}


def key_of(directory: Path | str) -> str:
    """The key of an environment's entry in any trace store."""
    return f"{ENVIRONMENT}/{directory}"


def read_state(directory: Path) -> State | None:
    """The record of a finished environment; None where there is none, or it can't be understood."""
    # truncated, edited or of another format: the environment is made again
    return state_of(record_of(directory))


def record_of(directory: Path) -> Found | None:
    """The record of a finished environment as it is kept, with all that was looked at; None if there is none."""
    return Store("", "", {}).last(key_of(directory))


def state_that_holds(directory: Path, root: Path, environ: Mapping[str, str]) -> State | None:
    """The record, if everything is as it was when it was written; else None. The caller holds the environment's lock.

    Args:
        directory: the environment.
        root: the project's root.
        environ: the environment variables of the caller.
    """
    found = Store("", str(root), environ).get(key_of(directory))
    return state_of(found) if isinstance(found, Found) else None


def state_of(found: Found | None) -> State | None:
    """The record in an entry; None where it can't be understood."""
    if found is None:
        return None
    try:
        state = loads(State, found.value, FORMAT)
    except (DecodeError, TypeError):
        return None
    return replace(state, trace=tuple(look for look in found.trace if look[4] != HELD))


def write_state(directory: Path, state: State) -> None:
    """Record that the environment is finished.

    Raises:
        OSError: it can't be written; there is no record then.
    """
    text = masked(dumps(replace(state, trace=()), FORMAT))
    Store("", "", {}).write(key_of(directory), (*state.trace, *_held(directory, state)), text)


def _held(directory: Path, state: State) -> Trace:
    """What is seen of a finished environment itself."""
    world = World("", {})
    world.expect(IDENTITY, state.interpreter.executable, state.interpreter.signature, HELD)
    world.look(KIND, str(python_of(directory)), HELD)
    configuration = "pyvenv.cfg"
    world.expect(IDENTITY, str(directory / configuration), state.contents.directories.get(configuration), HELD)
    for relative, content in state.contents.files.items():
        world.expect(INSTALLED, str(directory / relative), content, HELD)
    return world.trace


def forget_state(directory: Path) -> None:
    """Declare the environment unfinished, before it is touched."""
    (directory / STATE).unlink(missing_ok=True)


def spec_data(spec: EnvironmentSpec) -> list[Any]:
    """An environment's spec as JSON data, to be compared with the recorded one: logins in URLs are masked."""
    values = (getattr(spec, name) for name in field_names(spec))
    return [list(map(_masked, value)) if isinstance(value, tuple) else _masked(value) for value in values]


def _masked(value: Any) -> Any:
    return masked(value) if isinstance(value, str) else value
