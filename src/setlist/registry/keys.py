"""The schema of session definitions: one table of keys.

The checks of TOML and of the decorator's arguments, the fields of a resolved session, the JSON of ``setlist list`` and
the manual follow from it. TOML writes ``allow-failure``, the decorator ``allow_failure``; the meaning is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict, get_args

from setlist.core.errors import ConfigurationError
from setlist.core.limits import LARGEST_NUMBER
from setlist.core.model import Backend, InstallerName, LinkMode, LockFormat, OutputMode, ProjectMode, Resolution
from setlist.core.plugins import kinds
from setlist.core.records import dataclass, replace
from setlist.registry import validators
from setlist.registry.validators import Check, ValidationError, under

Keys = dict[str, Any]
"""The keys of one definition by their names in TOML, as their checks return them: JSON data."""


Schema = Mapping[str, object]
"""A JSON schema of draft 7."""


class Matrix(TypedDict):
    """The value of the key ``matrix`` once it is checked: the axes, and the combinations to add and to leave out."""

    axes: dict[str, list[str]]
    include: list[dict[str, str]]
    exclude: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class KeyType:
    """The values that a key takes.

    ``text`` describes them in the manual, ``schema`` in a JSON schema, and ``python`` is the annotation of the
    decorator's argument. ``check`` returns a value as JSON data. ``axes``: the placeholders of axes are replaced in its
    strings. ``pairs``: a table, which a resolved session holds as pairs.
    """

    text: str
    python: str
    schema: Schema
    check: Check
    axes: bool = False
    pairs: bool = False


def _one_of(name: str, literal: object) -> KeyType:
    values = get_args(literal)
    return KeyType(validators.listed(values), name, {"enum": list(values)}, validators.one_of(*values))


# Patterns mean the same to ECMA 262 and Python, but that Python's $ also matches before a last line break. A name or
# a path is one line; other text may hold anything but NUL.
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]"
_NUMBER = {"type": "integer", "maximum": LARGEST_NUMBER}
_TEXT: Schema = {"type": "string", "not": {"pattern": r"\x00"}}
_WORD: Schema = {"type": "string", "pattern": r"\S", "not": {"pattern": _CONTROL}}
_WORDS: Schema = {"type": "array", "items": _WORD}
_AXIS: Schema = {"type": "array", "items": _WORD, "minItems": 1, "uniqueItems": True}
_TEXT_TABLE: Schema = {"type": "object", "additionalProperties": _TEXT}
_COUNTS: Schema = {"type": "object", "additionalProperties": {**_NUMBER, "minimum": 1}}
_CODE: Schema = {**_NUMBER, "minimum": -LARGEST_NUMBER}
_SPAN: Schema = {
    "type": "string",
    "pattern": r"^\s*(?=[\s\S]*[1-9])([0-9]+\s*h)?\s*([0-9]+\s*m(in)?)?\s*([0-9]+(\.[0-9]+)?\s*s?)?\s*$",
}

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

TEXT = KeyType("a string", "str", _TEXT, validators.string)
WORD = KeyType("a string", "str", _WORD, validators.filled)
STRINGS = KeyType("a list of strings", "Sequence[str]", _WORDS, validators.strings, axes=True)
STRING_OR_STRINGS = KeyType(
    "a string or a list of strings",
    "str | Sequence[str]",
    {"anyOf": [_WORD, _WORDS]},
    validators.string_or_strings,
    axes=True,
)
_VERSION = "(py|python)?[0-9][0-9.]*"
_PYTHON: Schema = {
    **_WORD,
    # several in one string
    "allOf": [{"not": {"pattern": rf"^\s*({_VERSION}([, ]+{_VERSION})+|py\{{[0-9.]*[, ][0-9., ]*\}})\s*$"}}],
}
PYTHON = KeyType(
    "a string or a list of strings",
    "str | Sequence[str]",
    {"anyOf": [_PYTHON, {**_AXIS, "items": _PYTHON}]},
    validators.python,
)
BOOLEAN = KeyType("true or false", "bool", {"type": "boolean"}, validators.boolean)
BOOLEAN_OR_STRINGS = KeyType(
    "true, false or a list of strings",
    "bool | Sequence[str]",
    {"anyOf": [{"type": "boolean"}, _WORDS]},
    validators.boolean_or_strings,
)
COUNT = KeyType("a whole number", "int", {**_NUMBER, "minimum": 0}, validators.count)
SECONDS = KeyType(
    'seconds, or a string as "10m"',
    "float | str",
    {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_NUMBER}, _SPAN]},
    validators.seconds,
)
MOMENT = KeyType(
    'a date, a timestamp, or a span as "7 days"',
    "str | datetime.date",
    {
        "anyOf": [
            {
                "type": "string",
                "pattern": rf"^\s*({_DATE}(\s*$|[T ][0-9]{{2}}:[0-9]{{2}})"
                r"|[0-9]+\s*([smhdw]|(second|minute|hour|day|week|month|year)s?)( ago)?\s*$"
                r"|P(?=[0-9T])([0-9]+[YMWD])*(T([0-9]+[HMS])+)?\s*$)",
            },
            # TOML's own dates
            *(
                {"type": "string", "format": format_, "pattern": f"^{_DATE}($|[T ])"}
                for format_ in ("date", "date-time", "date-time-local")
            ),
        ]
    },
    validators.moment,
)
VARIABLES = KeyType(
    "a table of strings",
    "Mapping[str, str]",
    {**_TEXT_TABLE, "propertyNames": {"pattern": "^[^=]+$", "not": {"pattern": rf"{_CONTROL}|\t"}}},
    validators.environment_table,
    pairs=True,
)
RESOURCES = KeyType(
    "a list of strings, or a table of whole numbers",
    "Sequence[str] | Mapping[str, int]",
    {"anyOf": [_WORDS, _COUNTS]},
    validators.resources,
    pairs=True,
)
MATRIX = KeyType(
    "a table of lists of strings",
    "Mapping[str, Sequence[str] | Sequence[Mapping[str, str]]]",
    {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": {**_TEXT_TABLE, "minProperties": 1}} for name in ("include", "exclude")
        },
        "additionalProperties": _AXIS,
        "propertyNames": {
            "pattern": r"^[A-Za-z][A-Za-z0-9_-]*$(?!\n)",
            "not": {"enum": [name for name in validators.RESERVED_AXES if name not in ("include", "exclude")]},
        },
    },
    validators.matrix,
    pairs=True,
)
CODES = KeyType(
    "a list of whole numbers",
    "Sequence[int]",
    {"anyOf": [_CODE, {"type": "array", "items": _CODE, "minItems": 1}]},
    validators.exit_codes,
)
PROJECT = replace(_one_of("ProjectMode", ProjectMode), check=validators.project_mode(*get_args(ProjectMode)))
RESOLUTION = _one_of("Resolution", Resolution)
INSTALLER = _one_of("InstallerName", InstallerName)
LINK_MODE = _one_of("LinkMode", LinkMode)
BACKEND = _one_of("Backend", Backend)
LOCK_FORMAT = _one_of("LockFormat", LockFormat)
_LINE: Schema = {**_TEXT, "pattern": r"\S"}
_ARGV: Schema = {"type": "array", "items": [_LINE], "additionalItems": _TEXT, "minItems": 1}
LINE = KeyType("a string, or a list of strings", "str | Sequence[str]", {"anyOf": [_LINE, _ARGV]}, lambda value: value)


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    ``name`` is its name in TOML, ``meaning`` one line of the manual. ``part`` is the record that holds the value in a
    resolved session, in the field ``field``: the session, its environment or its command; the definition where no
    other does. A key of the whole project is a field of the settings, or is used while its file is loaded.
    ``shared``: a session's key may also be in ``defaults``, a project's key also in session files.
    """

    name: str
    meaning: str
    type: KeyType
    part: Literal["session", "environment", "command", "definition", "settings", "file"] = "session"
    shared: bool = True
    held_as: str = ""

    @property
    def python_name(self) -> str:
        """Its name as an argument of the decorator."""
        return self.name.replace("-", "_")

    @property
    def field(self) -> str:
        """The field that holds its value."""
        return self.held_as or self.python_name


