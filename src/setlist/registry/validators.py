"""Checks of the values of keys.

A check takes a value from TOML or from the decorator and returns it as JSON data, or raises :class:`ValidationError`.
Tuples count as lists: decorators are written in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from setlist.core.errors import nearest
from setlist.core.limits import LARGEST_NUMBER

Check = Callable[[object], object]

RESERVED_AXES = ("python", "include", "exclude", "posargs", "session", "project", "envdir", "tmp", "env")


class ValidationError(Exception):
    """An invalid value. ``path`` leads to it from its key.

    It never reaches a user: a caller that knows the file turns it into a ConfigurationError.
    """

    def __init__(self, message: str, hint: str | None = None, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path


@contextmanager
def under(key: str) -> Iterator[None]:
    """Put ``key`` in front of the path of an error."""
    try:
        yield
    except ValidationError as bad:
        raise ValidationError(bad.message, bad.hint, (key, *bad.path)) from None


def kind(value: object) -> str:
    """The type of a value, in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "a table"
    if value is None:
        return "None"
    return f"a {type(value).__name__}"


def unknown(name: str, names: Sequence[str], noun: str = "key") -> ValidationError:
    """The error for a name that isn't one of several."""
    hyphened = name.replace("_", "-")
    near = hyphened if hyphened in names else nearest(hyphened, names)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
    return ValidationError(f"there is no {noun} {name!r}", hint)


def shown(value: object) -> str:
    """A value of any type as a message shows it, shortened."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more than 4,300 digits, lists in lists in lists …
        return "…"
    return text if len(text) <= 60 else text[:59] + "…"


def quote_hint(value: object) -> str | None:
    """The hint for a number in place of a string."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f'quote it: "{shown(value)}"' if is_number else None


def string(value: object) -> str:
    """A string that can be an argument, a variable or the name of a file: without NUL, and encodable."""
    if not isinstance(value, str):
        raise ValidationError(f"must be a string, not {kind(value)}", quote_hint(value))
    if "\0" in value:
        raise ValidationError(f"holds a NUL character: {shown(value)}")
    if not value.isascii():
        try:
            # os.fsdecode makes strings with surrogates of file names that aren't UTF-8
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ValidationError(f"holds {value[error.start]!r}, which no encoding knows: {shown(value)}") from None
    return value


