"""A package index on loopback, for what only a real index shows: hashes, upload times, yanks, failures.

::

    def test_exclude_newer(project, index, tmp_path):      # the fixture points uv and pip at it
        index.add(make_wheel(tmp_path, "alpha", "1.0"), uploaded="2020-01-01T00:00:00Z")
        index.add(make_wheel(tmp_path, "alpha", "2.0"), uploaded="2024-01-01T00:00:00Z")
        ...
        assert index.requests == []                        # nothing was asked of it
        index.fail(500); index.hang(); index.recover()     # how it answers from now on

PEP 503 (HTML) and PEP 691 (JSON, with PEP 700's upload-time and PEP 658's metadata files), by the
request's Accept header. Without the fixture: ``with serving() as index``; a hanging answer ends with the block.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"
LONGEST_HANG = 60.0


@dataclass(frozen=True)
class Served:
    """One file the index offers."""

    project: str
    filename: str
    content: bytes
    metadata: bytes | None
    requires_python: str | None
    uploaded: str
    yanked: str | None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class LocalIndex:
    """The index. ``requests`` are the paths asked for so far, in order. ``max_age`` is how many seconds answers
    stay fresh in a client's cache (None: nothing is said of it), ``delay`` how many each takes, ``trickle`` how many
    pass before the second half of a file is sent."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.max_age: int | None = None
        self.delay = 0.0
        self.trickle = 0.0
        self._files: dict[str, Served] = {}
        self._status = 200
        self._hanging = False
        self._login: bytes | None = None
        self._released = threading.Event()
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """What goes into ``index-url``."""
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def add(self, file: Path, *, uploaded: str = "2020-01-01T00:00:00Z", yanked: str | None = None) -> None:
        """Offer a wheel or sdist. ``uploaded`` is its upload time, ``yanked`` the reason it was withdrawn."""
        metadata = None
        if file.suffix == ".whl":
            with zipfile.ZipFile(file) as archive:
                name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
                metadata = archive.read(name)
        fields = HeaderParser().parsestr((metadata or b"").decode())
        project = re.sub(r"[-_.]+", "-", fields["Name"] or file.name.rsplit("-", 1)[0]).lower()
        self._files[file.name] = Served(
            project, file.name, file.read_bytes(), metadata, fields["Requires-Python"], uploaded, yanked
        )

    def fail(self, status: int = 500) -> None:
        """Answer every request with this status."""
        self._status = status

    def require_login(self, user: str, password: str) -> None:
        """Answer 401 to every request without this login (HTTP's basic authentication)."""
        self._login = f"{user}:{password}".encode()

    def url_with(self, login: str, path: str = "simple/") -> str:
        """A URL of the index, with a login in it."""
        return f"http://{login}@127.0.0.1:{self._server.server_port}/{path}"

    def allows(self, authorization: str | None) -> bool:
        """Whether a request with this header is let in."""
        return self._login is None or authorization == f"Basic {base64.b64encode(self._login).decode()}"

    def hang(self) -> None:
        """Answer no request, until :meth:`recover` or :meth:`stop` (at most a minute)."""
        self._released.clear()
        self._hanging = True

    def recover(self) -> None:
        """Answer as an index should again."""
        self._status = 200
        self._hanging = False
        self._released.set()

    def wait(self, seconds: float) -> None:
        """Wait, but not when it has been stopped."""
        self._stopped.wait(seconds)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, hanging answers included."""
        self._released.set()
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a request."""
        self.requests.append(path)
        time.sleep(self.delay)
        if self._hanging:
            self._released.wait(LONGEST_HANG)
        if self._status != 200:
            return self._status, "text/plain", b"told to fail\n"
        parts = [part for part in path.split("?")[0].split("/") if part]
        if parts[:1] == ["simple"] and len(parts) == 2:
            files = [file for file in self._files.values() if file.project == parts[1]]
            if files:
                return (200, JSON, _as_json(parts[1], files)) if JSON in accept else (200, "text/html", _as_html(files))
        elif parts[:1] == ["files"] and len(parts) == 2:
            wheel = self._files.get(parts[1].removesuffix(".metadata"))
            if wheel is not None:
                body = wheel.metadata if parts[1].endswith(".metadata") else wheel.content
                if body is not None:
                    return 200, "application/octet-stream", body
        return 404, "text/plain", b"not found\n"


@contextmanager
def serving() -> Iterator[LocalIndex]:
    """An empty index, for as long as the ``with`` block lasts."""
    index = LocalIndex()
    index.start()
    try:
        yield index
    finally:
        index.stop()


class _Server(ThreadingHTTPServer):
    # a resolver comes with fifty at once; who isn't let in tries again a second later
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, index: LocalIndex, *args: object) -> None:
        self.index = index
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        status, kind, body = self.index.answer(self.path, self.headers.get("Accept", ""))
        if not self.index.allows(self.headers.get("Authorization")):
            status, kind, body = 401, "text/plain", b"who is it?\n"
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status == 200 and self.index.max_age is not None and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            if self.index.max_age is not None:
                self.send_header("Cache-Control", f"max-age={self.index.max_age}")
                self.send_header("ETag", tag)
            self.end_headers()
            if self.command == "GET":
                first = len(body) // 2 if self.path.endswith(".whl") and self.index.trickle else len(body)
                self.wfile.write(body[:first])
                self.wfile.flush()
                if first < len(body):
                    self.index.wait(self.index.trickle)
                    self.wfile.write(body[first:])
        except OSError:
            pass  # the client gave up while we were hanging

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: ``requests`` tells."""


def _as_json(project: str, files: list[Served]) -> bytes:
    entries = [
        {
            "filename": file.filename,
            "url": f"/files/{file.filename}",
            "hashes": {"sha256": file.sha256},
            "requires-python": file.requires_python,
            "size": len(file.content),
            "upload-time": file.uploaded,
            "yanked": file.yanked or False,
            "core-metadata": file.metadata is not None and {"sha256": hashlib.sha256(file.metadata).hexdigest()},
        }
        for file in files
    ]
    versions = sorted({file.filename.split("-")[1] for file in files})
    return json.dumps(
        {"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": entries}
    ).encode()


def _as_html(files: list[Served]) -> bytes:
    lines = ["<!DOCTYPE html><html><body>"]
    for file in files:
        attributes = ""
        if file.requires_python:
            attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
        if file.yanked:
            attributes += f' data-yanked="{html.escape(file.yanked)}"'
        lines.append(f'<a href="/files/{file.filename}#sha256={file.sha256}"{attributes}>{file.filename}</a><br>')
    return "\n".join([*lines, "</body></html>"]).encode()
