"""Run a noxfile's sessions with nox's command line: the words after '--' are what you would write after 'nox'.

nox itself parses them, selects and lists sessions, and chooses the exit code. The sessions run in setlist's
environments. docs/nox.md lists the differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setlist.cli.options import DIRECTORY, HELP, OFFLINE, QUIET, VERBOSE, Arguments
from setlist.core.errors import SetlistError, StorageError, UsageError

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.model import EnvironmentSpec, SessionSpec
    from setlist.reports.results import RunOutcome, SessionOutcome

USAGE = "nox -- [NOX'S OPTIONS…]"
OPTIONS = (OFFLINE, QUIET, VERBOSE, DIRECTORY, HELP)

FAILED = 1
INTERRUPTED = 128
"""Exit codes from here on are those of signals, after which nox writes no report."""

_RESULTS = {"ok": ("success", 1), "flaky": ("success", 1), "skipped": ("skipped", 2), "aborted": ("aborted", -1)}
"""nox's names and codes for the results of sessions. All other results are failures."""


def run(arguments: Arguments, context: Context) -> int:
    """Run as nox would, and return the exit code that nox would return."""
    if arguments.words:
        raise UsageError(
            f"'setlist nox' takes no arguments before '--', and got {arguments.words[0]!r}",
            hint=f"write: setlist nox -- -s {arguments.words[0]}",
        )
    from setlist.process.guardian import guarding
    from setlist.process.spawn import Grace, handling_signals
    from setlist.providers.nox.backends import PROVIDER
    from setlist.providers.nox.nox_process import NoxProcesses

    processes = context.shared[PROVIDER] = NoxProcesses()
    with guarding(Grace().terminate), handling_signals():
        try:
            return _run(arguments, context)
        finally:
            processes.close()


def _run(arguments: Arguments, context: Context) -> int:
    answer = _answer(context, arguments.rest or ())
    if "usage" in answer:
        raise UsageError(answer["usage"], hint="'setlist nox -- --help' shows nox's own help")
    if "exit" in answer:
        code: int = answer["exit"]
        if "lost" in answer:
            context.print_error(SetlistError(f"standard output can't be written: {answer['lost']}"))
        return code
    _stand_in_project(context, answer)
    specs = _specs(context, answer)
    if not specs:
        return 0

    from setlist.cli.run import run as run_sessions
    from setlist.reports.results import RunOutcome

    outcome = RunOutcome()
    context.readers.append(outcome)
    code = run_sessions(_words(arguments, answer, specs), context)
    if answer["report"] is not None and code < INTERRUPTED:
        _write_report(context, answer, outcome)
    # for nox, an outdated lock and a missing interpreter are failed sessions
    return FAILED if code in (3, 4) else code


def _answer(context: Context, argv: Sequence[str]) -> Mapping[str, Any]:
    """Let nox parse its command line, in a process that then waits for the sessions. Returns nox's answer."""
    import sys

    from setlist.core.errors import ConfigurationError
    from setlist.core.project import Project
    from setlist.providers.nox.definitions import ended_early, failed, script_spec

    answer = _asked(context, argv, nullcontext(Path(sys.executable)), in_environment=False)
    if "script" in answer:
        spec: EnvironmentSpec = script_spec(answer["script"])
        context.use_project(Project(Path(answer["root"]).resolve()))
        answer = _asked(context, argv, context.loader_python(spec, answer["file"]), in_environment=True)
    if answer.get("status") == "gone":
        raise ended_early(answer["code"])
    if "error" in answer:
        error: ConfigurationError = failed(Project(Path(answer["root"]).resolve()), answer["file"], answer["error"])
        raise error
    return answer


