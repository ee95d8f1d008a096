"""Find what only a shell would understand in a command that runs without one.

Such a command would get ``|`` or ``$HOME`` as an argument: ``rm -rf build && cp -r src tests`` would remove ``src``.
So it is an error of the definition. A quoted or escaped character is an argument, as in a shell. Patterns (``*.py``)
and ``~`` are no errors, since many programs expand them themselves.
"""

from __future__ import annotations

import re

_SIGNS = frozenset("|&;<>`$")
_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_REDIRECTION = re.compile(r"(?:\d|&)?(?:>>?|<<?<?)(?:&\d)?|(?:\d|&)?>>?[\w./~-].*")
_VARIABLE = re.compile(r"(?:^|[=:/])\$([A-Za-z_]\w*|[@*1-9])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")

_SHELL = 'write a table: {{ cmd = "…", shell = true }}; or quote the word, to pass {word} on'
_HINTS = {
    "&&": 'write a list of commands: run = ["…", "…"]; or a table with shell = true; or quote {word}, to pass it on',
    "||": "write a table with allow-failure = true, or with shell = true; or quote {word}, to pass it on",
    ">": 'write a table: {{ cmd = "…", stdout = "FILE" }}, or one with shell = true; or quote {word}, to pass it on',
}
_HINTS[";"] = _HINTS["&&"]

_BUILTINS = {
    "cd": 'set the key cwd, or write a table: {{ cmd = "…", cwd = "DIR" }}',
    "export": "set the variable in the key env",
    "unset": "set inherit-env to the variables that are passed on",
    "source": "the session's environment is active already; variables are set in the key env",
}
_BUILTINS["."] = _BUILTINS["source"]

_PREFIXES = {
    "-": 'write a table: {{ cmd = "…", allow-failure = true }}',
    "!": 'write a table: {{ cmd = "…", ok-codes = [1] }}',
    "@": "leave it out: 'run -q' prints less",
}
"""What stands before a command in a Makefile, a justfile or a tox.ini."""

_OTHER_LANGUAGES = frozenset(
    ("[", "awk", "expr", "find", "gawk", "jq", "mawk", "perl", "powershell", "pwsh", "sed", "ssh", "test", "yq")
)
"""Programs whose arguments are a language in which the same characters have a meaning."""


def shell_syntax(line: str) -> tuple[str, str] | None:
    """The first part of a command line that only a shell would understand: what is wrong, and what to write instead.

    Args:
        line: the command, without the placeholders of the template: what they stand for isn't read by a shell either.
    """
    masked = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), line).split()
    if not masked:
        return None
    program = masked[0]
    if _ASSIGNMENT.fullmatch(program):
        name, _, value = program.partition("=")
        shown = value if value and "_" not in value else "…"
        return (
            f"sets {name} for one command, and runs without a shell",
            f'write a table: {{ cmd = "…", env = {{ {name} = "{shown}" }} }}',
        )
    if program in _BUILTINS:
        return f"begins with the shell's {program!r}, and runs without a shell", _BUILTINS[program].format()
    if program[0] in _PREFIXES:
        return f"begins with {program[0]!r}", _PREFIXES[program[0]].format()
    if program in _OTHER_LANGUAGES or _SIGNS.isdisjoint(line):
        return None
    return next((found for word in masked if (found := _in_word(word)) is not None), None)


def _in_word(word: str) -> tuple[str, str] | None:
    if word in ("|", "||", "|&", "&&", "&", ";"):
        return f"holds the shell's {word!r}, and runs without a shell", _HINTS.get(word, _SHELL).format(
            word=f"'{word}'"
        )
    if len(word) > 1 and word.endswith(";"):
        return "holds the shell's ';', and runs without a shell", _HINTS[";"].format(word="';'")
    if _REDIRECTION.fullmatch(word):
        return f"holds the shell's {word!r}, and runs without a shell", _HINTS[">"].format(word=f"'{word}'")
    if "`" in word or "$(" in word:
        sign = "`" if "`" in word else "$("
        return f"holds the shell's {sign!r}, and runs without a shell", _SHELL.format(word=f"'{sign}'")
    variable = _VARIABLE.search(word)
    if variable is not None:
        name = variable[1]
        ours = f"{{env:{name}}}" if name[0].isalpha() or name[0] == "_" else "{posargs}"
        return (
            f"holds the shell's '${name}', and runs without a shell",
            f"write {ours}; or quote the word, to pass '${name}' on",
        )
    return None
