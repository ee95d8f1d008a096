"""Hints for command lines as other tools take them: nox, tox, pytest, uv, just and make.

Imported only for an error. Options are answered with ours, or with the command line to write; names of sessions with
the names that they have here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from setlist.cli.options import VERBS, UnknownOption, parse
from setlist.core.errors import UnknownSession, UsageError

if TYPE_CHECKING:
    from setlist.cli.options import Option

_REUSED = "environments are reused by default: leave it out"
_COLOUR = "set FORCE_COLOR=1 or NO_COLOR=1"
_KEY = "it is no option: the session's key '{}' sets it"

NAMING = frozenset(("-s", "--session", "--sessions", "-e", "--env", "--envlist"))
"""Options of nox and tox that name sessions."""


def _options(table: dict[str, str]) -> dict[str, str]:
    return {spelling: hint for spellings, hint in table.items() for spelling in spellings.split()}


RUN_OPTIONS = _options(
    {
        # nox
        "--list-sessions": "write --list",
        "--pythons -P --force-python --force-pythons --extra-python --extra-pythons": "write -p",
        "--keywords": "write -k",
        "--tags": "write -t",
        "-R --reuse-existing-virtualenvs --reuse-venv --no-venv": _REUSED,
        "--no-install": "what is installed already isn't installed again: leave it out",
        "--install-only --notest": "write --prepare",
        "-N --no-reuse-existing-virtualenvs": "write -r",
        "--noxfile": "write -f",
        "--stop-on-first-error": "write -x",
        "--no-stop-on-first-error": "a run continues after a failure by default",
        "--non-interactive": "commands have no terminal where sessions are captured: write --output group",
        "--force-color --forcecolor": "set FORCE_COLOR=1",
        "--no-color --nocolor": "set NO_COLOR=1",
        "--error-on-external-run": "that is the default: programs from outside are refused",
        "--error-on-missing-interpreters": "a missing interpreter is an error in CI, and skips the session elsewhere",
        "--no-dependencies": "write --only",
        "--default-venv-backend --force-venv-backend": _KEY.format("backend"),
        "--envdir --workdir": "the key 'env-dir' in [tool.setlist] sets it",
        "--json": "write 'setlist list --json' to list sessions, and --report FILE.json for the results of a run",
        # tox
        "-a --listenvs --listenvs-all": "write --list",
        "--parallel --parallel-live -o": "write -j auto",
        "-c --conf": "write -f",
        "-m --labels": "write -t",
        "--result-json": "write --report FILE.json",
        "--skip-missing-interpreters": "a missing interpreter skips the session already, but for CI",
        "--skip-pkg-install --develop": _KEY.format("project"),
        "--recreate-pkg": "write -r",
        "--override": "change the definition in pyproject.toml",
        "--showconfig": "write 'setlist list --json'",
        # pytest
        "--exitfirst --maxfail": "write -x to stop after the first session that fails",
        "--lf --last-failed --ff --failed-first --sw --stepwise": "write --failed to run the sessions that failed",
        "--junitxml --junit-xml": "write --report FILE.xml",
        "--collect-only --co": "write --list",
        "--numprocesses": "write -j",
        "--capture": "write --output direct",
        "--durations": "write: setlist history --sessions",
        "--color --colour --colored": _COLOUR,
        # uv
        "-U": "write --upgrade",
        "--frozen": "write --locked",
        "--no-sync": "an environment that is up to date isn't changed: leave it out",
        "--with": _KEY.format("deps"),
        "--group --only-group": _KEY.format("groups"),
        "--extra --all-extras": _KEY.format("extras"),
        "--project": "write -C",
        # just, make
        "--summary --choose": "write --list",
        "--show": "write -n to show what a session would do",
        "--justfile --makefile": "write -f",
        "-d --working-directory": "write -C",
        "--keep-going": "a run continues after a failure by default",
        "--just-print --recon": "write -n",
        "-B --always-make": "write -r",
    }
)
"""Hints for options that ``run`` doesn't have."""

