"""The worker process that runs the sessions of a noxfile.

It speaks with its host (:mod:`setlist.providers.nox.nox_process`) as :mod:`setlist.runner.worker` does. The host names
a noxfile and a session; the worker loads the noxfile, unless it is loaded. When the environment is ready, the worker
runs the session in it (:mod:`setlist.providers.nox.session_run`), and waits for the next one. The host may send nox's
own command line first, and the worker answers what that selects.

The worker may run in a Python that setlist isn't installed in: it imports the standard library, nox, and those modules
of setlist that do the same.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from setlist.process.spawn import Interrupted, handling_signals, interruptible
from setlist.providers.nox.lazy_import import import_nox_lazily
from setlist.providers.nox.loading import Loaded, LoadFailed, load
from setlist.runner.worker_rpc import Host


def main() -> None:
    """Run the jobs that the host sends over the pipes that the first two arguments name, until it closes them."""
    from setlist.core.system import descriptor_of

    host = Host(descriptor_of(int(sys.argv[1]), reading=True), descriptor_of(int(sys.argv[2]), reading=False))
    sys.path[:] = [entry for entry in sys.path if entry]
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    worker = _Worker(host)
    with handling_signals():
        try:
            # before the first job: the host may still be importing its own modules
            with interruptible():
                _listen_to_interrupts()
                import_nox_lazily()
                import nox.tasks  # noqa: F401

                import setlist.providers.nox.session_run  # noqa: F401
            while (given := _next(host)) is not None:
                host.ask({"result": worker.does(given)})
        except EOFError:
            os._exit(1)
        except Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # nothing is left to do, and deleting nox's modules takes time
    os._exit(0)


def _listen_to_interrupts() -> None:
    """Unblock SIGINT, which :mod:`setlist.process.prestart` blocks until it can be handled."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def _next(host: Host) -> Mapping[str, Any] | None:
    """The next job; None if there are no more."""
    try:
        with interruptible():
            given: Mapping[str, Any] = host.receive()
            return given
    except EOFError:
        return None


class _Worker:
    """The noxfile that the process has loaded, and the jobs that it runs."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loaded: Loaded | None = None

    def does(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read a command line of nox, or run a session."""
        if "argv" in given:
            from setlist.providers.nox.command_line import answer

            with interruptible():
                said, self._loaded = answer(given)
            return said
        from setlist.providers.nox.session_run import SessionRun

        try:
            with interruptible():
                runner = self._load(given).runner(given["name"])
        except LoadFailed as failed:
            self._host.receive()
            return _refused(failed)
        job = self._host.receive()
        if not job["run"]:
            return {"status": "not-run"}
        assert self._loaded is not None
        gc.freeze()  # what was imported stays
        gc.enable()
        if given["install_only"]:
            # nox's --install-only: it logs the commands that it doesn't run
            self._loaded.config.install_only = True
        return SessionRun(self._host, self._loaded, runner, given, job).outcome()

    def _load(self, given: Mapping[str, Any]) -> Loaded:
        if self._loaded is None:
            self._loaded = load(
                given["root"],
                given["file"],
                given["arguments"],
                posargs=given["posargs_of_all"],
                invoked_from=given["invoked_from"],
            )
        return self._loaded


def _refused(failed: LoadFailed) -> Mapping[str, Any]:
    where = ":".join(str(part) for part in (failed.file, failed.line) if part is not None)
    told = "\n".join(part for part in (failed.message, failed.detail, failed.hint) if part)
    return {
        "status": "refused",
        "reason": failed.message,
        "told": f"{where}: {told}" if where else told,
        "exit_code": 2,
    }
