"""The installer's settings are inputs; secrets in them are never stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.project import Project
from setlist.core.toml import parse_toml
from setlist.environment.installer_config import (
    configuration_files,
    installer_environ,
    pip_environ,
    pip_only_indexes,
    uv_configuration,
    variables,
)

ROOT = Path("/project")


def test_only_the_installers_own_variables_count() -> None:
    environ = {"UV_DEFAULT_INDEX": "x", "PIP_INDEX_URL": "y", "HOME": "/home"}
    assert set(variables("uv", environ)) == {"UV_DEFAULT_INDEX"}
    assert set(variables("pip", environ)) == {"PIP_INDEX_URL"}


@pytest.mark.parametrize("name", ["UV_CACHE_DIR", "UV_LINK_MODE", "UV_OFFLINE", "UV_PYTHON"])
def test_variables_without_effect_on_what_is_installed_do_not_count(name: str) -> None:
    assert variables("uv", {name: "x"}) == {}


def test_values_are_kept_as_digests_only() -> None:
    kept = variables("uv", {"UV_DEFAULT_INDEX": "https://user:secret@example.invalid/"})
    assert "secret" not in str(kept)
    assert kept != variables("uv", {"UV_DEFAULT_INDEX": "https://user:secret@other.invalid/"})


def test_another_login_is_no_other_setting() -> None:
    kept = variables("uv", {"UV_DEFAULT_INDEX": "https://user:secret@example.invalid/", "UV_INDEX_OWN_PASSWORD": "a"})
    assert kept == variables("uv", {"UV_DEFAULT_INDEX": "https://me:other@example.invalid/"})
    assert kept == variables("uv", {"UV_DEFAULT_INDEX": "https://example.invalid/", "UV_INDEX_OWN_USERNAME": "me"})


def test_uv_reads_its_files_on_posix() -> None:
    found = configuration_files("uv", {"HOME": "/home/me"}, ROOT, platform="linux")
    assert [path.as_posix() for path in found] == [
        "/project/uv.toml",
        "/project/pyproject.toml",
        "/uv.toml",
        "/pyproject.toml",
        "/home/me/.config/uv/uv.toml",
        "/etc/xdg/uv/uv.toml",
        "/etc/uv/uv.toml",
    ]
    assert not any("etc" in path.parts for path in configuration_files("uv", {"UV_NO_SYSTEM_CONFIG": "1"}, ROOT))


def test_xdg_config_home_moves_them() -> None:
    found = configuration_files("uv", {"HOME": "/home/me", "XDG_CONFIG_HOME": "/cfg"}, ROOT, platform="linux")
    assert Path("/cfg/uv/uv.toml") in found


def test_a_named_file_is_the_only_one_for_uv() -> None:
    assert configuration_files("uv", {"UV_CONFIG_FILE": "/x.toml"}, ROOT, platform="linux") == (Path("/x.toml"),)
    assert configuration_files("uv", {"UV_NO_CONFIG": "1"}, ROOT, platform="linux") == ()


def test_pip_reads_its_files_on_every_platform() -> None:
    linux = configuration_files("pip", {"HOME": "/home/me"}, ROOT, platform="linux")
    assert {path.as_posix() for path in linux} == {
        "/etc/pip.conf",
        "/home/me/.config/pip/pip.conf",
        "/home/me/.pip/pip.conf",
        "/etc/xdg/pip/pip.conf",
    }
    mac = configuration_files("pip", {"HOME": "/Users/me"}, ROOT, platform="darwin")
    assert Path("/Users/me/Library/Application Support/pip/pip.conf") in mac
    environ = {"USERPROFILE": "C:/Users/me", "APPDATA": "C:/Users/me/AppData/Roaming", "PROGRAMDATA": "C:/ProgramData"}
    windows = {path.as_posix() for path in configuration_files("pip", environ, ROOT, platform="win32")}
    assert {
        "C:/ProgramData/pip/pip.ini",
        "C:/Users/me/AppData/Roaming/pip/pip.ini",
        "C:/Users/me/pip/pip.ini",
    } == windows


def test_pip_config_file_is_the_last_and_devnull_turns_all_off(tmp_path: Path) -> None:
    environ = {"HOME": "/h", "PIP_CONFIG_FILE": "/my.conf"}
    assert configuration_files("pip", environ, ROOT, platform="linux")[-1] == Path("/my.conf")
    assert configuration_files("pip", {"PIP_CONFIG_FILE": os.devnull}, ROOT, platform="linux") == ()


def test_a_named_file_that_is_there_stands_for_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "my.conf").touch()
    found = configuration_files("pip", {"HOME": "/h", "PIP_CONFIG_FILE": "my.conf"}, tmp_path, platform="linux")
    assert found[-1] == tmp_path / "my.conf"
    assert not any(Path("/h") in path.parents for path in found)


# --- what reaches uv ----------------------------------------------------------------------------------------


def handed_to_uv(project: Project, environ: dict[str, str], *, universal: bool = False) -> dict[str, Any]:
    with uv_configuration(environ, project).options(universal=universal) as (option, *paths):
        if option == "--no-config":
            return {}
        path = Path(paths[0])
        private = path if path.is_dir() else path.parent
        assert private.stat().st_mode & 0o077 == 0 or sys.platform == "win32"  # logins are for nobody else
        if option == "--project":
            found: dict[str, Any] = parse_toml((path / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
            return found
        return parse_toml(path.read_text(encoding="utf-8"))


@pytest.fixture
def place(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    return {
        "HOME": str(tmp_path),
        "APPDATA": str(tmp_path / ".config"),
        "XDG_CONFIG_DIRS": str(tmp_path / "machine"),
        "PROGRAMDATA": str(tmp_path / "machine"),
    }


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_settings_uv_reads_no_file(place: Project, world: dict[str, str]) -> None:
    assert handed_to_uv(place, world) == {}


def test_levels_of_uvs_settings_are_merged_as_uv_does(place: Project, world: dict[str, str], tmp_path: Path) -> None:
    write(place.root / "pyproject.toml", '[tool.uv]\nprerelease = "allow"\nno-binary-package = ["a"]\n')
    write(tmp_path / ".config/uv/uv.toml", 'prerelease = "disallow"\nno-binary-package = ["b"]\noffline = true\n')
    write(tmp_path / "machine/uv/uv.toml", '[pip]\nno-binary = ["c"]\n[config-settings]\nkey = "value"\n')
    assert handed_to_uv(place, world) == {
        "prerelease": "allow",
        "no-binary-package": ["a", "b"],
        "offline": True,
        "pip": {"no-binary": ["c"]},
        "config-settings": {"key": "value"},
    }


def test_paths_stay_relative_to_the_file_that_states_them(
    place: Project, world: dict[str, str], tmp_path: Path
) -> None:
    write(
        place.root / "pyproject.toml",
        '[[tool.uv.index]]\nname = "a"\nurl = "simple"\n'
        '[[tool.uv.index]]\nname = "b"\nurl = "https://example.invalid/simple"\n'
        '[tool.uv.pip]\nfind-links = ["links", "/absolute"]\nextra-index-url = ["file:///there"]\n',
    )
    write(tmp_path / ".config/uv/uv.toml", 'index-url = "../simple"\n')
    found = handed_to_uv(place, world)
    assert [index["url"] for index in found["index"]] == [
        str(place.root / "simple"),
        "https://example.invalid/simple",
    ]
    assert found["pip"] == {
        "find-links": [str(place.root / "links"), str(place.root / "/absolute")],
        "extra-index-url": ["file:///there"],
    }
    assert found["index-url"] == str(tmp_path / ".config/uv/../simple")


def test_every_kind_of_value_survives(place: Project, world: dict[str, str]) -> None:
    stated = (
        "exclude-newer = 2026-01-02T03:04:05Z\n"
        '[[dependency-metadata]]\nname = "a"\nrequires-dist = [\'b; sys_platform == "x\\y"\']\n'
        '[config-settings]\n"build option" = "a\\tb\\u0007\\u007f ü"\n'
        "[extra-build-variables]\na = { N = '1', D = '2026-01-02' }\n"
    )
    write(place.root / "uv.toml", stated)
    assert handed_to_uv(place, world) == parse_toml(stated)


def test_what_only_a_pyproject_can_say_is_said_where_uv_listens(place: Project, world: dict[str, str]) -> None:
    write(
        place.root / "pyproject.toml",
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\npackage = false\nno-build = true\n",
    )
    assert handed_to_uv(place, world) == {"no-build": True}
    assert handed_to_uv(place, world, universal=True) == {
        "no-build": True,
        "environments": ["sys_platform == 'linux'"],
    }


def test_somebody_elses_broken_pyproject_above_is_passed_over(
    place: Project, world: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path / "pyproject.toml", "[")
    assert handed_to_uv(place, world) == {}


def test_a_named_file_that_is_not_there_is_an_error(place: Project, world: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        uv_configuration({**world, "UV_CONFIG_FILE": "no.toml"}, place)


# --- what reaches pip ---------------------------------------------------------------------------------------


def settings_of_pip(environ: dict[str, str], root: Path, command: str = "install") -> dict[str, str]:
    found = pip_environ(environ, root, command)
    assert found.pop("PIP_CONFIG_FILE") == os.devnull
    return {name: value for name, value in found.items() if name.startswith("PIP_")}


def test_pip_is_handed_what_its_files_say_in_their_order(place: Project, world: dict[str, str], tmp_path: Path) -> None:
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    write(tmp_path / "machine/pip" / name, "[global]\nindex-url = a\ntimeout = 1\n[install]\npre = true\n")
    write(
        tmp_path / ".config/pip" / name,
        "[global]\nINDEX_URL = b\n--trusted-host =\n  x\n  y\n[download]\nno-binary = z\n",
    )
    environ = {**world, "PIP_TIMEOUT": "2", "PIP_PRE": "", "PIP_USER": "1"}
    found = settings_of_pip(environ, place.root)
    assert (
        found.items()
        >= {
            "PIP_INDEX_URL": "b",
            "PIP_TIMEOUT": "2",
            "PIP_PRE": "true",
            "PIP_TRUSTED_HOST": "\nx\ny",
        }.items()
    )
    assert not {"PIP_USER", "PIP_NO_BINARY"} & found.keys()
    assert settings_of_pip(environ, place.root, "download").keys() >= {"PIP_NO_BINARY", "PIP_INDEX_URL"}


def test_commands_that_select_nothing_are_handed_nothing(place: Project, world: dict[str, str]) -> None:
    assert settings_of_pip({**world, "PIP_FORMAT": "json", "PIP_QUIET": "1"}, place.root, "list") == {}


def test_an_index_for_pip_alone_is_known_by_what_names_it(place: Project, world: dict[str, str]) -> None:
    assert pip_only_indexes(world, place) == ()
    alone = {**world, "PIP_EXTRA_INDEX_URL": "https://me:secret@example.invalid"}
    assert pip_only_indexes(alone, place) == ("PIP_EXTRA_INDEX_URL",)
    assert pip_only_indexes({**alone, "UV_DEFAULT_INDEX": "x"}, place) == ()
    write(place.root / "uv.toml", '[[index]]\nurl = "https://example.invalid"\n')
    assert pip_only_indexes(alone, place) == ()


def test_git_and_destinations_are_kept_from_installers() -> None:
    environ = {"GIT_DIR": "x", "GIT_INDEX_FILE": "x", "GIT_SSH_COMMAND": "ssh", "UV_PYTHON": "3", "UV_INDEX": "x"}
    kept = {"GIT_SSH_COMMAND": "ssh", "UV_INDEX": "x", "UV_CACHE_DIR": "x", "HOME": "/home/me"}
    assert installer_environ({**environ, **kept, "PIP_TARGET": "x"}) == kept


@pytest.mark.skipif(sys.platform == "win32", reason="user ids of POSIX")
def test_a_user_without_a_home_has_one_for_installers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", str)  # as for a user id that has no name
    environ = installer_environ({"SETLIST_CACHE_DIR": str(tmp_path)})
    assert (environ["HOME"], environ["UV_CACHE_DIR"]) == (str(tmp_path), str(tmp_path / "uv"))
