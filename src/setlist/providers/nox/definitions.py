"""Which sessions a noxfile has, asked of nox in a process of its own (:mod:`setlist.providers.nox.describe`)."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.core.errors import ConfigurationError, UsageError
from setlist.core.files import read_bytes
from setlist.core.limits import LONGEST_NAME
from setlist.core.model import EnvironmentSpec, Origin, SessionSpec
from setlist.core.project import Project
from setlist.engine.world import IDENTITY, VARIABLE, VARIABLES, World, next_tick
from setlist.process.bootstrap import program
from setlist.process.spawn import Grace, run_process
from setlist.providers.nox.backends import PROVIDER, provided
from setlist.registry.definition import Declared, LoaderPython, TopLevel
from setlist.registry.naming import check_name, proposal, python_suffix, variant_name
from setlist.registry.select import Matches
from setlist.registry.validators import ValidationError

if TYPE_CHECKING:
    from setlist.engine.world import Look


def is_noxfile(file: Path) -> bool:
    """Whether a file is a noxfile of another name: it imports nox, and not setlist."""
    if file.suffix != ".py":
        return False
    try:
        text = read_bytes(file)
    except OSError:
        return False
    imported = set(re.findall(rb"(?m)^(?:from|import)[ \t]+(nox|setlist)\b", text))
    return imported == {b"nox"}


def misplaced(source: bytes) -> tuple[int, str, str] | None:
    """Find ``@nox.session`` in a file that isn't loaded as a noxfile.

    Returns:
        the first one's line, what is wrong, and what to write; None if there is none.
    """
    import ast

    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    modules = {alias.asname or alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    decorators = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "nox"
        for alias in node.names
        if alias.name == "session"
    }
    if "nox" in modules:
        decorators.add("nox.session")
    for node in nodes:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            used = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(used) in decorators:
                message = f"@{ast.unparse(used)} declares no session in this file: only nox knows it"
                hint = "write 'from setlist import session' and @session; or move the function to noxfile.py"
                return decorator.lineno, message, hint
    return None


def shows_ours(file: Path) -> bool:
    """Whether a noxfile is there only to show setlist's sessions to nox (:mod:`setlist.nox`)."""
    try:
        return b"setlist.nox" in read_bytes(file)
    except OSError:
        return False


def keyword_matches(expression: str) -> Matches:
    """The test that an expression stands for to nox: Python, where a name is true if it is part of a session's names or
    tags.

    Raises:
        UsageError: it isn't Python, or can't be evaluated.
    """
    import ast

    # nox's own code, since its rules are nox's to make; whoever types -k waits for its import
    from nox.manifest import keyword_match

    try:
        ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deeply
        raise UsageError(
            "-k: this is no Python expression, which it has to be for a noxfile's sessions",
            detail=expression,
            hint="write names joined by and, or, not and parentheses: 'lint or (tests and not docs)'",
        ) from error

    def matches(session: SessionSpec) -> bool:
        names = session.aliases[1:] or (session.name,)
        try:
            return bool(keyword_match(expression, [*names, *session.tags]))
        except Exception as error:  # it is evaluated, and can be anything
            raise UsageError(f"-k: {type(error).__name__}: {error}", detail=expression) from error

    return matches


def load_noxfile(project: Project, file: str, world: World, loader_python: LoaderPython | None = None) -> Declared:
    """The sessions of a noxfile.

    Args:
        project: whose noxfile it is; its ``provider_arguments`` count.
        file: relative to the root.
        world: records what the noxfile looks at; its variables are those that the noxfile sees.
        loader_python: makes the environment that its ``# /// script`` block asks for.

    Raises:
        ConfigurationError: it can't be loaded.
    """
    runs_in: EnvironmentSpec | None = None
    environ, since = world.environ, world.tick()
    answer = ask(project, file, environ, Path(sys.executable), in_environment=False)
    if "script" in answer:
        runs_in = script_spec(answer["script"])
        if loader_python is None:
            raise ConfigurationError("asks for an environment of its own, and none can be made here", file=file)
        with loader_python(runs_in, file) as python:
            since = next_tick()
            answer = ask(project, file, environ, python, in_environment=True)
    if "error" in answer:
        raise failed(project, file, answer["error"])
    world.observed(file, _looks(project, answer), since)
    if answer["nox"] is not None:
        # without its change time: installers link files from a cache, and each new link changes that
        path, identity = answer["nox"]
        world.expect(IDENTITY, path, identity, file)
    world.is_repeatable = world.is_repeatable and not answer["unknowable"]
    sessions = _specs(project, file, answer["sessions"], answer["options"], runs_in)
    return Declared(
        file=file,
        sessions=sessions,
        top_level=_top_level(answer["options"], answer["sessions"], sessions),
    )


