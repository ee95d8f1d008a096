"""Where interpreters are looked for on each platform, and which binaries there are candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from setlist.environment import interpreter_locations
from setlist.environment.interpreter_locations import REGISTRY, Location, candidates, in_words, locations
from setlist.environment.interpreter_spec import parse_request


def patterns(searched: tuple[Location, ...], name: str) -> list[str]:
    return [location.pattern for location in searched if location.name == name]


def test_linux_is_searched_on_path_and_then_in_every_tools_own_place() -> None:
    searched = locations("linux", {"PATH": "/usr/local/bin:/usr/bin:/usr/bin", "HOMEBREW_PREFIX": "/brew"}, "/home/ann")
    assert patterns(searched, "PATH") == ["/usr/local/bin", "/usr/bin"]
    assert patterns(searched, "pyenv") == ["/home/ann/.pyenv/versions/*"]
    assert patterns(searched, "uv") == ["/home/ann/.local/share/uv/python/*"]
    assert patterns(searched, "mise") == ["/home/ann/.local/share/mise/installs/python/*"]
    assert patterns(searched, "asdf") == ["/home/ann/.asdf/installs/python/*"]
    conda = patterns(searched, "conda")
    assert "/home/ann/miniconda3" in conda
    assert "/home/ann/miniforge3/envs/*" in conda
    assert "/home/ann/.conda/envs/*" in conda
    assert "/opt/conda" in conda
    assert "/opt/anaconda3/envs/*" in conda
    assert patterns(searched, "Homebrew") == ["/brew"]
    assert list(dict.fromkeys(location.name for location in searched)) == [
        *("PATH", "pyenv", "uv", "conda", "mise", "asdf", "Homebrew"),
    ]
    assert patterns(locations("linux", {}, None), "Homebrew") == ["/home/linuxbrew/.linuxbrew"]


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
    searched = locations("linux", environ, None)
    assert patterns(searched, "pyenv") == ["/opt/pyenv/versions/*"]
    assert patterns(searched, "uv") == ["/opt/uv/*"]
    assert patterns(searched, "mise") == ["/opt/mise/installs/python/*"]
    assert patterns(searched, "asdf") == ["/opt/asdf/installs/python/*"]
    assert patterns(searched, "conda")[:3] == ["/opt/active", "/opt/mamba", "/opt/mamba/envs/*"]
    assert "/opt/snake/envs/*" in patterns(searched, "conda")
    assert patterns(searched, "Homebrew") == ["/opt/brew"]
    assert patterns(locations("linux", {"XDG_DATA_HOME": "/data"}, "/home/ann"), "uv") == ["/data/uv/python/*"]


def test_a_relative_data_home_is_ignored() -> None:
    searched = locations("linux", {"XDG_DATA_HOME": "data"}, "/home/ann")
    assert patterns(searched, "uv") == ["/home/ann/.local/share/uv/python/*"]


def test_shims_and_relative_entries_of_path_are_passed_over() -> None:
    environ = {"PATH": ":.:bin:/home/ann/.pyenv/shims/:/opt/mise/shims:/usr/bin", "MISE_DATA_DIR": "/opt/mise"}
    assert patterns(locations("linux", environ, "/home/ann"), "PATH") == ["/usr/bin"]


def test_macos_has_homebrew_and_frameworks_too() -> None:
    searched = locations("darwin", {"PATH": "/usr/bin"}, "/Users/ann")
    assert "/Users/ann/Library/Application Support/uv/python/*" in patterns(searched, "uv")
    assert patterns(searched, "Homebrew") == [
        *("/opt/homebrew/opt/py*", "/opt/homebrew", "/usr/local/opt/py*", "/usr/local"),
    ]
    assert patterns(searched, "python.org's installations") == [
        "/Library/Frameworks/Python.framework/Versions/*",
        "/Library/Frameworks/PythonT.framework/Versions/*",
        "/Users/ann/Library/Frameworks/Python.framework/Versions/*",
        "/Users/ann/Library/Frameworks/PythonT.framework/Versions/*",
    ]
    named = locations("darwin", {"UV_PYTHON_INSTALL_DIR": "/opt/uv"}, None)
    assert patterns(named, "uv") == ["/opt/uv/*"]


def test_windows_has_its_own_separators_and_the_registry() -> None:
    home = r"C:\Users\Ann"
    environ = {
        "PATH": r"C:\Windows;C:\Users\Ann\.pyenv\pyenv-win\Shims;tools",
        "LOCALAPPDATA": r"C:\Users\Ann\AppData\Local",
        "PROGRAMDATA": r"C:\ProgramData",
    }
    searched = locations("win32", environ, home)
    assert patterns(searched, "PATH") == [r"C:\Windows"]
    assert patterns(searched, "pyenv") == [r"C:\Users\Ann\.pyenv\pyenv-win\versions\*"]
    assert patterns(searched, "uv") == [
        r"C:\Users\Ann\AppData\Roaming\uv\data\python\*",
        r"C:\Users\Ann\AppData\Roaming\uv\python\*",
    ]
    assert patterns(searched, "mise") == [r"C:\Users\Ann\AppData\Local\mise\installs\python\*"]
    assert r"C:\ProgramData\miniconda3" in patterns(searched, "conda")
    assert searched[-1].name == REGISTRY


def test_without_a_home_and_with_nothing_set_there_is_little_to_search() -> None:
    assert {location.name for location in locations("linux", {}, None)} == {"conda", "Homebrew"}


def test_a_directory_is_no_pattern(tmp_path: Path) -> None:
    touch(tmp_path / "p[y]*" / "versions" / "3.12.1" / "bin", "python3.12")
    touch(tmp_path / "py" / "versions" / "3.12.2" / "bin", "python3.12")
    searched = locations("linux", {"PYENV_ROOT": str(tmp_path / "p[y]*")}, None)
    pyenv = next(location for location in searched if location.name == "pyenv")
    assert candidates(pyenv, parse_request("3.12")) == [str(tmp_path / "p[y]*/versions/3.12.1/bin/python3.12")]


def test_locations_are_named_once_and_in_order(tmp_path: Path) -> None:
    searched = (
        Location("PATH", "/a"),
        Location("PATH", "/b"),
        Location("pyenv", "/c/*"),
        Location("uv", "/d/*"),
    )
    assert in_words((*searched, Location("Homebrew", str(tmp_path / "none")))) == ("on PATH", "in pyenv", "uv")
    assert in_words((*searched, Location("Homebrew", str(tmp_path))))[-1] == "Homebrew"
    assert in_words(searched[2:]) == ("in pyenv", "uv")


@pytest.mark.parametrize(
    ("name", "accepted", "others"),
    [
        ("python", ("3.12", "pypy", "3.13t", ">=3.10"), ()),
        ("python3", ("3.12", "pypy", "3.13t", ">=3.10"), ("2.7",)),
        ("python3.12", ("3.12", "3.12.4", "pypy3.12", "3.12t", ">=3.12.3"), ("3.11", "<3.12", ">=3.13")),
        ("python3.13t", ("3.13t", ">=3.13t"), ("3.12t", "3.13", "3")),
        ("PYTHON3.12", ("3.12",), ("3.11",)),
        ("pypy3.11", ("pypy3.11", "pypy"), ("3.11", "pypy3.10", ">=3.10")),
        ("graalpy", ("graalpy", "graalpy3.11"), ("3.11", "pypy")),
        ("python3.12-config", (), ("3.12",)),
        ("python-argcomplete", (), ("3.12",)),
        ("ipython3", (), ("3.12",)),
        ("python3.12.1", (), ("3.12",)),
    ],
)
def test_names_of_programs(tmp_path: Path, name: str, accepted: tuple[str, ...], others: tuple[str, ...]) -> None:
    touch(tmp_path, name)
    location = Location("PATH", str(tmp_path))
    for request in accepted:
        assert candidates(location, parse_request(request)) == [str(tmp_path / name)]
    for request in others:
        assert candidates(location, parse_request(request)) == []


@pytest.mark.parametrize(
    ("name", "accepted", "others"),
    [
        ("3.12.1", ("3.12", "3.12.1", ">=3.12.1"), ("3.12.2", "3.1", "pypy3.12")),
        ("3.13.0t", ("3.13t", ">=3.13t"), ("3.13", ">=3.10")),
        ("3.14.0rc1", ("3.14",), ("3.14.1",)),
        ("3.14.0b2t", ("3.14t",), ("3.14",)),
        ("3.14-dev", ("3.14",), ("3.13",)),
        ("3.14t-dev", ("3.14t",), ("3.14",)),
        ("3.12.1-win32", ("3.12",), ("3.11",)),
        ("python@3.12", ("3.12",), ("3.11",)),
        ("pypy3.10-7.3.15", ("pypy3.10", "pypy"), ("3.10", ">=3.8")),
        ("cpython-3.12.1-linux-x86_64-gnu", ("3.12.1",), ("3.12.2", "pypy")),
        ("cpython-3.13.0+freethreaded-linux-x86_64-gnu", ("3.13t",), ("3.13",)),
        ("cpython-3.14.0a4-macos-aarch64-none", ("3.14",), ("3.13",)),
        ("pypy-3.10.14-linux-x86_64-gnu", ("pypy3.10.14",), ("3.10",)),
        ("graalpy-23.1.0", ("graalpy", "graalpy3.10"), ("3.10",)),
        ("miniconda3-4.7.12", ("3.12", "pypy"), ()),
        ("latest", ("3.12", "pypy"), ()),
        ("3.12test", ("3.12",), ("3.11",)),
    ],
)
def test_names_of_installations(tmp_path: Path, name: str, accepted: tuple[str, ...], others: tuple[str, ...]) -> None:
    touch(tmp_path / name / "bin", "python")
    location = Location("pyenv", f"{tmp_path}/*")
    for request in accepted:
        assert candidates(location, parse_request(request)) == [str(tmp_path / name / "bin" / "python")], request
    for request in others:
        assert candidates(location, parse_request(request)) == [], request


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def paths(name: str, directory: Path, request: str, pattern: str = "*") -> list[str]:
    """The candidates of a location, from its directory: of the binaries on PATH, or of its installations."""
    location = Location(name, str(directory) if name == "PATH" else f"{directory}/{pattern}")
    return [Path(path).relative_to(directory).as_posix() for path in candidates(location, parse_request(request))]


def test_binaries_that_might_answer_come_the_highest_version_first(tmp_path: Path) -> None:
    touch(tmp_path, "python3.9", "python3.10", "python3.12", "python3.12-config", "pypy3.11", "python3.13t", "ls")
    assert paths("PATH", tmp_path, ">=3.10") == ["python3.12", "python3.10"]
    assert paths("PATH", tmp_path, "3.9") == ["python3.9"]
    assert "pypy3.11" in paths("PATH", tmp_path, "pypy")
    assert "pypy3.11" not in paths("PATH", tmp_path, "3.11")
    assert "python3.13t" not in paths("PATH", tmp_path, "3.13")
    assert paths("PATH", tmp_path, "3.13t") == ["python3.13t"]


def test_a_name_without_a_version_is_asked_last_or_known_by_what_it_links_to(tmp_path: Path) -> None:
    touch(tmp_path, "python3.12", "python")
    (tmp_path / "python3").symlink_to("python3.12")
    assert paths("PATH", tmp_path, "3.12") == ["python3.12", "python"]
    assert paths("PATH", tmp_path, "3.11") == ["python"]


def test_links_to_one_shim_are_all_kept(tmp_path: Path) -> None:
    touch(tmp_path, "shim")
    for name in ("python3.11", "python3.12"):
        (tmp_path / name).symlink_to("shim")
    assert paths("PATH", tmp_path, ">=3.10") == ["python3.12", "python3.11"]


def test_installations_are_chosen_by_their_folders_name(tmp_path: Path) -> None:
    for version in ("3.9.18", "3.12.1", "3.12.10", "3.13.0rc1", "3.13.0t"):
        touch(tmp_path / version / "bin", "python3", "python")
    folders = [path.split("/")[0] for path in paths("pyenv", tmp_path, ">=3.12")]
    # each has two names that aren't links to one binary here
    assert list(dict.fromkeys(folders)) == ["3.12.10", "3.12.1", "3.13.0rc1"]
    assert paths("pyenv", tmp_path, "3.13t")[0].split("/")[0] == "3.13.0t"
    assert paths("pyenv", tmp_path, "3.12.3") == []


def test_aliases_of_an_installation_count_once_and_virtual_environments_not_at_all(tmp_path: Path) -> None:
    touch(tmp_path / "3.12.1" / "bin", "python3.12")
    (tmp_path / "3.12").symlink_to("3.12.1")
    (tmp_path / "latest").symlink_to(tmp_path / "3.12.1")
    touch(tmp_path / "3.12.2" / "bin", "python3.12")
    touch(tmp_path / "3.12.2", "pyvenv.cfg")
    touch(tmp_path / ".hidden" / "bin", "python3.12")
    touch(tmp_path, "3.12.9")
    assert paths("mise", tmp_path, "3.12") == ["3.12.1/bin/python3.12"]


def test_a_link_out_of_the_place_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "bin", "python3.12")
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "3.12.7").symlink_to(tmp_path / "elsewhere")
    assert paths("pyenv", tmp_path / "versions", "3.12.7") == ["3.12.7/bin/python3.12"]


def test_an_unpacked_install_folder_is_looked_into(tmp_path: Path) -> None:
    touch(tmp_path / "cpython-3.12.1-linux" / "install" / "bin", "python3.12")
    assert paths("uv", tmp_path, "3.12") == ["cpython-3.12.1-linux/install/bin/python3.12"]


def test_conda_environments_are_known_by_their_binaries(tmp_path: Path) -> None:
    # an environment may be called anything, a version too
    touch(tmp_path / "envs" / "3.9" / "bin", "python3.12", "python")
    touch(tmp_path / "envs" / "no-python" / "bin", "ls")
    assert "3.9/bin/python3.12" in paths("conda", tmp_path / "envs", "3.12")
    assert paths("conda", tmp_path / "envs", "3.12", pattern="3.9")[0] == "3.9/bin/python3.12"


def test_listed_installations_are_read_from_the_list(tmp_path: Path) -> None:
    touch(tmp_path / "here" / "bin", "python3.12")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{tmp_path / 'here'}\n\n{tmp_path / 'gone'}\n")
    searched = locations("linux", {}, str(tmp_path))
    found = [path for location in searched for path in candidates(location, parse_request("3.12"))]
    assert [path for path in found if path.startswith(str(tmp_path))] == [str(tmp_path / "here" / "bin" / "python3.12")]


@pytest.mark.parametrize("name", ["PATH", "pyenv", "conda"])
@pytest.mark.parametrize("pattern", ["none", "none/*"])
def test_a_place_that_isnt_there_holds_nothing(tmp_path: Path, name: str, pattern: str) -> None:
    assert candidates(Location(name, str(tmp_path / pattern)), parse_request("3.12")) == []


def test_the_pattern_of_a_place_chooses_among_its_folders(tmp_path: Path) -> None:
    touch(tmp_path / "python@3.12" / "bin", "python3.12")
    touch(tmp_path / "openssl@3" / "bin", "python3.12")
    assert paths("Homebrew", tmp_path, "3.12", pattern="py*") == ["python@3.12/bin/python3.12"]


def test_a_windows_installation_is_known_by_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter_locations, "WINDOWS", True)
    touch(tmp_path / "a", "python.exe", "pythonw.exe", "python3.dll", "python312.dll", "python")
    touch(tmp_path / "b", "python.exe", "python39.dll")
    assert paths("conda", tmp_path, "3.12") == ["a/python.exe"]
    assert paths("conda", tmp_path, ">=3.8") == ["a/python.exe", "b/python.exe"]


def test_pypy_installations_keep_their_implementation(tmp_path: Path) -> None:
    touch(tmp_path / "pypy3.10-7.3.15" / "bin", "pypy3.10", "python3.10")
    assert paths("pyenv", tmp_path, "3.10") == []
    assert all(path.startswith("pypy3.10-7.3.15/bin/") for path in paths("pyenv", tmp_path, "pypy3.10"))
    assert paths("pyenv", tmp_path, "pypy3.10")