COMMAND_KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("cmd", "The command: one line, or a list of words", LINE, "command", held_as="words"),
        Key("env", "Its own environment variables", VARIABLES, "command"),
        Key("cwd", "The directory it runs in, relative to the root", WORD, "command"),
        Key("ok-codes", "Exit codes that count as success", CODES, "command"),
        Key("allow-failure", "Whether the session goes on although it fails", BOOLEAN, "command"),
        Key("shell", "Whether a shell reads the line", BOOLEAN, "command"),
        Key("stdout", "The file that its output is written to", WORD, "command"),
    )
}
"""The keys of a command that is written as a table."""


def check_commands(value: object) -> list[Keys]:
    """``run``: a list of commands, or one as a string. Each becomes a table whose ``cmd`` is a list of words."""
    if isinstance(value, str):
        return [check_command(value)]
    if not isinstance(value, (list, tuple)):
        raise ValidationError(
            f"must be a list of commands, or one string, not {validators.kind(value)}",
            "put the table into a list: [{ cmd = … }]" if isinstance(value, Mapping) else None,
        )
    return [check_command(item) for item in value]


def check_command(value: object) -> Keys:
    """One command: a string, a list of words, or a table."""
    if not isinstance(value, Mapping):
        return {"cmd": _words(value)}
    given = validators.table(value)
    for name in given:
        if name not in COMMAND_KEYS:
            raise _unknown_key_of_command(name)
    if "cmd" not in given:
        hint = 'write { cmd = "…", shell = true }' if isinstance(given.get("shell"), str) else 'write { cmd = "…" }'
        raise ValidationError("holds a command without cmd", hint)
    checked: Keys = {}
    for key in COMMAND_KEYS.values():
        if key.name in given:
            try:
                checked[key.name] = key.type.check(given[key.name])
            except ValidationError as problem:
                raise ValidationError(
                    f"{'.'.join((key.name, *problem.path))} of a command {problem.message}", problem.hint
                ) from None
    if not checked.get("shell"):
        checked["cmd"] = _words(given["cmd"])
    elif isinstance(given["cmd"], str):
        checked["cmd"] = [validators.filled(given["cmd"])]
    else:
        raise ValidationError(
            f"cmd of a command with shell = true must be a string, not {validators.kind(given['cmd'])}",
            "write the line as you would type it, or leave shell out",
        )
    return checked


