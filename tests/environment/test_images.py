"""Which environments are kept as images, and that one that is laid out from one is like one that was installed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from setlist.core.records import replace
from setlist.core.system import bin_directory, python_of
from setlist.engine import image
from setlist.engine.image import record_line
from setlist.environment import images, installers
from setlist.environment.virtualenv import site_packages
from support.project import ProjectFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere installers clone or copy files, and don't link them"),
]

ALL_PINNED = (
    "alpha==1.0 \\\n    --hash=sha256:00ff \\\n    --hash=sha256:11ee\n"
    "beta[x]==2 ; python_version < '3.9' \\\n    --hash=sha256:22dd\n"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where images are: each test has its own."""
    shared = Path(os.environ["SETLIST_CACHE_DIR"])
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("templates", "store"):
        if (shared / name).exists():
            (cache / name).symlink_to(shared / name)
    monkeypatch.setenv("SETLIST_CACHE_DIR", str(cache))
    return cache / "images"


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments that the installer has brought up to date, by their names."""
    seen: list[str] = []
    real = installers.Uv.sync

    def counted(self: Any, python: Path, requirements: Path, reinstall: Any) -> None:
        seen.append(python.parent.parent.name)
        real(self, python, requirements, reinstall)

    monkeypatch.setattr(installers.Uv, "sync", counted)
    return seen


@pytest.fixture
def two(project: ProjectFolder, wheelhouse: Path) -> ProjectFolder:
    project.sessions(
        """
        [tool.setlist.session.first]
        deps = ["tool", "alpha<2"]
        [tool.setlist.session.second]
        extends = "first"
        """
    )
    project.setlist("lock", check=True)
    return project


def kept(home: Path) -> list[str]:
    return sorted(os.listdir(home)) if home.exists() else []


def check_records(environment: Path) -> list[str]:
    """See that each file is what its RECORD says; the programs among them."""
    programs = []
    for site in site_packages(environment):
        for record in site.glob("*.dist-info/RECORD"):
            for line in record.read_text().splitlines():
                name, digest, _ = line.rsplit(",", 2)
                file = Path(os.path.normpath(site / name))
                assert file.exists(), line
                if digest:
                    assert line.encode() == record_line(name, file.read_bytes()), (record, line)
                if file.parent == bin_directory(environment):
                    programs.append(file.name)
    return programs


def test_the_second_of_two_alike_is_laid_out(two: ProjectFolder, home: Path, syncs: list[str]) -> None:
    two.run_inside("first", check=True)
    assert len(kept(home)) == 1
    told = two.run_inside("second", check=True)
    assert syncs == ["first"]
    assert "created: 3 packages" in told.err
    first, second = two.environment("first"), two.environment("second")
    assert two.installed("first") == two.installed("second")
    (alpha,) = first.rglob("site-packages/alpha.py")
    assert alpha.samefile(second / alpha.relative_to(first))


def test_programs_are_of_their_own_environment_and_recorded_so(two: ProjectFolder) -> None:
    for name in ("first", "second"):
        two.run_inside(name, check=True)
        environment = two.environment(name)
        assert "tool" in check_records(environment)
        assert (bin_directory(environment) / "tool").read_text().startswith(f"#!{python_of(environment)}\n")
        assert str(environment) in (bin_directory(environment) / "activate").read_text()
        assert f'prompt = "{name}"\n' in (environment / "pyvenv.cfg").read_text()
    for name, other in (("first", "second"), ("second", "first")):
        texts = [path.read_bytes() for path in two.environment(name).rglob("*") if path.is_file()]
        assert not any(f"envs/{other}".encode() in text for text in texts)


@pytest.mark.parametrize("mode", ["editable", "wheel"])
def test_the_project_under_test_is_installed_on_top(
    project: ProjectFolder, wheelhouse: Path, home: Path, syncs: list[str], mode: str
) -> None:
    project.make_package(dependencies=["alpha"], scripts={"demo": "demo:main"})
    project.write("sessions/both.toml", f'[session.first]\nproject = "{mode}"\n[session.second]\nextends = "first"\n')
    project.setlist("lock", check=True)
    for name in ("first", "second"):
        project.run_inside(name, check=True)
        assert set(project.installed(name)) == {"demo", "alpha", "beta"}
        assert "demo" in check_records(project.environment(name))
    assert syncs == ["first", "second"]
    (place,) = home.iterdir()
    record = image.read(str(place))
    assert record is not None
    assert not [name for name in (*record["directories"], *(file for file, _ in record["files"])) if "demo" in name]


def test_another_resolution_is_another_image(two: ProjectFolder, home: Path) -> None:
    two.run_inside("first", check=True)
    two.write("pyproject.toml", two.read("pyproject.toml").replace("alpha<2", "alpha"))
    two.setlist("lock", "--upgrade", check=True)
    two.run_inside("-r", "first", check=True)
    assert len(kept(home)) == 2
    assert two.installed("first")["alpha"] == "2.0"


def test_what_was_synced_is_no_image(two: ProjectFolder, home: Path) -> None:
    two.run_inside("first", check=True)
    two.write("pyproject.toml", two.read("pyproject.toml").replace("alpha<2", "alpha"))
    two.setlist("lock", "--upgrade", check=True)
    two.run_inside("first", check=True)
    assert len(kept(home)) == 1


@pytest.mark.parametrize(
    "variable", ["UV_LINK_MODE=copy", "UV_LINK_MODE=symlink", "UV_COMPILE_BYTECODE=1", "UV_NO_CACHE=1"]
)
def test_who_wants_files_of_his_own_gets_them(
    two: ProjectFolder, home: Path, syncs: list[str], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.run_inside("first", check=True)
    monkeypatch.setenv(*variable.split("="))
    two.run_inside("second", check=True)
    assert syncs == ["first", "second"]
    assert len(kept(home)) == 1


def test_settings_that_say_so_count_as_well(two: ProjectFolder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    two.write("uv.toml", 'link-mode = "copy"\n')
    two.run_inside("first", check=True)
    assert kept(home) == []


def test_without_a_lock_nothing_is_kept(two: ProjectFolder, home: Path) -> None:
    two.run_inside("--no-lock", "first", check=True)
    assert kept(home) == []


def test_a_file_that_was_written_into_is_not_handed_on(two: ProjectFolder, home: Path, syncs: list[str]) -> None:
    two.run_inside("first", check=True)
    (alpha,) = two.environment("first").rglob("site-packages/alpha.py")
    content = alpha.read_text()
    with alpha.open("a") as stream:
        stream.write("# by hand\n")
    try:
        two.run_inside("second", check=True)
        assert syncs == ["first", "second"]
    finally:
        alpha.write_text(content)  # the installer's own cache has it too


def test_one_that_cannot_be_read_is_kept_anew(two: ProjectFolder, home: Path, syncs: list[str]) -> None:
    two.run_inside("first", check=True)
    (place,) = home.iterdir()
    (place / image.RECORD).write_bytes(b"\xff")
    for name in ("second", "first"):
        two.run_inside("-r", name, check=True)
    assert syncs == ["first", "second"]


def test_another_disk_is_no_reason_to_fail(
    two: ProjectFolder, home: Path, syncs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link", source, None, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refuse)
        two.run_inside("first", check=True)
        assert kept(home) == []
    two.run_inside("-r", "first", check=True)
    monkeypatch.setattr(os, "link", refuse)
    two.run_inside("second", check=True)
    assert syncs == ["first", "first", "second"]
    assert two.installed("second") == two.installed("first")


def test_a_cache_that_cannot_be_written_to_is_no_reason_either(two: ProjectFolder, home: Path) -> None:
    home.write_text("a file")
    two.run_inside("first", check=True)
    assert home.read_text() == "a file"


def test_a_path_that_shells_quote_makes_no_image(two: ProjectFolder, tmp_path: Path, home: Path) -> None:
    odd = ProjectFolder(tmp_path / "it's odd")
    shutil.copytree(two.path, odd.path, dirs_exist_ok=True)
    odd.run_inside("first", check=True)
    assert kept(home) == []
    assert check_records(odd.environment("first"))


def test_one_with_a_path_too_long_for_a_script_is_installed(
    two: ProjectFolder, tmp_path: Path, home: Path, syncs: list[str]
) -> None:
    two.run_inside("first", check=True)
    deep = ProjectFolder(tmp_path / ("long-" * 30))
    shutil.copytree(two.path / "sessions", deep.path / "sessions")
    shutil.copy(two.path / "pyproject.toml", deep.path)
    deep.run_inside("first", check=True)
    assert syncs == ["first", "first"]
    assert len(kept(home)) == 1


def test_modules_that_were_copied_are_not_shared(two: ProjectFolder, home: Path, tmp_path: Path) -> None:
    two.run_inside("first", check=True)
    (alpha,) = two.environment("first").rglob("site-packages/alpha.py")
    content = alpha.read_bytes()
    alpha.unlink()
    alpha.write_bytes(content)
    with pytest.raises(images.NotCacheable, match=r"alpha\.py was copied"):
        images.keep(home / "other", two.environment("first"), _template(two))
    assert len(kept(home)) == 1


def test_what_isnt_what_its_package_says_is_not_shared(two: ProjectFolder, home: Path) -> None:
    two.run_inside("first", check=True)
    (alpha,) = two.environment("first").rglob("site-packages/alpha.py")
    with open(alpha, "a") as stream:  # in the installer's cache as well: they are the same file
        stream.write("\n")
    with pytest.raises(images.NotCacheable, match="cache is damaged"):
        images.keep(home / "other", two.environment("first"), _template(two))
    alpha.write_bytes(alpha.read_bytes()[:-1])


def test_what_has_its_path_in_a_program_is_not_shared(two: ProjectFolder, home: Path) -> None:
    two.run_inside("first", check=True)
    with pytest.raises(images.NotCacheable, match="another one"):
        images.keep(home / "other", two.environment("first"), replace(_template(two), relocatable=False))
    tool = bin_directory(two.environment("first")) / "tool"
    tool.write_bytes(tool.read_bytes() + b"\0")
    with pytest.raises(images.NotCacheable, match="bin/tool has the environment's path in it"):
        images.keep(home / "other", two.environment("first"), _template(two))


def test_what_was_compiled_is_not_shared(two: ProjectFolder, home: Path) -> None:
    two.run_inside("first", check=True)
    (alpha,) = two.environment("first").rglob("site-packages/alpha.py")
    (alpha.parent / "__pycache__" / "alpha.cpython-311.pyc").write_bytes(b"\0")
    with pytest.raises(images.NotCacheable, match="compiled"):
        images.keep(home / "other", two.environment("first"), _template(two))


def _template(project: ProjectFolder) -> Any:
    from setlist.environment.state import read_state
    from setlist.environment.virtualenv import template_of

    state = read_state(project.environment("first"))
    assert state is not None
    return template_of(state.interpreter, cache_directory=Path(os.environ["SETLIST_CACHE_DIR"]))


def test_images_go_that_nobody_uses(two: ProjectFolder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age in (1, images.UNUSED + 60):
        (home / f"old-{age}").mkdir(parents=True)
        record = home / f"old-{age}" / image.RECORD
        record.touch()
        os.utime(record, (time.time() - age,) * 2)
    (home / ".half.1.x").mkdir()
    os.utime(home / ".half.1.x", (1, 1))
    two.run_inside("first", check=True)
    found = kept(home)
    assert "old-1" in found
    assert len(found) == 2
    monkeypatch.setattr(images, "KEPT", 1)
    shutil.rmtree(home / next(name for name in found if name != "old-1"))
    two.run_inside("-r", "first", check=True)
    assert len(kept(home)) == 1
    assert "old-1" not in kept(home)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (ALL_PINNED, True),
        ("", False),
        ("alpha==1.0\n", False),
        (ALL_PINNED + "beta==1\n", False),
        (ALL_PINNED + "-e ./lib\n", False),
        (ALL_PINNED + "./lib\n", False),
        ("--index-url https://example.invalid/simple\n" + ALL_PINNED, False),
        ("alpha @ https://example.invalid/alpha-1.0-py3-none-any.whl \\\n    --hash=sha256:00ff\n", False),
        ("alpha @ git+https://example.invalid/alpha@main\n", False),
        ("# a remark\n" + ALL_PINNED, True),
    ],
)
def test_only_exact_versions_with_hashes_have_a_key(text: str, is_one: bool) -> None:
    from setlist.core.model import EnvironmentSpec

    key = images.key_of(EnvironmentSpec(), "template", sys.executable, text, {})
    assert (key is not None) == is_one
    assert images.key_of(EnvironmentSpec(installer="pip"), "template", sys.executable, text, {}) is None


@pytest.mark.parametrize(
    "other",
    [
        {"template": "another"},
        {"text": ALL_PINNED.replace("00ff", "00fe")},
        {"inputs": {"variable UV_DEFAULT_INDEX": "other"}},
        {"inputs": {"settings uv.toml": "other"}},
        {"inputs": {"tool.uv": "other"}},
        {"installer": "/bin/sh"},
    ],
    ids=str,
)
def test_all_that_decides_is_in_the_key(other: dict[str, Any]) -> None:
    from setlist.core.model import EnvironmentSpec

    given: dict[str, Any] = {
        "spec": EnvironmentSpec(),
        "template": "template",
        "installer": sys.executable,
        "text": ALL_PINNED,
        "inputs": {"variable UV_DEFAULT_INDEX": "one", "deps alpha": "x"},
    }
    assert images.key_of(**given) == images.key_of(**{**given, "inputs": {**given["inputs"], "deps alpha": "y"}})
    assert images.key_of(**given) != images.key_of(**{**given, **other})
