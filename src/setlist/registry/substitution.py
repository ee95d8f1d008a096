"""Placeholders in commands and other values: ``{posargs:-x}``, ``{session}``, ``{env:HOME}``.

A template is text with placeholders. ``{{`` and ``}}`` are literal braces. A default (what follows
the colon in ``{posargs:…}`` and ``{env:NAME:…}``) is a template too, so placeholders nest.

Templates are checked when the registry is made and expanded before a command starts. An expanded value is never split
or expanded again: spaces and braces in it stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from setlist.core.errors import ConfigurationError, SubstitutionError, nearest
from setlist.core.limits import DEEPEST_PLACEHOLDERS
from setlist.core.records import dataclass, field

RUN_TIME = ("posargs", "session", "python", "project", "envdir", "tmp", "env")
"""The placeholders that every command can use, besides the axes of its session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of placeholders.

    ``python`` is the version X.Y of the environment's interpreter; a ``python`` among ``axes`` takes precedence.
    ``environ`` is what ``{env:NAME}`` reads. ``project``, ``envdir`` and ``tmp`` are absolute paths.
    """

    session: str
    python: str
    project: str
    envdir: str
    tmp: str
    posargs: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``{name}``, ``{posargs:default}`` or ``{env:variable:default}``; ``text`` is how it was written."""

    text: str
    name: str
    variable: str = ""
    default: str | None = None


def split_command(text: str) -> tuple[str, ...]:
    """Split a command line into template words, as a POSIX shell would.

    A placeholder is never split, whatever its default: ``pytest {posargs:-x tests}`` is two words.

    Raises:
        ConfigurationError: an unmatched quote or brace, or a line break outside of quotes.
    """
    import shlex

    # For shlex, each placeholder is replaced by one character that doesn't occur in the text.
    used = set(text)
    unused = (chr(code) for code in range(0x100000, 0x10FFFE) if chr(code) not in used)
    written: dict[str, str] = {}
    line = ""
    for raw, placeholder in _pieces(text):
        if placeholder is None:
            line += raw
        else:
            character = next(unused)
            written[character] = raw
            line += character
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigurationError(
            f"the command {_shortened(text)} has {_shell_problem(error)}",
            hint="quote as in a shell, or write the command as a list of words",
        ) from None
    if "\n" in line.strip():
        lines = shlex.shlex(line.strip(), posix=True, punctuation_chars=False)
        lines.whitespace, lines.whitespace_split, lines.commenters = " \t\r", True, ""
        if list(lines) != words:
            raise ConfigurationError(
                f"the command {_shortened(text)} holds more than one line",
                hint="write a list of commands, one a line, or a table with shell = true",
            )
    table = str.maketrans(written)
    return tuple(word.translate(table) for word in words)


def without_placeholders(text: str) -> str:
    """The text with a letter for each placeholder, whatever its default."""
    return "".join(raw if placeholder is None else "x" for raw, placeholder in _pieces(text))


def _shell_problem(error: ValueError) -> str:
    return "a backslash at its end" if "escaped" in str(error) else "a quote without its partner"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def expand_words(words: Sequence[str], values: Values) -> tuple[str, ...]:
    """The words of a command, expanded.

    A word that is only ``{posargs}`` becomes the posargs, or else the words of its default. Every other word stays one
    word.

    Raises:
        SubstitutionError: ``{env:NAME}`` isn't set and has no default.
    """
    expanded: list[str] = []
    for word in words:
        pieces = tuple(_pieces(word))
        placeholder = pieces[0][1] if len(pieces) == 1 else None
        if placeholder is None or placeholder.name != "posargs":
            expanded.append(expand_text(word, values))
        elif values.posargs:
            expanded.extend(values.posargs)
        elif placeholder.default:
            expanded.extend(expand_words(split_command(placeholder.default), values))
    return tuple(expanded)


def expand_text(template: str, values: Values) -> str:
    """A template's text, expanded. ``{posargs}`` is joined and quoted as for a shell.

    Raises:
        SubstitutionError: ``{env:NAME}`` isn't set and has no default.
    """
    return "".join(
        _unescaped(raw) if placeholder is None else _value(placeholder, values)
        for raw, placeholder in _pieces(template)
    )


def _value(placeholder: Placeholder, values: Values) -> str:
    name = placeholder.name
    if name in values.axes:
        return values.axes[name]
    if name == "posargs":
        if values.posargs:
            import shlex

            return shlex.join(values.posargs)
        return expand_text(placeholder.default or "", values)
    if name == "env":
        value = values.environ.get(placeholder.variable)
        if value is not None:
            return value
        if placeholder.default is not None:
            return expand_text(placeholder.default, values)
        raise SubstitutionError(
            f"the environment variable {placeholder.variable} isn't set, and {placeholder.text} needs it",
            hint=f"set it, or give it a default: {{env:{placeholder.variable}:…}}",
        )
    run_time = {
        "session": values.session,
        "python": values.python,
        "project": values.project,
        "envdir": values.envdir,
        "tmp": values.tmp,
    }
    if name not in run_time:
        raise _unknown_in_command(placeholder, values.axes)
    return run_time[name]


def check_template(template: str, axes: Collection[str]) -> None:
    """Check that a template can be expanded at run time.

    Raises:
        ConfigurationError: an unknown placeholder, or an unmatched brace.
    """
    for _, placeholder in _pieces(template):
        if placeholder is None:
            continue
        if placeholder.name not in RUN_TIME and placeholder.name not in axes:
            raise _unknown_in_command(placeholder, axes)
        if placeholder.default is not None:
            check_template(placeholder.default, axes)


