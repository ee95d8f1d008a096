"""Settings of the user's, the machine's and the project's for installers: what of them reaches an environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from setlist.core.errors import ConfigurationError, ResolutionFailed, SyncFailed
from support.environments import EnvironmentWorld
from support.index import LocalIndex
from support.project import ProjectFolder
from support.variants import BOTH_INSTALLERS
from support.wheels import make_wheel

pytestmark = pytest.mark.slow

DESTINATIONS_OF_PIP = {
    "user": "true",
    "target": "elsewhere",
    "prefix": "elsewhere",
    "root": "elsewhere",
    "src": "elsewhere",
    "dry-run": "true",
    "no-deps": "true",
    "report": "elsewhere",
    "python-version": "3.9",
    "requirement": "more.txt",
    "quiet": "2",
    "verbose": "3",
}

DESTINATIONS_OF_UV = """
target = "elsewhere"
system = true
break-system-packages = true
all-extras = true
extra = ["none"]
no-deps = true
no-emit-package = ["alpha", "beta"]
python = "3.9"
python-version = "3.9"
python-platform = "windows"
universal = true
output-file = "elsewhere"
generate-hashes = true
no-strip-markers = true
emit-index-annotation = true
annotation-style = "line"
emit-marker-expression = true
reinstall = true
upgrade = true
"""


@pytest.fixture
def world(project: ProjectFolder, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentWorld:
    """A project whose installers read configuration files as they do for a user."""
    project.path.mkdir(parents=True, exist_ok=True)
    monkeypatch.delenv("UV_NO_CONFIG")
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project.path / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(project.path / "machine"))
    return EnvironmentWorld(project.path)


def test_destinations_and_outputs_in_pip_conf_do_not_reach_pip(world: EnvironmentWorld, project: ProjectFolder) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in DESTINATIONS_OF_PIP.items())
    project.write("config/pip/pip.conf", f"[install]\n{lines}")
    project.write("machine/pip/pip.conf", f"[global]\n{lines}")
    world.run(deps=("alpha",), installer="pip")
    assert {"alpha", "beta"} <= project.installed("lint").keys()
    world.run(deps=("beta",), installer="pip")
    assert "alpha" not in project.installed("lint")
    assert not (project.path / "elsewhere").exists()


def test_variables_that_redirect_pip_do_not_reach_it(
    world: EnvironmentWorld, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in DESTINATIONS_OF_PIP.items():
        monkeypatch.setenv(f"PIP_{name.upper().replace('-', '_')}", value)
    world.run(deps=("alpha",), installer="pip")
    assert {"alpha", "beta"} <= project.installed("lint").keys()
    assert not (project.path / "elsewhere").exists()


def test_constraints_and_indexes_of_pip_conf_reach_pip(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    make_wheel(tmp_path / "links", "linked", "1.0")
    make_wheel(tmp_path / "links", "linked", "2.0")
    project.write("bounds.txt", "linked<2\n")
    project.write("config/pip/pip.conf", f"[install]\nfind-links = {tmp_path / 'links'}\nconstraint = bounds.txt\n")
    world.run(deps=("linked",), installer="pip")
    assert project.installed("lint")["linked"] == "1.0"


def test_tool_uv_pip_neither_redirects_nor_filters(world: EnvironmentWorld, project: ProjectFolder) -> None:
    project.write("pyproject.toml", f"[tool.uv.pip]\n{DESTINATIONS_OF_UV}")
    world.run(deps=("alpha==1.0", "beta"))
    assert project.installed("lint").keys() == {"alpha", "beta"}
    assert not (project.path / "elsewhere").exists()


@pytest.mark.parametrize("place", ["uv.toml", "config/uv/uv.toml", "machine/uv/uv.toml"])
def test_a_uv_toml_neither_redirects_nor_filters(world: EnvironmentWorld, project: ProjectFolder, place: str) -> None:
    project.write(place, f"[pip]\n{DESTINATIONS_OF_UV}")
    world.run(deps=("alpha",))
    assert project.installed("lint").keys() == {"alpha", "beta"}
    assert not (project.path / "elsewhere").exists()


def test_tool_uv_prefix_leads_nowhere(world: EnvironmentWorld, project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.uv.pip]\nprefix = "elsewhere"\n')
    world.run(deps=("alpha",))
    assert project.installed("lint").keys() == {"alpha", "beta"}


def test_what_selects_packages_reaches_uv_relative_to_the_file_that_says_so(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_FIND_LINKS")
    make_wheel(project.path / "config" / "uv" / "links", "linked", "1.0")
    make_wheel(project.path / "config" / "uv" / "links", "linked", "2.0")
    make_wheel(project.path / "near", "nearby", "1.0")
    project.write("config/uv/uv.toml", 'find-links = ["links"]\n[pip]\nresolution = "highest"\n')
    project.write(
        "pyproject.toml",
        '[tool.uv]\nconstraint-dependencies = ["linked<2"]\n'
        '[tool.uv.pip]\nfind-links = ["near"]\nno-emit-package = ["linked"]\n',
    )
    world.run(deps=("linked", "nearby"))
    assert project.installed("lint") == {"linked": "1.0", "nearby": "1.0"}


def test_the_nearest_of_the_settings_above_a_project_counts(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv]\nconstraint-dependencies = ["alpha<1.1"]\n', encoding="utf-8")
    world.run(deps=("alpha",))
    assert project.installed("lint")["alpha"] == "1.0"
    project.write("uv.toml", 'override-dependencies = ["beta==1.0"]\n')
    environment = world.run(deps=("alpha",))
    assert environment.action == "synced"
    assert project.installed("lint")["beta"] == "1.0"


def test_a_setting_is_an_input_only_if_it_counts(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("alpha",))
    project.write("pyproject.toml", '[tool.uv]\nconcurrent-builds = 2\n[tool.uv.pip]\ntarget = "elsewhere"\n')
    project.write("config/uv/uv.toml", 'cache-dir = "nowhere"\n')
    assert world.run(deps=("alpha",)).action == "reused"
    project.write("config/uv/uv.toml", 'prerelease = "allow"\n')
    assert world.run(deps=("alpha",)).action != "reused"


def test_a_setting_of_pip_is_an_input_only_if_it_counts(world: EnvironmentWorld, project: ProjectFolder) -> None:
    world.run(deps=("alpha",), installer="pip")
    project.write("config/pip/pip.conf", "[install]\nuser = true\n[list]\nformat = json\n[global]\ntimeout = 3\n")
    assert world.run(deps=("alpha",), installer="pip").action == "reused"
    project.write("config/pip/pip.conf", "[install]\nuser = true\nprefer-binary = true\n")
    assert world.run(deps=("alpha",), installer="pip").action != "reused"


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_settings_file_that_cannot_be_read_is_named(
    world: EnvironmentWorld, project: ProjectFolder, installer: str
) -> None:
    project.write("config/uv/uv.toml", "[")
    project.write("config/pip/pip.conf", "index-url\n")
    with pytest.raises(ConfigurationError) as caught:
        world.run(deps=("alpha",), installer=installer)
    assert f"config/{installer}" in str(caught.value)


def test_a_setting_that_uv_refuses_is_told_of_by_the_files_that_state_settings(
    world: EnvironmentWorld, project: ProjectFolder
) -> None:
    project.write("pyproject.toml", "[tool.uv]\nno-such-setting = true\n")
    with pytest.raises(ResolutionFailed) as caught:
        world.run(deps=("alpha",))
    assert "no-such-setting" in str(caught.value.detail)
    assert "uv's settings (pyproject.toml)" in str(caught.value.detail)


def test_pip_imports_nothing_of_the_project(world: EnvironmentWorld, project: ProjectFolder) -> None:
    for place in ("types.py", "json.py", "pip.py"):
        project.write(place, "raise SystemExit('imported by pip')\n")
    world.run(deps=("alpha",), installer="pip")
    assert {"alpha", "beta"} <= project.installed("lint").keys()


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_relative_paths_still_start_at_the_project(
    world: EnvironmentWorld, project: ProjectFolder, installer: str
) -> None:
    project.write("types.py", "raise SystemExit('imported by pip')\n")
    project.write("bounds.txt", "alpha<1.1\n")
    project.write("wanted.txt", "-c bounds.txt\nalpha\n")
    world.run(requirements=("wanted.txt",), installer=installer)
    assert project.installed("lint")["alpha"] == "1.0"


@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_builds_see_nothing_of_the_repository_that_a_hook_runs_for(
    world: EnvironmentWorld, project: ProjectFolder, tmp_path: Path, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    project.write(
        "dep/backend.py",
        "import os, pathlib, zipfile\n"
        f"def note(): pathlib.Path({str(seen)!r}).write_text(' '.join(n for n in os.environ if n[:4] == 'GIT_'))\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        "    note()\n"
        "    name = 'dep-1.0-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(os.path.join(directory, name), 'w') as wheel:\n"
        "        wheel.writestr('dep-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: dep\\nVersion: 1.0\\n')\n"
        "        about = 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'\n"
        "        wheel.writestr('dep-1.0.dist-info/WHEEL', about)\n"
        "        wheel.writestr('dep-1.0.dist-info/RECORD', '')\n"
        "    return name\n",
    )
    project.write(
        "dep/pyproject.toml",
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "dep"\nversion = "1.0"\n',
    )
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    world.run(deps=("./dep",), installer=installer)
    names = seen.read_text().split()
    assert "GIT_CONFIG_COUNT" in names  # logins for private repositories are given so
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"} & set(names)


def test_an_index_that_only_pip_is_told_of_is_named_where_uv_finds_nothing(
    world: EnvironmentWorld, project: ProjectFolder, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_FIND_LINKS", "PIP_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_OFFLINE", "1")
    project.write("config/pip/pip.conf", f"[global]\nindex-url = {index.url.replace('://', '://me:secret@')}\n")
    with pytest.raises(ResolutionFailed) as caught:
        world.run(deps=("only-there",))
    assert "config/pip/pip.conf" in str(caught.value.hint)
    assert 'installer = "pip"' in str(caught.value.hint)
    assert "secret" not in str(caught.value.hint)


def test_hashes_that_pip_conf_requires_are_required(world: EnvironmentWorld, project: ProjectFolder) -> None:
    project.write("config/pip/pip.conf", "[install]\nrequire-hashes = true\n")
    with pytest.raises((ResolutionFailed, SyncFailed)):
        world.run(deps=("alpha",), installer="pip")


@pytest.mark.skipif(sys.platform == "win32", reason="user ids of POSIX")
@pytest.mark.parametrize("installer", BOTH_INSTALLERS)
def test_a_home_that_cannot_be_written_is_no_reason_to_fail(
    project: ProjectFolder, wheelhouse: Path, tmp_path: Path, installer: str
) -> None:
    project.sessions(f'[tool.setlist.session.lint]\ndeps = ["alpha"]\ninstaller = "{installer}"\nrun = []\n')
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    environ: dict[str, str | None] = dict.fromkeys(
        ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SETLIST_CACHE_DIR", "UV_CACHE_DIR", "PIP_CACHE_DIR")
    )
    environ |= {"HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path / "temporary")}
    result = project.run("lint", env=environ)
    assert result.code == 0, result.err
    assert not (project.path / ".uv_cache").exists()