def ask(
    project: Project, file: str, environ: Mapping[str, str], python: Path, *, in_environment: bool
) -> Mapping[str, Any]:
    """What the process says that loads the noxfile."""
    job = {"root": str(project.root), "file": file, "arguments": project.provider_arguments}
    return call(
        "setlist.providers.nox.describe", {**job, "in_environment": in_environment}, python, environ, project.root
    )[1]


def call(
    module: str, job: Mapping[str, Any], python: Path, environ: Mapping[str, str], cwd: Path
) -> tuple[int, Mapping[str, Any]]:
    """Do a job in another Python, and return its exit code and what it answers.

    Raises:
        ConfigurationError: it ends without an answer.
    """
    from setlist.core.files import temporary_directory
    from setlist.process.guardian import guarding

    # no run has begun yet
    with guarding(Grace().terminate), temporary_directory() as folder:
        result = os.path.join(folder, "result.json")
        completed = run_process(
            [str(python), "-c", program(module), json.dumps({**job, "result": result})],
            env=environ,
            cwd=cwd,
            stdin=b"",
        )
        try:
            with open(result, encoding="utf-8") as stream:
                answer: Mapping[str, Any] = json.load(stream)
        except (OSError, ValueError):
            raise ended_early(completed.code) from None
    return completed.code, answer


def ended_early(code: int) -> ConfigurationError:
    """What is told where the process that loads a noxfile ends without an answer."""
    return ConfigurationError(
        f"the process that loads the noxfile ended with code {code}, before it was done",
        hint="does the noxfile end the program when it is loaded? 'nox -l' does the same",
    )


def failed(project: Project, file: str, error: Mapping[str, Any]) -> ConfigurationError:
    """What is told of a noxfile that can't be loaded."""
    place = error["file"]
    return ConfigurationError(
        error["message"],
        file=file if place is None else _relative(project, place),
        line=error["line"],
        detail=error["detail"],
        hint=error["hint"],
    )


def script_spec(script: Mapping[str, Any]) -> EnvironmentSpec:
    """The environment for what a ``# /// script`` block asks for, and nox as it is here."""
    from importlib.metadata import version

    ours = f"nox=={version('nox')}"
    return EnvironmentSpec(python=script["requires-python"] or None, deps=(*script["dependencies"], ours))


def _relative(project: Project, path: str) -> str:
    for root in (project.root, Path(os.path.realpath(project.root))):
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return path


def _looks(project: Project, answer: Mapping[str, Any]) -> Iterator[Look]:
    """What the process that loaded the noxfile looked at, as :meth:`setlist.engine.world.World.observed` takes it."""
    for kind, name, *types in answer["looks"]:
        yield (kind, name) if kind == VARIABLE else (kind, str(project.root / name), *types)
    if answer["whole_environ"]:
        yield VARIABLES, ""


def _top_level(
    options: Mapping[str, Any], data: Sequence[Mapping[str, Any]], sessions: Sequence[SessionSpec]
) -> TopLevel:
    settings: dict[str, object] = {}
    if options["stop_on_first_error"]:
        settings["fail_fast"] = True
    if options["error_on_missing_interpreters"] is not None:
        settings["error_on_missing"] = options["error_on_missing_interpreters"]
    if options["parallel"] is not None:
        settings["jobs"] = str(options["parallel"])
    if options["pythons"]:
        settings["pythons"] = tuple(options["pythons"])
    chosen = sorted(
        (item["default"], spec.name) for item, spec in zip(data, sessions, strict=True) if item["default"] is not None
    )
    default = tuple(name for _, name in chosen)
    if not default and options["sessions"] and not options["selected_otherwise"]:
        # one of them isn't there: that is told when they are asked for, as nox does
        default = tuple(options["sessions"])
    return TopLevel(default=default, settings=settings)


