"""Scan a project's files: what it contains, what it is set up for, where it declares its dependencies.

Files are read; nothing is run or installed. :mod:`setlist.cli.first_sessions` chooses sessions by the result.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any

from setlist.cli.poetry import NotExpressible, requirements, specifier
from setlist.core.files import text_or_nothing
from setlist.core.records import dataclass, field
from setlist.environment.local_project import read_project
from setlist.environment.pyproject import table_of
from setlist.environment.requirement_lines import named_file, normalised, read_lines
from setlist.environment.requirements import GroupError, requirements_of_group


@dataclass(frozen=True, slots=True)
class Offer:
    """A place where the project declares dependencies.

    ``key`` is the key of a session that names it: ``groups``, ``extras`` or ``requirements``; or ``deps``, where no key
    can name it, so that its ``lines`` are copied. ``purpose`` says what it is for: ``test``, ``docs``; it is empty for
    what the project itself needs. ``packages`` are the normalised names of the packages that it requires.
    """

    key: str
    name: str
    purpose: str
    packages: frozenset[str]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectScan:
    """The result of a scan. Paths are relative to the root, with ``/``.

    Attributes:
        files: names in the root, and some below it; those of directories end with ``/``.
        tools: the tools that are configured.
        offers: dependencies for development, in the order in which they are to be considered.
        needs: what the project itself needs, where installing the project doesn't install it.
        packaged: whether the project can be installed.
        code: the files with Python code.
        pytest: pytest's settings.
        formats: whether ruff is used as a formatter.
        mypy_files: whether mypy's settings say what to check.
        manage: the directory with Django's ``manage.py``.
        members: the members of a uv workspace that have tests.
        member_needs: what their tests need.
        unlimited: the packages whose version limits can't be expressed.
    """

    files: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    offers: tuple[Offer, ...] = ()
    needs: tuple[Offer, ...] = ()
    packaged: bool = False
    requires_python: str | None = None
    code: tuple[str, ...] = ()
    notebooks: tuple[str, ...] = ()
    pytest: Mapping[str, Any] = field(default_factory=dict)
    formats: bool = False
    mypy_files: bool = False
    manage: str | None = None
    members: tuple[str, ...] = ()
    member_needs: tuple[str, ...] = ()
    unlimited: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[str, ...]:
        """The files that pytest takes for tests by their names."""
        return tuple(path for path in self.code if is_test(path))


def is_test(path: str) -> bool:
    """Whether pytest takes a file for tests by its name."""
    return re.fullmatch(r"test_.*\.py|.*_test\.py", path.rpartition("/")[2]) is not None


def scan(root: Path, pyproject: Mapping[str, Any]) -> ProjectScan:
    """Scan a project.

    Args:
        root: its directory.
        pyproject: its parsed pyproject.toml; empty without one.
    """
    files = _files(root)
    walked = sorted(_walk(root))
    setup_cfg = _ini(root / "setup.cfg")
    packaged = _is_packaged(root, files, pyproject, setup_cfg)
    copied, unlimited = _copied(pyproject, packaged)
    offers = (*_named(pyproject, setup_cfg, packaged), *copied, *_requirement_files(root, files))
    members = {path: read_project(path) for path in _members(root, pyproject)}
    tested = [path for path in members if any(is_test(file) for file in _walk(path))]
    return ProjectScan(
        files=files,
        tools=_tools(root, files, pyproject, setup_cfg),
        offers=tuple(offer for offer in offers if offer.purpose),
        needs=_needs([offer for offer in offers if not offer.purpose], root, packaged, pyproject, setup_cfg),
        packaged=packaged,
        requires_python=_requires_python([pyproject, *members.values()], setup_cfg),
        code=tuple(path for path in walked if path.endswith(".py")),
        notebooks=tuple(path for path in walked if path.endswith(".ipynb")),
        pytest=_pytest_settings(root, pyproject, setup_cfg),
        formats=any(re.search(_FORMATTER, text_or_nothing(path)) for path in _recipes(root)),
        mypy_files=_says_what_to_check(root, pyproject, setup_cfg),
        manage=_manage(root),
        members=tuple(path.relative_to(root).as_posix() for path in tested),
        member_needs=_member_needs(members[path] for path in tested),
        unlimited=tuple(unlimited),
    )


# --- files

_MOST_FILES = 20_000
_FORMATTER = r"(?m)ruff[- ]format|^\[(tool\.ruff\.)?format\]"
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages", "build", "dist"})


def _files(root: Path) -> frozenset[str]:
    names: set[str] = set()
    for pattern in ("*", "requirements/*.txt", "docs/conf.py", "doc/conf.py", "docs/requirements.txt"):
        for path in root.glob(pattern):
            names.add(path.relative_to(root).as_posix() + ("/" if path.is_dir() else ""))
    return frozenset(names)


def _walk(root: Path) -> Iterator[str]:
    """The modules and notebooks of a project, without hidden directories and virtual environments."""
    seen = 0
    for directory, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name[0] != "." and name not in _SKIPPED and not os.path.exists(f"{directory}/{name}/pyvenv.cfg")
        )
        for name in names:
            if name.endswith((".py", ".ipynb")):
                yield Path(directory, name).relative_to(root).as_posix()
        seen += len(names)
        if seen > _MOST_FILES:
            return


def _manage(root: Path) -> str | None:
    for path in (root / "manage.py", *sorted(root.glob("[!.]*/manage.py"))):
        if "django" in text_or_nothing(path):
            return path.parent.relative_to(root).as_posix()
    return None


def _recipes(root: Path) -> Iterator[Path]:
    """Files that say how tools are started, or set them up."""
    for name in ("pyproject.toml", "ruff.toml", ".ruff.toml", "tox.ini", "noxfile.py", "Makefile", "justfile"):
        yield root / name
    yield root / ".pre-commit-config.yaml"
    yield from sorted(root.glob(".github/workflows/*.y*ml"))


def _ini(path: Path) -> Mapping[str, Mapping[str, str]]:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text_or_nothing(path))
    except IniError:
        return {}  # the tools that read it say what is wrong
    return {name: dict(parser[name]) for name in parser.sections()}


# --- tools

_TOOL_FILES = {
    "ruff.toml": "ruff",
    ".ruff.toml": "ruff",
    "mypy.ini": "mypy",
    ".mypy.ini": "mypy",
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "conftest.py": "pytest",
    ".flake8": "flake8",
    "pyrightconfig.json": "pyright",
    ".codespellrc": "codespell",
    "mkdocs.yml": "mkdocs",
    "docs/conf.py": "sphinx",
    "doc/conf.py": "sphinx",
    "tox.toml": "tox",
}

_TOOL_SECTIONS = {
    "mypy": "mypy",
    "flake8": "flake8",
    "isort": "isort",
    "codespell": "codespell",
    "tool:pytest": "pytest",
    "tox:tox": "tox",
}


def _tools(
    root: Path, files: frozenset[str], pyproject: Mapping[str, Any], setup_cfg: Mapping[str, Any]
) -> frozenset[str]:
    tools = set(table_of(pyproject, "tool"))
    tools |= {tool for name, tool in _TOOL_FILES.items() if name in files}
    tools |= {tool for section, tool in _TOOL_SECTIONS.items() if section in setup_cfg}
    # other tools keep their settings there as well
    tox_ini = _ini(root / "tox.ini")
    tools |= {name for name in ("pytest", "flake8", "isort", "codespell") if name in tox_ini}
    if any(name == "tox" or name.startswith("testenv") for name in tox_ini):
        tools.add("tox")
    return frozenset(tools)


def _pytest_settings(
    root: Path, pyproject: Mapping[str, Any], setup_cfg: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Any]:
    """The settings of the file that pytest reads: the first with any."""
    table = table_of(pyproject, "tool", "pytest")
    candidates = (
        *(_ini(root / name).get("pytest", {}) for name in ("pytest.ini", ".pytest.ini")),
        table_of(table, "ini_options") or table,
        _ini(root / "tox.ini").get("pytest", {}),
        setup_cfg.get("tool:pytest", {}),
    )
    return next((settings for settings in candidates if settings), {})


def _says_what_to_check(root: Path, pyproject: Mapping[str, Any], setup_cfg: Mapping[str, Mapping[str, str]]) -> bool:
    tables = (
        table_of(pyproject, "tool", "mypy"),
        setup_cfg.get("mypy", {}),
        *(_ini(root / name).get("mypy", {}) for name in ("mypy.ini", ".mypy.ini")),
    )
    return any({"files", "packages", "modules"} & table.keys() for table in tables)


# --- packages

# setuptools doesn't take directories of these names for packages ("flat-layout" in its user guide)
_NO_PACKAGES = frozenset(
    {
        *("benchmark", "benchmarks", "bin", "build", "changelog", "ci", "debian", "doc", "docs", "documentation"),
        *("example", "examples", "exercise", "exercises", "fabfile", "htmlcov", "manpages", "news", "newsfragments"),
        *("python", "scripts", "tasks", "test", "tests", "tools", "unit_test", "unit_tests", "util", "utils"),
    }
)

_NO_MODULES = frozenset({"conftest", "fabfile", "noxfile", "setup", "tasks", "toxfile"})


def _is_packaged(
    root: Path, files: frozenset[str], pyproject: Mapping[str, Any], setup_cfg: Mapping[str, Mapping[str, str]]
) -> bool:
    """Whether the project can be installed.

    One without ``[build-system]`` is built by setuptools, which refuses a directory with several packages.
    """
    if table_of(pyproject, "tool", "poetry").get("package-mode") is False:
        return False
    declared = table_of(pyproject, "tool", "uv").get("package")
    if isinstance(declared, bool):
        return declared
    if "build-system" in pyproject or "setup.py" in files or "metadata" in setup_cfg:
        return True
    name = table_of(pyproject, "project").get("name")
    if not isinstance(name, str):
        return False
    module = normalised(name).replace("-", "_")
    folders = {file[:-1] for file in files if file.endswith("/") and file[:-1].isidentifier()} - _NO_PACKAGES
    modules = {file[:-3] for file in files if file.endswith(".py") and not is_test(file)} - _NO_MODULES
    found = (root / "src" / module).is_dir() or folders | modules <= {module}
    return "setuptools" in table_of(pyproject, "tool") or found


def _requires_python(projects: Iterable[Mapping[str, Any]], setup_cfg: Mapping[str, Mapping[str, str]]) -> str | None:
    """The range that all of some projects require."""
    ranges: list[str] = []
    for project in projects:
        value = table_of(project, "project").get("requires-python")
        old = table_of(project, "tool", "poetry", "dependencies").get("python")
        if isinstance(value, str):
            ranges.append(value)
        elif isinstance(old, str):
            try:
                ranges.append(specifier(old))
            except NotExpressible:
                continue
    ranges.append(setup_cfg.get("options", {}).get("python_requires", ""))
    return ",".join(dict.fromkeys(text.strip() for text in ranges if text.strip())) or None


def _members(root: Path, pyproject: Mapping[str, Any]) -> list[Path]:
    """The members of a uv workspace, without its root."""
    table = table_of(pyproject, "tool", "uv", "workspace")
    patterns, excluded = (_strings(table.get(key)) for key in ("members", "exclude"))
    skipped = {path for pattern in excluded for path in _matching(root, pattern)}
    found = {path: None for pattern in patterns for path in _matching(root, pattern) if path not in skipped}
    return [path for path in found if path != root and (path / "pyproject.toml").is_file()]


def _matching(root: Path, pattern: str) -> list[Path]:
    """The directories in the root that match a glob; none if the pattern leads out of it or isn't one."""
    try:
        return [path for path in sorted(root.glob(pattern)) if ".." not in path.parts]
    except (ValueError, NotImplementedError):  # pathlib refuses an empty pattern so, and an absolute one
        return []


