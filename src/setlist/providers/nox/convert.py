"""What a noxfile's sessions are as ``[tool.setlist]``, as far as they can be said as data."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from setlist.core.model import Registry, SessionSpec
from setlist.core.records import dataclass
from setlist.environment.requirement_lines import parse_requirement, read_words

Keys = dict[str, Any]

POSARGS = "<setlist-posargs>"
WRITES = "writes files into a temporary directory"
_PROJECT = "<setlist-project>"
_PLACES = {"<setlist-envdir>": "{envdir}", "<setlist-tmp>": "{tmp}", _PROJECT: "{project}"}
_HARMLESS = ("-U", "--upgrade", "-q", "--quiet", "-v", "--disable-pip-version-check", "--no-input", "--prefer-binary")


class NotExpressible(Exception):
    """A session does what can't be said as data; the text says what, ``at`` where: ``noxfile.py:12``."""

    def __init__(self, text: str, at: str | None = None) -> None:
        super().__init__(text)
        self.at = at


@dataclass(frozen=True, slots=True)
class Imported:
    """The definitions by name, each with its keys, what a bare ``run`` runs, and what is to be told of each."""

    sessions: Mapping[str, Keys]
    default: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]


def imported(registry: Registry, noted: Mapping[str, Mapping[str, Any]]) -> Imported:
    """Turn notes of what functions do into definitions.

    Args:
        registry: the noxfile's sessions.
        noted: what each did in a dry run, by nox's name (:mod:`setlist.providers.nox.dry_run`).
    """
    sessions: dict[str, Keys] = {}
    notes: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    for family in dict.fromkeys(spec.family for spec in registry.sessions.values()):
        specs = registry.family(family)
        said: list[tuple[SessionSpec, Keys]] = []
        for spec in specs:
            try:
                keys, told = _described(spec, noted[spec.aliases[0]])
            except NotExpressible as problem:
                where = problem.at or f"{spec.origin.file}:{spec.origin.line}"
                left_out.append((spec.name, f"{where}: {_readable(str(problem))}"))
                continue
            said.append((spec, keys))
            notes += [(spec.name, _readable(text)) for text in told]
        whole = _as_family(said) if len(said) == len(specs) else None
        if whole is not None:
            sessions[family] = whole
        else:
            sessions |= {spec.name: _alone(spec, keys) for spec, keys in said}
    notes += _fit_requires(registry, sessions, {name for name, _ in left_out})
    default = _default(registry, sessions)
    return Imported(sessions, default, tuple(_shortened(registry, notes)), tuple(_shortened(registry, left_out)))


def _described(spec: SessionSpec, noted: Mapping[str, Any]) -> tuple[Keys, list[str]]:
    """The keys that say what one session does, and what has to be told beside them."""
    try:
        return _same_each_time(spec, noted)
    except NotExpressible as problem:
        for at, what in noted["with"]["looks"]:
            # what differs between the two tries may do so by itself
            if what in ("a random value", "the time") and "words after '--'" in str(problem):
                raise NotExpressible(f"what it runs isn't the same each time: it goes by {what}", at) from None
        raise


def _same_each_time(spec: SessionSpec, noted: Mapping[str, Any]) -> tuple[Keys, list[str]]:
    given, bare = noted["with"], noted["without"]
    for attempt in (given, bare):
        if attempt["ended"] is not None:
            raise NotExpressible(f"its function {_ending(attempt['ended'])}", attempt["at"])
    notes: list[str] = []
    keys = _common(spec)
    keys |= _installs(bare["calls"])
    if keys != {**keys, **_installs(given["calls"])}:
        raise NotExpressible("what it installs depends on the words after '--'")
    runs = [call for call in given["calls"] if call["call"] in ("run", "run_install")]
    plain = [call for call in bare["calls"] if call["call"] in ("run", "run_install")]
    if len(runs) != len(plain):
        raise NotExpressible("which commands it runs depends on the words after '--'")
    keys["run"] = [_located(one, other) for one, other in zip(runs, plain, strict=True)]
    # a path needs no leave
    keys["external"] = sorted(
        {word for call in plain if call.get("external") and "/" not in (word := call["words"][0])}
    )
    env = {name: value for name, value in bare["env"].items() if value is not None}
    keys["env"] = {name: _literal(value) for name, value in env.items()}
    notes += _remarks(bare["calls"])
    notes += _looked_at([*bare["looks"], *given["looks"]])
    leaked = next((text for text in _texts(keys) if "<setlist-" in text), None)
    if leaked is not None:
        raise NotExpressible(f"it uses a path of the run where a definition can't name one: {leaked}")
    return {key: value for key, value in keys.items() if value not in ([], {}, "", None)}, notes


