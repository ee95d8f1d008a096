"""A noxfile as a source: when it is loaded again, what is told of a bad one, and what it is used beside."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from setlist import STATE_DIRECTORY
from setlist.core.errors import ConfigurationError
from setlist.core.model import EnvironmentSpec, Registry
from setlist.core.project import Project, find_project
from setlist.providers.nox import definitions
from setlist.providers.nox.backends import nox_session
from setlist.registry.load import load_registry
from support.project import ProjectFolder

pytestmark = pytest.mark.slow

Loads = Callable[[], int]

PLAIN = """
import nox

@nox.session
def lint(session):
    session.run("python", "-V")
"""


def registry(project: ProjectFolder) -> Registry:
    return load_registry(Project(project.path))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """How often a noxfile was loaded so far."""
    calls: list[str] = []
    original = definitions.call

    def counting(*args: object) -> object:
        calls.append("")
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(definitions, "call", counting)
    return lambda: len(calls)


def test_a_noxfile_is_loaded_again_only_for_what_it_looked_at(
    project: ProjectFolder, loads: Loads, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write("shared.py", "PYTHONS = ['3.11']\n")
    project.write("pythons.txt", "3.12\n")
    project.write("folder/a.txt", "")
    project.write(
        "noxfile.py",
        """
        import os, pathlib, sys
        sys.path.insert(0, ".")
        import nox
        import shared

        print("loaded")
        here = pathlib.Path(__file__).parent
        pythons = shared.PYTHONS + (here / "pythons.txt").read_text().split()
        tags = [entry.name for entry in (here / "folder").iterdir() if entry.suffix == ".txt"]
        if os.environ.get("WITH_MORE") == "yes":
            pythons.append("3.13")
        if os.path.exists("switch"):
            tags.append("switched")

        @nox.session(python=pythons, tags=tags)
        def tests(session): ...
        """,
    )

    def seen() -> tuple[list[str], tuple[str, ...], int]:
        sessions = registry(project).sessions
        return list(sessions), next(iter(sessions.values())).tags, loads()

    assert seen() == (["tests-py311", "tests-py312"], ("a.txt",), 1)
    assert seen()[2] == 1
    project.write("elsewhere.txt", "nobody's business")
    monkeypatch.setenv("ELSEWHERE", "nobody's business")
    os.utime(project.path / "pythons.txt")
    assert seen()[2] == 1
    project.write("pythons.txt", "3.10\n")
    assert seen() == (["tests-py311", "tests-py310"], ("a.txt",), 2)
    project.write("shared.py", "PYTHONS = []\n")
    assert seen() == (["tests-py310"], ("a.txt",), 3)
    monkeypatch.setenv("WITH_MORE", "yes")
    assert seen() == (["tests-py310", "tests-py313"], ("a.txt",), 4)
    monkeypatch.setenv("WITH_MORE", "no")
    assert seen()[0] == ["tests-py310"]
    project.write("switch", "")
    assert seen()[1] == ("a.txt", "switched")
    project.write("folder/b.txt", "")
    assert set(seen()[1]) == {"a.txt", "b.txt", "switched"}
    told = capfd.readouterr()
    assert told.out == ""  # what it prints isn't a result of ours
    assert told.err.count("loaded") == loads()
    assert b"WITH_MORE" in kept(project)
    assert not (project.path / "__pycache__").exists()


def kept(project: ProjectFolder) -> bytes:
    """All that is kept of the definitions."""
    files = (project.path / STATE_DIRECTORY / "store").rglob("*")
    return b"".join(file.read_bytes() for file in files if file.is_file())


def _retarget(path: Path) -> None:
    path.unlink()
    path.symlink_to("b")


LOOKS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file under .git": ('open(".git/HEAD").read().strip()', lambda root: (root / ".git/HEAD").write_text("other")),
    "a file under .nox": ('open(".nox/x").read()', lambda root: (root / ".nox/x").write_text("other")),
    "a file under site-packages": (
        'open("site-packages/x").read()',
        lambda root: (root / "site-packages/x").write_text("other"),
    ),
    "a file outside of the root": (
        'open("../shared/x").read()',
        lambda root: (root / "../shared/x").write_text("other"),
    ),
    "a directory outside of the root": (
        '"-".join(sorted(os.listdir("../shared")))',
        lambda root: (root / "../shared/y").write_text(""),
    ),
    "a module outside of the root": ("outer.NAME", lambda root: (root / "../shared/outer.py").write_text("NAME = 'b'")),
    "a module that can't be imported": ("inner", lambda root: (root / "../shared/inner.py").write_text("")),
    "os.access": ('os.access("file", os.X_OK)', lambda root: (root / "file").chmod(0o755)),
    "os.access, of nothing": ('os.access("new", os.F_OK)', lambda root: (root / "new").write_text("")),
    "os.path.lexists": ('os.path.lexists("new")', lambda root: (root / "new").symlink_to("nowhere")),
    "os.path.islink": (
        'os.path.islink("file")',
        lambda root: (root / "file").rename(root / "a") and _link(root / "file"),
    ),
    "os.readlink": ('os.readlink("link")', lambda root: _retarget(root / "link")),
    "os.path.realpath": (
        'os.path.basename(os.path.realpath("link"))',
        lambda root: _retarget(root / "link"),
    ),
    "os.path.getmtime": ('os.path.getmtime("file")', lambda root: os.utime(root / "file", (1, 1))),
    "os.path.getmtime, of a directory": ('os.path.getmtime("folder")', lambda root: os.utime(root / "folder", (1, 1))),
    "os.path.getsize": ('os.path.getsize("file")', lambda root: (root / "file").write_text("longer")),
    "os.path.isdir": ('os.path.isdir("folder")', lambda root: (root / "folder").rmdir()),
    "os.path.isdir, of nothing": ('os.path.isdir("new")', lambda root: (root / "new").mkdir()),
    "os.path.isdir, of a file": (
        'os.path.isdir("file")',
        lambda root: (root / "file").unlink() or (root / "file").mkdir(),  # type: ignore[func-returns-value]
    ),
    "Path.exists, of a directory": ('pathlib.Path("folder").exists()', lambda root: (root / "folder").rmdir()),
    "Path.is_file": ('pathlib.Path("file").is_file()', lambda root: (root / "file").unlink()),
    "Path.glob": (
        '"-".join(p.name for p in pathlib.Path("folder").glob("*"))',
        lambda root: (root / "folder/x").touch(),
    ),
    "Path.glob of one name": ('any(pathlib.Path("folder").glob("x"))', lambda root: (root / "folder/x").touch()),
    "glob of one name": ('bool(glob.glob("new"))', lambda root: (root / "new").write_text("")),
    "glob of one name, in a directory": (
        'bool(glob.glob("folder/x"))',
        lambda root: (root / "folder/x").write_text(""),
    ),
    "glob of a directory": ('bool(glob.glob("folder/"))', lambda root: (root / "folder").rmdir()),
    "os.scandir": ('any(e.name == "x" for e in os.scandir("folder"))', lambda root: (root / "folder/x").write_text("")),
    "os.scandir, a hidden name": (
        'any(e.name == ".x" for e in os.scandir("folder"))',
        lambda root: (root / "folder/.x").write_text(""),
    ),
    "os.scandir, a kind": (
        'any(e.is_dir() for e in os.scandir("holder"))',
        lambda root: (root / "holder/x").unlink() or (root / "holder/x").mkdir(),  # type: ignore[func-returns-value]
    ),
    "os.walk": ('sum(len(n) for _, _, n in os.walk("holder"))', lambda root: (root / "holder/y").write_text("")),
    "shutil.which": ('bool(shutil.which("tool"))', lambda root: _program(root / "bin/tool")),
    "nox.project.load_toml": (
        'nox.project.load_toml("../shared/x.toml")["x"]',
        lambda root: (root / "../shared/x.toml").write_text("x = 'b'"),
    ),
}


def _link(path: Path) -> Path:
    path.symlink_to("a")
    return path


def _program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links and permissions")
@pytest.mark.parametrize(("look", "change"), LOOKS.values(), ids=LOOKS)
def test_what_a_noxfile_looked_at_is_looked_at_again(
    look: str,
    change: Callable[[Path], object],
    project: ProjectFolder,
    loads: Loads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = project.path
    for name in (".git/HEAD", ".nox/x", "site-packages/x", "../shared/x", "file", "a", "b", "holder/x"):
        project.write(name, "first")
    project.write("../shared/x.toml", "x = 'a'\n")
    project.write("../shared/outer.py", "NAME = 'a'\n")
    for name in ("folder", "bin"):
        (root / name).mkdir()
    (root / "link").symlink_to("a")
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    project.write(
        "noxfile.py",
        f"""
        import glob, os, pathlib, shutil, sys
        import nox
        sys.path.append("../shared")
        import outer
        try:
            import inner
        except ImportError:
            inner = None

        @nox.session(tags=["_" + str({look})])
        def one(session): ...
        """,
    )

    def tag() -> str:
        return registry(project).sessions["one"].tags[0]

    first = tag()
    assert tag() == first
    assert loads() == 1
    change(root)
    assert tag() != first
    assert loads() == 2
    tag()
    assert loads() == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no change time that a new hard link would move")
def test_a_new_link_to_an_installed_file_is_no_change_of_nox(
    project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    original = definitions.call
    (metadata,) = (file for file in importlib.metadata.files("nox") or () if file.name == "METADATA")

    def call(*arguments: Any) -> object:
        calls.append("")
        answer = original(*arguments)
        path = Path(str(metadata.locate()))
        before = path.stat()
        path.chmod(before.st_mode)  # as a link that an installer makes meanwhile: the change time is another one
        assert path.stat().st_ctime_ns > before.st_ctime_ns
        return answer

    monkeypatch.setattr(definitions, "call", call)
    project.write("noxfile.py", PLAIN)
    assert registry(project).sessions == registry(project).sessions
    assert len(calls) == 1


def test_the_value_of_a_variable_is_not_written_down(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush")
    project.write("noxfile.py", PLAIN + "\nimport os\nos.environ['TOKEN']\n")
    registry(project)
    assert b"TOKEN" in kept(project)
    assert b"hush-hush" not in kept(project)


def test_what_a_program_tells_a_noxfile_cant_be_kept(project: ProjectFolder, loads: Loads) -> None:
    project.write("noxfile.py", PLAIN + "\nimport subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])\n")
    registry(project)
    registry(project)
    assert loads() == 2


def test_the_variables_of_nox_count(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("noxfile.py", PLAIN + "\n@nox.session\ndef docs(session): ...\n")
    assert registry(project).settings.default == ("lint", "docs")
    monkeypatch.setenv("NOXSESSION", "docs")
    assert registry(project).settings.default == ("docs",)
    monkeypatch.setenv("NOXFORCEPYTHON", "3.12")
    assert list(registry(project).sessions) == ["lint-py312", "docs-py312"]


BAD = {
    "import nox\n\n\ndef broken(:\n": (4, "this is not Python", ""),
    "import nox\n\n1 / 0\n": (3, "raises when it is loaded", "ZeroDivisionError"),
    "import nox\nimport nowhere_to_be_found\n": (2, "raises when it is loaded", "ModuleNotFoundError"),
    "import nox\nimport sys\nsys.exit('no')\n": (3, "ends the program", ""),
    "import nox\n\nnox.needs_version = '>=9999'\n": (3, "requires Nox >=9999", ""),
    "import nox\n\nnox.options.sessions = 3\n": (3, "raises when it is loaded", "TypeError"),
    "import nox\n\nnox.options.sesions = ['a']\n": (3, "raises when it is loaded", "AttributeError"),
    "import nox\n\n\nnox.session(python='3.11', py='3.12')(print)\n": (4, "raises", "ValueError"),
    "import nox\n\n\n@nox.session\n@nox.parametrize('a,b', [(1,)])\ndef odd(session, a, b): ...\n": (
        4,
        "'odd'",
        "zip()",
    ),
    "# /// script\n# dependencies = [\n# ///\nimport nox\n": (1, "script block is wrong", ""),
    "# /// script\n# dependencies = ['attrs']\n# ///\nimport nox\n": (1, "script block is wrong", ""),
}


@pytest.mark.parametrize("text", list(BAD), ids=range(len(BAD)))
def test_a_bad_noxfile_is_told_in_one_message_with_its_line(text: str, project: ProjectFolder) -> None:
    (project.path / "noxfile.py").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        registry(project)
    line, message, detail = BAD[text]
    assert (caught.value.file, caught.value.line) == ("noxfile.py", line)
    assert message in caught.value.message
    assert detail in (caught.value.detail or "")


def test_a_noxfile_of_a_project_with_a_module_named_as_the_standard_librarys(project: ProjectFolder) -> None:
    project.write("json.py", "raise SystemExit('shadowed')\n")
    project.write("noxfile.py", PLAIN)
    assert list(registry(project).sessions) == ["lint"]


def test_an_unresolvable_requirement_matters_to_its_session_alone(project: ProjectFolder) -> None:
    project.write("noxfile.py", PLAIN + "\n@nox.session(requires=['nowhere'])\ndef cov(session): ...\n")
    assert project.run_inside("-n", "lint").code == 0
    result = project.run_inside("-n", "cov")
    assert result.code == 2
    assert "noxfile.py:7" in result.err
    assert "nowhere" in result.err


def test_a_default_that_isnt_there_matters_to_a_bare_run_alone(project: ProjectFolder) -> None:
    project.write("noxfile.py", PLAIN + "\nnox.options.sessions = ['lint', 'nowhere']\n")
    assert project.run_inside("-n", "lint").code == 0
    bare = project.run_inside("-n")
    assert (bare.code, "'nowhere'" in bare.err, "nox.options.sessions" in bare.err) == (2, True, True)


def test_definitions_of_our_own_come_before_a_noxfile(project: ProjectFolder) -> None:
    project.write("noxfile.py", PLAIN)
    project.write("pyproject.toml", "[tool.setlist.session.own]\nrun = ['python -V']\n")
    assert list(registry(project).sessions) == ["own"]
    assert registry(project).settings.unused == ("noxfile.py",)
    assert project.setlist_inside("list").err.count("noxfile.py") == 1
    both = '[tool.setlist]\nsources = ["pyproject", "noxfile"]\n[tool.setlist.session.own]\nrun = ["python -V"]\n'
    project.write("pyproject.toml", both)
    assert list(registry(project).sessions) == ["own", "lint"]
    assert registry(project).settings.unused == ()
    project.write("pyproject.toml", both.replace('"pyproject", ', ""))
    assert list(registry(project).sessions) == ["lint"]
    project.write("pyproject.toml", both.replace("session.own", "session.lint"))
    with pytest.raises(ConfigurationError, match="two sessions are named 'lint'"):
        registry(project)


def test_settings_alone_are_no_definitions(project: ProjectFolder) -> None:
    project.write("noxfile.py", PLAIN)
    project.write("pyproject.toml", '[tool.setlist]\nlock-dir = "locks"\n')
    assert list(registry(project).sessions) == ["lint"]
    assert registry(project).settings.lock_dir == "locks"


def test_a_noxfile_that_hands_over_to_us_does_not_go_in_circles(project: ProjectFolder) -> None:
    project.write("noxfile.py", "import setlist.nox\n\nsetlist.nox.register()\n")
    assert registry(project).sessions == {}
    project.write("noxfile.py", "import setlist.nox\n\nsetlist.nox.register()\n" + PLAIN)
    assert list(registry(project).sessions) == ["lint"]
    project.write("pyproject.toml", "[tool.setlist.session.own]\nrun = ['python -V']\n")
    assert registry(project).settings.unused == ()


def test_the_nearest_noxfile_makes_a_project(project: ProjectFolder) -> None:
    project.write("pyproject.toml", "[tool.setlist.session.own]\nrun = ['python -V']\n")
    inner = project.write("inner/noxfile.py", PLAIN).parent
    assert find_project(inner).root == inner


def test_a_noxfile_of_another_name_is_one_too(project: ProjectFolder) -> None:
    file = project.write("jobs.py", PLAIN)
    assert list(load_registry(Project(project.path, file)).sessions) == ["lint"]


def test_a_noxfile_is_loaded_where_what_it_asks_for_is(project: ProjectFolder) -> None:
    """PEP 723. The environment is another one's business; here it is this very Python."""
    project.write(
        "noxfile.py",
        '# /// script\n# dependencies = ["nox", "nowhere-to-be-found"]\n# requires-python = ">=3.9"\n# ///\n' + PLAIN,
    )
    asked: list[tuple[EnvironmentSpec, str]] = []

    @contextmanager
    def loader_python(spec: EnvironmentSpec, file: str) -> Iterator[Path]:
        import sys

        asked.append((spec, file))
        yield Path(sys.executable)

    sessions = load_registry(Project(project.path), loader_python=loader_python).sessions
    [(spec, file)] = asked
    assert (spec.python, file) == (">=3.9", "noxfile.py")
    assert spec.deps[:2] == ("nox", "nowhere-to-be-found")
    assert spec.deps[2].startswith("nox==")
    assert nox_session(sessions["lint"]).runs_in == spec
    # python=None is the Python that the noxfile is loaded by
    assert sessions["lint"].environment.python is not None
    load_registry(Project(project.path))  # from what was kept
    assert len(asked) == 1


