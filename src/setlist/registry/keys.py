"""Which keys does a definition have? One table, for TOML files, the decorator and the manual.

TOML writes ``allow-failure``, the decorator ``allow_failure``; the meaning is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict, cast

from setlist.core.records import dataclass
from setlist.registry import validators
from setlist.registry.validators import Check, ValidationError, under

if TYPE_CHECKING:
    from setlist.core.model import Backend, InstallerName, ProjectMode, Resolution


class Matrix(TypedDict):
    """The axes of a definition's own, and the combinations to add and to leave out."""

    axes: dict[str, list[str]]
    include: list[dict[str, str]]
    exclude: list[dict[str, str]]


CheckedCommand = TypedDict(
    "CheckedCommand",
    {
        "cmd": list[str],
        "env": dict[str, str],
        "cwd": str,
        "ok-codes": list[int],
        "allow-failure": bool,
        "shell": bool,
        "stdout": str,
    },
    total=False,
)

Keys = TypedDict(
    "Keys",
    {
        "description": str,
        "python": "str | list[str]",
        "matrix": Matrix,
        "deps": list[str],
        "groups": list[str],
        "extras": list[str],
        "requirements": list[str],
        "constraints": list[str],
        "project": "ProjectMode",
        "run": list[CheckedCommand],
        "env": dict[str, str],
        "inherit-env": "bool | list[str]",
        "cwd": str,
        "external": list[str],
        "requires": list[str],
        "tags": list[str],
        "default": bool,
        "extends": list[str],
        "timeout": float,
        "retries": int,
        "allow-failure": bool,
        "exclusive": bool,
        "mutex": list[str],
        "resources": dict[str, int],
        "jobserver": bool,
        "interactive": bool,
        "secrets": list[str],
        "resolution": "Resolution",
        "exclude-newer": str,
        "index-url": str,
        "installer": "InstallerName",
        "backend": "Backend",
        "inputs": list[str],
        "outputs": list[str],
    },
    total=False,
)
"""The keys of one definition, checked and in plain form: what each check below returns."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name in TOML, what it is for, its type in words, and the check of its value.

    ``shared``: it may stand in ``defaults`` too.
    """

    name: str
    meaning: str
    type: str
    check: Check
    shared: bool = True

    @property
    def python_name(self) -> str:
        """Its name as a keyword argument of the decorator."""
        return self.name.replace("-", "_")


STRINGS = "a list of strings"

KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("description", "What the session is for, in one line", "a string", validators.string, shared=False),
        Key("python", "The interpreter; a list is the python axis", "a string or a list of strings", validators.python),
        Key(
            "matrix",
            "Axes of the session's own: each combination is a session; include and exclude combinations",
            "a table of lists of strings",
            validators.matrix,
        ),
        Key("deps", "Requirements to install, as pip writes them", STRINGS, validators.strings),
        Key("groups", "Dependency groups of pyproject.toml to install (PEP 735)", STRINGS, validators.strings),
        Key("extras", "Extras of the project to install", STRINGS, validators.strings),
        Key("requirements", "Requirements files to install, relative to the root", STRINGS, validators.strings),
        Key("constraints", "Constraints files to keep to, relative to the root", STRINGS, validators.strings),
        Key(
            "project",
            "How the project itself is installed; left out: it isn't",
            '"editable", "wheel" or "sdist"',
            validators.one_of("editable", "wheel", "sdist"),
        ),
        Key(
            "run",
            "The commands, in order: each a string, a list of words, or a table",
            "a list of commands, or one string",
            validators.commands,
            shared=False,
        ),
        Key("env", "Environment variables of the commands", "a table of strings", validators.environment_table),
        Key(
            "inherit-env",
            "Whether the caller's environment variables are passed on, or which, as globs",
            "true, false or a list of strings",
            validators.boolean_or_strings,
        ),
        Key("cwd", "The directory the commands run in, relative to the root", "a string", validators.filled),
        Key(
            "external",
            "Commands from outside of the environment that may be run, as globs",
            STRINGS,
            validators.strings,
        ),
        Key("requires", "Sessions and families that must pass first", STRINGS, validators.strings),
        Key("tags", "Words to choose sessions by: run @ci", STRINGS, validators.strings),
        Key("default", "Whether a bare 'run' runs it", "true or false", validators.boolean),
        Key(
            "extends",
            "Definitions whose keys this one begins with",
            "a string or a list of strings",
            validators.string_or_strings,
            shared=False,
        ),
        Key("timeout", "How long one try may take", 'seconds, or a string as "10m"', validators.seconds),
        Key("retries", "How often a failed session is tried again", "a whole number", validators.count),
        Key("allow-failure", "Whether the run passes although this fails", "true or false", validators.boolean),
        Key("exclusive", "Whether nothing may run beside it", "true or false", validators.boolean),
        Key(
            "mutex",
            "Names: no two sessions that share one run at once",
            "a string or a list of strings",
            validators.string_or_strings,
        ),
        Key(
            "resources",
            "What it takes of what there is a limited number of; [tool.setlist] resources says how many",
            "a list of strings, or a table of whole numbers",
            validators.resources,
        ),
        Key(
            "jobserver", "Whether it shares the processors by GNU make's protocol", "true or false", validators.boolean
        ),
        Key(
            "interactive",
            "Whether it talks to a person: gets the terminal to itself",
            "true or false",
            validators.boolean,
        ),
        Key(
            "secrets",
            "Environment variables, as globs, whose values are masked in all that is shown and kept",
            STRINGS,
            validators.strings,
        ),
        Key(
            "resolution",
            "Which of the versions that fit are taken",
            '"highest", "lowest-direct" or "lowest"',
            validators.one_of("highest", "lowest-direct", "lowest"),
        ),
        Key(
            "exclude-newer",
            "Leave out releases that are newer than this",
            'a date, a timestamp, or a span as "7 days"',
            validators.moment,
        ),
        Key("index-url", "The package index to use", "a string", validators.filled),
        Key("installer", "What resolves and installs", '"uv" or "pip"', validators.one_of("uv", "pip")),
        Key(
            "backend",
            "What makes the environment; none: the caller's own is used",
            '"virtualenv" or "none"',
            validators.one_of("virtualenv", "none"),
        ),
        Key("inputs", "Files that the session reads, as globs", STRINGS, validators.strings),
        Key("outputs", "Files that the session writes, as globs", STRINGS, validators.strings),
    )
}

INSTALLING = ("deps", "groups", "extras", "requirements", "constraints", "project")
"""The keys that ask for something to be installed or held."""

# What the other runners call it. Near misses of spelling are found by `nearest`; these aren't near.
ELSEWHERE = {
    "allowlist-externals": "external",
    "args": "run",
    "base-python": "python",
    "basepython": "python",
    "change-dir": "cwd",
    "changedir": "cwd",
    "cmd": "run",
    "command": "run",
    "commands": "run",
    "dependencies": "deps",
    "dependency-groups": "groups",
    "depends": "requires",
    "env-vars": "env",
    "features": "extras",
    "help": "description",
    "ignore-outcome": "allow-failure",
    "interpreter": "python",
    "packages": "deps",
    "pass-env": "inherit-env",
    "passenv": "inherit-env",
    "script": "run",
    "scripts": "run",
    "set-env": "env",
    "setenv": "env",
    "venv-backend": "backend",
    "working-dir": "cwd",
}


def check_keys(given: Mapping[str, object], *, defaults: bool = False, python: bool = False) -> Keys:
    """See that each key is one and its value of the right type.

    Args:
        given: the keys as written.
        defaults: whether they are the values for all sessions, where some make no sense.
        python: whether they are written as keyword arguments, with underscores.

    Raises:
        BadValue: the first that is wrong; its path begins with the key as written.
    """
    checked: dict[str, object] = {}
    for written, value in given.items():
        name = written.replace("_", "-") if python else written
        key = KEYS.get(name)
        with under(written):
            if key is None:
                raise _unknown_key(written, python=python)
            if defaults and not key.shared:
                raise ValidationError("belongs to one session, not to all", "move it into the session's own table")
            checked[name] = key.check(value)
    return cast("Keys", checked)


def _unknown_key(written: str, *, python: bool) -> ValidationError:
    hyphened = written.lower().replace("_", "-")
    meant = ELSEWHERE.get(hyphened)
    problem = validators.unknown(written, tuple(KEYS)) if meant is None else None
    if problem is None:
        problem = ValidationError(f"there is no key {written!r}", f"did you mean {meant!r}?")
    if python and problem.hint is not None:
        problem.hint = problem.hint.replace("-", "_")
    return problem