# --- dependencies


def _named(pyproject: Mapping[str, Any], setup_cfg: Mapping[str, Mapping[str, str]], packaged: bool) -> Iterator[Offer]:
    """Dependency groups and extras."""
    groups = table_of(pyproject, "dependency-groups")
    for name in groups:
        yield Offer("groups", name, name, frozenset(_packages(_group(groups, name))))
    extras = {
        **{name: text.splitlines() for name, text in setup_cfg.get("options.extras_require", {}).items()},
        **table_of(pyproject, "tool", "poetry", "extras"),
        **table_of(pyproject, "project", "optional-dependencies"),
    }
    for name, lines in extras.items():
        if packaged:
            yield Offer("extras", name, name, frozenset(_packages(_strings(lines))))
        else:
            yield _copy(f"the extra {name}", name, _strings(lines))


def _copied(pyproject: Mapping[str, Any], packaged: bool) -> tuple[list[Offer], list[str]]:
    """Dependencies that other tools' tables declare, and those whose limits can't be expressed."""
    offers: list[Offer] = []
    unlimited: list[str] = []

    def add_poetry(where: str, purpose: str, *keys: str) -> None:
        lines, without = requirements(table_of(pyproject, "tool", "poetry", *keys))
        offers.append(_copy(where, purpose, lines))
        unlimited.extend(without)

    for name in table_of(pyproject, "tool", "poetry", "group"):
        add_poetry(f"[tool.poetry.group.{name}.dependencies]", name, "group", name, "dependencies")
    add_poetry("[tool.poetry.dev-dependencies]", "dev", "dev-dependencies")
    offers.append(_copy("[tool.uv]", "dev", _strings(table_of(pyproject, "tool", "uv").get("dev-dependencies"))))
    for name, lines in table_of(pyproject, "tool", "pdm", "dev-dependencies").items():
        offers.append(_copy(f"[tool.pdm.dev-dependencies] {name}", name, _strings(lines)))
    for name in table_of(pyproject, "tool", "hatch", "envs"):
        lines = _strings(table_of(pyproject, "tool", "hatch", "envs", name).get("dependencies"))
        purpose = "dev" if name == "default" else name
        offers.append(_copy(f"[tool.hatch.envs.{name}]", purpose, [line for line in lines if "{" not in line]))
    if not packaged:
        offers.append(_copy("[project]", "", _strings(table_of(pyproject, "project").get("dependencies"))))
        add_poetry("[tool.poetry.dependencies]", "", "dependencies")
    return [offer for offer in offers if offer.lines], unlimited


