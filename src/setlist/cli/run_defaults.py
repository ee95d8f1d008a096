"""Options of ``run`` that its command line leaves out: ``SETLIST_*`` variables, and then ``[tool.setlist]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setlist.core.errors import UsageError
from setlist.core.records import replace

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.cli.options import Arguments, Option
    from setlist.core.model import Settings

_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off")


def variable_of(option: Option) -> str:
    """The variable of an option: ``SETLIST_FAIL_FAST``."""
    return f"SETLIST_{option.name.upper().replace('-', '_')}"


def variables_of(options: Sequence[Option]) -> tuple[str, ...]:
    """The variables that stand for options."""
    return tuple(variable_of(option) for option in options if option.variable)


def with_variables(arguments: Arguments, options: Sequence[Option], environ: Mapping[str, str]) -> Arguments:
    """The command line with what variables say of options that it leaves out. An empty variable counts as none.

    Raises:
        UsageError: the variable of a flag is neither on nor off.
    """
    for option in options:
        name = variable_of(option)
        text = environ.get(name, "") if option.variable else ""
        if not text:
            continue
        if option.metavar is not None:
            values: tuple[str, ...] = (text,)
        elif text.lower() in (*_ON, *_OFF):
            values = ("",) if text.lower() in _ON else ()
        else:
            raise UsageError(f"{name} is {text!r}", hint="write 1 for yes, 0 for no, or leave it unset")
        arguments = _with(arguments, option.name, values, name)
    return arguments


def with_settings(arguments: Arguments, settings: Settings) -> Arguments:
    """The command line with what the project says of options that it and the variables leave out."""
    given = (
        ("jobs", (settings.jobs,) if settings.jobs is not None else ()),
        ("fail-fast", ("",) if settings.fail_fast else ()),
        ("output", (settings.output,) if settings.output is not None else ()),
    )
    for name, values in given:
        if values:
            arguments = _with(arguments, name, values, f"{name} in [tool.setlist]")
    return arguments


def _with(arguments: Arguments, name: str, values: tuple[str, ...], origin: str) -> Arguments:
    """The arguments with an option, unless it is given already, or excluded by another that is."""
    if name in arguments.given or _is_excluded(arguments, name, values):
        return arguments
    return replace(arguments, given={**arguments.given, name: values}, origins={**arguments.origins, name: origin})


def _is_excluded(arguments: Arguments, name: str, values: tuple[str, ...]) -> bool:
    if name == "locked":
        return arguments.flag("no-lock")
    if name == "jobs":
        return arguments.value("output") == "direct"
    return name == "output" and values == ("direct",) and arguments.value("jobs") not in (None, "1")
