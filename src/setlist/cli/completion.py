"""Answer a shell that completes a command line: ``setlist completion SHELL -- WORD…``.

The answer is text: the first line says what may be put in (``words``, ``files`` or ``directories``), each further line
is one candidate as the shell reads it. What is known of the commands and of the project is an entry of the trace store
(:mod:`setlist.cli.completion_table` makes it), so pressing Tab twice costs little more than starting Python. For that,
this module imports next to nothing.

Names and descriptions are a project's, and may be hostile. Each candidate is quoted for its shell, and one that holds
control characters is left out.
"""

from __future__ import annotations

import os
import sys

from setlist.cli.fast_path import STORE, key_of_completion
from setlist.engine.trace import Found, Store

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

WORDS, FILES, DIRECTORIES = "words", "files", "directories"

Candidate = tuple[str, str]
"""A word, and its description."""


class Table:
    """What can be completed. It is kept as :attr:`data`.

    Attributes:
        verbs: each verb with its line of help.
        commands: for ``run``, ``setlist`` and each verb: its positional arguments as its usage line writes them, after
            how many of them the rest of the line is another program's, and its options.
        sessions: each session with its description.
        families: each family of several sessions, with the number of these.
        tags: all tags.
        pythons: all values of the python axis.
    """

    __slots__ = ("commands", "data", "families", "pythons", "sessions", "tags", "verbs")

    def __init__(self, data: Any) -> None:
        self.data = data
        self.verbs: Mapping[str, str]
        self.commands: Mapping[str, tuple[Sequence[str], int | None, Sequence[tuple[Any, ...]]]]
        self.sessions: Mapping[str, str]
        self.families: Mapping[str, int]
        self.tags: Sequence[str]
        self.pythons: Sequence[str]
        self.verbs, self.commands, self.sessions, self.families, self.tags, self.pythons = data


class Answer:
    """What may stand in the place of the last word.

    Attributes:
        kind: ``words``, ``files`` or ``directories``.
        candidates: whole words; the shell picks those that fit.
        attached: how much of the last word comes before a path: ``--file=``.
    """

    __slots__ = ("attached", "candidates", "kind")

    def __init__(self, kind: str, candidates: Iterable[Candidate] = (), attached: str = "") -> None:
        self.kind = kind
        self.candidates = tuple(candidates)
        self.attached = attached


def answer(argv: Sequence[str]) -> int:
    """Print the answer to ``SHELL -- WORD…``. Returns the exit code.

    Nothing else is ever printed: it would appear in the middle of what is being typed.
    """
    try:
        shell, _, *given = argv
        words, head, quote = split_bash(*given) if shell == "bash" else (list(given), 0, "")
        lines = render(shell, complete(words, table_of(words)), words[-1], head, quote)
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()
    except Exception:
        return 1
    return 0


def table_of(words: Sequence[str]) -> Table:
    """The table of the project that a command line is about."""
    cwd = os.getcwd()
    if not _is_elsewhere(words):
        found = Store(f"{cwd}/{STORE}", cwd, os.environ).get(key_of_completion(cwd))
        if isinstance(found, Found):
            return Table(found.value)
    from setlist.cli.completion_table import make_table

    return Table(make_table(words))


def _is_elsewhere(words: Sequence[str]) -> bool:
    """Whether ``-C`` or ``-f`` may name another project."""
    return any(word.startswith(("-C", "--directory", "-f", "--file")) for word in words[:-1])


def complete(words: Sequence[str], table: Table) -> Answer:
    """What may stand in the place of the last word.

    Args:
        words: the command line up to the cursor, beginning with the program. The last one is being typed.
        table: what there is.
    """
    program = os.path.basename(words[0]).removesuffix(".exe")
    words = words[1:]
    if program == "setlist":
        program, words = _verb(words, table)
    if program not in table.commands or not words:
        return Answer(WORDS)
    usage, before_rest, options = table.commands[program]
    if program == "setlist":
        return Answer(WORDS, [*table.verbs.items(), *_options(options)])
    current = words[-1]
    given, pending, is_rest = _parsed(words[:-1], options)
    if is_rest or (before_rest is not None and len(given) >= before_rest and not pending):
        return Answer(FILES)
    if pending:
        return _value(pending, "", table)
    if current.startswith("-"):
        return _option(current, options, table)
    return Answer(WORDS, _positional(usage, given, table))


def _verb(words: Sequence[str], table: Table) -> tuple[str, Sequence[str]]:
    """The verb and what comes after it; ``setlist`` while the verb is being typed."""
    return ("setlist", words) if len(words) < 2 else (words[0] if words[0] in table.verbs else "", words[1:])


def _parsed(words: Sequence[str], options: Sequence[tuple[Any, ...]]) -> tuple[list[str], Any, bool]:
    """Read the complete words as :func:`setlist.cli.options.parse` does.

    Returns:
        the positional arguments, the option that waits for its value, and whether ``--`` was among the words.
    """
    given: list[str] = []
    pending = None
    for word in words:
        if pending:
            pending = None
        elif word == "--":
            return given, None, True
        elif not word.startswith("-") or word == "-":
            given.append(word)
        else:
            option, attached = _spelled(word, options)
            pending = option if option and option[2] and attached is None else None
    return given, pending, False


