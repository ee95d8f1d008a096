"""Print a CI job matrix made from the sessions.

'setlist ci matrix' has one job per session, or with --shards one per shard, which 'run --shard K/N' runs.
Without a SESSION, the default sessions are used. Interactive sessions are left out.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from setlist.cli.options import COMMON, Arguments, Option
from setlist.cli.selection import FILTERS, filtered, shared_durations, without_interactive
from setlist.core.errors import UsageError, nearest
from setlist.core.model import Registry, SessionSpec
from setlist.core.records import dataclass
from setlist.environment.interpreter_spec import Request, parse_request
from setlist.scheduling.shards import shards

if TYPE_CHECKING:
    from setlist.cli.context import Context

USAGE = "ci matrix [SESSION…] [--github | --gitlab | --json]"
OPTIONS = (
    Option("github", "print one line of JSON for a GitHub workflow: strategy.matrix reads it with fromJSON"),
    Option("gitlab", "print YAML for a GitLab child pipeline: a job '.setlist' to extend"),
    Option("json", "print JSON"),
    Option("shards", "split the sessions among N jobs, by duration", None, "N"),
    Option("os", "what the jobs run on, e.g. --os ubuntu-latest,macos-latest; may be repeated", None, "NAME"),
    *FILTERS,
    *COMMON,
)

FORMAT = 1

GITHUB_LIMIT = 256
"""The maximum number of jobs of a GitHub matrix."""
GITLAB_LIMIT = 200
"""The maximum number of jobs of a GitLab ``parallel:matrix``."""

_LATEST = 40
"""The search for a minor version ends here."""
_FIRST_FREE_THREADED = 13

FORMS = ("github", "gitlab", "json")
ABOUT = ("matrix",)

DEFAULT_SYSTEM = "ubuntu-latest"
"""What a job on GitHub runs on by default; GitHub requires a value."""


def run(arguments: Arguments, context: Context) -> int:
    """Print the matrix on stdout."""
    _check_about(arguments)
    forms = [form for form in FORMS if arguments.flag(form)]
    if len(forms) > 1:
        raise UsageError(f"--{forms[0]} and --{forms[1]} exclude each other")
    form = forms[0] if forms else "table"
    systems = _systems(arguments)
    if not systems and form == "github":
        systems = (DEFAULT_SYSTEM,)
    jobs = _jobs(arguments, context, systems)
    _warn_of_many(context, form, len(jobs))
    _print(context, form, jobs)
    return 0


def _check_about(arguments: Arguments) -> None:
    if not arguments.words:
        raise UsageError("'setlist ci' needs the word 'matrix'", hint="write: setlist ci matrix")
    about = arguments.words[0]
    if about not in ABOUT:
        near = nearest(about, ABOUT)
        raise UsageError(
            f"'setlist ci' can't print {about!r}",
            hint=f"did you mean {near!r}?" if near else "write: setlist ci matrix",
        )


def _systems(arguments: Arguments) -> tuple[str, ...]:
    names = (name.strip() for value in arguments.values("os") for name in value.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _jobs(arguments: Arguments, context: Context, systems: Sequence[str]) -> tuple[Job, ...]:
    sessions = filtered(arguments, context, arguments.words[1:])
    if not sessions:
        raise UsageError("there is no session to run", hint="'run --list' shows the sessions")
    sessions = without_interactive(context, sessions)
    if not sessions:
        raise UsageError("all selected sessions are interactive: they need a terminal")
    count = arguments.value("shards")
    if count is None:
        return session_jobs(sessions, context.registry, systems)
    return shard_jobs(sessions, context.registry, systems, shared_durations(context), _number(count))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= 9999):
        raise UsageError(f"--shards: {text!r} is not a number of shards", hint="write --shards 5")
    return int(text)


def _warn_of_many(context: Context, form: str, count: int) -> None:
    system, limit = {"github": ("GitHub", GITHUB_LIMIT), "gitlab": ("GitLab", GITLAB_LIMIT)}.get(form, ("", count))
    if count > limit:
        context.err.line(
            f"{system} accepts {limit} jobs in a matrix, and this one has {count}: reduce it with --shards N"
        )


def _print(context: Context, form: str, jobs: Sequence[Job]) -> None:
    from setlist.cli.listing import print_columns

    if form == "github":
        context.out.lines(json.dumps(as_github(jobs), separators=(",", ":")))
    elif form == "gitlab":
        context.out.write(as_gitlab(jobs))
    elif form == "json":
        context.out.lines(json.dumps(as_json(jobs), indent=2, ensure_ascii=False))
    else:
        head = ("shard", "session" if jobs[0].shard is None else "sessions", "python", "os")
        rows = [(job.shard or "", " ".join(job.sessions), " ".join(job.pythons), job.os or "") for job in jobs]
        print_columns(context, head, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of the matrix: a session, or a ``shard`` (``2/5``) with its ``sessions``.

    ``pythons`` are the versions that it needs, including those of required sessions; its own is the last. ``os`` is
    what it runs on, None if not specified.
    """

    sessions: tuple[str, ...]
    pythons: tuple[str, ...]
    os: str | None
    shard: str | None = None


