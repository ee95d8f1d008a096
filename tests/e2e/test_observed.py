"""Whatever a run looks at is an input: seen by the kernel, for projects of all kinds."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from support.observing import has_strace, looked_at, paths_in
from support.project import ProjectFolder, installed
from support.variants import sampled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
    pytest.mark.skipif(sys.platform == "linux" and not has_strace(), reason="strace isn't installed, or not allowed"),
]

NO_INPUTS: Mapping[str, str] = {
    r"/etc/(host\.conf|hosts|nsswitch\.conf|resolv\.conf|gai\.conf|services)": "how names of hosts are found",
    r"/etc/(localtime|os-release|_rjem_malloc\.conf|passwd|group)": "the system: time, name, users",
    r"/etc/((apache2?|httpd|httpd/conf|lighttpd)/)?mime\.types": "types of what is fetched",
    r"/etc/(terminfo/.*|inputrc)|{home}/\.(terminfo(/.*)?|inputrc)": "terminals",
    r"/etc/ssl/.*": "certificates: a server that isn't trusted is an error",
    r"{home}/\.netrc": "logins",
    r".*/lib/python\d+\.zip": "where an interpreter looks for its own modules",
    r"{home}/\.local/lib/python[\d.]+/site-packages": "where an interpreter outside of environments looks for modules",
    r"{home}/\.local/share/uv.*": "interpreters that uv manages: the one that was found is an input",
    r".*/pybuilddir\.txt": "whether the interpreter runs from where it was built",
    r".*/pyvenv\.cfg": "whether an interpreter belongs to an environment",
    r".*/\.git(/.*)?": "what git ignores, and so no build reads; what a version is taken from is an input",
    r"{root}/\.?sessions/durations\.json": "the order of sessions",
    r"{root}/\.nox/setlist(/.*)?": "our own state",
    r"{root}/__pycache__/.*": "what Python has compiled",
    r".*/_backend/__pycache__(/.*)?": "what Python has compiled",
}
"""Single paths that a run looks at and that can't change what comes of it, each with the reason."""

NO_INPUTS_OF_LOCKS = (
    # this machine's settings: a lock is the same on all of them
    r"/etc/(xdg/)?uv/uv\.toml|{home}/\.config/uv/uv\.toml",
    # what computed metadata are made from: they are compared with the lock when the project is installed
    r"{root}/(libs/\w+/)?(PKG-INFO|_backend(/.*)?|src(/.*)?|dependencies\.txt)",
)
"""More of these, where sessions are locked."""

SYSTEM_BY_PIP = r"/etc/(?!pip\.conf)[^/]+|/etc/rustup/.*|{home}/\.(rustup|cargo|cache)(/.*)?|.*/rust-toolchain(\.toml)?"
"""What pip looks at to tell an index which system it runs on, and which Rust there is."""


def one(project: ProjectFolder, spec: str, more: str = "") -> None:
    project.write("pyproject.toml", f"{more}\n[tool.setlist.session.s]\n{spec}\nrun = []\n")


def library(project: ProjectFolder, name: str = "foo", **options: object) -> ProjectFolder:
    found = ProjectFolder(project.path / "libs" / name)
    found.make_package(name, **options)  # type: ignore[arg-type]
    return found


def names_files(project: ProjectFolder) -> None:
    project.write("requirements/dev.txt", "-r base.txt\n-c ../limits.txt\n")
    project.write("requirements/base.txt", "alpha\n")
    project.write("limits.txt", "beta<2\n")
    one(project, 'requirements = ["requirements/dev.txt"]')


def is_editable(project: ProjectFolder) -> None:
    project.make_package(dependencies=["delta"])
    _add(project, 'project = "editable"')


def is_computed(project: ProjectFolder) -> None:
    project.make_package(dependencies=["delta"], dynamic=True)
    _add(project, 'project = "editable"')


def is_a_wheel(project: ProjectFolder) -> None:
    project.make_package(dependencies=["delta"])
    _add(project, 'project = "wheel"')


def is_an_sdist(project: ProjectFolder) -> None:
    project.make_package(dependencies=["delta"])
    _add(project, 'project = "sdist"')


