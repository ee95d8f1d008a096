"""Plan one command of a session: what exactly is started, and whether it may be."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from setlist.core import system
from setlist.core.errors import CommandRefused, SessionError, nearest
from setlist.core.model import Command, Pairs, SessionSpec
from setlist.core.plugins import find_provider
from setlist.core.project import Project
from setlist.core.records import dataclass, field, replace
from setlist.engine.execute import Attempt
from setlist.engine.plan import PlannedCommand
from setlist.environment.environ import session_environ
from setlist.registry.substitution import Values, expand_text, expand_words

if TYPE_CHECKING:
    from setlist.environment.prepared import PreparedEnvironment
    from setlist.runner.output import SessionOutput
    from setlist.runner.tempdir import Temporary


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAttempt(Attempt):
    """One try of a session by its definition: what its commands are planned from.

    ``environ`` is all that they see, the session's ``env`` included; ``bin`` the directories of the
    session's own programs, empty where it has no environment of its own and any program may be run.
    ``cwd`` is where they start. ``from_files`` are the variables of the files that ``env-file`` names.
    """

    project: Project
    session: SessionSpec
    output: SessionOutput
    bin: tuple[Path, ...]
    environ: Mapping[str, str]
    values: Values
    cwd: Path
    from_files: Mapping[str, str] = field(default_factory=dict)


def session_variables(
    caller_environ: Mapping[str, str],
    project: Project,
    session: SessionSpec,
    prepared: PreparedEnvironment,
    *,
    temporary: Temporary | None,
    posargs: tuple[str, ...] = (),
    assigned: Mapping[str, str] | None = None,
    from_files: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], Values]:
    """The environment variables that a session's commands see, and the values of placeholders.

    Args:
        caller_environ: the variables of setlist's caller.
        project: the session's project.
        session: the session.
        prepared: its environment.
        temporary: the directory ``{tmp}``, made if a template names it. None: ``{tmp}`` isn't substituted.
        posargs: the words after ``--``.
        assigned: variables that the run sets for this session. The session's ``env`` overrides them.
        from_files: those of the files that ``env-file`` names. What the caller sets overrides them.

    Raises:
        SubstitutionError: a variable that ``env`` needs isn't set.
    """
    if session.provider:
        environ: dict[str, str] = find_provider(session.provider).variables(session, caller_environ, prepared.directory)
    else:
        environ = session_environ(
            caller_environ, directory=prepared.directory, name=session.name, inherit_env=session.inherit_env
        )
    environ = {**(from_files or {}), **environ}
    environ.update(assigned or {})
    uses_tmp = "{tmp}" in templates_of(session)
    values = Values(
        session=session.name,
        python=".".join(prepared.interpreter.version.split(".")[:2]),
        project=str(project.root),
        envdir=str(prepared.directory or prepared.python.parent.parent),
        tmp="{tmp}" if temporary is None else str(temporary.path if uses_tmp else temporary.unmade),
        posargs=posargs,
        # {env:NAME} also reads what inherit-env holds back: that is how a single variable is passed on
        environ={**caller_environ, **environ},
        axes=dict(session.axes),
    )
    own = expand_env(session.env, values)
    return {**environ, **own}, replace(values, environ={**values.environ, **own})


def templates_of(session: SessionSpec) -> str:
    """Every text of the session that may hold a placeholder."""
    texts = [value for _, value in session.env] + [session.cwd or ""]
    for command in session.commands:
        texts += [*command.words, *(value for _, value in command.env), command.cwd or "", command.stdout or ""]
    return "\n".join(texts)


def expand_env(pairs: Pairs, values: Values) -> dict[str, str]:
    """The variables of an ``env`` table. Each sees, by ``{env:NAME}``, those before it."""
    expanded: dict[str, str] = {}
    for name, template in pairs:
        seen = replace(values, environ={**values.environ, **expanded}) if expanded else values
        expanded[name] = expand_text(template, seen)
    return expanded


def working_directory(written: str | Path | None, base: Path, project: Project) -> Path:
    """The directory that a command starts in.

    Raises:
        SessionError: it isn't there.
    """
    path = base if written is None else Path(os.path.normpath(base / written))
    if not path.is_dir():
        what = "isn't a directory" if path.exists() else "doesn't exist"
        raise SessionError(f"the directory {project.relative(path)} {what}", hint="it was named as cwd")
    return path


def plan_command(command: Command, attempt: SessionAttempt) -> PlannedCommand:
    """What one of the session's declared commands comes to.

    Raises:
        SubstitutionError: a variable that it needs isn't set.
        CommandRefused: it isn't in the environment.
        SessionError: its directory isn't there.
    """
    environ, values = attempt.environ, attempt.values
    if command.env:
        own = expand_env(command.env, values)
        environ = {**environ, **own}
        attempt.output.hide(environ)
        values = replace(values, environ={**values.environ, **own})
    cwd = attempt.cwd
    if command.cwd is not None:
        cwd = working_directory(expand_text(command.cwd, values), attempt.cwd, attempt.project)
    argv: Sequence[str]
    if command.shell:
        line = expand_text(command.words[0], values)
        words: tuple[str, ...] = (line,)
        argv = shell_line(line, environ)
    else:
        words = expand_words(command.words, values)
        if not words or not words[0]:
            raise CommandRefused(
                "a command is empty after substitution",
                where=str(attempt.session.origin),
                hint="give it arguments after '--', or a default: {posargs:...}",
            )
        argv = (find_program(words, attempt.session, attempt.bin, cwd, environ), *words[1:])
    return PlannedCommand(
        words=words,
        argv=argv,
        environ=environ,
        cwd=cwd,
        ok_codes=command.ok_codes,
        allow_failure=command.allow_failure,
        stdout=None if command.stdout is None else cwd / expand_text(command.stdout, values),
    )


def shell_line(line: str, environ: Mapping[str, str], *, windows: bool = system.WINDOWS) -> Sequence[str]:
    """How a line is given to the system's shell."""
    if windows:
        # cmd has quoting rules of its own: with /s it takes away the outermost quotes and nothing else
        return f'{environ.get("COMSPEC", "cmd.exe")} /d /s /c "{line}"'
    return ("/bin/sh", "-c", line)


