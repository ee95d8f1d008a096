"""Where interpreters are looked for on each platform, and what names tell of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.environment.interpreter_locations import (
    Hint,
    Place,
    candidates,
    hint_of_binary,
    hint_of_folder,
    in_words,
    places,
)
from setlist.environment.interpreter_spec import parse_request


def directories(found: tuple[Place, ...], name: str) -> list[str]:
    return [place.directory for place in found if place.name == name]


def test_linux_is_searched_on_path_and_then_in_every_tools_own_place() -> None:
    found = places("linux", {"PATH": "/usr/local/bin:/usr/bin:/usr/bin"}, "/home/ann")
    assert directories(found, "PATH") == ["/usr/local/bin", "/usr/bin"]
    assert directories(found, "pyenv") == ["/home/ann/.pyenv/versions"]
    assert directories(found, "uv") == ["/home/ann/.local/share/uv/python"]
    assert directories(found, "mise") == ["/home/ann/.local/share/mise/installs/python"]
    assert directories(found, "asdf") == ["/home/ann/.asdf/installs/python"]
    conda = directories(found, "conda")
    assert "/home/ann/miniconda3" in conda
    assert "/home/ann/miniforge3/envs" in conda
    assert "/opt/conda" in conda
    assert Place("conda", "listed", "/home/ann/.conda/environments.txt") in found
    assert Place("Homebrew", "binaries", "/home/linuxbrew/.linuxbrew/bin", rare=True) in found
    assert list(dict.fromkeys(place.name for place in found)) == [
        *("PATH", "pyenv", "uv", "conda", "mise", "asdf", "Homebrew"),
    ]


def test_variables_of_the_tools_are_honoured() -> None:
    environ = {
        "PYENV_ROOT": "/opt/pyenv",
        "UV_PYTHON_INSTALL_DIR": "/opt/uv",
        "MISE_DATA_DIR": "/opt/mise",
        "ASDF_DATA_DIR": "/opt/asdf",
        "CONDA_PREFIX": "/opt/active",
        "CONDA_EXE": "/opt/snake/bin/conda",
        "MAMBA_ROOT_PREFIX": "/opt/mamba",
        "HOMEBREW_PREFIX": "/opt/brew",
        "XDG_DATA_HOME": "/data",
    }
    found = places("linux", environ, None)
    assert directories(found, "pyenv") == ["/opt/pyenv/versions"]
    assert directories(found, "uv") == ["/opt/uv"]
    assert directories(found, "mise") == ["/opt/mise/installs/python"]
    assert directories(found, "asdf") == ["/opt/asdf/installs/python"]
    assert directories(found, "conda")[:3] == ["/opt/active", "/opt/mamba", "/opt/mamba/envs"]
    assert "/opt/snake/envs" in directories(found, "conda")
    assert directories(found, "Homebrew") == ["/opt/brew/bin"]
    assert directories(places("linux", {"XDG_DATA_HOME": "/data"}, "/home/ann"), "uv") == ["/data/uv/python"]


def test_a_relative_data_home_is_ignored() -> None:
    found = places("linux", {"XDG_DATA_HOME": "data"}, "/home/ann")
    assert directories(found, "uv") == ["/home/ann/.local/share/uv/python"]


def test_shims_and_relative_entries_of_path_are_passed_over() -> None:
    environ = {"PATH": ":.:bin:/home/ann/.pyenv/shims/:/opt/mise/shims:/usr/bin", "MISE_DATA_DIR": "/opt/mise"}
    assert directories(places("linux", environ, "/home/ann"), "PATH") == ["/usr/bin"]


def test_macos_has_homebrew_and_frameworks_too() -> None:
    found = places("darwin", {"PATH": "/usr/bin"}, "/Users/ann")
    assert "/Users/ann/Library/Application Support/uv/python" in directories(found, "uv")
    assert directories(found, "Homebrew") == [
        *("/opt/homebrew/opt", "/opt/homebrew/bin", "/usr/local/opt", "/usr/local/bin"),
    ]
    assert directories(found, "python.org's installations") == [
        "/Library/Frameworks/Python.framework/Versions",
        "/Library/Frameworks/PythonT.framework/Versions",
        "/Users/ann/Library/Frameworks/Python.framework/Versions",
        "/Users/ann/Library/Frameworks/PythonT.framework/Versions",
    ]
    named = places("darwin", {"UV_PYTHON_INSTALL_DIR": "/opt/uv"}, None)
    assert directories(named, "uv") == ["/opt/uv"]


def test_windows_has_its_own_separators_and_the_registry() -> None:
    home = r"C:\Users\Ann"
    environ = {
        "PATH": r"C:\Windows;C:\Users\Ann\.pyenv\pyenv-win\Shims;tools",
        "LOCALAPPDATA": r"C:\Users\Ann\AppData\Local",
        "PROGRAMDATA": r"C:\ProgramData",
    }
    found = places("win32", environ, home)
    assert directories(found, "PATH") == [r"C:\Windows"]
    assert directories(found, "pyenv") == [r"C:\Users\Ann\.pyenv\pyenv-win\versions"]
    assert directories(found, "uv") == [
        r"C:\Users\Ann\AppData\Roaming\uv\data\python",
        r"C:\Users\Ann\AppData\Roaming\uv\python",
    ]
    assert directories(found, "mise") == [r"C:\Users\Ann\AppData\Local\mise\installs\python"]
    assert r"C:\ProgramData\miniconda3" in directories(found, "conda")
    assert Place("the registry", "registry", r"Software\Python") in found


def test_without_a_home_and_with_nothing_set_there_is_little_to_search() -> None:
    assert {place.name for place in places("linux", {}, None)} == {"conda", "Homebrew"}


def test_places_are_told_of_once_and_in_order(tmp_path: Path) -> None:
    rare = Place("Homebrew", "binaries", str(tmp_path / "none"), rare=True)
    found = (
        Place("PATH", "binaries", "/a"),
        Place("PATH", "binaries", "/b"),
        Place("pyenv", "installations", "/c"),
        Place("uv", "installations", "/d"),
    )
    assert in_words((*found, rare)) == ("on PATH", "in pyenv", "uv")
    assert in_words((*found, Place("Homebrew", "binaries", str(tmp_path), rare=True)))[-1] == "Homebrew"
    assert in_words(found[2:]) == ("in pyenv", "uv")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("python", Hint()),
        ("python3", Hint(None, (3,))),
        ("python3.12", Hint(None, (3, 12))),
        ("python3.13t", Hint(None, (3, 13), True)),
        ("PYTHON3.12.EXE", Hint(None, (3, 12))),
        ("pypy3.11", Hint("pypy", (3, 11))),
        ("graalpy", Hint("graalpy")),
        ("python3.12-config", None),
        ("python-argcomplete", None),
        ("ipython3", None),
        ("python3.12.1", None),
    ],
)
def test_names_of_programs(name: str, hint: Hint | None) -> None:
    assert hint_of_binary(name) == hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("3.12.1", Hint("cpython", (3, 12, 1), False)),
        ("3.13.0t", Hint("cpython", (3, 13, 0), True)),
        ("3.14.0rc1", Hint("cpython", (3, 14, 0), False, final=False)),
        ("3.14.0b2t", Hint("cpython", (3, 14, 0), True, final=False)),
        ("3.14-dev", Hint("cpython", (3, 14), False, final=False)),
        ("3.14t-dev", Hint("cpython", (3, 14), True, final=False)),
        ("3.12.1-win32", Hint("cpython", (3, 12, 1), False)),
        ("python@3.12", Hint("cpython", (3, 12), False)),
        ("pypy3.10-7.3.15", Hint("pypy", (3, 10), False)),
        ("cpython-3.12.1-linux-x86_64-gnu", Hint("cpython", (3, 12, 1), False)),
        ("cpython-3.13.0+freethreaded-linux-x86_64-gnu", Hint("cpython", (3, 13, 0), True)),
        ("cpython-3.14.0a4-macos-aarch64-none", Hint("cpython", (3, 14, 0), False, final=False)),
        ("pypy-3.10.14-linux-x86_64-gnu", Hint("pypy", (3, 10, 14), False)),
        ("graalpy-23.1.0", Hint("graalpy")),
        ("miniconda3-4.7.12", Hint()),
        ("latest", Hint()),
        ("3.12test", Hint("cpython", (3, 12), False)),
    ],
)
def test_names_of_installations(name: str, hint: Hint) -> None:
    assert hint_of_folder(name) == hint


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def paths(place: Place, request: str, *, windows: bool = False) -> list[str]:
    base = Path(place.directory)
    found = candidates(place, parse_request(request), windows=windows)
    return [Path(candidate.path).relative_to(base).as_posix() for candidate in found]


def test_binaries_that_might_answer_come_the_highest_version_first(tmp_path: Path) -> None:
    touch(tmp_path, "python3.9", "python3.10", "python3.12", "python3.12-config", "pypy3.11", "python3.13t", "ls")
    place = Place("PATH", "binaries", str(tmp_path))
    assert paths(place, ">=3.10") == ["python3.12", "python3.10"]
    assert paths(place, "3.9") == ["python3.9"]
    assert "pypy3.11" in paths(place, "pypy")
    assert "pypy3.11" not in paths(place, "3.11")
    assert "python3.13t" not in paths(place, "3.13")
    assert paths(place, "3.13t") == ["python3.13t"]


def test_a_name_without_a_version_is_asked_last_or_known_by_what_it_links_to(tmp_path: Path) -> None:
    touch(tmp_path, "python3.12", "python")
    (tmp_path / "python3").symlink_to("python3.12")
    place = Place("PATH", "binaries", str(tmp_path))
    assert paths(place, "3.12") == ["python3.12", "python"]
    assert paths(place, "3.11") == ["python"]


def test_links_to_one_shim_are_all_kept(tmp_path: Path) -> None:
    touch(tmp_path, "shim")
    for name in ("python3.11", "python3.12"):
        (tmp_path / name).symlink_to("shim")
    assert paths(Place("PATH", "binaries", str(tmp_path)), ">=3.10") == ["python3.12", "python3.11"]


def test_installations_are_chosen_by_their_folders_name(tmp_path: Path) -> None:
    for version in ("3.9.18", "3.12.1", "3.12.10", "3.13.0rc1", "3.13.0t"):
        touch(tmp_path / version / "bin", "python3", "python")
    place = Place("pyenv", "installations", str(tmp_path))
    folders = [path.split("/")[0] for path in paths(place, ">=3.12")]
    # each has two names that aren't links to one binary here
    assert list(dict.fromkeys(folders)) == ["3.12.10", "3.12.1", "3.13.0rc1"]
    assert {path.split("/")[0] for path in paths(place, "3.13t")} == {"3.13.0t"}
    assert paths(place, "3.12.3") == []


def test_aliases_of_an_installation_count_once_and_virtual_environments_not_at_all(tmp_path: Path) -> None:
    touch(tmp_path / "3.12.1" / "bin", "python3.12")
    (tmp_path / "3.12").symlink_to("3.12.1")
    (tmp_path / "latest").symlink_to(tmp_path / "3.12.1")
    touch(tmp_path / "3.12.2" / "bin", "python3.12")
    touch(tmp_path / "3.12.2", "pyvenv.cfg")
    touch(tmp_path / ".hidden" / "bin", "python3.12")
    touch(tmp_path, "3.12.9")
    assert paths(Place("mise", "installations", str(tmp_path)), "3.12") == ["3.12.1/bin/python3.12"]


def test_a_link_out_of_the_place_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "bin", "python3.12")
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "3.12.7").symlink_to(tmp_path / "elsewhere")
    place = Place("pyenv", "installations", str(tmp_path / "versions"))
    found = candidates(place, parse_request("3.12.7"), windows=False)
    assert [candidate.path for candidate in found] == [str(tmp_path / "versions" / "3.12.7" / "bin" / "python3.12")]


def test_an_unpacked_install_folder_is_looked_into(tmp_path: Path) -> None:
    touch(tmp_path / "cpython-3.12.1-linux" / "install" / "bin", "python3.12")
    assert paths(Place("uv", "installations", str(tmp_path)), "3.12") == [
        "cpython-3.12.1-linux/install/bin/python3.12",
    ]


def test_conda_environments_are_known_by_their_binaries(tmp_path: Path) -> None:
    # an environment may be called anything, a version too
    touch(tmp_path / "envs" / "3.9" / "bin", "python3.12", "python")
    touch(tmp_path / "envs" / "no-python" / "bin", "ls")
    place = Place("conda", "installations", str(tmp_path / "envs"))
    assert "3.9/bin/python3.12" in paths(place, "3.12")
    assert paths(Place("conda", "installation", str(tmp_path / "envs" / "3.9")), "3.12")[0] == "bin/python3.12"


def test_listed_installations_are_read_from_the_list(tmp_path: Path) -> None:
    touch(tmp_path / "here" / "bin", "python3.12")
    (tmp_path / "environments.txt").write_text(f"{tmp_path / 'here'}\n\n{tmp_path / 'gone'}\n")
    found = candidates(
        Place("conda", "listed", str(tmp_path / "environments.txt")), parse_request("3.12"), windows=False
    )
    assert [candidate.path for candidate in found] == [str(tmp_path / "here" / "bin" / "python3.12")]


@pytest.mark.parametrize("kind", ["binaries", "installations", "installation", "listed"])
def test_a_place_that_isnt_there_holds_nothing(tmp_path: Path, kind: str) -> None:
    place = Place("x", kind, str(tmp_path / "none"))  # type: ignore[arg-type]
    assert candidates(place, parse_request("3.12"), windows=False) == []


def test_the_pattern_of_a_place_chooses_among_its_folders(tmp_path: Path) -> None:
    touch(tmp_path / "python@3.12" / "bin", "python3.12")
    touch(tmp_path / "openssl@3" / "bin", "python3.12")
    place = Place("Homebrew", "installations", str(tmp_path), "py*")
    assert paths(place, "3.12") == ["python@3.12/bin/python3.12"]


def test_a_windows_installation_is_known_by_its_library(tmp_path: Path) -> None:
    touch(tmp_path / "tools" / "a", "python.exe", "pythonw.exe", "python3.dll", "python312.dll", "python")
    touch(tmp_path / "tools" / "b", "python.exe", "python39.dll")
    place = Place("conda", "installations", str(tmp_path / "tools"))
    assert paths(place, "3.12", windows=True) == ["a/python.exe"]
    assert paths(place, ">=3.8", windows=True) == ["a/python.exe", "b/python.exe"]


def test_the_registry_is_asked_for_what_its_tags_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [("3.11", r"C:\a\python.exe"), ("3.13t", r"C:\b\python.exe"), ("3.12-32", r"C:\c\python.exe")]
    monkeypatch.setattr("setlist.environment.windows_registry.registered", lambda key: known)
    found = candidates(Place("the registry", "registry", r"Software\Python"), parse_request(">=3.9"), windows=True)
    assert [candidate.path for candidate in found] == [r"C:\c\python.exe", r"C:\a\python.exe"]


def test_pypy_installations_keep_their_implementation(tmp_path: Path) -> None:
    touch(tmp_path / "pypy3.10-7.3.15" / "bin", "pypy3.10", "python3.10")
    place = Place("pyenv", "installations", str(tmp_path))
    assert paths(place, "3.10") == []
    assert all(path.startswith("pypy3.10-7.3.15/bin/") for path in paths(place, "pypy3.10"))
    assert paths(place, "pypy3.10")
