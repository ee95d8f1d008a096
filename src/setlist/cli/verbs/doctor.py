"""Check the setup: what is wrong, and how to fix it.

The exit code is 1 if a check fails; warnings don't count.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from setlist import STATE_DIRECTORY
from setlist.cli.options import COMMON, JSON, QUIET, Arguments
from setlist.core.errors import InterpreterNotFound, SetlistError, UsageError
from setlist.core.project import FOLDERS, MARKS, PACKAGING_HINT, setuptools_packages
from setlist.core.records import dataclass, dump

if TYPE_CHECKING:
    from setlist.cli.context import Context
    from setlist.core.project import Project
    from setlist.reports.terminal import Style

USAGE = "doctor [--json]"
OPTIONS = (JSON, QUIET, *COMMON)

FORMAT = 1

_MARKS: dict[str, tuple[str, Style]] = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}

LOW_SPACE = 500_000_000
"""Bytes: less free space than this is worth a warning. One environment is easily a tenth of it."""

_LEAKS = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")


def run(arguments: Arguments, context: Context) -> int:
    """Print each check as soon as it is made."""
    if arguments.words:
        raise UsageError("'setlist doctor' takes no arguments")
    if arguments.flag("json"):
        import json

        checks = list(all_checks(context))
        data = {"format": FORMAT, "checks": dump(checks)}
        context.out.lines(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        checks = _print(context, all_checks(context))
    return 1 if any(check.status == "fail" for check in checks) else 0


def _print(context: Context, checks: Iterable[Check]) -> list[Check]:
    out = context.out
    made: list[Check] = []
    for check in checks:
        made.append(check)
        if check.status == "ok" and context.verbosity < 0:
            continue
        mark, style = _MARKS[check.status]
        out.line(f"{out.styled(mark, style)}  {check.name}: {check.message}")
        if check.remedy:
            out.line(f"      {out.styled('→', 'cyan')} {check.remedy}")
    return made


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. ``remedy`` is one line that says what to do."""

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    remedy: str | None = None


def all_checks(context: Context) -> Iterator[Check]:
    """Run every check, in an order in which the first failure explains the later ones.

    A check doesn't raise, and changes nothing, except that ``.setlist`` is created.
    """
    yield from _setlist(context)
    project = None
    try:
        project = context.project
        yield Check("project", "ok", str(project.root))
    except SetlistError as error:
        yield _failed("project", error)
    if project is not None:
        yield from _definitions(context)
        yield from _storage(context, project)
        yield from _git(project)
        yield from _packaging(project)
        yield from _walkers(project)
        yield from _leftovers(context, project)
    yield from _interpreters(context)
    yield from _tools(context)
    yield from _world(context)


def _failed(name: str, error: SetlistError) -> Check:
    detail = f"\n      {error.detail}" if error.detail else ""
    return Check(name, "fail", f"{error}{detail}", error.hint)


def _setlist(context: Context) -> Iterator[Check]:
    import setlist

    directory = os.path.dirname(os.path.abspath(setlist.__file__))
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("setlist", "ok", f"{setlist.__version__} on Python {version}, in {directory}")
    run = shutil.which("run", path=context.caller.environ.get("PATH"))
    if run is None:
        yield Check(
            "command", "warn", "'run' isn't on PATH", "use 'setlist run' or 'python -m setlist run', or fix PATH"
        )


def _definitions(context: Context) -> Iterator[Check]:
    try:
        sessions, unused = context.registry.sessions, context.registry.settings.unused
    except SetlistError as error:
        yield _failed("definitions", error)
        return
    if unused:
        from setlist.cli.listing import unused_hint

        text = f"{', '.join(unused)} isn't used: the project has its own setlist definitions"
        yield Check("sources", "ok", text, unused_hint())
    if sessions:
        yield Check("definitions", "ok", f"{len(sessions)} session{'s' if len(sessions) != 1 else ''}")
    else:
        yield Check("definitions", "warn", "no sessions are defined", "'setlist init' writes a first one")