def session_jobs(sessions: Sequence[SessionSpec], registry: Registry, systems: Sequence[str]) -> tuple[Job, ...]:
    """One job per session and system. A session with an axis ``os`` runs only on its own value.

    Raises:
        ConfigurationError: a request for an interpreter is malformed.
    """
    jobs = []
    for session in sessions:
        own = dict(session.axes).get("os")
        pythons = _pythons(registry, [session])
        jobs += [
            Job(sessions=(session.name,), pythons=pythons, os=system)
            for system in ((own,) if own is not None else systems or (None,))
        ]
    return tuple(jobs)


def shard_jobs(
    sessions: Sequence[SessionSpec],
    registry: Registry,
    systems: Sequence[str],
    durations: Mapping[str, float],
    n: int,
) -> tuple[Job, ...]:
    """One job per shard and system. Empty shards are left out.

    Raises:
        ConfigurationError: a request for an interpreter is malformed.
    """
    return tuple(
        Job(
            sessions=tuple(session.name for session in members),
            pythons=_pythons(registry, members),
            os=system,
            shard=f"{k}/{n}",
        )
        for k, members in enumerate(shards(sessions, registry, durations, n), start=1)
        if members
        for system in systems or (None,)
    )


def as_github(jobs: Iterable[Job]) -> dict[str, Any]:
    """The value of ``strategy.matrix``. ``pythons`` has one version a line, as actions/setup-python spells it."""
    include: list[dict[str, str | None]] = []
    for job in jobs:
        pythons = tuple(map(for_setup_python, job.pythons))
        if job.shard is None:
            entry = {"session": job.sessions[0], "python": pythons[-1]}
        else:
            entry = {"shard": job.shard, "sessions": " ".join(job.sessions)}
        include.append({**entry, "pythons": "\n".join(pythons), "os": job.os})
    return {"include": include}


def as_gitlab(jobs: Iterable[Job]) -> str:
    """YAML that a child pipeline includes: a hidden job ``.setlist`` with ``parallel:matrix``, to be extended."""
    lines = ["# written by 'setlist ci matrix --gitlab'", ".setlist:", "  parallel:", "    matrix:"]
    for job in jobs:
        if job.shard is None:
            variables = {"SESSION": job.sessions[0], "PYTHON": job.pythons[-1]}
        else:
            variables = {"SHARD": job.shard, "SESSIONS": " ".join(job.sessions)}
        variables["PYTHONS"] = " ".join(job.pythons)
        if job.os is not None:
            variables["RUNS_ON"] = job.os
        # JSON is YAML, with unambiguous quoting
        lines.append(f"      - {json.dumps(variables)}")
    return "\n".join(lines) + "\n"


def as_json(jobs: Iterable[Job]) -> dict[str, Any]:
    """The matrix as JSON-ready data, for other systems."""
    entries: list[dict[str, Any]] = []
    for job in jobs:
        if job.shard is None:
            entry: dict[str, Any] = {"session": job.sessions[0], "python": job.pythons[-1]}
        else:
            entry = {"shard": job.shard, "sessions": list(job.sessions)}
        entries.append({**entry, "pythons": list(job.pythons), "os": job.os})
    return {"format": FORMAT, "jobs": entries}


def for_setup_python(version: str) -> str:
    """A version as actions/setup-python spells it: ``pypy-3.11``."""
    return re.sub(r"^(pypy|graalpy)(?=\d)", r"\1-", version)


def version_for(request: str | None) -> str:
    """The Python version that a CI job installs for a request: ``3.12``, ``3.13t``, ``pypy3.11``.

    For a range: the lowest minor version in it; without a lower bound, the highest one that isn't later than the Python
    that setlist runs on. For no request, and for a path: the version that setlist runs on.

    Raises:
        ConfigurationError: the request is malformed.
    """
    if request is None:
        return _own()
    spec = parse_request(request)
    if spec.path is not None:
        return _own()
    release = ".".join(map(str, spec.release)) or "3"
    if spec.specifier is not None:
        release = f"3.{_minor(spec, spec.specifier)}"
    name = "" if spec.implementation == "cpython" else spec.implementation
    return f"{name}{release}{'t' if spec.free_threaded else ''}"


def _own() -> str:
    name = "" if sys.implementation.name == "cpython" else sys.implementation.name
    threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{name}{sys.version_info.major}.{sys.version_info.minor}{threaded}"


def _minor(spec: Request, specifier: str) -> int:
    own = sys.version_info.minor
    lowest = _FIRST_FREE_THREADED if spec.free_threaded else 0
    # '>=3' isn't a lower bound: nobody means 3.0
    bounded = re.search(r"(?:>=?|~=|===?)\s*3\.\d", specifier) is not None
    first = range(lowest, _LATEST) if bounded else range(own, lowest - 1, -1)
    return next((minor for minor in (*first, *range(own, _LATEST)) if spec.accepts_release((3, minor))), own)


def _pythons(registry: Registry, sessions: Sequence[SessionSpec]) -> tuple[str, ...]:
    """The versions that sessions and their required sessions need; that of the first session is the last."""
    entered: set[str] = set()
    pending = [session.name for session in reversed(sessions)]
    versions: dict[str, None] = {}
    while pending:
        name = pending.pop()
        if name not in entered:
            entered.add(name)
            session = registry.sessions[name]
            versions[version_for(session.environment.python)] = None
            pending.extend(reversed(session.requires))
    return tuple(reversed(versions))
