"""What markers speak of: a session's interpreter, on this machine."""

from __future__ import annotations

from setlist.core.model import Interpreter


def marker_environment(interpreter: Interpreter) -> dict[str, str]:
    """The values of a marker's variables: of the same machine and system as ours, and another Python."""
    from packaging.markers import default_environment

    implementation = interpreter.implementation
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "implementation_name": implementation,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(implementation, ""),
        "python_version": ".".join(interpreter.version.split(".")[:2]),
        "python_full_version": interpreter.version,
        "implementation_version": interpreter.version,
    }