def find_program(
    words: Sequence[str],
    session: SessionSpec,
    bin_directories: Sequence[Path],
    cwd: Path,
    environ: Mapping[str, str],
    *,
    external: bool = False,
    windows: bool = system.WINDOWS,
) -> str:
    """The program that a command's first word means.

    Args:
        words: the command.
        session: whose it is.
        bin_directories: the environment's own programs; empty where the session has no environment of its own.
        cwd: where it starts: a word with a path separator is relative to it.
        environ: what it sees; its PATH is searched for programs from outside.
        external: whether one from outside of the environment is fine, whatever the session says.
        windows: the platform's rules.

    Raises:
        CommandRefused: it is neither in the environment nor named in ``external``.
    """
    program = words[0]
    if windows and ("/" in program or "\\" in program):
        return str(cwd / program)  # which CreateProcess would take relative to our own directory
    if "/" in program:
        return program
    for directory in bin_directories:
        if found := _program_in(directory, program, environ, windows):
            return found
    if bin_directories and not external and not any(fnmatchcase(program, pattern) for pattern in session.external):
        raise _refused(program, session.name, bin_directories)
    if windows:
        # CreateProcess searches our PATH, not the child's, and knows nothing of PATHEXT
        import shutil

        return shutil.which(program, path=environ.get("PATH", environ.get("Path"))) or program
    return program


def _program_in(directory: Path, program: str, environ: Mapping[str, str], windows: bool) -> str | None:
    path = os.path.join(directory, program)
    if windows:
        endings = environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")
        named = [ending for ending in endings if program.lower().endswith(ending.lower())]
        candidates = [path] if named else [path + ending.lower() for ending in endings]
        return next((candidate for candidate in candidates if os.path.isfile(candidate)), None)
    return path if os.path.isfile(path) and os.access(path, os.X_OK) else None


def _refused(program: str, name: str, bin_directories: Sequence[Path]) -> CommandRefused:
    if " " in program:
        # a whole line where a word is expected, as in s.run("pytest -x")
        from setlist.registry.shell_syntax import shell_syntax

        hint = f"give each word separately: {', '.join(map(repr, program.split()))}"
        if shell_syntax(program) is not None:
            hint = "no shell reads it: run each command by itself, or the program sh with -c and the line"
        return CommandRefused(
            f"{program!r} isn't in the environment of {name}", hint=f"it is one word, spaces and all; {hint}"
        )
    there: list[str] = []
    for directory in bin_directories:
        with suppress(OSError):
            there += os.listdir(directory)
    near = nearest(program, there)
    hint = f'add what brings it to deps, or, if it is meant to come from outside, to external = ["{program}"]'
    if near is not None:
        hint = f"did you mean {near!r}? Otherwise: {hint}"
    return CommandRefused(f"{program!r} isn't in the environment of {name}", hint=hint)