PROGRAMS = frozenset(
    (
        *("black", "coverage", "flake8", "mkdocs", "mypy", "nox", "pip", "pre-commit", "pyright", "pytest", "python"),
        *("ruff", "sphinx-build", "tox", "uv"),
    )
)
"""Programs that are run in an environment by other tools: uv run, tox exec."""

VERB_WORDS = _options(
    {
        "config l ls sessions tasks": "write 'setlist list', or 'setlist list --json'",
        "activate devenv venv": "write 'setlist shell SESSION', or 'setlist env SESSION --activate'",
        "install prepare sync": "write 'run --prepare SESSION' to create its environment, or to bring it up to date",
        "add remove": "requirements are named in the key deps, or in a dependency group of pyproject.toml",
        "update upgrade": "write 'run --upgrade', or 'setlist lock --upgrade' where there is a lock",
        "compile": "write 'setlist lock'",
        "pip": "write 'setlist exec SESSION -- python -m pip', or 'setlist freeze SESSION'",
        "log logs output": "write 'setlist last SESSION'",
        "clear prune purge": "write 'setlist clean'",
        "convert migrate": "write 'setlist import nox'",
        "explain show status": "write 'setlist why SESSION'",
        "check": "write 'setlist doctor' to check the setup, and 'run' to run sessions",
        "p r run-parallel": "write 'run SESSION', with -j auto to run several at once",
        "version": "write 'setlist --version'",
    }
)
"""Hints for what other tools call our verbs."""


def hint_for_option(error: UnknownOption, argv: Sequence[str], options: Sequence[Option]) -> str | None:
    """The hint for an option that ``run`` doesn't have; the error's own if no other tool's is known.

    Args:
        error: the error.
        argv: the words after ``run``.
        options: those of ``run``.
    """
    ours, spelling, attached = _split(error.spelling, argv[error.position], options)
    known = RUN_OPTIONS.get(spelling)
    if error.words and not (error.near and known is None):
        to_commands = _to_commands(argv, error.position)
        return f"{to_commands}; for run itself, {known}" if known is not None else to_commands
    if spelling in NAMING:
        before = [*argv[: error.position], *ours]
        return f"sessions are named without an option: {_naming(before, attached, argv[error.position + 1 :])}"
    return error.hint if known is None else f"{known}; 'run --help' lists the options"


def _split(spelling: str, word: str, options: Sequence[Option]) -> tuple[list[str], str, str]:
    """An unknown option: the flags of ``run`` before it in ``-rs``, the option itself, and its attached value."""
    if spelling.startswith("--"):
        return [], spelling, word.partition("=")[2]
    shorts = {option.short for option in options}
    position = next((at for at, letter in enumerate(word) if at and letter not in shorts), 1)
    if word[position] == "R" and len(word) > position + 1:  # -Rs NAME: -R is the default
        word = word[:position] + word[position + 1 :]
        return _split(word, word, options)
    ours = [f"-{word[1:position]}"] if position > 1 else []
    return ours, f"-{word[position]}", word[position + 1 :].removeprefix("=")


def _to_commands(argv: Sequence[str], position: int) -> str:
    """How arguments from a position on are passed to a session's commands."""
    own, theirs = argv[:position], [word for word in argv[position:] if word != "--"]
    return f"arguments for the session's commands come after '--': {shlex.join(['run', *own, '--', *theirs])}"


def _naming(before: Sequence[str], attached: str, after: Sequence[str]) -> str:
    """The command line without the option of another tool that names sessions."""
    names, rest = ([attached] if attached else []), list(after)
    if not names and rest and not rest[0].startswith("-"):
        names = [rest.pop(0)]
    names = [_all_of(name) for name in ",".join(names).split(",") if name]
    return shlex.join(["run", *before, *names, *rest]) if names else "run NAME"


def _all_of(name: str) -> str:
    return "*" if name == "ALL" else name


