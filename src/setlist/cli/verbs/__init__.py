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
    from setlist.cli.options import help_text, parse

    verb = load_verb(name)
    before: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
    arguments = parse(argv, verb.OPTIONS, command=f"setlist {name}", words_before_rest=before)
    if arguments.flag("help"):
        context.out.write(help_text(f"setlist {verb.USAGE}", verb.__doc__.strip(), verb.OPTIONS))
        return 0
    context.apply_options(arguments)
    return verb.run(arguments, context)
