"""Sessions, commands and the rest, as plain frozen data.

Everything here can be written as JSON and read back (see :mod:`setlist.registry.registry_cache`), so that
it can be cached, sent to a worker, and listed without running anybody's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from setlist.core.records import dataclass

ProjectMode = Literal["editable", "wheel", "sdist"]
Resolution = Literal["highest", "lowest-direct", "lowest"]
InstallerName = Literal["uv", "pip"]
LockFormat = Literal["requirements", "pylock"]
Backend = Literal["virtualenv", "none"]

Pairs = tuple[tuple[str, str], ...]
"""An ordered mapping of strings, hashable."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was written.

    ``file`` is relative to the project's root, with forward slashes; ``line`` counts from 1.
    """

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a session, before substitution.

    ``words`` are templates (``"{posargs:.}"``); with ``shell`` there is one word, the shell's
    whole line. ``ok_codes`` are the exit codes that count as success.
    """

    words: tuple[str, ...]
    env: Pairs = ()
    cwd: str | None = None
    ok_codes: tuple[int, ...] = (0,)
    allow_failure: bool = False
    shell: bool = False
    stdout: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A session's function: the file it lies in (relative to the root) and the name it is declared under."""

    file: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """What a session's environment is asked to be, before any file of it is read.

    Substitutions of axes are done: two sessions with equal specs want equal environments.

    ``python`` is the request as written (``"3.12"``, ``"pypy3.11"``, ``"/opt/py/bin/python"``), None
    for the interpreter that setlist itself runs on. ``requirements`` and ``constraints`` are paths
    relative to the project's root. ``exclude_newer`` is a date or a span, as the installer reads it. ``maker`` is
    what the environment is made by, and the words it is given, where a provider chooses that.
    """

    python: str | None = None
    deps: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    project: ProjectMode | None = None
    resolution: Resolution = "highest"
    exclude_newer: str | None = None
    index_url: str | None = None
    installer: InstallerName = "uv"
    backend: Backend = "virtualenv"
    maker: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """One named, fully resolved job.

    ``axes`` are the values that tell it from the rest of its family (``(("python", "3.9"),
    ("django", "3.2"))``), empty for a session that is a family of one. ``requires`` holds session
    names, families already expanded. ``timeout`` is in seconds, for each try. ``mutex`` are names of which
    no two sessions run at once; ``resources`` are (name, how many) that it takes of what the project has.
    ``jobserver`` shares the processors with others by GNU make's protocol; ``secrets`` are environment variables,
    as globs, whose values nobody is shown. At most one of ``commands``, ``function`` and ``provider`` is used; all
    empty makes a session that only prepares its environment or only gathers others by ``requires``.

    ``provider`` is the package in :mod:`setlist.providers` that defined the session and runs it; empty for our own
    definitions. Such a session has ``aliases`` (its name there first, then every name that selects it there), a
    ``problem`` that prevents it from running, and ``provided``: the provider's own data as JSON text, which nothing
    else reads. ``installs_itself``: what it installs is known only while it runs. ``takes_all_posargs``: it gets the
    words after ``--`` even where it wasn't asked for. ``plain_exit``: every failure counts as 1, a missing interpreter
    too, and a failed requirement aborts it.
    """

    name: str
    family: str
    origin: Origin
    description: str = ""
    axes: Pairs = ()
    environment: EnvironmentSpec = EnvironmentSpec()
    commands: tuple[Command, ...] = ()
    function: FunctionReference | None = None
    provider: str = ""
    aliases: tuple[str, ...] = ()
    problem: str = ""
    provided: str = ""
    installs_itself: bool = False
    takes_all_posargs: bool = False
    plain_exit: bool = False
    env: Pairs = ()
    inherit_env: bool | tuple[str, ...] = True
    cwd: str | None = None
    external: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    default: bool = True
    timeout: float | None = None
    retries: int = 0
    allow_failure: bool = False
    exclusive: bool = False
    mutex: tuple[str, ...] = ()
    resources: tuple[tuple[str, int], ...] = ()
    jobserver: bool = False
    interactive: bool = False
    secrets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that was found.

    ``executable`` is the base installation's binary, never one inside a virtual environment and never
    a shim. ``version`` has three numbers, as ``"3.12.1"``; ``implementation`` is ``"cpython"`` or
    ``"pypy"``. ``signature`` is the stat signature of the binary behind all links: another one
    means another interpreter. ``found`` says where it was found, for a person.
    """

    executable: str
    version: str
    implementation: str
    free_threaded: bool
    machine: str
    signature: str
    found: str

    @property
    def label(self) -> str:
        """As a person calls it: ``python 3.12.1``, ``pypy 3.11.9``, ``python 3.13.0t``."""
        name = "python" if self.implementation == "cpython" else self.implementation
        return f"{name} {self.version}{'t' if self.free_threaded else ''}"


@dataclass(frozen=True, slots=True)
class Change:
    """One package that moved in an environment. ``old`` None: added; ``new`` None: removed."""

    package: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.package} {self.new}"
        if self.new is None:
            return f"- {self.package} {self.old}"
        if self.old == self.new:
            return f"~ {self.package} {self.new} (reinstalled)"
        return f"~ {self.package} {self.old} → {self.new}"


@dataclass(frozen=True, slots=True)
class InputChange:
    """One input of an environment: its value when the environment was made, and now.

    Either is None where the input wasn't there. ``changed`` is decided, not shown, by digests: ``old``
    and ``new`` are for people and may be shortened.
    """

    name: str
    old: str | None
    new: str | None
    changed: bool


EnvironmentAction = Literal["none", "reused", "created", "synced", "recreated", "repaired"]
"""What was done to make an environment right.