def _add(project: ProjectFolder, spec: str) -> None:
    text = project.read("pyproject.toml")
    project.write("pyproject.toml", f"{text}\n[tool.setlist.session.s]\n{spec}\nrun = []\n")


def has_a_library(project: ProjectFolder) -> None:
    library(project, dependencies=["delta"])
    one(project, 'deps = ["./libs/foo"]')


def has_an_editable_library(project: ProjectFolder) -> None:
    library(project, dependencies=["delta"], dynamic=True)
    one(project, 'deps = ["-e ./libs/foo"]')


def has_a_workspace(project: ProjectFolder) -> None:
    other = library(project, "other")
    assert other.path.is_dir()
    file = library(project, dependencies=["other"]).path / "pyproject.toml"
    file.write_text(file.read_text() + "[tool.uv.sources]\nother = { workspace = true }\n")
    one(project, 'deps = ["foo"]', '[tool.uv]\nworkspace.members = ["libs/*"]\nsources.foo = { workspace = true }')


def has_groups(project: ProjectFolder) -> None:
    one(
        project,
        'groups = ["more"]',
        '[dependency-groups]\nmore = ["delta", {include-group = "most"}]\nmost = ["alpha"]',
    )


def has_settings(project: ProjectFolder) -> None:
    project.write("uv.toml", 'constraint-dependencies = ["delta<2"]\n')
    one(project, 'deps = ["delta"]')


def has_pip(project: ProjectFolder) -> None:
    one(project, 'installer = "pip"\ndeps = ["delta"]')


def is_locked(project: ProjectFolder) -> None:
    one(project, 'deps = ["alpha"]')
    project.setlist("lock", check=True)


def is_a_function(project: ProjectFolder) -> None:
    project.write("sessions/own.py", "from setlist import session\n@session\ndef s(s):\n    s.install('delta')\n")


def is_a_noxfile(project: ProjectFolder) -> None:
    project.write("noxfile.py", "import nox\n@nox.session\ndef s(session):\n    session.install('delta')\n")


KINDS: Mapping[str, Callable[[ProjectFolder], None]] = {
    kind.__name__: kind
    for kind in (
        names_files,
        has_pip,
        has_a_workspace,
        is_computed,
        is_a_wheel,
        is_locked,
        is_a_noxfile,
        has_groups,
        has_settings,
        has_a_library,
        has_an_editable_library,
        is_editable,
        is_an_sdist,
        is_a_function,
    )
}


