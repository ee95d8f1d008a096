"""What ``--help`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setlist.cli.options import Option, option_lines


def run_help(options: Sequence[Option]) -> str:
    """The help of ``run``."""
    return _text(
        "run [OPTIONS] [SESSION…] [-- POSARGS…]",
        "Run sessions: make or reuse the environment of each, then run its commands.\n\n"
        "A SESSION is a name (test-py311), a family (test), a glob ('test-*') or a tag (@ci). Without any,\n"
        "the project's default sessions run. POSARGS are handed to their commands.",
        [("options", option_lines(options))],
        "'setlist --help' shows what else there is.\n\n"
        "exit codes: 0 all well, 1 a session failed, 2 usage or configuration, 4 an interpreter is missing (in CI),\n"
        "130 interrupted, 143 terminated",
    )


def setlist_help(verbs: Mapping[str, str], options: Sequence[Option]) -> str:
    """The help of ``setlist``: its verbs, a line each."""
    width = max(map(len, verbs))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in verbs.items()]
    return _text(
        "setlist VERB …",
        "A session runner for Python projects. 'run SESSION' runs sessions; this is all the rest.",
        [("verbs", lines), ("options", option_lines(options))],
        "'setlist VERB --help' tells more.",
    )


def verb_help(usage: str, about: str, options: Sequence[Option]) -> str:
    """The help of one verb."""
    return _text(f"setlist {usage}", about, [("options", option_lines(options))])


def _text(usage: str, about: str, sections: Sequence[tuple[str, Sequence[str]]], end: str = "") -> str:
    parts = [f"usage: {usage}", about]
    parts += [f"{title}:\n" + "\n".join(lines) for title, lines in sections]
    if end:
        parts.append(end)
    return "\n\n".join(parts) + "\n"