def _copy(where: str, purpose: str, lines: Iterable[str]) -> Offer:
    lines = tuple(lines)
    return Offer("deps", where, purpose, frozenset(_packages(lines)), lines)


def _needs(
    offers: list[Offer],
    root: Path,
    packaged: bool,
    pyproject: Mapping[str, Any],
    setup_cfg: Mapping[str, Mapping[str, str]],
) -> tuple[Offer, ...]:
    """The dependencies that installing the project doesn't install: those of a project that isn't or can't be."""
    if packaged:
        declares = "project" in pyproject or "poetry" in table_of(pyproject, "tool")
        if declares or "install_requires" in setup_cfg.get("options", {}):
            return ()
        if "install_requires" in text_or_nothing(root / "setup.py"):
            return ()
    return tuple(offers)


def _requirement_files(root: Path, files: frozenset[str]) -> Iterator[Offer]:
    """Requirements files, the nearest first. What one is for is in its name."""
    for name in sorted(files, key=lambda name: (name.count("/"), name)):
        match = re.fullmatch(r"(?:(\w+)[-_/])?requirements(?:[-_./](\w+))?\.txt", name)
        if match is not None and not (match[1] and match[2]):
            purpose = match[1] or match[2] or ""
            purpose = "" if purpose in ("base", "common", "main") else purpose
            yield Offer("requirements", name, purpose, frozenset(_file_packages(root / name, ())))


def _file_packages(path: Path, above: tuple[Path, ...]) -> Iterator[str]:
    if path in above:
        return
    for line in read_lines(text_or_nothing(path)):
        if line.option == "-r":
            included = named_file(path.parent, line.value)
            if included is not None:
                yield from _file_packages(included, (*above, path))
        elif not line.option:
            yield from _packages([line.text])


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _packages(lines: Iterable[object]) -> Iterator[str]:
    for line in lines:
        if isinstance(line, str) and (match := re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)):
            yield normalised(match[1])


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    """The requirements of a PEP 735 group; none if it is malformed, which the registry reports."""
    try:
        return requirements_of_group(groups, name)
    except GroupError:
        return []


def _member_needs(members: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the members of a workspace need for their tests: the requirements of their own groups."""
    lines: dict[str, None] = {}
    for member in members:
        groups = table_of(member, "dependency-groups")
        for name in ("test", "tests", "dev"):
            lines.update(dict.fromkeys(_group(groups, name) if name in groups else ()))
    return tuple(lines)
