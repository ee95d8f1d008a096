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
    from setlist.cli.options import help_text, parse

    verb = load_verb(name)
    before: int | None = getattr(verb, "WORDS_BEFORE_REST", None)
    arguments = parse(argv, verb.OPTIONS, command=f"setlist {name}", words_before_rest=before)
    if arguments.flag("help"):
        context.out.write(help_text(f"setlist {verb.USAGE}", verb.__doc__.strip(), verb.OPTIONS))
        return 0
    context.apply_options(arguments)
    return verb.run(arguments, context)
