"""An environment's inputs as they are now, beside those it was made from."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from setlist.core.errors import CreationFailed
from setlist.core.fingerprint import digest
from setlist.core.logins import without_logins
from setlist.core.model import InputChange, Interpreter, SessionSpec
from setlist.core.records import dataclass, replace
from setlist.core.system import python_of
from setlist.engine.trace import STATE
from setlist.engine.world import FILE, PROJECT, World
from setlist.environment.context import EnvironmentContext, Locked, python_request
from setlist.environment.decision import changes_between
from setlist.environment.installer_config import configuration_files, settings, variables
from setlist.environment.local_project import is_computed, look_at_metadata
from setlist.environment.pyproject import read_pyproject
from setlist.environment.requirements import Requirements, gather, read_named_files
from setlist.environment.snapshot import Drift, compare, damaged, look
from setlist.environment.state import Contents, State, write_state
from setlist.environment.virtualenv import site_packages

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.engine.world import Trace


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that a decision about an environment needs, and all that mending it needs.

    ``problem`` says why what lies there can't be used as it is. ``trace`` is all that was looked at for the inputs.
    """

    present: bool
    problem: str | None
    interpreter: Interpreter
    requirements: Requirements
    inputs: dict[str, str]
    changes: tuple[InputChange, ...]
    drift: Drift
    contents: Contents
    trace: Trace
    variables: dict[str, str]
    locked: Locked | None


def evaluate(context: EnvironmentContext, session: SessionSpec, directory: Path, state: State | None) -> Evaluation:
    """Read every input of a session's environment, and what became of the environment itself.

    Raises:
        SetlistError: an input can't be read, or there is no interpreter.
    """
    project, caller, spec = context.project, context.caller, session.environment
    request = python_request(spec)
    interpreter = _interpreter(context, request, state)
    # what has changed since the recording began may not be what is read, and is looked at again by the next run
    world = World(str(project.root), caller.environ)
    pyproject = read_pyproject(project, world)
    requirements = gather(project, session, pyproject, world)
    stated = settings(spec.installer, caller.environ, project)
    places = configuration_files(spec.installer, world.variables(spec.installer), project.root)
    world.observed(
        spec.installer, [(PROJECT if path.suffix == ".toml" else FILE, str(path)) for path in places], world.begun
    )
    read_named_files(requirements, session, project)

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
        "index-url": digest(without_logins(spec.index_url))[:12] if spec.index_url else None,
        "link-mode": spec.link_mode,
    }
    inputs |= {name: value for name, value in special.items() if value is not None}
    locked = None
    if context.locks is not None:
        locked = context.locks.find(session, world)
        if locked is not None:
            inputs["lock"] = locked.digest
    found_variables = variables(spec.installer, caller.environ)
    inputs |= {f"variable {name}": value for name, value in found_variables.items()}
    for path, value in stated.items():
        inputs["tool.uv" if path == str(pyproject.path) else f"settings {project.relative(path)}"] = value
    if spec.project is not None:
        data = pyproject.data
        if spec.project == "editable":
            seen = look_at_metadata(world, project.root, data)
        else:
            seen = inputs["project sources"] = context.builds.look(world, data)
        if is_computed(data):
            inputs["project metadata"] = digest(inputs["project metadata"] + seen)
        if spec.project != "editable" or is_computed(data):
            requirements.rebuilt |= set(requirements.project_names) or {""}

    present, problem = _soundness(directory, state)
    contents = _contents(directory) if present and problem is None else Contents()
    drift = _drift(directory, state.contents, contents) if state is not None and problem is None else Drift()
    return Evaluation(
        present=present,
        problem=problem,
        interpreter=interpreter,
        requirements=requirements,
        inputs=inputs,
        changes=changes_between(state.inputs, inputs) if state is not None else (),
        drift=drift,
        contents=contents,
        trace=world.trace,
        variables=found_variables,
        locked=locked,
    )


def refresh(directory: Path, state: State, evaluation: Evaluation) -> State:
    """The record with the present signatures, for an environment in which nothing changed.

    Written by rename while others may read: both records say the same.
    """
    renewed = replace(
        state,
        interpreter=evaluation.interpreter,
        variables=evaluation.variables,
        contents=evaluation.contents,
        trace=evaluation.trace,
    )
    with suppress(OSError):  # a read-only checkout: true all the same, only slower to find out
        write_state(directory, renewed)
    return renewed


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


def _drift(directory: Path, recorded: Contents, contents: Contents) -> Drift:
    drift = compare(recorded, contents)
    if drift or recorded.files == contents.files:
        return drift
    # a tool may well leave files of its own among those of a package
    return damaged(site_packages(directory), os.stat(directory / STATE).st_mtime_ns)
