"""The installers' own settings, stated in variables and configuration files: what of them reaches an installer.

Every setting belongs to one of three classes:

- It makes sense for one environment only: a destination, a choice of Python, the form of an output, what to install.
  It is withheld, and it is no input.
- It can't change what ends up in an environment: speed, caches, connections, looks. It is handed over, and it is no
  input.
- Everything else selects packages or builds them. It is handed over, and it is an input of every environment. A setting
  that this module doesn't know is one of these.

Nothing reaches an installer by itself. The configuration files are read here as the installer would read them, and
handed over as one file (uv) or as variables (pip).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from setlist.core.errors import ConfigurationError
from setlist.core.files import read_text, temporary_directory, write_atomically
from setlist.core.fingerprint import digest
from setlist.core.logins import without_logins
from setlist.core.model import InstallerName
from setlist.core.project import Project
from setlist.core.records import dataclass
from setlist.core.system import cache_of, user_cache
from setlist.core.toml import read_toml, toml_value
from setlist.environment.environ import clean
from setlist.environment.pyproject import Pyproject, read_pyproject, table_of
from setlist.environment.requirement_lines import named_file

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    Table = Mapping[str, Any]

_PREFIX: dict[InstallerName, str] = {"uv": "UV_", "pip": "PIP_"}

# A setting is named as in a configuration file; its variable is the same with a prefix, in capitals.
# Sources: uv's "Settings" and "Environment variables" references (0.13), 'pip install --help' (26.3).
_WITHHELD: dict[InstallerName, frozenset[str]] = {
    "uv": frozenset(
        """
        target prefix system system-python break-system-packages project project-environment working-dir
        working-directory no-project no-installer-metadata no-editable venv-clear venv-seed venv-relocatable
        python python-version python-platform universal python-preference python-downloads python-search-path
        managed-python no-managed-python internal--parent-interpreter
        extra all-extras no-extra group no-group no-default-groups only-group dev no-dev no-deps only-deps
        upgrade upgrade-package reinstall reinstall-package strict dry-run
        no-install-project no-install-workspace no-install-local only-install-project only-install-workspace
        only-install-local frozen locked no-sync verify-hashes no-verify-hashes allow-empty-requirements
        output-file no-header no-annotate annotation-style custom-compile-command generate-hashes no-strip-extras
        no-strip-markers no-emit-package emit-index-url emit-find-links emit-build-options emit-marker-expression
        emit-index-annotation show-resolution
        env-file no-env-file run-recursion-depth isolated no-config config-file no-system-config
        """.split()  # noqa: SIM905 - seventy quoted lines are no easier to read
    ),
    "pip": frozenset(
        """
        target prefix root user no-user src source source-dir source-directory break-system-packages
        dest destination-dir destination-directory
        python platform python-version implementation abi
        requirement requirements-from-script editable group no-deps no-dependencies only-deps only-dependencies
        upgrade upgrade-strategy force-reinstall ignore-installed dry-run no-require-hashes
        report quiet verbose debug no-clean isolated config-file help version
        """.split()  # noqa: SIM905
    ),
}

_WITHOUT_EFFECT: dict[InstallerName, frozenset[str]] = {
    "uv": frozenset(
        """
        cache-dir no-cache link-mode compile-bytecode compile-bytecode-timeout offline preview preview-features
        concurrent-builds concurrent-downloads concurrent-installs concurrent-cache-reads lock-timeout
        no-progress no-wrap log-context stack-size hide-build-output required-version
        http-timeout request-timeout http-connect-timeout upload-http-timeout http-retries http-proxy https-proxy
        no-proxy native-tls system-certs
        python-install-dir python-install-mirror pypy-install-mirror graalpy-install-mirror pyodide-install-mirror
        python-downloads-json-url python-bin-dir python-cache-dir python-install-bin python-install-registry
        python-no-registry tool-dir tool-bin-dir install-dir unmanaged-install no-modify-path init-bare
        init-build-backend add-bounds audit malware-check malware-check-url
        publish-url publish-token publish-username publish-password publish-index publish-check-url trusted-publishing
        check-url publish-no-attestations
        """.split()  # noqa: SIM905
    ),
    "pip": frozenset(
        """
        cache-dir no-cache-dir disable-pip-version-check no-python-version-warning no-color no-input progress-bar
        timeout default-timeout retries resume-retries cert client-cert proxy no-proxy-env log log-file local-log
        require-virtualenv require-venv root-user-action no-warn-script-location no-warn-conflicts exists-action
        compile no-compile
        """.split()  # noqa: SIM905
    ),
}

_ONLY_IN_PYPROJECT = frozenset(
    """
    sources workspace managed package default-groups dependency-groups dev-dependencies conflicts build-backend
    environments required-environments
    """.split()  # noqa: SIM905
)
"""Settings of uv that a uv.toml can't hold. uv reads the sources from the pyproject.toml of what it builds."""