def _spelled(word: str, options: Sequence[tuple[Any, ...]]) -> tuple[Any, str | None]:
    """The option that a word spells, the last one of several letters, and what is attached to it as its value."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return next((option for option in options if option[0] == name), None), value if equals else None
    for index, letter in enumerate(word[1:], 1):
        option = next((option for option in options if option[1] == letter), None)
        if option is None or option[2]:
            return option, word[index + 1 :].removeprefix("=") or None
    return None, None


def _options(options: Sequence[tuple[Any, ...]]) -> Iterator[Candidate]:
    """The options in their long form. The short ones are what completion saves from typing."""
    return ((f"--{option[0]}", option[3]) for option in options)


def _option(current: str, options: Sequence[tuple[Any, ...]], table: Table) -> Answer:
    option, attached = _spelled(current, options)
    if option and option[2] and attached is not None:
        return _value(option, current[: len(current) - len(attached)], table)
    if option and not current.startswith("--"):
        return Answer(WORDS, [(current, option[3])])
    return Answer(WORDS, _options(options))


def _value(option: tuple[Any, ...], attached: str, table: Table) -> Answer:
    """The values of an option: those of its table, or what its metavar stands for."""
    _, _, metavar, _, values = option
    if metavar == "FILE":
        return Answer(FILES, attached=attached)
    if metavar == "DIR":
        return Answer(DIRECTORIES, attached=attached)
    candidates: Iterable[Candidate] = ((value, "") for value in values)
    if metavar == "TAG":
        candidates = _tags(table, "")
    elif metavar == "VERSION":
        candidates = ((python, "") for python in table.pythons)
    elif metavar == "EXPR":
        candidates = (*_sessions(table, several=True), *_tags(table, ""))
    return Answer(WORDS, [(f"{attached}{word}", text) for word, text in candidates])


def _positional(usage: Sequence[str], given: Sequence[str], table: Table) -> Iterator[Candidate]:
    """The values of the next positional argument: alternatives that the usage line spells out, or sessions."""
    if not usage:
        return
    place = min(len(given), len(usage) - 1)
    argument = usage[place].strip("[]")
    several = argument.endswith("…")
    if len(given) >= len(usage) and not several:
        return
    if argument.removesuffix("…") != "SESSION":
        yield from ((word, "") for word in argument.split("|"))
        return
    yield from ((word, text) for word, text in _sessions(table, several=several) if word not in given)
    if several:
        yield from ((word, text) for word, text in _tags(table, "@") if word not in given)


def _sessions(table: Table, *, several: bool) -> Iterator[Candidate]:
    yield from table.sessions.items()
    if several:
        yield from ((family, f"{count} sessions") for family, count in table.families.items())


def _tags(table: Table, mark: str) -> Iterator[Candidate]:
    return ((f"{mark}{tag}", "tag") for tag in table.tags)


# What shells read


def render(shell: str, found: Answer, current: str, head: int = 0, quote: str = "") -> Iterator[str]:
    """The lines of an answer.

    bash and PowerShell take all candidates, so only those are given that begin with ``current``. zsh and fish match by
    rules of their own.

    Args:
        shell: bash, zsh, fish or powershell.
        found: the answer.
        current: the word that is being typed, without its quotes.
        head: for bash: how many characters of it stay as they are.
        quote: for bash: the quote that is open.
    """
    yield f"{found.kind}\t{found.attached}" if shell == "fish" and found.attached else found.kind
    for word, text in found.candidates:
        if not word.isprintable():
            continue
        about = "".join(character if character.isprintable() else " " for character in text).strip()
        if shell == "zsh":
            name = word.replace("\\", "\\\\").replace(":", "\\:")
            yield f"{name}:{about}" if about else name
        elif shell == "fish":
            yield f"{word}\t{about}"
        elif word.startswith(current):
            if shell == "powershell":
                yield f"{quoted_for_powershell(word)}\t{word}\t{about or word}"
            elif (rest := quoted_for_bash(word[head:], quote)) is not None:
                yield rest


def quoted_for_bash(word: str, quote: str) -> str | None:
    """A word that bash reads as it is; None if it can't be written inside of the open quote."""
    if quote:
        return None if any(character in "'\"\\$`!" for character in word) else word
    return "".join(one if one.isalnum() or one in "_@%+=:,./-" else f"\\{one}" for one in word)


def quoted_for_powershell(word: str) -> str:
    """A word that PowerShell reads as it is: ``@`` and much else begins something."""
    if word and all((one.isascii() and one.isalnum()) or one in "_=./-" for one in word):
        return word
    # https://learn.microsoft.com/powershell/scripting/lang-spec/chapter-02: five characters count as a single quote
    return "'" + "".join(one * 2 if one in "'\u2018\u2019\u201a\u201b" else one for one in word) + "'"


def split_bash(line: str, breaks: str = "") -> tuple[list[str], int, str]:
    """The words of a command line up to the cursor, as bash reads them.

    Args:
        line: the line, with its quotes.
        breaks: ``COMP_WORDBREAKS``. What bash replaces begins after the last of these, or after an open quote.

    Returns:
        the words without their quotes, how many characters of the last one bash leaves alone, and the open quote.
    """
    words, word, begun, head, quote = [], "", False, 0, ""
    characters = iter(line)
    for one in characters:
        if quote and one == quote:
            quote = ""
        elif quote == "'":
            word += one
        elif one == "\\":
            escaped = next(characters, "")
            word += escaped if not quote or escaped in '$`"\\' else one + escaped
            begun = True
        elif quote:
            word += one
        elif one in "'\"":
            quote, begun, head = one, True, len(word)
        elif one.isspace():
            if begun:
                words.append(word)
            word, begun, head = "", False, 0
        else:
            word, begun = word + one, True
            if one in breaks:
                # readline's special prefixes are a part of what it replaces
                head = len(word) - (one in "@$")
    return [*words, word], head, quote
