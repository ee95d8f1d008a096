"""Sessions, commands and the rest, as plain frozen data.

Everything here can be written as JSON and read back (see :mod:`setlist.registry.load`), so that
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
LinkMode = Literal["clone", "copy", "hardlink", "symlink"]
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

    ``words`` are templates (``"{posargs:.}"``); with ``shell`` there is one word, the whole line for the shell.
    ``ok_codes`` are the exit codes that count as success.
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
    """A session's function: its file, relative to the root, and the name that it is declared under."""

    file: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """What a session's environment is to contain, before any file that it names is read.

    Axes are substituted: sessions with equal specs have equal environments.

    ``python`` is the request as written (``"3.12"``, ``"pypy3.11"``, ``"/opt/py/bin/python"``), None for the minor
    version of setlist's own interpreter. ``requirements`` and ``constraints`` are paths relative to the project's root.
    ``exclude_newer`` is a date or a span, as the installer reads it. ``link_mode`` is how files get from uv's cache
    into the environment, None for uv's own choice. ``maker`` is the program that makes the environment, with its
    arguments, if a provider chooses it.
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
    link_mode: LinkMode | None = None
    backend: Backend = "virtualenv"
    maker: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """One named, fully resolved job.

    ``axes`` are the values that distinguish it from the rest of its family (``(("python", "3.9"), ("django",
    "3.2"))``), empty if it is the only one. ``requires`` holds names of sessions, families already expanded.
    ``timeout`` is in seconds, for each try. No two sessions with a common name in ``mutex`` run at once; ``resources``
    are (name, count) of the project's resources that it takes. ``jobserver`` shares the processors with others by GNU
    make's protocol. ``secrets`` are globs of environment variables whose values are masked. ``env_file`` are
    paths of ``.env`` files, relative to the project's root: they are read when the session runs. At most one of
    ``commands``, ``function`` and ``provider`` is set; without them the session only prepares its environment, or only
    groups others by ``requires``.

    ``provider`` is the package in :mod:`setlist.providers` that defined the session and runs it; empty for our own
    definitions. Such a session has ``aliases`` (its name there first, then every name that selects it there), a
    ``problem`` that prevents it from running, and ``provided``: the provider's own data as JSON text, which nothing
    else reads. ``installs_itself``: what it installs is known only while it runs. ``takes_all_posargs``: it gets the
    words after ``--`` even if it wasn't requested. ``plain_exit``: every failure counts as 1, a missing interpreter
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
    env_file: tuple[str, ...] = ()
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
    """An interpreter on this machine.

    ``executable`` is the base installation's binary, never one inside a virtual environment and never a shim.
    ``version`` has three numbers, as ``"3.12.1"``; ``implementation`` is ``"cpython"`` or ``"pypy"``. ``signature`` is
    the stat signature of the binary, links resolved: a changed signature means another interpreter. ``found`` says
    where it was found, in words.
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
        """Its name in messages: ``python 3.12.1``, ``pypy 3.11.9``, ``python 3.13.0t``."""
        name = "python" if self.implementation == "cpython" else self.implementation
        return f"{name} {self.version}{'t' if self.free_threaded else ''}"


@dataclass(frozen=True, slots=True)
class Change:
    """A package that changed in an environment. ``old`` None: added; ``new`` None: removed."""

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

    None: there was no such input. ``changed`` comes from digests: ``old`` and ``new`` are for display and may be
    shortened.
    """

    name: str
    old: str | None
    new: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the world while something was made.

    ``kind`` is one of :mod:`setlist.engine.world`, ``name`` a path, relative to the root if it is in it, or the name of
    a variable; ``by`` says who looked, ``changed`` whether something else is seen now.
    """

    kind: str
    name: str
    by: str
    changed: bool


EnvironmentAction = Literal["none", "reused", "created", "synced", "recreated", "repaired"]
"""What was done to bring an environment up to date.

``none``: there is no environment (``backend = "none"``); ``repaired``: it was unfinished or damaged, and made again;
``recreated``: made again by request, or because its interpreter changed.
"""

EnvironmentStep = Literal["resolving", "preparing", "downloading", "building", "installing", "done"]
"""What an installer is doing. ``preparing``: it downloads and builds what it doesn't name; ``done``: it has ended."""

OutputMode = Literal["direct", "board", "stream", "group", "ordered"]
"""How the output of sessions is shown: see :mod:`setlist.reports.output_mode`."""

SessionStatus = Literal["ok", "flaky", "failed", "aborted", "skipped", "interrupted", "not-run"]
"""How a session ended. ``flaky``: it passed after a failed try. ``aborted``, of a session with ``plain_exit``: its
function ended it with an error, or a session that it requires wasn't successful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the whole project, in ``[tool.setlist]``.

    ``default`` are the selectors of a bare ``run``, None if the sessions' own ``default`` key decides. The grace
    periods are in seconds: from an interrupt until a command is terminated, and from then until it is killed.
    ``lock_dir`` and ``env_dir`` are relative to the root; for empty ones :mod:`setlist.core.project` has the defaults.
    ``lock_platforms`` are the platforms of locks, empty for all. ``require_hashes`` refuses requirements that can carry
    no hash. ``lock_consistent`` asks for one version of each package across all locks. ``resources`` are the capacities
    of resources, 1 for those not listed.

    ``sources`` are the kinds of definitions to use, None if the existing files decide, and ``unused`` the files that
    aren't used. ``fail_fast``, ``jobs`` and ``output`` are those of ``run`` where its command line says nothing.
    Providers set the rest: whether a missing interpreter is an error (None: only in CI), and the ``pythons`` that
    sessions are limited to.
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
    jobs: str | None = None
    output: OutputMode | None = None
    error_on_missing: bool | None = None
    pythons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryIndex:
    """What can be looked up without loading sessions: by name, family, alias, tag and Python.

    ``families`` maps each session to its family, in the order of their definition. The others hold only sessions for
    which there is something: ``providers`` and ``aliases`` those that a provider defined; ``tags`` and ``pythons``
    those that have some; ``left_out`` those that a bare ``run`` leaves out, ``jobserver`` those that share the
    processors.
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
        """The index of loaded sessions."""
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
        """The provider of all sessions; empty if there are none, or they have no provider in common."""
        names = set(self.providers.values())
        return names.pop() if len(names) == 1 and len(self.providers) == len(self.families) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All sessions of a project, by name, in the order of their definition.

    There may be thousands, and a run uses few of them: each of ``sessions`` is loaded when it is used. The ``index``
    answers what can be answered without loading any.
    """

    sessions: Mapping[str, SessionSpec]
    settings: Settings = Settings()

    @cached_property
    def index(self) -> RegistryIndex:
        """The index of all sessions."""
        return RegistryIndex.of(self.sessions)

    @classmethod
    def with_index(cls, sessions: Mapping[str, SessionSpec], settings: Settings, index: RegistryIndex) -> Registry:
        """A registry whose index exists already."""
        registry = cls(sessions=sessions, settings=settings)
        registry.__dict__["index"] = index
        return registry

    def family(self, name: str) -> tuple[SessionSpec, ...]:
        """The sessions that one definition expanded to."""
        return tuple(self.sessions[member] for member in self.index.family(name))
