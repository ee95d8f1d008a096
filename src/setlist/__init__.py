"""setlist: a session runner for Python projects.

What a ``sessions/*.py`` file imports is :func:`session`, which declares one, and :class:`Session`, which its function
is handed. The other names are for programs that use setlist: docs/api.md describes them. A name that isn't in
``__all__`` can change at any time.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.core.errors import SetlistError
    from setlist.core.events import Event
    from setlist.core.model import Registry, SessionSpec, Settings
    from setlist.core.project import Caller, Project, find_project
    from setlist.engine.plan import Plan
    from setlist.environment.prepare import Environments, PreparedEnvironment
    from setlist.lock.lock_files import read_lock
    from setlist.registry.decorator import session
    from setlist.registry.load import load_registry
    from setlist.registry.select import select
    from setlist.runner.output import Sink
    from setlist.runner.run_context import RunOptions
    from setlist.runner.run_plan import run
    from setlist.runner.session_api import SessionHandle as Session
    from setlist.scheduling.order import make_plan

__version__ = "0.1.0"

STATE_DIRECTORY = ".setlist/.tox"
"""Where a project's environments, logs, and history are kept, relative to its root.

flake8, isort, ruff, black, bandit, and codespell skip a directory named ``.tox`` at any depth by default, and hatchling
leaves it out of sdists. It is the only name that all of them know. It is defined here since the fast path imports
this module anyway.
"""

__all__ = [
    "Caller",
    "Environments",
    "Event",
    "Plan",
    "PreparedEnvironment",
    "Project",
    "Registry",
    "RunOptions",
    "Session",
    "SessionSpec",
    "SetlistError",
    "Settings",
    "Sink",
    "__version__",
    "find_project",
    "load_registry",
    "make_plan",
    "read_lock",
    "run",
    "select",
    "session",
]

_MODULES = {
    "core.errors": ("SetlistError",),
    "core.events": ("Event",),
    "core.model": ("Registry", "SessionSpec", "Settings"),
    "core.project": ("Caller", "Project", "find_project"),
    "environment.prepare": ("Environments", "PreparedEnvironment"),
    "lock.lock_files": ("read_lock",),
    "registry.decorator": ("session",),
    "registry.load": ("load_registry",),
    "registry.select": ("select",),
    "runner.output": ("Sink",),
    "runner.run_plan": ("run",),
    "runner.run_context": ("RunOptions",),
    "runner.session_api": ("Session",),
    "engine.plan": ("Plan",),
    "scheduling.order": ("make_plan",),
}


def __getattr__(name: str) -> object:
    # PEP 562: 'run' imports this package on every start and needs none of these
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"setlist.{module}"), "SessionHandle" if name == "Session" else name)
    raise AttributeError(f"module 'setlist' has no attribute {name!r}")
