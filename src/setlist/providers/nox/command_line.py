"""Read nox's own command line, in the process that is going to run the sessions.

What nox answers by itself (``--list``, ``--usage``, ``--help``, a selection that matches nothing) it prints here, and
``exit`` says how it would have ended; what is to be run is the answer.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setlist.providers.nox.describe import error_data
from setlist.providers.nox.loading import Loaded, LoadFailed, load_config, parse
from setlist.providers.nox.script import wanted_environment

if TYPE_CHECKING:
    from nox._options import NoxConfig
    from nox.sessions import SessionRunner

BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended."""

OUTPUT_LOST = 74
"""As :mod:`setlist.cli.error_handler` has it."""

HANDED_ON = (
    "allow_parallel",
    "default_venv_backend",
    "download_python",
    "error_on_external_run",
    "error_on_missing_interpreters",
    "force_venv_backend",
    "stop_on_first_error",
    "verbose",
    "extra_pythons",
    "force_pythons",
    "no_dependencies",
    "install_only",
    "no_install",
    "non_interactive",
    "add_timestamp",
    "nocolor",
    "forcecolor",
)
"""The options that change what the sessions are, or what their functions do."""


def answer(job: Mapping[str, Any]) -> tuple[dict[str, Any], Loaded | None]:
    """What nox's command line comes to, and the noxfile, if it had to be loaded for that.

    Args:
        job: ``argv`` (the words after ``setlist nox --``), ``cwd``, and ``in_environment`` as in
            :mod:`setlist.providers.nox.describe`.
    """
    try:
        answered = _answer(job)
        sys.stdout.flush()
        return answered
    except OSError as error:
        if error.filename is not None:
            raise
        # what can't be written isn't about a file that has a name; and there is nothing to be written at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return {"exit": BROKEN_PIPE}, None
        return {"exit": OUTPUT_LOST, "lost": error.strerror or str(error)}, None


def _answer(job: Mapping[str, Any]) -> tuple[dict[str, Any], Loaded | None]:
    from nox import _options, tasks
    from nox.logger import setup_logging

    os.chdir(job["cwd"])
    sys.argv = ["nox", *job["argv"]]  # noxfiles look for nox's options there
    try:
        config = parse(job["argv"])
    except LoadFailed as failed:
        return {"usage": failed.message}, None
    if config.help:
        # argparse itself keeps quiet when it can't print
        sys.stdout.write(_options.options.parser().format_help())
        return {"exit": 0}, None
    if config.version:
        from nox._version import get_nox_version

        sys.stderr.write(f"{get_nox_version()}\n")
        return {"exit": 0}, None
    setup_logging(color=config.color, verbose=config.verbose, add_timestamp=config.add_timestamp)
    file = os.path.abspath(os.path.expandvars(config.noxfile))
    noxfile = {"root": os.path.dirname(file), "file": os.path.basename(file)}
    refused = _refused(config)
    if refused is not None:
        return {"usage": refused}, None
    try:
        wanted = None if job["in_environment"] else wanted_environment(config)
        if wanted is not None:
            return {"script": wanted, **noxfile}, None
        loaded = load_config(config)
    except LoadFailed as failed:
        return {"error": error_data(failed), **noxfile}, None
    steps: Any = (tasks.filter_manifest, tasks.honor_list_request, tasks.honor_usage_request)
    manifest: Any = loaded.manifest
    for step in steps:
        manifest = step(manifest, config)
        if isinstance(manifest, int):
            return {"exit": manifest}, None
    described = {runner.friendly_name: _session(runner) for runner, _ in loaded.manifest.list_all_sessions()}
    selected = [runner.friendly_name for runner in manifest]
    return {**noxfile, "selected": selected, "described": described, **_run(config)}, loaded


def _session(runner: SessionRunner) -> dict[str, Any]:
    """What nox's report says of a session before it runs."""
    args = {name: _data(value) for name, value in getattr(runner.func, "call_spec", {}).items()}
    return {
        "name": runner.name,
        "signatures": list(runner.signatures),
        "args": args,
    }


def _data(value: object) -> object:
    return json.loads(json.dumps(value, default=str))


def _run(config: NoxConfig) -> dict[str, Any]:
    from nox._option_set import Source

    explicit = config.provenance("reuse_venv") is Source.COMMAND_LINE
    moved = config.provenance("envdir") is Source.COMMAND_LINE
    return {
        "arguments": handed_on(config),
        "posargs": list(config.posargs),
        "no_dependencies": config.no_dependencies,
        "recreate": explicit and config.reuse_venv in ("no", "never"),
        "envdir": os.path.abspath(os.path.join(os.path.dirname(config.noxfile), config.envdir)) if moved else None,
        "jobs": config.parallel,
        "report": config.report,
    }


def handed_on(config: NoxConfig) -> list[str]:
    """The words for those options that were given on the command line. Environment variables speak for themselves."""
    import attrs
    from nox._option_set import Source, _get_opt

    words: list[str] = []
    for field in attrs.fields(type(config)):
        option = _get_opt(field)
        if option is None or field.name not in HANDED_ON or config.provenance(field.name) is not Source.COMMAND_LINE:
            continue
        value = getattr(config, field.name)
        if isinstance(value, bool):
            if value or option.negative_flags:
                words.append(option.flags[-1] if value else option.negative_flags[-1])
        elif isinstance(value, (list, tuple)):
            words += [option.flags[-1], *map(str, value)]
        elif value is not None:
            words += [option.flags[-1], str(value)]
    return words


def _refused(config: NoxConfig) -> str | None:
    """What of nox's command line setlist can't do, in words."""
    from nox._option_set import Source

    def given(option: str) -> bool:
        return config.provenance(option) in (Source.COMMAND_LINE, Source.ENVIRONMENT)

    if given("download_python") and config.download_python == "always":
        return "--download-python always: setlist uses the Pythons that are there, and installs none"
    if given("script_mode") and config.script_mode == "fresh":
        return "--script-mode fresh: the noxfile's own environment is kept and checked like any other"
    if given("script_venv_backend"):
        return "--script-venv-backend: the noxfile's own environment is made as all environments are"
    if config.parallel_worker:
        return "--parallel-worker is for nox itself"
    return None