def _unknown_key_of_command(written: str) -> ValidationError:
    from setlist.registry.foreign_words import COMMAND_WORDS, meant

    ours, hint = meant(written, COMMAND_WORDS, COMMAND_KEYS)
    problem = validators.unknown(ours or written, tuple(COMMAND_KEYS))
    return ValidationError(f"there is no key of a command {written!r}", hint or problem.hint)


def _words(value: object) -> list[str]:
    from setlist.registry.shell_syntax import shell_syntax
    from setlist.registry.substitution import split_command, without_placeholders

    if isinstance(value, str):
        try:
            words = list(split_command(value))
        except ConfigurationError as error:
            raise ValidationError(error.message, error.hint) from None
        found = shell_syntax(without_placeholders(value))
        if found is not None:
            raise ValidationError(f"the command {validators.shown(value)} {found[0]}", found[1])
    elif isinstance(value, (list, tuple)):
        for item in value:
            if not isinstance(item, str):
                raise ValidationError(
                    f"holds a command with {validators.kind(item)} among its words: {validators.shown(item)}",
                    validators.quote_hint(item),
                )
        words = list(value)
    else:
        raise ValidationError(
            f"holds a command that is {validators.kind(value)}", "a command is a string, a list of words, or a table"
        )
    if not words or not words[0].strip():
        raise ValidationError("holds an empty command", "leave it out")
    for word in words:
        validators.string(word)
    return words


_COMMAND_TABLE: Schema = {
    "type": "object",
    "properties": {name: {"description": key.meaning, **key.type.schema} for name, key in COMMAND_KEYS.items()},
    "required": ["cmd"],
    "additionalProperties": False,
    # A line for a shell isn't split. tombi wants additionalProperties in each part
    "if": {"properties": {"shell": {"const": True}}, "required": ["shell"], "additionalProperties": True},
    "then": {"properties": {"cmd": _WORD}, "additionalProperties": True},
}
COMMANDS = KeyType(
    "a list of commands, or one string",
    "str | Sequence[object]",
    {"anyOf": [_LINE, {"type": "array", "items": {"anyOf": [_LINE, _ARGV, _COMMAND_TABLE]}}]},
    check_commands,
)

KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("description", "One line about the session", TEXT, shared=False),
        Key("python", "The interpreter; a list is the python axis", PYTHON, "environment"),
        Key(
            "matrix",
            "Further axes: each combination is a session; `include` and `exclude` change the combinations",
            MATRIX,
            held_as="axes",
        ),
        Key("deps", "Requirements to install, as pip writes them", STRINGS, "environment"),
        Key("groups", "Dependency groups of pyproject.toml to install (PEP 735)", STRINGS, "environment"),
        Key("extras", "Extras of the project to install", STRINGS, "environment"),
        Key("requirements", "Requirements files to install, relative to the root", STRINGS, "environment"),
        Key("constraints", "Constraints files, relative to the root", STRINGS, "environment"),
        Key("project", "How the project is installed; without it, it isn't installed", PROJECT, "environment"),
        Key(
            "run",
            "The commands, in order: each a string, a list of words, or a table",
            COMMANDS,
            shared=False,
            held_as="commands",
        ),
        Key("env", "Environment variables of the commands", VARIABLES),
        Key(
            "env-file",
            "Files of variables (`.env`), relative to the root, read when the session runs; their values are masked",
            STRING_OR_STRINGS,
        ),
        Key(
            "inherit-env",
            "Whether the caller's environment variables are passed on, or which of them, as globs",
            BOOLEAN_OR_STRINGS,
        ),
        Key("cwd", "The directory that the commands run in, relative to the root", WORD),
        Key("external", "Allowed commands from outside of the environment, as globs", STRINGS),
        Key("requires", "Sessions and families that must pass first", STRINGS),
        Key("tags", "Words that select sessions: run @ci", STRINGS),
        Key("default", "Whether a bare 'run' runs it", BOOLEAN),
        Key("extends", "Definitions whose keys are copied", STRING_OR_STRINGS, "definition", shared=False),
        Key("timeout", "The time limit of one attempt", SECONDS),
        Key("retries", "How often a failed session is retried", COUNT),
        Key("allow-failure", "Whether the run passes if the session fails", BOOLEAN),
        Key("exclusive", "Whether no other session may run at the same time", BOOLEAN),
        Key("mutex", "Names: sessions that share one never run at once", STRING_OR_STRINGS),
        Key(
            "resources",
            "The amount of each resource that the session uses; `resources` of [tool.setlist] sets the capacity",
            RESOURCES,
        ),
        Key("jobserver", "Whether it shares the processors by GNU make's jobserver", BOOLEAN),
        Key("interactive", "Whether it asks a person, and gets the terminal to itself", BOOLEAN),
        Key("secrets", "Environment variables, as globs, whose values are masked in output, logs and reports", STRINGS),
        Key("resolution", "Which of the allowed versions are installed", RESOLUTION, "environment"),
        Key("exclude-newer", "Ignore releases that are newer", MOMENT, "environment"),
        Key("index-url", "The package index to use", WORD, "environment"),
        Key("installer", "The installer", INSTALLER, "environment"),
        Key("link-mode", "How uv puts files from its cache into the environment", LINK_MODE, "environment"),
        Key(
            "backend", "How the environment is created; none: the caller's environment is used", BACKEND, "environment"
        ),
        Key("inputs", "Files that the session reads, as globs", STRINGS),
        Key("outputs", "Files that the session writes, as globs", STRINGS),
    )
}
"""The keys of a session."""


def _some_of(*names: str) -> KeyType:
    schema = {"type": "array", "items": {"enum": list(names)}}
    return KeyType("a list of strings", "", schema, validators.some_of(*names))


_TABLE: Schema = {"type": "object"}

SOURCES = ("pyproject", "sessions", *kinds())
"""What ``sources`` can name."""

TABLE = KeyType("a table", "", _TABLE, validators.table)
TABLES = KeyType("a table of tables", "", {"type": "object", "additionalProperties": _TABLE}, validators.table)
GRACE = KeyType(
    "seconds",
    "",
    {"anyOf": [{"type": "number", "minimum": 0, "maximum": LARGEST_NUMBER}, _SPAN]},
    validators.grace,
)
PATH = KeyType(
    "a string",
    "",
    {**_WORD, "allOf": [{"pattern": r"^(?![/~])(?!([\s\S]*[/\\])?\.\.([/\\]|$))[^:]*$"}]},
    validators.inner_path,
)
VERSIONS = KeyType("a string", "", {**_WORD, "allOf": [{"pattern": r"^\s*([~=!<>]=|[<>])"}]}, validators.filled)
JOBS = KeyType(
    'a whole number or "auto"',
    "",
    {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["auto"]}]},
    validators.jobs,
)
OUTPUT = _one_of("OutputMode", OutputMode)
CAPACITIES = KeyType("a table of whole numbers", "", _COUNTS, validators.capacities)

