"""The installer's settings are inputs; secrets in them are never stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.environment.configuration import configuration_files, describe_files, variables

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
    assert kept != variables("uv", {"UV_DEFAULT_INDEX": "https://user:other@example.invalid/"})


def test_uv_reads_its_files_on_posix() -> None:
    found = configuration_files("uv", {"HOME": "/home/me"}, ROOT, platform="linux")
    assert [path.as_posix() for path in found] == [
        "/project/uv.toml",
        "/home/me/.config/uv/uv.toml",
        "/etc/uv/uv.toml",
    ]


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


def test_pip_config_file_adds_one_and_devnull_turns_all_off() -> None:
    added = configuration_files("pip", {"HOME": "/h", "PIP_CONFIG_FILE": "/my.conf"}, ROOT, platform="linux")
    assert added[-1] == Path("/my.conf")
    import os

    assert configuration_files("pip", {"PIP_CONFIG_FILE": os.devnull}, ROOT, platform="linux") == ()


def test_only_files_that_are_there_are_described(tmp_path: Path) -> None:
    there = tmp_path / "uv.toml"
    there.write_text("a")
    described = describe_files((there, tmp_path / "absent.toml"))
    assert list(described) == [str(there)]
    there.write_text("b")
    assert describe_files((there,)) != described