def _specs(
    project: Project,
    file: str,
    data: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    runs_in: EnvironmentSpec | None,
) -> tuple[SessionSpec, ...]:
    names = _names(data)
    ours = {item["name"]: name for item, name in zip(data, names, strict=True)}
    specs = []
    for item, name in zip(data, names, strict=True):
        origin = Origin(_relative(project, item["file"]), item["line"]) if item["file"] else Origin(file)
        if os.path.isabs(origin.file):
            origin = Origin(file)  # a function of nox's own, or of a package
        python = item["python"] if isinstance(item["python"], str) else None
        backend = item["backend"]
        bare = item["python"] is False or backend.split("|")[0] == "none"
        specs.append(
            SessionSpec(
                name=name,
                family=_slug(item["base"]),
                origin=origin,
                description=item["description"],
                axes=_axes(item),
                environment=EnvironmentSpec(
                    python=options["python"] if python is None and runs_in is not None else python,
                    backend="none" if bare else "virtualenv",
                ),
                provider=PROVIDER,
                aliases=(item["name"], *item["names"]),
                problem=f"its requires: {item['unresolved']}" if item["unresolved"] is not None else "",
                provided=provided(
                    file=file,
                    backend=backend,
                    venv_params=item["venv_params"],
                    runs_in=runs_in,
                ),
                installs_itself=True,
                takes_all_posargs=True,
                plain_exit=True,
                requires=tuple(dict.fromkeys(ours[other] for other in item["requires"])),
                tags=tuple(item["tags"]),
                default=item["default"] is not None,
                exclusive=item["alone"],
            )
        )
    return tuple(specs)


def _axes(item: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    parameters = tuple(item["parameters"].items())
    return (("python", item["python"]), *parameters) if _says_python(item) else parameters


def _says_python(item: Mapping[str, Any]) -> bool:
    """Whether nox tells the session from others by its Python, so that its name says it."""
    python = item["python"]
    return isinstance(python, str) and (
        item["name"].startswith(f"{item['base']}-{python}") or "(python=" in item["name"] or ", python=" in item["name"]
    )


def _names(data: Sequence[Mapping[str, Any]]) -> list[str]:
    """Our spelling of each: nox's, with its Python and its parameters in ours.

    One that would come out as another session is called, by us or by nox, gets a number.
    """
    owners: dict[str, Mapping[str, Any]] = {}
    for item in data:
        for name in item["names"]:
            owners.setdefault(name.casefold(), item)
    names = []
    for item in data:
        name = spelled = _spelling(item)
        number = 1
        while owners.setdefault(name.casefold(), item) is not item or name in names:
            number += 1
            name = f"{spelled}-{number}"
        names.append(name)
    return names


def _spelling(item: Mapping[str, Any]) -> str:
    name = _slug(item["base"])
    if item["signature"] is None:
        try:
            name = variant_name(name, _axes(item))
        except ValidationError:
            name = _slug(item["name"])
    else:
        suffix = python_suffix(item["python"]) if _says_python(item) else ""
        written = re.sub(r"[^A-Za-z0-9_+]+", "-", item["signature"].replace(".", "")).strip("-_+")
        name = "-".join(part for part in (name, suffix, written) if part)
    return _bounded(name, item["name"])


def _slug(name: str) -> str:
    return _bounded(name, name)


def _bounded(name: str, nox_name: str) -> str:
    """A name that a session can have. One that is too long is cut, and told from others by a digest."""
    from setlist.core.fingerprint import digest

    if len(name) > LONGEST_NAME - 10:
        name = f"{proposal(name[: LONGEST_NAME - 20])}-{digest(nox_name)[:8]}"
    try:
        check_name(name)
    except ValidationError:
        return proposal(name)
    return name