def hint_for_session(error: UnknownSession, argv: Sequence[str], words: Sequence[str]) -> str | None:
    """The hint for a name that matches no session.

    Args:
        error: the error.
        argv: the words after ``run``.
        words: those that should be sessions.
    """
    selector = error.selector
    if selector in VERBS:
        return f"'run' only runs sessions: write 'setlist {selector}'"
    if selector not in words:
        return "it is a default session: 'default' in [tool.setlist], or 'nox.options.sessions', names it"
    return _hint_for_word(selector, argv) or _hint_for_name(error) or _hint_for_posargs(error, argv, words)


def _hint_for_word(selector: str, argv: Sequence[str]) -> str | None:
    """The hint for a word that is a session's name in no tool."""
    if selector in ("help", "version"):
        return f"write 'run --{selector}'"
    if selector.casefold() == "all":
        return f"all sessions: {shlex.join(['run', *_with(argv, selector, '*')])}"
    if re.match(r"[A-Za-z_]\w*=", selector):
        return f"variables are set before the command: {shlex.join([selector, 'run', *_with(argv, selector)])}"
    if "," in selector and "(" not in selector:
        return f"names are separated by spaces: {shlex.join(['run', *_with(argv, selector, *selector.split(','))])}"
    return None


def _hint_for_name(error: UnknownSession) -> str | None:
    """The hint for a name that stands for several sessions."""
    if len(error.meant) < 2:
        return None
    return f"write {_filter(error.parts)} for {', '.join(error.meant[:3])}{' …' if len(error.meant) > 3 else ''}"


def _hint_for_posargs(error: UnknownSession, argv: Sequence[str], words: Sequence[str]) -> str | None:
    """The hint for a word that may belong to a command, not to ``run``."""
    selector = error.selector
    position = argv.index(selector)
    first = words[0] == selector
    if position and argv[position - 1] == "-n" and (selector.isdigit() or selector == "auto"):
        at_once = f"-n shows what would be done; to run several sessions at once, write -j {selector}"
        return at_once if first else f"{_to_commands(argv, position - 1)}; {at_once}"
    near = "did you mean" in (error.hint or "")
    if first and selector in PROGRAMS:
        command = f"setlist exec SESSION -- {shlex.join(argv[position:])}"
        return f"{error.hint} For a command: {command}" if near else f"a command in an environment: {command}"
    if first and re.search(r"[/\\]|::|\.py\Z", selector):
        return f"arguments for the session's commands come after '--': run SESSION -- {shlex.quote(selector)}"
    if first or near:
        return error.hint
    while position > 1 and argv[position - 1].startswith("-"):
        position -= 1  # -m slow
    return _to_commands(argv, position)


def _with(argv: Sequence[str], word: str, *others: str) -> list[str]:
    """A command line with other words in the place of one."""
    position = argv.index(word)
    return [*argv[:position], *others, *argv[position + 1 :]]


def _filter(parts: Sequence[str]) -> str:
    """The command line that selects the sessions with these parts in their names."""
    version = re.fullmatch(r"py(\d)(\d+t?)", parts[0])
    if len(parts) == 1 and version is not None:
        return f"run -p {version[1]}.{version[2]}"
    return f"run -k {shlex.quote(' and '.join(parts))}"


def hint_for_verb(argv: Sequence[str], options: Sequence[Option]) -> str | None:
    """The hint for a word or an option in the place of a verb; None if it isn't another tool's, nor ``run``'s.

    Args:
        argv: the words after ``setlist``.
        options: those of ``run``.
    """
    if not argv[0].startswith("-"):
        return VERB_WORDS.get(argv[0])
    try:
        parse(argv, options, command="run")
    except UnknownOption as error:
        hint = hint_for_option(error, argv, options)
        return None if hint == error.hint else hint
    except UsageError:
        pass
    return f"it is an option of 'run': {shlex.join(['run', *argv])}"