PROJECT_KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("default", "What a bare 'run' runs: a list of names, families, globs and @tags", STRINGS, "file"),
        Key("defaults", "Values for all sessions", TABLE, "file"),
        Key("session", "The sessions, each a table", TABLES, "file"),
        Key("jobs", "How many sessions run at once, as -j of run", JOBS, "settings", shared=False),
        Key("fail-fast", "Whether a run stops at the first failure, as -x of run", BOOLEAN, "settings", shared=False),
        Key("output", "How output is shown, as --output of run", OUTPUT, "settings", shared=False),
        Key("env-dir", "Where environments are kept, relative to the root", WORD, "settings", shared=False),
        Key(
            "interrupt-grace",
            "How long an interrupted command is waited for before it is terminated",
            GRACE,
            "settings",
            shared=False,
        ),
        Key(
            "terminate-grace",
            "How long a terminated command is waited for before it is killed",
            GRACE,
            "settings",
            shared=False,
        ),
        Key("lock-dir", "Where lock files are kept, relative to the root", PATH, "settings", shared=False),
        Key("lock-format", "The form of lock files", LOCK_FORMAT, "settings", shared=False),
        Key(
            "lock-platforms",
            "The platforms that locks are for; left out: all",
            _some_of("linux", "macos", "windows"),
            "settings",
            shared=False,
        ),
        Key(
            "require-hashes",
            "Whether to refuse requirements that can carry no hash",
            BOOLEAN,
            "settings",
            shared=False,
        ),
        Key(
            "lock-consistent",
            "Whether a package has one version across all locks, where requirements allow",
            BOOLEAN,
            "settings",
            shared=False,
        ),
        Key("resources", "Capacities of resources; 1 where not listed", CAPACITIES, "settings", shared=False),
        Key(
            "sources",
            "Which definitions to use; left out: setlist's own where there are any",
            _some_of(*SOURCES),
            "settings",
            shared=False,
        ),
        Key("requires-setlist", "The versions of setlist that this project works with", VERSIONS, "file", shared=False),
    )
}
"""The keys of the whole project, in ``[tool.setlist]`` and at the top of session files."""

INSTALLING = ("deps", "groups", "extras", "requirements", "constraints", "project")
"""The keys that ask for something to be installed or held."""


def check_keys(given: Mapping[str, object], *, defaults: bool = False, python: bool = False) -> Keys:
    """See that each key is one and its value of the right type.

    Args:
        given: the keys as written.
        defaults: whether they are the values for all sessions, where some make no sense.
        python: whether they are written as keyword arguments, with underscores.

    Raises:
        ValidationError: the first that is wrong; its path begins with the key as written.
    """
    checked: Keys = {}
    for written, value in given.items():
        name = written.replace("_", "-") if python else written
        key = KEYS.get(name)
        with under(written):
            if key is None:
                raise _unknown_key(written, python=python)
            if defaults and not key.shared:
                raise ValidationError("belongs to one session, not to all", "move it into the session's own table")
            checked[name] = key.type.check(value)
    return checked


def _unknown_key(written: str, *, python: bool) -> ValidationError:
    from setlist.registry.foreign_words import SESSION_WORDS, meant

    ours, hint = meant(written, SESSION_WORDS, {**KEYS, **COMMAND_KEYS})
    name = ours or written.lower().replace("_", "-")
    if hint is not None:
        return ValidationError(f"there is no key {written!r}", hint)
    if python and name == "run":
        return ValidationError(f"there is no key {written!r}", "call s.run(…) in the function")
    if name in COMMAND_KEYS and name not in KEYS:
        hint = f'it is a key of a command: run = [{{ cmd = "…", {name} = … }}]'
        return ValidationError(f"there is no key {written!r}", hint)
    problem = validators.unknown(ours or written, tuple(KEYS))
    hint = problem.hint
    return ValidationError(f"there is no key {written!r}", hint.replace("-", "_") if python and hint else hint)
