"""The verbs of ``setlist``, one module each, loaded when it is used.

A verb's module has ``USAGE`` (its command line, after ``setlist``), ``OPTIONS`` and
``run(arguments, context) -> exit code``; its docstring is its help. ``WORDS_BEFORE_REST`` is there
where its command line holds another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.options import Arguments, Option

VERBS: dict[str, str] = {
    "run": "run sessions: the same as the command 'run'",
    "list": "show the sessions",
    "why": "what an environment was made from, and what has changed since",
    "lock": "write lock files: exact versions and hashes, one file a session",
    "fetch": "download what locks name, for machines without a network",
    "ci": "the job matrix of a CI, made from the sessions",
    "export": "a session's lock as a requirements file, as pylock, or as a CycloneDX BOM",
    "freeze": "the exact versions that sessions run with, as requirements files",
    "shell": "a subshell with a session's environment activated",
    "exec": "run a command in a session's environment",
    "env": "where a session's environment lies, and how to activate it",
    "last": "what a session printed when it last ran",
    "history": "the past runs: when, how long, what failed, what is flaky",
    "clean": "remove environments",
    "doctor": "what is wrong with this set-up, and what to do",
    "nox": "run a noxfile's sessions by nox's own command line",
    "import": "write what a noxfile defines as [tool.setlist]",
    "init": "write a first [tool.setlist] for this project",
}
"""Every verb with its line of help, in the order in which they are shown."""


class Verb(Protocol):
    """What a verb's module looks like."""

    __doc__: str
    USAGE: str
    OPTIONS: tuple[Option, ...]

    def run(self, arguments: Arguments, context: Context) -> int: ...


def load_verb(name: str) -> Verb:
    """The module of a verb, imported."""
    from importlib import import_module

    # a keyword can't name a module
    module = f"{name}_" if name == "import" else name
    return cast("Verb", import_module(f"setlist.cli.verbs.{module}"))


def run_verb(name: str, argv: Sequence[str], context: Context) -> int:
    """Read a verb's command line and carry it out.

    Raises:
        SetlistError: what the user is told instead.
    """
    from setlist.cli.options import parse

    verb = load_verb(name)
    before: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
    arguments = parse(argv, verb.OPTIONS, command=f"setlist {name}", words_before_rest=before)
    if arguments.flag("help"):
        from setlist.cli.help import verb_help

        context.out.write(verb_help(verb.USAGE, verb.__doc__.strip(), verb.OPTIONS))
        return 0
    context.take(arguments)
    return verb.run(arguments, context)
