"""``setlist VERB …``: find the verb and run it."""

from __future__ import annotations

from collections.abc import Sequence

from setlist.cli.context import Context
from setlist.cli.error_handler import run_cli
from setlist.cli.options import COMMON, HELP, VERBS, Option, help_text
from setlist.cli.verbs import run_verb
from setlist.core.errors import SetlistError, UsageError, nearest

ABOUT = "A session runner for Python projects. 'run SESSION' runs sessions; the verbs do the rest."
OPTIONS = (Option("version", "show the version and exit", "V"), HELP)


def main(argv: Sequence[str] | None = None, context: Context | None = None) -> int:
    """The ``setlist`` command. Returns the exit code."""
    import sys

    return run_cli(dispatch, sys.argv[1:] if argv is None else argv, context or Context.current())


def dispatch(argv: Sequence[str], context: Context) -> int:
    """Run the verb with the rest of the command line.

    Raises:
        SetlistError: an error to print.
    """
    first = argv[0] if argv else "--help"
    if first == "run":
        from setlist.cli.run import run

        return run(argv[1:], context)
    if first in VERBS:
        return run_verb(first, argv[1:], context)
    if first in ("-h", "--help", "help"):
        if len(argv) > 1 and not argv[1].startswith("-"):  # help lock
            return dispatch((argv[1], "--help"), context)
        context.out.write(_help())
        # a script that calls setlist without a verb is wrong
        return 0 if argv else 2
    if first in ("-V", "--version"):
        from setlist import __version__

        context.out.line(f"setlist {__version__}")
        return 0
    raise _unknown(argv, context)


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = [f"  {name:<{width}}  {summary}" for name, summary in VERBS.items()]
    return help_text(
        "setlist VERB …",
        ABOUT,
        OPTIONS,
        verbs=verbs,
        end="'setlist VERB --help' explains a verb.",
    )


def _unknown(argv: Sequence[str], context: Context) -> UsageError:
    from setlist.cli.run import OPTIONS as RUN_OPTIONS
    from setlist.cli.usage_hints import hint_for_verb

    word = argv[0]
    if word.startswith("-"):
        if any(word in (f"--{option.name}", f"-{option.short}") for option in COMMON):
            hint = "options come after the verb; 'setlist --help' lists the verbs"
        else:
            hint = hint_for_verb(argv, RUN_OPTIONS) or "'setlist --help' lists the verbs"
        return UsageError(f"unknown option '{word}'", hint=hint)
    if _is_session(word, context):
        hint = f"it is a session: write 'run {word}'"
    elif (foreign := hint_for_verb(argv, RUN_OPTIONS)) is not None:
        hint = foreign
    elif near := nearest(word, VERBS):
        hint = f"did you mean 'setlist {near}'?"
    else:
        hint = "'setlist --help' lists the verbs"
    return UsageError(f"unknown verb '{word}'", hint=hint)


def _is_session(word: str, context: Context) -> bool:
    try:
        return word in context.registry.sessions or bool(context.registry.index.family(word))
    except SetlistError:
        # an error in the definitions isn't about this word
        return False