def line(value: object) -> str:
    """A string without line breaks and other control characters: it is written to files that are read line by line."""
    text = string(value)
    if text.isprintable():
        return text
    import unicodedata

    wrong = next((one for one in text if unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") and one != "\t"), None)
    if wrong is not None:
        raise ValidationError(f"holds the control character {wrong!r}: {shown(text)}", "leave it out")
    return text


def filled(value: object) -> str:
    text = line(value)
    if not text.strip():
        raise ValidationError("must not be empty", "leave the key out")
    return text


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        raise ValidationError("must be a list of strings, not a string", f'write it as a list: ["{value}"]')
    if not isinstance(value, (list, tuple)):
        raise ValidationError(f"must be a list of strings, not {kind(value)}")
    for item in value:
        if not isinstance(item, str):
            raise ValidationError(f"must be a list of strings, but holds {kind(item)}: {shown(item)}", quote_hint(item))
        if not line(item).strip():
            raise ValidationError("holds an empty string", "leave it out")
    return list(value)


def string_or_strings(value: object) -> list[str]:
    return [filled(value)] if isinstance(value, str) else strings(value)


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"must be true or false, not {kind(value)}")
    return value


def boolean_or_strings(value: object) -> bool | list[str]:
    if isinstance(value, bool):
        return value
    if not isinstance(value, (list, tuple)):
        raise ValidationError(
            f"must be true, false, or a list of names, not {kind(value)}",
            f'write it as a list: ["{value}"]' if isinstance(value, str) else None,
        )
    return strings(value)


def count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        said = shown(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else kind(value)
        raise ValidationError(f"must be a whole number, 0 or more, not {said}")
    if value > LARGEST_NUMBER:
        raise ValidationError(f"must be at most {LARGEST_NUMBER}")
    return value


def jobs(value: object) -> str:
    """A number of sessions, or ``"auto"``, as the command line has it."""
    if value == "auto":
        return "auto"
    if isinstance(value, str):
        hint = f"write it without quotes: {value}" if value.isdecimal() else None
        raise ValidationError(f'must be a whole number or "auto", not {value!r}', hint)
    if count(value) == 0:
        raise ValidationError("must be 1 or more", 'write "auto" for the number of processors')
    return str(value)


def table(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ValidationError(f"must be a table, not {kind(value)}")
    for name in value:
        if not isinstance(name, str):
            raise ValidationError(f"must have strings as keys, not {kind(name)}: {shown(name)}")
    return dict(value)


def string_table(value: object) -> dict[str, str]:
    result = {}
    for name, item in table(value).items():
        with under(name):
            result[name] = string(item)
    return result


def environment_table(value: object) -> dict[str, str]:
    result = string_table(value)
    for name in result:
        if not name or "=" in name or not name.isprintable():
            raise ValidationError(f"{name!r} can't be the name of an environment variable")
    return result


def listed(names: Sequence[str]) -> str:
    """The values to choose from, in words."""
    return ", ".join(f'"{name}"' for name in names[:-1]) + f' or "{names[-1]}"'


def one_of(*names: str) -> Check:
    def check(value: object) -> str:
        if value not in names or not isinstance(value, str):
            near = nearest(value, names) if isinstance(value, str) else None
            said = repr(value) if isinstance(value, str) else kind(value)
            raise ValidationError(f"must be {listed(names)}, not {said}", f"did you mean {near!r}?" if near else None)
        return value

    return check


def project_mode(*names: str) -> Check:
    """How the project is installed. Other tools take a path, or true and false."""
    check_name = one_of(*names)

    def check(value: object) -> object:
        try:
            return check_name(value)
        except ValidationError as bad:
            if value is False or value in ("skip", "none", "no"):
                raise ValidationError(bad.message, "leave the key out: then the project isn't installed") from None
            raise ValidationError(bad.message, bad.hint or f"did you mean {names[0]!r}?") from None

    return check


def some_of(*names: str) -> Callable[[object], tuple[str, ...]]:
    """A list of some of these names."""
    check_one = one_of(*names)

    def check(value: object) -> tuple[str, ...]:
        chosen = strings(value)
        for name in chosen:
            check_one(name)
        return tuple(dict.fromkeys(chosen))

    return check


def inner_path(value: object) -> str:
    """A path inside the project, relative to its root."""
    path = filled(value)
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "~")) or ":" in path or ".." in parts:
        raise ValidationError(f"must be a path inside the project, relative to its root, not {path!r}")
    return "/".join(part for part in parts if part not in ("", "."))


def seconds(value: object) -> float:
    """A number of seconds greater than 0, or a string such as ``"90s"``, ``"10m"``, ``"1h30m"``."""
    if isinstance(value, str):
        import re

        match = re.fullmatch(r"\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s?)?\s*", value)
        if match is not None and any(match.groups()):
            hours, minutes, rest = (float(part or 0) for part in match.groups())
            value = hours * 3600 + minutes * 60 + rest
        else:
            raise ValidationError(f"{value!r} is no length of time", 'write seconds (90), or "90s", "10m", "1h30m"')
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValidationError(f"must be a number of seconds, not {kind(value)}", 'write seconds (90), or "90s", "10m"')
    # nan compares false with everything, and an endless timeout is written by leaving the key out
    if not 0 < value < float("inf"):
        raise ValidationError(f"must be more than 0 seconds, not {shown(value)}")
    if value > LARGEST_NUMBER:
        raise ValidationError(
            f"must be at most {LARGEST_NUMBER} seconds", "leave it out: then it may take as long as it takes"
        )
    return float(value)


def resources(value: object) -> dict[str, int]:
    """Names of resources with the count of each; a list means one of each."""
    if isinstance(value, str):
        raise ValidationError("must be a list of strings or a table, not a string", f'write it as a list: ["{value}"]')
    if isinstance(value, (list, tuple)):
        return dict.fromkeys(strings(value), 1)
    counts = {}
    for name, item in table(value).items():
        with under(name):
            counts[name] = count(item)
            if counts[name] == 0:
                raise ValidationError("must be 1 or more", "leave it out")
    return counts


def capacities(value: object) -> tuple[tuple[str, int], ...]:
    """The capacity of each resource."""
    return tuple(resources(table(value)).items())


def grace(value: object) -> float:
    """Seconds, which may be 0."""
    return 0.0 if value == 0 and not isinstance(value, (bool, str)) else seconds(value)


def python(value: object) -> str | list[str]:
    """A request, or a list of them: the python axis."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValidationError(
            f"must be a string or a list of strings, not a number: {shown(value)}",
            'quote it, as in "3.10": the number 3.10 is 3.1',
        )
    if isinstance(value, str):
        _refuse_several_pythons(value)
        return filled(value)
    if not isinstance(value, (list, tuple)):
        raise ValidationError(f"must be a string or a list of strings, not {kind(value)}")
    values = axis(value)
    for item in values:
        _refuse_several_pythons(item)
    return values


def _refuse_several_pythons(text: str) -> None:
    """Refuse several versions in one string, as tox writes them: ``py310,py311``, ``py{310,311}``."""
    if "," not in text and " " not in text:
        return
    import re

    version = r"(?:py|python)?\d[\d.]*"
    braces = re.fullmatch(r"py\{([\d., ]+)\}", text.strip())
    if braces is not None or re.fullmatch(rf"{version}(?:[, ]+{version})+", text.strip()):
        names = re.split(r"[, ]+", braces[1] if braces is not None else text.strip())
        values = [f"py{name}" if braces is not None and name.isdigit() else name for name in names if name]
        listed_values = ", ".join(f'"{name}"' for name in values)
        raise ValidationError(f"names several Pythons in one string: {text!r}", f"write a list: [{listed_values}]")


def axis(value: object) -> list[str]:
    """The values of one axis."""
    if isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, (int, float)) and not isinstance(item, bool):
                raise ValidationError(
                    f"holds a number: {shown(item)}", 'quote it, as in "3.10": the number 3.10 is 3.1'
                )
    values = strings(value)
    if not values:
        raise ValidationError("is an axis without values", "name at least one, or leave the key out")
    seen: set[str] = set()
    for item in values:
        if item in seen:
            raise ValidationError(f"holds {item!r} twice")
        seen.add(item)
    return values


def matrix(value: object) -> dict[str, object]:
    """Axes with their values, and the combinations to leave out and to add."""
    import re

    result: dict[str, object] = {"axes": {}, "include": [], "exclude": []}
    axes: dict[str, list[str]] = {}
    for name, item in table(value).items():
        with under(name):
            if name in ("include", "exclude"):
                result[name] = _combinations(item)
            elif name in RESERVED_AXES:
                raise ValidationError(
                    f"an axis can't be named {name!r}",
                    "the python axis is the key 'python' of the session, beside 'matrix'"
                    if name == "python"
                    else "it has a meaning in commands already; choose another name",
                )
            elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
                raise ValidationError(
                    f"an axis can't be named {name!r}", "use letters, digits, - and _, beginning with a letter"
                )
            else:
                axes[name] = axis(item)
    result["axes"] = axes
    return result


def _combinations(value: object) -> list[dict[str, str]]:
    if not isinstance(value, (list, tuple)):
        raise ValidationError(
            f"must be a list of tables, not {kind(value)}",
            'write it as a list: [{ python = "3.9", django = "5.0" }]',
        )
    result = []
    for item in value:
        combination = string_table(item)
        if not combination:
            raise ValidationError("holds an empty table", "name at least one axis in it")
        result.append(combination)
    return result


def exit_codes(value: object) -> list[int]:
    codes: list[int] = []
    for code in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(code, bool) or not isinstance(code, int):
            raise ValidationError(f"must be a list of exit codes, but holds {kind(code)}")
        if abs(code) > LARGEST_NUMBER:
            raise ValidationError(f"must be a list of exit codes, but holds {shown(code)}")
        codes.append(code)
    if not codes:
        raise ValidationError("must name at least one exit code", "leave the key out: 0 is ok")
    return codes


def moment(value: object) -> str:
    """A date, a timestamp, or a span such as ``"7 days"``. A light check: the installer has the last word."""
    import datetime
    import re

    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    text = string(value).strip()
    if re.match(r"\d{4}-\d\d-\d\d(?:\Z|[T ]\d\d:\d\d)", text):
        return text
    if re.fullmatch(r"\d+\s*(?:s|m|h|d|w|(?:second|minute|hour|day|week|month|year)s?)(?: ago)?", text):
        return text
    if re.fullmatch(r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?", text):
        return text
    raise ValidationError(f"{text!r} is no date and no span of time", 'write "2025-06-30", or "7 days"')
