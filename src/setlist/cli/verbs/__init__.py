"""The verbs of ``setlist``, one module each, imported when it is used.

A verb's module defines ``USAGE`` (its command line, without ``setlist``), ``OPTIONS`` and ``run(arguments, context)``,
which returns the exit code. Its docstring is its help text. ``WORDS_BEFORE_REST`` is defined if the rest of the
command line belongs to another program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.cli.options import Arguments, Option


class Verb(Protocol):
    """The protocol of a verb's module."""

    __doc__: str
    USAGE: str
    OPTIONS: tuple[Option, ...]

    def run(self, arguments: Arguments, context: Context) -> int: ...


def load_verb(name: str) -> Verb:
    """The module of a verb, imported."""
    from importlib import import_module

    # "import" is a keyword
    module = f"{name}_" if name == "import" else name
    return cast("Verb", import_module(f"setlist.cli.verbs.{module}"))


def run_verb(name: str, argv: Sequence[str], context: Context) -> int:
    """Parse a verb's command line and run it.

    Raises:
        SetlistError: an error to print.
    """
    from setlist.cli.options import UnknownOption, help_text, parse

    verb = load_verb(name)
    before: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
    try:
        arguments = parse(argv, verb.OPTIONS, command=f"setlist {name}", words_before_rest=before)
    except UnknownOption as error:
        if " -- " in verb.USAGE and not error.near:
            from shlex import join

            passed_on = ["setlist", name, *argv[: error.position], "--", *argv[error.position :]]
            error.hint = f"what is passed on comes after '--': {join(passed_on)}"
        raise
    if arguments.flag("help"):
        context.out.write(help_text(f"setlist {verb.USAGE}", verb.__doc__.strip(), verb.OPTIONS))
        return 0
    context.apply_options(arguments)
    return verb.run(arguments, context)