@pytest.mark.parametrize("kind", sampled(KINDS, 7))
def test_all_that_a_cold_run_looks_at_is_an_input(
    project: ProjectFolder, wheelhouse: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_NO_CONFIG", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    KINDS[kind](project)
    paths = looked_at([*installed("run"), "s"], project.path, os.environ, tmp_path / "strace.log")
    explained = project.setlist("why", "s", "--json", check=True).json
    looks = [*explained["definitions"], *explained["sessions"][0]["looks"]]
    by_pip = [SYSTEM_BY_PIP] if kind in ("has_pip", "is_a_noxfile") else []
    assert missed(paths, looks, project, wheelhouse, tmp_path, by_pip) == []


LOCKABLE = (
    "names_files",
    "is_computed",
    "has_a_workspace",
    "has_settings",
    "has_groups",
    "is_an_sdist",
    "has_a_library",
)


@pytest.mark.parametrize("kind", sampled(LOCKABLE, 3))
def test_all_that_locking_looks_at_is_an_input(
    project: ProjectFolder, wheelhouse: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    KINDS[kind](project)
    paths = looked_at([*installed("setlist"), "lock"], project.path, os.environ, tmp_path / "strace.log")
    project.setlist("lock", "--check", check=True)
    explained = project.setlist("why", "s", "--json", check=True).json
    assert explained["locks"]
    assert missed(paths, explained["locks"], project, wheelhouse, tmp_path, NO_INPUTS_OF_LOCKS) == []


@pytest.mark.parametrize("reads", ["nothing more", "a module beside it", "files by all means"])
def test_all_that_loading_a_noxfile_looks_at_is_an_input(
    project: ProjectFolder, wheelhouse: Path, reads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    more = {"nothing more": "", "a module beside it": BESIDE, "files by all means": READS}[reads]
    project.write("helper.py", "import json, os\nos.listdir('more')\n")
    project.write("more/a.json", "{}")
    project.write("noxfile.py", f"import nox\n{more}\n@nox.session\ndef s(session):\n    pass\n")
    paths = looked_at([*installed("run"), "--list"], project.path, os.environ, tmp_path / "strace.log")
    explained = project.setlist("why", "s", "--json", check=True).json
    assert missed(paths, explained["definitions"], project, wheelhouse, tmp_path) == []


BESIDE = """
import os, sys
sys.path.insert(0, os.getcwd())
import helper
"""

READS = """
import glob, os, pathlib
pathlib.Path("more/a.json").read_text()
pathlib.Path("gone.json").exists()
os.access("setup.cfg", os.R_OK)
glob.glob("src/*/version.py")
os.path.islink("more")
next(os.scandir("more")).stat()
"""


def missed(
    paths: Iterable[str],
    looks: Sequence[Mapping[str, str]],
    project: ProjectFolder,
    wheelhouse: Path,
    tmp_path: Path,
    more: Sequence[str] = (),
) -> list[str]:
    """The paths that are no inputs, and not listed as such that needn't be."""
    known = {os.path.normpath(project.path / look["name"]) for look in looks}
    trees = {os.path.normpath(project.path / look["name"]) for look in looks if look["kind"] in ("tree", "installed")}
    above = {os.path.dirname(path) for path in known}
    while higher := {os.path.dirname(path) for path in above} - above:
        above |= higher
    return sorted(
        path
        for path in paths
        if path not in known
        and path not in above  # on the way to what is known
        and not any(path.startswith(f"{tree}{os.sep}") for tree in trees)
        and not _is_of_the_system(path, project, tmp_path, wheelhouse)
        and not _is_no_input(path, project, [*NO_INPUTS, *more])
    )


def _is_of_the_system(path: str, project: ProjectFolder, tmp_path: Path, wheelhouse: Path) -> bool:
    """Interpreters, caches, system libraries, what setlist itself consists of, and its own state."""
    caches = (os.environ[name] for name in ("UV_CACHE_DIR", "SETLIST_CACHE_DIR", "PIP_CACHE_DIR"))
    index = os.environ["UV_DEFAULT_INDEX"].removeprefix("file://")
    programs = (sys.prefix, sys.base_prefix, os.path.dirname(sys.prefix), os.environ.get("PYENV_ROOT", sys.prefix))
    source = str(Path(__file__).parents[2] / "src")
    state = str(project.path / ".setlist")
    ours = (*caches, index, *programs, source, state, str(tmp_path / "scratch"), str(wheelhouse))
    if any(path == place or path.startswith(f"{place}{os.sep}") for place in ours):
        return True
    if os.path.dirname(path) in os.environ["PATH"].split(os.pathsep) or any(place.startswith(path) for place in ours):
        return True  # a program is looked for, or it is on the way
    return path.startswith(("/usr/", "/lib", "/bin", "/sbin", "/opt/", "/proc", "/sys", "/dev", "/etc/ld.so"))


def _is_no_input(path: str, project: ProjectFolder, listed: Sequence[str]) -> bool:
    places = {"home": re.escape(os.environ["HOME"]), "root": re.escape(str(project.path))}
    patterns = (re.sub(r"\{(home|root)\}", lambda match: places[match[1]], pattern) for pattern in listed)
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def test_a_log_is_read_with_the_directory_of_each_process() -> None:
    log = (
        '1 openat(AT_FDCWD, "a", O_RDONLY) = 3\n'
        '1 chdir("sub") = 0\n'
        "1 clone(child_stack=NULL) = 2\n"
        '2 newfstatat(AT_FDCWD, "b", {…}, 0) = 0\n'
        '1 openat(AT_FDCWD, "/c", O_WRONLY|O_CREAT, 0666) = 3\n'
        '1 unlinkat(3, "d", 0) = 0\n'
        '2 newfstatat(3, "e", {…}, 0) = 0\n'
        '3 access("f", R_OK) = -1 ENOENT\n'
    )
    assert paths_in(log, "/top") == {"/top/a", "/top/sub/b", "/top/f"}
