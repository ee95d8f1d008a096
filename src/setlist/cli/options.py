"""Declare options in tables, and parse command lines.

This replaces argparse, whose import takes longer than the rest of a warm ``run``. ``--help`` is made from the tables.
The syntax is the usual one: ``--name value`` and ``--name=value``, ``-n value`` and ``-nvalue``, ``-xvv`` for several
flags, options and words in any order. Everything after the first ``--`` is passed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from setlist.core.errors import UsageError
from setlist.core.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--name``, and ``-short`` if it has one.

    With a ``metavar`` it takes a value; without, it is a flag. Both may be repeated: flags are counted, and the last
    value is used unless the command reads all of them. ``values`` are those to choose from, for completion.
    ``variable``: whether ``SETLIST_NAME`` sets it as well.
    """

    name: str
    help: str
    short: str | None = None
    metavar: str | None = None
    values: tuple[str, ...] = ()
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """A parsed command line.

    ``argv`` is the whole of it; ``words`` are the positional arguments; ``rest`` are the arguments after ``--``, None
    without ``--``. ``given`` are the values of options by name; a flag that is set has one, and one without any is off.
    ``origins`` say where options come from that aren't on the command line.
    """

    argv: tuple[str, ...]
    words: tuple[str, ...]
    rest: tuple[str, ...] | None
    given: dict[str, tuple[str, ...]]
    origins: Mapping[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        return bool(self.given.get(name))

    def count(self, name: str) -> int:
        return len(self.given.get(name, ()))

    def value(self, name: str) -> str | None:
        values = self.given.get(name)
        return values[-1] if values else None

    def values(self, name: str) -> tuple[str, ...]:
        return self.given.get(name, ())

    def where(self, name: str) -> str:
        """What sets an option, for messages."""
        return self.origins.get(name, f"--{name}")


class UnknownOption(UsageError):
    """An option that the command doesn't have.

    Attributes:
        spelling: the option as it was typed, without its value.
        position: its place in the command line.
        words: the positional arguments before it.
        near: whether the hint names an option that is nearly the same.
    """

    def __init__(self, spelling: str, *, position: int, words: Sequence[str], near: str | None, command: str) -> None:
        hint = _help_hint(command)
        super().__init__(
            f"unknown option '{spelling}'", hint=hint if near is None else f"did you mean '{near}'? {hint}"
        )
        self.spelling = spelling
        self.position = position
        self.words = tuple(words)
        self.near = near is not None


def parse(
    argv: Sequence[str],
    options: Sequence[Option],
    *,
    command: str,
    words_before_rest: int | None = None,
) -> Arguments:
    """Parse a command line.

    Args:
        argv: the words after the command's own name.
        options: the options that the command has.
        command: the command (``run``, ``setlist why``), for messages.
        words_before_rest: the number of words after which all others are ``rest``, with or without ``--``: for
            a command line that contains another one.

    Raises:
        UnknownOption: the command has no such option.
        UsageError: an option lacks its value, or has a value and takes none.
    """
    by_spelling = {f"--{option.name}": option for option in options}
    by_spelling.update({f"-{option.short}": option for option in options if option.short})
    words: list[str] = []
    given: dict[str, list[str]] = {}
    position = 0
    while position < len(argv):
        word = argv[position]
        position += 1
        if word == "--":
            return _arguments(argv, words, argv[position:], given)
        if not word.startswith("-") or word == "-":
            if words_before_rest is not None and len(words) >= words_before_rest:
                return _arguments(argv, words, argv[position - 1 :], given)
            words.append(word)
            continue
        if word.startswith("--"):
            spelling, equals, attached = word.partition("=")
            pairs = [(spelling, attached if equals else None)]
        else:
            pairs = _short(word, by_spelling)
        for spelling, value in pairs:
            option = by_spelling.get(spelling)
            if option is None:
                near = None if not spelling.startswith("--") else meant_option(spelling, _long(by_spelling))
                raise UnknownOption(spelling, position=position - 1, words=words, near=near, command=command)
            if option.metavar is None:
                if value is not None:
                    raise UsageError(f"option '{spelling}' takes no value", hint=_help_hint(command))
                given.setdefault(option.name, []).append("")
                continue
            if value is None:
                # an option in the place of a value means that the value was forgotten; -k=-x allows such values
                if position >= len(argv) or (argv[position].startswith("-") and argv[position] != "-"):
                    raise UsageError(f"option '{spelling}' needs a value: {spelling} {option.metavar}")
                value = argv[position]
                position += 1
            given.setdefault(option.name, []).append(value)
    return _arguments(argv, words, None, given)


def _arguments(
    argv: Sequence[str], words: Sequence[str], rest: Sequence[str] | None, given: dict[str, list[str]]
) -> Arguments:
    return Arguments(
        tuple(argv),
        tuple(words),
        None if rest is None else tuple(rest),
        {name: tuple(values) for name, values in given.items()},
    )


def _short(word: str, by_spelling: dict[str, Option]) -> list[tuple[str, str | None]]:
    """``-xvv`` as three flags, ``-kEXPR`` as an option and its value."""
    pairs: list[tuple[str, str | None]] = []
    for index, letter in enumerate(word[1:], start=1):
        spelling = f"-{letter}"
        option = by_spelling.get(spelling)
        if option is not None and option.metavar is not None:
            attached = word[index + 1 :]
            pairs.append((spelling, attached.removeprefix("=") if attached else None))
            break
        if option is None and pairs:
            # the message shows -vz, as it was typed
            return [*pairs, (word, None)]
        pairs.append((spelling if option is not None else word, None))
        if option is None:
            break
    return pairs


def _long(spellings: Iterable[str]) -> list[str]:
    return [spelling for spelling in spellings if spelling.startswith("--")]


def meant_option(typed: str, options: Sequence[str]) -> str | None:
    """The option that was most likely meant; None if there is none, or several are as near.

    An option is near if it begins with the typed text of three letters or more (``--rec``), or if its distance is 1, or
    2 for a word of six letters or more. The distance counts inserted, deleted, replaced and transposed letters.
    """
    name = typed.strip("-")
    completions = [option for option in options if len(name) >= 3 and option.startswith(f"--{name}")]
    if completions:
        return completions[0] if len(completions) == 1 else None
    most = 1 if len(name) < 6 else 2
    distances = {option: _distance(name, option.strip("-")) for option in options}
    smallest = min(distances.values(), default=most + 1)
    nearest = [option for option, distance in distances.items() if distance == smallest]
    return nearest[0] if smallest <= most and len(nearest) == 1 else None


def _distance(one: str, other: str) -> int:
    """The optimal string alignment distance of two words."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, target in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != target))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == target:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _help_hint(command: str) -> str:
    return f"'{command} --help' lists the options"


def option_lines(options: Sequence[Option]) -> list[str]:
    """The options as ``--help`` shows them."""
    spellings = []
    for option in options:
        short = f"-{option.short}, " if option.short else "    "
        spellings.append(f"  {short}--{option.name}{f' {option.metavar}' if option.metavar else ''}")
    width = max(map(len, spellings), default=0)
    return [f"{spelling:<{width}}  {option.help}" for spelling, option in zip(spellings, options, strict=True)]


def help_text(usage: str, about: str, options: Sequence[Option], *, verbs: Sequence[str] = (), end: str = "") -> str:
    """What ``--help`` prints: the usage line, a description, verbs and options in columns, and a closing text."""
    parts = [f"usage: {usage}", about]
    if verbs:
        parts.append("\n".join(["verbs:", *verbs]))
    parts.append("\n".join(["options:", *option_lines(options)]))
    if end:
        parts.append(end)
    return "\n\n".join(parts) + "\n"


HELP = Option("help", "show this help and exit", "h")
DIRECTORY = Option("directory", "run as if started in DIR", "C", "DIR")
FILE = Option("file", "read definitions from FILE; its directory is the project's root", "f", "FILE")
VERBOSE = Option("verbose", "print more; may be repeated", "v")
QUIET = Option("quiet", "print less: only failures", "q")
JSON = Option("json", "print JSON")
OFFLINE = Option("offline", "don't access the network")

COMMON = (FILE, DIRECTORY, VERBOSE, HELP)
"""The options that every verb has."""

VERBS: dict[str, str] = {
    "run": "run sessions: the same as the command 'run'",
    "list": "list the sessions",
    "why": "show the inputs of an environment, and which of them changed",
    "lock": "write lock files: pinned versions and hashes, one file per session",
    "fetch": "download the packages that locks name, for machines without a network",
    "ci": "print a CI job matrix made from the sessions",
    "export": "convert a session's lock to a requirements file, pylock.toml or a CycloneDX BOM",
    "freeze": "print the installed versions of sessions as requirements files",
    "shell": "open a subshell with a session's environment activated",
    "exec": "run a command in a session's environment",
    "env": "show the path of a session's environment, and how to activate it",
    "last": "print the output of a session's last run",
    "history": "show past runs: when, how long, which sessions failed or were flaky",
    "clean": "remove environments",
    "doctor": "check the setup, and say how to fix it",
    "nox": "run a noxfile's sessions with nox's command line",
    "import": "convert a noxfile to [tool.setlist]",
    "init": "write an initial [tool.setlist] for this project",
    "completion": "print a completion script for bash, zsh, fish or PowerShell",
    "schema": "print the JSON schema of [tool.setlist], for editors",
}
"""Every verb with its line of help, in the order in which they are shown."""