def test_what_is_removed_while_a_noxfile_is_loaded_counts(
    project: ProjectFolder, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = definitions.call
    (project.path / "folder").mkdir()
    project.write("tag.txt", "a")

    def call(*arguments: Any) -> object:
        answer = counting(*arguments)
        if loads() == 1:
            (project.path / "tag.txt").unlink()
            (project.path / "folder").rmdir()
        return answer

    monkeypatch.setattr(definitions, "call", call)
    project.write(
        "noxfile.py",
        """
        import os, pathlib
        import nox
        text = pathlib.Path("tag.txt").read_text() if os.path.exists("tag.txt") else "none"

        @nox.session(tags=[text, f"folder-{os.path.isdir('folder')}"])
        def one(session): ...
        """,
    )
    assert registry(project).sessions["one"].tags == ("a", "folder-True")
    assert registry(project).sessions["one"].tags == ("none", "folder-False")
    assert loads() == 2
    registry(project)
    assert loads() == 2


def test_a_noxfile_that_makes_files_is_kept_once_they_are_there(project: ProjectFolder, loads: Loads) -> None:
    project.write(
        "noxfile.py",
        PLAIN
        + """
import os, tempfile
with tempfile.NamedTemporaryFile() as stream:
    os.path.exists(stream.name)
os.makedirs("made/for/it", exist_ok=True)
with open("made/file", "w") as stream:
    stream.write("1")
os.remove("made/file")
""",
    )
    registry(project)
    registry(project)
    assert loads() == 2
    registry(project)
    assert loads() == 2
