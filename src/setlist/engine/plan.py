"""What a run is going to do, as plain data: its sessions in their order, and of a session its commands.

Nothing in a plan is a live object, so it can be kept (:mod:`setlist.cli.fast_path`) and handed to another process. It
is carried out by :mod:`setlist.engine.execute`. A warm run imports this module, so it imports next to nothing itself.
"""

from __future__ import annotations

from setlist.core.records import dataclass, field_names

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, Protocol

    from setlist.core.model import SessionSpec

    class Session(Protocol):
        """What carrying out a plan asks of a session. Both its definition and :class:`SessionPlan` have it."""

        @property
        def name(self) -> str: ...

        @property
        def requires(self) -> tuple[str, ...]:
            """The names of the sessions that must have passed before it."""

        @property
        def timeout(self) -> float | None:
            """Seconds that its commands may take together."""

        @property
        def retries(self) -> int:
            """How often it is tried again after a failure."""

        @property
        def allow_failure(self) -> bool:
            """Whether the run passes although it fails."""

        @property
        def plain_exit(self) -> bool:
            """Whether the run's exit code is 1 however it fails."""

        @property
        def interactive(self) -> bool:
            """Whether its output is never captured."""

        @property
        def secrets(self) -> tuple[str, ...]:
            """The variables whose values are masked."""


@dataclass(frozen=True, slots=True)
class Step:
    """One session of a plan. ``requested`` is False if it was added because another session requires it.

    ``after`` are sessions of the plan that it requires through sessions that aren't part of the plan. ``posargs`` are
    arguments for it alone; None if it gets those of the command line.
    """

    session: SessionSpec
    requested: bool
    after: tuple[str, ...] = ()
    posargs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The sessions to run, each after all sessions that it requires."""

    steps: tuple[Step, ...]

    @property
    def sessions(self) -> tuple[SessionSpec, ...]:
        return tuple(step.session for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """A command that is ready to start: one step of what a session does.

    ``words`` is what is shown, ``argv`` what is started (a string is a Windows command line), ``environ`` all that it
    sees.
    """

    words: tuple[str, ...]
    argv: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path | str
    ok_codes: tuple[int, ...] = (0,)
    allow_failure: bool = False
    stdout: Path | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What a session does whose environment is right: all that a run of it needs, without its definition.

    ``directory`` is its environment, ``guard`` the file by whose lock nobody changes that meanwhile, ``interpreter``
    the label of its Python, ``frozen`` the file of its frozen requirements. Its commands inherit variables by the rule
    ``inherit_env``; the ``environ`` of each is what they see besides. ``grace`` is the seconds to wait after SIGINT and
    after SIGTERM, ``history`` the directory of past runs.
    """

    name: str
    directory: str
    guard: str
    interpreter: str
    frozen: str
    history: str
    inherit_env: bool | tuple[str, ...]
    grace: tuple[float, float]
    commands: tuple[PlannedCommand, ...]
    requires: tuple[str, ...] = ()
    timeout: float | None = None
    retries: int = 0
    allow_failure: bool = False
    plain_exit: bool = False
    interactive: bool = False
    secrets: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The plan as an entry of the trace store holds it: :meth:`of` makes a plan of it again."""
        return {**_fields(self), "commands": tuple(map(_fields, self.commands))}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SessionPlan:
        """The plan with this :attr:`data`."""
        return cls(**{**data, "commands": tuple(PlannedCommand(**command) for command in data["commands"])})


def _fields(record: object) -> dict[str, Any]:
    return {name: getattr(record, name) for name in field_names(record)}