def _storage(context: Context, project: Project) -> Iterator[Check]:
    from setlist.core.system import user_cache

    try:
        project.prepare()
    except SetlistError as error:
        yield _failed("storage", error)
        return
    cache = user_cache(dict(context.caller.environ))
    for name, directory in (("storage", project.state), ("cache", cache)):
        yield _writable(name, directory)
    yield from _space(project.root)
    if _ignores_case(project.state / "CACHEDIR.TAG"):
        yield Check("file system", "ok", "case-insensitive: names that differ only in case are rejected")


def _writable(name: str, directory: Path) -> Check:
    from setlist.core.files import write_atomically

    probe = directory / f".probe-{os.getpid()}"
    try:
        write_atomically(probe, "")
        probe.unlink()
    except OSError as error:
        remedy = "make it writable"
        if name == "cache":
            remedy += ", or set SETLIST_CACHE_DIR to another directory"
        return Check(name, "fail", f"can't write in {directory}: {error.strerror or error}", remedy)
    return Check(name, "ok", str(directory))


def _space(root: Path) -> Iterator[Check]:
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return
    if free < LOW_SPACE:
        from setlist.reports.console import size_text

        yield Check(
            "disk", "warn", f"only {size_text(free)} are free", "'setlist clean' removes unused environments and builds"
        )


def _ignores_case(path: Path) -> bool:
    return path.with_name(path.name.swapcase()).exists()


def _git(project: Project) -> Iterator[Check]:
    """.setlist contains a .gitignore that ignores it, unless it was committed before."""
    if not any((directory / ".git").exists() for directory in (project.root, *project.root.parents)):
        return
    if (project.state / ".gitignore").is_file():
        yield Check("git", "ok", ".setlist is ignored")
    else:
        yield Check("git", "warn", ".setlist is not ignored", "add the line '.setlist/' to .gitignore")


def _packaging(project: Project) -> Iterator[Check]:
    visible = FOLDERS[0]
    if (project.root / visible).is_dir() and setuptools_packages(project.root, visible):
        yield Check(
            "packaging",
            "warn",
            f"setuptools treats {visible}/ as a package: it refuses to build the project, or includes it",
            PACKAGING_HINT,
        )


def _walkers(project: Project) -> Iterator[Check]:
    inside = project.environments.is_relative_to(project.root)
    for tool, line in exclusions(project.root, environments=inside):
        yield Check("tools", "warn", f"{tool} reads the environments in .setlist", f"add {line}")


def exclusions(root: Path, *, environments: bool = True) -> Iterator[tuple[str, str]]:
    """Tools that would read setlist's state directory, each with the line that excludes it.

    The comment at :data:`setlist.STATE_DIRECTORY` lists the tools that skip it by default.

    Args:
        root: the project's root. A tool is reported if it is used or configured there, without such a line.
        environments: whether environments are in that directory. If not, tools that read only Python are left out.
    """
    from setlist.core.files import text_or_nothing

    def text(*names: str) -> str:
        return "\n".join(text_or_nothing(root / name) for name in names)

    folder = STATE_DIRECTORY.partition("/")[0]
    pyproject = text("pyproject.toml")
    pylint = text("pylintrc", ".pylintrc", "pylintrc.toml", ".pylintrc.toml")
    if (
        environments
        and (pylint.strip() or "pylint" in pyproject)
        and f'"{folder}"' not in pyproject
        and folder not in pylint
    ):
        yield "pylint --recursive=y", f'ignore = ["{folder}"] in [tool.pylint.main]'
    if environments and "vulture" in pyproject and f"{folder}/" not in pyproject:
        yield "vulture", f'exclude = ["{folder}/"] in [tool.vulture]'
    prettier = any(name.startswith((".prettierrc", "prettier.config.")) for name in os.listdir(root))
    if (prettier or '"prettier"' in text("package.json")) and folder not in text(".prettierignore"):
        yield "prettier", f"the line {folder}/ to .prettierignore"
    docker = any((root / name).is_file() for name in ("Dockerfile", "Containerfile"))
    if docker and folder not in text(".dockerignore", ".containerignore"):
        yield "a docker build", f"the line {folder} to .dockerignore"


