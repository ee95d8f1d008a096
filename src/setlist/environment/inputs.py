"""An environment's inputs as they are now, beside those it was made from."""

from __future__ import annotations

from pathlib import Path

from setlist.core.errors import CreationFailed
from setlist.core.fingerprint import digest, stat_signature
from setlist.core.model import InputChange, Interpreter, SessionSpec
from setlist.core.records import dataclass
from setlist.core.system import python_of
from setlist.environment.context import EnvironmentContext, Locked, python_request
from setlist.environment.installer_config import configuration_files, settings, variables
from setlist.environment.plan import changes_between
from setlist.environment.pyproject import read_pyproject
from setlist.environment.requirements import Requirements, gather
from setlist.environment.snapshot import Drift, compare, look
from setlist.environment.state import Contents, State
from setlist.environment.virtualenv import site_packages


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that a decision about an environment needs, and all that mending it needs.

    ``problem`` says why what lies there can't be used as it is. ``watched`` and ``sources`` are the
    signatures of what the inputs were read from, taken before it was read.
    """

    present: bool
    problem: str | None
    interpreter: Interpreter
    requirements: Requirements
    inputs: dict[str, str]
    changes: tuple[InputChange, ...]
    drift: Drift
    contents: Contents
    watched: dict[str, str | None]
    variables: dict[str, str]
    sources: str | None
    locked: Locked | None


def evaluate(context: EnvironmentContext, session: SessionSpec, directory: Path, state: State | None) -> Evaluation:
    """Read every input of a session's environment, and what became of the environment itself.

    Raises:
        SetlistError: an input can't be read, or there is no interpreter.
    """
    project, caller, spec = context.project, context.caller, session.environment
    request = python_request(spec)
    interpreter = _interpreter(context, request, state)
    # What is read may change while it is read: signatures taken both before and after must agree,
    # or the file is recorded as never seen, so that the next run looks again.
    before = _signatures(configuration_files(spec.installer, caller.environ, project.root))
    pyproject_before = stat_signature(project.root / "pyproject.toml")
    pyproject = read_pyproject(project)
    requirements = gather(project, session, pyproject, caller.environ)
    stated = settings(spec.installer, caller.environ, project)
    watched: dict[str, str | None] = {str(path): stat_signature(path) for path in sorted(requirements.watched)}
    if watched.get(str(pyproject.path)) != pyproject_before:
        watched[str(pyproject.path)] = "changed while it was read"
    watched |= before

    inputs = {
        "place": str(directory),
        "python": request,
        "interpreter": f"{interpreter.label} ({interpreter.executable})",
        "interpreter's file": interpreter.signature,
        "installer": spec.installer,
        **requirements.inputs,
    }
    if spec.project is not None:
        inputs["project"] = spec.project
    if spec.maker:
        inputs["made by"] = " ".join(spec.maker)
    special = {
        "resolution": spec.resolution if spec.resolution != "highest" else None,
        "exclude-newer": spec.exclude_newer,
        "index-url": digest(spec.index_url)[:12] if spec.index_url else None,
    }
    inputs |= {name: value for name, value in special.items() if value is not None}
    locked = None
    if context.locks is not None:
        file = context.locks.file(session)
        watched[str(file)] = stat_signature(file)
        locked = context.locks.find(session)
        if locked is not None:
            inputs["lock"] = locked.digest
    found_variables = variables(spec.installer, caller.environ)
    inputs |= {f"variable {name}": value for name, value in found_variables.items()}
    for path, value in stated.items():
        inputs["tool.uv" if path == str(pyproject.path) else f"settings {project.relative(path)}"] = value
    sources = None
    if spec.project in ("wheel", "sdist"):
        sources = context.builds.signature()
        inputs["project sources"] = context.builds.sources()

    present, problem = _soundness(directory, state)
    contents = _contents(directory) if present and problem is None else Contents()
    drift = compare(state.contents, contents) if state is not None and problem is None else Drift()
    return Evaluation(
        present=present,
        problem=problem,
        interpreter=interpreter,
        requirements=requirements,
        inputs=inputs,
        changes=changes_between(state.inputs, inputs) if state is not None else (),
        drift=drift,
        contents=contents,
        watched=watched,
        variables=found_variables,
        sources=sources,
        locked=locked,
    )


def _interpreter(context: EnvironmentContext, request: str, state: State | None) -> Interpreter:
    # The one it was made with, as long as it is that one: another 3.11 that has come to be first on PATH is no
    # reason to make everything anew
    if (
        state is not None
        and state.inputs.get("python") == request
        and context.interpreters.still_valid(state.interpreter)
    ):
        return state.interpreter
    return context.interpreters.find(request)


def _soundness(directory: Path, state: State | None) -> tuple[bool, str | None]:
    if not directory.is_symlink() and not directory.exists():
        return False, None
    if not directory.is_dir():
        return True, "a file stood in its place"
    if state is None:
        return True, "an earlier run was cut off while making it"
    if not (directory / "pyvenv.cfg").is_file():
        return True, "pyvenv.cfg is gone"
    if not python_of(directory).exists():
        return True, "its python is gone"
    return True, None


def _contents(directory: Path) -> Contents:
    try:
        return look(directory, site_packages(directory))
    except (OSError, CreationFailed):
        return Contents()


def _signatures(paths: tuple[Path, ...]) -> dict[str, str | None]:
    return {str(path): stat_signature(path) for path in paths}