def fill(template: str, names: Mapping[str, str]) -> str:
    """Expand a template whose placeholders must all have values when the registry is made.

    Raises:
        ConfigurationError: a placeholder that isn't among ``names``.
    """
    if "{" not in template and "}" not in template:
        return template
    text = ""
    for raw, placeholder in _pieces(template):
        if placeholder is None:
            text += _unescaped(raw)
        elif placeholder.name in names:
            text += names[placeholder.name]
        elif placeholder.name in RUN_TIME:
            raise ConfigurationError(
                f"{placeholder.text} isn't known yet where this is read",
                hint=_for_installer(placeholder.variable)
                or "here, only {session} and the session's axes can stand; write {{ and }} for literal braces",
            )
        else:
            raise _unknown(placeholder, names, _for_installer(placeholder.name))
    return text


def fill_partly(template: str, names: Mapping[str, str]) -> str:
    """Expand the placeholders among ``names``, and leave a template with the others for run time."""
    return "".join(
        escape(names[placeholder.name]) if placeholder is not None and placeholder.name in names else raw
        for raw, placeholder in _pieces(template)
    )


def escape(text: str) -> str:
    """The template that expands to exactly this text."""
    return text.replace("{", "{{").replace("}", "}}")


def _unescaped(raw: str) -> str:
    return raw.replace("{{", "{").replace("}}", "}")


def _for_installer(variable: str) -> str | None:
    """The hint how to write a variable that uv and pip replace; None for a name that is no such variable."""
    if not variable.isupper():
        return None
    return f"a variable that the installer reads is written ${{{{{variable}}}}}; {{{{ and }}}} are literal braces"


def _unknown_in_command(placeholder: Placeholder, axes: Collection[str]) -> ConfigurationError:
    variable = f"an environment variable is written {{env:{placeholder.name}}}, literal braces {{{{ and }}}}"
    return _unknown(placeholder, (*RUN_TIME, *axes), variable if placeholder.name.isupper() else None)


def _unknown(placeholder: Placeholder, allowed: Collection[str], for_variable: str | None) -> ConfigurationError:
    """The error for an unknown placeholder.

    Args:
        placeholder: the unknown one.
        allowed: names that are allowed there.
        for_variable: the hint if none of them is close and the name may be a variable's.
    """
    from setlist.registry.foreign_words import PLACEHOLDER_WORDS, meant

    ours, foreign = meant(placeholder.name.partition(":")[0], PLACEHOLDER_WORDS, allowed)
    near = ours or nearest(placeholder.name, allowed)
    if foreign is not None and RUN_TIME[0] in allowed:
        hint = foreign
    elif placeholder.name.startswith("["):  # {[testenv]deps}
        hint = "keys that definitions share are in [defaults], or in a definition that others name in 'extends'"
    elif near is not None:
        hint = f"did you mean {{{near}}}? Literal braces are written {{{{ and }}}}"
    elif for_variable is not None:
        hint = for_variable
    else:
        names = ", ".join(f"{{{name}}}" for name in dict.fromkeys(allowed))
        hint = f"there are {names}; literal braces are written {{{{ and }}}}"
    return ConfigurationError(f"{placeholder.text} is no placeholder here", hint=hint)


def _pieces(template: str) -> Iterator[tuple[str, Placeholder | None]]:
    """The pieces of a template as written: literal text with its escapes, and placeholders."""
    start = position = 0
    while position < len(template):
        character = template[position]
        if character not in "{}":
            position += 1
        elif template.startswith(character * 2, position):
            position += 2
        elif character == "}":
            raise ConfigurationError(
                f"a }} without its {{ in {_shortened(template)}", hint="write }} for a literal brace"
            )
        else:
            if position > start:
                yield template[start:position], None
            end = _closing(template, position) + 1
            yield template[position:end], _placeholder(template[position:end])
            start = position = end
    if position > start:
        yield template[start:position], None


def _closing(template: str, opening: int) -> int:
    """The end of the placeholder that begins at ``opening``.

    In a default, a ``}`` closes unless it belongs to a ``{{`` in the same default. So
    ``{posargs:{{a}}}``, ``{env:A:{env:B:c}}`` and ``{{{session}}}`` all mean what they seem to.
    """
    depth = literal = 0
    position = opening + 1
    while position < len(template):
        if template.startswith("{{", position):
            literal += 1
            position += 1
        elif literal and template.startswith("}}", position):
            literal -= 1
            position += 1
        elif template[position] == "{":
            depth += 1
            if depth == DEEPEST_PLACEHOLDERS:
                raise ConfigurationError(
                    f"placeholders in {_shortened(template)} are nested more than {DEEPEST_PLACEHOLDERS} deep"
                )
        elif template[position] == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    raise ConfigurationError(f"a {{ without its }} in {_shortened(template)}", hint="write {{ for a literal brace")


def _placeholder(text: str) -> Placeholder:
    name, colon, rest = text[1:-1].partition(":")
    if name == "posargs":
        return Placeholder(text, name, default=rest if colon else None)
    if name == "env":
        variable, colon, default = rest.partition(":")
        if not variable or "{" in variable:
            raise ConfigurationError(
                f"{text} names no environment variable", hint="write {env:NAME} or {env:NAME:default}"
            )
        return Placeholder(text, name, variable, default if colon else None)
    if colon and name in RUN_TIME:
        raise ConfigurationError(
            f"{text}: {{{name}}} always has a value and takes no default", hint=f"write {{{name}}}"
        )
    return Placeholder(text, text[1:-1])
