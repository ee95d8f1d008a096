"""The package indexes of uv's settings, as options of a requirements file for pip.

A file and not a command line, since the URL of an index may contain a password. pip searches these indexes and those of
its own configuration. All files are verified by hash, so additional indexes are safe.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.environment.installer_config import absolute, pip_environ, uv_tables


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes to search. ``default`` None: that of pip's own settings."""

    default: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """The lines of a requirements file. Paths become URLs, since a path with `` #`` can't be quoted there."""
        pairs = [("index-url", self.default)] if self.default else []
        pairs += [("extra-index-url", url) for url in self.extra]
        pairs += [("find-links", place) for place in self.find_links]
        pairs += [("trusted-host", host) for host in self.trusted]
        places = [(name, Path(value).as_uri() if os.path.isabs(value) else value) for name, value in pairs]
        return [f"--{name} {shlex.quote(value)}" for name, value in places]


def indexes_of_uv(environ: Mapping[str, str], project: Project, own: str | None) -> Indexes:
    """The indexes in uv's variables, its configuration files and pyproject.toml.

    Args:
        environ: the environment variables.
        project: the project; relative paths in variables start at its root.
        own: the session's ``index-url``, which takes precedence.
    """
    default, extra, links, trusted = own, [], [], []
    if not default:
        default = _address(environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or "", environ) or None
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        extra += [_address(entry, environ) for entry in environ.get(name, "").split()]
    links += [entry.strip() for entry in environ.get("UV_FIND_LINKS", "").split(",") if entry.strip()]
    trusted += environ.get("UV_INSECURE_HOST", "").split()
    for place, table in uv_tables(environ, project):
        for entry in _entries(table.get("index")):
            url = _with_login(str(entry.get("url", "")), str(entry.get("name", "")), environ)
            if entry.get("format") == "flat":
                links.append(absolute(url, place))
            elif entry.get("default") and default is None:
                default = absolute(url, place)
            else:
                extra.append(absolute(url, place))
        if default is None and isinstance(table.get("index-url"), str):
            default = absolute(table["index-url"], place)
        extra += [absolute(url, place) for url in _strings(table.get("extra-index-url"))]
        links += [absolute(url, place) for url in _strings(table.get("find-links"))]
        trusted += _strings(table.get("allow-insecure-host"))
    return Indexes(
        default,
        tuple(dict.fromkeys(extra)),
        tuple(dict.fromkeys(absolute(link, project.root) for link in links)),
        tuple(dict.fromkeys(trusted)),
    )


def download_environ(environ: Mapping[str, str], project: Project) -> dict[str, str]:
    """The variables for pip: its own settings, and the certificates and the keyring provider of uv's settings."""
    variables = pip_environ(environ, project.root, "download")
    if environ.get("SSL_CERT_FILE"):
        variables.setdefault("PIP_CERT", environ["SSL_CERT_FILE"])
    if environ.get("UV_KEYRING_PROVIDER"):
        variables.setdefault("PIP_KEYRING_PROVIDER", environ["UV_KEYRING_PROVIDER"])
    for name in ("PIP_REQUIRE_HASHES", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_CONSTRAINT"):
        # The download has its own; constraints were applied when the lock was made
        variables.pop(name, None)
    return {**variables, "PIP_NO_COLOR": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _address(entry: str, environ: Mapping[str, str]) -> str:
    """``name=url`` or ``url`` as a URL with its login."""
    match = re.match(r"^([A-Za-z0-9._-]+)=(.+)$", entry.strip())
    return _with_login(match[2], match[1], environ) if match is not None else entry.strip()


def _with_login(url: str, name: str, environ: Mapping[str, str]) -> str:
    key = re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"UV_INDEX_{key}_USERNAME"), environ.get(f"UV_INDEX_{key}_PASSWORD")
    parts = urlsplit(url)
    if not name or not (user or password) or "@" in parts.netloc:
        return url
    return urlunsplit(
        parts._replace(netloc=f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@{parts.netloc}")
    )


def _entries(value: object) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