def _looked_at(looks: Iterable[Sequence[str]]) -> list[str]:
    """What is told of that by which a function goes, and which isn't written in it."""
    found = dict.fromkeys((at, what) for at, what in looks)
    writing = {at for at, what in found if what == WRITES}
    return [
        f"{at}: it {WRITES}, which is not done here"
        if what == WRITES
        else f"{at}: it goes by {what}: what is written here is what that comes to now"
        for at, what in found
        if what == WRITES or at not in writing
    ]


def _texts(value: Any) -> Iterator[str]:
    """All strings in some keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _readable(text: str) -> str:
    """What is said of a session, with our own words for the places of the dry run."""
    for name, placeholder in (*_PLACES.items(), (POSARGS, "{posargs}")):
        text = text.replace(name, placeholder)
    return text


def _ending(text: str) -> str:
    name, _, rest = text.partition(": ")
    if name == "SessionSkip":
        return f"skips: {rest}"
    if name == "SessionQuit":
        return f"gives up: {rest}"
    return f"raises {text}" if re.fullmatch(r"[A-Za-z]+", name) else text


def _common(spec: SessionSpec) -> Keys:
    keys: Keys = {"description": spec.description, "tags": list(spec.tags), "requires": list(spec.requires)}
    if spec.environment.backend == "none":
        keys["backend"] = "none"
    if spec.exclusive:
        keys["exclusive"] = True
    return keys


def _installs(calls: Iterable[Mapping[str, Any]]) -> Keys:
    keys: Keys = {}
    for call in calls:
        if call["call"] == "conda_install":
            raise NotExpressible("it installs by conda", call["at"])
        if call["call"] == "install":
            try:
                if any(place in word for word in call["words"] for place in ("<setlist-tmp>", "<setlist-envdir>")):
                    raise NotExpressible(f"it installs with {shlex.join(call['words'])}")
                _install(call["words"], keys)
            except NotExpressible as problem:
                raise NotExpressible(str(problem), call["at"]) from None
    return {key: list(dict.fromkeys(value)) if isinstance(value, list) else value for key, value in keys.items()}


def _install(words: Sequence[str], keys: Keys) -> None:
    for argument in read_words(words):
        option, value = argument.option, argument.value
        if option in _HARMLESS or not any(argument.words):
            continue
        if option == "--resolution" and value in ("highest", "lowest", "lowest-direct"):
            keys["resolution"] = value
        elif option in ("-r", "-c") and value:
            keys.setdefault("requirements" if option == "-r" else "constraints", []).append(_in_project(value))
        elif option == "--group" and value:
            if ":" in value:
                raise NotExpressible(f"it installs the group {value} of another file")
            keys.setdefault("groups", []).append(value)
        elif option in ("", "-e") and value:
            _requirement(value, option == "-e", words, keys)
        else:
            raise NotExpressible(f"it installs with {shlex.join(words)}")


def _requirement(text: str, editable: bool, words: Sequence[str], keys: Keys) -> None:
    root = Path(_PROJECT)
    requirement = parse_requirement(text.replace(_PROJECT, "."), root, editable=editable)
    if requirement.path == root:
        keys["project"] = "editable" if editable else "wheel"
        keys.setdefault("extras", []).extend(requirement.extras)
        return
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        raise NotExpressible(f"it installs with {shlex.join(words)}") from None
    if editable:
        raise NotExpressible(f"it installs with {shlex.join(words)}")
    keys.setdefault("deps", []).append(text)


def _located(given: Mapping[str, Any], bare: Mapping[str, Any]) -> Any:
    try:
        return _command(given, bare)
    except NotExpressible as problem:
        raise NotExpressible(str(problem), bare["at"]) from None


def _command(given: Mapping[str, Any], bare: Mapping[str, Any]) -> Any:
    """One command, with a placeholder where the words after ``--`` go. A string where that says it all."""
    if any(given.get(key) != bare.get(key) for key in ("env", "cwd", "codes")):
        raise NotExpressible(f"how it runs {bare['words'][0]} depends on the words after '--'")
    if bare.get("stdout") is not None:
        raise NotExpressible(f"it writes what {bare['words'][0]} prints to {bare['stdout']}")
    words = _with_posargs(given["words"], bare["words"])
    command: str | list[str] = " ".join(
        word if re.fullmatch(r"\{posargs.*\}|[\w{}./=:,+@%-]+", word) else shlex.quote(word) for word in words
    )
    if any("'" in word for word in words):
        command = words  # as a list it can be read
    extra: Keys = {}
    if bare.get("env"):
        if None in bare["env"].values():
            raise NotExpressible(f"it keeps a variable from {bare['words'][0]}")
        extra["env"] = {name: _literal(value) for name, value in bare["env"].items()}
    if bare.get("cwd", ".") != ".":
        if bare["cwd"].startswith(".."):
            raise NotExpressible(f"it runs {bare['words'][0]} outside of the project")
        extra["cwd"] = bare["cwd"]
    if bare.get("codes", [0]) != [0]:
        extra["ok-codes"] = bare["codes"]
    return {"cmd": command, **extra} if extra else command  # a list of words is a command too


def _literal(text: str) -> str:
    """A word as a template, with what stands for places."""
    text = text.replace("{", "{{").replace("}", "}}")
    for name, placeholder in _PLACES.items():
        text = text.replace(name, placeholder)
    return text


def _in_project(path: str) -> str:
    """A file, relative to the root."""
    return path.removeprefix("<setlist-project>").lstrip("/") if path.startswith("<setlist-project>") else path


def _with_posargs(given: Sequence[str], bare: Sequence[str]) -> list[str]:
    if POSARGS not in given:
        if any(POSARGS in word for word in given) or list(given) != list(bare):
            raise NotExpressible("its commands depend on the words after '--'")
        return [_literal(word) for word in bare]
    at = given.index(POSARGS)
    before, after = given[:at], given[at + 1 :]
    default = bare[at : len(bare) - len(after)]
    if POSARGS in after or list(bare[:at]) != list(before) or list(bare[len(bare) - len(after) :]) != list(after):
        raise NotExpressible("its commands depend on the words after '--'")
    placeholder = f"{{posargs:{shlex.join(map(_literal, default))}}}" if default else "{posargs}"
    return [*map(_literal, before), placeholder, *map(_literal, after)]


def _remarks(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    ran = False
    for call in calls:
        words, at = shlex.join(call["words"]), call["at"]
        if call["call"] == "install" and ran:
            notes.append(f"{at}: it installs {words} after it has run commands; here all is installed before")
        elif call["call"] == "run_install":
            notes.append(f"{at}: {words} is a command like any other here")
        elif call["call"] == "notify":
            notes.append(f"{at}: it notifies {words}: say requires there, or run both")
        elif call["call"] == "function":
            raise NotExpressible(f"it calls a function: {words}", at)
        elif call["call"] == "run":
            ran = True
            if call["silent"]:
                notes.append(f"{at}: what {words} prints isn't looked at here")
    return notes


def _as_family(said: Sequence[tuple[SessionSpec, Keys]]) -> Keys | None:
    """All variants as one definition; None where they differ in more than their values on the axes."""
    first, keys = said[0]
    if len(said) == 1 and first.name == first.family:
        return {**_python(first), **keys}
    names = [name for name, _ in first.axes]
    if not names or any([name for name, _ in spec.axes] != names for spec, _ in said):
        return None
    values = {name: list(dict.fromkeys(dict(spec.axes)[name] for spec, _ in said)) for name in names}
    combined = set(product(*values.values()))
    if combined != {tuple(value for _, value in spec.axes) for spec, _ in said} or len(combined) != len(said):
        return None
    template = _templates(keys, said, [name for name in names if name != "python"])
    if template is None or any(_filled(template, dict(spec.axes)) != keys for spec, keys in said):
        return None
    python: Keys = {"python": values["python"]} if "python" in values else _python(first)
    if any(_python(spec) != _python(first) for spec, _ in said) and "python" not in values:
        return None
    matrix = {name: value for name, value in values.items() if name != "python"}
    if any(not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) for name in matrix):
        return None
    return {**python, **({"matrix": matrix} if matrix else {}), **template}


def _python(spec: SessionSpec) -> Keys:
    return {} if spec.environment.python is None else {"python": spec.environment.python}


def _alone(spec: SessionSpec, keys: Keys) -> Keys:
    return {**_python(spec), **keys}


def _templates(keys: Any, said: Sequence[tuple[SessionSpec, Keys]], axes: Sequence[str]) -> Any:
    """The first variant's keys with placeholders for the values that the others have otherwise."""
    first = dict(said[0][0].axes)
    if all(other == keys for _, other in said):
        return keys
    return _replaced(keys, {axis: first[axis] for axis in axes})


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for axis, text in names.items():
            if text:
                value = re.sub(rf"(?<![\w.]){re.escape(text)}(?![\w])", f"{{{axis}}}", value)
        return value
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, names) for key, item in value.items()}
    return value


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for axis, text in names.items():
            if axis != "python":
                value = value.replace(f"{{{axis}}}", text)
        return value
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    return value


