"""``setlist export``: a lock in the forms that other tools read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from setlist.environment.installers import Uv
from support.index import LocalIndex
from support.project import ProjectFolder, installed_in
from support.wheels import make_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SESSIONS = """
    [tool.setlist.session.test]
    python = "3.11"
    deps = ["alpha==2.0", "delta==1.0; sys_platform == 'win32'"]
    [tool.setlist.session.never]
    python = "3.11"
    [tool.setlist.session.bare]
    backend = "none"
"""


@pytest.fixture
def locked(project: ProjectFolder, index: LocalIndex, wheelhouse_directory: Path) -> ProjectFolder:
    for wheel in wheelhouse_directory.glob("[abd]*.whl"):
        index.add(wheel)
    project.sessions(SESSIONS)
    project.setlist_inside("lock", "test", check=True)
    return project


def test_requirements_are_the_locks_own_without_our_header(locked: ProjectFolder) -> None:
    result = locked.setlist_inside("export", "test", "--format", "requirements", check=True)
    assert result.out.startswith("alpha==2.0 \\\n    --hash=sha256:")
    assert "#" not in result.out
    assert locked.read("sessions/locks/test.txt").endswith(result.out)


def test_pylock_is_made_from_a_requirements_lock_and_installs(
    locked: ProjectFolder, index: LocalIndex, tmp_path: Path, wheelhouse_directory: Path
) -> None:
    # a wheel that came to the release later isn't what was locked
    index.add(make_wheel(tmp_path / "late", "alpha", "2.0", requires=["beta>=2"], tag="cp311-cp311-win_amd64"))
    locked.setlist_inside("export", "test", "--format", "pylock", "-o", "out/pylock.toml", check=True)
    text = locked.read("out/pylock.toml")
    lock = Pylock.from_dict(tomllib.loads(text))
    lock.validate()
    assert [(package.name, str(package.version), str(package.marker or "")) for package in lock.packages] == [
        ("alpha", "2.0", ""),
        ("beta", "2.0", ""),
        ("delta", "1.0", 'sys_platform == "win32"'),
    ]
    wheels = lock.packages[0].wheels or ()
    assert [(wheel.url or "").rpartition("/")[2] for wheel in wheels] == ["alpha-2.0-py3-none-any.whl"]
    assert str(lock.requires_python) == "==3.11.*"
    assert locked.setlist_inside("export", "test", "--format", "pylock", check=True).out == text
    # as a user would
    locked.run_inside("never", check=True)
    from uv import find_uv_bin

    argv = [find_uv_bin(), "pip", "sync", "-q", "--python", str(locked.python("never")), "out/pylock.toml"]
    subprocess.run(argv, cwd=locked.path, check=True)
    assert installed_in(locked.environment("never")) == {"alpha": "2.0", "beta": "2.0"}


def test_a_pylock_lock_is_handed_out_without_our_table(locked: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.sessions('[tool.setlist]\nlock-format = "pylock"\n' + re.sub("^    ", "", SESSIONS, flags=re.MULTILINE))
    locked.setlist_inside("lock", "test", check=True)

    def ask(*_: object) -> None:
        raise AssertionError("nobody needs to be asked")

    monkeypatch.setattr(Uv, "resolve_standard", ask)
    text = locked.setlist_inside("export", "test", "--format", "pylock", check=True).out
    lock = Pylock.from_dict(tomllib.loads(text))
    lock.validate()
    assert lock.tool is None
    assert "setlist" not in text
    assert [package.name for package in lock.packages] == ["alpha", "beta", "delta"]


def test_an_index_that_serves_other_files_makes_no_pylock(
    locked: ProjectFolder, index: LocalIndex, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path / "evil", "beta", "2.0", modules={"beta.py": "evil = True\n"}))
    cache = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    result = locked.setlist_inside("export", "test", "--format", "pylock", env=cache)
    assert (result.code, result.out) == (3, "")
    assert "beta 2.0: the index serves other files than were locked" in result.err


def test_local_directories_cannot_stand_in_a_pylock(project: ProjectFolder, wheelhouse: Path) -> None:
    other = ProjectFolder(project.path / "libs" / "other")
    other.make_package("other")
    project.sessions('[tool.setlist.session.test]\ndeps = ["./libs/other"]\n')
    project.setlist_inside("lock", check=True)
    result = project.setlist_inside("export", "test", "--format", "pylock")
    assert result.code == 3
    assert "./libs/other" in result.err
    assert "--format requirements can" in result.err


def test_cyclonedx_has_every_component_and_is_the_same_each_time(
    locked: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = locked.setlist_inside("export", "test", "--format", "cyclonedx", check=True).out
    assert locked.setlist_inside("export", "test", "--format", "cyclonedx", check=True).out == out
    bom = json.loads(out)
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom["serialNumber"])
    assert bom["metadata"]["component"]["name"] == "test"
    assert "timestamp" not in bom["metadata"]
    alpha, _, delta = bom["components"]
    hashed = re.search(r"alpha==2.0 \\\n    --hash=sha256:(\w+)", locked.read("sessions/locks/test.txt"))
    assert hashed is not None
    assert alpha == {
        "type": "library",
        "bom-ref": "pkg:pypi/alpha@2.0",
        "name": "alpha",
        "version": "2.0",
        "scope": "required",
        "purl": "pkg:pypi/alpha@2.0",
        "hashes": [{"alg": "SHA-256", "content": hashed[1]}],
    }
    assert delta["properties"] == [{"name": "setlist:marker", "value": "sys_platform == 'win32'"}]
    references = {component["bom-ref"] for component in bom["components"]}
    (root,) = [entry for entry in bom["dependencies"] if entry["ref"] == bom["metadata"]["component"]["bom-ref"]]
    assert set(root["dependsOn"]) == references
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    timed = locked.setlist_inside("export", "test", "--format", "cyclonedx", check=True).json
    assert timed["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")
    assert timed["serialNumber"] != bom["serialNumber"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert locked.setlist_inside("export", "test", "--format", "cyclonedx").code == 2


def test_the_bill_keeps_to_the_schema(locked: ProjectFolder) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = locked.setlist_inside("export", "test", "--format", "cyclonedx", check=True).out
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_without_the_library_the_command_that_installs_it_is_told(
    locked: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cyclonedx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cyclonedx", None)
    result = locked.setlist_inside("export", "test", "--format", "cyclonedx")
    assert result.code == 2
    assert "python -m pip install 'setlist[cyclonedx]'" in result.err


def test_command_lines_that_make_no_sense(locked: ProjectFolder) -> None:
    locked.write("file", "")
    for argv, code, said in (
        (["test"], 2, "--format is missing"),
        (["test", "--format", "cyclondx"], 2, "did you mean 'cyclonedx'?"),
        (["test", "--format", "xml"], 2, "there are requirements, pylock, cyclonedx"),
        (["--format", "requirements"], 2, "no session is named"),
        (["bare", "--format", "requirements"], 2, "no environment of its own"),
        (["never", "--format", "requirements"], 3, "'setlist lock never' makes it"),
        (["test", "--format", "requirements", "-o", "file/below"], 2, "can't write file/below"),
    ):
        result = locked.setlist_inside("export", *argv)
        assert (result.code, said in result.err) == (code, True), result
    locked.sessions(SESSIONS.replace("alpha==2.0", "alpha"))
    stale = locked.setlist_inside("export", "test", "--format", "requirements")
    assert (stale.code, "'setlist lock test' renews it" in stale.err) == (3, True)
