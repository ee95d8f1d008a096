"""setlist: a session runner for Python projects.

What a ``sessions/*.py`` file imports lives here: :func:`session` declares one,
:class:`Session` is what its function is handed, :exc:`SetlistError` is the root of what it may meet.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from setlist.core.errors import SetlistError
    from setlist.registry.decorator import session
    from setlist.runner.session_api import SessionHandle as Session

__version__ = "0.1.0"

STATE_DIRECTORY = ".setlist/.tox"
"""Where a project's environments, logs, and history are kept, relative to its root.

flake8, isort, ruff, black, bandit, and codespell skip a directory named ``.tox`` at any depth by default, and hatchling
leaves it out of sdists. It is the only name that all of them know. It is defined here since the fast path imports
this module anyway.
"""

__all__ = ["Session", "SetlistError", "__version__", "session"]


def __getattr__(name: str) -> object:
    # PEP 562: 'run' imports this package on every start and needs none of these
    if name == "Session":
        from setlist.runner.session_api import SessionHandle

        return SessionHandle
    if name == "session":
        from setlist.registry.decorator import session

        return session
    if name == "SetlistError":
        from setlist.core.errors import SetlistError

        return SetlistError
    raise AttributeError(f"module 'setlist' has no attribute {name!r}")