_ENVIRONMENTS = ("environments", "required-environments")

_PLACES = ("index-url", "extra-index-url", "find-links")
"""uv's settings that hold URLs, or paths relative to their file. ``index`` is a table that holds one as well."""

_NAMING_FILES = ("constraint", "override", "exclude", "build-constraint", "find-links")
"""Settings that name files and directories: for uv in variables alone, for pip in its files as well."""

_LOGIN = r"UV_INDEX_\w+_(?:USERNAME|PASSWORD)"
"""Variables by which uv is told a login."""

GIT_LOCAL = frozenset(
    """
    GIT_DIR GIT_WORK_TREE GIT_IMPLICIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_INDEX_VERSION GIT_PREFIX
    GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_QUARANTINE_PATH GIT_GRAFT_FILE GIT_SHALLOW_FILE
    GIT_NO_REPLACE_OBJECTS GIT_REPLACE_REF_BASE GIT_NAMESPACE GIT_INTERNAL_SUPER_PREFIX GIT_REFLOG_ACTION
    GIT_CONFIG GIT_CONFIG_PARAMETERS
    """.split()  # noqa: SIM905
)
"""Variables that bind git to one repository: ``git commit`` sets them for its hooks.

Source: ``git rev-parse --local-env-vars``, but for GIT_CONFIG_COUNT, in which people give logins.
"""


def prefix_of(installer: InstallerName) -> str:
    """What the names of an installer's own environment variables begin with."""
    return _PREFIX[installer]


def variables(installer: InstallerName, environ: Mapping[str, str]) -> dict[str, str]:
    """The installer's environment variables that count, with digests for values. Logins don't count."""
    prefix = _PREFIX[installer]
    return {
        name: digest(without_logins(value))[:12]
        for name, value in sorted(environ.items())
        if name.startswith(prefix) and _counts(installer, _setting(installer, name)) and not re.fullmatch(_LOGIN, name)
    }


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Files and directories that settings of an installer name, and that it reads itself."""

    requirements: tuple[Path, ...]
    constraints_of_builds: tuple[Path, ...]
    wheels: tuple[Path, ...]


def named_files(installer: InstallerName, environ: Mapping[str, str], root: Path) -> NamedFiles:
    """The files and the directories that the installer's settings name, and that it reads itself.

    Args:
        installer: the installer.
        environ: the variables of the caller.
        root: the directory that it is started in.

    Raises:
        ConfigurationError: a configuration file can't be read.
    """
    if installer == "uv":
        stated = {name: environ.get(f"UV_{name.upper().replace('-', '_')}", "") for name in _NAMING_FILES}
        links = stated["find-links"].split(",")
    else:
        stated = {name: value for name, (value, _) in _pip_settings(environ, root, "install").items()}
        links = stated.get("find-links", "").split()

    def files(names: Iterable[str]) -> tuple[Path, ...]:
        return tuple(file for name in names if name.strip() and (file := named_file(root, name.strip())) is not None)

    constraining = [word for name in ("constraint", "override", "exclude") for word in stated.get(name, "").split()]
    return NamedFiles(files(constraining), files(stated.get("build-constraint", "").split()), files(links))


def installer_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that an installer, and the builds that it starts, may see besides its own settings.

    Args:
        environ: the caller's.
    """
    found = {name: value for name, value in clean(environ).items() if not _is_kept_from_installers(name)}
    if not environ.get("UV_CACHE_DIR") and (place := cache_of("uv", environ)):
        found["UV_CACHE_DIR"] = str(place)  # uv itself would take a directory in the project
    if _home(environ, sys.platform) is None:
        found["HOME"] = str(user_cache(environ))  # pip doesn't start without one
    return found


