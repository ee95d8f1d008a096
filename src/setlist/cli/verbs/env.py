"""Show the path of a session's environment, and how to activate it.

For editors: the interpreter with --python. For a shell: eval "$(setlist env SESSION --activate)".
Nothing is created or changed: 'run SESSION' creates the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from setlist.cli.options import COMMON, JSON, Arguments, Option
from setlist.core.errors import SessionError, UsageError, nearest

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.environment.activation import ShellKind

USAGE = "env SESSION [--activate [--shell KIND] | --python | --json]"
OPTIONS = (
    Option("activate", "print only the command that activates it"),
    Option(
        "shell",
        "the kind of shell to activate it in, if not the current one",
        None,
        "KIND",
        ("bash", "zsh", "fish", "csh", "nushell", "powershell", "cmd", "xonsh", "sh"),
    ),
    Option("python", "print only the path of its interpreter"),
    JSON,
    *COMMON,
)

FORMAT = 1


def run(arguments: Arguments, context: Context) -> int:
    """Print the path, the activation command or all of them to stdout."""
    from setlist.core.system import bin_directory, python_of
    from setlist.environment.activation import activation_command
    from setlist.environment.state import read_state

    requested = [name for name in ("activate", "python", "json") if arguments.flag(name)]
    if len(requested) > 1:
        raise UsageError(f"--{requested[0]} and --{requested[1]} exclude each other")
    session = context.select_one(arguments.words, verb="env")
    if session.environment.backend == "none":
        raise SessionError(f"{session.name} has no environment of its own", hint='its backend is "none"')
    directory = context.project.environment(session.name)
    state = read_state(directory)
    if state is None:
        raise SessionError(f"{session.name} has no finished environment", hint=f"'run {session.name}' makes it")
    out = context.out
    python = python_of(directory)
    if arguments.flag("python"):
        out.line(str(python))
        return 0
    activate = activation_command(directory, _shell(arguments.value("shell"), context))
    if arguments.flag("activate"):
        out.line(activate)
        return 0
    facts = {
        "directory": str(directory),
        "python": str(python),
        "bin": str(bin_directory(directory)),
        "interpreter": state.interpreter.label,
        "frozen": str(directory / "requirements.txt"),
        "activate": activate,
    }
    if arguments.flag("json"):
        import json

        out.lines(json.dumps({"format": FORMAT, "name": session.name, **facts}, indent=2, ensure_ascii=False))
        return 0
    width = max(map(len, facts))
    for name, fact in facts.items():
        out.line(f"{name:<{width}}  {fact}")
    return 0


def _shell(written: str | None, context: Context) -> ShellKind:
    from setlist.environment import activation

    if written is None:
        return activation.detect_shell(context.caller.environ, activation.calling_shell())
    kind = activation.kind_of_shell(written)
    if kind is not None:
        return kind
    kinds: tuple[ShellKind, ...] = get_args(activation.ShellKind)
    for kind in kinds:
        if kind == written:
            return kind
    near = nearest(written, kinds)
    hint = f"did you mean {near!r}?" if near else f"choose from {', '.join(kinds)}"
    raise UsageError(f"unknown shell {written!r}", hint=hint)
