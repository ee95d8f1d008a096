"""The installer's own settings: environment variables and configuration files.

They decide where packages come from and which ones are taken, so they are inputs of every environment.
What only concerns speed, caches, and looks is left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from setlist.files import digest, read_bytes
from setlist.model import InstallerName

_PREFIX: dict[InstallerName, str] = {"uv": "UV_", "pip": "PIP_"}

# Settings that can't change what ends up in an environment
_WITHOUT_EFFECT = frozenset(
    """
    UV_CACHE_DIR UV_LINK_MODE UV_NO_PROGRESS UV_CONCURRENT_BUILDS UV_CONCURRENT_DOWNLOADS UV_CONCURRENT_INSTALLS
    UV_HTTP_TIMEOUT UV_REQUEST_TIMEOUT UV_HTTP_RETRIES UV_OFFLINE UV_PYTHON UV_PROJECT_ENVIRONMENT UV_NATIVE_TLS
    UV_SYSTEM_CERTS UV_PYTHON_INSTALL_DIR UV_PYTHON_DOWNLOADS UV_PYTHON_PREFERENCE UV_PYTHON_INSTALL_MIRROR
    UV_TOOL_DIR UV_TOOL_BIN_DIR UV_INSTALL_DIR UV_COMPILE_BYTECODE UV_STACK_SIZE UV_PREVIEW UV_RUN_RECURSION_DEPTH
    UV_INTERNAL__PARENT_INTERPRETER UV_NO_CACHE UV_PUBLISH_TOKEN UV_ENV_FILE UV_NO_ENV_FILE UV_FROZEN UV_LOCKED
    UV_NO_SYNC UV_PROJECT UV_WORKING_DIR UV_UNMANAGED_INSTALL UV_NO_MODIFY_PATH UV
    PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_DISABLE_PIP_VERSION_CHECK PIP_QUIET PIP_VERBOSE PIP_NO_COLOR PIP_NO_INPUT
    PIP_PROGRESS_BAR PIP_DEFAULT_TIMEOUT PIP_TIMEOUT PIP_RETRIES PIP_CERT PIP_LOG PIP_REQUIRE_VIRTUALENV
    PIP_ROOT_USER_ACTION PIP_NO_WARN_SCRIPT_LOCATION PIP_PYTHON
    """.split()  # noqa: SIM905 - sixty quoted lines are no easier to read
)


def variables(installer: InstallerName, environ: Mapping[str, str]) -> dict[str, str]:
    """The installer's environment variables that count, with digests for values: they may hold passwords."""
    prefix = _PREFIX[installer]
    return {
        name: digest(value)[:12]
        for name, value in sorted(environ.items())
        if name.startswith(prefix) and name not in _WITHOUT_EFFECT
    }


def configuration_files(
    installer: InstallerName, environ: Mapping[str, str], root: Path, *, platform: str = sys.platform
) -> tuple[Path, ...]:
    """Where the installer reads its settings from, there or not.

    Source: uv's "Configuration files" and pip's "Configuration" documentation.
    """
    home = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME") or os.path.expanduser("~"))
    if platform == "win32":
        user = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
        system = Path(environ.get("PROGRAMDATA") or "C:/ProgramData")
    else:
        user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        system = Path("/etc")
    if installer == "uv":
        if environ.get("UV_NO_CONFIG"):
            return ()
        if named := environ.get("UV_CONFIG_FILE"):
            return (Path(named),)
        # [tool.uv] in pyproject.toml is read with the other inputs; a uv.toml beside it overrules it
        return (root / "uv.toml", user / "uv" / "uv.toml", system / "uv" / "uv.toml")
    name = "pip.ini" if platform == "win32" else "pip.conf"
    named = environ.get("PIP_CONFIG_FILE")
    files = [system / "pip" / name if platform == "win32" else system / name, user / "pip" / name]
    if platform != "win32":
        files += [home / ".pip" / name, *(Path(folder) / "pip" / name for folder in _xdg_dirs(environ))]
    else:
        files.append(home / "pip" / name)
    if platform == "darwin":
        files.append(home / "Library" / "Application Support" / "pip" / name)
    if named and named != os.devnull:
        files.append(Path(named))
    return tuple(files) if named != os.devnull else ()


def _xdg_dirs(environ: Mapping[str, str]) -> list[str]:
    return [folder for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if folder]


def describe_files(files: tuple[Path, ...]) -> dict[str, str]:
    """The digest of each file that is there, by its path."""
    found: dict[str, str] = {}
    for path in files:
        if path.is_file() and os.access(path, os.R_OK):
            found[str(path)] = digest(read_bytes(path))
    return found
