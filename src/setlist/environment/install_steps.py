"""Read the recorded steps by which a session's function changed its environment, and the commands of such steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from setlist.core.logins import masked
from setlist.core.model import InputChange
from setlist.core.records import load
from setlist.environment.context import EnvironmentContext
from setlist.environment.install_args import RequestedDistribution, Sources, inputs_of, read_install
from setlist.environment.requirement_lines import install_words
from setlist.environment.state import State, Step

_INSTALLERS = (
    ("uv", "sync"), ("uv", "pip", "sync"), ("pip-sync",), ("poetry", "install"), ("poetry", "sync"), ("pdm", "install"),
    ("pdm", "sync"), ("pipenv", "install"), ("pipenv", "sync"),
)  # fmt: skip
"""Commands that install, beside pip's and uv's: they look at an environment only to change it."""


def stale_by_commands(state: State, root: Path, environ: Mapping[str, str]) -> str | None:
    """A command whose installs can't be read, if files of the project have changed since it ran.

    It will run again, but what it no longer installs would stay: the environment has to be recreated.
    """
    from setlist.engine.source_tree import digest_sources

    unread = [step for step in state.steps if step.sources and step.brought]
    now = digest_sources(root, environ) if unread else ""
    return next((" ".join(step.words) for step in unread if step.sources != now), None)


def installs_then_and_now(context: EnvironmentContext, state: State) -> tuple[InputChange, ...]:
    """The installs that a session's function made last time, and whether the files that they name have changed.

    Whether it would make the same installs again, only the function knows.
    """
    changes = []
    for step in state.steps:
        words = install_words(step.words)
        if step.kind == "seed" or words is None or not step.there:
            continue
        cwd = context.project.root / step.inputs.get("directory", "")
        args = read_install(words, cwd, context.caller.environ)
        now = inputs_of(args, Sources(step.known, context.environ), step.compiled)
        then = {name: value for name, value in step.inputs.items() if name in now or not name.startswith("variable ")}
        then.pop("directory", None)
        changed = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
        files = ", ".join(context.project.relative(name.rpartition(" ")[2]) for name in changed)
        new = f"{files} changed" if changed else "as recorded"
        changes.append(InputChange(" ".join(step.words), "as recorded", new, bool(changed)))
    return tuple(changes)


def roots_of_step(step: Step) -> list[RequestedDistribution]:
    """The distributions that a step requested."""
    return load(list[RequestedDistribution], list(step.roots or ()))


def recorded_command(command: Sequence[str]) -> tuple[str, ...]:
    """A command as it is recorded: with its program's name, since uv may be named by its path, and without logins."""
    name = os.path.basename(command[0])
    return ("uv" if name in ("uv", "uv.exe") else command[0], *map(masked, command[1:]))


def is_exact(words: Sequence[str]) -> bool:
    """Whether a command uninstalls what it no longer installs."""
    if tuple(words[:3]) == ("uv", "pip", "sync"):
        return True
    return tuple(words[:2]) == ("uv", "sync") and "--inexact" not in words


def only_installs(words: Sequence[str]) -> bool:
    """Whether a command only installs: it needn't see the environment of a fresh run."""
    named = (os.path.basename(words[0]).removesuffix(".exe"), *words[1:])
    return install_words(words) is not None or any(named[: len(installer)] == installer for installer in _INSTALLERS)


def are_tangled(steps: Sequence[Step]) -> bool:
    """Whether a later step changed what an installing command had installed, which runs each time."""
    return any(
        not step.brought.keys().isdisjoint(later.overrides)
        for place, step in enumerate(steps)
        if step.kind == "run"
        for later in steps[place + 1 :]
    )