@contextmanager
def foreign_install_environ(
    words: Sequence[str], environ: Mapping[str, str], own: Collection[str], project: Project
) -> Iterator[dict[str, str]]:
    """The variables for an install that another tool makes, while the context lasts.

    Settings reach it as they reach an installer that we start, but for the variables that the tool itself sets.

    Args:
        words: the command.
        environ: its variables.
        own: the names of those that the tool sets.
        project: the project, whose settings count.

    Raises:
        ConfigurationError: a file can't be read.
    """
    kept = {name: value for name, value in environ.items() if name in own or not _is_kept_from_installers(name)}
    with building_afresh(environ) as building:
        kept |= building
        if Path(words[0]).stem == "uv":
            with uv_configuration(environ, project).options(universal=False) as options:
                handed = {"UV_CONFIG_FILE": options[1]} if len(options) > 1 else {"UV_NO_CONFIG": "1"}
                yield {**handed, **kept}
            return
        stated = {
            _variable(name): value for name, (value, _) in _pip_settings(environ, project.root, "install").items()
        }
        yield {**stated, "PIP_CONFIG_FILE": os.devnull, **kept}


@contextmanager
def building_afresh(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables by which setuptools builds in a directory of its own, while the context lasts.

    In the ``build`` directory of a project it takes what an earlier build left there, such as a module that has been
    removed since. Source: DIST_EXTRA_CONFIG in the documentation of setuptools.

    Args:
        environ: the variables of the caller, who may have such a file.
    """
    if environ.get("DIST_EXTRA_CONFIG"):
        yield {}
        return
    with temporary_directory() as scratch:
        file = scratch / "setuptools.cfg"
        write_atomically(file, f"[build]\nbuild_base = {scratch / 'build'}\n")
        yield {"DIST_EXTRA_CONFIG": str(file)}


def _is_kept_from_installers(variable: str) -> bool:
    return variable in GIT_LOCAL or any(
        variable.startswith(prefix) and _setting(installer, variable) in _WITHHELD[installer]
        for installer, prefix in _PREFIX.items()
    )


def settings(installer: InstallerName, environ: Mapping[str, str], project: Project) -> dict[str, str]:
    """The digests of the settings that count, by the file that states them.

    Raises:
        ConfigurationError: a file can't be read.
    """
    found: dict[str, Table] = {}
    if installer == "uv":
        found = {str(path): table for path, table in _uv_tables(environ, project)}
    else:
        for path, sections in _pip_files(environ, project.root):
            found[str(path)] = {name: sections[name] for name in ("global", "install") if name in sections}
    counted = {name: _without(table, installer, (_WITHHELD, _WITHOUT_EFFECT)) for name, table in found.items()}
    return {name: digest(without_logins(_canonical(table))) for name, table in counted.items() if table}


def counted_of_uv(table: Table) -> dict[str, Any]:
    """A ``[tool.uv]`` table without what is withheld from uv, or has no effect."""
    return _without(table, "uv", (_WITHHELD, _WITHOUT_EFFECT))


def configuration_files(
    installer: InstallerName, environ: Mapping[str, str], root: Path, *, platform: str = sys.platform
) -> tuple[Path, ...]:
    """Where the installer's settings are looked for, there or not.

    Source: uv's "Configuration files" and pip's "Configuration" documentation.
    """
    if installer == "uv":
        nearest, others = _uv_places(environ, root, platform)
        return tuple(path for places in (*nearest, *others) for path in places)
    return _pip_places(environ, root, platform)


# --- uv -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UvConfiguration:
    """What uv is handed over: the merged settings, and the files that stated them, for messages.

    ``environments`` are those that a uv.toml can't hold; they matter where uv resolves for every platform.
    """

    table: Table
    environments: Table
    stated_in: tuple[str, ...]

    @contextmanager
    def options(self, *, universal: bool) -> Iterator[list[str]]:
        """The words that make uv read these settings and no others, while the context lasts.

        Args:
            universal: uv is to resolve for every platform.
        """
        environments = self.environments if universal else {}
        if not (self.table or environments):
            yield ["--no-config"]
            return
        # a directory that only the user can look into: settings may hold logins
        with temporary_directory() as scratch:
            if environments:
                # uv takes them from a project's pyproject.toml only, and reads the user's own files once more then
                text = f"[tool]\nuv = {toml_value({**self.table, **environments})}\n"
                write_atomically(scratch / "pyproject.toml", text)
                yield ["--project", str(scratch)]
            else:
                file = scratch / "uv.toml"
                lines = [f"{toml_value(name)} = {toml_value(value)}\n" for name, value in self.table.items()]
                write_atomically(file, "".join(lines))
                yield ["--config-file", str(file)]


def uv_configuration(environ: Mapping[str, str], project: Project) -> UvConfiguration:
    """uv's settings as uv would merge them, without what is withheld.

    Raises:
        ConfigurationError: a file can't be read.
    """
    merged: Table = {}
    environments: dict[str, Any] = {}
    stated: list[str] = []
    for path, table in _uv_tables(environ, project):
        allowed = _without(table, "uv", (_WITHHELD,))
        environments |= {name: allowed[name] for name in _ENVIRONMENTS if name in allowed}
        allowed = {name: value for name, value in allowed.items() if name not in _ONLY_IN_PYPROJECT}
        if allowed:
            merged = _merged(merged, _rebased(allowed, path.parent))
            stated.append(project.relative(path))
    return UvConfiguration(merged, environments, tuple(stated))


def uv_tables(environ: Mapping[str, str], project: Project) -> Iterator[tuple[Path, Table]]:
    """uv's settings with the directory that they lie in, what counts most first; each ``[pip]`` table on its own."""
    for path, table in _uv_tables(environ, project):
        yield path.parent, table
        if isinstance(table.get("pip"), Mapping):
            yield path.parent, table["pip"]


def _uv_tables(environ: Mapping[str, str], project: Project) -> list[tuple[Path, Table]]:
    nearest, others = _uv_places(environ, project.root, sys.platform)
    own = nearest_uv_table(project, nearest)
    found = [] if own is None else [own]
    for alternatives in others:
        for path in alternatives:
            table = _read_toml(path)
            if table is not None:
                found.append((path, table))
                break
    named = environ.get("UV_CONFIG_FILE")
    if named and not found:
        raise ConfigurationError("there is no such file", file=named, hint="UV_CONFIG_FILE names it")
    return found


def nearest_uv_table(
    project: Project, places: Iterable[tuple[Path, Path]], own: Pyproject | None = None
) -> tuple[Path, Table] | None:
    """The settings of uv that count most for a project, and the file that states them; None if there are none.

    Args:
        project: the project.
        places: a uv.toml and the pyproject.toml beside it, the nearest first. A uv.toml overrules that pyproject.toml,
            and the nearest of either all that lie above. No more of them are taken than are needed.
        own: the project's own pyproject.toml; None: it is read if it is needed.

    Raises:
        ConfigurationError: a file can't be read.
    """
    for beside, pyproject in places:
        table = _read_toml(beside)
        if table is not None:
            return beside, table
        if pyproject.parent == project.root:
            data: Table = (own or read_pyproject(project)).data
        else:
            data = {}
            with suppress(ConfigurationError):  # somebody else's, and uv goes on as well
                data = _read_toml(pyproject) or {}
        if isinstance(table_of(data, "tool").get("uv"), Mapping):
            return pyproject, table_of(data, "tool", "uv")
    return None


def _uv_places(
    environ: Mapping[str, str], root: Path, platform: str
) -> tuple[list[tuple[Path, Path]], list[tuple[Path, ...]]]:
    """The places of a project's settings, each a uv.toml and the pyproject.toml beside it, and those of others.

    Of the others, the first file of each group that is there counts.
    """
    if named := environ.get("UV_CONFIG_FILE"):
        return [], [(root / named,)]
    if _is_true(environ.get("UV_NO_CONFIG")) or _is_true(environ.get("UV_ISOLATED")):
        return [], []
    nearest = [(folder / "uv.toml", folder / "pyproject.toml") for folder in (root, *root.parents)]
    user = _user_directory(environ, platform)
    others: list[tuple[Path, ...]] = [] if user is None else [(user / "uv" / "uv.toml",)]
    if not _is_true(environ.get("UV_NO_SYSTEM_CONFIG")):
        if platform == "win32":
            others.append((Path(environ.get("PROGRAMDATA") or "C:/ProgramData", "uv", "uv.toml"),))
        else:
            others.append(tuple(folder / "uv" / "uv.toml" for folder in (*_xdg_directories(environ), Path("/etc"))))
    return nearest, others


def _read_toml(path: Path) -> Table | None:
    """What a file says, None where there is none that we may read."""
    if not os.access(path, os.R_OK):
        return None
    try:
        return read_toml(path, str(path))
    except FileNotFoundError:
        return None


def _merged(first: Table, second: Table) -> dict[str, Any]:
    """Two levels of settings as uv combines them: lists are joined, tables merged, else the first counts."""
    merged = dict(first)
    for name, value in second.items():
        known = merged.get(name)
        if name not in merged:
            merged[name] = value
        elif isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            merged[name] = [*known, *value]
    return merged


def _rebased(table: Table, directory: Path) -> dict[str, Any]:
    """The settings with absolute paths: they are relative to the file that states them."""
    found = dict(table)
    for name in _PLACES:
        value = found.get(name)
        if isinstance(value, str):
            found[name] = absolute(value, directory)
        elif isinstance(value, list):
            found[name] = [absolute(entry, directory) if isinstance(entry, str) else entry for entry in value]
    if isinstance(found.get("index"), list):
        found["index"] = [
            {**entry, "url": absolute(entry["url"], directory)}
            if isinstance(entry, Mapping) and isinstance(entry.get("url"), str)
            else entry
            for entry in found["index"]
        ]
    if isinstance(found.get("pip"), Mapping):
        found["pip"] = _rebased(found["pip"], directory)
    return found


def absolute(written: str, directory: Path) -> str:
    """A URL as it is, a path made absolute."""
    return written if re.match(r"^[a-z+]{2,}:", written) else str(directory / written)


# --- pip ----------------------------------------------------------------------------------------------------

_WITH_SETTINGS = ("install", "download")
"""pip's commands that select packages. The others are asked about an environment, and need nobody's settings."""


def pip_environ(environ: Mapping[str, str], root: Path, command: str) -> dict[str, str]:
    """The variables to start a command of pip with. They hold all of its settings: it reads no file.

    Args:
        environ: the variables of the caller.
        root: the project's, where pip is started.
        command: ``install``, ``download`` or another.

    Raises:
        ConfigurationError: a file can't be read.
    """
    found = {name: value for name, value in installer_environ(environ).items() if not name.startswith("PIP_")}
    if command in _WITH_SETTINGS:
        found |= {_variable(name): value for name, (value, _) in _pip_settings(environ, root, command).items()}
    if "PIP_CACHE_DIR" not in found and (place := cache_of("pip", environ)):
        found["PIP_CACHE_DIR"] = str(place)
    return {**found, "PIP_CONFIG_FILE": os.devnull}


def pip_only_indexes(environ: Mapping[str, str], project: Project) -> tuple[str, ...]:
    """What names an index for pip, where nothing names one for uv: files and variables, as they are shown."""
    if any(environ.get(name) for name in _INDEX_VARIABLES):
        return ()
    places = frozenset({"index", "no-index", *_PLACES})
    if any(not places.isdisjoint(table) for _, table in uv_tables(environ, project)):
        return ()
    try:
        found = _pip_settings(environ, project.root, "install")
    except ConfigurationError:
        return ()
    return tuple(dict.fromkeys(where for name, (_, where) in found.items() if name in _PLACES))


_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def _pip_settings(environ: Mapping[str, str], root: Path, command: str) -> dict[str, tuple[str, str]]:
    """The settings of a command, and what states each. What is withheld isn't among them."""
    sections: dict[str, dict[str, tuple[str, str]]] = {"global": {}, command: {}}
    for path, stated in _pip_files(environ, root):
        for section, values in sections.items():
            values |= {name: (value, str(path)) for name, value in stated.get(section, {}).items()}
    own = {_setting("pip", name): (value, name) for name, value in sorted(environ.items()) if name.startswith("PIP_")}
    found: dict[str, tuple[str, str]] = {}
    for values in (*sections.values(), own):
        found |= {name: value for name, value in values.items() if value[0]}
    return {name: value for name, value in found.items() if name not in _WITHHELD["pip"]}


def _pip_files(environ: Mapping[str, str], root: Path) -> Iterator[tuple[Path, dict[str, dict[str, str]]]]:
    """pip's files that are there, with what they state by section, what counts most last."""
    import configparser

    for path in _pip_places(environ, root, sys.platform):
        parser = configparser.RawConfigParser()
        if not os.access(path, os.R_OK):
            continue
        try:
            parser.read_string(read_text(path, lenient=True), str(path))
        except (OSError, configparser.Error) as error:
            text = str(error).replace("\n", " ")
            raise ConfigurationError(text, file=str(path), hint="pip reads its settings from it") from error
        yield (
            path,
            {
                section: {name.removeprefix("--").replace("_", "-"): value for name, value in parser.items(section)}
                for section in parser.sections()
            },
        )


def _pip_places(environ: Mapping[str, str], root: Path, platform: str) -> tuple[Path, ...]:
    """Where pip looks, what counts most last."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    name = "pip.ini" if platform == "win32" else "pip.conf"
    home, user = _home(environ, platform), _user_directory(environ, platform)
    if platform == "win32":
        files = [Path(environ.get("PROGRAMDATA") or "C:/ProgramData", "pip", name)]
    elif platform == "darwin":
        files = [Path("/Library/Application Support/pip", name)]
    else:
        files = [folder / "pip" / name for folder in _xdg_directories(environ)]
        files.append(Path("/etc", name))
    # pip leaves the user's own files out where another one is named, and there
    if not (named and (root / named).exists()):
        if home is not None:
            files.append(home / ("pip" if platform == "win32" else ".pip") / name)
        if user is not None:
            files.append(user / "pip" / name)
        if home is not None and platform == "darwin":
            files.append(home / "Library" / "Application Support" / "pip" / name)
    if named:
        files.append(root / named)
    return tuple(files)


# --- both ---------------------------------------------------------------------------------------------------


def _home(environ: Mapping[str, str], platform: str) -> Path | None:
    """The caller's home, None where there is none: a user id without a name has none unless HOME says so."""
    stated = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    found = stated or os.path.expanduser("~")
    return Path(found) if os.path.isabs(found) or stated else None


def _user_directory(environ: Mapping[str, str], platform: str) -> Path | None:
    """Where a user's own configuration lies."""
    stated = environ.get("APPDATA" if platform == "win32" else "XDG_CONFIG_HOME")
    if stated:
        return Path(stated)
    home = _home(environ, platform)
    if home is None:
        return None
    return home / "AppData" / "Roaming" if platform == "win32" else home / ".config"


def _xdg_directories(environ: Mapping[str, str]) -> list[Path]:
    return [Path(folder) for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if folder]


def _setting(installer: InstallerName, variable: str) -> str:
    return variable.removeprefix(_PREFIX[installer]).lower().replace("_", "-")


def _variable(setting: str) -> str:
    return f"PIP_{setting.upper().replace('-', '_')}"


def _counts(installer: InstallerName, setting: str) -> bool:
    return setting not in _WITHHELD[installer] and setting not in _WITHOUT_EFFECT[installer]


def _without(
    table: Table, installer: InstallerName, classes: Iterable[Mapping[InstallerName, frozenset[str]]]
) -> dict[str, Any]:
    """The settings but for some classes of them, in sections and ``[pip]`` as well; without tables left empty."""
    dropped = frozenset().union(*(names[installer] for names in classes))
    sections = ("pip",) if installer == "uv" else ("global", "install")
    found: dict[str, Any] = {}
    for name, value in table.items():
        if name in sections and isinstance(value, Mapping):
            inner = {key: entry for key, entry in value.items() if key not in dropped}
            if inner:
                found[name] = inner
        elif name not in dropped:
            found[name] = value
    return found


def _canonical(table: Table) -> str:
    import json

    return json.dumps(table, sort_keys=True, default=str)


def _is_true(value: str | None) -> bool:
    return (value or "").lower() not in ("", "0", "false", "f", "no", "n", "off")
