"""Choose the first sessions for a scanned project, and write them as ``[tool.setlist]``.

The sessions must pass at once where the project is in order. So they run what the project is set up for, with the
dependencies that it declares. A tool that nobody chose is only asked for what is an error in any case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from setlist.cli.project_scan import Offer, ProjectScan
from setlist.cli.python_releases import allowed
from setlist.core.records import dataclass, field

_TEST = ("test", "tests", "testing", "dev")
_LINT = ("lint", "linting", "style", "typing", "types", "dev")
_DOCS = ("docs", "doc", "documentation")

_PLUGINS = {
    "--cov": "pytest-cov",
    "-n": "pytest-xdist",
    "--timeout": "pytest-timeout",
    "timeout": "pytest-timeout",
    "asyncio_mode": "pytest-asyncio",
    "DJANGO_SETTINGS_MODULE": "pytest-django",
}
"""Options and settings of pytest with the plug-in that each is of: pytest fails without it, or passes over tests."""

_ERRORS_ONLY = "ruff check --select E9,F63,F7,F82 {posargs:.}"


@dataclass(frozen=True, slots=True)
class FirstSession:
    """A session to write: its keys and values, in this order, and remarks on some of them."""

    name: str
    keys: dict[str, Any]
    default: bool = True
    remarks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pythons:
    """The Pythons for the sessions: the axis of the tests; and the range for other sessions, if it matters."""

    axis: tuple[str, ...] = ()
    range: str | None = None
    missing: tuple[str, ...] = ()


def choose_pythons(requires_python: str | None, supported: Sequence[str], installed: Iterable[str]) -> Pythons:
    """The Pythons that suit a project.

    The tests run on the supported versions that it allows, as far as they are installed. All sessions need the range
    if setlist could run on a Python outside of it.

    Args:
        requires_python: the range that the project requires.
        supported: the versions that are supported today.
        installed: those of them that are installed here.
    """
    if requires_python is None:
        return Pythons()
    versions = allowed(requires_python, supported)
    needed = requires_python if versions != list(supported) else None
    here = set(installed)
    axis = tuple(version for version in versions if version in here)
    missing = tuple(version for version in versions if version not in here)
    return Pythons(axis if len(axis) > 1 else (), needed, missing)


def first_sessions(project: ProjectScan, pythons: Pythons | None = None) -> list[FirstSession]:
    """The sessions that suit the project; at least one."""
    pythons = pythons or Pythons()
    if "tox" in project.tools:
        return [_tox()]
    candidates = (
        _lint(project, pythons),
        _test(project, pythons),
        _members(project, pythons),
        _notebooks(project, pythons),
        _docs(project, pythons),
    )
    return [session for session in candidates if session is not None] or [_fallback(project)]


def _fallback(project: ProjectScan) -> FirstSession:
    """For a project that says nothing of tools: its errors; in a new one, everything."""
    if project.code or project.notebooks:
        keys = {"deps": ["ruff"], "run": [_ERRORS_ONLY]}
        return FirstSession("lint", {"description": "Syntax errors and undefined names", **keys})
    keys = {"deps": ["ruff"], "run": ["ruff check {posargs:.}", "ruff format --check {posargs:.}"]}
    return FirstSession("lint", {"description": "Style", **keys})


def _tox() -> FirstSession:
    return FirstSession("tox", {"description": "What tox runs", "deps": ["tox"], "run": ["tox {posargs}"]})


def _lint(project: ProjectScan, pythons: Pythons) -> FirstSession | None:
    types = "mypy" if project.mypy_files else f"mypy {_sources(project)}"
    ruff = ["ruff check {posargs:.}", "ruff format --check ."]
    commands = {
        "ruff": ruff if project.formats else ruff[:1],
        "black": ["black --check ."],
        "isort": ["isort --check ."],
        "flake8": ["flake8 {posargs:.}"],
        "mypy": [types],
        "pyright": ["pyright"],
        "codespell": ["codespell"],
    }
    offer = _choose(project.offers, _LINT, commands, by_name=False)
    offered = offer.packages if offer else frozenset()
    used = [tool for tool in commands if tool in project.tools or tool in offered]
    if not used:
        return None
    # type checkers see the types of the project's dependencies only if they are installed
    checks_types = bool({"mypy", "pyright"} & set(used))
    keys, remarks = _environment(project, offer, used, installs=checks_types)
    run = [line for tool in used for line in commands[tool]]
    return _session("lint", "Style and types" if checks_types else "Style", pythons, keys, run, remarks=remarks)


def _sources(project: ProjectScan) -> str:
    """What mypy is to check: the package, or everything. Tests of equal names would be an error."""
    if "src/" in project.files:
        return "src"
    packages = [path.partition("/")[0] for path in project.code if path.count("/") == 1 and "/__init__.py" in path]
    return " ".join(name for name in packages if name not in ("tests", "test", "docs") and name.isidentifier()) or "."


def _test(project: ProjectScan, pythons: Pythons) -> FirstSession | None:
    with_pytest = _choose(project.offers, _TEST, ["pytest"], by_name=False)
    needed_with_pytest = any("pytest" in offer.packages for offer in project.needs)
    offer = with_pytest or _choose(project.offers, _TEST, ["pytest"])
    if project.manage is not None and not (project.pytest or with_pytest or needed_with_pytest):
        return _django(project, pythons, _choose(project.offers, _TEST, ["django"]))
    inside = tuple(f"{member}/" for member in project.members)
    tests = [path for path in project.tests if not path.startswith(inside)] if inside else project.tests
    has_folder = bool({"tests/", "test/"} & project.files)
    if not (tests or has_folder or "pytest" in project.tools or with_pytest or needed_with_pytest):
        return None
    if inside and not tests:
        return None
    keys, remarks = _environment(project, offer, ["pytest", *_plugins(project)])
    # 'python -m pytest' finds modules that lie in the root
    command: Any = "pytest {posargs}" if project.packaged else "python -m pytest {posargs}"
    if not tests:
        command = {"cmd": command, "ok-codes": [0, 5]}
        remarks["run"] = "exit code 5 of pytest: there are no tests yet"
    return _session("test", "The tests", pythons, keys, [command], remarks=remarks, axis=True)


def _plugins(project: ProjectScan) -> list[str]:
    options = project.pytest.get("addopts", "")
    words = options.split() if isinstance(options, str) else [str(word) for word in options]
    given = {word.partition("=")[0] for word in words} | set(project.pytest)
    return list(dict.fromkeys(plugin for option, plugin in _PLUGINS.items() if option in given))


def _django(project: ProjectScan, pythons: Pythons, offer: Offer | None) -> FirstSession:
    keys, remarks = _environment(project, offer, ["django"])
    if project.manage != ".":
        keys["cwd"] = project.manage
    return _session("test", "The tests", pythons, keys, ["python manage.py test {posargs}"], remarks=remarks, axis=True)


def _members(project: ProjectScan, pythons: Pythons) -> FirstSession | None:
    """The tests of each member of a workspace, in an environment with what that member needs."""
    if not project.members:
        return None
    folders = {member.rpartition("/")[0] for member in project.members}
    folder = f"{folders.pop()}/" if len(folders) == 1 else ""
    names = [member.removeprefix(folder) for member in project.members]
    path = f"{folder}{{member}}"
    offer = _choose(project.offers, _TEST, ["pytest"])
    keys, remarks = _environment(project, offer, [], installs=False)
    deps = [*keys.pop("deps", []), *project.member_needs]
    if not any(line.startswith("pytest") for line in deps) and (offer is None or "pytest" not in offer.packages):
        deps.append("pytest")
    keys |= {"matrix": {"member": names}, "deps": [*dict.fromkeys(deps), f"-e ./{path}"], "cwd": path}
    if project.member_needs:
        remarks["deps"] = "with what the members' dependency groups require"
    return _session("members", "The tests of each member", pythons, keys, ["pytest {posargs}"], remarks=remarks)


def _notebooks(project: ProjectScan, pythons: Pythons) -> FirstSession | None:
    folders = dict.fromkeys(path.rpartition("/")[0] for path in project.notebooks)
    patterns = [f"{folder}/*.ipynb" if folder else "*.ipynb" for folder in folders if " " not in folder]
    if not patterns:
        return None
    keys, remarks = _environment(project, None, ["nbconvert", "ipykernel"])
    command = (
        "jupyter nbconvert --to notebook --execute --ExecutePreprocessor.kernel_name=python3 "
        f"--output-dir {{tmp}} {{posargs:{' '.join(patterns)}}}"
    )
    default = not (project.tests or project.manage)
    return _session("notebooks", "Execute the notebooks", pythons, keys, [command], default=default, remarks=remarks)


def _docs(project: ProjectScan, pythons: Pythons) -> FirstSession | None:
    if "mkdocs" in project.tools:
        needed, run = "mkdocs", ["mkdocs build {posargs}"]
    elif "sphinx" in project.tools:
        folder = "docs" if "docs/conf.py" in project.files else "doc"
        needed, run = "sphinx", [f"sphinx-build {{posargs}} {folder} {folder}/_build/html"]
    else:
        return None
    keys, remarks = _environment(project, _choose(project.offers, _DOCS, [needed]), [needed])
    return _session("docs", "The documentation", pythons, keys, run, default=False, remarks=remarks)


def _session(
    name: str,
    description: str,
    pythons: Pythons,
    keys: Mapping[str, Any],
    run: list[Any],
    *,
    remarks: dict[str, str],
    default: bool = True,
    axis: bool = False,
) -> FirstSession:
    python: Any = list(pythons.axis) if axis and pythons.axis else pythons.range
    first = {"description": description, **({"python": python} if python else {})}
    return FirstSession(name, {**first, **keys, "run": run}, default, remarks)


def _choose(
    offers: Sequence[Offer], names: Sequence[str], tools: Iterable[str], *, by_name: bool = True
) -> Offer | None:
    """The offer for a purpose: one with the tools and such a name, any with the tools, any with such a name."""
    wanted = set(tools)
    named = [offer for name in names for offer in offers if offer.purpose == name]
    having = [offer for offer in (*named, *offers) if offer.packages & wanted]
    return next(iter([*having, *(named if by_name else ())]), None)


def _environment(
    project: ProjectScan, offer: Offer | None, tools: Iterable[str], *, installs: bool = True
) -> tuple[dict[str, Any], dict[str, str]]:
    """The keys that install what a session needs, and remarks on them.

    Args:
        project: the project.
        offer: the dependencies that were chosen for the session.
        tools: the packages that its commands need.
        installs: whether the session needs the project, or what the project needs, as well.
    """
    # extras are extras of the project
    installs = installs or (offer is not None and offer.key == "extras")
    chosen = [*(project.needs if installs else ()), *([offer] if offer else ())]
    keys: dict[str, list[str]] = {"groups": [], "extras": [], "requirements": [], "deps": []}
    remarks: dict[str, str] = {}
    present: set[str] = set()
    for place in chosen:
        keys[place.key] += place.lines or [place.name]
        present |= place.packages
        if place.lines:
            remarks["deps"] = f"{remarks['deps']} and {place.name}" if "deps" in remarks else f"as in {place.name}"
    keys["deps"] += [tool for tool in tools if tool not in present]
    result: dict[str, Any] = {key: list(dict.fromkeys(values)) for key, values in keys.items() if values}
    if project.packaged and installs:
        result["project"] = "editable"
    return result, remarks


def as_toml(sessions: Sequence[FirstSession]) -> str:
    """The definitions as they are appended to pyproject.toml."""
    default = [session.name for session in sessions if session.default] or [sessions[0].name]
    lines = ["[tool.setlist]", f"default = {toml_value(default)}" + " " * 4 + "# what a bare 'run' runs"]
    for session in sessions:
        lines += ["", f"[tool.setlist.session.{session.name}]"]
        for key, value in session.keys.items():
            if key in session.remarks:
                lines.append(f"# {session.remarks[key]}")
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML. Arrays that would be too long for a line have one item a line."""
    if isinstance(value, str):
        # a JSON string is a TOML basic string, except for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        items = [toml_value(item) for item in value]
        flat = f"[{', '.join(items)}]"
        return flat if len(flat) <= 80 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    return json.dumps(value)


def toml_key(name: str) -> str:
    """A key as TOML, quoted if necessary."""
    return name if all(letter.isalnum() or letter in "-_" for letter in name) else json.dumps(name)