``none``: there is no environment (``backend = "none"``); ``repaired``: an unfinished or damaged one
was found and made anew; ``recreated``: by request, or because its interpreter changed.
"""

SessionStatus = Literal["ok", "flaky", "failed", "aborted", "skipped", "interrupted", "not-run"]
"""How a session ended. ``flaky``: it passed, but not at its first try. ``aborted``, of a session with
``plain_exit``: its function ended it with an error, or a session that it requires wasn't successful."""

UNSUCCESSFUL: tuple[SessionStatus, ...] = ("failed", "aborted", "interrupted")
"""What a session ended as that was reached and didn't do its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``[tool.setlist]`` says about the whole project.

    ``default`` are the selectors of a bare ``run``, None where the sessions' own ``default`` key
    decides. The grace periods are in seconds: how long an interrupted command is waited for before
    it is terminated, and a terminated one before it is killed. ``lock_dir`` and ``env_dir`` are
    relative to the root, empty where they aren't set: :mod:`setlist.core.project` has where both are then;
    ``lock_platforms`` are those that locks are for, all where there are none; ``require_hashes`` refuses
    what can't carry one; ``lock_consistent`` wants one version of a package across all locks. ``resources``
    says how many there are of what sessions take; of one that isn't named here there is one.

    ``sources`` are the kinds of definitions to use, None where those that are there decide, and ``unused`` the files
    that aren't. What follows is set by providers: ``fail_fast``, ``jobs``, whether a missing interpreter is an error
    (None: in CI it is), and the ``pythons`` that sessions are kept to.
    """

    default: tuple[str, ...] | None = None
    interrupt_grace: float = 5.0
    terminate_grace: float = 3.0
    lock_dir: str = ""
    env_dir: str = ""
    lock_format: LockFormat = "requirements"
    lock_platforms: tuple[str, ...] = ()
    require_hashes: bool = False
    lock_consistent: bool = False
    resources: tuple[tuple[str, int], ...] = ()
    sources: tuple[str, ...] | None = None
    unused: tuple[str, ...] = ()
    fail_fast: bool = False
    jobs: int | None = None
    error_on_missing: bool | None = None
    pythons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryIndex:
    """What is asked of all sessions at once: who answers to a name, who has a tag.

    ``families`` has each one's, in the order of their definition. All else is of those that it says something of:
    ``providers`` and ``aliases`` of those that a provider defined; ``tags`` and ``pythons`` of those that have some;
    ``left_out`` are those that a bare ``run`` doesn't run by itself, ``jobserver`` those that share the processors.
    """

    families: Mapping[str, str]
    providers: Mapping[str, str]
    aliases: Mapping[str, tuple[str, ...]]
    tags: Mapping[str, tuple[str, ...]]
    pythons: Mapping[str, str]
    left_out: tuple[str, ...]
    jobserver: tuple[str, ...]

    @classmethod
    def of(cls, sessions: Mapping[str, SessionSpec]) -> RegistryIndex:
        """That of sessions which are there anyway."""
        all_of_them = sessions.items()
        return cls(
            families={name: session.family for name, session in all_of_them},
            providers={name: session.provider for name, session in all_of_them if session.provider},
            aliases={name: session.aliases for name, session in all_of_them if session.aliases},
            tags={name: session.tags for name, session in all_of_them if session.tags},
            pythons={
                name: session.environment.python
                for name, session in all_of_them
                if session.environment.python is not None
            },
            left_out=tuple(name for name, session in all_of_them if not session.default),
            jobserver=tuple(name for name, session in all_of_them if session.jobserver),
        )

    def family(self, name: str) -> tuple[str, ...]:
        """The sessions that one definition expanded to."""
        return tuple(member for member, family in self.families.items() if family == name)

    @property
    def only_provider(self) -> str:
        """The provider of all sessions; empty where there are none, or they have no provider in common."""
        names = set(self.providers.values())
        return names.pop() if len(names) == 1 and len(self.providers) == len(self.families) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All sessions of a project, by name, in the order of their definition.

    There may be thousands, of which a run is about one: to look at each of ``sessions`` is to make it from what was
    kept of it. What the ``outline`` says is said without that.
    """

    sessions: Mapping[str, SessionSpec]
    settings: Settings = Settings()

    @cached_property
    def outline(self) -> RegistryIndex:
        """What is asked of all of them at once."""
        return RegistryIndex.of(self.sessions)

    @classmethod
    def outlined(cls, sessions: Mapping[str, SessionSpec], settings: Settings, outline: RegistryIndex) -> Registry:
        """A registry whose outline is known already."""
        registry = cls(sessions=sessions, settings=settings)
        registry.__dict__["outline"] = outline
        return registry

    def family(self, name: str) -> tuple[SessionSpec, ...]:
        """The sessions that one definition expanded to."""
        return tuple(self.sessions[member] for member in self.outline.family(name))
