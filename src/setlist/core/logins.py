"""Logins in URLs (``https://user:password@host``): kept out of files and messages, handed to installers as variables.

Two ways to write a text without its logins:

- :func:`masked` is for what people read and for records: the secret part becomes ``***``.
- :class:`Logins` is for what an installer reads back: the secret part becomes ``${SETLIST_LOGIN_…}``, a variable that
  uv and pip expand in requirements files. The value is taken from the project's own files again on each run.

A reference to a variable (``https://user:${TOKEN}@host``) is no secret and stays as it was written.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MASK = "***"
VARIABLE = "SETLIST_LOGIN_"
"""What the names of our variables begin with."""

# As text: compiled when they are first needed. A password may hold "@" and "$", and no "/", which ends the host
_END = r"\s/?#\"'<>`"
_URL = rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{{0,20}})://(?P<login>[^{_END}]+)@(?P<host>[^{_END}@]*)"
_REST = r"[^\s\"'<>`]*"
_REFERENCE = r"(?:\$\{[A-Z0-9_]+\})+"
_WITHOUT_PASSWORD = ("git", "hg")
"""Users by which version control is reached; any other that has no password may be a token."""


def masked(text: str) -> str:
    """The text with ``***`` for each secret in a URL."""
    return _replaced(text, lambda _url, user, _secret: f"{user}{MASK}")


def without_logins(text: str) -> str:
    """The text with no user and no secret in its URLs: what they lead to, whoever asks."""
    return re.sub(_URL, lambda url: f"{url['scheme']}://{url['host']}", text) if _may_hold(text) else text


def holds_login(data: object) -> bool:
    """Whether a secret stands in a URL of this text or data. A file that only saves time isn't written then."""
    if isinstance(data, bytes):
        return b"://" in data and b"@" in data and holds_login(data.decode("utf-8", "replace"))
    if isinstance(data, str):
        return masked(data) != data
    if isinstance(data, dict):
        return any(holds_login(item) for pair in data.items() for item in pair)
    return isinstance(data, (list, tuple)) and any(map(holds_login, data))


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """The text with ``${NAME}`` replaced, as installers do in requirements files: a variable that isn't set stays."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: environ.get(match[1], match[0]), text)


def refers_to_login(text: str) -> bool:
    """Whether a URL of this text has a login, be it a reference to a variable: a file with it is private."""
    return _may_hold(text) and re.search(_URL, text) is not None


class Logins:
    """The logins of a project's requirements.

    Attributes:
        environ: the variables that installers are to be started with.
    """

    __slots__ = ("_by_url", "environ")

    def __init__(self) -> None:
        self.environ: dict[str, str] = {}
        self._by_url: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """The text with a reference to a variable for each secret in a URL. The secrets are remembered.

        A URL that was written with a reference before, and that a tool expanded, gets that reference again.
        """
        hidden = _replaced(text, self._reference)
        if _may_hold(hidden):
            for match in re.finditer(_URL, hidden):
                self._by_url[_without_login(match)] = match["login"]
        return hidden

    def covers(self, text: str) -> bool:
        """Whether all our variables that the text refers to are known."""
        return all(name in self.environ for name in re.findall(rf"\$\{{({VARIABLE}[A-Z0-9_]+)\}}", text))

    def restored(self, url: str, environ: Mapping[str, str]) -> str:
        """A URL that a tool reports without its login, with the login that was written for it.

        Args:
            url: what the tool reports (PEP 610: without revision, subdirectory and login).
            environ: what other variables in URLs stand for.
        """
        for written, login in self._by_url.items():
            known = expanded(written, environ)
            scheme, separator, rest = url.partition("://")
            if separator and (known == url or known.startswith(f"{url}@")):
                return f"{scheme}://{login}@{rest}"
        return url

    def _reference(self, url: re.Match[str], user: str, secret: str) -> str:
        """The login to write instead: a user that ends in a colon, and a reference to the secret."""
        written = self._by_url.get(_without_login(url))
        if written is not None and VARIABLE not in written:
            return written
        from hashlib import sha256

        # Nothing of the secret is in the name: it is written to files that others read
        place = f"{user}@{url['host']}"
        base = f"{VARIABLE}{sha256(place.encode()).hexdigest()[:8].upper()}"
        name, count = base, 1
        while self.environ.setdefault(name, secret) != secret:
            count += 1
            name = f"{base}_{count}"
        return f"{user}${{{name}}}"


def _without_login(match: re.Match[str]) -> str:
    """The URL that begins with this match, as tools report it (PEP 610): no login, no fragment, no ``git+``."""
    rest = re.compile(_REST).match(match.string, match.end())
    path = rest[0].partition("#")[0] if rest is not None else ""
    return f"{match['scheme'].rpartition('+')[2]}://{match['host']}{path}"


def _may_hold(text: str) -> bool:
    return "://" in text and "@" in text


def _replaced(text: str, login_for: Callable[[re.Match[str], str, str], str]) -> str:
    """The text with other logins in URLs.

    Args:
        text: the text.
        login_for: says what to write for the match of a URL, the user (with its colon, or empty) and the secret.
    """
    if not _may_hold(text):
        return text

    def of(url: re.Match[str]) -> str:
        user, colon, password = url["login"].partition(":")
        secret = password if colon else user
        if not secret or re.fullmatch(_REFERENCE, url["login"]) or re.fullmatch(_REFERENCE, secret):
            return url[0]
        if not colon and (user in _WITHOUT_PASSWORD or "ssh" in url["scheme"].lower()):
            return url[0]
        return f"{url['scheme']}://{login_for(url, f'{user}:' if colon else '', secret)}@{url['host']}"

    return re.sub(_URL, of, text)