def _leftovers(context: Context, project: Project) -> Iterator[Check]:
    try:
        names = set(context.registry.sessions)
        entries = sorted(name for name in os.listdir(project.environments) if name not in MARKS)
    except (SetlistError, OSError):
        return
    from setlist.environment.state import read_state

    stale = [name for name in entries if name not in names]
    if stale:
        yield Check("environments", "warn", f"of removed sessions: {', '.join(stale)}", "'setlist clean' removes them")
    unfinished = [name for name in entries if name in names and read_state(project.environment(name)) is None]
    if unfinished:
        yield Check(
            "environments",
            "warn",
            f"unfinished or damaged: {', '.join(unfinished)}",
            f"the next run recreates them: run {unfinished[0]}",
        )
    if not stale and not unfinished:
        yield Check("environments", "ok", f"{len(entries)} ready")


def _interpreters(context: Context) -> Iterator[Check]:
    from setlist.core.system import user_cache
    from setlist.environment.interpreters import Interpreters

    try:
        sessions = list(context.registry.sessions.values())
    except SetlistError:
        return
    interpreters = Interpreters(context.caller, user_cache(dict(context.caller.environ)))
    for request in dict.fromkeys(session.environment.python for session in sessions):
        name = f"python {request}" if request else "python"
        try:
            interpreter = interpreters.find(request)
        except InterpreterNotFound as error:
            names = ", ".join(session.name for session in sessions if session.environment.python == request)
            yield Check(name, "fail" if context.caller.ci else "warn", f"{error} (for {names})", error.hint)
        except SetlistError as error:
            yield _failed(name, error)
        else:
            yield Check(name, "ok", f"{interpreter.label}, {interpreter.executable} ({interpreter.found})")


def _tools(context: Context) -> Iterator[Check]:
    yield _installed("virtualenv", "install virtualenv in the same environment as setlist")
    yield _installed("uv", 'install uv in the same environment as setlist, or set installer = "pip"')
    yield from _uv_runs(context)
    yield from _indexes(context)


def _indexes(context: Context) -> Iterator[Check]:
    """Find indexes that are configured for pip but not for uv: uv doesn't find the packages there."""
    from setlist.environment.installer_config import pip_only_indexes
    from setlist.environment.installers import hint_for_pip_only

    try:
        specs = [session.environment for session in context.registry.sessions.values()]
    except SetlistError:
        return  # reported by another check
    try:
        places = pip_only_indexes(context.caller.environ, context.project)
    except SetlistError as error:
        yield _failed("indexes", error)
        return
    if places and any(spec.installer == "uv" and not spec.index_url for spec in specs):
        yield Check(
            "indexes", "warn", f"an index is configured only for pip, in {', '.join(places)}", hint_for_pip_only()
        )


def _installed(package: str, remedy: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Check(package, "ok", version(package))
    except PackageNotFoundError:
        return Check(package, "fail", "not installed", remedy)


def _uv_runs(context: Context) -> Iterator[Check]:
    """Run uv: its package may be installed without a binary that runs on this platform."""
    from setlist.process.spawn import run_process

    try:
        from uv import find_uv_bin

        binary = find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        yield Check("uv", "fail", f"its program is missing: {error}", "reinstall uv beside setlist")
        return
    try:
        done = run_process(
            [os.fspath(binary), "--version"],
            env=context.caller.environ,
            cwd=context.caller.cwd,
            capture=True,
            timeout=20,
        )
    except SetlistError as error:
        yield _failed("uv", error)
        return
    if done.code != 0:
        output = done.stderr.decode(errors="replace").strip()
        yield Check(
            "uv",
            "fail",
            f"{binary} --version failed with exit code {done.code}: {output}",
            "reinstall uv beside setlist",
        )


def _world(context: Context) -> Iterator[Check]:
    environ = context.caller.environ
    leaks = [name for name in _LEAKS if environ.get(name)]
    if leaks:
        yield Check("variables", "ok", f"{', '.join(leaks)} set; sessions don't inherit them")
    if context.caller.ci:
        yield Check("CI", "ok", f"CI={environ.get('CI', '')}: a missing interpreter is an error, not a skip")
    if not environ.get("HOME") and sys.platform != "win32":
        yield Check(
            "HOME", "warn", "not set: caches are written to the temporary directory", "set HOME or SETLIST_CACHE_DIR"
        )
