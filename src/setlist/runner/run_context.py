"""What a session is given to run with, and how it ended: what those share who carry a run out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from setlist.core.events import Emit, EnvironmentReady
from setlist.core.model import EnvironmentSpec, SessionSpec, SessionStatus
from setlist.core.project import Caller, Project
from setlist.core.records import dataclass, field
from setlist.process.spawn import Grace

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.command import Invocation
    from setlist.runner.jobserver import Jobserver
    from setlist.runner.output import SessionOutput
    from setlist.runner.secrets import Masker

Prepare = Callable[[SessionSpec], AbstractContextManager["PreparedEnvironment"]]

Notified = tuple[str, tuple[str, ...]]
"""A session that is to run after another one that said so: its first alias, and its posargs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What one session is given to run with.

    ``output`` takes what it writes; None: that goes straight to our own streams. ``environ`` are variables
    that its commands see, unless the session itself says otherwise. ``keep_open`` are descriptors that they
    inherit. ``jobserver`` is told when it runs.
    """

    output: SessionOutput | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    keep_open: tuple[int, ...] = ()
    jobserver: Jobserver | None = None


def _bare(_: SessionSpec) -> Equipment:
    return Equipment()


def _nothing(*_: SessionSpec) -> None:
    """Nothing else runs."""


def _no_python(spec: EnvironmentSpec, file: str) -> AbstractContextManager[Path]:
    raise AssertionError(f"no environment can be made here for {file}: {spec}")


class Closable(Protocol):
    """What is shared by the sessions of one provider in one run."""

    def close(self) -> None: ...


class SessionProvider(Protocol):
    """What a run asks of a provider of sessions (:class:`setlist.providers.protocol.Provider`)."""

    def open_run(self) -> Closable: ...

    def run(
        self, context: RunContext, session: SessionSpec, posargs: tuple[str, ...], equipment: Equipment
    ) -> SessionResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all sessions of a run share.

    ``prepare`` makes a session's environment right and holds it; ``recreate`` says that nothing of the last run is to
    be taken over. ``error_on_missing``: whether a session fails for want of its interpreter, or is skipped. ``turn``
    waits until a session whose environment is right may run, and says why it isn't to, or None; ``equip`` says what it
    is given for that. ``stopped`` says why the run stops what is running, or None where it doesn't. ``prepare_anew``
    makes an environment anew in any case; ``loader_python`` holds the environment that foreign definitions ask to be
    loaded in. ``shared`` holds what the sessions of each provider share. ``masker`` masks what nobody is to see.
    ``posargs`` are the words after ``--`` of the whole run: a session that another notifies without posargs gets these.
    """

    project: Project
    caller: Caller
    prepare: Prepare
    prepare_anew: Prepare
    emit: Emit
    grace: Grace = field(default_factory=Grace)
    recreate: bool = False
    error_on_missing: bool = False
    turn: Callable[[SessionSpec], str | None] = _nothing
    stopped: Callable[[], str | None] = _nothing
    equip: Callable[[SessionSpec], Equipment] = _bare
    notice: Callable[[Invocation], None] | None = None
    loader_python: Callable[[EnvironmentSpec, str], AbstractContextManager[Path]] = _no_python
    shared: Mapping[str, Closable] = field(default_factory=dict)
    masker: Masker | None = None
    posargs: tuple[str, ...] = ()

    def hide(self, session: SessionSpec, environ: Mapping[str, str]) -> None:
        """Mask the secrets among the variables that a session's commands are about to see."""
        if session.secrets and self.masker is not None:
            from setlist.runner.secrets import secret_values

            self.masker.add(secret_values(environ, session.secrets))

    def masked(self, text: str) -> str:
        """The text without secrets."""
        return text if self.masker is None else self.masker.text(text)

    def ready(self, session: SessionSpec, prepared: PreparedEnvironment) -> str | None:
        """Tell that a session's environment is right. Returns the path of its frozen requirements."""
        self.emit(
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


@dataclass(frozen=True, slots=True)
class SessionResult:
    """How a session ended: its status, one line why, what it makes of the run's exit code.

    ``blocked``: it didn't start because of one that it requires, and so don't those that require it.
    ``attempts``: how often it was tried. ``waited``: the seconds in which it could have run, and others did.
    ``notified`` are the sessions that it wants to have run after it.
    """

    status: SessionStatus
    reason: str | None = None
    exit_code: int = 0
    frozen: str | None = None
    blocked: bool = False
    attempts: int = 1
    waited: float = 0.0
    notified: tuple[Notified, ...] = ()
