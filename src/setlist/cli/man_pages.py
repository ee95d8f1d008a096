"""The manual pages run(1) and setlist(1), made from the tables that ``--help`` is made from.

``run generate`` writes them to ``man/``, and wheels install them to ``share/man/man1``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from setlist import __version__
from setlist.cli import main, run
from setlist.cli.options import VERBS, Option
from setlist.cli.verbs import load_verb

_FILES = (
    ("pyproject.toml", "the table [tool.setlist] defines sessions"),
    ("sessions/*.toml, sessions/*.py", "define sessions as well: as TOML, and as functions"),
    ("noxfile.py", "its sessions are used where no others are defined"),
    ("sessions/locks/", "lock files"),
    (".setlist/", "environments, logs and history; it may be deleted"),
)


def run_page() -> str:
    """The page run(1)."""
    return _page(
        "run",
        "run the sessions of a Python project",
        run.USAGE,
        [
            *_section("DESCRIPTION", _paragraphs(run.ABOUT)),
            *_section("OPTIONS", _options(run.OPTIONS)),
            *_section("EXIT STATUS", _paragraphs(run.EXIT_CODES.rpartition("exit codes: ")[2])),
            *_section("FILES", _entries(_FILES)),
            *_section("SEE ALSO", [".BR setlist (1)"]),
        ],
    )


def setlist_page() -> str:
    """The page setlist(1), with all verbs."""
    body = [
        *_section("DESCRIPTION", _paragraphs(main.ABOUT)),
        *_section("OPTIONS", _options(main.OPTIONS)),
        ".SH VERBS",
    ]
    for name, summary in VERBS.items():
        if name == "run":
            body += [f".SS {_quoted(f'setlist {run.USAGE}')}", *_paragraphs(f"{summary}.\n\nSee run(1).")]
        else:
            verb = load_verb(name)
            body += [f".SS {_quoted(f'setlist {verb.USAGE}')}", *_paragraphs(verb.__doc__), *_options(verb.OPTIONS)]
    return _page(
        "setlist",
        "a session runner for Python projects",
        "setlist VERB …",
        [*body, *_section("FILES", _entries(_FILES)), *_section("SEE ALSO", [".BR run (1)"])],
    )


PAGES = {"run.1": run_page, "setlist.1": setlist_page}


def _page(name: str, about: str, usage: str, body: Sequence[str]) -> str:
    command, _, arguments = usage.partition(" ")
    lines = [
        f'.\\" Made from the options of setlist by "run generate".\n.TH {name.upper()} 1 "" "setlist {__version__}"',
        *_section("NAME", [f"{name} \\- {_escaped(about)}"]),
        *_section("SYNOPSIS", [f".B {command}", _escaped(arguments)]),
        *body,
    ]
    return "".join(f"{line}\n" for line in lines)


def _section(title: str, lines: Sequence[str] | Iterator[str]) -> list[str]:
    return [f".SH {title}", *lines]


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, as docstrings have them: one with indented lines keeps its lines."""
    for index, paragraph in enumerate(text.strip().split("\n\n")):
        if index:
            yield ".PP"
        lines = paragraph.splitlines()
        if lines[0].startswith("  "):
            yield from (".nf", *map(_escaped, lines), ".fi")
        else:
            yield from (_escaped(line.strip()) for line in lines)


def _options(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        spellings = [f"\\fB\\-{option.short}\\fR"] if option.short else []
        spellings.append(f"\\fB{_escaped(f'--{option.name}')}\\fR")
        value = f" \\fI{_escaped(option.metavar)}\\fR" if option.metavar else ""
        yield from (".TP", f"{', '.join(spellings)}{value}", _escaped(option.help))


def _entries(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, about in entries:
        yield from (".TP", f".I {_escaped(name)}", _escaped(about))


def _quoted(text: str) -> str:
    """One argument of a macro."""
    return '"' + _escaped(text).replace('"', "\\(dq") + '"'


def _escaped(text: str) -> str:
    """Text as roff prints it: in ASCII, and never a request."""
    special = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
    escaped = "".join(
        special.get(character, character if character.isascii() else f"\\[u{ord(character):04X}]") for character in text
    )
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
