"""The process that says what sessions a noxfile has: ``python -c "… setlist.providers.nox.describe.main()"``.

Its first argument is a job as JSON: ``root``, ``file`` (relative to it), ``arguments`` (words of nox's command line),
``in_environment`` (whether it already runs where the noxfile's own requirements are installed), and ``result``, the
file that the answer goes to, as JSON. What the noxfile prints goes to standard error.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setlist.core.fingerprint import stat_signature
from setlist.providers.nox.loading import Loaded, LoadFailed, load_config, parse
from setlist.providers.nox.script import wanted_environment
from setlist.providers.nox.tracer import Watch

if TYPE_CHECKING:
    from nox._options import NoxConfig
    from nox.sessions import SessionRunner


def main() -> None:
    """Do the job of the first argument."""
    job = json.loads(sys.argv[1])
    os.dup2(2, 1)
    write_answer(job["result"], answer(job))


def write_answer(path: str, data: Mapping[str, Any]) -> None:
    """Leave an answer where it is looked for."""
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(data, stream)


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be said of a noxfile: its sessions, what it needs to be loaded, or what is wrong with it."""
    import nox.manifest
    import nox.tasks  # noqa: F401 - nox's own modules are none of what the noxfile looks at

    os.chdir(job["root"])
    watch = Watch(job["root"])
    try:
        config = parse([*job["arguments"], "-f", job["file"]])
        watch.start_again("NOX")  # of what option parsers look at, these variables alone count
        wanted = None if job["in_environment"] else wanted_environment(config)
        if wanted is not None:
            return {"script": wanted, **_looked_at(watch)}
        loaded = load_config(config)
        return {"sessions": _sessions(loaded), "options": _options(loaded.config), **_looked_at(watch)}
    except LoadFailed as failed:
        return {"error": error_data(failed), **_looked_at(watch)}


def error_data(failed: LoadFailed) -> dict[str, Any]:
    """What went wrong, as plain data."""
    return {
        "message": failed.message,
        "file": failed.file,
        "line": failed.line,
        "detail": failed.detail,
        "hint": failed.hint,
    }


def _looked_at(watch: Watch) -> dict[str, Any]:
    import importlib.metadata

    watch.stop()
    looks = watch.looks()
    # Another nox may have other sessions
    metadata = next(
        (file for file in importlib.metadata.files("nox") or () if file.name == "METADATA"),
        None,
    )
    installed = None if metadata is None else os.path.abspath(str(metadata.locate()))
    return {
        "looks": looks,
        "nox": None if installed is None else (installed, stat_signature(installed)),
        "whole_environ": watch.whole,
        "unknowable": watch.unknowable,
    }


def _sessions(loaded: Loaded) -> list[dict[str, Any]]:
    runners = [runner for runner, _ in loaded.manifest.list_all_sessions()]
    described = [_described(runner, loaded.config) for runner in runners]
    for position, runner in enumerate(_default_queue(loaded)):
        described[runners.index(runner)]["default"] = position
    return described


def _default_queue(loaded: Loaded) -> list[SessionRunner]:
    """The sessions that a bare ``nox`` runs, in its order, without what they require."""
    from nox import tasks

    config = copy.copy(loaded.config)
    # so that nox neither adds what is required, nor prints when nothing is selected
    config.no_dependencies = True
    config.list_sessions = True
    if not loaded.manifest:
        return []
    manifest = _quietly(lambda: tasks.filter_manifest(loaded.manifest, config))
    return [] if isinstance(manifest, int) else list(manifest)


def _quietly(call: Any) -> Any:
    """What nox finds wrong with its defaults is told when they are asked for."""
    from nox.logger import logger

    logger.disabled = True
    try:
        return call()
    finally:
        logger.disabled = False


def _described(runner: SessionRunner, config: NoxConfig) -> dict[str, Any]:
    """A session of nox's manifest, as plain data."""
    from nox.sessions import resolve_allow_parallel, resolve_venv_backends

    func = runner.func
    parameters = {name: str(value) for name, value in getattr(func, "call_spec", {}).items()}
    code = getattr(_innermost(func), "__code__", None)
    said_of_parallel = func.allow_parallel is not None or _is_said(config, "allow_parallel")
    return {
        "name": runner.friendly_name,
        "names": [*(name for name in runner.signatures if name != runner.name), runner.name],
        "base": runner.name,
        "parameters": parameters,
        "signature": _signature(runner),
        "python": func.python if func.python is None or isinstance(func.python, bool) else str(func.python),
        "tags": [str(tag) for tag in runner.tags],
        "description": runner.description or "",
        "default": None,
        "backend": "|".join(resolve_venv_backends(config, func)),
        "venv_params": [str(word) for word in func.venv_params],
        "alone": said_of_parallel and not resolve_allow_parallel(config, func),
        "file": None if code is None else os.path.abspath(code.co_filename),
        "line": None if code is None else code.co_firstlineno,
        **_requires(runner),
    }


def _innermost(func: Any) -> Any:
    """The author's function: nox wraps it for each Python and each parameter."""
    while hasattr(func, "func"):
        func = func.func
    return func


def _signature(runner: SessionRunner) -> str | None:
    """What stands in the parentheses of the name where it isn't made of names and values: an ``id``."""
    func: Any = runner.func
    written = getattr(func, "session_signature", None)
    if written is None:
        return None
    pairs = [f"{name}={value!r}" for name, value in func.call_spec.items()]
    python = f"python={func.python!r}"
    usual = [pairs, *([*pairs[:at], python, *pairs[at:]] for at in range(len(pairs) + 1))]
    return None if any(written == f"({', '.join(words)})" for words in usual) else str(written)[1:-1]


def _requires(runner: SessionRunner) -> dict[str, Any]:
    """What it requires, as nox resolves it; or why nox can't."""
    try:
        return {"requires": [other.friendly_name for other in runner.get_direct_dependencies()], "unresolved": None}
    except (KeyError, ValueError, TypeError, IndexError) as error:
        return {"requires": [], "unresolved": str(error.args[0]) if error.args else type(error).__name__}


def _options(config: NoxConfig) -> dict[str, Any]:
    """nox's options as far as they are about a whole run, the noxfile's own counted in."""
    said = _is_said(config, "error_on_missing_interpreters")
    return {
        "sessions": None if config.sessions is None else [str(name) for name in config.sessions],
        "selected_otherwise": config.tags is not None or bool(config.keywords),
        "pythons": [str(python) for python in config.pythons or ()],
        "stop_on_first_error": config.stop_on_first_error,
        "error_on_missing_interpreters": config.error_on_missing_interpreters if said else None,
        "parallel": config.parallel,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
    }


def _is_said(config: NoxConfig, option: str) -> bool:
    from nox._option_set import Source

    return config.provenance(option) is not Source.DEFAULT
