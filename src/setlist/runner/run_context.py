"""The options of a run, and what its sessions share while it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from setlist.core.events import EnvironmentReady
from setlist.core.model import Registry, SessionSpec
from setlist.core.project import Caller, Project
from setlist.core.records import dataclass, field
from setlist.engine.execute import SessionResult
from setlist.process.spawn import Grace

if TYPE_CHECKING:
    from setlist.environment.prepare import Environments, PreparedEnvironment
    from setlist.lock.use import LockMode
    from setlist.runner.jobserver import Jobserver
    from setlist.runner.output import SessionOutput, Sink


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user chose for a whole run. Plain data.

    ``locks``: ``use`` a session's lock where there is one, ``require`` a current one, or ``ignore`` all of them.
    ``find_links``: a directory of wheels to install from, and from nowhere else. ``argv`` is the command line, for the
    record. ``jobs``: how many sessions at once; ``cpus``: how many processors they share. ``durations``: the seconds
    that sessions took last time. ``only``: what sessions require needn't run.
    ``prepare``: only environments are made.
    """

    posargs: tuple[str, ...] = ()
    fail_fast: bool = False
    recreate: bool = False
    upgrade: bool = False
    offline: bool = False
    locks: LockMode = "use"
    find_links: Path | None = None
    argv: tuple[str, ...] = ()
    jobs: int = 1
    cpus: int = 1
    durations: Mapping[str, float] = field(default_factory=dict)
    only: bool = False
    prepare: bool = False


def _nothing(*_: SessionSpec) -> None:
    """Nothing else runs."""


class Closable(Protocol):
    """What is shared by the sessions of one provider in one run."""

    def close(self) -> None: ...


class SessionProvider(Protocol):
    """What a run asks of a provider of sessions (:class:`setlist.providers.protocol.Provider`)."""

    def open_run(self) -> Closable: ...

    def run(
        self, context: RunContext, session: SessionSpec, posargs: tuple[str, ...], output: SessionOutput
    ) -> SessionResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all sessions of a run share.

    ``at_once``: how many sessions run at once at most. ``shared`` holds what the sessions of each provider share.
    ``turn`` waits until a session whose environment is prepared may run, and returns why it may not, or None.
    ``stopped`` returns why the run stops its sessions, or None.
    """

    project: Project
    registry: Registry
    caller: Caller
    options: RunOptions
    sink: Sink
    environments: Environments
    at_once: int = 1
    jobserver: Jobserver | None = None
    shared: Mapping[str, Closable] = field(default_factory=dict)
    turn: Callable[[SessionSpec], str | None] = _nothing
    stopped: Callable[[], str | None] = _nothing

    @property
    def grace(self) -> Grace:
        """How long processes are waited for after a signal."""
        settings = self.registry.settings
        return Grace(settings.interrupt_grace, settings.terminate_grace)

    @property
    def error_on_missing(self) -> bool:
        """Whether a session without its interpreter fails; otherwise it is skipped."""
        missing = self.registry.settings.error_on_missing
        return self.caller.ci if missing is None else missing

    def variables(self, session: SessionSpec, output: SessionOutput) -> dict[str, str]:
        """The variables that the run sets for a session's commands; the session's ``env`` overrides them."""
        environ: dict[str, str] = {}
        if self.at_once > 1:
            from setlist.runner.cpus import share_environ

            alone = session.exclusive or session.interactive
            environ |= share_environ(self.options.cpus, self.at_once, alone=alone, environ=self.caller.environ)
        if self.jobserver is not None and session.jobserver:
            environ |= self.jobserver.environ(self.caller.environ)
        if output.captured:
            environ |= self.sink.captured_environ(session.name)
        return environ

    def keep_open(self, session: SessionSpec) -> tuple[int, ...]:
        """The descriptors that a session's commands inherit."""
        return self.jobserver.descriptors if self.jobserver is not None and session.jobserver else ()

    def ready(self, session: SessionSpec, prepared: PreparedEnvironment) -> str | None:
        """Emit that a session's environment is prepared. Returns the path of its frozen requirements."""
        self.sink.emit(
            EnvironmentReady(
                time=time.time(),
                session=session.name,
                interpreter=prepared.interpreter.label,
                action=prepared.action,
                reasons=tuple(prepared.reasons),
                changes=tuple(prepared.changes),
                duration=prepared.duration,
            )
        )
        return self.project.relative(prepared.frozen) if prepared.frozen is not None else None
