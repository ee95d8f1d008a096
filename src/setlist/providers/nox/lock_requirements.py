"""What a noxfile's session installs, as one declaration: what its lock is resolved from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from setlist.core.errors import SessionError
from setlist.core.model import EnvironmentSpec, SessionSpec
from setlist.core.project import Project
from setlist.core.records import replace
from setlist.environment.freeze import installed
from setlist.environment.install_args import InstallArgs, read_install
from setlist.environment.requirement_lines import install_words, normalised
from setlist.environment.state import read_state
from setlist.environment.virtualenv import site_packages
from setlist.runner.run_context import RunContext

_OF_NO_MATTER = frozenset(
    """
    -U --upgrade -q -qq --quiet -v --verbose --no-cache-dir --no-cache --disable-pip-version-check --no-input
    --progress-bar --force-reinstall --no-build-isolation --upgrade-strategy --prefer-binary --no-python-version-warning
    --use-pep517 --reinstall --no-warn-script-location --compile --no-compile --only-if-needed
    """.split()  # noqa: SIM905 - quotes would hide it
)
"""Options that don't change which versions are installed."""


class NotLockable(Exception):
    """What a session installs can't be said as one declaration; the text says why."""


def lockable(context: RunContext, session: SessionSpec) -> tuple[SessionSpec, str]:
    """See :meth:`setlist.providers.protocol.Provider.lockable`."""
    from setlist.providers.nox.sessions import collect_installs

    installs, reason = collect_installs(context, session)
    try:
        if reason is not None:
            raise NotLockable(reason)
        return declared(context.project, session, installs, context.caller.environ), ""
    except NotLockable as not_lockable:
        return from_environment(context.project, session), str(not_lockable)


def declared(
    project: Project, session: SessionSpec, installs: Sequence[Mapping[str, Any]], environ: Mapping[str, str]
) -> SessionSpec:
    """The session with an environment that declares what its function installs.

    Args:
        project: whose session it is.
        session: the session.
        installs: its installs: ``words``, ``env`` and ``cwd`` of each.
        environ: the caller's variables.

    Raises:
        NotLockable: that can't be said.
    """
    spec = EnvironmentSpec(python=session.environment.python, backend=session.environment.backend)
    for install in installs:
        words = install_words(install["words"])
        if words is None:
            raise NotLockable(f"{' '.join(install['words'])} isn't pip's or uv's")
        told = [name for name in install["env"] if name.startswith(("PIP_", "UV_"))]
        if told:
            raise NotLockable(f"an install of it sets {', '.join(told)}")
        spec = _with(spec, read_install(words, Path(install["cwd"]), environ), project)
    return replace(session, environment=spec)


def from_environment(project: Project, session: SessionSpec) -> SessionSpec:
    """The session with an environment that declares just what its environment holds now.

    Raises:
        SessionError: it has none.
    """
    directory = project.environment(session.name)
    state = read_state(directory)
    if state is None:
        raise SessionError(
            f"{session.name} has no finished environment to lock",
            hint=f"what it installs can't be told without running it: 'run {session.name}' makes it",
        )
    seeds = {name for step in state.steps if step.kind == "seed" for name in step.brought}
    lines = []
    for item in installed(site_packages(directory)):
        if normalised(item.name) in seeds or item.path is not None:
            continue
        version = f"=={item.version}"
        if item.url is not None:
            version = f" @ {item.url}" + (f"@{item.revision}" if item.revision else "")
        lines.append(f"{item.name}{version}")
    python = session.environment.python or ".".join(state.interpreter.version.split(".")[:2])
    spec = EnvironmentSpec(python=python, backend=session.environment.backend, deps=tuple(lines))
    return replace(session, environment=spec)


def _with(spec: EnvironmentSpec, install: InstallArgs, project: Project) -> EnvironmentSpec:
    """A declaration, and one more install beside it."""
    if install.elsewhere or install.unread or install.projects or install.extras:
        raise NotLockable("an install of it is about more than requirements")
    index = spec.index_url
    for option in install.options:
        if option.option in ("-i", "--index-url", "--default-index"):
            index = option.value
        elif option.option not in _OF_NO_MATTER:
            raise NotLockable(f"an install of it has the option {option.words[0]}")
    deps = [*spec.deps]
    mode, extras = spec.project, list(spec.extras)
    for requirement in install.requirements:
        if requirement.file is not None:
            continue  # the file is named instead
        if requirement.path is None:
            deps.append(requirement.line)
        elif requirement.path == project.root:
            mode = "editable" if requirement.editable or mode == "editable" else "wheel"
            extras += [extra for extra in requirement.extras if extra not in extras]
        else:
            path = os.path.relpath(requirement.path, project.root).replace(os.sep, "/")
            path = path if path.startswith(".") else f"./{path}"
            deps.append(f"{'-e ' if requirement.editable else ''}{path}{requirement.brackets}")
    for file, _ in install.groups:
        if file != project.root / "pyproject.toml":
            raise NotLockable(f"an install of it names a group of {project.relative(file)}")
    return replace(
        spec,
        deps=tuple(dict.fromkeys(deps)),
        groups=tuple(dict.fromkeys([*spec.groups, *(group for _, group in install.groups)])),
        requirements=_files(spec.requirements, install.requirement_files, project),
        constraints=_files(spec.constraints, install.constraint_files, project),
        project=mode,
        extras=tuple(extras),
        index_url=index,
    )


def _files(known: Sequence[str], paths: Sequence[Path], project: Project) -> tuple[str, ...]:
    relative = [os.path.relpath(path, project.root).replace(os.sep, "/") for path in paths]
    return tuple(dict.fromkeys([*known, *relative]))