def _asked(
    context: Context, argv: Sequence[str], python: AbstractContextManager[Path], *, in_environment: bool
) -> Mapping[str, Any]:
    from setlist.process.spawn import Grace
    from setlist.providers.nox.backends import PROVIDER
    from setlist.providers.nox.nox_process import Launch, NoxProcess, NoxProcesses

    caller, processes = context.caller, context.shared[PROVIDER]
    assert isinstance(processes, NoxProcesses)
    with ExitStack() as held:
        launch = Launch(python=held.enter_context(python), environ=caller.environ, cwd=caller.cwd, grace=Grace())
        process = NoxProcess(launch)
        process.held = held.pop_all()
    reusable = False
    try:
        process.say({"argv": list(argv), "cwd": str(caller.cwd), "in_environment": in_environment})
        _import_meanwhile()
        answer = process.result()
        if "selected" in answer:
            process.loaded = (answer["root"], answer["file"], tuple(answer["arguments"]))
            processes.keep(process)
            reusable = True
        return answer
    finally:
        if not reusable:
            process.close()


def _import_meanwhile() -> None:
    """Import the modules of the run while the other process imports nox."""
    import setlist.cli.reporters
    import setlist.cli.run
    import setlist.providers.nox.sessions
    import setlist.registry.load
    import setlist.runner.run_plan
    import setlist.scheduling.order  # noqa: F401


def _stand_in_project(context: Context, answer: Mapping[str, Any]) -> None:
    """Use the noxfile's project, and only the noxfile's definitions."""
    from setlist.core.plugins import definition_files
    from setlist.core.project import Project, located
    from setlist.core.records import replace

    root = Path(answer["root"]).resolve()
    arguments = tuple(answer["arguments"])
    if answer["envdir"] is not None:
        project = Project(root, None, arguments, Path(answer["envdir"]))
    else:
        project = located(root, None, context.caller.environ, arguments)
    if answer["file"] in definition_files():
        # 'run' uses the same file, so both share its caches
        context.use_project(project)
        if context.registry.index.only_provider:
            return
    context.use_project(replace(project, file=root / answer["file"]))


def _specs(context: Context, answer: Mapping[str, Any]) -> list[SessionSpec]:
    registry = context.registry
    by_name = {aliases[0]: name for name, aliases in registry.index.aliases.items()}
    return [registry.sessions[by_name[friendly]] for friendly in answer["selected"]]


def _words(arguments: Arguments, answer: Mapping[str, Any], specs: Sequence[SessionSpec]) -> list[str]:
    """The equivalent command line of ``run``. nox's selection includes the required sessions that run."""
    words = [*["-v"] * arguments.count("verbose"), *["-q"] * arguments.count("quiet")]
    if answer["no_dependencies"]:
        words.append("--only")
    if arguments.flag("offline"):
        words.append("--offline")
    if answer["recreate"]:
        words.append("--recreate")
    if answer["jobs"] is not None:
        words.append(f"--jobs={answer['jobs']}")
    return [*words, *(spec.name for spec in specs), *(["--", *answer["posargs"]] if answer["posargs"] else [])]


def _write_report(context: Context, answer: Mapping[str, Any], run: RunOutcome) -> None:
    """Write the file of nox's ``--report``."""
    import json

    from setlist.core.files import write_atomically

    names = {name: aliases[0] for name, aliases in context.registry.index.aliases.items()}
    results = [
        _result(session, answer["described"][names[session.name]], names)
        for session in run.sessions.values()
        if session.status != "not-run"
    ]
    good = all(result["result_code"] > 0 for result in results)
    path = context.project.root / answer["report"]
    try:
        write_atomically(path, json.dumps({"result": int(good), "sessions": results}, indent=2))
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error


def _result(session: SessionOutcome, described: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    result, code = _RESULTS.get(session.status, ("failed", 0))
    reason = session.reason or ""
    if session.started is None:
        required = reason.removeprefix("requires ").partition(",")[0]
        reason = f"Prerequisite session {names.get(required, required)} was not successful"
    # nox reports a reason only for its own decisions, not for failures of the function
    has_reason = result in ("skipped", "aborted") or (result == "failed" and session.ready is None)
    return {
        **described,
        "result": result,
        "result_code": code,
        "reason": reason if has_reason else None,
        "duration": session.duration,
    }