def _fit_requires(registry: Registry, sessions: dict[str, Keys], gone: Container[str]) -> list[tuple[str, str]]:
    """Families instead of all of their members, and nothing that isn't there; what to tell of that."""
    notes = []
    for name, keys in sessions.items():
        required = [other for other in keys.get("requires", ()) if other not in gone]
        whole = _families(registry, required, sessions)
        lost = [other for other in keys.get("requires", ()) if other in gone]
        if lost:
            notes.append((name, f"it requires {', '.join(lost)}, which is left out"))
        if whole:
            keys["requires"] = whole
        else:
            keys.pop("requires", None)
    return notes


def _families(registry: Registry, names: Sequence[str], sessions: Mapping[str, Keys]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        family = registry.sessions[name].family
        members = [spec.name for spec in registry.family(family)]
        whole = family in sessions and all(member in names for member in members)
        found[family if whole else name] = None
    return list(found)


def _default(registry: Registry, sessions: Mapping[str, Keys]) -> tuple[str, ...]:
    chosen = registry.settings.default
    if chosen is None:
        chosen = tuple(spec.name for spec in registry.sessions.values() if spec.default)
    known = [name for name in chosen if name in registry.sessions]
    return tuple(
        name
        for name in _families(registry, known, sessions)
        if name in sessions or registry.sessions[name].family in sessions
    )


def _shortened(registry: Registry, told: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is true of all members of a family is told once."""
    by_text: dict[tuple[str, str], list[str]] = {}
    for name, text in told:
        spec = registry.sessions.get(name)
        by_text.setdefault((spec.family if spec else name, text), []).append(name)
    return [
        (family if len(names) > 1 or names == [family] else names[0], text) for (family, text), names in by_text.items()
    ]
