"""Print the job matrix of a CI, made from the sessions of the project.

'setlist ci matrix' has a job for each session, or with --shards one for each shard: 'run --shard K/N' runs it.
Without a SESSION, those of a bare 'run'. Interactive sessions are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setlist.cli.options import COMMON, Arguments, Option
from setlist.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setlist.cli.ci_matrix import Job
    from setlist.cli.context import Context
    from setlist.core.model import SessionSpec

USAGE = "ci matrix [SESSION…] [--github | --gitlab | --json]"
OPTIONS = (
    Option("github", "one line of JSON for a GitHub workflow: strategy.matrix takes it by fromJSON"),
    Option("gitlab", "YAML for a GitLab child pipeline: a job '.setlist' to extend"),
    Option("json", "as JSON"),
    Option("shards", "split the sessions among N jobs, by duration", None, "N"),
    Option("os", "what the jobs run on, as in --os ubuntu-latest,macos-latest; may be repeated", None, "NAME"),
    Option("keyword", "only sessions that match, as in 'lint or (test and not py310)'", "k", "EXPR"),
    Option("tag", "only sessions with this tag; may be repeated", "t", "TAG"),
    Option("python", "only sessions on this Python; may be repeated", "p", "VERSION"),
    *COMMON,
)

FORMS = ("github", "gitlab", "json")
ABOUT = ("matrix",)

DEFAULT_SYSTEM = "ubuntu-latest"
"""What a job on GitHub runs on: it can't be left out there."""


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
        raise UsageError("'setlist ci' isn't told what to print", hint="write: setlist ci matrix")
    about = arguments.words[0]
    if about not in ABOUT:
        near = nearest(about, ABOUT)
        raise UsageError(
            f"'setlist ci' knows no {about!r}", hint=f"did you mean {near!r}?" if near else "write: setlist ci matrix"
        )


def _systems(arguments: Arguments) -> tuple[str, ...]:
    names = (name.strip() for value in arguments.values("os") for name in value.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _jobs(arguments: Arguments, context: Context, systems: Sequence[str]) -> tuple[Job, ...]:
    from setlist.cli.ci_matrix import session_jobs, shard_jobs
    from setlist.cli.sharding import shared_durations, without_interactive

    sessions = without_interactive(context, _selected(arguments, context))
    if not sessions:
        raise UsageError("there is no session to run without a terminal")
    count = arguments.value("shards")
    if count is None:
        return session_jobs(sessions, context.registry, systems)
    return shard_jobs(sessions, context.registry, systems, shared_durations(context), _number(count))


def _selected(arguments: Arguments, context: Context) -> tuple[SessionSpec, ...]:
    from setlist.registry.select import select

    sessions = select(
        context.registry,
        arguments.words[1:],
        keyword=arguments.value("keyword"),
        tags=arguments.values("tag"),
        pythons=arguments.values("python"),
    )
    if not sessions:
        raise UsageError("there is no session to run", hint="'run --list' shows the sessions")
    return sessions


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= 9999):
        raise UsageError(f"--shards: {text!r} is no number of shards", hint="write --shards 5")
    return int(text)


def _warn_of_many(context: Context, form: str, count: int) -> None:
    from setlist.cli.ci_matrix import GITHUB_LIMIT, GITLAB_LIMIT

    system, limit = {"github": ("GitHub", GITHUB_LIMIT), "gitlab": ("GitLab", GITLAB_LIMIT)}.get(form, ("", count))
    if count > limit:
        context.err.line(f"{system} takes {limit} jobs in a matrix, and here are {count}: --shards N makes fewer")


def _print(context: Context, form: str, jobs: Sequence[Job]) -> None:
    import json

    from setlist.cli.ci_matrix import as_github, as_gitlab, as_json
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
