"""What a noxfile asks for in a ``# /// script`` block at its head (PEP 723), judged by nox itself."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from setlist.providers.nox.loading import LoadFailed

if TYPE_CHECKING:
    from nox._options import NoxConfig


def wanted_environment(config: NoxConfig) -> dict[str, Any] | None:
    """What has to be installed where the noxfile is loaded; None where this very Python will do.

    Raises:
        LoadFailed: the block is wrong.
    """
    mode = os.environ.get("NOX_SCRIPT_MODE", "") or config.script_mode
    if mode not in ("none", "reuse", "fresh"):
        raise LoadFailed(f"NOX_SCRIPT_MODE must be none, reuse or fresh, not {mode!r}")
    if mode == "none":
        return None
    file = os.path.abspath(os.path.expandvars(config.noxfile))
    if not _has_block(file):
        return None
    from nox._cli import _format_python_version, check_dependencies, check_requires_python
    from nox.project import load_toml

    try:
        block = load_toml(file, missing_ok=True)
        dependencies, requires_python = block.get("dependencies"), block.get("requires-python")
        if dependencies is None and requires_python is None:
            return None
        if dependencies is None:
            dependencies = ["nox"]
        here = _format_python_version(sys.version_info[:5])
        if check_requires_python(requires_python, here) and check_dependencies(dependencies):
            return None
    except SystemExit as error:
        raise LoadFailed(f"its script block is wrong: {error.code}", file=file, line=_line(file)) from error
    except Exception as error:  # invalid TOML, requirements that are none: nox tells of each by a traceback
        raise LoadFailed(f"its script block is wrong: {error}", file=file, line=_line(file)) from error
    return {"dependencies": list(dependencies), "requires-python": requires_python}


def _has_block(file: str) -> bool:
    """Whether there can be a block: reading it imports half of nox."""
    try:
        with open(file, "rb") as stream:
            return b"# /// script" in stream.read()
    except OSError:
        return False


def _line(file: str) -> int | None:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return next((number for number, line in enumerate(stream, 1) if line.startswith("# /// script")), None)
    except OSError:
        return None
