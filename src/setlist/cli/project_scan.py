"""Scan a project's files, and propose an initial ``[tool.setlist]``.

:func:`scan` reads files, :func:`first_sessions` chooses sessions, :func:`as_toml` writes them. Nothing is run or
installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from setlist.core.files import text_or_nothing
from setlist.core.records import dataclass, field

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
"""The supported Python versions, newest last, to compare with ``requires-python``."""

_TEST_NAMES = ("test", "tests", "testing", "dev")
_LINT_NAMES = ("lint", "linting", "style", "typing", "dev")
_DOCS_NAMES = ("docs", "doc", "documentation")


@dataclass(frozen=True, slots=True)
class ProjectScan:
    """The result of a scan. ``files`` are names in the root; those of directories end with ``/``.

    ``groups`` and ``extras`` map their names to the normalised names of the packages that they require.
    """

    files: frozenset[str]
    tools: frozenset[str]
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    extras: dict[str, frozenset[str]] = field(default_factory=dict)
    packaged: bool = False
    requires_python: str | None = None
    mypy_files: bool = False


@dataclass(frozen=True, slots=True)
class FirstSession:
    """A session to write: its keys and values, in this order."""

    name: str
    keys: dict[str, str | list[str]]
    default: bool = True


def scan(root: Path, pyproject: Mapping[str, Any]) -> ProjectScan:
    """Scan a project.

    Args:
        root: its directory.
        pyproject: its parsed pyproject.toml; empty without one.
    """
    files: set[str] = set()
    for pattern in ("*", "requirements/*.txt", "docs/conf.py", "doc/conf.py"):
        for path in root.glob(pattern):
            files.add(path.relative_to(root).as_posix() + ("/" if path.is_dir() else ""))
    metadata = _table(pyproject, "project")
    tools = set(_table(pyproject, "tool"))
    setup_cfg = text_or_nothing(root / "setup.cfg")
    tools |= {name for name in ("mypy", "flake8", "isort") if re.search(rf"^\[{name}\]", setup_cfg, re.MULTILINE)}
    if "[tool:pytest]" in setup_cfg:
        tools.add("pytest")
    for name, tool in _TOOL_FILES.items():
        if name in files:
            tools.add(tool)
    raw_groups = _table(pyproject, "dependency-groups")
    requires_python = metadata.get("requires-python")
    return ProjectScan(
        files=frozenset(files),
        tools=frozenset(tools),
        groups={name: frozenset(_group_packages(raw_groups, name, ())) for name in raw_groups},
        extras={
            name: frozenset(_packages(deps))
            for name, deps in _table(metadata, "optional-dependencies").items()
            if isinstance(deps, list)
        },
        packaged=bool(metadata) or "build-system" in pyproject or "setup.py" in files,
        requires_python=requires_python if isinstance(requires_python, str) else None,
        mypy_files="files" in _table(pyproject, "tool", "mypy"),
    )


_TOOL_FILES = {
    "ruff.toml": "ruff",
    ".ruff.toml": "ruff",
    "mypy.ini": "mypy",
    ".mypy.ini": "mypy",
    "pytest.ini": "pytest",
    "conftest.py": "pytest",
    ".flake8": "flake8",
    "pyrightconfig.json": "pyright",
    ".codespellrc": "codespell",
    "mkdocs.yml": "mkdocs",
    "docs/conf.py": "sphinx",
    "doc/conf.py": "sphinx",
}


def _table(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = data.get(key)
        if not isinstance(value, dict):
            return {}
        data = value
    return data


def _packages(requirements: Iterable[object]) -> Iterator[str]:
    for requirement in requirements:
        if isinstance(requirement, str) and (match := re.match(r"\s*([A-Za-z0-9._-]+)", requirement)):
            yield re.sub(r"[-_.]+", "-", match[1]).lower()


def _group_packages(groups: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    """The packages of a PEP 735 group and its included groups. Cycles are ignored: the registry reports them."""
    entries = groups.get(name)
    if not isinstance(entries, list) or name in above:
        return
    yield from _packages(entries)
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            yield from _group_packages(groups, entry["include-group"], (*above, name))


def first_sessions(project: ProjectScan) -> list[FirstSession]:
    """The sessions that suit the project; at least one."""
    sessions = [_lint(project), _test(project), _docs(project)]
    made = [session for session in sessions if session is not None]
    return made or [_session("lint", "Style", {"deps": ["ruff"]}, ["ruff check {posargs:.}"])]


def _session(
    name: str, description: str, keys: Mapping[str, str | list[str]], run: list[str], *, default: bool = True
) -> FirstSession:
    return FirstSession(name, {"description": description, **keys, "run": run}, default)


def _lint(project: ProjectScan) -> FirstSession | None:
    group = _first(project.groups, _LINT_NAMES)
    offered = project.groups.get(group, frozenset()) if group else frozenset()
    sources = [path for path in ("src/", "tests/") if path in project.files]
    where = " ".join(path.rstrip("/") for path in sources[:1]) or "."
    commands = {
        "ruff": ["ruff check {posargs:.}", "ruff format --check ."],
        "black": ["black --check ."],
        "isort": ["isort --check ."],
        "flake8": ["flake8 {posargs:.}"],
        "mypy": ["mypy" if project.mypy_files else f"mypy {where}"],
        "pyright": ["pyright"],
        "codespell": ["codespell"],
    }
    used = [tool for tool in commands if tool in project.tools or tool in offered]
    if "black" in used and "ruff" in used:
        commands["ruff"] = ["ruff check {posargs:.}"]
    if not used:
        return None
    keys: dict[str, str | list[str]] = {}
    if group and offered & set(used):
        keys["groups"] = [group]
    missing = [tool for tool in used if "groups" not in keys or tool not in offered]
    if missing:
        keys["deps"] = missing
    if project.packaged and "mypy" in used:
        # mypy sees the types of the project's dependencies only if they are installed
        keys["project"] = "editable"
    return _session("lint", "Style and types", keys, [line for tool in used for line in commands[tool]])


def _test(project: ProjectScan) -> FirstSession | None:
    has_tests = bool({"tests/", "test/"} & project.files) or "pytest" in project.tools
    if not has_tests:
        return None
    keys: dict[str, str | list[str]] = {}
    pythons = supported_pythons(project.requires_python)
    if len(pythons) > 1:
        keys["python"] = pythons
    keys.update(_dependencies(project, _TEST_NAMES, "pytest"))
    if project.packaged:
        keys["project"] = "editable"
    return _session("test", "The tests", keys, ["pytest {posargs}"])


def _docs(project: ProjectScan) -> FirstSession | None:
    if "mkdocs" in project.tools:
        needed, run = "mkdocs", ["mkdocs build {posargs}"]
    elif "sphinx" in project.tools:
        folder = "docs" if "docs/conf.py" in project.files else "doc"
        needed, run = "sphinx", [f"sphinx-build {{posargs}} {folder} {folder}/_build/html"]
    else:
        return None
    keys = _dependencies(
        project, _DOCS_NAMES, needed, also=(f"{folder}/requirements.txt",) if needed == "sphinx" else ()
    )
    if project.packaged:
        keys["project"] = "editable"
    return _session("docs", "The documentation", keys, run, default=False)


def _dependencies(
    project: ProjectScan, names: Sequence[str], needed: str, *, also: Sequence[str] = ()
) -> dict[str, str | list[str]]:
    """The keys for a session's dependencies: a group, an extra, or a requirements file, the first that exists."""
    keys: dict[str, str | list[str]] = {}
    if group := _first(project.groups, names):
        keys["groups"] = [group]
        covered = needed in project.groups[group]
    elif project.packaged and (extra := _first(project.extras, names)):
        keys["extras"] = [extra]
        covered = needed in project.extras[extra]
    else:
        candidates = [
            *also,
            *(pattern.format(name) for name in names for pattern in _REQUIREMENT_FILES),
            *(() if project.packaged else ("requirements.txt",)),
        ]
        files = [name for name in candidates if name in project.files][:1]
        if files:
            keys["requirements"] = files
        # the file may include others that require it: requiring it twice does no harm
        covered = False
    if not covered:
        keys["deps"] = [needed]
    return keys


_REQUIREMENT_FILES = ("requirements-{}.txt", "requirements_{}.txt", "{}-requirements.txt", "requirements/{}.txt")


def _first(offered: Mapping[str, object], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in offered), None)


def supported_pythons(requires_python: str | None) -> list[str]:
    """The supported Python versions that ``requires-python`` allows."""
    if requires_python is None:
        return []
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifier = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return []
    # .99: ">=3.10.2" allows a later 3.10
    return [version for version in PYTHONS if f"{version}.99" in specifier]


def as_toml(sessions: Sequence[FirstSession]) -> str:
    """The definitions as they are appended to pyproject.toml."""
    default = [session.name for session in sessions if session.default] or [sessions[0].name]
    lines = ["[tool.setlist]", f"default = {toml_value(default)}" + " " * 4 + "# what a bare 'run' runs"]
    for session in sessions:
        lines += ["", f"[tool.setlist.session.{session.name}]"]
        lines += [f"{key} = {toml_value(value)}" for key, value in session.keys.items()]
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
